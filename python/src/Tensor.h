//===- Tensor.h - Tensors and arrays of Python ------------------*- C++ -*-===//
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
// All of it needs the interpreter's lock.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_PYTHON_SRC_TENSOR_H
#define EMBEDDING_PYTHON_SRC_TENSOR_H

#include <dlpack/dlpack.h>

#include <nanobind/nanobind.h>

#include <string>
#include <utility>
#include <vector>

namespace embedding::python {

namespace nb = nanobind;

inline constexpr int kMaxDims = 64;
/// What the runtime takes for indices, whose output has a dimension more.
inline constexpr int kMaxIndexDims = 31;

/// A function of Python that Dynamo does not trace: it would trace it behind
/// the calls of this module that break its graph, and leave it out of what it
/// compiles.
class Untraced {
public:
  Untraced() = default;
  Untraced(nb::object function, nb::object setEvalFrame)
      : function(std::move(function)), setEvalFrame(std::move(setEvalFrame)) {}

  template <typename... Arguments>
  nb::object operator()(Arguments &&...arguments) const {
    struct Pause {
      const nb::object &setEvalFrame;
      nb::object before = setEvalFrame(nb::none());
      ~Pause() { setEvalFrame(before); }
    } pause{setEvalFrame};
    return function(std::forward<Arguments>(arguments)...);
  }

private:
  nb::object function;
  /// Dynamo's, which is there before Dynamo is.
  nb::object setEvalFrame;
};

/// What is needed of PyTorch: taken over when `_torch.py` is imported, and kept
/// for the life of the process.
struct Torch {
  nb::object tensorType, parameterType;
  /// What torch.dtype objects are in DLPack's terms. Of several that are the
  /// same there, the first one is its name.
  std::vector<std::pair<PyObject *, DLDataType>> types;
  /// What types have for __torch_function__ and __torch_dispatch__ that ask for
  /// no word in what happens to their tensors.
  nb::object noFunction, noDispatch;
  /// Functions without arguments, and the object that each returns if nobody
  /// watches what happens to tensors: of `_watchers.py`.
  std::vector<std::pair<nb::object, nb::object>> questions;
  /// The dictionary of torch.autograd.forward_ad, which has the dual level at
  /// `currentLevel`: `noLevel` if there is none.
  nb::object forwardAD, currentLevel, noLevel;
  nb::object isGradEnabled;
  /// The name of the attribute.
  nb::object requiresGrad;
  /// Where the storage of a tensor lies that may share memory until it is
  /// written, which does not end that; None if there are no such tensors.
  nb::object getStorageAddress;
  /// What watchers make of a call of a function of IR, (function, arguments):
  /// None if there are none, or their result in a tuple; it refuses the others.
  Untraced callWatched;
  /// Refuses to have (function, tensor, name) write what autograd or inference
  /// mode forbids.
  Untraced checkWritable;
  /// Tells autograd that a tensor was written.
  Untraced incrementVersion;
  /// From the number of a GPU to the address of its current stream; null in a
  /// PyTorch without CUDA.
  nb::object getCurrentStream;
  /// (num_rows, padding_idx, scale_grad_by_freq, sparse, out_of_range).
  nb::object makeArguments;
  /// Makes a lookup that was done one that takes a gradient: (weight, input,
  /// (out, arguments)).
  nb::object recordLookup;
  /// PyTorch's own operator: (weight, input, padding_idx, scale_grad_by_freq,
  /// sparse).
  nb::object embedding;

  bool isTensor(nb::handle object) const {
    return PyObject_IsInstance(object.ptr(), tensorType.ptr()) == 1;
  }
  /// Whether something watches or replaces what happens to tensors.
  bool isWatched() const;
  /// Whether the type of `tensor` asks for no word in it. Parameters of types
  /// of their own do not, if those change nothing.
  bool isPlain(nb::handle tensor) const;

  /// Null while nobody has imported `_torch.py`.
  static Torch *get() { return current; }
  /// Takes over what the attributes of `source` name.
  static void set(nb::handle source);

private:
  static Torch *current;
};

inline bool isTrue(const nb::object &flag) { return flag.is(Py_True); }

/// A tensor or an array, of whatever kind the arguments are.
inline nb::any makeAny(nb::object object) {
  return nb::any(object.release(), nb::detail::steal_t());
}

/// PyTorch's current stream on a GPU.
void *getCurrentStream(int32_t deviceId);

/// What a tensor is for. One that is only read may have its bytes resolved; one
/// of another layout, or on a device that the runtime does not know, has no
/// memory, which is an error unless it was asked; nor has one of a type or of
/// more dimensions than the runtime knows.
enum class Access { read, write, ifHasMemory };

/// A tensor of PyTorch or an array of NumPy, which it keeps alive.
class Tensor {
public:
  /// Throws TypeError or InvalidArgumentError, with the name, if it is none or
  /// cannot be handed to the runtime.
  Tensor(nb::handle object, const char *name, Access access = Access::read);
  /// A new one of the kind of `like`, compact, on its device and of its type.
  Tensor(const Tensor &like, const std::vector<int64_t> &sizes);
  /// The same, of int64.
  static Tensor makeInt64(const Tensor &like,
                          const std::vector<int64_t> &sizes);
  Tensor(const Tensor &) = delete;
  Tensor &operator=(const Tensor &) = delete;

  /// Replaces data at an address that is no multiple of its elements' size,
  /// which only copies of whole rows can be made of, by a copy.
  void align();
  /// Writes what became of such a copy to where it came from.
  void writeBack() const;

  const nb::object &getObject() const { return object; }
  const DLTensor *operator&() const { return &tensor; }
  int rank() const { return tensor.ndim; }
  int64_t size(int dim) const { return shape[dim]; }
  /// Like the list of a shape in Python.
  std::string formatShape() const;
  int64_t numElements() const;
  /// The number of its GPU, -1 for the CPU, -2 for other devices.
  int device() const {
    return isOnGPU() ? tensor.device.device_id : hasMemory() ? -1 : -2;
  }
  bool isArray() const { return isArrayOfNumPy; }
  bool isOnGPU() const { return tensor.device.device_type == kDLCUDA; }
  bool hasMemory() const {
    return tensor.device.device_type == kDLCPU || isOnGPU();
  }
  bool isIndices() const {
    return tensor.dtype.code == kDLInt &&
           (tensor.dtype.bits == 32 || tensor.dtype.bits == 64);
  }
  int64_t elementBytes() const {
    return tensor.dtype.bits * tensor.dtype.lanes / 8;
  }
  bool isComplex() const { return tensor.dtype.code == kDLComplex; }
  /// Whether the elements of each row follow each other.
  bool hasContiguousRows() const {
    return rank() == 0 || shape[rank() - 1] <= 1 || strides[rank() - 1] == 1;
  }
  /// PyTorch's current stream on its device; null on the CPU.
  void *currentStream() const {
    return isOnGPU() ? getCurrentStream(tensor.device.device_id) : nullptr;
  }

  /// Its shape with one more dimension behind it.
  std::vector<int64_t> shapeWith(int64_t last) const;

private:
  void read(const char *name, Access access);
  void readTorch(const char *name, Access access);
  void readLayout(const char *name, Access access);
  void *readAddress(const char *name, Access access) const;
  void readArray(const char *name, Access access);
  void setShape(PyObject *sizes, const char *name);
  void setCompactStrides();
  void setUnknown();

  /// `unaligned` is what `object` is a copy of, if any.
  nb::object object, unaligned;
  bool isArrayOfNumPy;
  DLTensor tensor;
  int64_t shape[kMaxDims], strides[kMaxDims];
};

/// NumPy's name of a type.
std::string getTypeName(DLDataType dtype);

/// A new array of NumPy.
nb::object makeArray(const int64_t *shape, int rank, DLDataType dtype);
/// A new tensor of PyTorch on `device`.
nb::object makeTorchTensor(const int64_t *shape, int rank, DLDataType dtype,
                           DLDevice device);

/// Imports NumPy and interns names; at the import of the module.
void initializeTensors();

} // namespace embedding::python

#endif // EMBEDDING_PYTHON_SRC_TENSOR_H
