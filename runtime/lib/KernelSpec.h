//===- KernelSpec.h - What a kernel is compiled for -------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_KERNELSPEC_H
#define EMBEDDING_RUNTIME_LIB_KERNELSPEC_H

#include "embedding-runtime/Runtime.h"

#include <string>

namespace embedding::runtime {

/// The name of `mode` in the dialect.
const char *getName(EmbeddingOutOfRange mode);

/// Everything that the code of a lookup depends on, apart from the CPU. A row
/// is bits, so its element type does not matter.
struct LookupSpec {
  EmbeddingOutOfRange outOfRange = EMBEDDING_OUT_OF_RANGE_CHECK;
  EmbeddingLowering lowering = EMBEDDING_LOWERING_OPTIMIZED;
  /// 32 or 64.
  int32_t indexBits = 64;
  /// Bytes of what a row is made of: 1 if its bytes are contiguous, else those
  /// of an element.
  int32_t elementBytes = 1;
  /// Whether the elements of the row are next to each other.
  bool isContiguous = true;
  /// Elements of a row, or kDynamic.
  int64_t rowLength = kDynamic;

  static constexpr int64_t kDynamic = -1;

  bool operator==(const LookupSpec &other) const {
    return outOfRange == other.outOfRange && lowering == other.lowering &&
           indexBits == other.indexBits && elementBytes == other.elementBytes &&
           isContiguous == other.isContiguous && rowLength == other.rowLength;
  }

  size_t hash() const {
    uint64_t bits = static_cast<uint64_t>(rowLength) * 0x9e3779b97f4a7c15;
    bits ^= static_cast<uint64_t>(outOfRange) | uint64_t(lowering) << 2 |
            uint64_t(indexBits) << 3 | uint64_t(elementBytes) << 10 |
            uint64_t(isContiguous) << 16;
    return static_cast<size_t>(bits * 0xff51afd7ed558ccd >> 32);
  }

  /// The spec as one line: its part of the key of a cached object.
  std::string str() const;
};

/// A memref of `Rank` as MLIR's C interface passes it.
template <int Rank> struct MemRef {
  void *allocated = nullptr;
  void *aligned = nullptr;
  int64_t offset = 0;
  int64_t sizes[Rank] = {};
  int64_t strides[Rank] = {};
};

/// A lookup kernel: rows [begin, end) of `out`. `report` takes the position of
/// the first bad index, counted from `begin`, the index found there, and the
/// number of bad ones.
using LookupKernel = void (*)(int64_t begin, int64_t end, MemRef<2> *table,
                              MemRef<1> *indices, MemRef<2> *out,
                              MemRef<1> *report);
/// Its name in the object.
inline constexpr char kLookupKernelName[] = "_mlir_ciface_lookup";

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_KERNELSPEC_H
