//===- CostModel.h - Sizes that decide --------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one place where sizes become decisions, for CPUs and for GPUs. Passes ask
// it with what is static and build conditions from its bounds; the runtime asks
// it with the sizes of a call. It needs nothing of LLVM, since the runtime has
// none. The numbers are from the measurements in docs/Performance.md.
// `#embedding.schedule` overrides each decision for one operation.
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

/// Smaller tables are in the second-level cache, where a prefetch costs more
/// than it hides.
inline constexpr int64_t kMinPrefetchedBytes = int64_t(1) << 20;

/// Rows of so many bytes are prefetched into the second-level cache: those
/// under way would displace what is in use in the first.
inline constexpr int64_t kSecondLevelRowBytes = 2049;
/// The same on CPUs of Intel's, which have more lines on their way to the
/// second level than to the first.
inline constexpr int64_t kSecondLevelRowBytesOnIntel = 128;

/// memref.prefetch's hint: into the first-level cache or the second.
constexpr int64_t getPrefetchLocality(int64_t rowBytes,
                                      int64_t secondLevelRowBytes) {
  return rowBytes < secondLevelRowBytes ? 3 : 2;
}

/// The distance and the hint where the length of rows is not known.
inline constexpr int64_t kPrefetchRowsIfDynamic = 8;
inline constexpr int64_t kPrefetchLocalityIfDynamic = 2;

/// Rows between a prefetch with a hint and its use: 16 KiB of them.
constexpr int64_t getPrefetchRows(int64_t rowBytes, int64_t locality) {
  return std::clamp<int64_t>((int64_t(16) << 10) / rowBytes, 2,
                             locality == 3 ? 64 : 32);
}

/// The same for the sums of a scatter, which are fetched to be written: 4 KiB.
constexpr int64_t getScatterPrefetchRows(int64_t rowBytes) {
  return std::clamp<int64_t>((int64_t(4) << 10) / rowBytes, 4, 64);
}

/// Lines of a row that are prefetched by straight code.
inline constexpr int64_t kMaxUnrolledLines = 16;

/// Loops over rows of up to so many bytes are cut in two, so that the first has
/// nothing to compare for its prefetches.
inline constexpr int64_t kMaxPeeledRowBytes = 128;

//===----------------------------------------------------------------------===//
// Streaming stores
//===----------------------------------------------------------------------===//

/// Larger outputs are stored around the caches: they will not be read from one,
/// and a store that goes through them reads the line first.
inline constexpr int64_t kMinStreamedBytes = int64_t(8) << 20;

/// Streamed stores are gathered to lines; narrower ones than the least vector
/// gain nothing.
inline constexpr int64_t kMinStreamedAlignment = 16;

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

/// Bytes moved that make a range worth another thread.
inline constexpr int64_t kGrainBytes = 128 * 1024;

/// A lookup of a smaller output is one thread's: two would have their rows in
/// two second-level caches, and meet at the end.
inline constexpr int64_t kMinParallelBytes = int64_t(1) << 20;

/// Bytes moved that make a block of a parallel loop, and the most blocks.
inline constexpr int64_t kMinBlockBytes = 64 * 1024;
inline constexpr int64_t kMaxBlocks = 1024;

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// Rows longer than this share one kernel, instead of one for each length.
inline constexpr int64_t kMaxStaticRowBytes = 64 * 1024;

/// Indices of a lookup that are checked before their rows are copied, at most:
/// they then stay in the first-level cache in between.
inline constexpr int64_t kStretchRows = 2048;

/// Whole vectors of a row that are moved by straight code.
inline constexpr int64_t kMaxUnrolledVectors = 16;

/// Operations in a loop over rows that is made several: a row of more hides a
/// question, and would take its time to compile.
inline constexpr int64_t kMaxUnswitchedOperations = 48;

/// Stack that one allocation of a function may take.
inline constexpr int64_t kMaxStackBytes = 64 * 1024;

/// Bytes of sums that are under way at once: they stay in registers, or at
/// least in the first-level cache.
inline constexpr int64_t kSumBytes = 1024;

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

/// The values are those of the dialect's `Grouping`.
enum class Grouping { radixSort, countingSort, scatter, bitmap };

/// Bits of a row that one pass of a radix sort looks at, at most: the counters
/// of a block then stay in the first-level cache.
inline constexpr int64_t kMaxDigitBits = 10;
/// Positions that make a block of it, and the most blocks.
inline constexpr int64_t kMinSortBlockPositions = 16 * 1024;
inline constexpr int64_t kMaxSortBlocks = 256;

/// A counting sort has counters for all rows in each block, which threads pass
/// on to each other.
inline constexpr int64_t kMinCountingBlockPositions = 128 * 1024;
inline constexpr int64_t kMaxCountingBlocks = 16;
/// Rows that make a block of the walk over the counters.
inline constexpr int64_t kMinCountingBlockRows = 16 * 1024;

/// Whether a counting sort of `numIndices` positions by one of `numRows` rows
/// is faster than a radix sort. It moves each position once and not once for
/// each ten bits of a row, but walks the counters of all rows, which should be
/// in the second-level cache. A size is an int64_t, or a value that stands for
/// one when the code runs.
template <typename Size>
constexpr auto isCountingSortFaster(const Size &numIndices,
                                    const Size &numRows) {
  return (numRows <= numIndices) & (numRows <= (int64_t(256) << 10));
}

/// Whether to find the distinct ones of `numRows` rows by a bit for each is
/// faster than by a sort. The bits of 256 rows are cleared in a nanosecond, and
/// a position is sorted in about 8.
template <typename Size>
constexpr auto isBitmapFaster(const Size &numIndices, const Size &numRows) {
  return numRows / 2048 <= numIndices;
}

/// How to sort `numIndices` positions by one of `numRows` rows.
constexpr Grouping chooseSort(int64_t numIndices, int64_t numRows) {
  return isCountingSortFaster(numIndices, numRows) ? Grouping::countingSort
                                                   : Grouping::radixSort;
}

/// How to find the distinct ones of `numRows` rows.
constexpr Grouping chooseDistinct(int64_t numIndices, int64_t numRows) {
  return isBitmapFaster(numIndices, numRows) ? Grouping::bitmap
                                             : chooseSort(numIndices, numRows);
}

/// The longest rows for which a scatter may be faster than a sort on
/// `numThreads`. It reads the gradients in order and needs no sort. But it is
/// one thread's work, which two that sort are as good as from rows of a line
/// on; and from 512 bytes a row on, sums that go to memory and back for each
/// gradient cost more than the sort.
constexpr int64_t getMaxScatteredRowBytes(int64_t numThreads) {
  return numThreads == 1 ? 256 : numThreads == 2 ? 64 : 0;
}

/// More threads than so many are as many to the cost model.
inline constexpr int64_t kManyThreads = 3;

/// Whether a scatter of such rows is faster, for `numIndices` gradients and
/// `numRows` sums.
template <typename Size>
constexpr auto isScatterFaster(const Size &numIndices, const Size &numRows) {
  return numRows / 2 <= numIndices;
}

/// How to sum `numIndices` gradients into `numRows` rows of `rowBytes`.
constexpr Grouping chooseReduction(int64_t numIndices, int64_t numRows,
                                   int64_t rowBytes, int64_t numThreads) {
  return rowBytes <= getMaxScatteredRowBytes(numThreads) &&
                 isScatterFaster(numIndices, numRows)
             ? Grouping::scatter
             : chooseSort(numIndices, numRows);
}

//===----------------------------------------------------------------------===//
// GPUs
//===----------------------------------------------------------------------===//

namespace gpu {

/// Threads of a block.
inline constexpr int64_t kBlockThreads = 256;

/// Elements that a thread takes of a tile of a sort or a scan.
inline constexpr int64_t kThreadElements = 8;

/// Bits of a row that one pass of a radix sort looks at, at most: a thread of a
/// block for each digit.
inline constexpr int64_t kMaxDigitBits = 8;
static_assert(int64_t(1) << kMaxDigitBits == kBlockThreads);

/// Lanes of a row that a thread has in flight, at most; and at most if a
/// schedule says how many, for all to be in its registers.
inline constexpr int64_t kLanesInFlight = 4;
inline constexpr int64_t kMaxLanesInFlight = 32;

/// Sums of chunks that are combined at once, in registers.
inline constexpr int64_t kCombinedChunks = 16;

/// Terms of a norm that a thread has in flight.
inline constexpr int64_t kTermsInFlight = 16;

/// Warps that keep a GPU busy.
inline constexpr int64_t kFewWarps = 8192;

} // namespace gpu

} // namespace mlir::embedding::cost

#endif // EMBEDDING_TARGET_COSTMODEL_H
