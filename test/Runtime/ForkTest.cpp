//===- ForkTest.cpp - Engines in the children of fork() -------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Host/Fork.h"
#include "TestUtils.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <new>
#include <thread>

using namespace embedding;
using namespace embedding::test;

namespace {

/// Tests that hang are killed, and so are children.
class Fork : public testing::Test {
protected:
  Fork() { alarm(100); }
  ~Fork() override { alarm(0); }
  void SetUp() override {
    if (kIsThreadSanitized)
      GTEST_SKIP() << "ThreadSanitizer does not support it";
  }
};

/// Looks up `count` rows of `rowLength` elements.
void lookUp(Engine &engine, int64_t rowLength, int64_t count = 3) {
  std::vector<float> table(2 * rowLength), out(count * rowLength);
  for (size_t i = 0; i < table.size(); ++i)
    table[i] = static_cast<float>(i);
  std::vector<int64_t> indices(count, 1);
  engine.lookup(TensorView(table.data(), {2, rowLength}),
                TensorView(indices.data(), {count}),
                TensorView(out.data(), {count, rowLength}));
  for (int64_t i = 0; i < count * rowLength; ++i)
    ASSERT_EQ(out[i], static_cast<float>(rowLength + i % rowLength));
}

/// A dense gradient, in loops of the engine's threads and with workspace.
void train(Engine &engine) {
  constexpr int64_t kCount = 3000, kRowLength = 32;
  std::vector<float> gradOutput(kCount * kRowLength, 1), grad(3 * kRowLength);
  std::vector<int64_t> indices(kCount, 2);
  engine.denseGrad(TensorView(gradOutput.data(), {kCount, kRowLength}),
                   TensorView(indices.data(), {kCount}),
                   TensorView(grad.data(), {3, kRowLength}));
  for (int64_t i = 0; i < 3 * kRowLength; ++i)
    ASSERT_EQ(grad[i], i < 2 * kRowLength ? 0.0f : kCount);
}

void useBuffers(Engine &engine) {
  for (size_t size = 100; size < 100000; size *= 3) {
    void *memory = nullptr;
    ASSERT_EQ(embedding_buffer_allocate(engine.get(), size, &memory, nullptr),
              EMBEDDING_OK);
    embedding_buffer_deallocate(engine.get(), memory, size);
  }
}

/// Compiles a function that adds `number`.
void compileModule(Engine &engine, int number) {
  Module module(engine, "func.func @add(%x: i64) -> i64 {\n"
                        "  %number = arith.constant " +
                            std::to_string(number) +
                            " : i64\n"
                            "  %sum = arith.addi %x, %number : i64\n"
                            "  return %sum : i64\n"
                            "}");
}

/// Threads that repeat what they are given until this object goes.
class Repeating {
public:
  ~Repeating() {
    isDone = true;
    for (std::thread &thread : threads)
      thread.join();
  }

  template <typename Body> void add(const Body &body) {
    threads.emplace_back([this, body] {
      for (int i = 0; !isDone; ++i)
        body(i);
    });
  }

private:
  std::atomic<bool> isDone{false};
  std::vector<std::thread> threads;
};

} // namespace

// In a child the threads of the pool are gone; the engine works all the same,
// and goes away without waiting for them.
TEST_F(Fork, ThreadsAreAsleep) {
  auto engine = std::make_unique<Engine>(uncached(4));
  lookUp(*engine, 3, 200000);
  train(*engine);
  // Longer than they look for the next loop.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(worksInChild([&] {
    for (int i = 0; i < 20; ++i) {
      lookUp(*engine, 3, 200000);
      train(*engine);
    }
    EXPECT_TRUE(worksInChild([&] { train(*engine); }));
    engine.reset();
  }));
  lookUp(*engine, 3, 200000);
}

// Nor when they are on their way to sleep, each with the pool's lock for a
// moment.
TEST_F(Fork, ThreadsFallAsleep) {
  Engine engine(uncached(16));
  for (int i = 0; i < 100; ++i) {
    train(engine);
    std::this_thread::sleep_for(std::chrono::microseconds(i));
    ASSERT_TRUE(worksInChild([&] { train(engine); })) << "fork " << i;
  }
}

TEST_F(Fork, ThreadsHaveNotStarted) {
  Engine engine(uncached(3));
  ASSERT_TRUE(worksInChild([&] { train(engine); }));
  train(engine);
}

// What others were doing with the engine, its cache or the compiler is whole in
// the child.
TEST_F(Fork, WhileOthersCompileCallAndTrain) {
  TemporaryDirectory directory;
  std::string cache = directory.str();
  EngineOptions options = uncached(3);
  options.cache_dir = cache.c_str();
  auto engine = std::make_unique<Engine>(options);
  Engine other(uncached());
  train(*engine);
  lookUp(*engine, 3);
  {
    Repeating threads;
    threads.add([&](int i) { lookUp(*engine, 1000 + i); });
    threads.add([&](int i) { compileModule(other, i); });
    threads.add([&](int) {
      train(*engine);
      useBuffers(*engine);
      lookUp(*engine, 3);
    });
    for (int i = 0; i < 6; ++i)
      ASSERT_TRUE(worksInChild([&] {
        train(*engine);
        useBuffers(*engine);
        lookUp(*engine, 3);
        lookUp(*engine, 100 + i);
        compileModule(*engine, -i);
        engine.reset();
      })) << "fork "
          << i;
  }
  lookUp(*engine, 99);
}

// Buffers are taken and given back under a lock that no child inherits.
TEST_F(Fork, WhileOthersUseBuffers) {
  Engine engine(uncached());
  Repeating threads;
  for (int i = 0; i < 2; ++i)
    threads.add([&](int) { useBuffers(engine); });
  for (int i = 0; i < 150; ++i)
    ASSERT_TRUE(worksInChild([&] { useBuffers(engine); })) << "fork " << i;
}

TEST_F(Fork, SeveralThreadsFork) {
  Engine engine(uncached());
  Repeating threads;
  threads.add([&](int i) { lookUp(engine, 1000 + i); });
  for (int i = 0; i < 2; ++i)
    threads.add([&](int) { EXPECT_TRUE(worksInChild([] {})); });
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(worksInChild([&] { lookUp(engine, 3); })) << "fork " << i;
}

// What waits for a compiler is no business of a child's.
TEST_F(Fork, WaitsForTheCompiler) {
  TemporaryDirectory directory;
  std::string file = directory.str() + "/compiling";
  EngineOptions options = uncached();
  options.compiler_library = STAND_IN_COMPILER;
  options.cpu = file.c_str();
  Engine engine(options);
  std::atomic<bool> isDone{false};
  std::thread other([&] {
    EXPECT_THROW(lookUp(engine, 3), Error);
    isDone = true;
  });
  pid_t server = 0, worker = 0;
  while (!(std::ifstream(file) >> server >> worker))
    std::this_thread::yield();
  // It ends when the fork has had time to go on without it.
  std::thread killing([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_FALSE(isDone);
    kill(worker, SIGKILL);
  });
  EXPECT_TRUE(worksInChild([&] {
    std::ifstream(file) >> server >> worker;
    EXPECT_NE(kill(worker, 0), 0);
  }));
  killing.join();
  other.join();
}

TEST_F(Fork, WaitsForScopesOfOtherThreads) {
  std::atomic<bool> isEntered{false}, isLeft{false};
  std::thread other([&] {
    runtime::NoForkScope outer;
    runtime::NoForkScope inner;
    isEntered = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    isLeft = true;
  });
  while (!isEntered)
    std::this_thread::yield();
  EXPECT_TRUE(worksInChild([&] { EXPECT_TRUE(isLeft); }));
  other.join();
}

TEST_F(Fork, InAScopeOfOnesOwn) {
  {
    runtime::NoForkScope scope;
    EXPECT_TRUE(worksInChild([] {
      runtime::NoForkScope inner;
      EXPECT_TRUE(worksInChild([] { runtime::NoForkScope inmost; }));
    }));
  }
  // And when it is left.
  EXPECT_TRUE(worksInChild([] { runtime::NoForkScope scope; }));
}

// Mutexes go in any order; fork takes those that are left.
TEST_F(Fork, MutexesThatAreGone) {
  constexpr ptrdiff_t kSize = sizeof(runtime::ForkSafeMutex);
  int order[] = {0, 1, 2};
  do {
    alignas(runtime::ForkSafeMutex) unsigned char memory[3][kSize];
    runtime::ForkSafeMutex *mutexes[3];
    for (int i = 0; i < 3; ++i)
      mutexes[i] = new (memory[i]) runtime::ForkSafeMutex;
    for (int i : order) {
      mutexes[i]->~ForkSafeMutex();
      std::fill(memory[i], memory[i] + kSize, 0x5a);
      ASSERT_TRUE(worksInChild([] { runtime::NoForkScope scope; }));
      // Nobody writes there any more.
      EXPECT_EQ(std::count(memory[i], memory[i] + kSize, 0x5a), kSize);
    }
    for (auto &bytes : memory)
      EXPECT_EQ(std::count(bytes, bytes + kSize, 0x5a), kSize);
  } while (std::next_permutation(order, order + 3));
}
