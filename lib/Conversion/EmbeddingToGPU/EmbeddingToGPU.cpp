//===- EmbeddingToGPU.cpp - Kernels and their launches --------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Conversion.h"
#include "Patterns.h"

#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_CONVERTEMBEDDINGTOGPUPASS
#include "embedding/Conversion/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

void embedding::populateEmbeddingToGPUPatterns(
    RewritePatternSet &patterns,
    const ConvertEmbeddingToGPUPassOptions &options) {
  populateLookupToGPUPatterns(patterns, options);
  populateGroupToGPUPatterns(patterns, options);
  populateGradientsToGPUPatterns(patterns, options);
  populateRenormToGPUPatterns(patterns, options);
}

void embedding::flattenIfEmpty(RewriterBase &rewriter,
                               RowIndexingOpInterface op) {
  int64_t indexRank = cast<MemRefType>(op.getIndices().getType()).getRank();
  if (indexRank < 2)
    return;
  // The indices, and what has a row for each of them: tables and lists have
  // fewer dimensions.
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    if (auto type = dyn_cast<MemRefType>(operand.getType());
        type && type.getRank() >= 2 &&
        (operand == op.getIndices() || type.getRank() == indexRank + 1))
      operands.push_back(operand);
  if (llvm::none_of(operands, [&](Value operand) {
        auto shape = cast<MemRefType>(operand.getType()).getShape();
        return llvm::is_contained(shape.take_front(indexRank), 0);
      }))
    return;
  Location loc = op.getLoc();
  rewriter.modifyOpInPlace(op, [&] {
    for (Value operand : operands) {
      auto type = cast<MemRefType>(operand.getType());
      SmallVector<int64_t> shape = {0};
      SmallVector<OpFoldResult> sizes = {rewriter.getIndexAttr(0)};
      SmallVector<OpFoldResult> strides = {rewriter.getIndexAttr(1)};
      if (type.getRank() > indexRank) {
        OpFoldResult rowLength =
            embedding::getMixedSize(rewriter, loc, operand, indexRank);
        shape.push_back(type.getDimSize(indexRank));
        sizes.push_back(rowLength);
        strides.insert(strides.begin(), rowLength);
      }
      Value flat = memref::ReinterpretCastOp::create(
          rewriter, loc, MemRefType::get(shape, type.getElementType()), operand,
          rewriter.getIndexAttr(0), sizes, strides);
      op->replaceUsesOfWith(operand, flat);
    }
  });
}

namespace {

struct ConvertEmbeddingToGPU
    : embedding::impl::ConvertEmbeddingToGPUPassBase<ConvertEmbeddingToGPU> {
  using ConvertEmbeddingToGPUPassBase::ConvertEmbeddingToGPUPassBase;

  void runOnOperation() override {
    if (rowAlignment < 0 || (rowAlignment & (rowAlignment - 1)) != 0) {
      getOperation().emitError("expected row-alignment to be 0 or a power of "
                               "two, but got ")
          << rowAlignment.getValue();
      return signalPassFailure();
    }
    RewritePatternSet patterns(&getContext());
    populateEmbeddingToGPUPatterns(
        patterns, {rowAlignment, atomicGradients, vectorAtomics});
    ConversionTarget target(getContext());
    target.addIllegalDialect<EmbeddingDialect>();
    // The host's.
    target.addLegalOp<ExpectSizeOp>();
    // What a report was of; the check is in its kernel.
    target.addDynamicallyLegalOp<FindOutOfRangeOp>(
        [](FindOutOfRangeOp op) { return op->use_empty(); });
    if (failed(convert(getOperation(), patterns, target)))
      signalPassFailure();
  }
};

} // namespace
