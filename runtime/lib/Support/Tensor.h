//===- Tensor.h - Views of DLPack tensors -----------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_SUPPORT_TENSOR_H
#define EMBEDDING_RUNTIME_LIB_SUPPORT_TENSOR_H

#include "Support/Result.h"

#include <algorithm>
#include <array>

namespace embedding::runtime {

/// A validated DLTensor on the CPU or on a GPU, with strides and the offset
/// applied. The shape is borrowed from the DLTensor.
class Tensor {
public:
  /// More dimensions than this are refused.
  static constexpr int kMaxRank = 32;

  /// None yet.
  Tensor() {}
  Tensor(const Tensor &other) { *this = other; }
  Tensor &operator=(const Tensor &other) {
    if (this == &other)
      return *this;
    address = other.address;
    type = other.type;
    deviceId = other.deviceId;
    numDims = other.numDims;
    elements = other.elements;
    bytesPerElement = other.bytesPerElement;
    isCompact = other.isCompact;
    sizes = other.sizes;
    // Those that there are.
    std::copy_n(other.strides.begin(), numDims, strides.begin());
    return *this;
  }

  /// Validates `tensor`, which messages call `name`, and becomes it.
  Status set(const DLTensor *tensor, const char *name);

  int rank() const { return numDims; }
  int64_t size(int dim) const { return sizes[dim]; }
  /// In elements; of a dimension without a second one, as in compact memory.
  int64_t stride(int dim) const { return strides[dim]; }
  int64_t numElements() const { return elements; }
  int64_t elementBytes() const { return bytesPerElement; }
  DLDataType dtype() const { return type; }
  char *data() const { return address; }
  /// The number of the GPU that the data is on, or -1 for the CPU.
  int32_t device() const { return deviceId; }
  bool isOnDevice() const { return deviceId >= 0; }

  bool isContiguous() const { return isCompact; }
  /// Whether the elements lie at multiples of their own size.
  bool isAligned() const;
  /// [begin, end) of the addresses that elements cover; empty without elements.
  std::pair<const char *, const char *> extent() const;

private:
  char *address = nullptr;
  DLDataType type{};
  int32_t deviceId = -1;
  int numDims = 0;
  int64_t elements = 1;
  int64_t bytesPerElement = 0;
  bool isCompact = true;
  const int64_t *sizes = nullptr;
  /// As many as there are dimensions.
  std::array<int64_t, kMaxRank> strides;
};

/// Whether no two elements can share memory as far as strides tell: sorted by
/// stride, each dimension steps over all of the dimensions before it.
bool hasDistinctElements(const Tensor &tensor);

/// Whether an element of one shares memory with one of the other, whatever
/// their strides. True as well where that takes too long to find out, which
/// takes many dimensions, of strides that do not nest.
bool overlap(const Tensor &a, const Tensor &b);

/// The name of `dtype` as NumPy and PyTorch have it, such as float32.
std::string getName(DLDataType dtype);

/// "[2, 3]"
std::string formatShape(const int64_t *sizes, int rank);

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_SUPPORT_TENSOR_H
