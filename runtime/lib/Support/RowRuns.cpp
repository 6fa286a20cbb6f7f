//===- RowRuns.cpp - Tensors as runs of rows ------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support/RowRuns.h"

#include <cstring>

using namespace embedding::runtime;

bool embedding::runtime::hasContiguousRows(const Tensor &tensor) {
  int last = tensor.rank() - 1;
  return tensor.size(last) <= 1 || tensor.stride(last) == 1;
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
