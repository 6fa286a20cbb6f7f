//===- RowIndexingOps.cpp - Operations with indices -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What all operations with indices do as their descriptions say, then what each
// has of its own: foldings and canonicalizations.
//
//===----------------------------------------------------------------------===//

#include "RowIndexing.h"
#include "SizeRelations.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::embedding;

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

/// Calls `visit` with each tensor or memref of `op`, and its description.
template <typename Visit>
static void forEachTensor(RowIndexingOpInterface op, const Visit &visit) {
  for (auto [number, desc] : llvm::enumerate(op.getDescription())) {
    OperandRange values = op.getDescribedOperands(number);
    if (desc.isTensor() && !values.empty())
      visit(desc, op->getOpOperand(values.getBeginOperandIndex()));
  }
}

MutableOperandRange embedding::detail::getDestinations(Operation *op) {
  auto indexing = cast<RowIndexingOpInterface>(op);
  unsigned numDestinations = 0;
  for (auto [number, desc] : llvm::enumerate(indexing.getDescription()))
    if (desc.isWritten())
      numDestinations += indexing.getDescribedOperands(number).size();
  return {op, op->getNumOperands() - numDestinations, numDestinations};
}

//===----------------------------------------------------------------------===//
// Indices and rows
//===----------------------------------------------------------------------===//

OutOfRangeIndices embedding::findOutOfRange(DenseIntElementsAttr indices,
                                            int64_t numRows) {
  OutOfRangeIndices found;
  for (auto [position, element] : llvm::enumerate(indices.getValues<APInt>())) {
    int64_t index = element.getSExtValue();
    if (index >= 0 && index < numRows)
      continue;
    if (found.count++ == 0) {
      found.position = static_cast<int64_t>(position);
      found.index = index;
    }
  }
  return found;
}

std::optional<int64_t> embedding::getStaticNumRows(Value tableOrNumRows) {
  auto table = dyn_cast<ShapedType>(tableOrNumRows.getType());
  if (!table)
    return getConstantIntValue(tableOrNumRows);
  if (table.getRank() < 1 || table.isDynamicDim(0))
    return std::nullopt;
  return table.getDimSize(0);
}

OpFoldResult embedding::getMixedNumRows(OpBuilder &builder, Location loc,
                                        Value tableOrNumRows) {
  if (std::optional<int64_t> numRows = getStaticNumRows(tableOrNumRows))
    return builder.getIndexAttr(*numRows);
  if (isa<RankedTensorType>(tableOrNumRows.getType()))
    return tensor::getMixedSize(builder, loc, tableOrNumRows, 0);
  if (isa<MemRefType>(tableOrNumRows.getType()))
    return memref::getMixedSize(builder, loc, tableOrNumRows, 0);
  return tableOrNumRows;
}

FindOutOfRangeOp embedding::createCheck(OpBuilder &builder,
                                        RowIndexingOpInterface op) {
  Location loc = op.getLoc();
  Value numRows = getValueOrCreateConstantIndexOp(builder, loc,
                                                  op.getMixedNumRows(builder));
  auto found = FindOutOfRangeOp::create(builder, loc, op.getIndices(), numRows);
  ReportOutOfRangeOp::create(
      builder, loc, found.getPosition(), found.getIndex(), found.getCount(),
      numRows,
      builder.getStringAttr(op->getName().getStringRef() + ": indices"));
  return found;
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

Type embedding::getAccumulatorType(Type element) {
  return element.isF64() ? element : Float32Type::get(element.getContext());
}

/// Whether a value of `type` occupies the same number of bits on every target.
static bool hasFixedWidth(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return hasFixedWidth(complex.getElementType());
  if (auto vector = dyn_cast<VectorType>(type))
    return !vector.isScalable() && hasFixedWidth(vector.getElementType());
  return type.isIntOrFloat();
}

static LogicalResult verifyRank(RowIndexingOpInterface op,
                                const OperandDesc &desc, Value operand) {
  // Of the shape of the indices: see verifySizes.
  if (desc.hasIndexShape() || getShapedType(operand).getRank() == desc.numSizes)
    return success();
  return op->emitOpError("expected ")
         << desc.name << " to have rank " << static_cast<int>(desc.numSizes)
         << ", but got " << operand.getType();
}

static LogicalResult verifyElements(RowIndexingOpInterface op,
                                    const OperandDesc &desc, Value operand) {
  Type element = getShapedType(operand).getElementType();
  if (desc.elements == Elements::fixedWidth && !hasFixedWidth(element))
    return op->emitOpError("expected elements of ")
           << desc.name << " to have a fixed width, but got " << element;
  if (desc.elements != Elements::fixedWidth &&
      desc.elements != Elements::floats &&
      desc.elements != Elements::accumulators)
    return success();
  const OperationDesc &operation = op.getDescription();
  Type expected =
      getShapedType(op.getDescribedOperand(operation.rows)).getElementType();
  if (desc.elements == Elements::accumulators) {
    if (element == getAccumulatorType(expected))
      return success();
    return op->emitOpError("expected elements of ")
           << desc.name << " to be " << getAccumulatorType(expected)
           << ", which sums of " << expected << " are taken in, but got "
           << element;
  }
  if (element == expected)
    return success();
  return op->emitOpError("expected elements of ")
         << desc.name << " to be those of "
         << operation.operands[operation.rows].name << ", " << expected
         << ", but got " << element;
}

LogicalResult embedding::verifyOperands(RowIndexingOpInterface op) {
  auto verifyEach = [&](auto &&verifyOne) {
    LogicalResult result = success();
    forEachTensor(op, [&](const OperandDesc &desc, OpOperand &operand) {
      if (succeeded(result))
        result = verifyOne(op, desc, operand.get());
    });
    return result;
  };
  bool onTensors = isa<TensorType>(op.getIndices().getType());
  auto verifyForm = [&](RowIndexingOpInterface, const OperandDesc &,
                        Value operand) -> LogicalResult {
    if (isa<TensorType>(operand.getType()) == onTensors)
      return success();
    return op->emitOpError(
        "expected operands to be all tensors or all memrefs");
  };
  return success(
      succeeded(verifyEach(verifyRank)) && succeeded(verifyEach(verifyForm)) &&
      succeeded(verifyEach(verifyElements)) && succeeded(verifySizes(op)));
}

LogicalResult embedding::verifyPaddingIdx(Operation *op,
                                          std::optional<int64_t> paddingIdx,
                                          std::optional<int64_t> numRows) {
  if (paddingIdx && numRows &&
      (*paddingIdx < -*numRows || *paddingIdx >= *numRows))
    return op->emitOpError("expected padding_idx to be in [")
           << -*numRows << ", " << *numRows << "), but got " << *paddingIdx;
  return success();
}

//===----------------------------------------------------------------------===//
// Interfaces
//===----------------------------------------------------------------------===//

LogicalResult
embedding::reifyDestinations(RowIndexingOpInterface op, OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &reifiedShapes) {
  if (op->getNumResults() == 0)
    return failure();
  SmallVector<SizeRelation> relations = getSizeRelations(op);
  auto reify = [&](Value destination, int64_t dim) -> OpFoldResult {
    const auto *relation = llvm::find_if(relations, [&](const SizeRelation &r) {
      return r.operand == destination && r.dim == dim && r.otherDim &&
             r.more == 0;
    });
    if (getShapedType(destination).isDynamicDim(dim) &&
        relation != relations.end())
      return tensor::getMixedSize(builder, op.getLoc(), relation->other,
                                  *relation->otherDim);
    return tensor::getMixedSize(builder, op.getLoc(), destination, dim);
  };
  for (Value destination :
       cast<DestinationStyleOpInterface>(*op).getDpsInits()) {
    auto &shape = reifiedShapes.emplace_back();
    for (int64_t dim = 0; dim < getShapedType(destination).getRank(); ++dim)
      shape.push_back(reify(destination, dim));
  }
  return success();
}

void embedding::getRowIndexingEffects(
    RowIndexingOpInterface op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  forEachTensor(op, [&](const OperandDesc &desc, OpOperand &operand) {
    if (!isa<MemRefType>(operand.get().getType()))
      return;
    if (desc.isRead())
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
    if (desc.isWritten())
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
  });
  auto bag = dyn_cast<BagOp>(*op);
  if (op.getOutOfRange() == OutOfRange::check || (bag && bag.checksOffsets()))
    effects.emplace_back(MemoryEffects::Write::get(), OutOfRangeReport::get());
}

Speculation::Speculatability
embedding::getRowIndexingSpeculatability(RowIndexingOpInterface op) {
  // A hoisted `assume` could run where its promise does not hold, and a hoisted
  // `check` could report what the program never looks up.
  OutOfRange mode = op.getOutOfRange();
  bool isTotal = mode == OutOfRange::clamp || mode == OutOfRange::zero;
  // The same goes for offsets.
  if (auto bag = dyn_cast<BagOp>(*op))
    isTotal &= !bag.getOffsets();
  return op->getNumResults() > 0 && isTotal ? Speculation::Speculatable
                                            : Speculation::NotSpeculatable;
}

//===----------------------------------------------------------------------===//
// Canonicalizations
//===----------------------------------------------------------------------===//

namespace {

/// Indices that are constant and in range need no treatment of the others.
template <typename OpTy>
struct AssumeConstantIndicesInRange : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    DenseIntElementsAttr indices;
    std::optional<int64_t> numRows = op.getStaticNumRows();
    if (op.getOutOfRange() == OutOfRange::assume || !numRows ||
        !matchPattern(op.getIndices(), m_Constant(&indices)) ||
        findOutOfRange(indices, *numRows).count != 0)
      return failure();
    rewriter.modifyOpInPlace(op, [&] { op.setOutOfRange(OutOfRange::assume); });
    return success();
  }
};

/// An operation whose results nobody reads is its check alone. (In the other
/// modes it is dead and goes as any pure operation does.)
template <typename OpTy> struct ReduceToCheckIfDead : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() == 0 || !op->use_empty() ||
        op.getOutOfRange() != OutOfRange::check)
      return failure();
    createCheck(rewriter, op);
    rewriter.eraseOp(op);
    return success();
  }
};

/// Counts a negative padding_idx from the start.
template <typename OpTy> struct NormalizePaddingIdx : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    std::optional<int64_t> padding = op.getPaddingIdx();
    std::optional<int64_t> numRows = op.getStaticNumRows();
    if (!padding || *padding >= 0 || !numRows)
      return failure();
    rewriter.modifyOpInPlace(op,
                             [&] { op.setPaddingIdx(*padding + *numRows); });
    return success();
  }
};

/// Knows what is cast to less. Upstream's pattern for operations with
/// destinations, which this one goes before, forgets properties: modes,
/// padding.
template <typename OpTy> struct FoldTensorCasts : OpRewritePattern<OpTy> {
  explicit FoldTensorCasts(MLIRContext *context)
      : OpRewritePattern<OpTy>(context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> operands(op->getOperands());
    SmallVector<Type> types(op->getResultTypes());
    bool isFound = false;
    for (OpOperand &operand : op->getOpOperands()) {
      auto cast = operand.get().getDefiningOp<tensor::CastOp>();
      if (!cast || !tensor::canFoldIntoConsumerOp(cast))
        continue;
      isFound = true;
      operands[operand.getOperandNumber()] = cast.getSource();
      if (op.isDpsInit(&operand))
        types[op.getTiedOpResult(&operand).getResultNumber()] =
            cast.getSource().getType();
    }
    if (!isFound)
      return failure();
    Operation *folded = rewriter.insert(Operation::create(
        op.getLoc(), op->getName(), types, operands,
        op->getDiscardableAttrDictionary(), op->getPropertiesStorage(),
        BlockRange(), /*numRegions=*/0));
    SmallVector<Value> results;
    for (auto [result, type] :
         llvm::zip_equal(folded->getResults(), op->getResultTypes()))
      results.push_back(
          rewriter.createOrFold<tensor::CastOp>(op.getLoc(), type, result));
    rewriter.replaceOp(op, results);
    return success();
  }
};

} // namespace

/// Adds the patterns that any operation with indices has.
template <typename OpTy>
static void addRowIndexingPatterns(RewritePatternSet &patterns) {
  patterns.add<AssumeConstantIndicesInRange<OpTy>, FoldTensorCasts<OpTy>>(
      patterns.getContext());
  // The check of bags is one of offsets too, and not of all indices.
  if constexpr (!std::is_same_v<OpTy, BagOp>)
    patterns.add<ReduceToCheckIfDead<OpTy>>(patterns.getContext());
  if constexpr (llvm::is_detected<GetPaddingIdx, OpTy>::value)
    patterns.add<NormalizePaddingIdx<OpTy>>(patterns.getContext());
}

//===----------------------------------------------------------------------===//
// LookupOp
//===----------------------------------------------------------------------===//

void LookupOp::build(OpBuilder &builder, OperationState &state, Value table,
                     Value indices, Value out, OutOfRange outOfRange,
                     std::optional<int64_t> paddingIdx) {
  state.addOperands({table, indices, out});
  if (isa<RankedTensorType>(out.getType()))
    state.addTypes(out.getType());
  auto &properties = state.getOrAddProperties<Properties>();
  properties.setOutOfRange(outOfRange);
  properties.setPaddingIdx(paddingIdx);
}

LogicalResult
embedding::foldRowIndexing(LookupOp op, LookupOp::FoldAdaptor adaptor,
                           SmallVectorImpl<OpFoldResult> &results) {
  // A lookup of a splat table is a splat, whatever the indices.
  auto table = dyn_cast_if_present<SplatElementsAttr>(adaptor.getTable());
  ShapedType out = getShapedType(op.getOut());
  if (table && op->getNumResults() > 0 &&
      op.getOutOfRange() == OutOfRange::assume && out.hasStaticShape()) {
    results.push_back(table.resizeSplat(out));
    return success();
  }
  return memref::foldMemRefCast(op);
}

namespace {

/// Without indices there is nothing to look up, and in rows of no elements
/// nothing to copy.
struct EraseEmptyLookup : OpRewritePattern<LookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookupOp op,
                                PatternRewriter &rewriter) const override {
    bool hasNoIndices =
        llvm::is_contained(getShapedType(op.getIndices()).getShape(), 0);
    if (!hasNoIndices &&
        !llvm::is_contained(getShapedType(op.getOut()).getShape(), 0))
      return failure();
    if (!hasNoIndices && op.getOutOfRange() == OutOfRange::check)
      createCheck(rewriter, op);
    if (op->getNumResults() > 0)
      rewriter.replaceOp(op, op.getOut());
    else
      rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void LookupOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  addRowIndexingPatterns<LookupOp>(patterns);
  patterns.add<EraseEmptyLookup>(context);
}

//===----------------------------------------------------------------------===//
// BagOp
//===----------------------------------------------------------------------===//

FindInvalidOffsetOp embedding::createOffsetsCheck(OpBuilder &builder,
                                                  BagOp op) {
  Location loc = op.getLoc();
  Value numIndices = getValueOrCreateConstantIndexOp(
      builder, loc, getMixedSize(builder, loc, op.getIndices(), /*dim=*/0));
  auto found =
      FindInvalidOffsetOp::create(builder, loc, op.getOffsets(), numIndices);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value limit = arith::AddIOp::create(builder, loc, numIndices, one);
  ReportOutOfRangeOp::create(
      builder, loc, found.getPosition(), found.getOffset(), found.getCount(),
      limit,
      builder.getStringAttr(
          op->getName().getStringRef() +
          ": offsets, which begin with 0 and never decrease"));
  return found;
}

LogicalResult embedding::verifyBag(BagOp op) {
  ShapedType indices = getShapedType(op.getIndices());
  int64_t expectedRank = op.getOffsets() ? 1 : 2;
  if (indices.getRank() != expectedRank)
    return op.emitOpError("expected indices to have rank ")
           << expectedRank << (op.getOffsets() ? " with" : " without")
           << " offsets, but got " << indices;
  if (op.getWeights() && op.getMode() != BagMode::sum)
    return op.emitOpError("expected no weights in mode ")
           << stringifyBagMode(op.getMode());
  if (op.getWinners() && op.getMode() != BagMode::max)
    return op.emitOpError("expected no winners in mode ")
           << stringifyBagMode(op.getMode());
  if (!op.getOffsets()) {
    if (op.getIncludeLastOffset() || op.getAssumeOffsets())
      return op.emitOpError("expected offsets with ")
             << (op.getIncludeLastOffset() ? "include_last_offset"
                                           : "assume_offsets");
    return success();
  }
  if (op.getIncludeLastOffset() &&
      getShapedType(op.getOffsets()).getShape() == ArrayRef<int64_t>{0})
    return op.emitOpError("expected offsets to have at least one element with "
                          "include_last_offset");
  return success();
}

void BagOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                        MLIRContext *) {
  addRowIndexingPatterns<BagOp>(patterns);
}

//===----------------------------------------------------------------------===//
// RenormOp
//===----------------------------------------------------------------------===//

namespace {

/// No indices name no rows, and no norm exceeds infinity.
struct EraseIdleRenorm : OpRewritePattern<RenormOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RenormOp op,
                                PatternRewriter &rewriter) const override {
    bool hasNoIndices =
        llvm::is_contained(getShapedType(op.getIndices()).getShape(), 0);
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
  addRowIndexingPatterns<RenormOp>(patterns);
  patterns.add<EraseIdleRenorm>(context);
}

//===----------------------------------------------------------------------===//
// RenormLookupOp
//===----------------------------------------------------------------------===//

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
    rewriter.replaceOp(op, {renorm.getResult(0), op.getOut()});
    return success();
  }
};

} // namespace

void RenormLookupOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                 MLIRContext *context) {
  addRowIndexingPatterns<RenormLookupOp>(patterns);
  patterns.add<DropDeadLookup>(context);
}

//===----------------------------------------------------------------------===//
// DenseGradOp
//===----------------------------------------------------------------------===//

void DenseGradOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  addRowIndexingPatterns<DenseGradOp>(patterns);
}

//===----------------------------------------------------------------------===//
// SparseGradOp
//===----------------------------------------------------------------------===//

void SparseGradOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                               MLIRContext *context) {
  addRowIndexingPatterns<SparseGradOp>(patterns);
}

//===----------------------------------------------------------------------===//
// CoalesceOp
//===----------------------------------------------------------------------===//

void CoalesceOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                             MLIRContext *context) {
  addRowIndexingPatterns<CoalesceOp>(patterns);
}

//===----------------------------------------------------------------------===//
// DoubleBackwardOp
//===----------------------------------------------------------------------===//

namespace {

/// With nothing masked and nothing scaled it is a lookup.
struct DoubleBackwardToLookup : OpRewritePattern<DoubleBackwardOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DoubleBackwardOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getPaddingIdx() || op.getDynamicPaddingIdx() ||
        op.getScaleGradByFreq() || op.getWeights())
      return failure();
    rewriter.replaceOpWithNewOp<LookupOp>(op, op.getGradGradTable(),
                                          op.getIndices(), op.getOut(),
                                          op.getOutOfRange());
    return success();
  }
};

} // namespace

void DoubleBackwardOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                   MLIRContext *context) {
  addRowIndexingPatterns<DoubleBackwardOp>(patterns);
  patterns.add<DoubleBackwardToLookup>(context);
}

//===----------------------------------------------------------------------===//
// GroupOp
//===----------------------------------------------------------------------===//

void GroupOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                          MLIRContext *context) {
  addRowIndexingPatterns<GroupOp>(patterns);
}
