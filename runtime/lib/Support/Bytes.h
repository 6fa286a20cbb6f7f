//===- Bytes.h - Fields as bytes --------------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What one process writes and another reads, of the same sources.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_SUPPORT_BYTES_H
#define EMBEDDING_RUNTIME_LIB_SUPPORT_BYTES_H

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace embedding::runtime {

class ByteWriter {
public:
  template <typename Number> void pass(const Number &number) {
    static_assert(std::is_arithmetic_v<Number> || std::is_enum_v<Number>);
    bytes.append(reinterpret_cast<const char *>(&number), sizeof(number));
  }
  void pass(const std::string_view &text) {
    pass(text.size());
    bytes += text;
  }
  void pass(const std::string &text) { pass(std::string_view(text)); }
  void pass(const std::vector<int64_t> &numbers) {
    pass(std::string_view(reinterpret_cast<const char *>(numbers.data()),
                          numbers.size() * sizeof(int64_t)));
  }

  std::string take() { return std::move(bytes); }

private:
  std::string bytes;
};

/// Takes what a ByteWriter was passed. What is not there is 0 or empty.
class ByteReader {
public:
  explicit ByteReader(std::string_view bytes) : bytes(bytes) {}

  template <typename Number> void pass(Number &number) {
    static_assert(std::is_arithmetic_v<Number> || std::is_enum_v<Number>);
    number = {};
    std::string_view taken = takeBytes(sizeof(number));
    std::memcpy(&number, taken.data(), taken.size());
  }
  /// Of the bytes that are read.
  void pass(std::string_view &text) {
    size_t size = 0;
    pass(size);
    text = takeBytes(size);
  }
  void pass(std::string &text) {
    std::string_view taken;
    pass(taken);
    text = taken;
  }
  void pass(std::vector<int64_t> &numbers) {
    std::string_view taken;
    pass(taken);
    numbers.resize(taken.size() / sizeof(int64_t));
    if (!numbers.empty())
      std::memcpy(numbers.data(), taken.data(),
                  numbers.size() * sizeof(int64_t));
  }

  /// Whether all was there so far.
  bool isWhole() const { return isAllThere; }
  /// Whether all was there, and no more.
  bool isDone() const { return isAllThere && bytes.empty(); }

private:
  std::string_view takeBytes(size_t size) {
    isAllThere &= size <= bytes.size();
    std::string_view taken = bytes.substr(0, isAllThere ? size : 0);
    bytes.remove_prefix(taken.size());
    return taken;
  }

  std::string_view bytes;
  bool isAllThere = true;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_SUPPORT_BYTES_H
