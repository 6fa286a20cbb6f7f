//===- ChildProcess.cpp - What may end a process --------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ChildProcess.h"

#include "Errors.h"
#include "Support/ChildEnd.h"
#include "Support/WriteFile.h"

#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace embedding;
using namespace embedding::tools;

/// Status of a child whose `make` has returned true, and false. Others, 1 of
/// LLVM's `exit` among them, are of a child that has not come to its end.
static constexpr int kMade = 0, kNotMade = 77;

[[noreturn]] static void
runChild(int to, pid_t parent,
         llvm::function_ref<bool(llvm::SmallVectorImpl<char> &)> make) {
  // The files that a signal would remove are the parent's, and so is what is
  // printed of a crash.
  llvm::sys::unregisterHandlers();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  llvm::SmallVector<char, 0> bytes;
  if (getppid() != parent || !make(bytes))
    _exit(kNotMade);
  if (!runtime::writeAll(to, {bytes.data(), bytes.size()}))
    _exit(EXIT_FAILURE);
  // Destructors have nothing to save.
  _exit(kMade);
}

static llvm::Error createErrnoError(const char *what) {
  return createError("cannot start a compiler: {0}: {1}", what,
                     std::strerror(errno));
}

llvm::Expected<bool> embedding::tools::makeInChild(
    llvm::SmallVectorImpl<char> &bytes,
    llvm::function_ref<bool(llvm::SmallVectorImpl<char> &)> make) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return createErrnoError("pipe");
  // What is in the buffer would be written twice.
  llvm::outs().flush();
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0)
    runChild(ends[1], parent, make);
  close(ends[1]);
  if (child < 0) {
    llvm::Error error = createErrnoError("fork");
    close(ends[0]);
    return error;
  }
  size_t before = bytes.size();
  char piece[1 << 16];
  ssize_t count;
  while ((count = read(ends[0], piece, sizeof(piece))) > 0 ||
         (count < 0 && errno == EINTR))
    if (count > 0)
      bytes.append(piece, piece + count);
  close(ends[0]);
  int end = 0;
  bool isKnown = runtime::waitForEnd(child, end);
  bool isExit = isKnown && WIFEXITED(end);
  if (isExit && WEXITSTATUS(end) == kMade)
    return true;
  bytes.truncate(before);
  if (isExit && WEXITSTATUS(end) == kNotMade)
    return false;
  return createError("the compiler {0}", runtime::describeEnd(isKnown, end));
}
