//===- CeilingKernels.h - Hand-written kernels to measure up to -*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a patient programmer writes for one machine and one case: fixed row
// lengths, prefetches, streaming stores, no validation, no error reports. Each
// kernel does one thread's share; the benchmark cuts the work and chooses the
// best of a small grid of tunings for each case before it measures.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TOOLS_EMBEDDINGBENCH_CEILINGKERNELS_H
#define EMBEDDING_TOOLS_EMBEDDINGBENCH_CEILINGKERNELS_H

#include <cstdint>

namespace embedding::bench {

/// How a ceiling kernel moves rows.
struct Tuning {
  /// Rows between a prefetch and its use; 0 for no prefetch.
  int64_t rowsAhead;
  /// Whether stores bypass the caches.
  bool streams;
  /// Whether prefetches go to the first-level cache, and not to the second.
  bool intoL1 = false;
  /// Whether a stretch of indices is read before the rows that it names, so
  /// that it is in the first-level cache.
  bool readsIndicesFirst = false;
};

/// What becomes of the rows of a bag.
enum class BagKind { sum, mean, max };

/// Bags of f32 rows of `rowLength` elements, a multiple of 16: the last one
/// ends with the indices. `weights` of a sum may be null.
struct Bags {
  const float *table;
  const int64_t *indices;
  int64_t count;
  const int64_t *offsets;
  int64_t numBags;
  const float *weights;
  int64_t rowLength;
  float *out;
};

/// One build of the kernels for an instruction set.
struct CeilingKernels {
  const char *name;

  /// Copies rows of `rowBytes` that `indices` names in `table` to `out`. Both
  /// are aligned to 64 bytes.
  void (*lookup)(const char *table, const int64_t *indices, int64_t count,
                 int64_t rowBytes, char *out, Tuning tuning);

  /// Bags [begin, end), none of which is empty.
  void (*bag)(const Bags &bags, int64_t begin, int64_t end, BagKind kind,
              Tuning tuning);

  /// Adds the rows of `values` (f32) at positions [0, count) to rows of `out`,
  /// which holds zeros: the serial scatter.
  void (*scatter)(const float *values, const int64_t *indices, int64_t count,
                  int64_t rowLength, float *out);

  /// Counts how often rows occur. `counts` holds zeros.
  void (*countRows)(const int64_t *indices, int64_t count, int32_t *counts);
  /// Moves positions [begin, end) to where `offsets` says that their row's
  /// begin, and moves the offsets on.
  void (*placePositions)(const int64_t *indices, int64_t begin, int64_t end,
                         int32_t *offsets, int32_t *positions);
  /// Sorts pairs (row << 32 | position) by row with passes of 11 bits, least
  /// significant first; returns the buffer that holds the result.
  uint64_t *(*radixSort)(uint64_t *pairs, uint64_t *scratch, int64_t count,
                         int32_t rowBits);

  /// Rows [begin, end) of a dense gradient: `ends[row]` is where the sorted
  /// positions of a row end.
  void (*sumRows)(const float *values, const int32_t *positions,
                  const int32_t *ends, int64_t begin, int64_t end,
                  int64_t rowLength, float *out, bool streams);
  /// The same from sorted pairs [pairBegin, pairEnd).
  void (*sumPairs)(const float *values, const uint64_t *pairs,
                   int64_t pairBegin, int64_t pairEnd, int64_t begin,
                   int64_t end, int64_t rowLength, float *out, bool streams);
  /// The sums of runs of equal rows in pairs [pairBegin, pairEnd), from row
  /// `group` of `rows` and `sums` on.
  void (*coalescePairs)(const float *values, const uint64_t *pairs,
                        int64_t pairBegin, int64_t pairEnd, int64_t group,
                        int64_t rowLength, int64_t *rows, float *sums);

  /// Fills `bytes` bytes with zeros, aligned to 64, with streaming stores.
  void (*streamZeros)(char *out, int64_t bytes);
  /// Copies `bytes` bytes, both sides aligned to 64, with streaming stores.
  void (*streamCopy)(const char *from, char *to, int64_t bytes);

  /// Writes the distinct rows among `indices` to `rows`, and returns their
  /// number; `bitmap` holds zeros and is cleared again.
  int64_t (*findDistinct)(const int64_t *indices, int64_t count,
                          uint64_t *bitmap, int64_t *rows);
  /// Shortens `rows` of `table` to a 2-norm of at most `maxNorm`, with norms in
  /// f64.
  void (*renorm)(float *table, const int64_t *rows, int64_t count,
                 int64_t rowLength, double maxNorm);
};

/// The best kernels that this machine runs.
const CeilingKernels &getCeilingKernels();

} // namespace embedding::bench

#endif // EMBEDDING_TOOLS_EMBEDDINGBENCH_CEILINGKERNELS_H
