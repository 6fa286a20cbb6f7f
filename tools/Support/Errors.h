//===- Errors.h - Errors of the tools ---------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TOOLS_SUPPORT_ERRORS_H
#define EMBEDDING_TOOLS_SUPPORT_ERRORS_H

#include "llvm/Support/Error.h"
#include "llvm/Support/FormatVariadic.h"

namespace embedding::tools {

/// An error with a message in the style of llvm::formatv.
template <typename... Args>
llvm::Error createError(const char *format, Args &&...args) {
  return llvm::createStringError(
      llvm::formatv(format, std::forward<Args>(args)...).str());
}

} // namespace embedding::tools

#endif // EMBEDDING_TOOLS_SUPPORT_ERRORS_H
