//===- RowUpdatingOps.cpp - Renorm, gradients, groups ---------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowIndexing.h"
#include "SizeRelations.h"

using namespace mlir;
using namespace mlir::embedding;

//===----------------------------------------------------------------------===//
// What the operations share
//===----------------------------------------------------------------------===//

static ShapedType shapedType(Value value) {
  return cast<ShapedType>(value.getType());
}

static LogicalResult verifyRank(Operation *op, StringRef name, Value value,
                                int64_t rank) {
  if (shapedType(value).getRank() == rank)
    return success();
  return op->emitOpError("expected ")
         << name << " to have rank " << rank << ", but got " << value.getType();
}

static LogicalResult verifySameElements(Operation *op, StringRef name,
                                        Value value, StringRef otherName,
                                        Value other) {
  Type element = shapedType(value).getElementType();
  Type expected = shapedType(other).getElementType();
  if (element == expected)
    return success();
  return op->emitOpError("expected elements of ")
         << name << " to be those of " << otherName << ", " << expected
         << ", but got " << element;
}

template <typename OpTy> static LogicalResult verifyMaxNorm(OpTy op) {
  if (op.getMaxNorm().has_value() == static_cast<bool>(op.getDynamicMaxNorm()))
    return op.emitOpError("expected max_norm to be either a number or a value");
  if (op.getMaxNorm() && op.getMaxNorm()->isNaN())
    return op.emitOpError("expected max_norm not to be NaN");
  if (op.getNormType().isNaN())
    return op.emitOpError("expected norm_type not to be NaN");
  return success();
}

template <typename OpTy> static LogicalResult verifyPadding(OpTy op) {
  if (op.getPaddingIdx() && op.getDynamicPaddingIdx())
    return op.emitOpError(
        "expected padding_idx to be either a number or a value");
  return verifyPaddingIdx(op, op.getPaddingIdx(), op.getStaticNumRows());
}

static LogicalResult
reifyFromInits(DestinationStyleOpInterface op, OpBuilder &builder,
               ReifiedRankedShapedTypeDims &reifiedShapes) {
  if (op->getNumResults() == 0)
    return failure();
  for (Value init : op.getDpsInits())
    reifiedShapes.push_back(tensor::getMixedSizes(builder, op.getLoc(), init));
  return success();
}

/// Everything but the verifiers, the tables and the canonicalization.
#define EMBEDDING_ROW_UPDATING_OP(OpTy, readsFirstInit)                        \
  LogicalResult OpTy::reifyResultShapes(                                       \
      OpBuilder &builder, ReifiedRankedShapedTypeDims &reifiedShapes) {        \
    return reifyFromInits(cast<DestinationStyleOpInterface>(getOperation()),   \
                          builder, reifiedShapes);                             \
  }                                                                            \
  void OpTy::getEffects(                                                       \
      SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>      \
          &effects) {                                                          \
    getRowIndexingEffects(*this, effects, readsFirstInit);                     \
  }                                                                            \
  Speculation::Speculatability OpTy::getSpeculatability() {                    \
    return getRowIndexingSpeculatability(*this);                               \
  }                                                                            \
  LogicalResult OpTy::fold(FoldAdaptor, SmallVectorImpl<OpFoldResult> &) {     \
    return memref::foldMemRefCast(*this);                                      \
  }

EMBEDDING_ROW_UPDATING_OP(RenormOp, true)
EMBEDDING_ROW_UPDATING_OP(RenormLookupOp, true)
EMBEDDING_ROW_UPDATING_OP(DenseGradOp, false)
EMBEDDING_ROW_UPDATING_OP(SparseGradOp, false)
EMBEDDING_ROW_UPDATING_OP(CoalesceOp, false)
EMBEDDING_ROW_UPDATING_OP(DoubleBackwardOp, false)
EMBEDDING_ROW_UPDATING_OP(GroupOp, false)

#undef EMBEDDING_ROW_UPDATING_OP

//===----------------------------------------------------------------------===//
// RenormOp
//===----------------------------------------------------------------------===//

Value RenormOp::getTableOrNumRows() { return getTable(); }

LogicalResult RenormOp::verify() {
  // C1
  if (failed(verifyRank(*this, "table", getTable(), 2)))
    return failure();
  // C2
  if (failed(verifyOneForm(*this)))
    return failure();
  // C3
  return verifyMaxNorm(*this);
}

namespace {

/// No indices name no rows, and no norm exceeds infinity.
struct EraseIdleRenorm : OpRewritePattern<RenormOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RenormOp op,
                                PatternRewriter &rewriter) const override {
    bool hasNoIndices = llvm::is_contained(
        cast<ShapedType>(op.getIndices().getType()).getShape(), 0);
    bool hasNoBound = op.getMaxNorm() && op.getMaxNorm()->isInfinity() &&
                      !op.getMaxNorm()->isNegative();
    if (!hasNoIndices && !hasNoBound)
      return failure();
    if (!hasNoIndices && op.getOutOfRange() == OutOfRange::check)
      createCheck(rewriter, op);
    if (op->getNumResults() > 0)
      rewriter.replaceOp(op, op.getTable());
    else
      rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void RenormOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<AssumeConstantIndicesInRange<RenormOp>,
               ReduceToCheckIfDead<RenormOp>, EraseIdleRenorm>(context);
}

//===----------------------------------------------------------------------===//
// RenormLookupOp
//===----------------------------------------------------------------------===//

Value RenormLookupOp::getTableOrNumRows() { return getTable(); }

LogicalResult RenormLookupOp::verify() {
  // C1
  if (failed(verifyRank(*this, "table", getTable(), 2)))
    return failure();
  // C2
  if (failed(verifyOneForm(*this)))
    return failure();
  // C3
  if (failed(verifyMaxNorm(*this)))
    return failure();
  // C4
  if (failed(verifySameElements(*this, "init", getInit(), "table", getTable())))
    return failure();
  // C5
  return verifySizes(*this);
}

namespace {

/// Rows that nobody looks at are only shortened.
struct DropDeadLookup : OpRewritePattern<RenormLookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RenormLookupOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() == 0 || !op.getResult(1).use_empty())
      return failure();
    auto renorm = RenormOp::create(
        rewriter, op.getLoc(), TypeRange(op.getTable().getType()),
        op.getIndices(), op.getDynamicMaxNorm(), op.getTable(),
        op.getMaxNormAttr(), op.getNormTypeAttr(), op.getOutOfRange());
    rewriter.replaceOp(op, {renorm.getResult(0), op.getInit()});
    return success();
  }
};

} // namespace

void RenormLookupOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                 MLIRContext *context) {
  patterns.add<AssumeConstantIndicesInRange<RenormLookupOp>,
               ReduceToCheckIfDead<RenormLookupOp>, DropDeadLookup>(context);
}

//===----------------------------------------------------------------------===//
// DenseGradOp
//===----------------------------------------------------------------------===//

Value DenseGradOp::getTableOrNumRows() { return getInit(); }

LogicalResult DenseGradOp::verify() {
  // C1
  if (failed(verifyRank(*this, "init", getInit(), 2)))
    return failure();
  // C2
  if (failed(verifyOneForm(*this)))
    return failure();
  // C3
  if (failed(verifySameElements(*this, "grad_output", getGradOutput(), "init",
                                getInit())))
    return failure();
  // C4
  if (failed(verifySizes(*this)))
    return failure();
  // C5
  return verifyPadding(*this);
}

void DenseGradOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns
      .add<AssumeConstantIndicesInRange<DenseGradOp>,
           ReduceToCheckIfDead<DenseGradOp>, NormalizePaddingIdx<DenseGradOp>>(
          context);
}

//===----------------------------------------------------------------------===//
// SparseGradOp
//===----------------------------------------------------------------------===//

Value SparseGradOp::getTableOrNumRows() { return getNumRows(); }

LogicalResult SparseGradOp::verify() {
  // C1
  if (failed(verifyRank(*this, "rows", getRows(), 1)) ||
      failed(verifyRank(*this, "values", getValues(), 2)) ||
      failed(verifyRank(*this, "count", getCount(), 0)))
    return failure();
  // C2
  if (failed(verifyOneForm(*this)))
    return failure();
  // C3
  if (failed(verifySameElements(*this, "grad_output", getGradOutput(), "values",
                                getValues())))
    return failure();
  // C4, C5
  if (failed(verifySizes(*this)))
    return failure();
  // C6
  return verifyPadding(*this);
}

void SparseGradOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                               MLIRContext *context) {
  patterns.add<AssumeConstantIndicesInRange<SparseGradOp>,
               ReduceToCheckIfDead<SparseGradOp>,
               NormalizePaddingIdx<SparseGradOp>>(context);
}

//===----------------------------------------------------------------------===//
// CoalesceOp
//===----------------------------------------------------------------------===//

Value CoalesceOp::getTableOrNumRows() { return getNumRows(); }

LogicalResult CoalesceOp::verify() {
  // C1
  if (failed(verifyRank(*this, "indices", getIndices(), 1)) ||
      failed(verifyRank(*this, "values", getValues(), 2)) ||
      failed(verifyRank(*this, "rows", getRows(), 1)) ||
      failed(verifyRank(*this, "sums", getSums(), 2)) ||
      failed(verifyRank(*this, "count", getCount(), 0)))
    return failure();
  // C2
  if (failed(verifyOneForm(*this)))
    return failure();
  // C3
  if (failed(
          verifySameElements(*this, "values", getValues(), "sums", getSums())))
    return failure();
  // C4, C5
  return verifySizes(*this);
}

void CoalesceOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                             MLIRContext *context) {
  patterns.add<AssumeConstantIndicesInRange<CoalesceOp>,
               ReduceToCheckIfDead<CoalesceOp>>(context);
}

//===----------------------------------------------------------------------===//
// DoubleBackwardOp
//===----------------------------------------------------------------------===//

Value DoubleBackwardOp::getTableOrNumRows() { return getGradGradTable(); }

LogicalResult DoubleBackwardOp::verify() {
  // C1
  if (failed(verifyRank(*this, "grad_grad_table", getGradGradTable(), 2)))
    return failure();
  // C2
  if (failed(verifyOneForm(*this)))
    return failure();
  // C3
  if (failed(verifySameElements(*this, "init", getInit(), "grad_grad_table",
                                getGradGradTable())))
    return failure();
  // C4
  if (failed(verifySizes(*this)))
    return failure();
  // C5
  return verifyPadding(*this);
}

namespace {

/// With nothing masked and nothing scaled it is a lookup.
struct DoubleBackwardToLookup : OpRewritePattern<DoubleBackwardOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DoubleBackwardOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getPaddingIdx() || op.getDynamicPaddingIdx() ||
        op.getScaleGradByFreq())
      return failure();
    rewriter.replaceOpWithNewOp<LookupOp>(op, op.getGradGradTable(),
                                          op.getIndices(), op.getInit(),
                                          op.getOutOfRange());
    return success();
  }
};

} // namespace

void DoubleBackwardOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                   MLIRContext *context) {
  patterns.add<AssumeConstantIndicesInRange<DoubleBackwardOp>,
               ReduceToCheckIfDead<DoubleBackwardOp>,
               NormalizePaddingIdx<DoubleBackwardOp>, DoubleBackwardToLookup>(
      context);
}

//===----------------------------------------------------------------------===//
// GroupOp
//===----------------------------------------------------------------------===//

Value GroupOp::getTableOrNumRows() { return getNumRows(); }

LogicalResult GroupOp::verify() {
  // C1
  if (failed(verifyRank(*this, "rows", getRows(), 1)) ||
      failed(verifyRank(*this, "offsets", getOffsets(), 1)) ||
      failed(verifyRank(*this, "positions", getPositions(), 1)) ||
      failed(verifyRank(*this, "count", getCount(), 0)))
    return failure();
  // C2
  if (failed(verifyOneForm(*this)))
    return failure();
  // C3
  if (failed(verifySizes(*this)))
    return failure();
  // C4
  return verifyPadding(*this);
}

void GroupOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                          MLIRContext *context) {
  patterns.add<AssumeConstantIndicesInRange<GroupOp>,
               ReduceToCheckIfDead<GroupOp>, NormalizePaddingIdx<GroupOp>>(
      context);
}
