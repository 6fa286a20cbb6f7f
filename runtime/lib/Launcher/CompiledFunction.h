//===- CompiledFunction.h - What embedding-compile calls --------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Between the code that embedding-compile generates and libembedding-launcher,
// which is linked to it.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_LAUNCHER_COMPILEDFUNCTION_H
#define EMBEDDING_RUNTIME_LIB_LAUNCHER_COMPILEDFUNCTION_H

#include <cstdint>

namespace embedding::runtime {

/// The functions of the launcher that an exported function calls, and that the
/// function of a library that waits for a stream calls.
inline constexpr char kCallCompiledName[] = "embedding_call_compiled";
inline constexpr char kSynchronizeName[] = "embedding_synchronize_compiled";

/// A signature is a sequence of i64:
/// - the level of x86-64 that host code needs, 1 to 4, or 0 if it is another
///   architecture's,
/// - the number of GPUs that there is code for, and each, such as 90 for sm_90;
///   none if the code is for the CPU,
/// - the numbers of arguments and of results,
/// - for each argument, then for each result: its rank, or kScalar; DLPack's
///   code of its type, or kAnyInteger; its bits; its sizes; its strides. Sizes
///   and strides may be kAny, strides also kCompact: those of row-major memory
///   without gaps.
inline constexpr int64_t kScalar = -1;
inline constexpr int64_t kAnyInteger = -1;
inline constexpr int64_t kAny = INT64_MIN;
inline constexpr int64_t kCompact = INT64_MIN + 1;

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_LAUNCHER_COMPILEDFUNCTION_H
