//===- Fork.h - What a forked child can rely on -----------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The child of fork() has the memory of its parent, and of its threads only the
// one that forked: what another thread had locked or half written stays so for
// ever. Nothing here is in such a state when the process forks.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_HOST_FORK_H
#define EMBEDDING_RUNTIME_LIB_HOST_FORK_H

#include <mutex>

namespace embedding::runtime {

/// While one lives, fork() of another thread waits: for what changes state that
/// is not ours, such as LLVM's. Scopes of a thread may nest, and it may fork
/// itself; it must not wait for another thread that does.
class NoForkScope {
public:
  NoForkScope();
  ~NoForkScope();
  NoForkScope(const NoForkScope &) = delete;
  NoForkScope &operator=(const NoForkScope &) = delete;
};

/// A mutex that fork() takes first and gives back in both processes. Who holds
/// it takes no other lock and does not fork.
class ForkSafeMutex {
public:
  ForkSafeMutex();
  ~ForkSafeMutex();
  ForkSafeMutex(const ForkSafeMutex &) = delete;
  ForkSafeMutex &operator=(const ForkSafeMutex &) = delete;

  void lock() { mutex.lock(); }
  void unlock() { mutex.unlock(); }

private:
  friend struct ForkHandlers;

  std::mutex mutex;
  ForkSafeMutex *previous = nullptr;
  ForkSafeMutex *next = nullptr;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_HOST_FORK_H
