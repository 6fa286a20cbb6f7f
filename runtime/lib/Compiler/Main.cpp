//===- Main.cpp - The compiler library as a program -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The other end of compileInProcess. A library with an entry is a program to
// the dynamic loader, as libc.so.6 is: there is no second file to install and
// find.
//
//===----------------------------------------------------------------------===//

#include "Code/CompilerProcess.h"
#include "Compilation.h"
#include "CompilerFingerprint.h"
#include "Support/WriteFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace embedding::runtime;

/// Writes to file 1, first what it is and last what makes it whole.
static int answer(uint64_t kind, llvm::StringRef body) {
  CompilerAnswer header = {kind, body.size()};
  llvm::StringRef pieces[] = {
      {reinterpret_cast<const char *>(&header), sizeof(header)}, body};
  for (llvm::StringRef piece : pieces)
    if (!writeAll(STDOUT_FILENO, piece))
      return 1;
  return 0;
}

/// Arguments: the fingerprint of the caller, and the fields of a ModuleTarget.
int main(int argc, char **argv) {
  // What ends this process is an error of the caller's module, and no more.
  rlimit none = {0, 0}, fileSize;
  setrlimit(RLIMIT_CORE, &none);
  // The answer is a file in memory, and no file of the caller's.
  if (getrlimit(RLIMIT_FSIZE, &fileSize) == 0) {
    fileSize.rlim_cur = fileSize.rlim_max;
    setrlimit(RLIMIT_FSIZE, &fileSize);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (argc != 9 || std::strcmp(argv[1], kCompilerFingerprint) != 0)
    return answer(CompilerAnswer::kError,
                  "compiler: it was built from other sources than the runtime");
  auto ir = llvm::MemoryBuffer::getOpenFile(
      llvm::sys::fs::convertFDToNativeFile(STDIN_FILENO), "module",
      /*FileSize=*/-1);
  if (!ir)
    return answer(CompilerAnswer::kError, "compiler: cannot read the module: " +
                                              ir.getError().message());
  auto chip = static_cast<int32_t>(std::strtol(argv[3], nullptr, 10));
  auto numThreads = static_cast<int32_t>(std::strtol(argv[7], nullptr, 10));
  ModuleTarget target = {argv[2],
                         chip,
                         argv[4][0] == '1',
                         argv[5][0] == '1',
                         argv[6][0] == '1',
                         numThreads,
                         argv[8]};
  int status = 1;
  CompilerOutput output;
  output.context = &status;
  output.setCode = [](void *status, const char *bytes, size_t size) {
    *static_cast<int *>(status) = answer(CompilerAnswer::kCode, {bytes, size});
  };
  output.setError = [](void *status, const char *message) {
    *static_cast<int *>(status) = answer(CompilerAnswer::kError, message);
  };
  compileModule((*ir)->getBuffer(), target, output);
  // LLVM's destructors have nothing to save.
  _exit(status);
}
