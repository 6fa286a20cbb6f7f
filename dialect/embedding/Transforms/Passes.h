//===- Passes.h - Embedding transformations ---------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TRANSFORMS_PASSES_H
#define EMBEDDING_TRANSFORMS_PASSES_H

#include "embedding/Target/CostModel.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir {
class RewritePatternSet;

namespace LLVM {
class LLVMDialect;
} // namespace LLVM
namespace affine {
class AffineDialect;
} // namespace affine
namespace arith {
class ArithDialect;
} // namespace arith
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
namespace NVVM {
class NVVMDialect;
} // namespace NVVM
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
class EmbeddingDialect;

/// Whether dense gradients may be scattered, without a sort: in the order of
/// positions, or by atomic additions in no order.
enum class Scatter { none, in_order, atomic };

/// The function that runs the iterations of an outlined loop:
/// `void embedding_parallel_for(i64 size, void (*range)(void *context, i64
/// begin, i64 end), void *context)`.
inline constexpr llvm::StringLiteral
    kParallelForFunction("embedding_parallel_for");
/// The functions that `embedding-call-allocator` calls.
inline constexpr llvm::StringLiteral kAllocateFunction("embedding_allocate");
inline constexpr llvm::StringLiteral
    kAllocateResultFunction("embedding_allocate_result");
inline constexpr llvm::StringLiteral
    kDeallocateFunction("embedding_deallocate");
/// The function that `embedding-call-report-assertion` calls.
inline constexpr llvm::StringLiteral
    kReportAssertionFunction("embedding_report_assertion");
/// Marks a function that is handed a result of the program, its number.
inline constexpr llvm::StringLiteral kResultAttrName("embedding.result");
/// The function that `embedding-call-launch-kernel` calls.
inline constexpr llvm::StringLiteral
    kLaunchKernelFunction("embedding_launch_kernel");
/// Marks the functions of `embedding-outline-parallel-loops`.
inline constexpr llvm::StringLiteral
    kParallelBodyAttrName("embedding.parallel_body");
/// Marks the argument whose memory `embedding-plan-workspace` divides, and ends
/// the name of the function that says how much of it there must be.
inline constexpr llvm::StringLiteral kWorkspaceAttrName("embedding.workspace");
inline constexpr llvm::StringLiteral kWorkspaceBytesSuffix("_workspace_bytes");
/// The alignment in bytes of the row that a linalg operation writes around the
/// caches.
inline constexpr llvm::StringLiteral kStreamedAttrName("embedding.streamed");

#define GEN_PASS_DECL
#include "embedding/Transforms/Passes.h.inc"

/// The patterns of `embedding-split-checks`.
void populateSplitChecksPatterns(RewritePatternSet &patterns,
                                 bool branch = true);

/// The patterns of `embedding-fuse-renorm-lookup`.
void populateFuseRenormLookupPatterns(RewritePatternSet &patterns);

#define GEN_PASS_REGISTRATION
#include "embedding/Transforms/Passes.h.inc"

} // namespace embedding
} // namespace mlir

#endif // EMBEDDING_TRANSFORMS_PASSES_H
