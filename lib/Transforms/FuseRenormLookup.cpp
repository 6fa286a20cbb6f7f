//===- FuseRenormLookup.cpp - Renorm and lookup in one --------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/IR/Embedding.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGFUSERENORMLOOKUPPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// The renorm whose result `lookup` reads, on tensors, or whose effect it sees
/// first, on memrefs.
static RenormOp findRenorm(LookupOp lookup) {
  if (lookup->getNumResults() > 0)
    return lookup.getTable().getDefiningOp<RenormOp>();
  Operation *op = lookup->getPrevNode();
  while (op && isMemoryEffectFree(op))
    op = op->getPrevNode();
  auto renorm = dyn_cast_or_null<RenormOp>(op);
  return renorm && renorm.getTable() == lookup.getTable() ? renorm : nullptr;
}

namespace {

struct FuseRenormLookup : OpRewritePattern<LookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookupOp op,
                                PatternRewriter &rewriter) const override {
    RenormOp renorm = findRenorm(op);
    if (!renorm || renorm.getIndices() != op.getIndices() ||
        renorm.getOutOfRange() != op.getOutOfRange())
      return failure();
    // The renormed table comes to be where the lookup is.
    for (Operation *user : renorm->getUsers())
      if (user != op &&
          (user->getBlock() != op->getBlock() || user->isBeforeInBlock(op)))
        return rewriter.notifyMatchFailure(
            op, "the renormed table is used before the lookup");
    if (renorm->getBlock() != op->getBlock())
      return rewriter.notifyMatchFailure(op, "not in the block of the renorm");
    SmallVector<Type> types;
    if (op->getNumResults() > 0)
      types = {renorm.getTable().getType(), op.getOut().getType()};
    auto fused = RenormLookupOp::create(
        rewriter, op.getLoc(), types, op.getIndices(),
        renorm.getDynamicMaxNorm(), renorm.getTable(), op.getOut(),
        renorm.getMaxNormAttr(), renorm.getNormTypeAttr(), op.getOutOfRange());
    if (op->getNumResults() == 0) {
      rewriter.eraseOp(op);
      rewriter.eraseOp(renorm);
      return success();
    }
    rewriter.replaceOp(op, fused.getResult(1));
    rewriter.replaceOp(renorm, fused.getResult(0));
    return success();
  }
};

struct EmbeddingFuseRenormLookup
    : embedding::impl::EmbeddingFuseRenormLookupPassBase<
          EmbeddingFuseRenormLookup> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateFuseRenormLookupPatterns(patterns);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace

void embedding::populateFuseRenormLookupPatterns(RewritePatternSet &patterns) {
  patterns.add<FuseRenormLookup>(patterns.getContext());
}
