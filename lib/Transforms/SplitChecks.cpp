//===- SplitChecks.cpp - Take checks out of operations --------------------===//
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

/// What `build` makes of `op` if `count` is 0; if not, its results are its
/// destinations.
static void replaceIfNone(RewriterBase &rewriter, Operation *op, Value count,
                          llvm::function_ref<ValueRange()> build) {
  Location loc = op->getLoc();
  Value zero = arith::ConstantIntOp::create(rewriter, loc, 0, 64);
  Value isNone = arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::eq,
                                       count, zero);
  bool hasResults = op->getNumResults() != 0;
  auto ifOp = scf::IfOp::create(rewriter, loc, op->getResultTypes(), isNone,
                                /*withElseRegion=*/hasResults);
  rewriter.setInsertionPointToStart(&ifOp.getThenRegion().front());
  ValueRange results = build();
  if (hasResults) {
    rewriter.setInsertionPointToEnd(&ifOp.getThenRegion().front());
    scf::YieldOp::create(rewriter, loc, results);
    rewriter.setInsertionPointToStart(&ifOp.getElseRegion().front());
    auto destination = cast<DestinationStyleOpInterface>(*op);
    SmallVector<Value> inits(destination.getDpsInits());
    scf::YieldOp::create(rewriter, loc, inits);
  }
  rewriter.replaceOp(op, ifOp);
}

/// Takes the check of indices out of `op`; returns what becomes of its results.
static ValueRange splitCheck(RewriterBase &rewriter, RowIndexingOpInterface op,
                             bool branch) {
  FindOutOfRangeOp found = createCheck(rewriter, op);
  // It leaves out what is bad, so that what reads the groups needs no branch.
  if (isa<GroupOp>(op)) {
    rewriter.modifyOpInPlace(op, [&] { op.setOutOfRange(OutOfRange::zero); });
    return op->getResults();
  }
  // A table keeps what it was.
  if (!branch && !isa<RenormOp, RenormLookupOp>(op)) {
    rewriter.modifyOpInPlace(op, [&] { op.setOutOfRange(OutOfRange::clamp); });
    return op->getResults();
  }
  Operation *around = nullptr;
  replaceIfNone(rewriter, op, found.getCount(), [&]() -> ValueRange {
    auto unchecked = cast<RowIndexingOpInterface>(rewriter.clone(*op));
    unchecked.setOutOfRange(OutOfRange::assume);
    around = unchecked->getParentOp();
    return unchecked->getResults();
  });
  return around->getResults();
}

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
    splitCheck(rewriter, op, branch);
    return success();
  }

  bool branch;
};

/// bag -> find and report what is no offset; if nothing was found, the bag that
/// assumes its offsets, with a check of those indices that are in bags.
struct SplitOffsetsCheck : OpRewritePattern<BagOp> {
  SplitOffsetsCheck(MLIRContext *context, bool branch)
      : OpRewritePattern(context, /*benefit=*/2), branch(branch) {}

  LogicalResult matchAndRewrite(BagOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.checksOffsets())
      return failure();
    FindInvalidOffsetOp found = createOffsetsCheck(rewriter, op);
    replaceIfNone(rewriter, op, found.getCount(), [&]() -> ValueRange {
      auto bag = cast<BagOp>(rewriter.clone(*op));
      bag.setAssumeOffsets(true);
      rewriter.setInsertionPoint(bag);
      if (bag.getIncludeLastOffset())
        dropTrailingIndices(rewriter, bag);
      if (bag.getOutOfRange() != OutOfRange::check)
        return bag->getResults();
      return splitCheck(rewriter, bag, branch);
    });
    return success();
  }

private:
  /// Indices that are in no bag are no input.
  static void dropTrailingIndices(OpBuilder &builder, BagOp bag) {
    Location loc = bag.getLoc();
    Value offsets = bag.getOffsets();
    Value size = getValueOrCreateConstantIndexOp(
        builder, loc, getMixedSize(builder, loc, offsets, 0));
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    Value last = arith::SubIOp::create(builder, loc, size, one);
    Value end = loadElement(builder, loc, offsets, last);
    OpFoldResult count =
        arith::IndexCastOp::create(builder, loc, builder.getIndexType(), end)
            .getResult();
    auto take = [&](Value list) {
      return takeSlice(builder, loc, list,
                       ArrayRef<OpFoldResult>{builder.getIndexAttr(0)}, count)
          ->getResult(0);
    };
    bag.getIndicesMutable().assign(take(bag.getIndices()));
    if (bag.getWeights())
      bag.getWeightsMutable().assign(take(bag.getWeights()));
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
  patterns.add<SplitCheck, SplitOffsetsCheck>(patterns.getContext(), branch);
}
