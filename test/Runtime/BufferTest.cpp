//===- BufferTest.cpp - Buffers, tensors and huge pages -------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <cstring>
#include <sys/mman.h>
#include <thread>

using namespace embedding;
using namespace embedding::test;

namespace {

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
  // One that is larger than the bound is not kept.
  deallocate(engine, allocate(engine, 2 << 20), 2 << 20);
  EXPECT_LE(engine.statistics().idle_buffer_bytes, 1 << 20);
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
}
