//===- Tensor.cpp - Views of DLPack tensors -------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support/Tensor.h"

#include "embedding/ABI/Signature.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

using namespace embedding::runtime;

std::string embedding::runtime::getName(DLDataType dtype) {
  std::string name;
  switch (dtype.code) {
  case kDLInt:
    name = "int";
    break;
  case kDLUInt:
    name = "uint";
    break;
  case kDLFloat:
    name = "float";
    break;
  case kDLBfloat:
    name = "bfloat";
    break;
  case kDLComplex:
    name = "complex";
    break;
  case mlir::embedding::signature::kBool:
    return "bool";
  default:
    name = "dtype code " + std::to_string(dtype.code) + " of bits ";
  }
  name += std::to_string(dtype.bits);
  if (dtype.lanes != 1)
    name += "x" + std::to_string(dtype.lanes);
  return name;
}

std::string embedding::runtime::formatShape(const int64_t *sizes, int rank) {
  std::string text = "[";
  for (int dim = 0; dim < rank; ++dim)
    text += (dim ? ", " : "") + std::to_string(sizes[dim]);
  return text + "]";
}

Status Tensor::set(const DLTensor *tensor, const char *name) {
  auto fail = [&](const std::string &what) {
    return invalidArgument(std::string(name) + ": " + what);
  };
  if (!tensor)
    return fail("expected a tensor, but got null");
  DLDevice device = tensor->device;
  bool isOnDevice =
      device.device_type == kDLCUDA || device.device_type == kDLCUDAManaged;
  if (!isOnDevice && device.device_type != kDLCPU &&
      device.device_type != kDLCUDAHost)
    return Failure{EMBEDDING_UNSUPPORTED,
                   std::string(name) +
                       ": expected memory of the CPU or of an NVIDIA GPU, but "
                       "got device type " +
                       std::to_string(device.device_type)};
  if (isOnDevice && device.device_id < 0)
    return fail("expected a device_id of at least 0, but got " +
                std::to_string(device.device_id));
  if (tensor->ndim < 0 || tensor->ndim > kMaxRank)
    return fail("expected at most " + std::to_string(kMaxRank) +
                " dimensions, but got " + std::to_string(tensor->ndim));
  if (tensor->ndim > 0 && !tensor->shape)
    return fail("expected a shape, but got null");
  int64_t bits = int64_t(tensor->dtype.bits) * tensor->dtype.lanes;
  if (bits <= 0 || bits % 8 != 0)
    return fail("expected elements of whole bytes, but got " +
                getName(tensor->dtype));

  type = tensor->dtype;
  deviceId = isOnDevice ? device.device_id : -1;
  numDims = tensor->ndim;
  sizes = tensor->shape;
  bytesPerElement = bits / 8;
  bool isEmpty = false;
  for (int dim = 0; dim < numDims; ++dim) {
    if (sizes[dim] < 0)
      return fail("expected a size of at least 0 in dimension " +
                  std::to_string(dim) + ", but got " +
                  std::to_string(sizes[dim]));
    isEmpty |= sizes[dim] == 0;
  }
  int64_t compactStride = 1;
  isCompact = true;
  for (int dim = numDims - 1; dim >= 0; --dim) {
    // Of what has no second element a stride says nothing.
    strides[dim] = tensor->strides && sizes[dim] > 1 && !isEmpty
                       ? tensor->strides[dim]
                       : compactStride;
    isCompact &= strides[dim] == compactStride;
    // The number of bytes must fit too; an empty tensor has none.
    int64_t bytes;
    if (!isEmpty &&
        (__builtin_mul_overflow(compactStride, sizes[dim], &compactStride) ||
         __builtin_mul_overflow(compactStride, bytesPerElement, &bytes)))
      return fail("the shape " + formatShape(sizes, numDims) +
                  " has more bytes than 64 bits count");
  }
  elements = isEmpty ? 0 : compactStride;
  // How far the elements lie apart must fit as well, in either direction; that
  // of compact ones does.
  int64_t reach = 0;
  for (int dim = 0; !isCompact && dim < numDims; ++dim) {
    int64_t steps = sizes[dim] - 1, bytes = 0;
    if (steps > 0 &&
        (strides[dim] == INT64_MIN ||
         __builtin_mul_overflow(std::abs(strides[dim]), steps, &bytes) ||
         __builtin_mul_overflow(bytes, bytesPerElement, &bytes) ||
         __builtin_add_overflow(reach, bytes, &reach)))
      return fail("stride " + std::to_string(strides[dim]) + " in dimension " +
                  std::to_string(dim) + " leads further than 64 bits count");
  }
  if (!tensor->data && !isEmpty)
    return fail("expected data, but got null");
  if (tensor->data)
    address = static_cast<char *>(tensor->data) + tensor->byte_offset;
  return success();
}

bool Tensor::isAligned() const {
  auto begin = reinterpret_cast<uintptr_t>(address);
  auto bytes = static_cast<uintptr_t>(bytesPerElement);
  // A call of one row would notice a division.
  bool isPowerOfTwo = (bytes & (bytes - 1)) == 0;
  return elements == 0 ||
         (isPowerOfTwo ? begin & (bytes - 1) : begin % bytes) == 0;
}

std::pair<const char *, const char *> Tensor::extent() const {
  if (isCompact)
    return {address, address + elements * bytesPerElement};
  const char *begin = address, *end = address + bytesPerElement;
  for (int dim = 0; dim < numDims; ++dim) {
    int64_t reach = (sizes[dim] - 1) * strides[dim] * bytesPerElement;
    (reach < 0 ? begin : end) += reach;
  }
  return {begin, end};
}

//===----------------------------------------------------------------------===//
// Elements that share memory
//===----------------------------------------------------------------------===//

bool embedding::runtime::hasDistinctElements(const Tensor &tensor) {
  if (tensor.isContiguous())
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
