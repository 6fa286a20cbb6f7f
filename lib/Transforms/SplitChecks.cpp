//===- SplitChecks.cpp - Take checks out of lookups -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../IR/RowIndexing.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGSPLITCHECKSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

namespace {

/// op(check) -> find, report, and op(assume) if nothing was found; or, without
/// a branch, op(clamp): its result is nobody's if something was found. A group
/// becomes op(zero).
struct SplitCheck : OpInterfaceRewritePattern<RowIndexingOpInterface> {
  SplitCheck(MLIRContext *context, bool branch)
      : OpInterfaceRewritePattern(context), branch(branch) {}

  LogicalResult matchAndRewrite(RowIndexingOpInterface op,
                                PatternRewriter &rewriter) const override {
    if (op.getOutOfRange() != OutOfRange::check)
      return failure();
    Location loc = op.getLoc();
    FindOutOfRangeOp found = createCheck(rewriter, op);
    // It leaves out what is bad, so that what reads the groups needs no branch.
    if (isa<GroupOp>(op)) {
      rewriter.modifyOpInPlace(op, [&] { op.setOutOfRange(OutOfRange::zero); });
      return success();
    }
    // A table keeps what it was.
    if (!branch && !isa<RenormOp, RenormLookupOp>(op)) {
      rewriter.modifyOpInPlace(op,
                               [&] { op.setOutOfRange(OutOfRange::clamp); });
      return success();
    }
    Value zero = arith::ConstantIntOp::create(rewriter, loc, 0, 64);
    Value inRange = arith::CmpIOp::create(
        rewriter, loc, arith::CmpIPredicate::eq, found.getCount(), zero);

    bool hasResults = op->getNumResults() != 0;
    auto ifOp = scf::IfOp::create(rewriter, loc, op->getResultTypes(), inRange,
                                  /*withElseRegion=*/hasResults);
    rewriter.setInsertionPointToStart(&ifOp.getThenRegion().front());
    auto unchecked = cast<RowIndexingOpInterface>(rewriter.clone(*op));
    unchecked.setOutOfRange(OutOfRange::assume);
    if (hasResults) {
      scf::YieldOp::create(rewriter, loc, unchecked->getResults());
      rewriter.setInsertionPointToStart(&ifOp.getElseRegion().front());
      auto destination = cast<DestinationStyleOpInterface>(*op);
      SmallVector<Value> inits(destination.getDpsInits());
      scf::YieldOp::create(rewriter, loc, inits);
    }
    rewriter.replaceOp(op, ifOp);
    return success();
  }

  bool branch;
};

struct EmbeddingSplitChecks
    : embedding::impl::EmbeddingSplitChecksPassBase<EmbeddingSplitChecks> {
  using EmbeddingSplitChecksPassBase::EmbeddingSplitChecksPassBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateSplitChecksPatterns(patterns, branch);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace

void embedding::populateSplitChecksPatterns(RewritePatternSet &patterns,
                                            bool branch) {
  patterns.add<SplitCheck>(patterns.getContext(), branch);
}
