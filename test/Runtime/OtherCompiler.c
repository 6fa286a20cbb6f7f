/*===- OtherCompiler.c - A compiler of other sources --------------*- C -*-===*\
|*
|* Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
|* See LICENSE for license information.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#define EXPORT __attribute__((visibility("default")))

EXPORT const char *embedding_compiler_fingerprint(void) {
  return "LLVM 22.1.0, embedding-mlir of other sources";
}
EXPORT void embedding_compile_kernel(void) { __builtin_trap(); }
