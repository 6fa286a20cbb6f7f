//===- HugePages.h - Pages of 2 MiB -----------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_HUGEPAGES_H
#define EMBEDDING_RUNTIME_LIB_HUGEPAGES_H

#include <cstddef>

namespace embedding::runtime {

inline constexpr size_t kHugePageBytes = size_t(2) << 20;

/// Asks for huge pages for those that lie within [memory, memory + size), both
/// for what is touched later and, where the system can, for what has been.
/// Whether the system took the advice.
bool adviseHugePages(void *memory, size_t size);

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_HUGEPAGES_H
