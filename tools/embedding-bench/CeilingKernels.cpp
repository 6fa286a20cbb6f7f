//===- CeilingKernels.cpp - Hand-written kernels to measure up to ---------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiled once for each instruction set, in a namespace of its own. It uses
// nothing of the standard library: an inline function compiled for AVX-512
// could become that of the whole program.
//
//===----------------------------------------------------------------------===//

#include "CeilingKernels.h"

using namespace embedding::bench;

#ifndef CEILING_ISA
#define CEILING_ISA baseline
#endif
#define CEILING_STRING_OF(text) #text
#define CEILING_STRING(text) CEILING_STRING_OF(text)

namespace {

constexpr int64_t kLineBytes = 64;
/// Sums of one row under way at once: 8 vectors of 64 bytes.
constexpr int64_t kBlockFloats = 128;

template <int N> struct Bytes {
  typedef char Vector __attribute__((vector_size(N)));
  typedef Vector Unaligned __attribute__((aligned(1)));
};
typedef float Floats __attribute__((vector_size(64)));
typedef Floats UnalignedFloats __attribute__((aligned(4)));
typedef double Doubles __attribute__((vector_size(128)));

constexpr int64_t kRowsAhead = 16;

/// What is `kRowsAhead` behind `i`, or the last before `end`.
inline int64_t getAhead(int64_t i, int64_t end) {
  return i + kRowsAhead < end ? i + kRowsAhead : end - 1;
}

template <int64_t kRowBytes, int kLocality>
inline void prefetchRow(const char *row) {
  for (int64_t byte = 0; byte < kRowBytes; byte += kLineBytes)
    __builtin_prefetch(row + byte, 0, kLocality);
  // Rows of less than a line, aligned, lie in one.
  if (kRowBytes % kLineBytes > 1 && kRowBytes > kLineBytes)
    __builtin_prefetch(row + kRowBytes - 1, 0, kLocality);
}

template <int N> inline void move(const char *from, char *to, bool streams) {
  auto value = *reinterpret_cast<const typename Bytes<N>::Unaligned *>(from);
  if (streams)
    __builtin_nontemporal_store(
        value, reinterpret_cast<typename Bytes<N>::Vector *>(to));
  else
    *reinterpret_cast<typename Bytes<N>::Unaligned *>(to) = value;
}

/// Vectors of the widest size that keeps every row aligned.
template <int64_t kRowBytes>
inline void moveRow(const char *from, char *to, bool streams) {
  constexpr int64_t kAlignment = kRowBytes & -kRowBytes;
  int64_t byte = 0;
  if constexpr (kAlignment >= 64) {
#pragma clang loop unroll_count(8)
    for (; byte < kRowBytes; byte += 64)
      move<64>(from + byte, to + byte, streams);
  } else if (streams) {
#pragma clang loop unroll_count(16)
    for (; byte < kRowBytes; byte += kAlignment)
      move<kAlignment>(from + byte, to + byte, true);
  } else {
    for (; kRowBytes - byte >= 64; byte += 64)
      move<64>(from + byte, to + byte, false);
    if constexpr ((kRowBytes & 32) != 0) {
      move<32>(from + byte, to + byte, false);
      byte += 32;
    }
    if constexpr ((kRowBytes & 16) != 0) {
      move<16>(from + byte, to + byte, false);
      byte += 16;
    }
    if constexpr ((kRowBytes & 8) != 0)
      move<8>(from + byte, to + byte, false);
  }
}

/// Rows [begin, end) of `count`.
template <int64_t kRowBytes, bool kStreams, int kLocality>
void lookupRows(const char *table, const int64_t *indices, int64_t begin,
                int64_t end, int64_t count, char *out, int64_t rowsAhead) {
  int64_t i = begin;
  if (rowsAhead > 0)
    for (int64_t last = count - rowsAhead < end ? count - rowsAhead : end;
         i < last; ++i) {
      prefetchRow<kRowBytes, kLocality>(table +
                                        indices[i + rowsAhead] * kRowBytes);
      moveRow<kRowBytes>(table + indices[i] * kRowBytes, out + i * kRowBytes,
                         kStreams);
    }
#pragma clang loop unroll_count(4)
  for (; i < end; ++i)
    moveRow<kRowBytes>(table + indices[i] * kRowBytes, out + i * kRowBytes,
                       kStreams);
}

template <int64_t kRowBytes, bool kStreams, int kLocality>
void lookupStretches(const char *table, const int64_t *indices, int64_t count,
                     char *out, Tuning tuning) {
  if (!tuning.readsIndicesFirst)
    return lookupRows<kRowBytes, kStreams, kLocality>(
        table, indices, 0, count, count, out, tuning.rowsAhead);
  constexpr int64_t kStretch = 2048;
  for (int64_t begin = 0; begin < count; begin += kStretch) {
    int64_t end = begin + kStretch < count ? begin + kStretch : count;
    int64_t sum = 0;
    for (int64_t i = begin; i < end; ++i)
      sum += indices[i];
    // The sum is used, as far as the compiler knows.
    __asm__ volatile("" : : "r"(sum));
    lookupRows<kRowBytes, kStreams, kLocality>(table, indices, begin, end,
                                               count, out, tuning.rowsAhead);
  }
}

template <int64_t kRowBytes>
bool lookupIf(const char *table, const int64_t *indices, int64_t count,
              int64_t rowBytes, char *out, Tuning tuning) {
  if (rowBytes != kRowBytes)
    return false;
  auto run = [&](auto lookupWith) {
    lookupWith(table, indices, count, out, tuning);
  };
  if (tuning.streams && tuning.intoL1)
    run(lookupStretches<kRowBytes, true, 3>);
  else if (tuning.streams)
    run(lookupStretches<kRowBytes, true, 2>);
  else if (tuning.intoL1)
    run(lookupStretches<kRowBytes, false, 3>);
  else
    run(lookupStretches<kRowBytes, false, 2>);
  return true;
}

/// The row lengths of the benchmark. There is no kernel for others.
template <int64_t... kRowBytes>
void lookupOneOf(const char *table, const int64_t *indices, int64_t count,
                 int64_t rowBytes, char *out, Tuning tuning) {
  bool isKnown =
      (lookupIf<kRowBytes>(table, indices, count, rowBytes, out, tuning) ||
       ...);
  if (!isKnown)
    __builtin_trap();
}

void lookup(const char *table, const int64_t *indices, int64_t count,
            int64_t rowBytes, char *out, Tuning tuning) {
  lookupOneOf<16, 32, 64, 128, 200, 256, 400, 512, 1024, 1536, 2048, 3072, 4096,
              8192, 16384>(table, indices, count, rowBytes, out, tuning);
  if (tuning.streams)
    __sync_synchronize();
}

/// Columns [column, column + 16 * kVectors) of bags [begin, end).
template <int kVectors, BagKind kKind, bool kWeighted, int kLocality>
void bagColumns(const Bags &bags, int64_t begin, int64_t end, int64_t column,
                Tuning tuning) {
  auto getRow = [&](int64_t position) {
    return bags.table + bags.indices[position] * bags.rowLength + column;
  };
  auto load = [](const float *row, int i) {
    return *reinterpret_cast<const UnalignedFloats *>(row + 16 * i);
  };
  for (int64_t bag = begin; bag < end; ++bag) {
    int64_t first = bags.offsets[bag];
    int64_t last = bag + 1 < bags.numBags ? bags.offsets[bag + 1] : bags.count;
    Floats kept[kVectors] = {};
    if (kKind == BagKind::max)
      for (int i = 0; i < kVectors; ++i)
        kept[i] = load(getRow(first), i);
    for (int64_t position = first; position < last; ++position) {
      int64_t ahead = position + tuning.rowsAhead;
      const float *later = getRow(ahead < bags.count ? ahead : bags.count - 1);
      for (int i = 0; i < kVectors; ++i)
        __builtin_prefetch(later + 16 * i, 0, kLocality);
      const float *row = getRow(position);
      for (int i = 0; i < kVectors; ++i) {
        Floats x = load(row, i);
        if (kKind == BagKind::max)
          kept[i] = x > kept[i] ? x : kept[i];
        else if (kWeighted)
          kept[i] += x * bags.weights[position];
        else
          kept[i] += x;
      }
    }
    float *to = bags.out + bag * bags.rowLength + column;
    for (int i = 0; i < kVectors; ++i) {
      if (kKind == BagKind::mean)
        kept[i] /= static_cast<float>(last - first);
      *reinterpret_cast<UnalignedFloats *>(to + 16 * i) = kept[i];
    }
  }
}

template <BagKind kKind, bool kWeighted, int kLocality>
void bagRows(const Bags &bags, int64_t begin, int64_t end, Tuning tuning) {
  int64_t column = 0;
  for (; bags.rowLength - column >= 128; column += 128)
    bagColumns<8, kKind, kWeighted, kLocality>(bags, begin, end, column,
                                               tuning);
  if (bags.rowLength - column >= 64) {
    bagColumns<4, kKind, kWeighted, kLocality>(bags, begin, end, column,
                                               tuning);
    column += 64;
  }
  for (; column < bags.rowLength; column += 16)
    bagColumns<1, kKind, kWeighted, kLocality>(bags, begin, end, column,
                                               tuning);
}

template <BagKind kKind, bool kWeighted = false>
void bagInto(const Bags &bags, int64_t begin, int64_t end, Tuning tuning) {
  if (tuning.intoL1)
    bagRows<kKind, kWeighted, 3>(bags, begin, end, tuning);
  else
    bagRows<kKind, kWeighted, 2>(bags, begin, end, tuning);
}

void bag(const Bags &bags, int64_t begin, int64_t end, BagKind kind,
         Tuning tuning) {
  if (kind == BagKind::max)
    bagInto<BagKind::max>(bags, begin, end, tuning);
  else if (kind == BagKind::mean)
    bagInto<BagKind::mean>(bags, begin, end, tuning);
  else if (bags.weights)
    bagInto<BagKind::sum, true>(bags, begin, end, tuning);
  else
    bagInto<BagKind::sum>(bags, begin, end, tuning);
}

void scatter(const float *values, const int64_t *indices, int64_t count,
             int64_t rowLength, float *out) {
  for (int64_t i = 0; i < count; ++i) {
    int64_t ahead = getAhead(i, count);
    for (int64_t d = 0; d < rowLength; d += 16)
      __builtin_prefetch(out + indices[ahead] * rowLength + d, 1, 3);
    float *to = out + indices[i] * rowLength;
    const float *from = values + i * rowLength;
    for (int64_t d = 0; d < rowLength; d += 16)
      *reinterpret_cast<UnalignedFloats *>(to + d) +=
          *reinterpret_cast<const UnalignedFloats *>(from + d);
  }
}

void countRows(const int64_t *indices, int64_t count, int32_t *counts) {
  for (int64_t i = 0; i < count; ++i)
    ++counts[indices[i]];
}

void placePositions(const int64_t *indices, int64_t begin, int64_t end,
                    int32_t *offsets, int32_t *positions) {
  for (int64_t i = begin; i < end; ++i)
    positions[offsets[indices[i]]++] = static_cast<int32_t>(i);
}

uint64_t *radixSort(uint64_t *pairs, uint64_t *scratch, int64_t count,
                    int32_t rowBits) {
  constexpr int32_t kDigitBits = 11;
  int32_t counts[1 << kDigitBits];
  for (int32_t shift = 32; shift < 32 + rowBits; shift += kDigitBits) {
    for (int32_t &bucket : counts)
      bucket = 0;
    constexpr uint64_t kMask = (1 << kDigitBits) - 1;
    for (int64_t i = 0; i < count; ++i)
      ++counts[pairs[i] >> shift & kMask];
    int32_t sum = 0;
    for (int32_t &bucket : counts) {
      int32_t size = bucket;
      bucket = sum;
      sum += size;
    }
    for (int64_t i = 0; i < count; ++i)
      scratch[counts[pairs[i] >> shift & kMask]++] = pairs[i];
    uint64_t *sorted = scratch;
    scratch = pairs;
    pairs = sorted;
  }
  return pairs;
}

/// Writes the sum of the rows of `values` that `positionAt` yields for
/// [begin, end) to `to`, and prefetches those of the sums to come, which end at
/// `available`.
template <typename PositionAt>
inline void sumRow(const float *values, PositionAt positionAt, int64_t begin,
                   int64_t end, int64_t available, int64_t rowLength, float *to,
                   bool streams) {
  for (int64_t block = 0; block < rowLength; block += kBlockFloats) {
    Floats sums[kBlockFloats / 16] = {};
    int64_t width =
        rowLength - block < kBlockFloats ? rowLength - block : kBlockFloats;
    if (width == kBlockFloats) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t ahead = getAhead(i, available);
        const float *next = values + positionAt(ahead) * rowLength + block;
        const float *row = values + positionAt(i) * rowLength + block;
        for (int v = 0; v < kBlockFloats / 16; ++v)
          __builtin_prefetch(next + 16 * v, 0, 2);
        for (int v = 0; v < kBlockFloats / 16; ++v)
          sums[v] += *reinterpret_cast<const UnalignedFloats *>(row + 16 * v);
      }
    } else {
      int64_t vectors = width / 16;
      for (int64_t i = begin; i < end; ++i) {
        int64_t ahead = getAhead(i, available);
        const float *next = values + positionAt(ahead) * rowLength + block;
        const float *row = values + positionAt(i) * rowLength + block;
        for (int64_t v = 0; v < vectors; ++v) {
          __builtin_prefetch(next + 16 * v, 0, 2);
          sums[v] += *reinterpret_cast<const UnalignedFloats *>(row + 16 * v);
        }
      }
    }
    for (int64_t v = 0; v < width / 16; ++v) {
      if (streams)
        __builtin_nontemporal_store(
            sums[v], reinterpret_cast<Floats *>(to + block + 16 * v));
      else
        *reinterpret_cast<UnalignedFloats *>(to + block + 16 * v) = sums[v];
    }
  }
}

void sumRows(const float *values, const int32_t *positions, const int32_t *ends,
             int64_t begin, int64_t end, int64_t rowLength, float *out,
             bool streams) {
  int64_t position = begin == 0 ? 0 : ends[begin - 1];
  int64_t available = end == 0 ? 0 : ends[end - 1];
  auto positionAt = [&](int64_t i) -> int64_t { return positions[i]; };
  for (int64_t row = begin; row < end; ++row) {
    sumRow(values, positionAt, position, ends[row], available, rowLength,
           out + row * rowLength, streams);
    position = ends[row];
  }
  __sync_synchronize();
}

void streamZeros(char *out, int64_t bytes) {
  for (int64_t byte = 0; byte < bytes; byte += kLineBytes)
    __builtin_nontemporal_store(Floats{},
                                reinterpret_cast<Floats *>(out + byte));
  __sync_synchronize();
}

void streamCopy(const char *from, char *to, int64_t bytes) {
  for (int64_t byte = 0; byte < bytes; byte += kLineBytes)
    move<kLineBytes>(from + byte, to + byte, /*streams=*/true);
  __sync_synchronize();
}

inline int64_t getRow(uint64_t pair) {
  return static_cast<int64_t>(pair >> 32);
}
inline int64_t getPosition(uint64_t pair) {
  return static_cast<int64_t>(pair & 0xffffffff);
}

/// Where the run of equal rows ends that begins at `begin`.
inline int64_t getRunEnd(const uint64_t *pairs, int64_t begin, int64_t end) {
  int64_t runEnd = begin + 1;
  while (runEnd < end && getRow(pairs[runEnd]) == getRow(pairs[begin]))
    ++runEnd;
  return runEnd;
}

void sumPairs(const float *values, const uint64_t *pairs, int64_t pairBegin,
              int64_t pairEnd, int64_t begin, int64_t end, int64_t rowLength,
              float *out, bool streams) {
  auto positionAt = [&](int64_t i) { return getPosition(pairs[i]); };
  auto clear = [&](int64_t from, int64_t to) {
    for (int64_t d = from * rowLength; d < to * rowLength; d += 16) {
      if (streams)
        __builtin_nontemporal_store(Floats{},
                                    reinterpret_cast<Floats *>(out + d));
      else
        *reinterpret_cast<UnalignedFloats *>(out + d) = Floats{};
    }
  };
  int64_t next = begin;
  for (int64_t i = pairBegin; i < pairEnd;) {
    int64_t row = getRow(pairs[i]);
    int64_t groupEnd = getRunEnd(pairs, i, pairEnd);
    clear(next, row);
    sumRow(values, positionAt, i, groupEnd, pairEnd, rowLength,
           out + row * rowLength, streams);
    next = row + 1;
    i = groupEnd;
  }
  clear(next, end);
  __sync_synchronize();
}

void coalescePairs(const float *values, const uint64_t *pairs,
                   int64_t pairBegin, int64_t pairEnd, int64_t group,
                   int64_t rowLength, int64_t *rows, float *sums) {
  auto positionAt = [&](int64_t i) { return getPosition(pairs[i]); };
  for (int64_t i = pairBegin; i < pairEnd; ++group) {
    int64_t groupEnd = getRunEnd(pairs, i, pairEnd);
    rows[group] = getRow(pairs[i]);
    sumRow(values, positionAt, i, groupEnd, pairEnd, rowLength,
           sums + group * rowLength, /*streams=*/true);
    i = groupEnd;
  }
  __sync_synchronize();
}

int64_t findDistinct(const int64_t *indices, int64_t count, uint64_t *bitmap,
                     int64_t *rows) {
  int64_t distinct = 0;
  for (int64_t i = 0; i < count; ++i) {
    auto row = static_cast<uint64_t>(indices[i]);
    uint64_t bit = uint64_t(1) << row % 64;
    rows[distinct] = indices[i];
    distinct += (bitmap[row / 64] & bit) == 0;
    bitmap[row / 64] |= bit;
  }
  for (int64_t i = 0; i < distinct; ++i)
    bitmap[rows[i] / 64] = 0;
  return distinct;
}

void renorm(float *table, const int64_t *rows, int64_t count, int64_t rowLength,
            double maxNorm) {
  for (int64_t i = 0; i < count; ++i) {
    int64_t ahead = getAhead(i, count);
    for (int64_t d = 0; d < rowLength; d += 16)
      __builtin_prefetch(table + rows[ahead] * rowLength + d, 1, 2);
    float *row = table + rows[i] * rowLength;
    Doubles sums = {};
    for (int64_t d = 0; d < rowLength; d += 16) {
      Doubles x = __builtin_convertvector(
          *reinterpret_cast<const UnalignedFloats *>(row + d), Doubles);
      sums += x * x;
    }
    double sum = 0;
    for (int lane = 0; lane < 16; ++lane)
      sum += sums[lane];
    double norm = __builtin_sqrt(sum);
    if (norm > maxNorm) {
      auto scale = static_cast<float>(maxNorm / (norm + 1e-7));
      for (int64_t d = 0; d < rowLength; d += 16)
        *reinterpret_cast<UnalignedFloats *>(row + d) *= scale;
    }
  }
}

} // namespace

namespace embedding::bench::CEILING_ISA {
extern const CeilingKernels kernels;
const CeilingKernels kernels = {CEILING_STRING(CEILING_ISA),
                                lookup,
                                bag,
                                scatter,
                                countRows,
                                placePositions,
                                radixSort,
                                sumRows,
                                sumPairs,
                                coalescePairs,
                                streamZeros,
                                streamCopy,
                                findDistinct,
                                renorm};
} // namespace embedding::bench::CEILING_ISA
