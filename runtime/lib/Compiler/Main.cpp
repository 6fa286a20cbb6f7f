//===- Main.cpp - The compiler library as a program -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A library with an entry is a program to the dynamic loader, as libc.so.6 is:
// there is no second file to install and find.
//
//===----------------------------------------------------------------------===//

#include "Compilation.h"
#include "CompilerFingerprint.h"
#include "Server.h"

using namespace embedding::runtime;

static Result<std::string> compile(const CompileRequest &request) {
  if (const auto *spec = std::get_if<KernelSpec>(&request.source))
    return compileKernel(request.cpu, *spec);
  return compileModule(request.cpu, std::get<ModuleSource>(request.source));
}

int main() {
  return serve({kCompilerFingerprint, prepareCompilation, compile});
}
