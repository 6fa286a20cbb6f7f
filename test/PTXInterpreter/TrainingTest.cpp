//===- TrainingTest.cpp - Gradients and renorm on an interpreted GPU ------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The CPU and the GPU promise the same bits. What the CPU computes is compared
// with references of their own in the runtime's tests.
//
//===----------------------------------------------------------------------===//

#include "Programs.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>
#include <optional>
#include <random>

using namespace embedding;

namespace {

/// How much of a result means something.
struct Compared {
  int argument;
  /// The argument that says how many entries there are, or -1 for all of them,
  /// and how many there are besides.
  int count = -1;
  int64_t extra = 0;
};

class TrainingOnGPU : public testing::Test {
protected:
  /// Calls `source` on both and compares. The order of threads is another one
  /// in each call, unless `order` is given.
  void check(const std::string &source, const std::vector<Array> &arguments,
             const std::vector<Compared> &results,
             std::optional<ptx::Order> order = std::nullopt) {
    std::vector<Array> expected = arguments, actual = arguments;
    Report expectedReport, report;
    ASSERT_EQ(programs.callOnCPU(source, expected, expectedReport), "");
    ptx::Order next = order.value_or(ptx::kOrders[callCount++ % 4]);
    ASSERT_EQ(programs.callOnGPU(source, GPUOptions(), next, actual, report),
              "");
    EXPECT_EQ(report.position, expectedReport.position);
    EXPECT_EQ(report.index, expectedReport.index);
    EXPECT_EQ(report.count, expectedReport.count);
    if (expectedReport.count > 0)
      return;
    for (const Compared &result : results) {
      const Array &whole = expected[result.argument];
      size_t bytes = whole.bytes.size();
      if (result.count >= 0) {
        EXPECT_EQ(actual[result.count].bytes, expected[result.count].bytes);
        int64_t entries = expected[result.count].at<int64_t>(0) + result.extra;
        int64_t entryBytes = whole.elementBytes;
        for (size_t dim = 1; dim < whole.sizes.size(); ++dim)
          entryBytes *= whole.sizes[dim];
        bytes = static_cast<size_t>(entries * entryBytes);
      }
      EXPECT_EQ(std::memcmp(actual[result.argument].bytes.data(),
                            whole.bytes.data(), bytes),
                0)
          << "argument " << result.argument;
    }
  }

  size_t callCount = 0;
  Programs programs;
};

std::mt19937 generator(23);

} // namespace

static std::string makeSource(const std::string &arguments,
                              const std::string &body) {
  return "func.func @f(" + arguments +
         ") attributes {llvm.emit_c_interface} {\n" + body + "\n  return\n}\n";
}

static std::vector<int64_t> draw(int64_t count, int64_t numRows) {
  std::vector<int64_t> indices(count);
  for (int64_t &index : indices)
    index = static_cast<int64_t>(generator() % numRows);
  return indices;
}

/// Half of them name one row.
static std::vector<int64_t> drawHot(int64_t count, int64_t numRows) {
  std::vector<int64_t> indices = draw(count, numRows);
  for (int64_t &index : indices)
    if (generator() % 2)
      index = numRows / 2;
  return indices;
}

static Array asIndices(const std::vector<int64_t> &indices, int bits) {
  auto count = static_cast<int64_t>(indices.size());
  if (bits == 64)
    return Array::of(indices, {count});
  return Array::of(std::vector<int32_t>(indices.begin(), indices.end()),
                   {count});
}

static Array zeros(int64_t elementBytes, std::vector<int64_t> sizes) {
  int64_t bytes = elementBytes;
  for (int64_t size : sizes)
    bytes *= size;
  return {std::vector<char>(bytes, '\x55'), elementBytes, std::move(sizes)};
}

/// Numbers of a type, some of them with many bits.
static Array drawRows(const std::string &element, int64_t count,
                      int64_t length) {
  std::vector<double> values(count * length);
  for (double &value : values)
    value = std::ldexp(static_cast<double>(generator()) - 0x1p31,
                       -static_cast<int>(generator() % 8) - 28);
  if (element == "f64")
    return Array::of(values, {count, length});
  if (element == "f32")
    return Array::of(std::vector<float>(values.begin(), values.end()),
                     {count, length});
  if (element == "f16")
    return Array::of(std::vector<_Float16>(values.begin(), values.end()),
                     {count, length});
  std::vector<uint16_t> bits;
  for (double value : values) {
    auto narrow = static_cast<float>(value);
    uint32_t word;
    std::memcpy(&word, &narrow, sizeof(word));
    bits.push_back(static_cast<uint16_t>(word >> 16));
  }
  return Array::of(bits, {count, length});
}

static int64_t getBytes(const std::string &element) {
  return element == "f64" ? 8 : element == "f32" ? 4 : 2;
}

static const char *const kElements[] = {"f64", "f32", "f16", "bf16"};

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

static std::string getGroupSource(int64_t numRows, int bits,
                                  const std::string &attributes) {
  std::string indices = llvm::formatv("memref<?xi{0}>", bits);
  return makeSource(
      "%i: " + indices +
          ", %r: memref<?xi64>, %o: memref<?xi64>, %p: memref<?xi64>, "
          "%n: memref<i64>",
      llvm::formatv("  %v = arith.constant {0} : index\n  embedding.group "
                    "num_rows(%v) {1} ins(%i : {2}) outs(%r, %o, %p, %n : "
                    "memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<i64>)",
                    numRows, attributes, indices));
}

TEST_F(TrainingOnGPU, Group) {
  for (int64_t numRows : {1, 2, 255, 256, 257, 70000, 20000000})
    for (int64_t count : {0, 1, 2, 31, 257, 2048, 2049, 5000})
      for (const char *attributes :
           {"", "padding_idx(0)", "out_of_range(assume)"}) {
        if (numRows > 257 && count != 257 && count != 5000)
          continue;
        SCOPED_TRACE(std::to_string(numRows) + " " + std::to_string(count) +
                     attributes);
        Array indices = asIndices(draw(count, numRows), 64);
        check(getGroupSource(numRows, 64, attributes),
              {indices, zeros(8, {count}), zeros(8, {count + 1}),
               zeros(8, {count}), zeros(8, {})},
              {{1, 4}, {2, 4, 1}, {3}});
      }
}

TEST_F(TrainingOnGPU, GroupOfPatterns) {
  constexpr int64_t kCount = 4500, kRows = 300;
  std::vector<int64_t> sorted(kCount), reversed(kCount), equal(kCount, 7),
      outside = draw(kCount, kRows), allOutside(kCount, -1);
  for (int64_t i = 0; i < kCount; ++i) {
    sorted[i] = i * kRows / kCount;
    reversed[kCount - 1 - i] = sorted[i];
    if (generator() % 3 == 0)
      outside[i] = static_cast<int64_t>(generator() % 1000) - 400;
  }
  for (const std::vector<int64_t> &indices :
       {sorted, reversed, equal, drawHot(kCount, kRows), outside, allOutside})
    for (const char *attributes :
         {"out_of_range(check)", "out_of_range(zero)", "out_of_range(clamp)",
          "padding_idx(7) out_of_range(zero)"})
      check(getGroupSource(kRows, 32, attributes),
            {asIndices(indices, 32), zeros(8, {kCount}), zeros(8, {kCount + 1}),
             zeros(8, {kCount}), zeros(8, {})},
            {{1, 4}, {2, 4, 1}, {3}});
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

static std::string getDenseSource(const std::string &element,
                                  const std::string &length, int bits,
                                  const std::string &attributes) {
  std::string rows = "memref<?x" + length + "x" + element + ">";
  return makeSource(
      llvm::formatv("%g: {0}, %i: memref<?xi{1}>, %d: {0}", rows, bits),
      llvm::formatv("  embedding.dense_grad {0} ins(%g, %i : {1}, "
                    "memref<?xi{2}>) outs(%d : {1})",
                    attributes, rows, bits));
}

TEST_F(TrainingOnGPU, DenseGrad) {
  for (const char *element : kElements)
    for (int64_t length : {0, 1, 3, 5, 8, 16, 17, 64, 100, 101, 128, 768}) {
      SCOPED_TRACE(std::string(element) + " D=" + std::to_string(length));
      int64_t count = length > 200 ? 20 : 150, numRows = 40;
      bool isStatic = length % 2 || length == 64;
      check(getDenseSource(element, isStatic ? std::to_string(length) : "?", 64,
                           length % 3 ? "padding_idx(3)" : ""),
            {drawRows(element, count, length),
             asIndices(drawHot(count, numRows), 64),
             zeros(getBytes(element), {numRows, length})},
            {{2}});
    }
}

TEST_F(TrainingOnGPU, DenseGradOfLongGroups) {
  // Chunks of 128, combined 16 at a time: 128, 129, one level and two.
  for (const char *element : {"f64", "f32", "bf16"})
    for (int64_t count : {128, 129, 256, 1000, 2048, 2049, 4700})
      for (int64_t length : {4, 9}) {
        SCOPED_TRACE(std::string(element) + " N=" + std::to_string(count));
        for (const std::vector<int64_t> &indices :
             {std::vector<int64_t>(count, 2), drawHot(count, 5),
              draw(count, 3)})
          check(getDenseSource(element, std::to_string(length), 32,
                               count % 2 ? "scale_grad_by_freq" : ""),
                {drawRows(element, count, length), asIndices(indices, 32),
                 zeros(getBytes(element), {5, length})},
                {{2}});
      }
}

TEST_F(TrainingOnGPU, DenseGradOutOfRange) {
  std::vector<int64_t> indices = draw(300, 20);
  for (int64_t at : {7, 100, 299})
    indices[at] = at % 2 ? -at : 1000;
  for (const char *mode : {"check", "clamp", "zero"})
    for (int64_t numRows : {20, 0})
      check(getDenseSource("f32", "8", 64,
                           std::string("out_of_range(") + mode + ")"),
            {drawRows("f32", 300, 8), asIndices(indices, 64),
             zeros(4, {numRows, 8})},
            {{2}});
  // No positions at all.
  check(getDenseSource("f32", "8", 64, ""),
        {drawRows("f32", 0, 8), asIndices({}, 64), zeros(4, {20, 8})}, {{2}});
}

TEST_F(TrainingOnGPU, Coalesce) {
  for (const char *element : kElements)
    for (int64_t count : {0, 1, 200, 2500})
      for (const char *mode : {"check", "zero", "clamp", "assume"}) {
        SCOPED_TRACE(std::string(element) + " N=" + std::to_string(count) +
                     mode);
        std::vector<int64_t> indices = drawHot(count, 30);
        if (count == 200 && std::string(mode) != "assume")
          indices[150] = -1;
        std::string rows = std::string("memref<?x12x") + element + ">";
        check(makeSource(
                  llvm::formatv("%i: memref<?xi64>, %v: {0}, %r: "
                                "memref<?xi64>, %s: {0}, %n: memref<i64>",
                                rows),
                  llvm::formatv(
                      "  %c = arith.constant 30 : index\n  embedding.coalesce "
                      "num_rows(%c) out_of_range({0}) ins(%i, %v : "
                      "memref<?xi64>, {1}) outs(%r, %s, %n : memref<?xi64>, "
                      "{1}, memref<i64>)",
                      mode, rows)),
              {asIndices(indices, 64), drawRows(element, count, 12),
               zeros(8, {count}), zeros(getBytes(element), {count, 12}),
               zeros(8, {})},
              {{2, 4}, {3, 4}});
      }
}

TEST_F(TrainingOnGPU, SparseGrad) {
  for (const char *element : kElements)
    for (int64_t count : {0, 1, 300, 2500})
      for (const char *attributes :
           {"", "padding_idx(15)", "out_of_range(zero)",
            "padding_idx(15) scale_grad_by_freq out_of_range(clamp)",
            "scale_grad_by_freq", "out_of_range(assume)"}) {
        SCOPED_TRACE(std::string(element) + " N=" + std::to_string(count) +
                     attributes);
        std::vector<int64_t> indices = drawHot(count, 30);
        if (count == 300 && !std::strstr(attributes, "assume"))
          indices[150] = 31;
        std::string rows = std::string("memref<?x10x") + element + ">";
        check(
            makeSource(
                llvm::formatv("%g: {0}, %i: memref<?xi32>, %r: "
                              "memref<?xi64>, %v: {0}, %n: memref<i64>",
                              rows),
                llvm::formatv("  %c = arith.constant 30 : index\n  "
                              "embedding.sparse_grad num_rows(%c) {0} ins(%g, "
                              "%i : {1}, memref<?xi32>) outs(%r, %v, %n : "
                              "memref<?xi64>, {1}, memref<i64>)",
                              attributes, rows)),
            {drawRows(element, count, 10), asIndices(indices, 32),
             zeros(8, {count}), zeros(getBytes(element), {count, 10}),
             zeros(8, {})},
            {{2, 4}, {3, 4}});
      }
}

TEST_F(TrainingOnGPU, DoubleBackward) {
  for (const char *element : kElements)
    for (int64_t length : {0, 1, 16, 33, 64})
      for (const char *attributes :
           {"", "padding_idx(-1)", "scale_grad_by_freq",
            "padding_idx(15) scale_grad_by_freq out_of_range(zero)"}) {
        SCOPED_TRACE(std::string(element) + " D=" + std::to_string(length) +
                     attributes);
        constexpr int64_t kCount = 170;
        std::vector<int64_t> indices = drawHot(kCount, 30);
        if (length == 33)
          indices[150] = 31;
        std::string rows =
            "memref<?x" + std::to_string(length) + "x" + element + ">";
        check(makeSource(
                  llvm::formatv("%t: {0}, %i: memref<?xi64>, %o: {0}", rows),
                  llvm::formatv("  embedding.double_backward {0} ins(%t, %i : "
                                "{1}, memref<?xi64>) outs(%o : {1})",
                                attributes, rows)),
              {drawRows(element, 30, length), asIndices(indices, 64),
               zeros(getBytes(element), {kCount, length})},
              {{2}});
      }
}

//===----------------------------------------------------------------------===//
// Renorm
//===----------------------------------------------------------------------===//

static std::string getRenormSource(const std::string &element,
                                   const std::string &length,
                                   const std::string &attributes) {
  std::string rows = "memref<?x" + length + "x" + element + ">";
  return makeSource(
      llvm::formatv("%i: memref<?xi64>, %t: {0}", rows),
      llvm::formatv("  embedding.renorm {0} ins(%i : memref<?xi64>) "
                    "outs(%t : {1})",
                    attributes, rows));
}

TEST_F(TrainingOnGPU, Renorm) {
  for (const char *element : kElements)
    for (int64_t length : {0, 1, 3, 8, 16, 17, 64, 101, 768}) {
      SCOPED_TRACE(std::string(element) + " D=" + std::to_string(length));
      bool isStatic = length % 2;
      check(getRenormSource(element, isStatic ? std::to_string(length) : "?",
                            "max_norm(1.5)"),
            {asIndices(drawHot(length > 200 ? 30 : 130, 50), 64),
             drawRows(element, 50, length)},
            {{1}});
    }
}

// Many warps find a row that none of them has shortened yet; one may.
TEST_F(TrainingOnGPU, RenormOfOneRowByManyWarps) {
  for (int64_t length : {8, 40, 101})
    for (int64_t numRows : {1, 2, 5})
      for (int round = 0; round < 3; ++round) {
        SCOPED_TRACE("D=" + std::to_string(length) +
                     " V=" + std::to_string(numRows));
        check(getRenormSource("f32", std::to_string(length), "max_norm(0.25)"),
              {asIndices(draw(600, numRows), 64),
               drawRows("f32", numRows, length)},
              {{1}}, ptx::Order::interleaved);
      }
}

TEST_F(TrainingOnGPU, RenormOfEachNorm) {
  for (const char *element : {"f64", "f32", "f16"})
    for (const char *norm : {"0.0", "1.0", "2.0", "3.0", "0.5", "-1.5",
                             "0x7FF0000000000000", "0xFFF0000000000000"})
      for (const char *maxNorm : {"0.75", "0.0", "-1.0"}) {
        SCOPED_TRACE(std::string(element) + " p=" + norm);
        Array table = drawRows(element, 40, 20);
        // Zeros, infinities and what is no number.
        for (int64_t i = 0; i < 3 * getBytes(element); ++i)
          table.bytes[45 * getBytes(element) + i] = 0;
        for (int64_t i = 0; i < getBytes(element); ++i)
          table.bytes[105 * getBytes(element) + i] =
              static_cast<char>(i == getBytes(element) - 1 ? 0x7f : 0xff);
        check(getRenormSource(
                  element, "20",
                  llvm::formatv("max_norm({0}) norm_type({1})", maxNorm, norm)),
              {asIndices(draw(60, 40), 64), table}, {{1}});
      }
}

TEST_F(TrainingOnGPU, RenormOutOfRange) {
  std::vector<int64_t> indices = draw(300, 20);
  for (int64_t at : {7, 100, 299})
    indices[at] = at % 2 ? -at : 1000;
  for (const char *mode : {"check", "clamp", "zero"})
    for (int64_t numRows : {20, 0}) {
      std::vector<Array> arguments = {asIndices(indices, 64),
                                      drawRows("f32", numRows, 8)};
      std::string source = getRenormSource(
          "f32", "8", std::string("max_norm(0.5) out_of_range(") + mode + ")");
      check(source, arguments, {{1}});
      if (std::string(mode) != "check")
        continue;
      // No row has changed.
      std::vector<Array> actual = arguments;
      Report report;
      ASSERT_EQ(
          programs.callOnGPU(source, {}, ptx::Order::permuted, actual, report),
          "");
      EXPECT_EQ(report.count, numRows ? 3 : 300);
      EXPECT_EQ(actual[1].bytes, arguments[1].bytes);
    }
}

TEST_F(TrainingOnGPU, RenormLookup) {
  for (const char *element : kElements)
    for (const char *mode : {"check", "clamp", "zero"})
      for (int64_t bad : {0, 1}) {
        constexpr int64_t kCount = 180;
        std::vector<int64_t> indices = drawHot(kCount, 30);
        if (bad)
          indices[50] = 30;
        std::string rows = std::string("memref<?x24x") + element + ">";
        check(makeSource(
                  llvm::formatv("%i: memref<?xi64>, %t: {0}, %o: {0}", rows),
                  llvm::formatv("  embedding.renorm_lookup max_norm(1.0) "
                                "out_of_range({1}) ins(%i : memref<?xi64>) "
                                "outs(%t, %o : {0}, {0})",
                                rows, mode)),
              {asIndices(indices, 64), drawRows(element, 30, 24),
               zeros(getBytes(element), {kCount, 24})},
              {{1}, {2}});
      }
}
