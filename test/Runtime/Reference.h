//===- Reference.h - What the operations mean -------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The oracle of the runtime's tests: written from the documented semantics,
// element by element, over any strides. It shares no code with the runtime.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TEST_RUNTIME_REFERENCE_H
#define EMBEDDING_TEST_RUNTIME_REFERENCE_H

#include "embedding-runtime/Runtime.h"

#include <cstring>
#include <vector>

namespace embedding::reference {

/// The address of the element of `tensor` at `position`.
inline char *at(const DLTensor &tensor, const std::vector<int64_t> &position) {
  int64_t bytes = tensor.dtype.bits * tensor.dtype.lanes / 8;
  int64_t offset = 0, compact = 1;
  for (int dim = tensor.ndim - 1; dim >= 0; --dim) {
    offset += position[dim] * (tensor.strides ? tensor.strides[dim] : compact);
    compact *= tensor.shape[dim];
  }
  return static_cast<char *>(tensor.data) + tensor.byte_offset + offset * bytes;
}

struct Found {
  int64_t position = -1;
  int64_t index = 0;
  int64_t count = 0;
};

/// Lookup: the output as it must be, row-major and compact, and what is out of
/// range. Rows of bad indices are zeros in `check` mode too; nobody may look.
inline std::vector<char> lookup(const DLTensor &table, const DLTensor &indices,
                                EmbeddingOutOfRange mode, Found &found) {
  int64_t bytes = table.dtype.bits * table.dtype.lanes / 8;
  int64_t numRows = table.shape[0], rowLength = table.shape[1];
  int64_t count = 1;
  for (int dim = 0; dim < indices.ndim; ++dim)
    count *= indices.shape[dim];
  std::vector<char> out(count * rowLength * bytes, 0);
  std::vector<int64_t> position(indices.ndim, 0);
  for (int64_t flat = 0; flat < count; ++flat) {
    int64_t rest = flat;
    for (int dim = indices.ndim - 1; dim >= 0; --dim) {
      position[dim] = rest % indices.shape[dim];
      rest /= indices.shape[dim];
    }
    int64_t index;
    if (indices.dtype.bits == 32) {
      int32_t narrow;
      std::memcpy(&narrow, at(indices, position), sizeof(narrow));
      index = narrow;
    } else {
      std::memcpy(&index, at(indices, position), sizeof(index));
    }
    bool isIn = index >= 0 && index < numRows;
    if (!isIn && mode == EMBEDDING_OUT_OF_RANGE_CLAMP && numRows > 0) {
      index = index < 0 ? 0 : numRows - 1;
      isIn = true;
    }
    if (!isIn && mode == EMBEDDING_OUT_OF_RANGE_CHECK && found.count++ == 0) {
      found.position = flat;
      found.index = index;
    }
    for (int64_t d = 0; isIn && d < rowLength; ++d)
      std::memcpy(out.data() + (flat * rowLength + d) * bytes,
                  at(table, {index, d}), bytes);
  }
  return out;
}

} // namespace embedding::reference

#endif // EMBEDDING_TEST_RUNTIME_REFERENCE_H
