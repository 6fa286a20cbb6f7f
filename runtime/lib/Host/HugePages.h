//===- HugePages.h - Pages of 2 MiB -----------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_HOST_HUGEPAGES_H
#define EMBEDDING_RUNTIME_LIB_HOST_HUGEPAGES_H

#include <cstddef>

namespace embedding::runtime {

inline constexpr size_t kHugePageBytes = size_t(2) << 20;

/// Asks for huge pages for those that lie within [memory, memory + size), both
/// for what is touched later and, where the system can, for what has been.
/// Whether the system took the advice.
bool adviseHugePages(void *memory, size_t size);

/// Fresh memory of whole huge pages, or null. It is advised to have them if the
/// system has them at hand: to look for them among others, which it does when
/// they are touched, was seen to take a second.
void *mapPages(size_t size);
void unmapPages(void *memory, size_t size);

/// Has the system make all pages of [memory, memory + size) now, which takes
/// less time than a fault for each, and leaves nothing of them in the caches
/// that stores around them would have to write first.
void populatePages(void *memory, size_t size);

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_HOST_HUGEPAGES_H
