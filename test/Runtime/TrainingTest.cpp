//===- TrainingTest.cpp - Renorm and gradients against the reference ------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"
#include "TrainingReference.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <set>
#include <thread>

using namespace embedding;
using namespace embedding::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Floats of any type, in a compact tensor.
class Floats {
public:
  Floats(DLDataType type, std::vector<int64_t> shape)
      : type(type), shape(std::move(shape)) {
    size_t size = 1;
    for (int64_t dim : this->shape)
      size *= dim;
    // With room to start at an address that is aligned to nothing else.
    bytes.resize((size + 1) * type.bits / 8);
  }

  static Floats random(DLDataType type, std::vector<int64_t> shape,
                       uint64_t seed) {
    Floats floats(type, std::move(shape));
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    for (int64_t i = 0; i < floats.size(); ++i)
      floats.set(i, normal(random));
    return floats;
  }

  int64_t size() const { return bytes.size() * 8 / type.bits - 1; }
  double operator[](int64_t i) const {
    return reference::load(type, address(i));
  }
  void set(int64_t i, double value) {
    if (type.bits == 64) {
      std::memcpy(address(i), &value, 8);
      return;
    }
    float rounded = static_cast<float>(value);
    if (type.bits == 32) {
      std::memcpy(address(i), &rounded, 4);
      return;
    }
    // The upper half of an f32 is a bf16; an f16 is found among them all.
    uint32_t bits;
    std::memcpy(&bits, &rounded, 4);
    uint16_t stored = static_cast<uint16_t>(bits >> 16);
    if (reference::isHalf(type))
      stored = encodeHalf(reference::roundTo(type, value));
    std::memcpy(address(i), &stored, 2);
  }
  void fill(double value) {
    for (int64_t i = 0; i < size(); ++i)
      set(i, value);
  }

  TensorView view() { return TensorView(address(0), type, shape); }
  bool operator==(const Floats &other) const { return bytes == other.bytes; }

private:
  static uint16_t encodeHalf(double value) {
    uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    value = std::fabs(value);
    if (value == kInfinity)
      return sign | 0x7c00;
    if (std::isnan(value))
      return 0x7e00;
    if (value < 0x1p-14)
      return sign | static_cast<uint16_t>(std::ldexp(value, 24));
    int exponent = std::ilogb(value);
    auto mantissa = static_cast<uint16_t>(std::ldexp(value, 10 - exponent));
    return sign | static_cast<uint16_t>((exponent + 14) * 1024 + mantissa);
  }

  char *address(int64_t i) { return bytes.data() + (i + 1) * type.bits / 8; }
  const char *address(int64_t i) const {
    return bytes.data() + (i + 1) * type.bits / 8;
  }

  DLDataType type;
  std::vector<int64_t> shape;
  std::vector<char> bytes;
};

/// Uniform, one that takes many positions (several chunks), sorted and
/// reversed.
std::vector<int64_t> cornerIndices(int64_t numRows) {
  std::mt19937_64 random(3);
  std::vector<int64_t> indices, drawn;
  for (int i = 0; i < 60; ++i)
    drawn.push_back(static_cast<int64_t>(random() % numRows));
  indices = drawn;
  indices.insert(indices.end(), 700, numRows / 2);
  std::sort(drawn.begin(), drawn.end());
  indices.insert(indices.end(), drawn.begin(), drawn.end());
  indices.insert(indices.end(), drawn.rbegin(), drawn.rend());
  return indices;
}

TensorView viewOf(std::vector<int64_t> &indices) {
  return TensorView(indices.data(), {static_cast<int64_t>(indices.size())});
}

void expectDenseGrad(Engine &engine, DLDataType type, int64_t numRows,
                     int64_t rowLength, std::vector<int64_t> &indices,
                     const GradOptions &options = {}) {
  auto count = static_cast<int64_t>(indices.size());
  Floats gradOutput = Floats::random(type, {count, rowLength}, 5);
  Floats grad(type, {numRows, rowLength});
  grad.fill(77);
  engine.denseGrad(gradOutput.view(), viewOf(indices), grad.view(), options);
  reference::GradOptions given;
  given.scaleGradByFreq = options.scale_grad_by_freq;
  if (options.has_padding_idx)
    given.paddingRow = (options.padding_idx + numRows) % numRows;
  for (int64_t row = 0; row < numRows; ++row)
    for (int64_t d = 0; d < rowLength; ++d) {
      reference::Sum sum = reference::gradOf(
          row, d, indices, given, type,
          [&](int64_t i, int64_t d) { return gradOutput[i * rowLength + d]; });
      ASSERT_NEAR(grad[row * rowLength + d], sum.value, sum.bound)
          << "row " << row << ", element " << d;
    }
}

void expectRenorm(Engine &engine, DLDataType type, int64_t numRows,
                  int64_t rowLength, std::vector<int64_t> &indices,
                  double maxNorm, double p) {
  Floats table = Floats::random(type, {numRows, rowLength}, 6), before = table;
  RenormOptions options;
  options.norm_type = p;
  engine.renorm(table.view(), viewOf(indices), maxNorm, options);
  std::set<int64_t> named(indices.begin(), indices.end());
  for (int64_t row = 0; row < numRows; ++row) {
    std::vector<double> expected;
    for (int64_t d = 0; d < rowLength; ++d)
      expected.push_back(before[row * rowLength + d]);
    if (named.count(row))
      expected = reference::renormOf(expected, maxNorm, p, type);
    for (int64_t d = 0; d < rowLength; ++d)
      ASSERT_NEAR(table[row * rowLength + d], expected[d],
                  (2 * reference::storedEpsilon(type) +
                   static_cast<double>(rowLength) * 0x1p-53) *
                      std::fabs(expected[d]))
          << "row " << row << ", element " << d;
  }
}

class Training : public EachLowering {};

} // namespace

TEST_P(Training, TypesAndRowLengths) {
  constexpr int64_t kNumRows = 23;
  std::vector<int64_t> indices = cornerIndices(kNumRows);
  for (DLDataType type : {kFloat64, kFloat32, kFloat16, kBFloat16})
    for (int64_t rowLength : {0, 1, 17, 300}) {
      SCOPED_TRACE("type " + std::to_string(type.code) + " of " +
                   std::to_string(type.bits) +
                   " bits, D = " + std::to_string(rowLength));
      expectDenseGrad(engine, type, kNumRows, rowLength, indices);
      expectRenorm(engine, type, kNumRows, rowLength, indices, 1.0, 2.0);
    }
}

TEST_P(Training, Options) {
  std::vector<int64_t> indices = cornerIndices(9);
  GradOptions options;
  options.has_padding_idx = 1;
  options.padding_idx = -5; // Row 4, which takes most positions.
  expectDenseGrad(engine, kFloat32, 9, 5, indices, options);
  options.scale_grad_by_freq = 1;
  expectDenseGrad(engine, kFloat32, 9, 5, indices, options);
  expectDenseGrad(engine, kFloat64, 9, 5, indices, options);
  options.has_padding_idx = 0;
  expectDenseGrad(engine, kBFloat16, 9, 5, indices, options);
}

TEST_P(Training, NormTypes) {
  std::vector<int64_t> indices = {0, 3, 3, 5};
  for (double p : {0.0, 1.0, 3.0, 0.5, -1.0, kInfinity, -kInfinity})
    for (double maxNorm : {0.0, 0.5, 2.0, -1.0}) {
      SCOPED_TRACE("p = " + std::to_string(p) +
                   ", max_norm = " + std::to_string(maxNorm));
      expectRenorm(engine, kFloat32, 7, 19, indices, maxNorm, p);
    }
}

TEST_P(Training, NormsOfSpecialValues) {
  double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<int64_t> indices = {0, 1, 2};
  Floats table(kFloat32, {3, 2});
  // NaN leaves a row alone; Inf makes 0 of what is finite; an f32 whose square
  // is none still has a norm.
  for (auto [i, value] : {std::pair(0, nan),
                          {1, 100.0},
                          {2, kInfinity},
                          {3, 7.0},
                          {4, 3e30},
                          {5, 4e30}})
    table.set(i, value);
  engine.renorm(table.view(), viewOf(indices), 1.0);
  EXPECT_TRUE(std::isnan(table[0]));
  EXPECT_EQ(table[1], 100.0);
  EXPECT_TRUE(std::isnan(table[2]));
  EXPECT_EQ(table[3], 0.0);
  EXPECT_NEAR(table[4], 0.6, 1e-6);
  EXPECT_NEAR(table[5], 0.8, 1e-6);
  // No norm exceeds NaN.
  Floats before = table;
  engine.renorm(table.view(), viewOf(indices), nan);
  EXPECT_EQ(table, before);
}

TEST_P(Training, EmptyOperands) {
  std::vector<int64_t> none, one = {0};
  Floats nothing(kFloat32, {0, 4}), grad(kFloat32, {3, 4}),
      noRows(kFloat32, {0, 4}), value(kFloat32, {1, 4}), to(kFloat32, {1, 4});
  grad.fill(77);
  engine.denseGrad(nothing.view(), viewOf(none), grad.view());
  for (int64_t i = 0; i < grad.size(); ++i)
    EXPECT_EQ(grad[i], 0.0);
  engine.denseGrad(nothing.view(), viewOf(none), noRows.view());
  engine.renorm(noRows.view(), viewOf(none), 1.0);
  std::vector<int64_t> rows;
  EXPECT_EQ(engine.coalesce(viewOf(none), nothing.view(), 9, viewOf(rows),
                            nothing.view()),
            0);
  // In a table of no rows, every index is out of range.
  GradOptions options;
  options.out_of_range = EMBEDDING_OUT_OF_RANGE_CLAMP;
  rows = {7};
  EXPECT_EQ(engine.sparseGrad(value.view(), viewOf(one), 0, viewOf(rows),
                              to.view(), options),
            0);
}

// Rows that have no elements are not walked, however many there are.
TEST_P(Training, HugeTablesOfNoElements) {
  constexpr int64_t kRows = int64_t(1) << 61;
  TensorView table(static_cast<float *>(nullptr), {kRows, 0});
  for (const std::vector<int64_t> &names :
       {std::vector<int64_t>(), {kRows - 1, 5, kRows - 1}}) {
    auto count = static_cast<int64_t>(names.size());
    std::vector<int64_t> indices = names, rows(count);
    TensorView grad(static_cast<float *>(nullptr), {count, 0});
    engine.lookup(table, viewOf(indices), grad);
    engine.renorm(table, viewOf(indices), 1.0);
    GradOptions options;
    options.has_padding_idx = 1;
    options.padding_idx = 5;
    for (int32_t scales : {0, 1}) {
      options.scale_grad_by_freq = scales;
      engine.denseGrad(grad, viewOf(indices), table, options);
      engine.doubleBackward(table, viewOf(indices), grad, options);
      EXPECT_EQ(engine.sparseGrad(grad, viewOf(indices), kRows, viewOf(rows),
                                  grad, options),
                count == 0 ? 0 : 2);
    }
    EXPECT_EQ(engine.coalesce(viewOf(indices), grad, kRows, viewOf(rows), grad),
              count == 0 ? 0 : 2);
  }
  std::vector<int64_t> bad = {0, kRows};
  try {
    engine.denseGrad(TensorView(static_cast<float *>(nullptr), {2, 0}),
                     viewOf(bad), table);
    FAIL();
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), EMBEDDING_OUT_OF_RANGE);
    EXPECT_EQ(error.position(), 1);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Lowerings, Training,
    testing::Values(EMBEDDING_LOWERING_OPTIMIZED, EMBEDDING_LOWERING_NAIVE),
    [](const testing::TestParamInfo<EmbeddingLowering> &info) {
      return info.param == EMBEDDING_LOWERING_NAIVE ? "Naive" : "Optimized";
    });

namespace {

/// The bits of everything that can be computed, for comparison.
std::vector<Floats> computeAll(Engine &engine, DLDataType type) {
  constexpr int64_t kNumRows = 1000, kRowLength = 64, kCount = 20000;
  std::mt19937_64 random(9);
  std::vector<int64_t> indices(kCount);
  for (int64_t &index : indices) // Half of them name one row.
    index = random() % 2 ? 500 : static_cast<int64_t>(random() % kNumRows);
  Floats gradOutput = Floats::random(type, {kCount, kRowLength}, 5);
  Floats grad(type, {kNumRows, kRowLength}), sums(type, {kCount, kRowLength}),
      table = Floats::random(type, {kNumRows, kRowLength}, 6),
      out(type, {kCount, kRowLength});
  std::vector<int64_t> rows(kCount);
  GradOptions options;
  options.scale_grad_by_freq = 1;
  engine.denseGrad(gradOutput.view(), viewOf(indices), grad.view(), options);
  EXPECT_EQ(engine.coalesce(viewOf(indices), gradOutput.view(), kNumRows,
                            viewOf(rows), sums.view()),
            static_cast<int64_t>(
                std::set<int64_t>(indices.begin(), indices.end()).size()));
  LookupOptions lookup;
  lookup.has_max_norm = 1;
  lookup.max_norm = 7.5;
  engine.lookup(table.view(), viewOf(indices), out.view(), lookup);
  return {grad, sums, table, out};
}

} // namespace

TEST(TrainingEngines, AnyNumberOfThreadsGivesTheSameBits) {
  TemporaryDirectory cache;
  std::string directory = cache.str();
  std::vector<Floats> expected;
  for (int numThreads : {1, 2, 3, 16}) {
    SCOPED_TRACE(numThreads);
    EngineOptions options;
    options.num_threads = numThreads;
    options.cache_dir = directory.c_str();
    Engine engine(options);
    std::vector<Floats> computed = computeAll(engine, kFloat32);
    if (expected.empty())
      expected = computed;
    EXPECT_TRUE(computed == expected);
  }
}

// Rows of large outputs are stored around the caches; one thread scatters
// gradients, and more of them sort.
TEST(TrainingEngines, LargeOutputsHaveTheBitsOfTheNaiveLowering) {
  for (int64_t rowLength : {64, 300}) {
    SCOPED_TRACE("D = " + std::to_string(rowLength));
    int64_t numRows = (8 << 20) / (rowLength * 4) + 100, count = numRows + 50;
    std::mt19937_64 random(9);
    std::vector<int64_t> indices(count);
    for (int64_t &index : indices)
      index =
          random() % 8 == 0 ? 500 : static_cast<int64_t>(random() % numRows);
    Floats gradOutput = Floats::random(kFloat32, {count, rowLength}, 5);
    Floats table = Floats::random(kFloat32, {numRows, rowLength}, 6);
    auto compute = [&](EmbeddingLowering lowering, int numThreads) {
      EngineOptions engineOptions = uncached(numThreads);
      engineOptions.lowering = lowering;
      Engine engine(engineOptions);
      Floats grad(kFloat32, {numRows, rowLength}),
          sums(kFloat32, {count, rowLength}),
          values(kFloat32, {count, rowLength}),
          gathered(kFloat32, {count, rowLength}),
          out(kFloat32, {count, rowLength}), shortened = table;
      // Rows of sparse results behind the last are not written.
      sums.fill(0);
      values.fill(0);
      std::vector<int64_t> rows(count);
      GradOptions options;
      options.has_padding_idx = 1;
      options.padding_idx = 7;
      engine.denseGrad(gradOutput.view(), viewOf(indices), grad.view(),
                       options);
      engine.coalesce(viewOf(indices), gradOutput.view(), numRows, viewOf(rows),
                      sums.view());
      engine.sparseGrad(gradOutput.view(), viewOf(indices), numRows,
                        viewOf(rows), values.view(), options);
      engine.doubleBackward(table.view(), viewOf(indices), gathered.view(),
                            options);
      LookupOptions lookup;
      lookup.has_max_norm = 1;
      lookup.max_norm = 2.5;
      engine.lookup(shortened.view(), viewOf(indices), out.view(), lookup);
      return std::vector<Floats>{grad, sums, values, gathered, out, shortened};
    };
    std::vector<Floats> expected = compute(EMBEDDING_LOWERING_NAIVE, 3);
    for (int numThreads : {1, 2, 3})
      EXPECT_TRUE(compute(EMBEDDING_LOWERING_OPTIMIZED, numThreads) ==
                  expected);
  }
}

TEST(TrainingEngines, AnyCPUGivesTheSameBits) {
  for (DLDataType type : {kFloat16, kBFloat16}) {
    Engine native(uncached(2));
    std::vector<Floats> expected = computeAll(native, type);
    // Neither has registers for bf16; the first has no conversions of f16.
    for (const char *cpu : {"x86-64", "x86-64-v3"}) {
      SCOPED_TRACE(cpu);
      EngineOptions options = uncached(2);
      options.cpu = cpu;
      Engine engine(options);
      try {
        EXPECT_TRUE(computeAll(engine, type) == expected);
      } catch (const Error &error) {
        // A machine that is older than the CPU asked for.
        EXPECT_NE(std::string(error.what()).find("cannot run code"),
                  std::string::npos)
            << error.what();
      }
    }
  }
}

TEST(TrainingEngines, ManyCallers) {
  Engine engine(uncached(2));
  std::vector<Floats> expected = computeAll(engine, kFloat32);
  std::vector<std::thread> callers;
  std::atomic<int> equal{0};
  for (int i = 0; i < 4; ++i)
    callers.emplace_back(
        [&] { equal += computeAll(engine, kFloat32) == expected; });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(equal, 4);
}

TEST(TrainingEngines, CallersThreads) {
  EngineOptions options = uncached(1);
  static std::atomic<int> calls;
  calls = 0;
  options.parallel_for = [](void *, int64_t size, int64_t grain,
                            EmbeddingRangeFunction function, void *range) {
    ++calls;
    // Backwards, one by one.
    for (int64_t end = size; end > 0; end -= grain)
      function(range, std::max<int64_t>(end - grain, 0), end);
  };
  Engine engine(options), own(uncached(1));
  EXPECT_TRUE(computeAll(engine, kFloat32) == computeAll(own, kFloat32));
  EXPECT_GT(calls, 5);
}

TEST(TrainingEngines, LookupWithRenormIsRenormAndLookup) {
  Engine engine(uncached(2));
  std::vector<int64_t> indices = cornerIndices(30);
  indices.resize(800);
  for (double p : {2.0, kInfinity}) {
    Floats table = Floats::random(kFloat32, {30, 20}, 8), renormed = table;
    Floats out(kFloat32, {40, 20, 20}), expected(kFloat32, {40, 20, 20});
    TensorView index(indices.data(), {40, 20});
    RenormOptions renorm;
    renorm.norm_type = p;
    engine.renorm(renormed.view(), index, 0.75, renorm);
    engine.lookup(renormed.view(), index, expected.view());
    LookupOptions options;
    options.has_max_norm = 1;
    options.max_norm = 0.75;
    options.norm_type = p;
    engine.lookup(table.view(), index, out.view(), options);
    EXPECT_EQ(table, renormed);
    EXPECT_EQ(out, expected);
  }
}

TEST(TrainingEngines, WorkspaceIsWhatWasAnnounced) {
  Heap heap;
  Engine engine(heap.options());
  std::vector<int64_t> indices = {3, 1, 1, 0, 3, 2}, rows(6);
  Floats values = Floats::random(kFloat32, {6, 5}, 1), sums(kFloat32, {6, 5}),
         table = Floats::random(kFloat32, {4, 5}, 2);
  TensorView valuesView = values.view(), sumsView = sums.view(),
             tableView = table.view(), rowsView = viewOf(rows),
             // Neither contiguous indices nor rows at one stride.
      indexView(indices.data(), {2, 3}, {1, 2}), flatView = viewOf(indices),
             spreadView(static_cast<float *>(valuesView.get().data), {2, 3, 5},
                        {5, 10, 1});
  DLTensor dlValues = valuesView.get(), dlSums = sumsView.get(),
           dlTable = tableView.get(), dlRows = rowsView.get(),
           dlIndices = indexView.get(), dlFlat = flatView.get(),
           dlSpread = spreadView.get();
  LookupOptions lookup;
  lookup.has_max_norm = 1;
  lookup.max_norm = 1;
  EmbeddingEngine *e = engine.get();
  EmbeddingStatus status;
  int64_t nnz;
  struct Operation {
    std::function<EmbeddingStatusCode(size_t *)> announce;
    std::function<EmbeddingStatusCode()> run;
  };
  std::vector<Operation> operations = {
      {[&](size_t *bytes) {
         return embedding_lookup_workspace_size(
             e, &dlTable, &dlIndices, &lookup, &dlSpread, bytes, &status);
       },
       [&] {
         return embedding_lookup(e, &dlTable, &dlIndices, &lookup, &dlSpread,
                                 &status);
       }},
      {[&](size_t *bytes) {
         return embedding_renorm_workspace_size(e, &dlTable, &dlIndices, 0.5,
                                                nullptr, bytes, &status);
       },
       [&] {
         return embedding_renorm(e, &dlTable, &dlIndices, 0.5, nullptr,
                                 &status);
       }},
      {[&](size_t *bytes) {
         return embedding_dense_grad_workspace_size(
             e, &dlSpread, &dlIndices, nullptr, &dlTable, bytes, &status);
       },
       [&] {
         return embedding_dense_grad(e, &dlSpread, &dlIndices, nullptr,
                                     &dlTable, &status);
       }},
      {[&](size_t *bytes) {
         return embedding_sparse_grad_workspace_size(e, &dlSpread, &dlIndices,
                                                     4, nullptr, &dlRows,
                                                     &dlSums, bytes, &status);
       },
       [&] {
         return embedding_sparse_grad(e, &dlSpread, &dlIndices, 4, nullptr,
                                      &dlRows, &dlSums, &nnz, &status);
       }},
      {[&](size_t *bytes) {
         return embedding_coalesce_workspace_size(e, &dlFlat, &dlValues, 4,
                                                  nullptr, &dlRows, &dlSums,
                                                  bytes, &status);
       },
       [&] {
         return embedding_coalesce(e, &dlFlat, &dlValues, 4, nullptr, &dlRows,
                                   &dlSums, &nnz, &status);
       }},
      {[&](size_t *bytes) {
         return embedding_double_backward_workspace_size(
             e, &dlTable, &dlIndices, nullptr, &dlSpread, bytes, &status);
       },
       [&] {
         return embedding_double_backward(e, &dlTable, &dlIndices, nullptr,
                                          &dlSpread, &status);
       }},
  };
  for (size_t i = 0; i < operations.size(); ++i) {
    SCOPED_TRACE(i);
    size_t bytes = 0;
    heap.allocations = 0;
    ASSERT_EQ(operations[i].announce(&bytes), EMBEDDING_OK) << status.message;
    EXPECT_EQ(heap.allocations, 0);
    EXPECT_GT(bytes, 0u);
    ASSERT_EQ(operations[i].run(), EMBEDDING_OK) << status.message;
    EXPECT_EQ(heap.allocations, 1);
    EXPECT_EQ(heap.bytes, bytes);
    EXPECT_EQ(heap.live, 0);
    // Each piece of it starts at a multiple of this, and so does what would
    // follow the last.
    EXPECT_EQ(bytes % 64, 0u);

    Floats tableBefore = table, sumsBefore = sums, valuesBefore = values;
    heap.isExhausted = true;
    EXPECT_EQ(operations[i].run(), EMBEDDING_OUT_OF_MEMORY);
    heap.isExhausted = false;
    EXPECT_EQ(table, tableBefore);
    EXPECT_EQ(sums, sumsBefore);
    EXPECT_EQ(values, valuesBefore);
    EXPECT_EQ(operations[i].announce(nullptr), EMBEDDING_INVALID_ARGUMENT);
  }
}

TEST(TrainingEngines, AFailingCallWritesNothing) {
  Engine engine(uncached(2));
  constexpr int64_t kCount = 40000;
  Floats gradOutput = Floats::random(kFloat32, {kCount, 3}, 1),
         table = Floats::random(kFloat32, {50, 3}, 2), before = table;
  for (const std::vector<int64_t> &bad : std::vector<std::vector<int64_t>>{
           {0}, {kCount - 1}, {kCount / 2}, {3, 77, 20000, 39998}}) {
    std::vector<int64_t> indices(kCount, 7);
    for (int64_t position : bad)
      indices[position] = position % 2 ? -1 : 50;
    LookupOptions lookup;
    lookup.has_max_norm = 1;
    lookup.max_norm = 0.1;
    for (const auto &call : std::vector<std::function<void()>>{
             [&] { engine.renorm(table.view(), viewOf(indices), 0.1); },
             [&] {
               engine.lookup(table.view(), viewOf(indices), gradOutput.view(),
                             lookup);
             },
             [&] {
               engine.denseGrad(gradOutput.view(), viewOf(indices),
                                table.view());
             }}) {
      try {
        call();
        FAIL();
      } catch (const Error &error) {
        EXPECT_EQ(error.code(), EMBEDDING_OUT_OF_RANGE);
        EXPECT_EQ(error.position(), bad.front());
        EXPECT_EQ(error.index(), indices[bad.front()]);
        EXPECT_EQ(error.count(), static_cast<int64_t>(bad.size()));
      }
      EXPECT_EQ(table, before);
    }
  }
}

TEST(TrainingEngines, RowsBeyond32Bits) {
  Engine engine(uncached());
  int64_t numRows = int64_t(1) << 40;
  std::vector<int64_t> indices = {numRows - 1, 5, numRows - 1,
                                  int64_t(1) << 33},
                       rows(4);
  Floats values = Floats::random(kFloat64, {4, 2}, 1), sums(kFloat64, {4, 2});
  ASSERT_EQ(engine.coalesce(viewOf(indices), values.view(), numRows,
                            viewOf(rows), sums.view()),
            3);
  EXPECT_EQ(rows[0], 5);
  EXPECT_EQ(rows[1], int64_t(1) << 33);
  EXPECT_EQ(rows[2], numRows - 1);
  EXPECT_EQ(sums[4], values[0] + values[4]);
  try {
    engine.coalesce(viewOf(indices), values.view(), INT64_MAX, viewOf(rows),
                    sums.view());
    FAIL();
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), EMBEDDING_UNSUPPORTED);
  }
}

namespace {

/// Expects `call` to fail as an invalid argument with `message`.
void expectInvalid(const std::string &message,
                   const std::function<void()> &call) {
  try {
    call();
    ADD_FAILURE() << "no error: " << message;
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), EMBEDDING_INVALID_ARGUMENT);
    EXPECT_EQ(std::string(error.what()), message);
  }
}

} // namespace

TEST(TrainingEngines, InvalidArguments) {
  Engine engine(uncached());
  std::vector<int64_t> indices = {0, 1}, rows(2);
  std::vector<int32_t> integers(12), integersOut(6), narrowRows(2);
  Floats table(kFloat32, {4, 3}), half(kFloat16, {2, 3}),
      rowsOf(kFloat32, {2, 3}), other(kFloat32, {2, 3}), wide(kFloat32, {2, 4});
  auto index = [&] { return viewOf(indices); };
  expectInvalid(
      "table: expected float16, bfloat16, float32 or float64, but got int32",
      [&] { engine.renorm(TensorView(integers.data(), {4, 3}), index(), 1); });
  expectInvalid("table: expected 2 dimensions, but got 1", [&] {
    engine.renorm(TensorView(table.view().get().data, kFloat32, {12}), index(),
                  1);
  });
  expectInvalid("table: expected data aligned to its elements of 4 bytes", [&] {
    engine.renorm(TensorView(static_cast<char *>(table.view().get().data) + 1,
                             kFloat32, {3, 3}),
                  index(), 1);
  });
  expectInvalid("table: expected elements that do not share memory with each "
                "other",
                [&] {
                  engine.renorm(TensorView(table.view().get().data, kFloat32,
                                           {4, 3}, {0, 1}),
                                index(), 1);
                });
  expectInvalid("options: expected norm_type not to be NaN", [&] {
    RenormOptions options;
    options.norm_type = std::nan("");
    engine.renorm(table.view(), index(), 1, options);
  });
  expectInvalid(
      "grad_output: expected the type of grad_table, float32, but got float16",
      [&] { engine.denseGrad(half.view(), index(), table.view()); });
  expectInvalid("grad_output: expected shape [2, 3], but got [2, 4]",
                [&] { engine.denseGrad(wide.view(), index(), table.view()); });
  expectInvalid(
      "grad_table: expected memory apart from that of the other operands",
      [&] { engine.denseGrad(rowsOf.view(), index(), rowsOf.view()); });
  expectInvalid("padding_idx: expected it to be in [-4, 4), but got 4", [&] {
    GradOptions options;
    options.has_padding_idx = 1;
    options.padding_idx = 4;
    engine.denseGrad(rowsOf.view(), index(), table.view(), options);
  });
  expectInvalid("rows: expected int64, but got int32", [&] {
    engine.sparseGrad(rowsOf.view(), index(), 4,
                      TensorView(narrowRows.data(), {2}), other.view());
  });
  expectInvalid("rows: expected contiguous and aligned data", [&] {
    engine.sparseGrad(rowsOf.view(), index(), 4,
                      TensorView(reinterpret_cast<char *>(rows.data()) + 4,
                                 DLDataType{kDLInt, 64, 1}, {2}),
                      other.view());
  });
  expectInvalid("values: expected shape [2, 3], but got [4, 3]", [&] {
    engine.sparseGrad(rowsOf.view(), index(), 4, viewOf(rows), table.view());
  });
  expectInvalid("num_rows: expected at least 0, but got -1", [&] {
    engine.coalesce(index(), rowsOf.view(), -1, viewOf(rows), other.view());
  });
  expectInvalid("indices: expected 1 dimension, but got 2", [&] {
    engine.coalesce(TensorView(indices.data(), {1, 2}), rowsOf.view(), 4,
                    viewOf(rows), other.view());
  });
  expectInvalid("out: expected shape [2, 3], but got [2, 4]", [&] {
    engine.doubleBackward(table.view(), index(), wide.view());
  });
  expectInvalid(
      "table: expected float16, bfloat16, float32 or float64, but got int32",
      [&] {
        LookupOptions options;
        options.has_max_norm = 1;
        engine.lookup(TensorView(integers.data(), {4, 3}), index(),
                      TensorView(integersOut.data(), {2, 3}), options);
      });
  expectInvalid("options: expected norm_type not to be NaN", [&] {
    LookupOptions options;
    options.has_max_norm = 1;
    options.norm_type = std::nan("");
    engine.lookup(table.view(), index(), rowsOf.view(), options);
  });
}

TEST(Training, PositionsAndRowsOfMoreThan64Bits) {
  // Of 33 and of 32 bits; the product of the counts is less than 2^64.
  int64_t index = 0;
  TensorView indices(&index, {(int64_t(1) << 32) + 1}, {0});
  TensorView table(static_cast<float *>(nullptr), {int64_t(1) << 31, 0});
  Engine engine(uncached());
  try {
    engine.renorm(table, indices, 1.0);
    FAIL();
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), EMBEDDING_UNSUPPORTED);
    EXPECT_EQ(std::string(error.what()),
              "indices: expected positions and rows of 64 bits together, but "
              "got 4294967297 positions and 2147483648 rows");
  }
  // One position less has 32 bits.
  TensorView fewer(&index, {int64_t(1) << 32}, {0});
  DLTensor dlTable = table.get(), dlFewer = fewer.get();
  size_t bytes = 0;
  EmbeddingStatus status;
  EXPECT_EQ(embedding_renorm_workspace_size(engine.get(), &dlTable, &dlFewer,
                                            1.0, nullptr, &bytes, &status),
            EMBEDDING_OK)
      << status.message;
}
