//===- Arguments.cpp - Validation that operations share -------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arguments.h"

#include <algorithm>
#include <cstring>
#include <numeric>

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

bool embedding::runtime::hasDistinctElements(const Tensor &tensor) {
  if (tensor.numElements() <= 1)
    return true;
  std::array<std::pair<int64_t, int64_t>, Tensor::kMaxRank> dims;
  int count = 0;
  for (int dim = 0; dim < tensor.rank(); ++dim)
    if (tensor.size(dim) > 1)
      dims[count++] = {std::abs(tensor.stride(dim)), tensor.size(dim)};
  std::sort(dims.begin(), dims.begin() + count);
  int64_t reach = 0;
  for (int i = 0; i < count; ++i) {
    if (dims[i].first <= reach)
      return false;
    reach += dims[i].first * (dims[i].second - 1);
  }
  return true;
}

namespace {

/// Whether steps, each taken up to `count` times, can lead into a range.
class StepSearch {
public:
  void add(int64_t step, int64_t count) {
    if (step == 0 || count == 0)
      return;
    Step added = {static_cast<uint64_t>(std::abs(step)),
                  static_cast<uint64_t>(count)};
    auto end = steps.begin() + numSteps;
    auto place = std::find_if(steps.begin(), end, [&](const Step &other) {
      return other.size <= added.size;
    });
    if (place != end && place->size == added.size) {
      place->count += added.count;
      return;
    }
    std::move_backward(place, end, end + 1);
    *place = added;
    ++numSteps;
  }

  /// Whether some of the steps end in [low, high]; true if it cannot be told.
  bool canReach(uint64_t low, uint64_t high) {
    for (int i = numSteps - 1; i >= 0; --i)
      steps[i].reach = getReach(i + 1) + steps[i].size * steps[i].count;
    return canReach(0, low, high);
  }

private:
  struct Step {
    uint64_t size, count;
    /// How far this one and the smaller ones lead.
    uint64_t reach = 0;
  };

  uint64_t getReach(int i) const { return i < numSteps ? steps[i].reach : 0; }

  /// Whether the larger of the steps from `i` on, multiples of what divides
  /// them all, come so near that the smaller ones may lead on into the range.
  bool mayReach(int i, uint64_t low, uint64_t high) const {
    uint64_t divisor = 0;
    for (int j = i; j < numSteps; ++j) {
      divisor = std::gcd(divisor, steps[j].size);
      uint64_t rest = getReach(j + 1);
      if (high / divisor * divisor < low - std::min(low, rest))
        return false;
    }
    return low <= getReach(i);
  }

  /// The same of the steps from `i` on.
  bool canReach(int i, uint64_t low, uint64_t high) {
    if (low == 0 || --patience < 0)
      return true;
    if (!mayReach(i, low, high))
      return false;
    const Step &here = steps[i];
    uint64_t rest = getReach(i + 1);
    uint64_t least = low > rest ? (low - rest - 1) / here.size + 1 : 0;
    // Larger steps first, so that the smaller ones have less to do.
    for (uint64_t count = std::min(here.count, high / here.size) + 1;
         count-- > least;) {
      uint64_t way = count * here.size;
      if (canReach(i + 1, low - std::min(low, way), high - way))
        return true;
    }
    return false;
  }

  std::array<Step, 2 * Tensor::kMaxRank + 1> steps{};
  int numSteps = 0;
  int patience = 2000;
};

} // namespace

bool embedding::runtime::overlap(const Tensor &a, const Tensor &b) {
  auto [beginA, endA] = a.extent();
  auto [beginB, endB] = b.extent();
  // Of no elements, either may lie inside the other.
  if (beginA == endA || beginB == endB || beginA >= endB || beginB >= endA)
    return false;
  if (a.isContiguous() && b.isContiguous())
    return true;
  // Upwards from the first byte of one, and downwards from the last of the
  // other: where do they meet?
  StepSearch search;
  for (const Tensor *tensor : {&a, &b})
    for (int dim = 0; dim < tensor->rank(); ++dim)
      search.add(tensor->stride(dim) * tensor->elementBytes(),
                 tensor->size(dim) - 1);
  auto distance = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(endB) - 1 -
                                        reinterpret_cast<uintptr_t>(beginA));
  auto slack = static_cast<uint64_t>(a.elementBytes() + b.elementBytes() - 2);
  return search.canReach(distance - std::min(distance, slack), distance);
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
  return Failure{EMBEDDING_OUT_OF_RANGE,
                 "indices: expected values in [0, " + std::to_string(numRows) +
                     "), but got " + std::to_string(index) +
                     " at flat position " + std::to_string(position) + " (" +
                     std::to_string(count) + " out of range in all)",
                 position, index, count};
}
