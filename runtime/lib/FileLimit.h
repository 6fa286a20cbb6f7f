//===- FileLimit.h - How large a file this process may write ----*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_FILELIMIT_H
#define EMBEDDING_RUNTIME_LIB_FILELIMIT_H

#include <cstdint>
#include <sys/resource.h>

namespace embedding::runtime {

/// Whether this process may write a file of `size` bytes, one in memory too.
/// Beyond its limit, SIGXFSZ would end it.
inline bool isWithinFileLimit(uint64_t size) {
  rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
         (limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur);
}

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_FILELIMIT_H
