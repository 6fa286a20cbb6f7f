//===- HugePages.cpp - Pages of 2 MiB -------------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Host/HugePages.h"
#include "Support/Result.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <sys/mman.h>

using namespace embedding::runtime;

static constexpr uintptr_t kPageBytes = 4096;

/// madvise on the huge pages within the range; without any, nothing is to do.
static bool advise(void *memory, size_t size, int advice) {
  auto begin = reinterpret_cast<uintptr_t>(memory);
  uintptr_t end = 0;
  if (__builtin_add_overflow(begin, size, &end)) {
    errno = ENOMEM; // As for other memory that is not there.
    return false;
  }
  end = end / kHugePageBytes * kHugePageBytes;
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

/// Whether each node has twice as many free huge pages as `size` takes: others
/// take some too.
static bool hasFreeHugePages(size_t size) {
  // "Node 0, zone Normal" and the free blocks of one page, two, four, ...
  std::ifstream file("/proc/buddyinfo");
  std::map<std::string, uint64_t> freeBytes;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string word, node, name;
    fields >> word >> node >> word >> name;
    uint64_t count, bytes = kPageBytes, &sum = freeBytes[node];
    for (; fields >> count; bytes *= 2)
      if (bytes >= kHugePageBytes)
        sum += count * bytes;
  }
  return !freeBytes.empty() &&
         std::all_of(freeBytes.begin(), freeBytes.end(),
                     [&](auto &node) { return node.second / 2 >= size; });
}

void *embedding::runtime::mapPages(size_t size) {
  size_t mapped = size + kHugePageBytes;
  void *found = mapped < size ? MAP_FAILED
                              : mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (found == MAP_FAILED)
    return nullptr;
  // The ends that are not wanted.
  auto *begin = static_cast<char *>(found);
  size_t before = -reinterpret_cast<uintptr_t>(begin) % kHugePageBytes;
  if (before > 0)
    munmap(begin, before);
  munmap(begin + before + size, kHugePageBytes - before);
  if (hasFreeHugePages(size))
    adviseHugePages(begin + before, size);
  return begin + before;
}

void embedding::runtime::unmapPages(void *memory, size_t size) {
  munmap(memory, size);
}

void embedding::runtime::populatePages(void *memory, size_t size) {
  constexpr int kPopulateWrite = 23; // MADV_POPULATE_WRITE, of Linux 5.14.
  uintptr_t begin = reinterpret_cast<uintptr_t>(memory) & -kPageBytes;
  uintptr_t end = reinterpret_cast<uintptr_t>(memory) + size;
  madvise(reinterpret_cast<void *>(begin), end - begin, kPopulateWrite);
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
