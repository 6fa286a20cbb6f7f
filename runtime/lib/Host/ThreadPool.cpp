//===- ThreadPool.cpp - The engine's own threads --------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Host/ThreadPool.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <sched.h>
#include <unistd.h>

using namespace embedding::runtime;

int embedding::runtime::getNumCPUs() {
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
    return std::max(1, CPU_COUNT(&cpus));
  return std::max(1u, std::thread::hardware_concurrency());
}

/// How long a thread looks for the next loop, or for the end of this one,
/// before it sleeps: to wake one takes longer than most loops, and an operation
/// is several of them.
static constexpr auto kSpinTime = std::chrono::microseconds(50);

/// Waits until `condition` holds, for a short time. Whether it does.
template <typename Condition>
static bool spinUntil(const Condition &condition) {
  auto end = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < 64; ++i) {
      if (condition())
        return true;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

/// One call of parallelFor. Each thread has a share of its own, the same in
/// every loop of a size, so that it finds in its caches what it left there; who
/// is done with it helps the others.
struct ThreadPool::Loop {
  Loop(int64_t size, int64_t grain, EmbeddingRangeFunction function,
       void *context, int numShares)
      : grain(grain), function(function), context(context), shares(numShares) {
    int64_t numRanges = (size - 1) / grain + 1;
    int64_t begin = 0;
    for (int i = 0; i < numShares; ++i) {
      int64_t ranges = numRanges / numShares + (i < numRanges % numShares);
      shares[i].next = begin;
      // The last range may be shorter.
      begin += ranges * grain;
      shares[i].end = begin = std::min(begin, size);
    }
  }

  void run(int member) {
    auto count = static_cast<int>(shares.size());
    for (int i = 0; i < count; ++i) {
      Share &share = shares[(member + i) % count];
      for (int64_t begin; (begin = share.next.fetch_add(
                               grain, std::memory_order_relaxed)) < share.end;)
        function(context, begin, std::min(begin + grain, share.end));
    }
  }

  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  const int64_t grain;
  const EmbeddingRangeFunction function;
  void *const context;
  std::vector<Share> shares;
  /// Threads of the pool inside run(); changed under the pool's mutex.
  std::atomic<int> active{0};
};

void ThreadPool::Destroy::operator()(ThreadPool *pool) const {
  // In a child after fork() nobody will ever leave the condition variables, so
  // that destroying them would wait forever: the little memory is let go.
  if (!pool->isForked())
    delete pool;
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    isStopping = true;
    turn.fetch_add(1, std::memory_order_release);
  }
  wake.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

bool ThreadPool::isForked() const { return owner != 0 && owner != getpid(); }

void ThreadPool::start() {
  owner = getpid();
  try {
    while (static_cast<int>(threads.size()) < numThreads - 1)
      threads.emplace_back([this, member = static_cast<int>(threads.size()) +
                                           1] { work(member); });
  } catch (const std::exception &) {
    // No thread or no memory for one: fewer than asked for do the same work.
  }
}

void ThreadPool::work(int member) {
  uint64_t seen = 0;
  while (true) {
    auto isNew = [&] { return turn.load(std::memory_order_acquire) != seen; };
    spinUntil(isNew);
    std::unique_lock<std::mutex> lock(mutex);
    wake.wait(lock, isNew);
    if (isStopping)
      return;
    seen = turn.load(std::memory_order_relaxed);
    std::shared_ptr<Loop> current = loop;
    if (!current)
      continue; // It ended before this thread came.
    current->active.fetch_add(1, std::memory_order_relaxed);
    lock.unlock();
    current->run(member);
    lock.lock();
    if (current->active.fetch_sub(1, std::memory_order_release) == 1)
      done.notify_all();
  }
}

void ThreadPool::parallelFor(int64_t size, int64_t grain,
                             EmbeddingRangeFunction function, void *context) {
  grain = std::max<int64_t>(grain, 1);
  std::unique_lock<std::mutex> ownLoop(running, std::defer_lock);
  if (numThreads <= 1 || size <= grain || !ownLoop.try_lock() || isForked()) {
    if (size > 0)
      function(context, 0, size);
    return;
  }
  if (owner == 0)
    start();

  std::shared_ptr<Loop> current;
  try {
    current = std::make_shared<Loop>(size, grain, function, context,
                                     static_cast<int>(threads.size()) + 1);
  } catch (const std::bad_alloc &) {
    // Nothing to share it by.
    function(context, 0, size);
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex);
    loop = current;
    turn.fetch_add(1, std::memory_order_release);
  }
  wake.notify_all();
  current->run(0);
  {
    std::lock_guard<std::mutex> lock(mutex);
    // No range is left; a thread that has not woken up yet need not.
    loop = nullptr;
  }
  auto isDone = [&] {
    return current->active.load(std::memory_order_acquire) == 0;
  };
  if (spinUntil(isDone))
    return;
  std::unique_lock<std::mutex> lock(mutex);
  done.wait(lock, isDone);
}
