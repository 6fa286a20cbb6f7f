//===- Tool.cpp - What the tools have in common ---------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tool.h"

#include "Errors.h"

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

using namespace embedding::tools;

void embedding::tools::setVersionPrinter() {
  llvm::cl::SetVersionPrinter([](llvm::raw_ostream &os) {
    os << "embedding-mlir version " EMBEDDING_MLIR_VERSION
          "\n  LLVM version " LLVM_VERSION_STRING "\n";
  });
}

llvm::Error embedding::tools::flushStandardOutput() {
  llvm::outs().flush();
  std::error_code error = llvm::outs().error();
  llvm::outs().clear_error();
  if (error)
    return createError("standard output: {0}", error.message());
  return llvm::Error::success();
}
