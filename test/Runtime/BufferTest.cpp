//===- BufferTest.cpp - Buffers, tensors and huge pages -------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Host/BufferPool.h"
#include "Host/HugePages.h"
#include "TestUtils.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sys/mman.h>
#include <thread>

using namespace embedding;
using namespace embedding::test;

namespace {

constexpr size_t kMiB = size_t(1) << 20;

/// A buffer of `size` bytes, written in full.
void *allocate(Engine &engine, size_t size) {
  void *memory = nullptr;
  EmbeddingStatus status;
  EXPECT_EQ(embedding_buffer_allocate(engine.get(), size, &memory, &status),
            EMBEDDING_OK)
      << status.message;
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 64, 0u);
  std::memset(memory, 0x5a, size);
  return memory;
}

void deallocate(Engine &engine, void *memory, size_t size) {
  embedding_buffer_deallocate(engine.get(), memory, size);
}

} // namespace

TEST(Buffers, AreUsedAgain) {
  for (size_t size :
       {size_t(1), size_t(100), size_t(70'000), size_t(5) << 20}) {
    SCOPED_TRACE(size);
    Engine engine(uncached());
    void *first = allocate(engine, size);
    EXPECT_EQ(engine.statistics().idle_buffer_bytes, 0);
    deallocate(engine, first, size);
    EXPECT_GE(engine.statistics().idle_buffer_bytes,
              static_cast<int64_t>(size));
    void *again = allocate(engine, size);
    EXPECT_EQ(again, first);
    // One that is in use is not given to another.
    void *other = allocate(engine, size);
    EXPECT_NE(other, again);
    deallocate(engine, other, size);
    deallocate(engine, again, size);
  }
}

TEST(Buffers, AreNotKeptIfNotWanted) {
  EngineOptions options = uncached();
  options.max_idle_buffer_bytes = 1;
  Engine engine(options);
  deallocate(engine, allocate(engine, 1000), 1000);
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, 0);
}

TEST(Buffers, OfNoBytes) {
  Engine engine(uncached());
  void *memory = allocate(engine, 0);
  EXPECT_NE(memory, nullptr);
  deallocate(engine, memory, 0);
  embedding_buffer_deallocate(engine.get(), nullptr, 100);
}

TEST(Buffers, AreBounded) {
  EngineOptions options = uncached();
  options.max_idle_buffer_bytes = 1 << 20;
  Engine engine(options);
  std::vector<void *> buffers;
  for (int i = 0; i < 8; ++i)
    buffers.push_back(allocate(engine, 256 * 1024));
  for (void *buffer : buffers) {
    deallocate(engine, buffer, 256 * 1024);
    EXPECT_LE(engine.statistics().idle_buffer_bytes, 1 << 20);
  }
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, 1 << 20);
  // The new size stays, and one of the old goes for it.
  deallocate(engine, allocate(engine, 512 * 1024), 512 * 1024);
  EXPECT_LE(engine.statistics().idle_buffer_bytes, 1 << 20);
  EXPECT_GE(engine.statistics().idle_buffer_bytes, 512 * 1024);
  // One that is larger than the bound is not kept, and takes nobody's place.
  int64_t before = engine.statistics().idle_buffer_bytes;
  deallocate(engine, allocate(engine, 2 << 20), 2 << 20);
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, before);
}

// One of exactly the bound is kept; the one that came last is not the one that
// goes.
TEST(Buffers, BoundIsInclusive) {
  constexpr size_t kBound = 1 << 20;
  EngineOptions options = uncached();
  options.max_idle_buffer_bytes = kBound;
  Engine engine(options);
  void *whole = allocate(engine, kBound);
  deallocate(engine, whole, kBound);
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, int64_t(kBound));
  void *again = allocate(engine, kBound);
  EXPECT_EQ(again, whole);

  void *small = allocate(engine, kBound / 2),
       *large = allocate(engine, kBound / 4 * 3);
  deallocate(engine, small, kBound / 2);
  deallocate(engine, large, kBound / 4 * 3);
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, int64_t(kBound / 4 * 3));
  void *largeAgain = allocate(engine, kBound / 4 * 3);
  EXPECT_EQ(largeAgain, large);
  deallocate(engine, largeAgain, kBound / 4 * 3);
  deallocate(engine, again, kBound);
}

TEST(Buffers, OutOfMemory) {
  Engine engine(uncached());
  for (size_t size : {SIZE_MAX, SIZE_MAX / 2 + 1}) {
    void *memory = &engine;
    EmbeddingStatus status;
    EXPECT_EQ(embedding_buffer_allocate(engine.get(), size, &memory, &status),
              EMBEDDING_OUT_OF_MEMORY);
    EXPECT_EQ(memory, nullptr);
    EXPECT_EQ(std::string(status.message),
              "the allocator has no " + std::to_string(size) + " bytes");
  }
  EXPECT_EQ(embedding_buffer_allocate(engine.get(), 1, nullptr, nullptr),
            EMBEDDING_INVALID_ARGUMENT);
  void *memory = nullptr;
  EXPECT_EQ(embedding_buffer_allocate(nullptr, 1, &memory, nullptr),
            EMBEDDING_INVALID_ARGUMENT);
}

TEST(Buffers, OfTheCallersAllocator) {
  Heap heap;
  Engine engine(heap.options());
  void *memory = allocate(engine, 1000);
  EXPECT_EQ(heap.live, 1);
  EXPECT_EQ(heap.bytes, 1000u);
  deallocate(engine, memory, 1000);
  EXPECT_EQ(heap.live, 0);
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, 0);
  heap.isExhausted = true;
  EmbeddingStatus status;
  EXPECT_EQ(embedding_buffer_allocate(engine.get(), 1000, &memory, &status),
            EMBEDDING_OUT_OF_MEMORY);
  EXPECT_EQ(memory, nullptr);
}

TEST(Buffers, ManyThreads) {
  EngineOptions options = uncached();
  options.max_idle_buffer_bytes = 64 * 1024;
  Engine engine(options);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 200; ++i) {
        size_t size = 1000 * (1 + (i + thread) % 7);
        auto *bytes = static_cast<char *>(allocate(engine, size));
        std::memset(bytes, thread, size);
        std::this_thread::yield();
        for (size_t at = 0; at < size; ++at)
          ASSERT_EQ(bytes[at], thread);
        deallocate(engine, bytes, size);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST(Tensors, OfLookupsAndGradients) {
  Engine engine(uncached());
  std::vector<float> table = {1, 2, 3, 4, 5, 6};
  std::vector<int64_t> indices = {2, 0, 2, 1};
  TensorView tableView(table.data(), {3, 2}), indexView(indices.data(), {2, 2});
  Tensor out = engine.lookup(tableView, indexView);
  EXPECT_EQ(out.shape(), (std::vector<int64_t>{2, 2, 2}));
  EXPECT_EQ(std::vector<float>(out.data<float>(), out.data<float>() + 8),
            (std::vector<float>{5, 6, 1, 2, 5, 6, 3, 4}));
  Tensor grad = engine.denseGrad(out, indexView, 3);
  EXPECT_EQ(grad.shape(), (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(std::vector<float>(grad.data<float>(), grad.data<float>() + 6),
            (std::vector<float>{1, 2, 3, 4, 10, 12}));

  void *memory = out.data();
  {
    Tensor moved = std::move(out);
  }
  EXPECT_EQ(engine.lookup(tableView, indexView).data(), memory);

  indices[3] = 3;
  EXPECT_THROW(engine.lookup(tableView, indexView), Error);
  try {
    engine.lookup(indexView, TensorView(indices.data(), {0}));
    engine.lookup(TensorView(table.data(), {6}), indexView);
    FAIL() << "expected an error";
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), EMBEDDING_INVALID_ARGUMENT);
    EXPECT_STREQ(error.what(), "table: expected 2 dimensions, but got 1");
  }
  EXPECT_THROW(engine.denseGrad(TensorView(table.data(), {}), indexView, 3),
               Error);
  EXPECT_THROW(engine.denseGrad(tableView, indexView, -1), Error);
}

// No buffer is smaller than its tensor.
TEST(Tensors, OfSizesWithoutAddresses) {
  Engine engine(uncached());
  auto getCode = [&](std::vector<int64_t> shape) {
    try {
      Tensor(engine.get(), kFloat32, std::move(shape));
    } catch (const Error &error) {
      return error.code();
    }
    return EMBEDDING_OK;
  };
  constexpr int64_t kLarge = int64_t(1) << 62;
  EXPECT_EQ(getCode({int64_t(1) << 31, int64_t(1) << 31}),
            EMBEDDING_OUT_OF_MEMORY);
  EXPECT_EQ(getCode({kLarge, 4}), EMBEDDING_OUT_OF_MEMORY);
  EXPECT_EQ(getCode({kLarge}), EMBEDDING_OUT_OF_MEMORY);
  EXPECT_EQ(getCode({-4, -4}), EMBEDDING_INVALID_ARGUMENT);
  EXPECT_EQ(getCode({0, -1}), EMBEDDING_INVALID_ARGUMENT);
  EXPECT_EQ(getCode({kLarge, kLarge, 0}), EMBEDDING_OK);
  EXPECT_EQ(getCode({2, 3}), EMBEDDING_OK);
}

TEST(HugePages, ChangeNoContents) {
  size_t size = 5 << 20;
  std::vector<char> bytes = randomBytes(size, 3), expected = bytes;
  EmbeddingStatus status;
  EmbeddingStatusCode code =
      embedding_advise_huge_pages(bytes.data(), size, &status);
  // A system may have none.
  EXPECT_TRUE(code == EMBEDDING_OK || code == EMBEDDING_UNSUPPORTED)
      << status.message;
  EXPECT_TRUE(bytes == expected);
  // Less than a page: nothing to do.
  EXPECT_EQ(embedding_advise_huge_pages(bytes.data(), 100, &status),
            EMBEDDING_OK);
  EXPECT_EQ(embedding_advise_huge_pages(nullptr, 0, &status), EMBEDDING_OK);
}

TEST(HugePages, Errors) {
  EmbeddingStatus status;
  EXPECT_EQ(embedding_advise_huge_pages(nullptr, 1, &status),
            EMBEDDING_INVALID_ARGUMENT);
  // Memory that is not there.
  size_t size = 8 << 20;
  void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  munmap(memory, size);
  EXPECT_EQ(embedding_advise_huge_pages(memory, size, &status),
            EMBEDDING_UNSUPPORTED);
  EXPECT_EQ(std::string(status.message).substr(0, 23),
            "memory: no huge pages: ");
  EXPECT_THROW(adviseHugePages(memory, size), Error);
  // Which lies before the first huge page of a range.
  char *region = static_cast<char *>(runtime::mapPages(size));
  ASSERT_EQ(munmap(region, 2 * kMiB + 4096), 0);
  EXPECT_EQ(
      embedding_advise_huge_pages(region + 2 * kMiB + 4096,
                                  size - 2 * kMiB - 4096, nullptr),
      embedding_advise_huge_pages(region + 4 * kMiB, size - 4 * kMiB, nullptr));
  munmap(region + 2 * kMiB + 4096, size - 2 * kMiB - 4096);
  // A range that goes round the end of all addresses.
  for (size_t tooMuch : {SIZE_MAX, SIZE_MAX - (size_t(64) << 20)})
    EXPECT_EQ(embedding_advise_huge_pages(&status, tooMuch, nullptr),
              EMBEDDING_UNSUPPORTED);
}

//===----------------------------------------------------------------------===//
// The pool itself
//===----------------------------------------------------------------------===//

namespace {

/// How many of the pages are there.
size_t countPages(void *memory, size_t size) {
  std::vector<unsigned char> pages(size / 4096);
  EXPECT_EQ(mincore(memory, size, pages.data()), 0);
  return std::count_if(pages.begin(), pages.end(),
                       [](unsigned char page) { return page & 1; });
}

/// Linux before 5.14 makes no pages when asked.
bool canPopulate() {
  void *probe = runtime::mapPages(2 * kMiB);
  runtime::populatePages(probe, 2 * kMiB);
  bool hasPages = countPages(probe, 2 * kMiB) > 0;
  runtime::unmapPages(probe, 2 * kMiB);
  return hasPages;
}

} // namespace

TEST(BufferPool, GivesWhatIsLargerIfNotByMuch) {
  runtime::BufferPool pool(512 * kMiB);
  void *first = pool.allocate(40 * kMiB);
  pool.deallocate(first, 40 * kMiB);
  EXPECT_EQ(pool.allocate(30 * kMiB), first);
  EXPECT_EQ(pool.getIdleBytes(), 0u);
  pool.deallocate(first, 30 * kMiB);
  // All of it is kept, and is not for what is less than half.
  EXPECT_EQ(pool.getIdleBytes(), 40 * kMiB);
  void *small = pool.allocate(18 * kMiB);
  EXPECT_NE(small, first);
  // Of several the smallest.
  pool.deallocate(small, 18 * kMiB);
  EXPECT_EQ(pool.allocate(17 * kMiB), small);
  EXPECT_EQ(pool.allocate(21 * kMiB), first);
  pool.deallocate(small, 17 * kMiB);
  pool.deallocate(first, 21 * kMiB);
  // Small ones are not large at all.
  void *few = pool.allocate(60'000);
  pool.deallocate(few, 60'000);
  void *fewer = pool.allocate(40'000);
  EXPECT_NE(fewer, few);
  pool.deallocate(fewer, 40'000);
}

TEST(BufferPool, HoldsNotMuchMoreThanWasInUse) {
  runtime::BufferPool pool(512 * kMiB);
  // Each is too large for what is there.
  for (size_t size : {20, 44, 92, 188}) {
    pool.deallocate(pool.allocate(size * kMiB), size * kMiB);
    EXPECT_LE(pool.getIdleBytes(), (size + 32) * kMiB);
    EXPECT_GE(pool.getIdleBytes(), size * kMiB);
  }
  // What was given back the longest ago goes for what is asked for now.
  void *other = pool.allocate(60 * kMiB);
  EXPECT_LE(pool.getIdleBytes(), (188 + 32 - 60) * kMiB);
  pool.deallocate(other, 60 * kMiB);
  EXPECT_EQ(pool.allocate(60 * kMiB), other);
  pool.deallocate(other, 60 * kMiB);
  // Two at once are kept both.
  void *both[] = {pool.allocate(100 * kMiB), pool.allocate(100 * kMiB)};
  for (void *memory : both)
    pool.deallocate(memory, 100 * kMiB);
  EXPECT_GE(pool.getIdleBytes(), 200 * kMiB);
}

// Also of what is larger than was asked for.
TEST(BufferPool, CountsWhatComesBack) {
  runtime::BufferPool pool(512 * kMiB);
  void *both[] = {pool.allocate(100 * kMiB), pool.allocate(100 * kMiB)};
  for (void *memory : both)
    pool.deallocate(memory, 100 * kMiB);
  for (int i = 0; i < 3; ++i) {
    pool.deallocate(pool.allocate(60 * kMiB), 60 * kMiB);
    EXPECT_EQ(pool.getIdleBytes(), 200 * kMiB);
  }
}

TEST(BufferPool, GivesBackWhatWasNotAskedForTheLongest) {
  runtime::BufferPool pool(100 * kMiB);
  void *first = pool.allocate(40 * kMiB), *second = pool.allocate(20 * kMiB),
       *third = pool.allocate(50 * kMiB);
  pool.deallocate(first, 40 * kMiB);
  pool.deallocate(second, 20 * kMiB);
  pool.deallocate(third, 50 * kMiB);
  EXPECT_EQ(pool.getIdleBytes(), 70 * kMiB);
  EXPECT_EQ(pool.allocate(20 * kMiB), second);
  EXPECT_EQ(pool.allocate(50 * kMiB), third);
  pool.deallocate(second, 20 * kMiB);
  pool.deallocate(third, 50 * kMiB);
}

TEST(BufferPool, IsBoundedAtAnyTime) {
  Engine engine(uncached());
  void *memory = allocate(engine, 4 * kMiB);
  deallocate(engine, memory, 4 * kMiB);
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, 4 * kMiB);
  EmbeddingStatus status;
  auto setBound = [&](uint64_t bytes) {
    EXPECT_EQ(embedding_engine_set_max_idle_buffer_bytes(engine.get(), bytes,
                                                         &status),
              EMBEDDING_OK);
  };
  setBound(4 * kMiB);
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, 4 * kMiB);
  setBound(1);
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, 0);
  deallocate(engine, allocate(engine, 4 * kMiB), 4 * kMiB);
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, 0);
  setBound(0); // The default.
  deallocate(engine, allocate(engine, 4 * kMiB), 4 * kMiB);
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, 4 * kMiB);
  EXPECT_EQ(embedding_engine_set_max_idle_buffer_bytes(nullptr, 1, &status),
            EMBEDDING_INVALID_ARGUMENT);
}

TEST(BufferPool, KnowsWhatIsFresh) {
  runtime::BufferPool pool(512 * kMiB);
  auto *memory = static_cast<char *>(pool.allocate(4 * kMiB));
  EXPECT_FALSE(pool.takeFresh(memory - 1));
  EXPECT_FALSE(pool.takeFresh(memory + 4 * kMiB));
  EXPECT_TRUE(pool.takeFresh(memory + 64));
  EXPECT_FALSE(pool.takeFresh(memory));
  pool.deallocate(memory, 4 * kMiB);
  EXPECT_FALSE(pool.takeFresh(memory));
  EXPECT_EQ(pool.allocate(4 * kMiB), memory);
  EXPECT_FALSE(pool.takeFresh(memory));
  pool.deallocate(memory, 4 * kMiB);
  // Nor is what was given back before it was written.
  auto *other = static_cast<char *>(pool.allocate(10 * kMiB));
  pool.deallocate(other, 10 * kMiB);
  EXPECT_FALSE(pool.takeFresh(other));
}

TEST(BufferPool, PagesOfWhatIsWrittenAreMadeFirst) {
  if (!canPopulate())
    GTEST_SKIP() << "Linux before 5.14 makes no pages when asked";
  Engine engine(uncached());
  std::vector<float> table(1024 * 64);
  // More than is looked up: that has no pages.
  size_t size = 16 * kMiB;
  void *memory = nullptr;
  ASSERT_EQ(embedding_buffer_allocate(engine.get(), size, &memory, nullptr),
            EMBEDDING_OK);
  EXPECT_EQ(countPages(memory, size), 0u);
  std::vector<int64_t> indices(4 * kMiB / 256);
  indices.back() = 1024;
  TensorView out(static_cast<float *>(memory),
                 {static_cast<int64_t>(indices.size()), 64});
  EXPECT_THROW(engine.lookup(TensorView(table.data(), {1024, 64}),
                             TensorView(indices.data(),
                                        {static_cast<int64_t>(indices.size())}),
                             out),
               Error);
  EXPECT_GE(countPages(memory, size), 4 * kMiB / 4096);
  EXPECT_LE(countPages(memory, size), 6 * kMiB / 4096);

  // Entries of a sparse gradient may be few.
  void *entries = nullptr;
  ASSERT_EQ(embedding_buffer_allocate(engine.get(), size, &entries, nullptr),
            EMBEDDING_OK);
  int64_t numIndices = static_cast<int64_t>(size / 256);
  indices.assign(numIndices, 0);
  std::vector<int64_t> rows(numIndices);
  GradOptions options;
  options.has_padding_idx = 1;
  EXPECT_EQ(engine.sparseGrad(
                TensorView(static_cast<float *>(memory), {numIndices, 64}),
                TensorView(indices.data(), {numIndices}), 1024,
                TensorView(rows.data(), {numIndices}),
                TensorView(static_cast<float *>(entries), {numIndices, 64}),
                options),
            0);
  EXPECT_EQ(countPages(entries, size), 0u);
  embedding_buffer_deallocate(engine.get(), entries, size);
  embedding_buffer_deallocate(engine.get(), memory, size);
}

/// The bytes of addresses that this process has.
static size_t countMappedBytes() {
  std::ifstream file("/proc/self/statm");
  size_t pages = 0;
  file >> pages;
  return pages * 4096;
}

// Neither around memory, nor of it when it is given back or its pool ends.
TEST(HugePages, NothingElseIsMapped) {
  constexpr int kRepeats = 40;
  constexpr size_t kSize = 8 * kMiB, kNoise = 32 * kMiB;
  std::vector<void *> all;
  size_t before = countMappedBytes();
  for (int i = 0; i < kRepeats; ++i)
    all.push_back(runtime::mapPages(kSize));
  EXPECT_LT(countMappedBytes(), before + kRepeats * kSize + kNoise);
  for (void *memory : all)
    runtime::unmapPages(memory, kSize);
  EXPECT_LT(countMappedBytes(), before + kNoise);
  for (uint64_t maxIdleBytes : {uint64_t(1), uint64_t(1) << 30})
    for (int i = 0; i < kRepeats; ++i) {
      runtime::BufferPool pool(maxIdleBytes);
      pool.deallocate(pool.allocate(kSize), kSize);
    }
  EXPECT_LT(countMappedBytes(), before + kNoise);
}

TEST(HugePages, AreAlignedAndWhole) {
  for (size_t size : {2 * kMiB, 6 * kMiB}) {
    void *memory = runtime::mapPages(size);
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % (2 * kMiB), 0u);
    EXPECT_EQ(countPages(memory, size), 0u);
    runtime::populatePages(static_cast<char *>(memory) + 64, size - 64);
    EXPECT_EQ(countPages(memory, size), canPopulate() ? size / 4096 : 0);
    std::memset(memory, 1, size);
    runtime::unmapPages(memory, size);
    for (size_t at = 0; at < size; at += 4096)
      EXPECT_EQ(msync(static_cast<char *>(memory) + at, 4096, MS_ASYNC), -1);
  }
  EXPECT_EQ(runtime::mapPages(SIZE_MAX / 2), nullptr);
  EXPECT_EQ(runtime::mapPages(SIZE_MAX - 4096), nullptr);
}
