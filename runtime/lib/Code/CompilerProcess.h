//===- CompilerProcess.h - Compile in a process of its own ------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM answers IR that it does not expect by ending the process, in more ways
// than can be foreseen. So the IR of others is compiled in a child, which is
// the compiler library run as a program. It reads the IR from file 0, writes
// what it has made to file 1, and what LLVM prints goes to file 2.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CODE_COMPILERPROCESS_H
#define EMBEDDING_RUNTIME_LIB_CODE_COMPILERPROCESS_H

#include "Code/CompilerAPI.h"
#include "Support/Result.h"

namespace embedding::runtime {

/// What file 1 begins with; `size` bytes follow. A child that does not come to
/// its end has written none of it.
struct CompilerAnswer {
  static constexpr uint64_t kCode = 0x45646f436465624dULL;
  static constexpr uint64_t kError = 0x45726f724564624dULL;

  /// kCode if bytes of ModuleCode follow, kError if a message does.
  uint64_t kind;
  uint64_t size;
};

/// Compiles `ir` with `library` in a child; returns what ModuleCode::write has
/// made. `fingerprint` is what that library
/// must have.
Result<std::string> compileInProcess(const std::string &library,
                                     const char *fingerprint,
                                     std::string_view ir,
                                     const ModuleTarget &target);

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CODE_COMPILERPROCESS_H
