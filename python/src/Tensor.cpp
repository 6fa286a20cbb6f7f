//===- Tensor.cpp - Tensors and arrays of Python --------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"

#include "Engine.h"
#include "TorchStorage.h"

#include <nanobind/stl/string.h>

#include <algorithm>

using namespace embedding::python;

/// kDLBool, which DLPack has since version 0.8.
static constexpr uint8_t kBoolCode = 6;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

namespace {

/// Names of attributes and methods, made once, and what NumPy has.
struct Names {
  nb::object dataPtr, shape, stride, dtype, device, isCpu, isCuda, getDevice,
      isConj, isNeg, resolveConj, resolveNeg, storageOffset, newEmpty, set,
      interface, itemsize;
  nb::object ndarray, empty;
};

} // namespace

static Names *names = nullptr;

static nb::object intern(const char *name) {
  return nb::steal(PyUnicode_InternFromString(name));
}

void embedding::python::initializeTensors() {
  nb::object numpy = nb::module_::import_("numpy");
  names = new Names{intern("data_ptr"),       intern("shape"),
                    intern("stride"),         intern("dtype"),
                    intern("device"),         intern("is_cpu"),
                    intern("is_cuda"),        intern("get_device"),
                    intern("is_conj"),        intern("is_neg"),
                    intern("resolve_conj"),   intern("resolve_neg"),
                    intern("storage_offset"), intern("new_empty"),
                    intern("set_"),           intern("__array_interface__"),
                    intern("itemsize"),       numpy.attr("ndarray"),
                    numpy.attr("empty")};
}

/// Steals `result`, or throws what the interpreter has raised.
static nb::object check(PyObject *result) {
  if (!result)
    nb::raise_python_error();
  return nb::steal(result);
}

static nb::object getAttribute(nb::handle object, const nb::object &name) {
  return check(PyObject_GetAttr(object.ptr(), name.ptr()));
}

static nb::object callMethod(nb::handle object, const nb::object &name) {
  PyObject *self = object.ptr();
  return check(PyObject_VectorcallMethod(name.ptr(), &self, 1, nullptr));
}

//===----------------------------------------------------------------------===//
// PyTorch
//===----------------------------------------------------------------------===//

Torch *Torch::current = nullptr;

void Torch::set(nb::handle source) {
  auto *torch = new Torch;
  torch->tensorType = source.attr("tensor_type");
  torch->parameterType = source.attr("parameter_type");
  torch->noFunction = source.attr("no_function");
  torch->noDispatch = source.attr("no_dispatch");
  for (nb::handle entry : source.attr("questions"))
    torch->questions.emplace_back(entry[0], entry[1]);
  torch->forwardAD = source.attr("forward_ad").attr("__dict__");
  torch->currentLevel = intern("_current_level");
  torch->noLevel = nb::int_(-1);
  torch->requiresGrad = intern("requires_grad");
  torch->isGradEnabled = source.attr("is_grad_enabled");
  torch->getStorageAddress = source.attr("get_storage_address");
  auto getUntraced = [&](const char *name) {
    return Untraced(source.attr(name), source.attr("set_eval_frame"));
  };
  torch->callWatched = getUntraced("call_watched");
  torch->checkWritable = getUntraced("check_writable");
  torch->incrementVersion = getUntraced("increment_version");
  torch->getCurrentStream = source.attr("get_current_stream");
  torch->makeArguments = source.attr("make_arguments");
  torch->recordLookup = source.attr("record_lookup");
  torch->embedding = source.attr("embedding");
  for (nb::handle entry : source.attr("types")) {
    // The dtype is a key for ever.
    nb::object dtype = nb::borrow(entry[0]);
    torch->types.push_back(
        {dtype.release().ptr(),
         {nb::cast<uint8_t>(entry[1]), nb::cast<uint8_t>(entry[2]), 1}});
  }
  current = torch;
  initializeTorchMemory();
}

bool Torch::isWatched() const {
  for (const auto &[ask, quiet] : questions)
    if (!ask().is(quiet))
      return true;
  // Small integers are the same objects everywhere.
  return PyDict_GetItemWithError(forwardAD.ptr(), currentLevel.ptr()) !=
         noLevel.ptr();
}

bool Torch::isPlain(nb::handle tensor) const {
  nb::handle type = tensor.type();
  if (type.is(tensorType) || type.is(parameterType))
    return true;
  return PyType_IsSubtype(
             reinterpret_cast<PyTypeObject *>(type.ptr()),
             reinterpret_cast<PyTypeObject *>(parameterType.ptr())) &&
         nb::object(type.attr("__torch_function__")).is(noFunction) &&
         nb::object(type.attr("__torch_dispatch__")).is(noDispatch);
}

//===----------------------------------------------------------------------===//
// Tensor
//===----------------------------------------------------------------------===//

[[noreturn]] static void unsupported(const char *name,
                                     const std::string &what) {
  throw nb::type_error((std::string(name) + ": " + what).c_str());
}

Tensor::Tensor(nb::handle given, const char *name, Access access)
    : object(nb::borrow(given)) {
  tensor.byte_offset = 0;
  tensor.shape = shape;
  tensor.strides = strides;
  isArrayOfNumPy = PyObject_IsInstance(given.ptr(), names->ndarray.ptr()) == 1;
  read(name, access);
}

void Tensor::read(const char *name, Access access) {
  if (isArrayOfNumPy)
    readArray(name, access);
  else
    readTorch(name, access);
}

void Tensor::align() {
  auto address = reinterpret_cast<uintptr_t>(tensor.data);
  if (numElements() == 0 || address % ((tensor.dtype.bits + 7) / 8) == 0)
    return;
  unaligned = isArrayOfNumPy ? object : object.attr("detach")();
  object = unaligned.attr(isArrayOfNumPy ? "copy" : "clone")();
  read("", Access::read);
}

void Tensor::writeBack() const {
  if (!unaligned.is_valid())
    return;
  if (isArrayOfNumPy)
    nb::module_::import_("numpy").attr("copyto")(unaligned, object);
  else
    unaligned.attr("copy_")(object);
}

void Tensor::setShape(PyObject *sizes, const char *name) {
  Py_ssize_t rank = PyTuple_Size(sizes);
  if (rank < 0)
    nb::raise_python_error();
  if (rank > kMaxDims)
    unsupported(name, "expected " + std::to_string(kMaxDims) +
                          " dimensions at most, but got " +
                          std::to_string(rank));
  tensor.ndim = static_cast<int32_t>(rank);
  for (int i = 0; i < tensor.ndim; ++i)
    shape[i] = PyLong_AsLongLong(PyTuple_GetItem(sizes, i));
}

void Tensor::setCompactStrides() {
  int64_t step = 1;
  for (int i = tensor.ndim; i-- > 0; step *= shape[i])
    strides[i] = step;
}

/// What the runtime cannot take: it has no memory.
void Tensor::setUnknown() {
  tensor.ndim = 0;
  tensor.dtype = {};
  tensor.device = {kDLExtDev, 0};
}

/// Of a tensor without strides or memory.
static std::string describeLayout(const nb::object &tensor) {
  if (isTrue(tensor.attr("is_nested")))
    return "nested";
  return nb::cast<std::string>(nb::str(nb::object(tensor.attr("layout"))));
}

void Tensor::readTorch(const char *name, Access access) {
  Torch *torch = Torch::get();
  if (!torch || !torch->isTensor(object))
    unsupported(name, "expected a tensor or an array, but got " +
                          nb::cast<std::string>(nb::str(object.type())));
  nb::object dtype = getAttribute(object, names->dtype);
  auto found =
      std::find_if(torch->types.begin(), torch->types.end(),
                   [&](auto &entry) { return entry.first == dtype.ptr(); });
  if (found == torch->types.end()) {
    if (access != Access::ifHasMemory)
      unsupported(name,
                  std::string(nb::str(dtype).c_str()) + " is not supported");
    return setUnknown();
  }
  tensor.dtype = found->second;
  // Views of complex tensors may have bits that say how to read them.
  auto resolve = [&](const nb::object &isSet, const nb::object &resolver,
                     const char *kind) {
    if (!isTrue(callMethod(object, isSet)))
      return;
    if (access == Access::write)
      unsupported(name, std::string("a ") + kind + " view cannot be written");
    object = callMethod(object, resolver);
  };
  bool isComplex = tensor.dtype.code == kDLComplex;
  if (isComplex)
    resolve(names->isConj, names->resolveConj, "conjugated");
  if (isComplex || tensor.dtype.code == kDLFloat)
    resolve(names->isNeg, names->resolveNeg, "negated");

  try {
    readLayout(name, access);
  } catch (nb::python_error &error) {
    // Sparse, nested and other tensors lack some of it.
    if (!error.matches(PyExc_RuntimeError))
      throw;
    if (access != Access::ifHasMemory)
      unsupported(name,
                  "expected a tensor with strides and memory, but got a " +
                      describeLayout(object) + " tensor");
    tensor.device = {kDLExtDev, 0};
  }
}

void Tensor::readLayout(const char *name, Access access) {
  nb::object sizes = getAttribute(object, names->shape);
  if (access == Access::ifHasMemory && PyTuple_Size(sizes.ptr()) > kMaxDims)
    return setUnknown();
  setShape(sizes.ptr(), name);
  nb::object steps = callMethod(object, names->stride);
  for (int i = 0; i < tensor.ndim; ++i)
    strides[i] = PyLong_AsLongLong(PyTuple_GetItem(steps.ptr(), i));
  if (isTrue(getAttribute(object, names->isCpu)))
    tensor.device = {kDLCPU, 0};
  else if (isTrue(getAttribute(object, names->isCuda)))
    tensor.device = {kDLCUDA, static_cast<int32_t>(PyLong_AsLong(
                                  callMethod(object, names->getDevice).ptr()))};
  else if (access == Access::ifHasMemory)
    tensor.device = {kDLExtDev, 0};
  else
    unsupported(
        name,
        "expected a tensor on a CPU or on a GPU of CUDA's, but got " +
            std::string(nb::str(getAttribute(object, names->device)).c_str()));
  tensor.data = nullptr;
  if (!hasMemory())
    return;
  tensor.data = readAddress(name, access);
  if (tensor.data || numElements() == 0)
    return;
  // Such as zeros that were never made.
  if (access != Access::ifHasMemory)
    unsupported(name, "expected a tensor with memory");
  tensor.device = {kDLExtDev, 0};
}

/// Like a list in Python.
static std::string format(const int64_t *numbers, int count) {
  std::string text = "[";
  for (int i = 0; i < count; ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(numbers[i]);
  return text + "]";
}

void *Tensor::readAddress(const char *name, Access access) const {
  // For this, a tensor that shares its memory until it is written gets memory
  // of its own.
  if (access == Access::write)
    callMethod(object, names->dataPtr);
  TorchMemory memory = getTorchMemory(object);
  if (!memory.data)
    return nullptr;
  auto getSize = [&](int64_t elements) {
    return static_cast<uint64_t>(elements) * elementBytes();
  };
  int64_t offset =
      PyLong_AsLongLong(callMethod(object, names->storageOffset).ptr());
  int64_t end = numElements() == 0 ? 0 : offset + 1;
  for (int i = 0; end > 0 && i < tensor.ndim; ++i)
    end += (shape[i] - 1) * strides[i];
  if (getSize(end) > memory.size)
    // It was resized since.
    throw std::runtime_error(
        std::string(name) + ": setStorage: sizes " + formatShape() +
        ", strides " + format(strides, tensor.ndim) + ", storage offset " +
        std::to_string(offset) + ", and itemsize " +
        std::to_string(getSize(1)) + " requiring a storage size of " +
        std::to_string(getSize(end)) +
        " are out of bounds for storage of size " +
        std::to_string(memory.size));
  return memory.data + getSize(offset);
}

void Tensor::readArray(const char *name, Access access) {
  auto interface = nb::cast<nb::dict>(getAttribute(object, names->interface));
  tensor.device = {kDLCPU, 0};
  auto data = nb::cast<nb::tuple>(interface["data"]);
  if (access == Access::write && isTrue(nb::object(data[1])))
    failInvalid(std::string(name) + ": expected an array that can be written");
  tensor.data = PyLong_AsVoidPtr(nb::object(data[0]).ptr());
  setShape(nb::object(interface["shape"]).ptr(), name);
  auto code = nb::cast<std::string>(interface["typestr"]);
  auto bytes = nb::cast<int64_t>(getAttribute(object, names->itemsize));
  std::string type =
      nb::cast<std::string>(nb::str(getAttribute(object, names->dtype)));
  auto refuse = [&] {
    unsupported(name, "arrays of type " + type + " are not supported");
  };
  // Zero bytes, or more than DLPack can say.
  if (bytes < 1 || bytes > 31)
    refuse();
  if (!object.type().is(names->ndarray) && nb::hasattr(object, "mask"))
    unsupported(name, "masked arrays are not supported: their mask would be "
                      "lost; use filled() or data");
  tensor.dtype = {0, static_cast<uint8_t>(8 * bytes), 1};
  switch (code[1]) {
  case 'f':
    tensor.dtype.code = kDLFloat;
    break;
  case 'i':
    tensor.dtype.code = kDLInt;
    break;
  case 'u':
    tensor.dtype.code = kDLUInt;
    break;
  case 'b':
    tensor.dtype.code = kBoolCode;
    break;
  case 'c':
    tensor.dtype.code = kDLComplex;
    break;
  default:
    if (type != "bfloat16")
      refuse();
    tensor.dtype.code = kDLBfloat;
  }
  if (code[0] == '>')
    unsupported(name, "expected the byte order of this machine");
  setCompactStrides();
  if (!interface.contains("strides"))
    return;
  nb::object steps = interface["strides"];
  if (steps.is_none())
    return;
  for (int i = 0; i < tensor.ndim; ++i) {
    int64_t inBytes = nb::cast<int64_t>(steps[i]);
    if (inBytes % bytes != 0)
      unsupported(name, "expected strides of whole elements");
    strides[i] = inBytes / bytes;
  }
}

int64_t Tensor::numElements() const {
  int64_t count = 1;
  for (int i = 0; i < tensor.ndim; ++i)
    count *= shape[i];
  return count;
}

void *embedding::python::getCurrentStream(int32_t deviceId) {
  nb::object stream = Torch::get()->getCurrentStream(deviceId);
  return PyLong_AsVoidPtr(stream.ptr());
}

std::string Tensor::formatShape() const { return format(shape, tensor.ndim); }

std::vector<int64_t> Tensor::shapeWith(int64_t last) const {
  std::vector<int64_t> sizes(shape, shape + tensor.ndim);
  sizes.push_back(last);
  return sizes;
}

static nb::object toTuple(const int64_t *sizes, size_t rank) {
  nb::object tuple = check(PyTuple_New(static_cast<Py_ssize_t>(rank)));
  for (size_t i = 0; i < rank; ++i)
    PyTuple_SetItem(tuple.ptr(), static_cast<Py_ssize_t>(i),
                    PyLong_FromLongLong(sizes[i]));
  return tuple;
}

/// The bytes of a compact tensor, or 0 if there are not so many.
static size_t getBytes(const int64_t *sizes, size_t rank, DLDataType dtype) {
  size_t bytes = dtype.bits / 8;
  for (size_t i = 0; i < rank; ++i)
    if (sizes[i] < 0 ||
        __builtin_mul_overflow(bytes, static_cast<size_t>(sizes[i]), &bytes))
      return 0;
  return bytes;
}

/// A tensor of PyTorch on a CPU, of the shape `sizes`, in memory that is used
/// again, and otherwise as `makeEmpty` has it of a shape of its own; null if
/// PyTorch's own is as good.
template <typename Make>
static nb::object makePooled(const nb::object &sizes, size_t bytes,
                             Make makeEmpty) {
  nb::object storage = makeTorchStorage(bytes);
  if (!storage)
    return {};
  nb::object tensor = makeEmpty(nb::make_tuple(0)), offset = nb::int_(0);
  PyObject *arguments[] = {tensor.ptr(), storage.ptr(), offset.ptr(),
                           sizes.ptr()};
  return check(
      PyObject_VectorcallMethod(names->set.ptr(), arguments, 4, nullptr));
}

Tensor::Tensor(const Tensor &like, const std::vector<int64_t> &sizes)
    : isArrayOfNumPy(like.isArrayOfNumPy) {
  tensor.byte_offset = 0;
  tensor.shape = shape;
  tensor.strides = strides;
  nb::object tuple = toTuple(sizes.data(), sizes.size());
  if (isArrayOfNumPy) {
    object = names->empty(tuple, getAttribute(like.object, names->dtype));
    readArray("out", Access::write);
    return;
  }
  // Of its attributes only the address is not known.
  auto makeEmpty = [&](const nb::object &shape) {
    PyObject *arguments[] = {like.object.ptr(), shape.ptr()};
    return check(PyObject_VectorcallMethod(names->newEmpty.ptr(), arguments, 2,
                                           nullptr));
  };
  if (like.tensor.device.device_type == kDLCPU)
    object = makePooled(tuple,
                        getBytes(sizes.data(), sizes.size(), like.tensor.dtype),
                        makeEmpty);
  if (!object)
    object = makeEmpty(tuple);
  setShape(tuple.ptr(), "out");
  setCompactStrides();
  tensor.dtype = like.tensor.dtype;
  tensor.device = like.tensor.device;
  tensor.data = PyLong_AsVoidPtr(callMethod(object, names->dataPtr).ptr());
}

Tensor Tensor::makeInt64(const Tensor &like,
                         const std::vector<int64_t> &sizes) {
  int rank = static_cast<int>(sizes.size());
  DLDataType dtype = {kDLInt, 64, 1};
  return Tensor(like.isArrayOfNumPy ? makeArray(sizes.data(), rank, dtype)
                                    : makeTorchTensor(sizes.data(), rank, dtype,
                                                      like.tensor.device),
                "out", Access::write);
}

//===----------------------------------------------------------------------===//
// New tensors and arrays
//===----------------------------------------------------------------------===//

std::string embedding::python::getTypeName(DLDataType dtype) {
  if (dtype.code == kBoolCode)
    return "bool";
  const char *kind = dtype.code == kDLFloat     ? "float"
                     : dtype.code == kDLBfloat  ? "bfloat"
                     : dtype.code == kDLInt     ? "int"
                     : dtype.code == kDLUInt    ? "uint"
                     : dtype.code == kDLComplex ? "complex"
                                                : "unknown";
  return kind + std::to_string(dtype.bits);
}

nb::object embedding::python::makeArray(const int64_t *shape, int rank,
                                        DLDataType dtype) {
  nb::object type = nb::str(getTypeName(dtype).c_str());
  if (dtype.code == kDLBfloat)
    // NumPy has no such type of its own.
    type = nb::module_::import_("ml_dtypes").attr("bfloat16");
  return names->empty(toTuple(shape, static_cast<size_t>(rank)), type);
}

nb::object embedding::python::makeTorchTensor(const int64_t *shape, int rank,
                                              DLDataType dtype,
                                              DLDevice device) {
  Torch *torch = Torch::get();
  auto found = std::find_if(torch->types.begin(), torch->types.end(),
                            [&](const auto &entry) {
                              return entry.second.code == dtype.code &&
                                     entry.second.bits == dtype.bits;
                            });
  if (found == torch->types.end())
    throw nb::type_error(("PyTorch has no type " + getTypeName(dtype)).c_str());
  nb::object where =
      device.device_type == kDLCUDA
          ? nb::object(
                nb::str(("cuda:" + std::to_string(device.device_id)).c_str()))
          : nb::object(nb::str("cpu"));
  auto makeEmpty = [&](const nb::object &sizes) {
    using namespace nb::literals;
    return nb::object(nb::module_::import_("torch").attr("empty")(
        sizes, "dtype"_a = nb::handle(found->first), "device"_a = where));
  };
  nb::object sizes = toTuple(shape, static_cast<size_t>(rank)), made;
  if (device.device_type == kDLCPU)
    made = makePooled(sizes, getBytes(shape, static_cast<size_t>(rank), dtype),
                      makeEmpty);
  return made ? made : makeEmpty(sizes);
}
