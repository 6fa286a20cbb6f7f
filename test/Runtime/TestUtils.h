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

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace embedding::test {

inline constexpr DLDataType kBFloat16 = {kDLBfloat, 16, 1};
inline constexpr DLDataType kFloat16 = {kDLFloat, 16, 1};
inline constexpr DLDataType kFloat32 = {kDLFloat, 32, 1};
inline constexpr DLDataType kFloat64 = {kDLFloat, 64, 1};

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EMBEDDING_THREAD_SANITIZER 1
#endif
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define EMBEDDING_SANITIZER 1
#endif
#endif

/// ThreadSanitizer runs no new threads in the child of a process that has
/// several, and writes files of its own.
#if defined(EMBEDDING_THREAD_SANITIZER)
inline constexpr bool kIsThreadSanitized = true;
#else
inline constexpr bool kIsThreadSanitized = false;
#endif

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

/// Runs `body` with its number on each of `count` threads, at once.
template <typename Body> void runThreads(int count, const Body &body) {
  std::atomic<int> waiting{count};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      --waiting;
      while (waiting > 0)
        std::this_thread::yield();
      body(i);
    });
  for (std::thread &thread : threads)
    thread.join();
}

/// An allocator that counts, and that can be out of memory.
struct Heap {
  /// Of the last allocation.
  size_t bytes = 0;
  std::map<void *, size_t> sizes;
  int allocations = 0;
  int live = 0;
  /// That were live at once.
  int most = 0;
  bool isExhausted = false;

  EngineOptions options() {
    EngineOptions options = uncached();
    options.allocator_context = this;
    options.allocate = [](void *context, size_t size, size_t alignment) {
      auto *heap = static_cast<Heap *>(context);
      if (heap->isExhausted)
        return static_cast<void *>(nullptr);
      heap->bytes = size;
      ++heap->allocations;
      heap->most = std::max(heap->most, ++heap->live);
      void *memory = std::aligned_alloc(alignment, (size + alignment - 1) /
                                                       alignment * alignment);
      heap->sizes[memory] = size;
      return memory;
    };
    options.deallocate = [](void *context, void *memory, size_t size, size_t) {
      auto *heap = static_cast<Heap *>(context);
      EXPECT_EQ(size, heap->sizes[memory]);
      --heap->live;
      std::free(memory);
    };
    return options;
  }
};

/// A test that runs with an engine of each lowering.
class EachLowering : public testing::TestWithParam<EmbeddingLowering> {
protected:
  static EngineOptions optionsFor(EmbeddingLowering lowering) {
    EngineOptions options = uncached();
    options.lowering = lowering;
    return options;
  }

  Engine engine{optionsFor(GetParam())};
};

/// Bytes that look like nothing in particular.
inline std::vector<char> randomBytes(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<char> bytes(size);
  for (char &byte : bytes)
    byte = static_cast<char>(random());
  return bytes;
}

/// Whether `body` returns in a child, within `seconds` and without a failure.
template <typename Body>
bool worksInChild(const Body &body, unsigned seconds = 30) {
  pid_t child = fork();
  if (child == 0) {
    alarm(seconds);
    body();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_FALSE(WIFSIGNALED(status)) << "signal " << WTERMSIG(status);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

} // namespace embedding::test

#endif // EMBEDDING_TEST_RUNTIME_TESTUTILS_H
