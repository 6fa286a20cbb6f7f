//===- Buffers.cpp - embedding_buffer_... and huge pages ------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Engine.h"
#include "HugePages.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <sys/mman.h>

using namespace embedding::runtime;

//===----------------------------------------------------------------------===//
// Huge pages
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

EmbeddingStatusCode embedding_buffer_allocate(EmbeddingEngine *engine,
                                              size_t size, void **out_memory,
                                              EmbeddingStatus *out_status) {
  return callAtBoundary(out_status, [&]() -> Status {
    if (!engine || !out_memory)
      return invalidArgument("expected engine and out_memory not to be null");
    *out_memory = nullptr;
    Result<Workspace> buffer = engine->engine->allocate(size);
    if (!buffer)
      return buffer.failure();
    *out_memory = buffer->release();
    return success();
  });
}

void embedding_buffer_deallocate(EmbeddingEngine *engine, void *memory,
                                 size_t size) {
  if (engine && memory)
    Workspace(*engine->engine, memory, size);
}
