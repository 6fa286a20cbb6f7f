//===- Tool.h - What the tools have in common ---------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TOOLS_SUPPORT_TOOL_H
#define EMBEDDING_TOOLS_SUPPORT_TOOL_H

#include "llvm/Support/Error.h"

namespace embedding::tools {

/// Makes --version print our version. To be called before the command line is
/// parsed.
void setVersionPrinter();

/// Flushes standard output; an error if something of it could not be written.
llvm::Error flushStandardOutput();

} // namespace embedding::tools

#endif // EMBEDDING_TOOLS_SUPPORT_TOOL_H
