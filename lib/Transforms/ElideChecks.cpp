//===- ElideChecks.cpp - Drop checks of indices proven in range -----------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/IR/Embedding.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Analysis/DataFlow/IntegerRangeAnalysis.h"
#include "mlir/Analysis/DataFlow/Utils.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGELIDECHECKSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

namespace {

/// Upstream's reads bounds of loops that have none as values, as `affine.for`
/// whose bound is a map.
class RangeAnalysis : public dataflow::IntegerRangeAnalysis {
public:
  using IntegerRangeAnalysis::IntegerRangeAnalysis;

  void visitNonControlFlowArguments(
      Operation *op, const RegionSuccessor &successor,
      ArrayRef<dataflow::IntegerValueRangeLattice *> arguments,
      unsigned firstIndex) override {
    auto loop = dyn_cast<LoopLikeOpInterface>(op);
    bool hasBounds =
        !loop || (loop.getLoopLowerBounds() && loop.getLoopUpperBounds() &&
                  loop.getLoopSteps());
    if (hasBounds)
      IntegerRangeAnalysis::visitNonControlFlowArguments(op, successor,
                                                         arguments, firstIndex);
    else
      // NOLINTNEXTLINE(bugprone-parent-virtual-call): what it overrides.
      SparseForwardDataFlowAnalysis::visitNonControlFlowArguments(
          op, successor, arguments, firstIndex);
  }
};

struct EmbeddingElideChecks
    : embedding::impl::EmbeddingElideChecksPassBase<EmbeddingElideChecks> {
  void runOnOperation() override {
    DataFlowSolver solver;
    dataflow::loadBaselineAnalyses(solver);
    solver.load<RangeAnalysis>();
    if (failed(solver.initializeAndRun(getOperation())))
      return signalPassFailure();

    getOperation()->walk([&](RowIndexingOpInterface op) {
      std::optional<int64_t> numRows = op.getStaticNumRows();
      auto *lattice = solver.lookupState<dataflow::IntegerValueRangeLattice>(
          op.getIndices());
      if (!numRows || !lattice || lattice->getValue().isUninitialized())
        return;
      const ConstantIntRanges &range = lattice->getValue().getValue();
      if (range.smin().isNonNegative() && range.smax().slt(*numRows))
        op.setOutOfRange(OutOfRange::assume);
    });
  }
};

} // namespace
