/*===- HostStubs.c - Calls through the table of host functions ----*- C -*-===*\
|*
|* Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
|* See LICENSE for license information.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*|
|*
|* Linked to generated code: the table, and of each name a jump through it.
|*
\*===----------------------------------------------------------------------===*/

#include "embedding/ABI/HostFunctions.h"

#define STRING(x) #x
#define EXPANDED_STRING(x) STRING(x)

__attribute__((visibility("protected"),
               used)) void *EMBEDDING_HOST_TABLE[embedding_num_host_functions];

#if defined(__x86_64__)
#define STUB(name)                                                             \
  ".globl " #name "\n"                                                         \
  ".hidden " #name "\n"                                                        \
  ".type " #name ", @function\n"                                               \
  ".p2align 3\n" #name ":\n"                                                   \
  ".cfi_startproc\n"                                                           \
  "jmp *" EXPANDED_STRING(                                                     \
      EMBEDDING_HOST_TABLE) " + 8 * .Lposition(%rip)\n"                        \
                            ".cfi_endproc\n"                                   \
                            ".size " #name ", . - " #name "\n"                 \
                            ".set .Lposition, .Lposition + 1\n"
__asm__(".text\n"
        ".set .Lposition, 0\n" EMBEDDING_HOST_FUNCTIONS(STUB));
#endif
