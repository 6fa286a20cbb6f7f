//===- HugePages.cpp - Pages of 2 MiB -------------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HugePages.h"
#include "Result.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <sys/mman.h>

using namespace embedding::runtime;

/// madvise on the huge pages within the range; without any, nothing is to do.
static bool advise(void *memory, size_t size, int advice) {
  auto begin = reinterpret_cast<uintptr_t>(memory);
  uintptr_t end = (begin + size) / kHugePageBytes * kHugePageBytes;
  begin = (begin + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  return begin >= end ||
         madvise(reinterpret_cast<void *>(begin), end - begin, advice) == 0;
}

bool embedding::runtime::adviseHugePages(void *memory, size_t size) {
#ifdef MADV_HUGEPAGE
  return advise(memory, size, MADV_HUGEPAGE);
#else
  errno = ENOSYS;
  return false;
#endif
}

/// Moves what has been touched to huge pages now, where the kernel (6.1 and
/// later) does that on request.
static void collapseToHugePages(void *memory, size_t size) {
  constexpr int kCollapse = 25; // MADV_COLLAPSE, newer than Debian 12's libc.
  advise(memory, size, kCollapse);
}

EmbeddingStatusCode embedding_advise_huge_pages(void *memory, size_t size,
                                                EmbeddingStatus *out_status) {
  return callAtBoundary(out_status, [&]() -> Status {
    if (!memory && size > 0)
      return invalidArgument("expected memory not to be null");
    if (!adviseHugePages(memory, size))
      return Failure{EMBEDDING_UNSUPPORTED,
                     std::string("memory: no huge pages: ") +
                         std::strerror(errno)};
    collapseToHugePages(memory, size);
    return success();
  });
}
