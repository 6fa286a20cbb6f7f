//===- LookupTest.cpp - embedding_lookup against the reference ------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Reference.h"
#include "TestUtils.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sys/mman.h>
#include <thread>

using namespace embedding;
using namespace embedding::test;

namespace {

constexpr DLDataType kInt64 = {kDLInt, 64, 1};

/// A tensor with memory of its own, guarded on both sides.
class OwnedTensor {
public:
  static constexpr size_t kGuardBytes = 256;

  OwnedTensor(DLDataType dtype, std::vector<int64_t> shape, uint64_t seed = 1,
              size_t misalignment = 0)
      : dtype(dtype), shape(std::move(shape)), misalignment(misalignment) {
    numBytes = dtype.bits * dtype.lanes / 8;
    for (int64_t size : this->shape)
      numBytes *= size;
    memory = randomBytes(numBytes + 2 * kGuardBytes + misalignment, seed);
    guards = memory;
  }

  char *data() { return memory.data() + kGuardBytes + misalignment; }
  size_t size() const { return numBytes; }
  TensorView view() { return TensorView(data(), dtype, shape); }
  bool areGuardsIntact() const {
    size_t front = kGuardBytes + misalignment;
    return std::equal(memory.begin(), memory.begin() + front, guards.begin()) &&
           std::equal(memory.begin() + front + numBytes, memory.end(),
                      guards.begin() + front + numBytes);
  }

private:
  DLDataType dtype;
  std::vector<int64_t> shape;
  size_t misalignment;
  size_t numBytes;
  std::vector<char> memory, guards;
};

/// Runs a lookup of `table` and `indices` into a compact output and compares it
/// with the reference.
void expectLookup(Engine &engine, const TensorView &table,
                  const TensorView &indices, DLDataType dtype,
                  EmbeddingOutOfRange mode = EMBEDDING_OUT_OF_RANGE_CHECK,
                  size_t misalignment = 0) {
  DLTensor dlTable = table.get(), dlIndices = indices.get();
  std::vector<int64_t> shape(dlIndices.shape, dlIndices.shape + dlIndices.ndim);
  shape.push_back(dlTable.shape[1]);
  OwnedTensor out(dtype, shape, /*seed=*/7, misalignment);
  reference::Found found;
  std::vector<char> expected =
      reference::lookup(dlTable, dlIndices, mode, found);
  LookupOptions options;
  options.out_of_range = mode;
  try {
    engine.lookup(table, indices, out.view(), options);
    EXPECT_EQ(found.count, 0);
    EXPECT_EQ(expected.size(), out.size());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), out.data()));
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), EMBEDDING_OUT_OF_RANGE) << error.what();
    EXPECT_EQ(error.position(), found.position);
    EXPECT_EQ(error.index(), found.index);
    EXPECT_EQ(error.count(), found.count);
  }
  EXPECT_TRUE(out.areGuardsIntact());
}

/// The index distributions of the corner matrix, 37 of each, one after another.
template <typename Index> std::vector<Index> cornerIndices(int64_t numRows) {
  constexpr int kCount = 37;
  std::mt19937_64 random(3);
  std::vector<Index> all;
  std::vector<Index> drawn;
  for (int i = 0; i < kCount; ++i)
    drawn.push_back(static_cast<Index>(random() % numRows));
  all.insert(all.end(), drawn.begin(), drawn.end());
  all.insert(all.end(), kCount, static_cast<Index>(numRows - 1));
  std::sort(drawn.begin(), drawn.end());
  all.insert(all.end(), drawn.begin(), drawn.end());
  all.insert(all.end(), drawn.rbegin(), drawn.rend());
  for (int i = 0; i < kCount; ++i) // Zipf, by the inverse of its tail.
    all.push_back(static_cast<Index>(std::min<double>(
        numRows - 1,
        std::pow(1.0 - (random() % 1000) / 1000.0, -1.0 / 0.05) - 1)));
  return all;
}

class LookupMatrix : public EachLowering {};

} // namespace

// Rows of large outputs are stored around the caches, in vectors of what
// divides their bytes and addresses; 128 bytes of padding between rows are left
// alone.
// A stride to where nothing is says nothing: in no operand is it walked, nor
// does it make rows other than contiguous.
TEST(Lookup, StridesOfSingleElements) {
  constexpr int64_t kFar = INT64_MAX;
  Engine engine(uncached());
  std::vector<float> table = {1, 2, 3, 4, 5, 6}, out(6);
  std::vector<int64_t> indices = {1, 0};
  TensorView wide(table.data(), {2, 3}),
      column(table.data(), {6, 1}, {1, kFar}),
      row(table.data(), {1, 6}, {-kFar, 1});
  engine.lookup(wide, TensorView(indices.data(), {1, 2, 1}, {kFar, 1, -kFar}),
                TensorView(out.data(), {1, 2, 1, 3}, {kFar, 3, kFar, 1}));
  EXPECT_EQ(out, (std::vector<float>{4, 5, 6, 1, 2, 3}));
  engine.lookup(column, TensorView(indices.data(), {2}),
                TensorView(out.data(), {2, 1}, {1, -kFar}));
  EXPECT_EQ(out[0], 2);
  EXPECT_EQ(out[1], 1);
  indices = {0};
  engine.lookup(row, TensorView(indices.data(), {1}, {kFar}),
                TensorView(out.data(), {1, 6}, {kFar, 1}));
  EXPECT_EQ(out, table);
  // Without elements, all strides are such.
  engine.lookup(wide, TensorView(indices.data(), {0, 5}, {kFar, -kFar}),
                TensorView(out.data(), {0, 5, 3}, {kFar, kFar, INT64_MIN}));

  // Gradients of rows that are copied to and fro.
  std::vector<float> grad = {1, 2, 3, 4, 5, 6}, sums(6);
  indices = {1, 0};
  engine.denseGrad(TensorView(grad.data(), {2, 1, 3}, {3, kFar, 1}),
                   TensorView(indices.data(), {2, 1}, {1, kFar}),
                   TensorView(sums.data(), {2, 3}));
  EXPECT_EQ(sums, (std::vector<float>{4, 5, 6, 1, 2, 3}));
}

TEST_P(LookupMatrix, LargeOutputs) {
  constexpr int64_t kOutBytes = 9 << 20;
  constexpr int64_t kNumRows = 300;
  for (int64_t rowLength : {4, 25, 100, 128}) {
    SCOPED_TRACE("D = " + std::to_string(rowLength));
    int64_t count = kOutBytes / (rowLength * 4);
    std::vector<int64_t> indices(count);
    for (int64_t i = 0; i < count; ++i)
      indices[i] = i * 7919 % kNumRows;
    OwnedTensor table(kFloat32, {kNumRows, rowLength});
    TensorView indexView(indices.data(), {count});
    for (size_t misalignment : {0, 16})
      expectLookup(engine, table.view(), indexView, kFloat32,
                   EMBEDDING_OUT_OF_RANGE_CHECK, misalignment);

    OwnedTensor padded(kFloat32, {count, rowLength + 32});
    std::vector<char> before(padded.data(), padded.data() + padded.size());
    engine.lookup(table.view(), indexView,
                  TensorView(padded.data(), kFloat32, {count, rowLength},
                             {rowLength + 32, 1}));
    int64_t differences = 0;
    for (int64_t i = 0; i < count; ++i) {
      int64_t at = i * (rowLength + 32) * 4, end = at + rowLength * 4;
      differences +=
          std::memcmp(padded.data() + at,
                      table.data() + indices[i] * rowLength * 4,
                      rowLength * 4) != 0 ||
          std::memcmp(padded.data() + end, before.data() + end, 32 * 4) != 0;
    }
    EXPECT_EQ(differences, 0);
  }
}

TEST_P(LookupMatrix, TypesAndRowLengths) {
  constexpr int64_t kNumRows = 50;
  auto indices32 = cornerIndices<int32_t>(kNumRows);
  auto indices64 = cornerIndices<int64_t>(kNumRows);
  int64_t count = static_cast<int64_t>(indices64.size());
  for (DLDataType dtype : {kFloat64, kFloat32, kFloat16, kBFloat16})
    for (int64_t rowLength :
         {0, 1, 3, 5, 8, 16, 17, 64, 100, 101, 128, 768, 4096}) {
      SCOPED_TRACE(std::to_string(dtype.bits) +
                   " bits, D = " + std::to_string(rowLength));
      // Once aligned and once at an odd address.
      for (size_t misalignment : {0, 1}) {
        OwnedTensor table(dtype, {kNumRows, rowLength}, 5, misalignment);
        expectLookup(engine, table.view(),
                     TensorView(indices32.data(), {count}), dtype,
                     EMBEDDING_OUT_OF_RANGE_CHECK, misalignment);
        expectLookup(engine, table.view(),
                     TensorView(indices64.data(), {5, count / 5}), dtype,
                     EMBEDDING_OUT_OF_RANGE_CHECK, misalignment);
      }
    }
}

TEST_P(LookupMatrix, OtherElements) {
  std::vector<int64_t> indices = {3, 0, 3, 2};
  for (DLDataType dtype :
       {DLDataType{kDLInt, 8, 1}, DLDataType{kDLUInt, 64, 1},
        DLDataType{kDLComplex, 128, 1}, DLDataType{kDLFloat, 32, 3},
        DLDataType{200, 24, 1}}) {
    OwnedTensor table(dtype, {4, 7});
    expectLookup(engine, table.view(), TensorView(indices.data(), {4}), dtype);
  }
}

TEST_P(LookupMatrix, Modes) {
  std::vector<int64_t> indices = {
      3, -1, 4, 0, INT64_MIN, INT64_MAX, 2, int64_t(1) << 32, -4};
  std::vector<int32_t> narrow = {3, -1, 4, 0, INT32_MIN, INT32_MAX, 2, 100, -4};
  for (int64_t numRows : {0, 1, 4})
    for (int64_t rowLength : {0, 1, 17, 20000})
      for (auto mode :
           {EMBEDDING_OUT_OF_RANGE_CHECK, EMBEDDING_OUT_OF_RANGE_CLAMP,
            EMBEDDING_OUT_OF_RANGE_ZERO}) {
        SCOPED_TRACE("V = " + std::to_string(numRows) +
                     ", D = " + std::to_string(rowLength) + ", mode " +
                     std::to_string(mode));
        OwnedTensor table(kFloat32, {numRows, rowLength});
        expectLookup(engine, table.view(), TensorView(indices.data(), {3, 3}),
                     kFloat32, mode);
        expectLookup(engine, table.view(), TensorView(narrow.data(), {9}),
                     kFloat32, mode);
      }
}

TEST_P(LookupMatrix, Ranks) {
  OwnedTensor table(kFloat32, {4, 3});
  std::vector<int64_t> indices = {3, 0, 3, 2, 1, 1, 0, 2};
  for (std::vector<int64_t> shape : std::vector<std::vector<int64_t>>{
           {}, {0}, {8}, {2, 4}, {2, 1, 2, 2}, {2, 0, 3}})
    expectLookup(engine, table.view(), TensorView(indices.data(), shape),
                 kFloat32);
  OwnedTensor none(kFloat32, {0, 3});
  expectLookup(engine, none.view(), TensorView(indices.data(), {0}), kFloat32);
}

TEST_P(LookupMatrix, StridedTables) {
  std::vector<int32_t> indices = {2, 0, 1, 2};
  TensorView index(indices.data(), {4});
  OwnedTensor memory(kFloat32, {40, 40});
  auto *data = reinterpret_cast<float *>(memory.data());
  // Transposed; every third column; columns of a wider table; rows backwards;
  // one row for all; all backwards.
  for (auto [offset, shape, strides] : std::vector<
           std::tuple<int64_t, std::vector<int64_t>, std::vector<int64_t>>>{
           {0, {3, 17}, {1, 40}},
           {0, {3, 13}, {40, 3}},
           {5, {3, 17}, {40, 1}},
           {39 * 40, {3, 40}, {-40, 1}},
           {0, {3, 17}, {0, 1}},
           {39 * 40 + 39, {3, 17}, {-40, -1}},
           {0, {3, 5}, {40, 0}},
           {0, {3, 1}, {40, 9}}})
    expectLookup(engine, TensorView(data + offset, shape, strides), index,
                 kFloat32);
  OwnedTensor narrow(kBFloat16, {40, 40});
  expectLookup(engine, TensorView(narrow.data(), kBFloat16, {3, 17}, {1, 40}),
               index, kBFloat16);
}

TEST_P(LookupMatrix, StridedIndices) {
  OwnedTensor table(kFloat32, {60, 17});
  std::vector<int64_t> indices(70);
  for (size_t i = 0; i < indices.size(); ++i)
    indices[i] = static_cast<int64_t>(i * 7 % 60);
  for (auto [offset, shape, strides] : std::vector<
           std::tuple<int64_t, std::vector<int64_t>, std::vector<int64_t>>>{
           {0, {5, 6}, {1, 5}},
           {0, {7}, {3}},
           {9, {7}, {-1}},
           {0, {3, 4}, {0, 1}},
           {0, {3, 4}, {0, 0}},
           {0, {2, 3, 4}, {30, 1, 5}}})
    expectLookup(engine, table.view(),
                 TensorView(indices.data() + offset, shape, strides), kFloat32);
  // At an odd address.
  std::vector<char> bytes(indices.size() * 8 + 1);
  std::memcpy(bytes.data() + 1, indices.data(), indices.size() * 8);
  expectLookup(engine, table.view(),
               TensorView(bytes.data() + 1, DLDataType{kDLInt, 64, 1}, {70}),
               kFloat32);
}

TEST_P(LookupMatrix, StridedOutputs) {
  OwnedTensor table(kFloat32, {60, 5});
  std::vector<int64_t> indices = {7, 3, 59, 0, 3, 11};
  TensorView index(indices.data(), {2, 3});
  reference::Found found;
  std::vector<char> expected = reference::lookup(
      table.view().get(), index.get(), EMBEDDING_OUT_OF_RANGE_CHECK, found);
  // Transposed in each way, with gaps, backwards.
  for (auto [offset, strides] :
       std::vector<std::pair<int64_t, std::vector<int64_t>>>{
           {0, {15, 5, 1}},
           {0, {1, 2, 6}},
           {0, {5, 10, 1}},
           {0, {100, 30, 1}},
           {0, {100, 10, 2}},
           {500, {-100, -10, 1}},
           {0, {3, 1, 6}}}) {
    OwnedTensor memory(kFloat32, {1000});
    OwnedTensor before(kFloat32, {1000});
    TensorView out(reinterpret_cast<float *>(memory.data()) + offset, {2, 3, 5},
                   strides);
    engine.lookup(table.view(), index, out);
    DLTensor dlOut = out.get();
    for (int64_t i = 0; i < 30; ++i) {
      char *element = reference::at(dlOut, {i / 15, i / 5 % 3, i % 5});
      EXPECT_EQ(std::memcmp(element, expected.data() + i * 4, 4), 0);
      std::memcpy(element, before.data() + (element - memory.data()), 4);
    }
    // Nothing else was written.
    EXPECT_TRUE(std::equal(memory.data(), memory.data() + memory.size(),
                           before.data()));
    EXPECT_TRUE(memory.areGuardsIntact());

    // Positions are counted from the first row of all.
    std::vector<int64_t> bad = {7, 3, 59, 0, 60, -1};
    try {
      engine.lookup(table.view(), TensorView(bad.data(), {2, 3}), out);
      ADD_FAILURE() << "no error";
    } catch (const Error &error) {
      EXPECT_EQ(error.position(), 4);
      EXPECT_EQ(error.index(), 60);
      EXPECT_EQ(error.count(), 2);
    }
  }
}

// Of each size that rows which are not contiguous may have, and of no other.
TEST_P(LookupMatrix, StridedElements) {
  for (uint8_t bytes : {1, 2, 4, 8, 16, 3, 6, 12, 24, 32}) {
    SCOPED_TRACE(int(bytes));
    DLDataType type = {kDLUInt, 8, bytes};
    OwnedTensor table(type, {20, 6});
    std::vector<int32_t> indices = {8, 0, 3};
    TensorView odd(table.data(), type, {9, 3}, {12, 2});
    auto look = [&] {
      expectLookup(engine, odd, TensorView(indices.data(), {3}), type);
    };
    if (bytes <= 16 && (bytes & (bytes - 1)) == 0) {
      look();
      continue;
    }
    OwnedTensor out(type, {3, 3});
    try {
      engine.lookup(odd, TensorView(indices.data(), {3}), out.view());
      ADD_FAILURE() << "no error";
    } catch (const Error &error) {
      EXPECT_EQ(error.code(), EMBEDDING_UNSUPPORTED);
      EXPECT_EQ(std::string(error.what()),
                "table: rows that are not contiguous need elements of 1, 2, "
                "4, 8 or 16 bytes, but got " +
                    std::to_string(bytes));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lowerings, LookupMatrix,
                         testing::Values(EMBEDDING_LOWERING_OPTIMIZED,
                                         EMBEDDING_LOWERING_NAIVE),
                         [](const auto &info) {
                           return info.param == EMBEDDING_LOWERING_NAIVE
                                      ? "Naive"
                                      : "Optimized";
                         });

// The smallest position, its index and the count, wherever the bad indices are
// and however many threads look.
TEST(Lookup, OutOfRangeReport) {
  constexpr int64_t kCount = 40000, kNumRows = 100;
  OwnedTensor table(kFloat32, {kNumRows, 16});
  for (int numThreads : {1, 2, 3, 16}) {
    Engine engine(uncached(numThreads));
    for (std::vector<int64_t> bad :
         std::vector<std::vector<int64_t>>{{},
                                           {0},
                                           {kCount - 1},
                                           {kCount / 2},
                                           {0, kCount - 1},
                                           {17, 16, 18, 30000, 39999},
                                           {2047, 2048, 4096}}) {
      std::vector<int64_t> indices(kCount);
      for (int64_t i = 0; i < kCount; ++i)
        indices[i] = i % kNumRows;
      for (size_t i = 0; i < bad.size(); ++i)
        indices[bad[i]] = i % 2 ? -1 - static_cast<int64_t>(i)
                                : kNumRows + static_cast<int64_t>(i);
      expectLookup(engine, table.view(), TensorView(indices.data(), {kCount}),
                   kFloat32);
    }
    std::vector<int64_t> all(kCount, -5);
    expectLookup(engine, table.view(), TensorView(all.data(), {200, 200}),
                 kFloat32);
  }
}

TEST(Lookup, MessageNamesPositionAndValue) {
  Engine engine(uncached());
  OwnedTensor table(kFloat32, {4, 3});
  std::vector<int64_t> indices = {1, 9, -2};
  OwnedTensor out(kFloat32, {3, 3});
  try {
    engine.lookup(table.view(), TensorView(indices.data(), {3}), out.view());
    FAIL();
  } catch (const Error &error) {
    EXPECT_STREQ(error.what(), "indices: expected values in [0, 4), but got 9 "
                               "at flat position 1 (2 out of range in all)");
  }
}

// More elements than 32 bits count, in memory that is never touched.
TEST(Lookup, OffsetsOf64Bits) {
  constexpr int64_t kStride = int64_t(3) << 30; // Elements.
  constexpr size_t kBytes = size_t(kStride) * 4 * 2 + 4096;
  void *memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto *data = static_cast<float *>(memory);
  for (int row = 0; row < 3; ++row)
    for (int d = 0; d < 8; ++d)
      data[row * kStride + d] = static_cast<float>(10 * row + d);
  std::vector<int32_t> indices = {2, 0, 1};
  Engine engine(uncached());
  expectLookup(engine, TensorView(data, {3, 8}, {kStride, 1}),
               TensorView(indices.data(), {3}), kFloat32);
  munmap(memory, kBytes);
}

TEST(Lookup, ManyThreadsShareAnEngine) {
  Engine engine(uncached(2));
  std::vector<int64_t> indices = cornerIndices<int64_t>(50);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int64_t rowLength = 1; rowLength <= 6; ++rowLength)
        for (int repeat = 0; repeat < 20; ++repeat) {
          OwnedTensor table(kFloat32, {50, rowLength}, t);
          expectLookup(engine, table.view(),
                       TensorView(indices.data(), {int64_t(indices.size())}),
                       kFloat32);
        }
    });
  for (std::thread &thread : threads)
    thread.join();
  // One kernel for each row length, however many asked for it at once.
  EXPECT_EQ(engine.statistics().kernels_compiled, 6);
}

TEST(Lookup, LargeEnoughForAllThreads) {
  Engine engine(uncached(4));
  std::vector<int32_t> indices(30000);
  for (size_t i = 0; i < indices.size(); ++i)
    indices[i] = static_cast<int32_t>(i * 7919 % 1000);
  OwnedTensor table(kFloat32, {1000, 33});
  for (int repeat = 0; repeat < 20; ++repeat)
    expectLookup(engine, table.view(),
                 TensorView(indices.data(), {int64_t(indices.size())}),
                 kFloat32);
}

TEST(Lookup, CallersParallelFor) {
  EngineOptions options = uncached();
  struct Calls {
    int count = 0;
  } calls;
  options.parallel_for_context = &calls;
  // Backwards, to show that the order does not matter.
  options.parallel_for = [](void *context, int64_t size, int64_t grain,
                            EmbeddingRangeFunction function, void *range) {
    ++static_cast<Calls *>(context)->count;
    for (int64_t end = size; end > 0; end -= std::min(end, grain))
      function(range, end - std::min(end, grain), end);
  };
  Engine engine(options);
  std::vector<int64_t> indices(20000, 3);
  OwnedTensor table(kFloat32, {4, 64});
  expectLookup(engine, table.view(), TensorView(indices.data(), {20000}),
               kFloat32);
  indices[77] = indices[19999] = 4;
  expectLookup(engine, table.view(), TensorView(indices.data(), {20000}),
               kFloat32);
  EXPECT_EQ(calls.count, 2);
}

TEST(Lookup, CallersAllocator) {
  Heap heap;
  Engine engine(heap.options());
  OwnedTensor table(kFloat32, {60, 3});
  std::vector<int64_t> indices(30, 59);
  TensorView strided(indices.data(), {5, 3}, {1, 5});
  expectLookup(engine, table.view(), strided, kFloat32);
  EXPECT_EQ(heap.bytes, 128);
  EXPECT_EQ(heap.live, 0);
  // As much as is announced: where they are strided, or not at multiples of
  // their size.
  OwnedTensor out(kFloat32, {5, 3, 3}),
      odd(kInt64, {5, 3}, 1, /*misalignment=*/4);
  std::memset(odd.data(), 0, odd.size());
  std::vector<int32_t> narrow(30, 3);
  TensorView compact(indices.data(), {5, 3}),
      misaligned = odd.view(), narrowStrided(narrow.data(), {5, 3}, {6, 2});
  // In whole lines: 120 bytes of i64, 60 of i32.
  for (auto [index, expected] : {std::pair(&strided, size_t(128)),
                                 {&misaligned, 128},
                                 {&narrowStrided, 64},
                                 {&compact, 0}}) {
    TensorView tableView = table.view(), outView = out.view();
    DLTensor dlTable = tableView.get(), dlIndices = index->get(),
             dlOut = outView.get();
    size_t bytes = 1;
    EXPECT_EQ(embedding_lookup_workspace_size(engine.get(), &dlTable,
                                              &dlIndices, nullptr, &dlOut,
                                              &bytes, nullptr),
              EMBEDDING_OK);
    EXPECT_EQ(bytes, expected);
    heap.bytes = 0;
    engine.lookup(tableView, *index, outView);
    EXPECT_EQ(heap.bytes, expected);
  }
  EXPECT_EQ(heap.live, 0);
  // What needs no kernel says so too, and works without memory.
  heap.isExhausted = true;
  TensorView tableView = table.view(), none(indices.data(), {0, 3}, {9, 2}),
             noRows(out.data(), kFloat32, {0, 3, 3});
  DLTensor dlTable = tableView.get(), dlNone = none.get(),
           dlNoRows = noRows.get();
  size_t bytes = 1;
  EXPECT_EQ(embedding_lookup_workspace_size(engine.get(), &dlTable, &dlNone,
                                            nullptr, &dlNoRows, &bytes,
                                            nullptr),
            EMBEDDING_OK);
  EXPECT_EQ(bytes, 0u);
  engine.lookup(tableView, none, noRows);
  try {
    engine.lookup(table.view(), strided, out.view());
    FAIL();
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), EMBEDDING_OUT_OF_MEMORY);
  }
}

namespace {

/// Expects a lookup to fail with `code` and `message`, and to write nothing.
void expectFailure(EmbeddingStatusCode code, const std::string &message,
                   DLTensor table, DLTensor indices, DLTensor out,
                   EmbeddingLookupOptions options = LookupOptions()) {
  static Engine engine(uncached());
  EmbeddingStatus status;
  EXPECT_EQ(
      embedding_lookup(engine.get(), &table, &indices, &options, &out, &status),
      code);
  EXPECT_EQ(status.code, code);
  EXPECT_EQ(std::string(status.message), message);
  EXPECT_EQ(status.position, -1);
}

} // namespace

// Memory of the CPU that GPUs see too, and tensors that begin behind their
// data.
TEST(Lookup, FieldsOfTensors) {
  Engine engine(uncached());
  std::vector<float> table = {1, 2, 3, 4}, out(3);
  std::vector<int64_t> indices = {9, 1, 0};
  TensorView tableView(table.data(), {2, 1}), indexView(indices.data(), {2}),
      outView(out.data(), {2, 1});
  DLTensor dlTable = tableView.get(), dlIndices = indexView.get(),
           dlOut = outView.get();
  dlTable.byte_offset = 2 * sizeof(float);
  dlIndices.byte_offset = sizeof(int64_t);
  dlOut.byte_offset = sizeof(float);
  dlTable.device.device_type = kDLCUDAHost;
  EmbeddingStatus status;
  EXPECT_EQ(embedding_lookup(engine.get(), &dlTable, &dlIndices, nullptr,
                             &dlOut, &status),
            EMBEDDING_OK)
      << status.message;
  EXPECT_EQ(out, std::vector<float>({0, 4, 3}));

  // A status says nothing of a call before.
  indices[2] = 5;
  EXPECT_EQ(embedding_lookup(engine.get(), &dlTable, &dlIndices, nullptr,
                             &dlOut, &status),
            EMBEDDING_OUT_OF_RANGE);
  EXPECT_EQ(status.position, 1);
  EXPECT_EQ(status.index, 5);
  indices[2] = 0;
  EXPECT_EQ(embedding_lookup(engine.get(), &dlTable, &dlIndices, nullptr,
                             &dlOut, &status),
            EMBEDDING_OK);
  EXPECT_EQ(status.position, -1);
  EXPECT_EQ(status.index, 0);
  EXPECT_EQ(status.count, 0);
  EXPECT_STREQ(status.message, "");
}

TEST(Lookup, InvalidArguments) {
  std::vector<float> table(12), out(6, -1);
  std::vector<int64_t> indices = {0, 1};
  TensorView t(table.data(), {4, 3}), i(indices.data(), {2}),
      o(out.data(), {2, 3});
  auto with = [](const TensorView &view, auto change) {
    DLTensor tensor = view.get();
    change(tensor);
    return tensor;
  };
  constexpr auto kInvalid = EMBEDDING_INVALID_ARGUMENT;

  expectFailure(kInvalid, "table: expected 2 dimensions, but got 1",
                TensorView(table.data(), {12}).get(), i.get(), o.get());
  expectFailure(kInvalid, "indices: expected int32 or int64, but got float32",
                t.get(), TensorView(table.data(), {2}).get(), o.get());
  expectFailure(kInvalid, "indices: expected int32 or int64, but got uint64",
                t.get(), with(i, [](DLTensor &x) { x.dtype.code = kDLUInt; }),
                o.get());
  expectFailure(
      kInvalid, "out: expected the type of table, float32, but got int32",
      t.get(), i.get(), with(o, [](DLTensor &x) { x.dtype.code = kDLInt; }));
  expectFailure(kInvalid, "out: expected shape [2, 3], but got [3, 2]", t.get(),
                i.get(), TensorView(out.data(), {3, 2}).get());
  expectFailure(kInvalid, "out: expected shape [3], but got [2, 3]", t.get(),
                TensorView(indices.data(), std::vector<int64_t>{}).get(),
                o.get());
  expectFailure(kInvalid,
                "out: expected elements that do not share memory with each "
                "other",
                t.get(), i.get(), TensorView(out.data(), {2, 3}, {0, 1}).get());
  expectFailure(kInvalid,
                "out: expected memory apart from that of the other operands",
                t.get(), i.get(), TensorView(table.data(), {2, 3}).get());
  expectFailure(kInvalid, "table: expected data, but got null",
                with(t, [](DLTensor &x) { x.data = nullptr; }), i.get(),
                o.get());
  expectFailure(kInvalid, "table: expected a shape, but got null",
                with(t, [](DLTensor &x) { x.shape = nullptr; }), i.get(),
                o.get());
  expectFailure(kInvalid, "table: expected at most 32 dimensions, but got 33",
                with(t, [](DLTensor &x) { x.ndim = 33; }), i.get(), o.get());
  expectFailure(
      kInvalid, "table: expected elements of whole bytes, but got float12",
      with(t, [](DLTensor &x) { x.dtype.bits = 12; }), i.get(), o.get());
  expectFailure(kInvalid,
                "table: expected a size of at least 0 in dimension 1, but got "
                "-3",
                TensorView(table.data(), {4, -3}).get(), i.get(), o.get());
  expectFailure(kInvalid,
                "table: the shape [4611686018427387904, 4] has more bytes than "
                "64 bits count",
                TensorView(table.data(), {int64_t(1) << 62, 4}).get(), i.get(),
                o.get());
  // As many elements as 64 bits count, and not as many bytes.
  expectFailure(kInvalid,
                "table: the shape [2305843009213693952, 2] has more bytes than "
                "64 bits count",
                TensorView(table.data(), {int64_t(1) << 61, 2}).get(), i.get(),
                o.get());
  expectFailure(
      kInvalid,
      "table: stride 4611686018427387904 in dimension 0 leads further "
      "than 64 bits count",
      TensorView(table.data(), {4, 3}, {int64_t(1) << 62, 1}).get(), i.get(),
      o.get());
  expectFailure(kInvalid,
                "out: stride -9223372036854775808 in dimension 1 leads further "
                "than 64 bits count",
                t.get(), i.get(),
                TensorView(out.data(), {2, 3}, {3, INT64_MIN}).get());
  // Of two dimensions together.
  expectFailure(
      kInvalid,
      "table: stride 1152921504606846976 in dimension 1 leads "
      "further than 64 bits count",
      TensorView(table.data(), {2, 2}, {int64_t(1) << 60, int64_t(1) << 60})
          .get(),
      i.get(), o.get());
  std::vector<int8_t> byte(1);
  expectFailure(kInvalid,
                "table: stride -9223372036854775808 in dimension 0 leads "
                "further than 64 bits count",
                TensorView(byte.data(), {2, 1}, {INT64_MIN, 1}).get(), i.get(),
                o.get());
  expectFailure(EMBEDDING_UNSUPPORTED,
                "table: expected memory of the CPU or of an NVIDIA GPU, but "
                "got device type 8",
                with(t, [](DLTensor &x) { x.device.device_type = kDLMetal; }),
                i.get(), o.get());
  LookupOptions options;
  options.has_padding_idx = 1;
  options.padding_idx = 4;
  expectFailure(kInvalid,
                "padding_idx: expected it to be in [-4, 4), but got 4", t.get(),
                i.get(), o.get(), options);
  options.padding_idx = -5;
  expectFailure(kInvalid,
                "padding_idx: expected it to be in [-4, 4), but got -5",
                t.get(), i.get(), o.get(), options);
  options.has_padding_idx = 0;
  options.out_of_range = 4;
  expectFailure(kInvalid,
                "options: expected out_of_range to be 0 to 3, but got 4",
                t.get(), i.get(), o.get(), options);
  EXPECT_EQ(out, std::vector<float>(6, -1));

  EmbeddingStatus status;
  EXPECT_EQ(
      embedding_lookup(nullptr, nullptr, nullptr, nullptr, nullptr, &status),
      kInvalid);
  EXPECT_STREQ(status.message, "expected engine not to be null");
}

TEST(Lookup, StridedRowsMustBeAligned) {
  std::vector<char> table(100);
  std::vector<int64_t> indices = {0};
  std::vector<float> out(2);
  expectFailure(EMBEDDING_INVALID_ARGUMENT,
                "table: expected rows that are not contiguous to be aligned to "
                "their element of 4 bytes",
                TensorView(table.data() + 1, kFloat32, {2, 2}, {1, 2}).get(),
                TensorView(indices.data(), {1}).get(),
                TensorView(out.data(), {1, 2}).get());
  expectFailure(EMBEDDING_INVALID_ARGUMENT,
                "out: expected rows that are not contiguous to be aligned to "
                "their element of 4 bytes",
                TensorView(out.data(), {1, 2}).get(),
                TensorView(indices.data(), {1}).get(),
                TensorView(table.data() + 1, kFloat32, {1, 2}, {4, 2}).get());
}

TEST(Lookup, PaddingDoesNotChangeTheResult) {
  Engine engine(uncached());
  OwnedTensor table(kFloat32, {4, 3});
  std::vector<int64_t> indices = {1, 3};
  OwnedTensor out(kFloat32, {2, 3}), padded(kFloat32, {2, 3});
  LookupOptions options;
  options.has_padding_idx = 1;
  options.padding_idx = -1;
  TensorView index(indices.data(), {2});
  engine.lookup(table.view(), index, out.view());
  engine.lookup(table.view(), index, padded.view(), options);
  EXPECT_TRUE(std::equal(out.data(), out.data() + out.size(), padded.data()));
}
