//===- BufferPool.cpp - Memory that is used again -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BufferPool.h"
#include "HugePages.h"

#include <algorithm>
#include <cstdlib>
#include <new>

using namespace embedding::runtime;

/// The bytes that are allocated for `size`: an eighth more at most, so that
/// buffers of nearly one size serve for each other, and never none. 0 if there
/// are not so many.
static size_t getCapacity(size_t size) {
  if (size > SIZE_MAX / 2)
    return 0;
  size_t unit = BufferPool::kAlignment;
  while (unit * 16 <= size)
    unit *= 2;
  size_t capacity = roundUp(std::max<size_t>(size, 1), unit);
  return capacity < kHugePageBytes ? capacity
                                   : roundUp(capacity, kHugePageBytes);
}

/// Large ones on huge pages; those that are not are too small for it to matter.
static void *allocateFresh(size_t capacity) {
  bool isLarge = capacity >= kHugePageBytes;
  void *memory = std::aligned_alloc(
      isLarge ? kHugePageBytes : BufferPool::kAlignment, capacity);
  if (memory && isLarge)
    adviseHugePages(memory, capacity);
  return memory;
}

BufferPool::~BufferPool() {
  for (auto [capacity, memory] : idle)
    std::free(memory);
}

void *BufferPool::allocate(size_t size) {
  size_t capacity = getCapacity(size);
  if (capacity == 0)
    return nullptr;
  {
    std::lock_guard lock(mutex);
    auto found = idle.find(capacity);
    if (found != idle.end()) {
      void *memory = found->second;
      idle.erase(found);
      idleBytes -= capacity;
      return memory;
    }
  }
  return allocateFresh(capacity);
}

void BufferPool::deallocate(void *memory, size_t size) {
  size_t capacity = getCapacity(size);
  if (capacity <= maxIdleBytes) {
    std::lock_guard lock(mutex);
    try {
      auto added = idle.emplace(capacity, memory);
      idleBytes += capacity;
      // What has other sizes was not asked for lately: the largest goes first.
      while (idleBytes > maxIdleBytes) {
        auto victim = std::prev(idle.end());
        if (victim == added)
          victim = idle.begin();
        idleBytes -= victim->first;
        std::free(victim->second);
        idle.erase(victim);
      }
      return;
    } catch (const std::bad_alloc &) {
      // Not kept, then.
    }
  }
  std::free(memory);
}

uint64_t BufferPool::getIdleBytes() const {
  std::lock_guard lock(mutex);
  return idleBytes;
}
