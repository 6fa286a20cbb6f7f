//===- Passes.h - Conversions out of the embedding dialect ------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_CONVERSION_PASSES_H
#define EMBEDDING_CONVERSION_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir {
class DLTIDialect;
class RewritePatternSet;

namespace LLVM {
class LLVMDialect;
} // namespace LLVM
namespace NVVM {
class NVVMDialect;
} // namespace NVVM
namespace affine {
class AffineDialect;
} // namespace affine
namespace arith {
class ArithDialect;
} // namespace arith
namespace complex {
class ComplexDialect;
} // namespace complex
namespace func {
class FuncDialect;
} // namespace func
namespace gpu {
class GPUDialect;
} // namespace gpu
namespace linalg {
class LinalgDialect;
} // namespace linalg
namespace math {
class MathDialect;
} // namespace math
namespace memref {
class MemRefDialect;
} // namespace memref
namespace scf {
class SCFDialect;
} // namespace scf
namespace tensor {
class TensorDialect;
} // namespace tensor
namespace vector {
class VectorDialect;
} // namespace vector

namespace embedding {

/// The functions that `convert-embedding-to-func` calls, and their type.
inline constexpr llvm::StringLiteral
    kReportOutOfRangeFunction("embedding_report_out_of_range");
inline constexpr llvm::StringLiteral
    kReportMismatchFunction("embedding_report_mismatch");
FunctionType getReportType(MLIRContext *context);

/// The module that `convert-embedding-to-gpu` puts kernels in, and the function
/// that says where they report indices out of range.
inline constexpr llvm::StringLiteral kKernelModuleName("embedding_kernels");
inline constexpr llvm::StringLiteral
    kGetOutOfRangeReportFunction("embedding_get_out_of_range_report");
/// The i64s of that report.
enum : int32_t {
  kReportPosition,
  kReportIndex,
  kReportCount,
  kReportLock,
};

#define GEN_PASS_DECL
#include "embedding/Conversion/Passes.h.inc"

/// The patterns of `convert-embedding-to-linalg`.
void populateEmbeddingToLinalgPatterns(RewritePatternSet &patterns);

/// The patterns of `convert-embedding-to-loops`, to be applied one set after
/// the other: to groups and loops over them, and from groups to loops.
void populateEmbeddingToGroupsPatterns(
    RewritePatternSet &patterns,
    const ConvertEmbeddingToLoopsPassOptions &options);
void populateEmbeddingGroupToLoopsPatterns(RewritePatternSet &patterns);

/// The patterns of `convert-embedding-to-gpu`.
void populateEmbeddingToGPUPatterns(
    RewritePatternSet &patterns,
    const ConvertEmbeddingToGPUPassOptions &options);

#define GEN_PASS_REGISTRATION
#include "embedding/Conversion/Passes.h.inc"

} // namespace embedding
} // namespace mlir

#endif // EMBEDDING_CONVERSION_PASSES_H
