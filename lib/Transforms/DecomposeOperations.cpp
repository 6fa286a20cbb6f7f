//===- DecomposeOperations.cpp - Operations become moves of rows ----------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Utils/LoopBuilder.h"
#include "embedding/Target/CostModel.h"
#include "embedding/Transforms/Passes.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGDECOMPOSEOPERATIONSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// Whether `op` is better scattered, as it may be in the order of positions, at
/// the sizes of the call.
static Value isScatterFaster(LoopBuilder &b, DenseGradOp op,
                             int64_t numThreads) {
  ShapedType table = getShapedType(op.getGradTable());
  int64_t rowLength = table.getDimSize(1);
  int64_t rowBytes = rowLength * getElementBytes(table.getElementType());
  if (rowBytes > cost::getMaxScatteredRowBytes(numThreads))
    return b.flag(false);
  return cost::isScatterFaster(RuntimeSize(b, b.numElements(op.getIndices())),
                               RuntimeSize(b, b.value(op.getMixedNumRows(b))));
}

/// Whether `op` may be scattered as `scatter` has it.
static bool canScatter(DenseGradOp op, Scatter scatter) {
  if (op.getScaleGradByFreq())
    return false;
  ShapedType table = getShapedType(op.getGradTable());
  Type element = table.getElementType();
  switch (scatter) {
  case Scatter::none:
    return false;
  case Scatter::in_order:
    return !table.isDynamicDim(1);
  case Scatter::atomic:
    // Narrower sums would be rounded each time.
    return element == getAccumulatorType(element);
  }
  llvm_unreachable("no such scatter");
}

static Value isScattered(LoopBuilder &b, DenseGradOp op, Scatter scatter,
                         int64_t numThreads) {
  if (!canScatter(op, scatter))
    return b.flag(false);
  if (std::optional<Grouping> given = b.getSchedule().getGrouping())
    return b.flag(*given == Grouping::scatter);
  if (scatter == Scatter::atomic)
    return b.flag(true);
  return isScatterFaster(b, op, numThreads);
}

namespace {

struct EmbeddingDecomposeOperations
    : embedding::impl::EmbeddingDecomposeOperationsPassBase<
          EmbeddingDecomposeOperations> {
  using EmbeddingDecomposeOperationsPassBase::
      EmbeddingDecomposeOperationsPassBase;

  void runOnOperation() override {
    SmallVector<linalg::AggregatedOpInterface> ops;
    getOperation()->walk([&](linalg::AggregatedOpInterface op) {
      if (isa<EmbeddingDialect>(op->getDialect()))
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::AggregatedOpInterface op : ops) {
      rewriter.setInsertionPoint(op);
      FailureOr<SmallVector<Value>> moves = decompose(op, rewriter);
      if (succeeded(moves))
        rewriter.replaceOp(op, *moves);
    }
  }

private:
  /// A scatter is a move; so is what cannot be decomposed.
  FailureOr<SmallVector<Value>> decompose(linalg::AggregatedOpInterface op,
                                          OpBuilder &builder) {
    auto gradient = dyn_cast<DenseGradOp>(*op);
    if (!gradient)
      return op.decomposeOperation(builder);
    LoopBuilder b(op, builder);
    return b.choose(
        isScattered(b, gradient, scatter, numThreads),
        [&] {
          Operation *move = b.clone(*op);
          move->setAttr(kScheduleAttrName,
                        b.getSchedule().withGrouping(Grouping::scatter));
          return SmallVector<Value>(move->getResults());
        },
        [&] { return *gradient.decomposeOperation(b); });
  }
};

} // namespace
