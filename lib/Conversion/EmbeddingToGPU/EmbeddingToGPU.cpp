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
  populateReduceToGPUPatterns(patterns, options);
  populateGradientsToGPUPatterns(patterns, options);
  populateRenormToGPUPatterns(patterns, options);
}

/// What of `op` has the dimensions of positions, and how many those are.
static std::pair<SmallVector<Value>, int64_t> getPositioned(Operation *op) {
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return {{reduce.getValues()},
            cast<MemRefType>(reduce.getValues().getType()).getRank() - 1};
  auto indexing = dyn_cast<RowIndexingOpInterface>(op);
  if (!indexing)
    return {{}, 1};
  // Tables and lists have fewer dimensions.
  Value indices = indexing.getIndices();
  int64_t rank = cast<MemRefType>(indices.getType()).getRank();
  SmallVector<Value> operands = {indices};
  for (Value operand : op->getOperands())
    if (auto type = dyn_cast<MemRefType>(operand.getType());
        type && type.getRank() == rank + 1)
      operands.push_back(operand);
  return {operands, rank};
}

void embedding::flattenIfEmpty(RewriterBase &rewriter, Operation *op) {
  SmallVector<Value> operands;
  int64_t rank;
  std::tie(operands, rank) = getPositioned(op);
  if (rank < 2 || llvm::none_of(
                      operands,
                      [&](Value operand) {
                        auto shape =
                            cast<MemRefType>(operand.getType()).getShape();
                        return llvm::is_contained(shape.take_front(rank), 0);
                      }))
    return;
  Location loc = op->getLoc();
  rewriter.modifyOpInPlace(op, [&] {
    for (Value operand : operands) {
      auto type = cast<MemRefType>(operand.getType());
      SmallVector<int64_t> shape = {0};
      SmallVector<OpFoldResult> sizes = {rewriter.getIndexAttr(0)};
      SmallVector<OpFoldResult> strides = {rewriter.getIndexAttr(1)};
      if (type.getRank() > rank) {
        OpFoldResult rowLength =
            embedding::getMixedSize(rewriter, loc, operand, rank);
        shape.push_back(type.getDimSize(rank));
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
    populateEmbeddingToGPUPatterns(patterns, {rowAlignment, vectorAtomics});
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
