//===- ThreadPool.cpp - The engine's own threads --------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadPool.h"

#include <algorithm>
#include <atomic>
#include <sched.h>
#include <system_error>
#include <unistd.h>

using namespace embedding::runtime;

int embedding::runtime::getNumCPUs() {
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
    return std::max(1, CPU_COUNT(&cpus));
  return std::max(1u, std::thread::hardware_concurrency());
}

/// One call of parallelFor: ranges are taken from `next` until none is left.
struct ThreadPool::Loop {
  Loop(int64_t size, int64_t grain, EmbeddingRangeFunction function,
       void *context)
      : size(size), grain(grain), function(function), context(context) {}

  void run() {
    for (int64_t begin;
         (begin = next.fetch_add(grain, std::memory_order_relaxed)) < size;)
      function(context, begin, std::min(begin + grain, size));
  }

  const int64_t size;
  const int64_t grain;
  const EmbeddingRangeFunction function;
  void *const context;
  std::atomic<int64_t> next{0};
  /// Threads inside run(), guarded by the pool's mutex.
  int active = 0;
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
      threads.emplace_back([this] { work(); });
  } catch (const std::system_error &) {
    // Fewer threads than asked for do the same work.
  }
}

void ThreadPool::work() {
  std::unique_lock<std::mutex> lock(mutex);
  std::shared_ptr<Loop> last;
  while (true) {
    wake.wait(lock, [&] { return isStopping || (loop && loop != last); });
    if (isStopping)
      return;
    last = loop;
    ++last->active;
    lock.unlock();
    last->run();
    lock.lock();
    if (--last->active == 0)
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

  auto current = std::make_shared<Loop>(size, grain, function, context);
  {
    std::lock_guard<std::mutex> lock(mutex);
    loop = current;
  }
  wake.notify_all();
  current->run();
  std::unique_lock<std::mutex> lock(mutex);
  // No range is left; a thread that has not woken up yet need not.
  loop = nullptr;
  done.wait(lock, [&] { return current->active == 0; });
}
