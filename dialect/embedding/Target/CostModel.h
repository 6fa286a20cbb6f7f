//===- CostModel.h - What is worth it on a CPU ------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one place where sizes become decisions. Passes ask it with what is static
// and build conditions from its bounds; the runtime asks it with the sizes of a
// call. It needs nothing of LLVM, since the runtime has none. The numbers are
// from the measurements in docs/Performance.md. `#embedding.schedule` overrides
// each decision for one operation.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TARGET_COSTMODEL_H
#define EMBEDDING_TARGET_COSTMODEL_H

#include <algorithm>
#include <cstdint>

namespace mlir::embedding::cost {

/// Bytes of a cache line. A prefetch too many costs little where they are
/// longer.
inline constexpr int64_t kLineBytes = 64;

//===----------------------------------------------------------------------===//
// Prefetches
//===----------------------------------------------------------------------===//

/// Tables of fewer bytes are in the second-level cache, where a prefetch of a
/// short row costs as much as the row.
inline constexpr int64_t kMinPrefetchedBytes = int64_t(512) << 10;
/// memref.prefetch's hint: into the second-level cache.
inline constexpr int64_t kPrefetchLocality = 2;
/// The distance where the length of rows is not known.
inline constexpr int64_t kPrefetchRowsIfDynamic = 8;

/// Rows between a prefetch and its use: 16 KiB of them.
constexpr int64_t getPrefetchRows(int64_t rowBytes) {
  return std::clamp<int64_t>((int64_t(16) << 10) / rowBytes, 2, 64);
}

//===----------------------------------------------------------------------===//
// Streaming stores
//===----------------------------------------------------------------------===//

/// Larger outputs are stored around the caches: they will not be read from one,
/// and a store that goes through them reads the line first.
inline constexpr int64_t kMinStreamedBytes = int64_t(8) << 20;

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

/// The values are those of the dialect's `Grouping`.
enum class Grouping { radixSort, countingSort, scatter, bitmap };

/// How to sort `numIndices` positions by one of `numRows` rows. A counting sort
/// moves each position once and not once for each ten bits of a row, but walks
/// the counters of all rows.
constexpr Grouping chooseSort(int64_t numIndices, int64_t numRows) {
  return numRows / 4 <= numIndices ? Grouping::countingSort
                                   : Grouping::radixSort;
}

/// How to find the distinct ones of `numRows` rows: to clear 256 bits of a
/// bitmap takes about as long as a thousandth of what it takes to sort one
/// position.
constexpr Grouping chooseDistinct(int64_t numIndices, int64_t numRows) {
  return numRows / 2048 <= numIndices ? Grouping::bitmap : Grouping::radixSort;
}

/// Bytes of a row that one thread of a scatter adds up: fewer are too little
/// work for the slots that it looks up.
inline constexpr int64_t kMinScatteredBytes = 128;

/// The columns, of `elementBytes` each, that one of `numThreads` threads adds
/// up in a scatter of rows of `rowLength`: whole lines.
constexpr int64_t getScatteredColumns(int64_t rowLength, int64_t elementBytes,
                                      int64_t numThreads) {
  int64_t rowBytes = std::max<int64_t>(rowLength * elementBytes, 1);
  int64_t shares = std::clamp<int64_t>(rowBytes / kMinScatteredBytes, 1,
                                       std::max<int64_t>(numThreads, 1));
  int64_t lanes = std::max<int64_t>(kLineBytes / elementBytes, 1);
  int64_t columns = (rowLength + shares - 1) / shares;
  return (columns + lanes - 1) / lanes * lanes;
}

/// How to sum `numIndices` gradients of `rowLength` elements into `numRows`
/// rows. A scatter reads the gradients in order and needs no sort, but is the
/// work of few threads, and its sums must be near: they are in a cache, or
/// short enough to be prefetched.
constexpr Grouping chooseReduction(int64_t numIndices, int64_t numRows,
                                   int64_t rowLength, int64_t elementBytes,
                                   int64_t numThreads) {
  int64_t rowBytes = std::max<int64_t>(rowLength * elementBytes, 1);
  Grouping sort = chooseSort(numIndices, numRows);
  if (rowBytes > 512 || numRows / 2 > numIndices)
    return sort;
  int64_t columns = getScatteredColumns(rowLength, elementBytes, numThreads);
  int64_t shares = (rowLength + columns - 1) / columns;
  // Nanoseconds a position, of all threads together.
  int64_t lines = (rowBytes + kLineBytes - 1) / kLineBytes;
  int64_t scatter = (2 * shares + 2 * lines) / std::max<int64_t>(shares, 1);
  int64_t sorted = (8 + 3 * lines) / std::max<int64_t>(numThreads, 1);
  return scatter <= sorted ? Grouping::scatter : sort;
}

} // namespace mlir::embedding::cost

#endif // EMBEDDING_TARGET_COSTMODEL_H
