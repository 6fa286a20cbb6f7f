//===- _core.cpp - The runtime's C API for Python -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tensors of PyTorch and arrays of NumPy come as they are: their attributes are
// read here, since DLPack's capsules take longer than a short lookup. Whatever
// else has DLPack's protocol, Python makes one of the two of it.
//
//===----------------------------------------------------------------------===//

#include "embedding-runtime/Runtime.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace nb = nanobind;

namespace {

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

constexpr int kMaxDims = 64;

/// What torch.dtype objects mean, filled in when torch is imported.
std::unordered_map<PyObject *, DLDataType> &torchTypes() {
  static std::unordered_map<PyObject *, DLDataType> types;
  return types;
}

/// Names of attributes, made once, and NumPy's type of arrays.
struct Names {
  nb::object data_ptr, shape, stride, dtype, is_cuda, get_device, interface,
      ndarray;
};
Names *names = nullptr;

[[noreturn]] void unsupported(const std::string &what) {
  throw nb::type_error(what.c_str());
}

/// A tensor of PyTorch or an array of NumPy, which it borrows.
class Tensor {
public:
  Tensor(nb::handle object, const char *name) {
    tensor.byte_offset = 0;
    tensor.shape = shape;
    tensor.strides = strides;
    if (PyObject_IsInstance(object.ptr(), names->ndarray.ptr()))
      readArray(nb::cast<nb::dict>(object.attr(names->interface)), object,
                name);
    else
      readTorch(object, name);
  }
  Tensor(const Tensor &) = delete;

  const DLTensor *operator&() const { return &tensor; }
  bool isOnGPU() const { return tensor.device.device_type == kDLCUDA; }

private:
  void readTorch(nb::handle object, const char *name) {
    nb::object address = nb::steal(
        PyObject_CallMethodNoArgs(object.ptr(), names->data_ptr.ptr()));
    if (!address.is_valid()) {
      PyErr_Clear();
      unsupported(std::string(name) + ": expected a tensor or an array");
    }
    tensor.data = PyLong_AsVoidPtr(address.ptr());
    setShape(nb::borrow(object.attr(names->shape)));
    nb::object steps =
        nb::steal(PyObject_CallMethodNoArgs(object.ptr(), names->stride.ptr()));
    for (int i = 0; i < tensor.ndim; ++i)
      strides[i] = PyLong_AsLongLong(PyTuple_GetItem(steps.ptr(), i));
    nb::object dtype = nb::borrow(object.attr(names->dtype));
    auto found = torchTypes().find(dtype.ptr());
    if (found == torchTypes().end())
      unsupported(std::string(name) + ": " + nb::str(dtype).c_str() +
                  " is not supported");
    tensor.dtype = found->second;
    tensor.device = {kDLCPU, 0};
    if (nb::object(object.attr(names->is_cuda)).is(Py_True))
      tensor.device = {kDLCUDA,
                       nb::cast<int32_t>(object.attr(names->get_device)())};
    if (PyErr_Occurred())
      throw nb::python_error();
  }

  void readArray(const nb::dict &interface, nb::handle object,
                 const char *name) {
    tensor.device = {kDLCPU, 0};
    nb::tuple data = nb::cast<nb::tuple>(interface["data"]);
    tensor.data = PyLong_AsVoidPtr(nb::object(data[0]).ptr());
    setShape(interface["shape"]);
    auto code = nb::cast<std::string>(interface["typestr"]);
    int bytes = std::stoi(code.substr(2));
    tensor.dtype = {0, static_cast<uint8_t>(8 * bytes), 1};
    switch (code[1]) {
    case 'f':
      tensor.dtype.code = kDLFloat;
      break;
    case 'i':
      tensor.dtype.code = kDLInt;
      break;
    case 'u':
    case 'b':
      tensor.dtype.code = kDLUInt;
      break;
    case 'c':
      tensor.dtype.code = kDLComplex;
      break;
    default:
      if (nb::cast<std::string>(nb::str(object.attr("dtype"))) != "bfloat16")
        unsupported(std::string(name) + ": " + code + " is not supported");
      tensor.dtype.code = kDLBfloat;
    }
    if (code[0] == '>')
      unsupported(std::string(name) + ": expected native byte order");
    nb::object steps = interface.contains("strides")
                           ? nb::object(interface["strides"])
                           : nb::none();
    int64_t step = 1;
    for (int i = tensor.ndim; i-- > 0;) {
      strides[i] = step;
      step *= shape[i];
    }
    if (!steps.is_none())
      for (int i = 0; i < tensor.ndim; ++i) {
        int64_t inBytes = nb::cast<int64_t>(steps[i]);
        if (inBytes % bytes != 0)
          unsupported(std::string(name) +
                      ": expected strides of whole elements");
        strides[i] = inBytes / bytes;
      }
  }

  void setShape(const nb::object &sizes) {
    tensor.ndim = static_cast<int32_t>(PyTuple_Size(sizes.ptr()));
    if (tensor.ndim > kMaxDims)
      unsupported("expected 64 dimensions at most");
    for (int i = 0; i < tensor.ndim; ++i)
      shape[i] = PyLong_AsLongLong(PyTuple_GetItem(sizes.ptr(), i));
  }

  DLTensor tensor;
  int64_t shape[kMaxDims], strides[kMaxDims];
};

//===----------------------------------------------------------------------===//
// The engine
//===----------------------------------------------------------------------===//

/// What makes an exception of a status: (code, message, position, index,
/// count).
nb::object *makeError = nullptr;

void check(EmbeddingStatusCode code, const EmbeddingStatus &status) {
  if (code == EMBEDDING_OK)
    return;
  nb::object error = (*makeError)(static_cast<int>(code), status.message,
                                  status.position, status.index, status.count);
  PyErr_SetObject(reinterpret_cast<PyObject *>(Py_TYPE(error.ptr())),
                  error.ptr());
  throw nb::python_error();
}

std::atomic<EmbeddingEngine *> engine{nullptr};
std::mutex *engineMutex = new std::mutex;
int32_t numThreads = 0;

EmbeddingEngine *getEngine() {
  if (EmbeddingEngine *known = engine.load(std::memory_order_acquire))
    return known;
  std::lock_guard<std::mutex> lock(*engineMutex);
  if (EmbeddingEngine *known = engine.load())
    return known;
  EmbeddingEngineOptions options;
  embedding_engine_options_init(&options, sizeof(options));
  options.num_threads = numThreads;
  EmbeddingEngine *created = nullptr;
  EmbeddingStatus status;
  check(embedding_engine_create(&options, &created, &status), status);
  engine.store(created, std::memory_order_release);
  return created;
}

/// In the child of a fork: the threads of the engine are not there, and its
/// locks may be held for ever. It is left alone, and a new one made if need be.
void forgetEngine() {
  engine.store(nullptr);
  engineMutex = new std::mutex;
}

void setNumThreads(int32_t count) {
  if (count < 0)
    throw nb::value_error("num_threads: expected 0 or more");
  std::lock_guard<std::mutex> lock(*engineMutex);
  if (engine.load() && count != numThreads)
    throw std::runtime_error(
        "num_threads: expected to be set before the first call");
  numThreads = count;
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// Runs `call` without the interpreter's lock.
template <typename Call> void run(Call call) {
  EmbeddingEngine *engine = getEngine();
  EmbeddingStatus status;
  EmbeddingStatusCode code;
  {
    nb::gil_scoped_release released;
    code = call(engine, &status);
  }
  check(code, status);
}

void *toStream(uintptr_t stream) { return reinterpret_cast<void *>(stream); }

void lookup(nb::handle weight, nb::handle input, nb::handle out, int outOfRange,
            std::optional<double> maxNorm, double normType, uintptr_t stream) {
  Tensor table(weight, "weight"), indices(input, "input"), to(out, "out");
  EmbeddingLookupOptions options;
  embedding_lookup_options_init(&options, sizeof(options));
  options.out_of_range = outOfRange;
  options.has_max_norm = maxNorm.has_value();
  options.max_norm = maxNorm.value_or(0);
  options.norm_type = normType;
  options.stream = toStream(stream);
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_lookup(engine, &table, &indices, &options, &to, status);
  });
}

void renorm(nb::handle weight, nb::handle input, double maxNorm,
            double normType, int outOfRange, uintptr_t stream) {
  Tensor table(weight, "weight"), indices(input, "input");
  EmbeddingRenormOptions options;
  embedding_renorm_options_init(&options, sizeof(options));
  options.out_of_range = outOfRange;
  options.norm_type = normType;
  options.stream = toStream(stream);
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_renorm(engine, &table, &indices, maxNorm, &options,
                            status);
  });
}

EmbeddingGradOptions gradOptions(int outOfRange,
                                 std::optional<int64_t> paddingIdx,
                                 bool scaleGradByFreq, uintptr_t stream) {
  EmbeddingGradOptions options;
  embedding_grad_options_init(&options, sizeof(options));
  options.out_of_range = outOfRange;
  options.has_padding_idx = paddingIdx.has_value();
  options.padding_idx = paddingIdx.value_or(0);
  options.scale_grad_by_freq = scaleGradByFreq;
  options.stream = toStream(stream);
  return options;
}

void denseGrad(nb::handle gradOutput, nb::handle input, nb::handle gradWeight,
               std::optional<int64_t> paddingIdx, bool scaleGradByFreq,
               bool allowNondeterministic, int outOfRange, uintptr_t stream) {
  Tensor grad(gradOutput, "grad_output"), indices(input, "input"),
      to(gradWeight, "out");
  EmbeddingGradOptions options =
      gradOptions(outOfRange, paddingIdx, scaleGradByFreq, stream);
  options.allow_nondeterministic = allowNondeterministic;
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_dense_grad(engine, &grad, &indices, &options, &to, status);
  });
}

/// `nnz`, a tensor of one int64 beside the others, takes the number of entries.
void sparseGrad(nb::handle gradOutput, nb::handle input, int64_t numRows,
                nb::handle rows, nb::handle values, nb::handle nnz,
                std::optional<int64_t> paddingIdx, bool scaleGradByFreq,
                int outOfRange, uintptr_t stream) {
  Tensor grad(gradOutput, "grad_output"), indices(input, "input"),
      toRows(rows, "rows"), toValues(values, "values"), count(nnz, "nnz");
  EmbeddingGradOptions options =
      gradOptions(outOfRange, paddingIdx, scaleGradByFreq, stream);
  auto *to = static_cast<int64_t *>((&count)->data);
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_sparse_grad(engine, &grad, &indices, numRows, &options,
                                 &toRows, &toValues, to, status);
  });
}

void coalesce(nb::handle input, nb::handle values, int64_t numRows,
              nb::handle rows, nb::handle sums, nb::handle nnz, int outOfRange,
              uintptr_t stream) {
  Tensor indices(input, "input"), from(values, "values"), toRows(rows, "rows"),
      toSums(sums, "sums"), count(nnz, "nnz");
  EmbeddingCoalesceOptions options;
  embedding_coalesce_options_init(&options, sizeof(options));
  options.out_of_range = outOfRange;
  options.stream = toStream(stream);
  auto *to = static_cast<int64_t *>((&count)->data);
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_coalesce(engine, &indices, &from, numRows, &options,
                              &toRows, &toSums, to, status);
  });
}

void doubleBackward(nb::handle gradGradWeight, nb::handle input, nb::handle out,
                    std::optional<int64_t> paddingIdx, bool scaleGradByFreq,
                    int outOfRange, uintptr_t stream) {
  Tensor table(gradGradWeight, "grad_grad_weight"), indices(input, "input"),
      to(out, "out");
  EmbeddingGradOptions options =
      gradOptions(outOfRange, paddingIdx, scaleGradByFreq, stream);
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_double_backward(engine, &table, &indices, &options, &to,
                                     status);
  });
}

void synchronize(int32_t device, uintptr_t stream) {
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_synchronize(engine, device, toStream(stream), status);
  });
}

/// Says what a torch.dtype is; it is kept alive.
void registerTorchType(nb::object dtype, int code, int bits) {
  torchTypes()[dtype.ptr()] = {static_cast<uint8_t>(code),
                               static_cast<uint8_t>(bits), 1};
  dtype.release();
}

} // namespace

NB_MODULE(_core, module) {
  module.doc() = "The C API of the runtime, on tensors and arrays as they are. "
                 "Streams are addresses of a CUstream.";
  auto intern = [](const char *name) {
    return nb::steal(PyUnicode_InternFromString(name));
  };
  names = new Names{intern("data_ptr"),
                    intern("shape"),
                    intern("stride"),
                    intern("dtype"),
                    intern("is_cuda"),
                    intern("get_device"),
                    intern("__array_interface__"),
                    nb::module_::import_("numpy").attr("ndarray")};
  using namespace nb::literals;
  module.def("lookup", &lookup, "weight"_a, "input"_a, "out"_a,
             "out_of_range"_a = 0, "max_norm"_a = nb::none(),
             "norm_type"_a = 2.0, "stream"_a = 0);
  module.def("renorm", &renorm, "weight"_a, "input"_a, "max_norm"_a,
             "norm_type"_a = 2.0, "out_of_range"_a = 0, "stream"_a = 0);
  module.def("dense_grad", &denseGrad, "grad_output"_a, "input"_a, "out"_a,
             "padding_idx"_a = nb::none(), "scale_grad_by_freq"_a = false,
             "allow_nondeterministic"_a = false, "out_of_range"_a = 0,
             "stream"_a = 0);
  module.def("sparse_grad", &sparseGrad, "grad_output"_a, "input"_a,
             "num_rows"_a, "rows"_a, "values"_a, "nnz"_a,
             "padding_idx"_a = nb::none(), "scale_grad_by_freq"_a = false,
             "out_of_range"_a = 0, "stream"_a = 0);
  module.def("coalesce", &coalesce, "input"_a, "values"_a, "num_rows"_a,
             "rows"_a, "sums"_a, "nnz"_a, "out_of_range"_a = 0, "stream"_a = 0);
  module.def("double_backward", &doubleBackward, "grad_grad_weight"_a,
             "input"_a, "out"_a, "padding_idx"_a = nb::none(),
             "scale_grad_by_freq"_a = false, "out_of_range"_a = 0,
             "stream"_a = 0);
  module.def("synchronize", &synchronize, "device"_a = 0, "stream"_a = 0);
  module.def("set_num_threads", &setNumThreads, "num_threads"_a);
  module.def("forget_engine", &forgetEngine);
  module.def("register_torch_type", &registerTorchType, "dtype"_a, "code"_a,
             "bits"_a);
  module.def("set_error_factory", [](nb::object factory) {
    makeError = new nb::object(std::move(factory));
  });
}
