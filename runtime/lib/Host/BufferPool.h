//===- BufferPool.h - Memory that is used again -----------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A fresh page costs a fault and its zeros: for a large output more than the
// lookup that fills it. So buffers that are given back are kept, up to a bound,
// and large ones lie on pages of 2 MiB where the system has them.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_HOST_BUFFERPOOL_H
#define EMBEDDING_RUNTIME_LIB_HOST_BUFFERPOOL_H

#include "Host/Fork.h"

#include <cstddef>
#include <cstdint>
#include <map>

namespace embedding::runtime {

inline size_t roundUp(size_t size, size_t unit) {
  return (size + unit - 1) / unit * unit;
}

/// Any number of threads may use one at once.
class BufferPool {
public:
  static constexpr size_t kAlignment = 64;

  /// Buffers that are not in use hold at most `maxIdleBytes`. With those in use
  /// they hold not much more than was in use at once: what was not needed to
  /// get here is not kept.
  explicit BufferPool(uint64_t maxIdleBytes) : maxIdleBytes(maxIdleBytes) {}
  BufferPool(const BufferPool &) = delete;
  BufferPool &operator=(const BufferPool &) = delete;
  ~BufferPool();

  /// At least `size` bytes at a multiple of kAlignment, or null.
  void *allocate(size_t size);
  /// Takes back what `allocate` returned for the same `size`.
  void deallocate(void *memory, size_t size);

  /// Whether `memory` lies in a large buffer that comes from the system and was
  /// not asked about before: then its pages are not there yet.
  bool takeFresh(const void *memory);

  /// Gives back at once what is too much.
  void setMaxIdleBytes(uint64_t bytes);
  uint64_t getIdleBytes() const;

private:
  struct Idle {
    void *memory;
    /// When it was given back.
    uint64_t time;
  };
  struct Large {
    size_t capacity;
    /// Whether it has not been given back yet, and whether its pages are not
    /// there yet.
    bool isNew, isFresh;
  };

  void *takeIdle(size_t capacity);
  void use(size_t capacity);
  bool hasTooMuchIdle(size_t aboutToUse) const;
  bool keep(void *memory, size_t capacity);
  void trim(size_t aboutToUse = 0);

  mutable ForkSafeMutex mutex;
  uint64_t maxIdleBytes;
  /// By capacity.
  std::multimap<size_t, Idle> idle;
  /// The large ones in use, by address.
  std::map<void *, Large> large;
  uint64_t idleBytes = 0, usedBytes = 0, maxUsedBytes = 0, time = 0;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_HOST_BUFFERPOOL_H
