//===- LookupTest.cpp - Lookups on an interpreted GPU ---------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===

#include "Programs.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>
#include <random>

using namespace embedding;

namespace {

//===----------------------------------------------------------------------===//
// A lookup
//===----------------------------------------------------------------------===//

struct Lookup {
  std::string chip = "sm_90";
  std::string element = "f32";
  int64_t elementBytes = 4;
  int64_t rowLength = 8;
  bool hasStaticLength = true;
  int indexBits = 64;
  std::string mode = "check";
  /// Elements between rows and elements of the table and the output, if they
  /// are not dense.
  int64_t rowStride = 0;
  int64_t elementStride = 1;
  /// Of the begin of the table and the output, in elements.
  int64_t offset = 0;
  int64_t rowAlignment = 0;

  int64_t stride() const { return rowStride ? rowStride : rowLength; }
  bool isDense() const {
    return rowStride == 0 && elementStride == 1 && offset == 0;
  }
};

class LookupOnGPU : public testing::Test {
protected:
  /// Runs `lookup` in a table of `numRows` and compares with plain copies.
  void check(const Lookup &lookup, int64_t numRows,
             const std::vector<int64_t> &indices) {
    SCOPED_TRACE(lookup.chip + " " + lookup.element +
                 " D=" + std::to_string(lookup.rowLength) + " " + lookup.mode +
                 " N=" + std::to_string(indices.size()));
    auto count = static_cast<int64_t>(indices.size());
    std::mt19937 random(17);
    Array table = getRows(lookup, numRows), out = getRows(lookup, count);
    for (char &byte : table.bytes)
      byte =
          static_cast<char>(lookup.element == "i1" ? random() & 1 : random());
    std::fill(out.bytes.begin(), out.bytes.end(), '\x55');
    Array indexArray =
        lookup.indexBits == 64
            ? Array::of(indices, {count})
            : Array::of(std::vector<int32_t>(indices.begin(), indices.end()),
                        {count});
    Report expected;
    Array expectedOut = out;
    ++callCount;
    copyRows(lookup, numRows, indices, table, expectedOut, expected);
    for (ptx::Order order : ptx::kOrders) {
      if (!inAllOrders && order != ptx::kOrders[callCount % 4])
        continue;
      std::vector<Array> arguments = {table, indexArray, out};
      Report report;
      ASSERT_EQ(programs.callOnGPU(getSource(lookup),
                                   {lookup.chip, lookup.rowAlignment}, order,
                                   arguments, report),
                "");
      // All of it: what is between rows must be as it was.
      EXPECT_EQ(arguments[2].bytes, expectedOut.bytes);
      EXPECT_TRUE(report == expected);
    }
  }

private:
  static std::string getSource(const Lookup &lookup) {
    std::string length =
        lookup.hasStaticLength ? std::to_string(lookup.rowLength) : "?";
    std::string layout =
        lookup.isDense() ? ""
                         : llvm::formatv(", strided<[?, {0}], offset: ?>",
                                         lookup.elementStride == 1 ? "1" : "?")
                               .str();
    std::string rows =
        "memref<?x" + length + "x" + lookup.element + layout + ">";
    std::string indices = llvm::formatv("memref<?xi{0}>", lookup.indexBits);
    return llvm::formatv(
        "func.func @f(%t: {0}, %i: {1}, %o: {0}) attributes "
        "{{llvm.emit_c_interface} {{\n embedding.lookup out_of_range({2}) "
        "ins(%t, %i : {0}, {1}) outs(%o : {0})\n return\n}",
        rows, indices, lookup.mode);
  }

  static Array getRows(const Lookup &lookup, int64_t count) {
    Array rows;
    rows.bytes.resize((lookup.offset + count * lookup.stride()) *
                      lookup.elementBytes);
    rows.elementBytes = lookup.elementBytes;
    rows.sizes = {count, lookup.rowLength};
    rows.strides = {lookup.stride(), lookup.elementStride};
    rows.offset = lookup.offset;
    return rows;
  }

  static void copyRows(const Lookup &lookup, int64_t numRows,
                       const std::vector<int64_t> &indices, const Array &table,
                       Array &out, Report &report) {
    for (size_t i = 0; i < indices.size(); ++i) {
      int64_t row = indices[i];
      bool isIn = row >= 0 && row < numRows;
      if (!isIn && lookup.mode == "check" && report.count++ == 0) {
        report.position = static_cast<int64_t>(i);
        report.index = row;
      }
      if (lookup.mode == "clamp" && numRows > 0) {
        row = std::clamp<int64_t>(row, 0, numRows - 1);
        isIn = true;
      }
      for (int64_t d = 0; d < lookup.rowLength; ++d) {
        auto at = [&](int64_t row) {
          return (lookup.offset + row * lookup.stride() +
                  d * lookup.elementStride) *
                 lookup.elementBytes;
        };
        char *to = out.bytes.data() + at(static_cast<int64_t>(i));
        if (isIn)
          std::memcpy(to, table.bytes.data() + at(row), lookup.elementBytes);
        else
          std::memset(to, 0, lookup.elementBytes);
      }
    }
  }

protected:
  /// Positions that are reported depend on other threads; rows do not.
  bool inAllOrders = false;

private:
  size_t callCount = 0;
  Programs programs;
};

} // namespace

static std::vector<int64_t> randomIndices(int64_t count, int64_t numRows) {
  std::mt19937 random(5);
  std::vector<int64_t> indices(count);
  for (int64_t &index : indices)
    index = static_cast<int64_t>(random() % numRows);
  return indices;
}

TEST_F(LookupOnGPU, RowLengths) {
  for (const char *chip : {"sm_80", "sm_90", "sm_100"})
    for (int64_t length :
         {0, 1, 3, 5, 8, 16, 17, 64, 100, 101, 128, 768, 4096}) {
      Lookup lookup;
      lookup.chip = chip;
      lookup.rowLength = length;
      check(lookup, 11, randomIndices(length > 500 ? 9 : 133, 11));
    }
}

TEST_F(LookupOnGPU, ElementTypes) {
  for (auto [element, bytes] : {std::pair("f64", 8),
                                {"f32", 4},
                                {"f16", 2},
                                {"bf16", 2},
                                {"i64", 8},
                                {"i32", 4},
                                {"i16", 2},
                                {"i8", 1}})
    for (int64_t length : {1, 3, 16, 17, 64, 100, 101, 128})
      for (int indexBits : {32, 64}) {
        Lookup lookup;
        lookup.element = element;
        lookup.elementBytes = bytes;
        lookup.rowLength = length;
        lookup.indexBits = indexBits;
        check(lookup, 7, randomIndices(70, 7));
      }
}

TEST_F(LookupOnGPU, ElementsThatFillNoBytes) {
  for (bool hasStaticLength : {true, false}) {
    Lookup lookup;
    lookup.element = "i1";
    lookup.elementBytes = 1;
    lookup.rowLength = 32;
    lookup.hasStaticLength = hasStaticLength;
    lookup.rowAlignment = 16;
    check(lookup, 7, randomIndices(70, 7));
  }
}

TEST_F(LookupOnGPU, DynamicRowLength) {
  for (int64_t length : {0, 1, 5, 64, 101, 768})
    for (int64_t alignment : {0, 4, 8, 16}) {
      Lookup lookup;
      lookup.rowLength = length;
      lookup.hasStaticLength = false;
      lookup.rowAlignment = alignment;
      // The promise holds for rows of a whole number of lanes, apart.
      if (alignment > 4) {
        int64_t lane = alignment / 4;
        lookup.rowStride = (length / lane + 1) * lane;
        lookup.offset = lane;
      }
      check(lookup, 5, randomIndices(40, 5));
    }
}

TEST_F(LookupOnGPU, Strided) {
  for (int64_t length : {1, 3, 16, 64, 101}) {
    Lookup lookup;
    lookup.rowLength = length;
    lookup.rowStride = length + 3;
    lookup.offset = 1;
    check(lookup, 6, randomIndices(50, 6));
    lookup.elementStride = 2;
    lookup.rowStride = 2 * length + 1;
    check(lookup, 6, randomIndices(50, 6));
    // Rows that are aligned although their length is odd have a tail.
    lookup.elementStride = 1;
    lookup.rowStride = (length + 7) / 4 * 4;
    lookup.offset = 8;
    lookup.rowAlignment = 16;
    check(lookup, 6, randomIndices(50, 6));
  }
}

TEST_F(LookupOnGPU, Sizes) {
  for (int64_t count : {0, 1, 2, 63, 64, 65, 1000}) {
    Lookup lookup;
    lookup.rowLength = 64;
    check(lookup, 3, randomIndices(count, 3));
  }
}

TEST_F(LookupOnGPU, OutOfRange) {
  inAllOrders = true;
  std::vector<int64_t> indices = randomIndices(300, 9);
  for (int64_t at : {299, 41, 40, 120})
    indices[at] = at % 2 ? -3 : 9 + at;
  std::vector<int64_t> allBad(100, int64_t(1) << 31);
  for (const char *mode : {"check", "clamp", "zero"})
    for (int64_t length : {0, 1, 16, 64, 768}) {
      Lookup lookup;
      lookup.mode = mode;
      lookup.rowLength = length;
      check(lookup, 9, indices);
      check(lookup, 9, allBad);
      // A table of no rows.
      check(lookup, 0, {0, -1, 5});
    }
  Lookup lookup;
  lookup.mode = "assume";
  check(lookup, 9, randomIndices(100, 9));
}
