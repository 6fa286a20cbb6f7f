//===- Arguments.cpp - Validation that operations share -------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arguments.h"

#include <cstring>

using namespace embedding::runtime;

Result<Tensor> embedding::runtime::getIndices(const DLTensor *dlIndices) {
  Result<Tensor> indices = Tensor::get(dlIndices, "indices");
  if (!indices)
    return indices;
  DLDataType index = indices->dtype();
  if (index.code != kDLInt || index.lanes != 1 ||
      (index.bits != 32 && index.bits != 64))
    return invalidArgument("indices: expected int32 or int64, but got " +
                           getName(index));
  return indices;
}

bool embedding::runtime::hasContiguousRows(const Tensor &tensor) {
  int last = tensor.rank() - 1;
  return tensor.size(last) <= 1 || tensor.stride(last) == 1;
}

Status embedding::runtime::checkSameDevice(
    const char *name, const Tensor &tensor,
    std::initializer_list<const Tensor *> others) {
  auto getName = [](const Tensor &tensor) {
    return tensor.isOnDevice() ? "cuda:" + std::to_string(tensor.device())
                               : std::string("the CPU");
  };
  for (const Tensor *other : others)
    if (tensor.device() != other->device())
      return invalidArgument(std::string(name) +
                             ": expected the device of the other tensors, " +
                             getName(*other) + ", but got " + getName(tensor));
  return success();
}

bool embedding::runtime::haveSameType(const Tensor &a, const Tensor &b) {
  return a.dtype().code == b.dtype().code && a.dtype().bits == b.dtype().bits &&
         a.dtype().lanes == b.dtype().lanes;
}

Status embedding::runtime::checkRowsOf(const char *name, const Tensor &rows,
                                       const Tensor &indices,
                                       int64_t rowLength) {
  int rank = indices.rank();
  bool fits = rows.rank() == rank + 1 && rows.size(rank) == rowLength;
  for (int dim = 0; fits && dim < rank; ++dim)
    fits = rows.size(dim) == indices.size(dim);
  if (fits)
    return success();
  std::array<int64_t, Tensor::kMaxRank + 1> expected, actual;
  for (int dim = 0; dim < rank; ++dim)
    expected[dim] = indices.size(dim);
  expected[rank] = rowLength;
  for (int dim = 0; dim < rows.rank(); ++dim)
    actual[dim] = rows.size(dim);
  return invalidArgument(std::string(name) + ": expected shape " +
                         formatShape(expected.data(), rank + 1) + ", but got " +
                         formatShape(actual.data(), rows.rank()));
}

Status embedding::runtime::checkOutOfRangeMode(int32_t mode) {
  if (mode >= EMBEDDING_OUT_OF_RANGE_CHECK &&
      mode <= EMBEDDING_OUT_OF_RANGE_ZERO)
    return success();
  return invalidArgument(
      "options: expected out_of_range to be 0 to 3, but got " +
      std::to_string(mode));
}

Status embedding::runtime::checkPaddingIdx(int64_t paddingIdx,
                                           int64_t numRows) {
  if (paddingIdx >= -numRows && paddingIdx < numRows)
    return success();
  return invalidArgument(
      "padding_idx: expected it to be in [" + std::to_string(-numRows) + ", " +
      std::to_string(numRows) + "), but got " + std::to_string(paddingIdx));
}

/// Calls `visit` with the address of each element, in row-major order.
template <typename Visit>
static void forEachElement(const Tensor &tensor, Visit visit) {
  const int64_t bytes = tensor.elementBytes();
  std::array<int64_t, Tensor::kMaxRank> position{};
  char *address = tensor.data();
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    visit(i, address);
    for (int dim = tensor.rank() - 1; dim >= 0; --dim) {
      address += tensor.stride(dim) * bytes;
      if (++position[dim] < tensor.size(dim))
        break;
      address -= tensor.stride(dim) * tensor.size(dim) * bytes;
      position[dim] = 0;
    }
  }
}

void embedding::runtime::copyToCompact(const Tensor &tensor, char *to) {
  const int64_t bytes = tensor.elementBytes();
  forEachElement(tensor, [&](int64_t i, const char *address) {
    std::memcpy(to + i * bytes, address, bytes);
  });
}

void embedding::runtime::copyFromCompact(const char *from,
                                         const Tensor &tensor) {
  const int64_t bytes = tensor.elementBytes();
  forEachElement(tensor, [&](int64_t i, char *address) {
    std::memcpy(address, from + i * bytes, bytes);
  });
}

void OutOfRangeIndices::add(int64_t begin, const int64_t (&report)[3]) {
  if (report[2] == 0)
    return;
  std::lock_guard<std::mutex> lock(mutex);
  count += report[2];
  if (position < 0 || begin + report[0] < position) {
    position = begin + report[0];
    index = report[1];
  }
}

Status OutOfRangeIndices::getStatus(int64_t numRows) const {
  if (count == 0)
    return success();
  return outOfRange("indices", numRows, position, index, count);
}
