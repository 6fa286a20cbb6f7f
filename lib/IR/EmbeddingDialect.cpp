//===- EmbeddingDialect.cpp - Embedding dialect ---------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/IR/Embedding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::embedding;

#include "embedding/IR/EmbeddingDialect.cpp.inc"
#include "embedding/IR/EmbeddingEnums.cpp.inc"

#define GET_OP_CLASSES
#include "embedding/IR/EmbeddingOps.cpp.inc"

void EmbeddingDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "embedding/IR/EmbeddingOps.cpp.inc"
      >();
}

Operation *EmbeddingDialect::materializeConstant(OpBuilder &builder,
                                                 Attribute value, Type type,
                                                 Location loc) {
  return arith::ConstantOp::materialize(builder, value, type, loc);
}

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

/// Whether a value of `type` occupies the same number of bits on every target.
static bool hasFixedWidth(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return hasFixedWidth(complex.getElementType());
  if (auto vector = dyn_cast<VectorType>(type))
    return !vector.isScalable() && hasFixedWidth(vector.getElementType());
  return type.isIntOrFloat();
}

/// The number of out-of-range elements of a constant index tensor, with the
/// flat position and the value of the first of them.
namespace {
struct OutOfRangeIndices {
  int64_t position = -1;
  int64_t index = 0;
  int64_t count = 0;
};
} // namespace

static OutOfRangeIndices findOutOfRange(DenseIntElementsAttr indices,
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

//===----------------------------------------------------------------------===//
// LookupOp
//===----------------------------------------------------------------------===//

void LookupOp::build(OpBuilder &builder, OperationState &state, Value table,
                     Value indices, Value init, OutOfRange outOfRange,
                     std::optional<int64_t> paddingIdx) {
  state.addOperands({table, indices, init});
  if (isa<RankedTensorType>(init.getType()))
    state.addTypes(init.getType());
  auto &properties = state.getOrAddProperties<Properties>();
  properties.setOutOfRange(outOfRange);
  properties.setPaddingIdx(paddingIdx);
}

LogicalResult LookupOp::verify() {
  ShapedType table = getTableType(), indices = getIndicesType(),
             init = getInitType();

  // C1
  if (table.getRank() != 2)
    return emitOpError("expected table to have rank 2, but got ") << table;
  // C2
  if (!hasFixedWidth(table.getElementType()))
    return emitOpError(
               "expected elements of table to have a fixed width, but got ")
           << table.getElementType();
  if (table.getElementType() != init.getElementType())
    return emitOpError("expected elements of init to be those of table, ")
           << table.getElementType() << ", but got " << init.getElementType();
  // C3
  if (init.getRank() != indices.getRank() + 1)
    return emitOpError("expected init to have rank ")
           << indices.getRank() + 1 << ", one more than indices, but got "
           << init.getRank();
  // C4
  for (int64_t dim = 0; dim < indices.getRank(); ++dim)
    if (failed(verifyCompatibleShape({init.getDimSize(dim)},
                                     {indices.getDimSize(dim)})))
      return emitOpError("expected dimension ")
             << dim << " of init to be that of indices, "
             << indices.getDimSize(dim) << ", but got " << init.getDimSize(dim);
  // C5
  int64_t rowLength = table.getDimSize(1);
  int64_t initRowLength = init.getDimSize(init.getRank() - 1);
  if (failed(verifyCompatibleShape({initRowLength}, {rowLength})))
    return emitOpError("expected last dimension of init to be the row length "
                       "of table, ")
           << rowLength << ", but got " << initRowLength;
  // C6
  int64_t numRows = table.getDimSize(0);
  if (std::optional<int64_t> padding = getPaddingIdx();
      padding && ShapedType::isStatic(numRows) &&
      (*padding < -numRows || *padding >= numRows))
    return emitOpError("expected padding_idx to be in [")
           << -numRows << ", " << numRows << "), but got " << *padding;
  // C7
  bool onTensors = isa<TensorType>(table);
  if (isa<TensorType>(indices) != onTensors ||
      isa<TensorType>(init) != onTensors)
    return emitOpError("expected operands to be all tensors or all memrefs");
  if (onTensors != static_cast<bool>(getResult()))
    return emitOpError(onTensors ? "expected one result on tensors"
                                 : "expected no result on memrefs");
  return success();
}

LogicalResult
LookupOp::reifyResultShapes(OpBuilder &builder,
                            ReifiedRankedShapedTypeDims &reifiedShapes) {
  if (!getResult())
    return failure();
  // The shape of the sources rather than that of init, so that `tensor.dim` of
  // the result does not keep the destination alive.
  SmallVector<OpFoldResult> shape;
  for (int64_t dim = 0; dim < getInitType().getRank(); ++dim) {
    if (ShapedType::isStatic(getInitType().getDimSize(dim)))
      shape.push_back(builder.getIndexAttr(getInitType().getDimSize(dim)));
    else if (dim < getIndicesType().getRank())
      shape.push_back(
          tensor::getMixedSize(builder, getLoc(), getIndices(), dim));
    else
      shape.push_back(tensor::getMixedSize(builder, getLoc(), getTable(), 1));
  }
  reifiedShapes.push_back(std::move(shape));
  return success();
}

void LookupOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  if (isa<MemRefType>(getInit().getType())) {
    effects.emplace_back(MemoryEffects::Read::get(), &getTableMutable());
    effects.emplace_back(MemoryEffects::Read::get(), &getIndicesMutable());
    effects.emplace_back(MemoryEffects::Write::get(), &getInitMutable());
  }
  if (getOutOfRange() == OutOfRange::check)
    effects.emplace_back(MemoryEffects::Write::get(), OutOfRangeReport::get());
}

Speculation::Speculatability LookupOp::getSpeculatability() {
  // A hoisted `assume` could run where its promise does not hold, and a hoisted
  // `check` could report what the program never looks up.
  bool isTotal = getOutOfRange() == OutOfRange::clamp ||
                 getOutOfRange() == OutOfRange::zero;
  return getResult() && isTotal ? Speculation::Speculatable
                                : Speculation::NotSpeculatable;
}

LogicalResult LookupOp::fold(FoldAdaptor adaptor,
                             SmallVectorImpl<OpFoldResult> &results) {
  // A lookup of a splat table is a splat, whatever the indices.
  auto table = dyn_cast_if_present<SplatElementsAttr>(adaptor.getTable());
  if (table && getResult() && getOutOfRange() == OutOfRange::assume &&
      getInitType().hasStaticShape()) {
    results.push_back(table.resizeSplat(getInitType()));
    return success();
  }
  // memref.cast; the tensor dialect's canonicalization folds tensor.cast into
  // every destination-style op.
  return memref::foldMemRefCast(*this);
}

/// Creates the check of `op` alone.
static void createCheck(OpBuilder &builder, LookupOp op) {
  Location loc = op.getLoc();
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value numRows =
      op.getResult()
          ? builder.createOrFold<tensor::DimOp>(loc, op.getTable(), zero)
          : builder.createOrFold<memref::DimOp>(loc, op.getTable(), zero);
  auto found = FindOutOfRangeOp::create(builder, loc, op.getIndices(), numRows);
  ReportOutOfRangeOp::create(builder, loc, found.getPosition(),
                             found.getIndex(), found.getCount());
}

namespace {

/// Indices that are constant and in range need no treatment of the others.
struct AssumeConstantIndicesInRange : OpRewritePattern<LookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookupOp op,
                                PatternRewriter &rewriter) const override {
    DenseIntElementsAttr indices;
    int64_t numRows = op.getTableType().getDimSize(0);
    if (op.getOutOfRange() == OutOfRange::assume ||
        ShapedType::isDynamic(numRows) ||
        !matchPattern(op.getIndices(), m_Constant(&indices)) ||
        findOutOfRange(indices, numRows).count != 0)
      return failure();
    rewriter.modifyOpInPlace(op, [&] { op.setOutOfRange(OutOfRange::assume); });
    return success();
  }
};

/// Without indices there is nothing to look up, and in rows of no elements
/// nothing to copy.
struct EraseEmptyLookup : OpRewritePattern<LookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookupOp op,
                                PatternRewriter &rewriter) const override {
    bool hasNoIndices = llvm::is_contained(op.getIndicesType().getShape(), 0);
    if (!hasNoIndices && !llvm::is_contained(op.getInitType().getShape(), 0))
      return failure();
    if (!hasNoIndices && op.getOutOfRange() == OutOfRange::check)
      createCheck(rewriter, op);
    if (op.getResult())
      rewriter.replaceOp(op, op.getInit());
    else
      rewriter.eraseOp(op);
    return success();
  }
};

/// A lookup whose result nobody reads is its check alone. (In the other modes
/// it is dead and goes as any pure operation does.)
struct ReduceDeadLookupToCheck : OpRewritePattern<LookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookupOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getResult() || !op.use_empty() ||
        op.getOutOfRange() != OutOfRange::check)
      return failure();
    createCheck(rewriter, op);
    rewriter.eraseOp(op);
    return success();
  }
};

/// Counts a negative padding_idx from the start.
struct NormalizePaddingIdx : OpRewritePattern<LookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookupOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<int64_t> padding = op.getPaddingIdx();
    int64_t numRows = op.getTableType().getDimSize(0);
    if (!padding || *padding >= 0 || ShapedType::isDynamic(numRows))
      return failure();
    rewriter.modifyOpInPlace(op, [&] { op.setPaddingIdx(*padding + numRows); });
    return success();
  }
};

} // namespace

void LookupOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<AssumeConstantIndicesInRange, EraseEmptyLookup,
               ReduceDeadLookupToCheck, NormalizePaddingIdx>(context);
}

//===----------------------------------------------------------------------===//
// FindOutOfRangeOp
//===----------------------------------------------------------------------===//

void FindOutOfRangeOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  if (isa<MemRefType>(getIndices().getType()))
    effects.emplace_back(MemoryEffects::Read::get(), &getIndicesMutable());
}

LogicalResult FindOutOfRangeOp::fold(FoldAdaptor adaptor,
                                     SmallVectorImpl<OpFoldResult> &results) {
  OutOfRangeIndices found;
  if (!llvm::is_contained(cast<ShapedType>(getIndices().getType()).getShape(),
                          0)) {
    auto indices =
        dyn_cast_if_present<DenseIntElementsAttr>(adaptor.getIndices());
    auto numRows = dyn_cast_if_present<IntegerAttr>(adaptor.getNumRows());
    if (!indices || !numRows)
      return memref::foldMemRefCast(*this);
    found = findOutOfRange(indices, numRows.getInt());
  }
  Builder builder(getContext());
  results.append({builder.getI64IntegerAttr(found.position),
                  builder.getI64IntegerAttr(found.index),
                  builder.getI64IntegerAttr(found.count)});
  return success();
}

//===----------------------------------------------------------------------===//
// ReportOutOfRangeOp
//===----------------------------------------------------------------------===//

void ReportOutOfRangeOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  effects.emplace_back(MemoryEffects::Write::get(), OutOfRangeReport::get());
}

LogicalResult ReportOutOfRangeOp::canonicalize(ReportOutOfRangeOp op,
                                               PatternRewriter &rewriter) {
  if (!matchPattern(op.getCount(), m_Zero()))
    return failure();
  rewriter.eraseOp(op);
  return success();
}
