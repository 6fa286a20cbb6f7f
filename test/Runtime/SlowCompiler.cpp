//===- SlowCompiler.cpp - A compiler that takes its time ------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/CompilerAPI.h"
#include "CompilerFingerprint.h"

#include <atomic>
#include <chrono>
#include <thread>

using namespace embedding::runtime;

/// For tests to see.
extern "C" EMBEDDING_RUNTIME_EXPORT std::atomic<bool> is_compiling;
std::atomic<bool> is_compiling{false};

/// How many compilations there are now, and the most that there were at once.
static std::atomic<int> numCompiling{0};
extern "C" EMBEDDING_RUNTIME_EXPORT std::atomic<int> most_compiling;
std::atomic<int> most_compiling{0};

static void takeTime() {
  int number = ++numCompiling;
  int most = most_compiling;
  while (most < number && !most_compiling.compare_exchange_weak(most, number))
    ;
  is_compiling = true;
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  is_compiling = --numCompiling > 0;
}

extern "C" EMBEDDING_RUNTIME_EXPORT void
embedding_compile_kernel(const KernelSpec *, const char *,
                         const CompilerOutput *output) {
  takeTime();
  output->setError(output->context, "nothing was compiled");
}

extern "C" EMBEDDING_RUNTIME_EXPORT const char *
embedding_compiler_fingerprint() {
  return kCompilerFingerprint;
}
