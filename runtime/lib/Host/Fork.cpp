//===- Fork.cpp - What a forked child can rely on -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Host/Fork.h"

#include <condition_variable>
#include <new>
#include <pthread.h>

using namespace embedding::runtime;

namespace {

/// Lets threads into scopes, or one that forks.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  /// Threads inside scopes.
  int inside = 0;
  bool isForking = false;
};

} // namespace

/// Never destroyed: threads may still be inside when the process ends.
static Gate &gate = *new Gate;
/// The scopes that this thread is in.
static thread_local int depth = 0;

/// All mutexes that are taken.
static std::mutex mutexesMutex;
static ForkSafeMutex *mutexes = nullptr;

namespace embedding::runtime {

struct ForkHandlers {
  static void prepare() {
    {
      std::unique_lock<std::mutex> lock(gate.mutex);
      // A thread that forks in a scope of its own waits for the others'.
      gate.inside -= depth > 0;
      gate.changed.notify_all();
      gate.changed.wait(lock, [] { return !gate.isForking; });
      gate.isForking = true;
      gate.changed.wait(lock, [] { return gate.inside == 0; });
    }
    mutexesMutex.lock();
    for (ForkSafeMutex *each = mutexes; each; each = each->next)
      each->lock();
  }

  static void unlockMutexes() {
    for (ForkSafeMutex *each = mutexes; each; each = each->next)
      each->unlock();
    mutexesMutex.unlock();
  }

  static void inParent() {
    unlockMutexes();
    std::lock_guard<std::mutex> lock(gate.mutex);
    gate.inside += depth > 0;
    gate.isForking = false;
    gate.changed.notify_all();
  }

  static void inChild() {
    unlockMutexes();
    // Threads that waited at the gate are gone.
    new (&gate) Gate;
    gate.inside += depth > 0;
  }

  /// When the library is loaded: no thread can be in the middle of it then.
  __attribute__((constructor)) static void install() {
    pthread_atfork(prepare, inParent, inChild);
  }
};

} // namespace embedding::runtime

NoForkScope::NoForkScope() {
  if (depth++ > 0)
    return;
  std::unique_lock<std::mutex> lock(gate.mutex);
  gate.changed.wait(lock, [] { return !gate.isForking; });
  ++gate.inside;
}

NoForkScope::~NoForkScope() {
  if (--depth > 0)
    return;
  std::lock_guard<std::mutex> lock(gate.mutex);
  --gate.inside;
  gate.changed.notify_all();
}

ForkSafeMutex::ForkSafeMutex() {
  std::lock_guard<std::mutex> lock(mutexesMutex);
  next = mutexes;
  if (next)
    next->previous = this;
  mutexes = this;
}

ForkSafeMutex::~ForkSafeMutex() {
  std::lock_guard<std::mutex> lock(mutexesMutex);
  (previous ? previous->next : mutexes) = next;
  if (next)
    next->previous = previous;
}
