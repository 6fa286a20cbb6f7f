//===- Server.h - The compiler as a process ---------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The other end of compileInProcess. There is nothing of LLVM in it.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_COMPILER_SERVER_H
#define EMBEDDING_RUNTIME_LIB_COMPILER_SERVER_H

#include "Code/CompileRequest.h"
#include "Support/Result.h"

namespace embedding::runtime {

struct Compiler {
  const char *fingerprint;
  /// Does once what all requests need.
  void (*prepare)();
  /// What ModuleCode::write has made, or the message of an error. Called in a
  /// child, which may end in it.
  Result<std::string> (*compile)(const CompileRequest &request);
};

/// The main function of a compiler. It returns in the caller's child, which has
/// then started the server.
int serve(const Compiler &compiler);

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_COMPILER_SERVER_H
