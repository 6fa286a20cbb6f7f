//===- Patterns.h - Patterns of convert-embedding-to-gpu --------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_PATTERNS_H
#define EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_PATTERNS_H

#include "DeviceIndices.h"
#include "embedding/Conversion/Passes.h"

#include "mlir/IR/PatternMatch.h"

namespace mlir::embedding {

using GPUOptions = ConvertEmbeddingToGPUPassOptions;

/// If there is no position, since one of several dimensions is known to be 0,
/// gives `op` indices of one dimension, and what has a row for each of them: no
/// position has coordinates then.
void flattenIfEmpty(RewriterBase &rewriter, Operation *op);

/// A pattern that takes its operation, on memrefs, to kernels and launches of
/// them.
template <typename OpTy> struct ToGPUPattern : OpRewritePattern<OpTy> {
  ToGPUPattern(MLIRContext *context, const GPUOptions &options)
      : OpRewritePattern<OpTy>(context), options(options) {}

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    for (Type type : op->getOperandTypes()) {
      if (isa<TensorType>(type))
        return rewriter.notifyMatchFailure(
            op, "it is on tensors; run 'one-shot-bufferize' first");
      if (auto memref = dyn_cast<MemRefType>(type);
          memref && !VectorType::isValidElementType(memref.getElementType()))
        return rewriter.notifyMatchFailure(op, [&](Diagnostic &reason) {
          reason << "expected elements to be integers or floats on a GPU, but "
                    "got "
                 << memref.getElementType();
        });
    }
    if (failed(verify(op, rewriter)))
      return failure();
    flattenIfEmpty(rewriter, op);
    LoopBuilder host(op, rewriter);
    lower(op, host);
    rewriter.eraseOp(op);
    return success();
  }

  /// Says why `op` cannot be lowered, if it cannot.
  virtual LogicalResult verify(OpTy op, RewriterBase &rewriter) const {
    return success();
  }
  /// Builds what takes the place of `op`.
  virtual void lower(OpTy op, LoopBuilder &host) const = 0;

  GPUOptions options;
};

/// The indices of `op`, whose padding row names nothing.
template <typename OpTy>
DeviceIndices getMaskedIndices(LoopBuilder &host, OpTy op) {
  Value paddingRow = getPaddingRow(host, op);
  return DeviceIndices(host, op.getIndices(),
                       host.value(op.getMixedNumRows(host)), op.getOutOfRange(),
                       paddingRow);
}

/// Launches a kernel that copies the row of `table` that each position names to
/// `out`, and zeros where it names none. `weights`, if it is not null, has what
/// the row at a position is multiplied by, of the type of sums.
void launchGather(LoopBuilder &host, StringRef name,
                  const DeviceIndices &indices, Value table, Value out,
                  int64_t rowAlignment, Value weights = nullptr);

void populateLookupToGPUPatterns(RewritePatternSet &patterns,
                                 const GPUOptions &options);
void populateGroupToGPUPatterns(RewritePatternSet &patterns,
                                const GPUOptions &options);
void populateReduceToGPUPatterns(RewritePatternSet &patterns,
                                 const GPUOptions &options);
void populateGradientsToGPUPatterns(RewritePatternSet &patterns,
                                    const GPUOptions &options);
void populateRenormToGPUPatterns(RewritePatternSet &patterns,
                                 const GPUOptions &options);

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_PATTERNS_H
