//===- Module.cpp - Functions of IR for Python ----------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Module.h"

#include "Arguments.h"
#include "Engine.h"
#include "Tensor.h"

#include "embedding-runtime/Module.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <deque>
#include <optional>

using namespace embedding::python;

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

/// The type and shape of an operand as messages and `repr` have them.
static std::string describe(const EmbeddingOperand &operand) {
  std::string text = getTypeName(operand.dtype);
  if (operand.ndim < 0)
    return text;
  text += "[";
  for (int i = 0; i < operand.ndim; ++i)
    text += (i == 0 ? "" : ", ") +
            (operand.shape[i] < 0 ? "?" : std::to_string(operand.shape[i]));
  return text + "]";
}

/// A number, in the memory that a function reads it from.
static uint64_t readScalar(nb::handle value, const EmbeddingOperand &operand) {
  auto expected = [&](const std::string &what) {
    throw nb::type_error((std::string(operand.name) + ": expected " + what +
                          " for " + describe(operand) + ", but got " +
                          nb::cast<std::string>(nb::str(value)))
                             .c_str());
  };
  uint64_t bits = 0;
  if (operand.dtype.code == kDLFloat) {
    double number = PyFloat_AsDouble(value.ptr());
    if (PyErr_Occurred()) {
      PyErr_Clear();
      expected("a number");
    }
    if (operand.dtype.bits == 64) {
      std::memcpy(&bits, &number, sizeof(number));
    } else {
      auto single = static_cast<float>(number);
      std::memcpy(&bits, &single, sizeof(single));
    }
    return bits;
  }
  nb::object whole = nb::steal(PyNumber_Index(value.ptr()));
  if (!whole.is_valid()) {
    PyErr_Clear();
    expected("an integer");
  }
  int width = operand.dtype.bits;
  bool isUnsigned = operand.dtype.code == kDLUInt;
  int64_t min = isUnsigned ? 0 : INT64_MIN >> (64 - width);
  uint64_t max =
      (isUnsigned ? UINT64_MAX : uint64_t(INT64_MAX)) >> (64 - width);
  bool fits;
  if (isUnsigned) {
    bits = PyLong_AsUnsignedLongLong(whole.ptr());
    fits = bits <= max;
  } else {
    int64_t number = PyLong_AsLongLong(whole.ptr());
    fits = number >= min && number <= static_cast<int64_t>(max);
    bits = static_cast<uint64_t>(number);
  }
  if (PyErr_Occurred() || !fits) {
    PyErr_Clear();
    expected("an integer from " + std::to_string(min) + " to " +
             std::to_string(max));
  }
  return bits;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

namespace {

/// Tensors or arrays that a function has returned.
struct MadeResults {
  bool areTorch;
  std::vector<nb::object> objects;
  /// What making one has raised.
  std::optional<nb::python_error> error;

  static int32_t make(void *context, int64_t number, const DLTensor *like,
                      DLTensor *out) {
    auto *results = static_cast<MadeResults *>(context);
    nb::gil_scoped_acquire acquired;
    try {
      nb::object &object = results->objects[number];
      object = results->areTorch || like->device.device_type == kDLCUDA
                   ? makeTorchTensor(like->shape, like->ndim, like->dtype,
                                     like->device)
                   : makeArray(like->shape, like->ndim, like->dtype);
      out->data = (&Tensor(object, "out", Access::write))->data;
      return 0;
    } catch (nb::python_error &raised) {
      results->error.emplace(raised);
    } catch (std::exception &raised) {
      PyErr_SetString(PyExc_TypeError, raised.what());
      results->error.emplace();
    }
    return 1;
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Module
//===----------------------------------------------------------------------===//

namespace {

/// A module, and how its functions are called.
class Module {
public:
  Module(nb::handle text, int32_t deviceType, int32_t deviceId,
         nb::handle assumeSizes) {
    std::string ir = readString(text, "ir");
    EmbeddingModuleOptions options;
    embedding_module_options_init(&options, sizeof(options));
    options.device = {static_cast<DLDeviceType>(deviceType), deviceId};
    options.assume_sizes = readFlag(assumeSizes, "assume_sizes");
    device = options.device;
    run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
      return embedding_module_compile(engine, ir.data(), ir.size(), &options,
                                      &module, status);
    });
    count = embedding_module_get_functions(module, &functions);
  }
  ~Module() { embedding_module_destroy(module); }
  Module(const Module &) = delete;
  Module &operator=(const Module &) = delete;

  std::vector<std::string> getNames() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i)
      names.push_back(functions[i].name);
    return names;
  }

  std::vector<std::string> getArgumentNames(const std::string &name) const {
    const EmbeddingFunction &function = find(name);
    std::vector<std::string> names;
    for (int i = 0; i < function.num_arguments; ++i)
      names.emplace_back(function.arguments[i].name);
    return names;
  }

  std::string getSignature(const std::string &name) const {
    const EmbeddingFunction &function = find(name);
    std::string text = name + "(";
    for (int i = 0; i < function.num_arguments; ++i)
      text += (i == 0 ? "" : ", ") + std::string(function.arguments[i].name) +
              ": " + describe(function.arguments[i]);
    text += ")";
    for (int i = 0; i < function.num_results; ++i)
      text += (i == 0 ? " -> " : ", ") + describe(function.results[i]);
    return text;
  }

  nb::any call(nb::handle self, const nb::args &given);

private:
  const EmbeddingFunction &find(const std::string &name) const {
    for (size_t i = 0; i < count; ++i)
      if (name == functions[i].name)
        return functions[i];
    throw nb::attribute_error(("module: no function '" + name + "'").c_str());
  }

  DLDevice device;
  EmbeddingModule *module = nullptr;
  const EmbeddingFunction *functions = nullptr;
  size_t count = 0;
};

} // namespace

/// Whether a call that takes or makes tensors is not ours alone.
static bool isWatched(const Torch &torch, const nb::args &given,
                      bool makesTensors) {
  bool hasTensors = makesTensors;
  for (nb::handle argument : given) {
    if (torch.isPlain(argument))
      hasTensors = true;
    else if (torch.isTensor(argument) ||
             nb::hasattr(argument, "__torch_function__"))
      return true;
  }
  return hasTensors && torch.isWatched();
}

/// Refuses to write what PyTorch's operations in place do not.
static void checkWritable(const Torch &torch, nb::handle self,
                          nb::handle tensor, const char *name) {
  if (isTrue(nb::object(tensor.attr(torch.requiresGrad))) ||
      isTrue(nb::object(tensor.attr("is_inference")())))
    torch.checkWritable(self, tensor, name);
}

nb::any Module::call(nb::handle self, const nb::args &given) {
  auto name = nb::cast<std::string>(self.attr("__name__"));
  const EmbeddingFunction &function = find(name);
  if (given.size() != static_cast<size_t>(function.num_arguments))
    throw nb::type_error((getSignature(name) + ": expected " +
                          std::to_string(function.num_arguments) +
                          " arguments, but got " + std::to_string(given.size()))
                             .c_str());
  std::deque<Tensor> tensors;
  std::deque<uint64_t> scalars;
  std::vector<const void *> arguments;
  EmbeddingCallOptions options;
  embedding_call_options_init(&options, sizeof(options));
  MadeResults results{false,
                      std::vector<nb::object>(function.num_results, nb::none()),
                      std::nullopt};
  bool isOnGPU = device.device_type == kDLCUDA;
  if (isOnGPU)
    nb::module_::import_("embedding_mlir._torch");
  const Torch *torch = Torch::get();
  if (torch && isWatched(*torch, given, isOnGPU)) {
    nb::object answer = torch->callWatched(self, given);
    if (!answer.is_none())
      return makeAny(answer[0]);
  }
  std::vector<nb::handle> written;
  for (int i = 0; i < function.num_arguments; ++i) {
    const EmbeddingOperand &operand = function.arguments[i];
    if (operand.ndim < 0) {
      scalars.push_back(readScalar(given[i], operand));
      arguments.push_back(&scalars.back());
      continue;
    }
    // Memrefs may be written.
    Access access = operand.is_memref ? Access::write : Access::read;
    if (operand.is_memref && torch && torch->isTensor(given[i])) {
      checkWritable(*torch, self, given[i], operand.name);
      written.push_back(given[i]);
    }
    const Tensor &tensor = tensors.emplace_back(given[i], operand.name, access);
    arguments.push_back(&tensor);
    results.areTorch |= !tensor.isArray();
  }
  if (isOnGPU)
    options.stream = getCurrentStream(device.device_id);
  options.make_result = &MadeResults::make;
  options.make_result_context = &results;
  EmbeddingStatus status;
  EmbeddingStatusCode code;
  {
    nb::gil_scoped_release released;
    code = embedding_module_call(module, function.name, arguments.data(),
                                 &options, &status);
  }
  // A call that fails may have written too.
  for (nb::handle tensor : written)
    Torch::get()->incrementVersion(tensor);
  if (results.error) {
    results.error->restore();
    nb::raise_python_error();
  }
  if (code != EMBEDDING_OK)
    fail(code, status);
  if (function.num_results == 0)
    return makeAny(nb::none());
  if (function.num_results == 1)
    return makeAny(results.objects[0]);
  nb::list list;
  for (const nb::object &object : results.objects)
    list.append(object);
  return makeAny(nb::tuple(list));
}

void embedding::python::defineModule(nb::module_ &core) {
  using namespace nb::literals;
  nb::class_<Module>(core, "Module",
                     "The public functions of an MLIR module, compiled.")
      .def(nb::init<nb::handle, int32_t, int32_t, nb::handle>(), "ir"_a.none(),
           "device_type"_a, "device_id"_a, "assume_sizes"_a.none())
      .def_prop_ro("names", &Module::getNames)
      .def("signature", &Module::getSignature, "name"_a)
      .def("argument_names", &Module::getArgumentNames, "name"_a)
      .def("call", &Module::call, "function"_a, "args"_a);
}
