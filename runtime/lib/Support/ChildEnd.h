//===- ChildEnd.h - How child processes end ---------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_SUPPORT_CHILDEND_H
#define EMBEDDING_RUNTIME_LIB_SUPPORT_CHILDEND_H

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <sys/wait.h>

namespace embedding::runtime {

/// Waits for `child`; false if nobody knows its end, since others have asked.
inline bool waitForEnd(pid_t child, int &end) {
  pid_t ended;
  do
    ended = waitpid(child, &end, 0);
  while (ended < 0 && errno == EINTR);
  return ended == child;
}

/// "ended by signal 6, Aborted", "ended with status 1", or "ended".
inline std::string describeEnd(bool isKnown, int end) {
  if (!isKnown)
    return "ended";
  if (!WIFSIGNALED(end))
    return "ended with status " + std::to_string(WEXITSTATUS(end));
  const char *name = sigdescr_np(WTERMSIG(end));
  return "ended by signal " + std::to_string(WTERMSIG(end)) +
         (name ? std::string(", ") + name : ", without a name");
}

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_SUPPORT_CHILDEND_H
