//===- Signature.h - What compiled functions take and return ----*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Written by the compiler, read by the runtime when it calls such a function.
// It needs nothing of LLVM, since the runtime has none.
//
// A signature is a sequence of i64:
// - the level of x86-64 that host code needs, 1 to 4, or 0 if it is another
//   architecture's,
// - the number of GPUs that there is code for, and each, such as 90 for sm_90;
//   none if the code is for the CPU,
// - the numbers of arguments and of results,
// - for each argument, then for each result: its rank, or kScalar; DLPack's
//   code of its type, or kAnyInteger; its bits; unless it is a scalar, whether
//   it is a memref, 0 or 1; its sizes; its strides. Sizes
//   and strides may be kAny, strides also kCompact: those of row-major memory
//   without gaps.
//
// With it come names, each with a null behind it: of the function, of
// arguments, of results.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_ABI_SIGNATURE_H
#define EMBEDDING_ABI_SIGNATURE_H

#include <cstdint>

namespace mlir::embedding::signature {

inline constexpr int64_t kScalar = -1;
/// More dimensions than this nobody can pass.
inline constexpr int64_t kMaxRank = 32;
inline constexpr int64_t kAnyInteger = -1;
/// kDLBool, which DLPack has since version 0.8: a byte of 0 or 1, as i1 is in
/// memory.
inline constexpr int64_t kBool = 6;
inline constexpr int64_t kAny = INT64_MIN;
inline constexpr int64_t kCompact = INT64_MIN + 1;

} // namespace mlir::embedding::signature

#endif // EMBEDDING_ABI_SIGNATURE_H
