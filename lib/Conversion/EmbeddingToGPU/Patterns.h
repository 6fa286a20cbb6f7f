//===- Patterns.h - The patterns of convert-embedding-to-gpu ----*- C++ -*-===//
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

/// A pattern that takes its operation to kernels and launches of them.
template <typename OpTy> struct ToGPUPattern : OpRewritePattern<OpTy> {
  ToGPUPattern(MLIRContext *context, const GPUOptions &options)
      : OpRewritePattern<OpTy>(context), options(options) {}

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (!llvm::all_of(op->getOperandTypes(),
                      [](Type type) { return !isa<TensorType>(type); }))
      return rewriter.notifyMatchFailure(op, "not bufferized yet");
    for (Type type : op->getOperandTypes())
      if (auto memref = dyn_cast<MemRefType>(type);
          memref && !VectorType::isValidElementType(memref.getElementType()))
        return rewriter.notifyMatchFailure(op, "elements of no GPU type");
    LoopBuilder host(op, rewriter);
    lower(op, host);
    rewriter.eraseOp(op);
    return success();
  }

  /// Builds what takes the place of `op`.
  virtual void lower(OpTy op, LoopBuilder &host) const = 0;

  GPUOptions options;
};

void populateLookupToGPUPatterns(RewritePatternSet &patterns,
                                 const GPUOptions &options);

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_PATTERNS_H
