//===- TestUtils.h - What the runtime's tests share -------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TEST_RUNTIME_TESTUTILS_H
#define EMBEDDING_TEST_RUNTIME_TESTUTILS_H

#include "embedding-runtime/Runtime.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <random>
#include <unistd.h>

namespace embedding::test {

/// A directory that goes when this object does.
class TemporaryDirectory {
public:
  TemporaryDirectory() {
    std::string name =
        std::filesystem::temp_directory_path() / "embedding-test-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
  TemporaryDirectory(const TemporaryDirectory &) = delete;
  TemporaryDirectory &operator=(const TemporaryDirectory &) = delete;

  std::string str() const { return path; }

private:
  std::filesystem::path path;
};

/// An engine with no memory between processes.
inline EngineOptions uncached(int numThreads = 1) {
  EngineOptions options;
  options.cache_dir = "";
  options.num_threads = numThreads;
  return options;
}

/// Bytes that look like nothing in particular.
inline std::vector<char> randomBytes(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<char> bytes(size);
  for (char &byte : bytes)
    byte = static_cast<char>(random());
  return bytes;
}

} // namespace embedding::test

#endif // EMBEDDING_TEST_RUNTIME_TESTUTILS_H
