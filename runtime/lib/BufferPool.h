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

#ifndef EMBEDDING_RUNTIME_LIB_BUFFERPOOL_H
#define EMBEDDING_RUNTIME_LIB_BUFFERPOOL_H

#include "Fork.h"

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

  /// Buffers that are not in use hold at most `maxIdleBytes`.
  explicit BufferPool(uint64_t maxIdleBytes) : maxIdleBytes(maxIdleBytes) {}
  BufferPool(const BufferPool &) = delete;
  BufferPool &operator=(const BufferPool &) = delete;
  ~BufferPool();

  /// At least `size` bytes at a multiple of kAlignment, or null.
  void *allocate(size_t size);
  /// Takes back what `allocate` returned for the same `size`.
  void deallocate(void *memory, size_t size);

  uint64_t getIdleBytes() const;

private:
  const uint64_t maxIdleBytes;
  mutable ForkSafeMutex mutex;
  /// By capacity.
  std::multimap<size_t, void *> idle;
  uint64_t idleBytes = 0;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_BUFFERPOOL_H
