//===- SplitChecks.cpp - Take checks out of lookups -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Utils/TensorOrMemRef.h"
#include "embedding/IR/Embedding.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGSPLITCHECKSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

namespace {

/// lookup(check) -> find, report, and lookup(assume) if nothing was found.
struct SplitLookupCheck : OpRewritePattern<LookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookupOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getOutOfRange() != OutOfRange::check)
      return failure();
    Location loc = op.getLoc();
    Value numRows = getValueOrCreateConstantIndexOp(
        rewriter, loc,
        embedding::getMixedSize(rewriter, loc, op.getTable(), 0));
    auto found =
        FindOutOfRangeOp::create(rewriter, loc, op.getIndices(), numRows);
    ReportOutOfRangeOp::create(rewriter, loc, found.getPosition(),
                               found.getIndex(), found.getCount());
    Value zero = arith::ConstantIntOp::create(rewriter, loc, 0, 64);
    Value inRange = arith::CmpIOp::create(
        rewriter, loc, arith::CmpIPredicate::eq, found.getCount(), zero);

    auto ifOp = scf::IfOp::create(rewriter, loc, op->getResultTypes(), inRange,
                                  /*withElseRegion=*/op.getNumResults() != 0);
    rewriter.setInsertionPointToStart(&ifOp.getThenRegion().front());
    auto lookup =
        LookupOp::create(rewriter, loc, op.getTable(), op.getIndices(),
                         op.getInit(), OutOfRange::assume, op.getPaddingIdx());
    lookup->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    if (op.getResult()) {
      scf::YieldOp::create(rewriter, loc, lookup.getResult());
      rewriter.setInsertionPointToStart(&ifOp.getElseRegion().front());
      scf::YieldOp::create(rewriter, loc, op.getInit());
    }
    rewriter.replaceOp(op, ifOp);
    return success();
  }
};

struct EmbeddingSplitChecks
    : embedding::impl::EmbeddingSplitChecksPassBase<EmbeddingSplitChecks> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateSplitChecksPatterns(patterns);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace

void embedding::populateSplitChecksPatterns(RewritePatternSet &patterns) {
  patterns.add<SplitLookupCheck>(patterns.getContext());
}
