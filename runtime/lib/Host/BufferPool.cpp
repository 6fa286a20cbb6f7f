//===- BufferPool.cpp - Memory that is used again -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Host/BufferPool.h"
#include "Host/HugePages.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

using namespace embedding::runtime;

/// Beyond what was in use at once, what malloc keeps of its heap too: buffers
/// of many sizes take turns.
static constexpr uint64_t kSlackBytes = uint64_t(32) << 20;

/// The bytes that are allocated for `size`, and never none. Small ones are an
/// eighth more at most, so that buffers of nearly one size serve for each
/// other. 0 if there are not so many.
static size_t getCapacity(size_t size) {
  if (size > SIZE_MAX / 2)
    return 0;
  if (size >= kHugePageBytes)
    return roundUp(size, kHugePageBytes);
  size_t unit = BufferPool::kAlignment;
  while (unit * 16 <= size)
    unit *= 2;
  return roundUp(std::max<size_t>(size, 1), unit);
}

/// Large ones on huge pages; those that are not are too small for it to matter.
static bool isLarge(size_t capacity) { return capacity >= kHugePageBytes; }

static void *allocateFresh(size_t capacity) {
  return isLarge(capacity)
             ? mapPages(capacity)
             : std::aligned_alloc(BufferPool::kAlignment, capacity);
}

static void deallocateFresh(void *memory, size_t capacity) {
  if (isLarge(capacity))
    unmapPages(memory, capacity);
  else
    std::free(memory);
}

BufferPool::~BufferPool() {
  for (const auto &[capacity, buffer] : idle)
    deallocateFresh(buffer.memory, capacity);
}

//===----------------------------------------------------------------------===//
// Under the lock
//===----------------------------------------------------------------------===//

/// An idle buffer for `capacity`, or null. A large one may be twice as large:
/// fresh memory would be more still.
void *BufferPool::takeIdle(size_t capacity) {
  auto found = idle.lower_bound(capacity);
  if (found == idle.end() ||
      found->first > (isLarge(capacity) ? 2 * capacity : capacity))
    return nullptr;
  auto [taken, buffer] = *found;
  if (isLarge(taken))
    large.insert({buffer.memory, {taken, /*isNew=*/false, /*isFresh=*/false}});
  idle.erase(found);
  idleBytes -= taken;
  use(taken);
  return buffer.memory;
}

void BufferPool::use(size_t capacity) {
  usedBytes += capacity;
  maxUsedBytes = std::max(maxUsedBytes, usedBytes);
}

bool BufferPool::hasTooMuchIdle(size_t aboutToUse) const {
  uint64_t used = usedBytes + aboutToUse;
  return idleBytes > maxIdleBytes ||
         (idleBytes > 0 &&
          idleBytes + used > std::max(maxUsedBytes, used) + kSlackBytes);
}

//===----------------------------------------------------------------------===//
// BufferPool
//===----------------------------------------------------------------------===//

void *BufferPool::allocate(size_t size) {
  size_t capacity = getCapacity(size);
  if (capacity == 0)
    return nullptr;
  try {
    {
      std::lock_guard lock(mutex);
      if (void *memory = takeIdle(capacity))
        return memory;
    }
    trim(capacity);
    void *memory = allocateFresh(capacity);
    if (!memory)
      return nullptr;
    std::lock_guard lock(mutex);
    if (isLarge(capacity))
      large.insert({memory, {capacity, /*isNew=*/true, /*isFresh=*/true}});
    use(capacity);
    return memory;
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

void BufferPool::deallocate(void *memory, size_t size) {
  size_t capacity = getCapacity(size);
  bool wasTouchedFirst = false;
  {
    std::lock_guard lock(mutex);
    if (auto found = large.find(memory); found != large.end()) {
      capacity = found->second.capacity;
      wasTouchedFirst = found->second.isNew && !found->second.isFresh;
      large.erase(found);
    }
    usedBytes -= capacity;
  }
  // What has its pages gets no other ones by a fault: the system moves them to
  // huge ones in the background, and nobody waits.
  if (wasTouchedFirst)
    adviseHugePages(memory, capacity);
  if (!keep(memory, capacity))
    deallocateFresh(memory, capacity);
  trim();
}

bool BufferPool::keep(void *memory, size_t capacity) {
  std::lock_guard lock(mutex);
  if (capacity > maxIdleBytes)
    return false;
  try {
    idle.insert({capacity, {memory, ++time}});
  } catch (const std::bad_alloc &) {
    return false;
  }
  idleBytes += capacity;
  return true;
}

/// Gives back those that were not asked for the longest, if `aboutToUse` bytes
/// more were in use.
void BufferPool::trim(size_t aboutToUse) {
  for (;;) {
    size_t capacity;
    void *memory;
    {
      std::lock_guard lock(mutex);
      if (!hasTooMuchIdle(aboutToUse))
        return;
      auto oldest = std::min_element(
          idle.begin(), idle.end(), [](const auto &left, const auto &right) {
            return left.second.time < right.second.time;
          });
      capacity = oldest->first;
      memory = oldest->second.memory;
      idle.erase(oldest);
      idleBytes -= capacity;
    }
    deallocateFresh(memory, capacity);
  }
}

bool BufferPool::takeFresh(const void *memory) {
  std::lock_guard lock(mutex);
  auto found = large.upper_bound(const_cast<void *>(memory));
  if (found == large.begin())
    return false;
  auto &[begin, buffer] = *--found;
  return static_cast<const char *>(memory) <
             static_cast<const char *>(begin) + buffer.capacity &&
         std::exchange(buffer.isFresh, false);
}

void BufferPool::setMaxIdleBytes(uint64_t bytes) {
  {
    std::lock_guard lock(mutex);
    maxIdleBytes = bytes;
  }
  trim();
}

uint64_t BufferPool::getIdleBytes() const {
  std::lock_guard lock(mutex);
  return idleBytes;
}
