//===- ThreadPool.h - The engine's own threads ------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_HOST_THREADPOOL_H
#define EMBEDDING_RUNTIME_LIB_HOST_THREADPOOL_H

#include "embedding-runtime/Runtime.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace embedding::runtime {

/// The CPUs that this process may use.
int getNumCPUs();

/// Threads that run one loop at a time. They start with the first loop. A loop
/// that comes while another one runs, or in a child after fork(), where the
/// threads are gone, runs on the calling thread.
class ThreadPool {
public:
  struct Destroy {
    void operator()(ThreadPool *pool) const;
  };
  using Pointer = std::unique_ptr<ThreadPool, Destroy>;

  /// `numThreads` includes the thread that calls parallelFor.
  static Pointer create(int numThreads) {
    return Pointer(new ThreadPool(numThreads));
  }

  /// As EmbeddingParallelFor.
  void parallelFor(int64_t size, int64_t grain, EmbeddingRangeFunction function,
                   void *context);

private:
  struct Loop;

  explicit ThreadPool(int numThreads) : numThreads(numThreads) {}
  ~ThreadPool();

  void start();
  void work(int member);

  /// Whether the threads are those of a process that this one was forked from.
  bool isForked() const;

  const int numThreads;
  /// Held by the thread whose loop the pool runs.
  std::mutex running;
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable done;
  std::vector<std::thread> threads;
  pid_t owner = 0;
  std::shared_ptr<Loop> loop;
  /// Grows with each loop, and when the threads are to stop; under `mutex`.
  std::atomic<uint64_t> turn{0};
  bool isStopping = false;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_HOST_THREADPOOL_H
