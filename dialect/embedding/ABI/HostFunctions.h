//===- HostFunctions.h - What generated code calls --------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The functions of whoever loads generated code. A shared object of such code
// has a table of pointers to them, one for each in the order below, which its
// loader fills before anything runs: a symbol would be looked for in the whole
// process, where the runtime's are not to be seen, or twice. This header is C.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_ABI_HOSTFUNCTIONS_H
#define EMBEDDING_ABI_HOSTFUNCTIONS_H

/// Those of the runtime, which the passes describe that call them.
#define EMBEDDING_RUNTIME_FUNCTIONS(X)                                         \
  X(embedding_allocate)                                                        \
  X(embedding_allocate_result)                                                 \
  X(embedding_deallocate)                                                      \
  X(embedding_get_out_of_range_report)                                         \
  X(embedding_launch_kernel)                                                   \
  X(embedding_parallel_for)                                                    \
  X(embedding_report_assertion)                                                \
  X(embedding_report_mismatch)                                                 \
  X(embedding_report_out_of_range)                                             \
  X(embedding_take_result)                                                     \
  X(memrefCopy)

/// Those of the C compiler's own library, which not every system has as a
/// shared one: conversions of f16 on CPUs without them.
#define EMBEDDING_BUILTIN_FUNCTIONS(X)                                         \
  X(__extendhfdf2)                                                             \
  X(__extendhfsf2)                                                             \
  X(__truncdfhf2)                                                              \
  X(__truncsfhf2)

#define EMBEDDING_HOST_FUNCTIONS(X)                                            \
  EMBEDDING_RUNTIME_FUNCTIONS(X)                                               \
  EMBEDDING_BUILTIN_FUNCTIONS(X)

/// The position of each in the table, and their number.
enum {
#define EMBEDDING_POSITION(name) embedding_position_of_##name,
  EMBEDDING_HOST_FUNCTIONS(EMBEDDING_POSITION)
#undef EMBEDDING_POSITION
      embedding_num_host_functions
};

/// The name of the table.
#define EMBEDDING_HOST_TABLE embedding_host_functions

#endif // EMBEDDING_ABI_HOSTFUNCTIONS_H
