//===- ReadFile.h - Reading files whole -------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_SUPPORT_READFILE_H
#define EMBEDDING_RUNTIME_LIB_SUPPORT_READFILE_H

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace embedding::runtime {

/// The bytes of a file, at most `limit` of them from its end; none if that
/// fails.
inline std::string readAll(int fd, size_t limit = SIZE_MAX) {
  struct stat status;
  if (fstat(fd, &status) != 0)
    return "";
  size_t size = status.st_size;
  std::string bytes(std::min(size, limit), '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    ssize_t count = pread(fd, bytes.data() + filled, bytes.size() - filled,
                          size - bytes.size() + filled);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return "";
    filled += count;
  }
  return bytes;
}

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_SUPPORT_READFILE_H
