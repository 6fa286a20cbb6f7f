//===- WriteFile.h - Writing files whole ------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_SUPPORT_WRITEFILE_H
#define EMBEDDING_RUNTIME_LIB_SUPPORT_WRITEFILE_H

#include <cerrno>
#include <cstdint>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>

namespace embedding::runtime {

/// Whether this process may write a file of `size` bytes, one in memory too.
/// Beyond its limit, SIGXFSZ would end it.
inline bool isWithinFileLimit(uint64_t size) {
  rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
         (limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur);
}

/// Writes all of `bytes`; false, with errno, if that fails.
inline bool writeAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_SUPPORT_WRITEFILE_H
