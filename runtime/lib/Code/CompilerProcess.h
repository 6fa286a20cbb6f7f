//===- CompilerProcess.h - Compile in another process -----------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM answers what it does not expect, and memory that runs out, by ending the
// process, in more ways than can be foreseen. So this process never loads it.
// Another has it loaded, forks for each request, and ends when there have been
// none for a while. The next request then starts one again.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CODE_COMPILERPROCESS_H
#define EMBEDDING_RUNTIME_LIB_CODE_COMPILERPROCESS_H

#include "Code/CompileRequest.h"
#include "Support/Result.h"

namespace embedding::runtime {

/// Has the server of `library` compile; returns what ModuleCode::write has
/// made. To be called within a NoForkScope; by several threads at once.
Result<std::string> compileInProcess(const std::string &library,
                                     const CompileRequest &request);

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CODE_COMPILERPROCESS_H
