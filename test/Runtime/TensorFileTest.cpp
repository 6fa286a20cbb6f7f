//===- TensorFileTest.cpp - Files as they come, damaged ones included -----===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorFile.h"

#include <gtest/gtest.h>
#include <random>

using namespace embedding::tools;
using llvm::StringRef;

namespace {

std::string npy(const std::string &header, const std::string &data,
                char major = 1) {
  std::string file("\x93NUMPY", 6);
  file += {major, 0};
  size_t length = header.size() + 1;
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i)
    file += static_cast<char>(length >> 8 * i);
  return file + header + "\n" + data;
}

std::string safetensors(const std::string &header, const std::string &data) {
  std::string file;
  for (int i = 0; i < 8; ++i)
    file += static_cast<char>(header.size() >> 8 * i);
  return file + header + data;
}

std::string messageOf(llvm::Expected<TensorHeader> header) {
  return header ? "no error" : llvm::toString(header.takeError());
}

/// A view of `bytes` in memory of exactly that size, so that a sanitizer sees
/// any read beyond.
struct Exact {
  explicit Exact(const std::string &bytes)
      : memory(new char[bytes.size()]), size(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), memory.get());
  }
  StringRef get() const { return {memory.get(), size}; }
  std::unique_ptr<char[]> memory;
  size_t size;
};

const char kGoodHeader[] =
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
const char kGoodTensors[] =
    R"({"__metadata__":{"format":"pt"},)"
    R"("wte.weight":{"dtype":"BF16","shape":[2,2],"data_offsets":[4,12]},)"
    R"("i":{"dtype":"I32","shape":[],"data_offsets":[0,4]}})";

/// Changes `good` at random and hands it to `parse`, whose headers must stay
/// within the file.
template <typename Parse> void fuzz(const std::string &good, Parse parse) {
  std::mt19937_64 random(13);
  const std::string tokens[] = {"{",    "}",
                                "[",    "]",
                                "(",    ")",
                                "'",    "\"",
                                ",",    ":",
                                "-1",   "18446744073709551616",
                                "None", std::string(1, '\0'),
                                "\\",   "9223372036854775807"};
  for (int i = 0; i < 30000; ++i) {
    std::string bytes = good;
    for (uint64_t n = random() % 4 + 1; n > 0; --n) {
      size_t at = random() % (bytes.size() + 1);
      switch (random() % 4) {
      case 0:
        bytes.insert(at, tokens[random() % std::size(tokens)]);
        break;
      case 1:
        bytes.erase(at, random() % 5);
        break;
      case 2:
        bytes.resize(at);
        break;
      default:
        if (at < bytes.size())
          bytes[at] = static_cast<char>(random());
      }
      if (bytes.empty())
        bytes = "x";
    }
    Exact exact(bytes);
    llvm::Expected<TensorHeader> header = parse(exact.get());
    if (!header) {
      EXPECT_FALSE(llvm::toString(header.takeError()).empty());
      continue;
    }
    ASSERT_LE(header->dataOffset, bytes.size());
    ASSERT_LE(header->dataBytes, bytes.size() - header->dataOffset);
    uint64_t count = header->elementBytes;
    for (int64_t size : header->shape) {
      ASSERT_GE(size, 0);
      count *= static_cast<uint64_t>(size);
    }
    ASSERT_EQ(count, header->dataBytes);
  }
}

} // namespace

TEST(Npy, Versions) {
  for (char major : {1, 2, 3}) {
    std::string file = npy(kGoodHeader, std::string(24, 'x'), major);
    llvm::Expected<TensorHeader> header = parseNpy(file);
    ASSERT_TRUE(bool(header)) << llvm::toString(header.takeError());
    EXPECT_EQ(header->elementType, "f32");
    EXPECT_EQ(header->shape, llvm::SmallVector<int64_t>({2, 3}));
    EXPECT_FALSE(header->isFortranOrder);
    EXPECT_EQ(header->dataOffset, file.size() - 24);
    EXPECT_EQ(header->dataBytes, 24u);
  }
}

TEST(Npy, Shapes) {
  auto shapeOf = [](const std::string &shape, size_t bytes) {
    llvm::Expected<TensorHeader> header = parseNpy(npy(
        "{\"shape\":" + shape + ",\"fortran_order\":True,\"descr\":\"|u1\"}",
        std::string(bytes, 'x')));
    EXPECT_TRUE(bool(header)) << llvm::toString(header.takeError());
    EXPECT_TRUE(header->isFortranOrder);
    return header->shape;
  };
  EXPECT_EQ(shapeOf("()", 1), llvm::SmallVector<int64_t>());
  EXPECT_EQ(shapeOf("(4,)", 4), llvm::SmallVector<int64_t>({4}));
  EXPECT_EQ(shapeOf("(2, 0, 3)", 0), llvm::SmallVector<int64_t>({2, 0, 3}));
}

TEST(Npy, Errors) {
  auto error = [](const std::string &file) {
    return messageOf(parseNpy(file));
  };
  std::string good = npy(kGoodHeader, std::string(24, 'x'));
  EXPECT_EQ(error(""), "magic: expected '\\x93NUMPY' at byte 0");
  EXPECT_EQ(error(good.substr(0, 7)), "version: the file ends at byte 7");
  EXPECT_EQ(error(good.substr(0, 9)), "header length: the file ends at byte 9");
  EXPECT_EQ(error(npy(kGoodHeader, "", 4)),
            "version: 4.0 at byte 6 is not supported");
  EXPECT_EQ(error(good.substr(0, 40)),
            "header length: 60 at byte 8 goes beyond the file's 40 bytes");
  EXPECT_EQ(error(good.substr(0, good.size() - 1)),
            "data: expected 24 bytes from byte 70 on, but the file has 93 "
            "bytes");
  EXPECT_EQ(
      error(npy("{'descr': '>f4', 'fortran_order': False, 'shape': ()}", "")),
      "descr: big-endian type '>f4' at byte 19 is not supported");
  EXPECT_EQ(
      error(npy("{'descr': '|O', 'fortran_order': False, 'shape': ()}", "")),
      "descr: type '|O' at byte 19 is not supported");
  EXPECT_EQ(error(npy("{'descr': [('a', '<f4')]}", "")),
            "descr: expected a string (structured types are not supported) at "
            "byte 20");
  EXPECT_EQ(error(npy("{'descr': '<f4', 'fortran_order': No}", "")),
            "fortran_order: expected True or False at byte 44");
  EXPECT_EQ(error(npy("{'shape': (2, -1)}", "")),
            "shape: expected a size that fits 63 bits at byte 24");
  EXPECT_EQ(error(npy("{'shape': (99999999999999999999,)}", "")),
            "shape: expected a size that fits 63 bits at byte 21");
  EXPECT_EQ(
      error(npy("{'descr': '<f4', 'fortran_order': False, 'shape': "
                "(9223372036854775807, 9223372036854775807)}",
                "")),
      "data: expected more than 2^63 bytes from byte 104 on, but the file "
      "has 104 bytes");
  EXPECT_EQ(error(npy("{'other': 1}", "")),
            "header: unknown key 'other' at byte 11");
  EXPECT_EQ(error(npy("{'shape': (), 'shape': ()}", "")),
            "header: second key 'shape' at byte 24");
  EXPECT_EQ(error(npy("{'descr': '<f4', 'shape': ()}", "")),
            "header: no fortran_order");
  EXPECT_EQ(error(npy("", "")), "header: expected '{' at byte 11");
}

TEST(Npy, WritesWhatItReads) {
  const std::pair<const char *, int64_t> types[] = {
      {"f64", 8},          {"f32", 4},          {"f16", 2}, {"i64", 8},
      {"i32", 4},          {"i16", 2},          {"i8", 1},  {"i1", 1},
      {"complex<f32>", 8}, {"complex<f64>", 16}};
  for (auto [type, bytes] : types) {
    std::string header = writeNpyHeader(type, bytes, {3, 5});
    EXPECT_EQ(header.size() % 64, 0u);
    llvm::Expected<TensorHeader> read =
        parseNpy(header + std::string(15 * 16, 'x'));
    ASSERT_TRUE(bool(read)) << llvm::toString(read.takeError());
    EXPECT_EQ(read->elementType, type);
    EXPECT_EQ(read->elementBytes, bytes);
    EXPECT_EQ(read->shape, llvm::SmallVector<int64_t>({3, 5}));
    EXPECT_EQ(read->dataOffset, header.size());
  }
}

// As Python spells them: (3) is a number there, and no tuple.
TEST(Npy, WritesLiterals) {
  auto fields = [](const char *type, int64_t bytes,
                   llvm::ArrayRef<int64_t> shape) {
    std::string header = writeNpyHeader(type, bytes, shape);
    size_t end = header.find('}');
    EXPECT_NE(end, std::string::npos);
    return header.substr(10, end + 1 - 10);
  };
  EXPECT_EQ(fields("f32", 4, {}),
            "{'descr': '<f4', 'fortran_order': False, 'shape': (), }");
  EXPECT_EQ(fields("f32", 4, {3}),
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }");
  EXPECT_EQ(fields("i8", 1, {3, 0}),
            "{'descr': '|i1', 'fortran_order': False, 'shape': (3, 0), }");
  // Types that NumPy has no name for, by what an element takes.
  EXPECT_EQ(fields("index", 8, {1}),
            "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }");
  EXPECT_EQ(fields("bf16", 2, {1}),
            "{'descr': '<V2', 'fortran_order': False, 'shape': (1,), }");
  EXPECT_EQ(fields("f8E5M2", 1, {1}),
            "{'descr': '|V1', 'fortran_order': False, 'shape': (1,), }");
  EXPECT_EQ(fields("i40", 8, {1}),
            "{'descr': '<V8', 'fortran_order': False, 'shape': (1,), }");
}

TEST(Npy, Fuzz) { fuzz(npy(kGoodHeader, std::string(24, 'x')), parseNpy); }

TEST(Safetensors, Finds) {
  std::string file = safetensors(kGoodTensors, std::string(12, 'x'));
  llvm::Expected<TensorHeader> header = parseSafetensors(file, "wte.weight");
  ASSERT_TRUE(bool(header)) << llvm::toString(header.takeError());
  EXPECT_EQ(header->elementType, "bf16");
  EXPECT_EQ(header->shape, llvm::SmallVector<int64_t>({2, 2}));
  EXPECT_EQ(header->dataOffset, file.size() - 8);
  EXPECT_EQ(header->dataBytes, 8u);
  llvm::Expected<TensorHeader> scalar = parseSafetensors(file, "i");
  ASSERT_TRUE(bool(scalar)) << llvm::toString(scalar.takeError());
  EXPECT_TRUE(scalar->shape.empty());
  // Brackets in a string are no nesting, whatever quotes are in it too.
  file = safetensors(
      R"({"\"[[[[[[[[[[\\":{"dtype":"I32","shape":[],"data_offsets":[0,4]}})",
      std::string(4, 'x'));
  llvm::Expected<TensorHeader> quoted =
      parseSafetensors(file, R"("[[[[[[[[[[\)");
  EXPECT_TRUE(bool(quoted)) << llvm::toString(quoted.takeError());
}

TEST(Safetensors, Errors) {
  auto error = [](const std::string &header, const std::string &name = "t") {
    return messageOf(
        parseSafetensors(safetensors(header, std::string(8, 'x')), name));
  };
  EXPECT_EQ(messageOf(parseSafetensors("short", "t")),
            "header length: the file ends at byte 5");
  EXPECT_EQ(messageOf(parseSafetensors(std::string(8, '\x7f'), "t")),
            "header length: 9187201950435737471 at byte 0 goes beyond the "
            "file's 8 bytes");
  EXPECT_EQ(error("[]"), "header: expected an object at byte 8");
  EXPECT_EQ(error("{").rfind("header: from byte 8 on: ", 0), 0u);
  EXPECT_EQ(error(R"({"a":{},"b":{},"__metadata__":{}})"),
            "t: no tensor of this name; there are: a, b");
  EXPECT_EQ(error(R"({"t":{}})"), "t: expected dtype to be a string");
  EXPECT_EQ(error(R"({"t":{"dtype":"F4"}})"), "t: dtype 'F4' is not supported");
  EXPECT_EQ(error(R"({"t":{"dtype":"F32"}})"),
            "t: expected shape to be an array");
  EXPECT_EQ(error(R"({"t":{"dtype":"F32","shape":[-1]}})"),
            "t: expected shape to hold sizes");
  EXPECT_EQ(error(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0]}})"),
            "t: expected data_offsets to be two offsets");
  EXPECT_EQ(error(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})"),
            "t: data_offsets [4, 12] go beyond the data, 8 bytes from byte 63 "
            "on");
  EXPECT_EQ(error(R"({"t":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})"),
            "t: data_offsets [0, 8] hold 8 bytes, but shape and dtype make 12");
  EXPECT_EQ(error(std::string(1000, '[')),
            "header: brackets nest too deep at byte 16");
}

TEST(Safetensors, Fuzz) {
  fuzz(safetensors(kGoodTensors, std::string(12, 'x')),
       [](StringRef file) { return parseSafetensors(file, "wte.weight"); });
}
