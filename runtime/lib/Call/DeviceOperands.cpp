//===- DeviceOperands.cpp - Kernels and tensors on a GPU ------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Call/DeviceOperands.h"

#include <numeric>

using namespace embedding::runtime;

AnyMemRef *DeviceOperands::add(const Tensor &tensor, bool hasIndexShape) {
  Rows &added = rows[count++];
  added.tensor = &tensor;
  added.hasIndexShape = hasIndexShape;
  return &added.ref;
}

/// Makes one dimension of those that lie at one stride in every tensor.
Status DeviceOperands::collapseDims() {
  strideDims.fill(-1);
  sizes.fill(1);
  sizes[0] = indices.numElements();
  if (sizes[0] <= 1)
    return success();
  sizes[0] = 1;
  int last = -1;
  auto liesAtOneStride = [&](const Tensor &tensor, int dim) {
    return tensor.stride(dim) == tensor.stride(strideDims[last]) * sizes[last];
  };
  for (int dim = indices.rank() - 1; dim >= 0; --dim) {
    if (indices.size(dim) == 1)
      continue;
    bool continues = last >= 0 && liesAtOneStride(indices, dim);
    for (int i = 0; i < count && continues; ++i)
      if (rows[i].hasIndexShape)
        continues = liesAtOneStride(*rows[i].tensor, dim);
    if (!continues && ++last == KernelSpec::kManyDims)
      return Failure{EMBEDDING_UNSUPPORTED,
                     "indices: on a GPU, expected tensors whose dimensions lie "
                     "at " +
                         std::to_string(KernelSpec::kManyDims) +
                         " strides at most"};
    if (!continues)
      strideDims[last] = dim;
    sizes[last] *= indices.size(dim);
  }
  rank = last == 0 ? 1 : KernelSpec::kManyDims;
  return success();
}

/// The bytes that all rows are aligned to, a power of two of 16 at most.
int64_t DeviceOperands::getAlignment(const Tensor &tensor) const {
  int64_t alignment = std::gcd(
      int64_t(16),
      static_cast<int64_t>(reinterpret_cast<uintptr_t>(tensor.data())));
  for (int dim = 0; dim < tensor.rank() - 1; ++dim)
    if (tensor.numElements() > 0 && tensor.size(dim) > 1)
      alignment = std::gcd(alignment, std::abs(tensor.stride(dim)) *
                                          tensor.elementBytes());
  return alignment;
}

void DeviceOperands::describe(const Tensor &tensor, bool hasIndexShape,
                              int numRowDims, int64_t unitBytes,
                              Descriptor &to) const {
  to.aligned = tensor.data();
  int outer = hasIndexShape ? rank : 1, dims = outer + numRowDims;
  int64_t bytes = tensor.elementBytes();
  int64_t *memrefSizes = to.sizesAndStrides, *strides = memrefSizes + dims;
  for (int i = 0; i < outer; ++i) {
    int number = outer - 1 - i;
    memrefSizes[i] = hasIndexShape ? sizes[number] : tensor.size(0);
    int dim = hasIndexShape ? strideDims[number] : 0;
    strides[i] = dim < 0 ? 0 : tensor.stride(dim) * bytes / unitBytes;
  }
  if (numRowDims == 0)
    return;
  int row = tensor.rank() - 1;
  memrefSizes[dims - 1] = tensor.size(row) * bytes / unitBytes;
  strides[dims - 1] = hasContiguousRows(tensor) ? 1 : tensor.stride(row);
}

Status DeviceOperands::finish(KernelSpec &spec, bool asBytes) {
  if (!indices.isAligned())
    return invalidArgument("indices: on a GPU, expected data aligned to its "
                           "elements of " +
                           std::to_string(indices.elementBytes()) + " bytes");
  if (Status collapsed = collapseDims(); !collapsed)
    return collapsed;
  const Tensor &first = *rows[0].tensor;
  int64_t alignment = 16;
  spec.isContiguous = true;
  for (int i = 0; i < count; ++i) {
    alignment = std::gcd(alignment, getAlignment(*rows[i].tensor));
    spec.isContiguous &= hasContiguousRows(*rows[i].tensor);
  }
  int64_t rowBytes = first.size(first.rank() - 1) * first.elementBytes();
  int64_t unitBytes = first.elementBytes();
  if (asBytes && spec.isContiguous) {
    // As words, if rows are made of them.
    unitBytes = std::gcd(std::gcd(alignment, int64_t(4)), rowBytes);
  } else if (asBytes) {
    if (unitBytes > 8 || (unitBytes & (unitBytes - 1)) != 0)
      return Failure{EMBEDDING_UNSUPPORTED,
                     "table: on a GPU, rows that are not contiguous need "
                     "elements of 1, 2, 4 or 8 bytes, but got " +
                         std::to_string(unitBytes)};
    if (alignment % unitBytes != 0)
      return invalidArgument("table: expected rows that are not contiguous to "
                             "be aligned to their element of " +
                             std::to_string(unitBytes) + " bytes");
  }
  spec.elementCode =
      asBytes ? kDLInt : static_cast<DLDataTypeCode>(first.dtype().code);
  spec.elementBytes = static_cast<int32_t>(unitBytes);
  spec.rowLength = getSpecRowLength(rowBytes / unitBytes, unitBytes);
  spec.rowAlignment = static_cast<int32_t>(alignment);
  spec.indexRank = rank;
  spec.indexBits = indices.dtype().bits;
  for (int i = 0; i < count; ++i)
    describe(*rows[i].tensor, rows[i].hasIndexShape, /*numRowDims=*/1,
             unitBytes, rows[i].ref);
  describe(indices, /*hasIndexShape=*/true, /*numRowDims=*/0,
           indices.elementBytes(), indexRef);
  return success();
}
