//===- TilingInterfaceImpl.cpp - Tiling -----------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Transforms/TilingInterfaceImpl.h"

#include "../Utils/TensorOrMemRef.h"
#include "embedding/IR/Embedding.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Interfaces/TilingInterface.h"

using namespace mlir;
using namespace mlir::embedding;

/// The positions that a check reports are those of the whole, and each bad
/// index is reported once.
static LogicalResult verifyNoCheck(RowIndexingOpInterface op) {
  if (op.getOutOfRange() != OutOfRange::check)
    return success();
  return op->emitOpError("cannot be tiled in 'check' mode, because the "
                         "positions that it reports would become those "
                         "within the tile; run "
                         "'embedding-split-checks=branch=false' first");
}

namespace {

/// The loops of a lookup are the dimensions of its result: those of the indices
/// and the row.
struct LookupOpTiling
    : TilingInterface::ExternalModel<LookupOpTiling, LookupOp> {
  SmallVector<utils::IteratorType> getLoopIteratorTypes(Operation *op) const {
    return SmallVector<utils::IteratorType>(
        cast<ShapedType>(cast<LookupOp>(op).getOut().getType()).getRank(),
        utils::IteratorType::parallel);
  }

  SmallVector<Range> getIterationDomain(Operation *op,
                                        OpBuilder &builder) const {
    auto lookup = cast<LookupOp>(op);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(op);
    SmallVector<Range> domain;
    for (OpFoldResult size :
         embedding::getMixedSizes(builder, op->getLoc(), lookup.getOut()))
      domain.push_back(
          {builder.getIndexAttr(0), size, builder.getIndexAttr(1)});
    return domain;
  }

  FailureOr<TilingResult>
  getTiledImplementation(Operation *op, OpBuilder &builder,
                         ArrayRef<OpFoldResult> offsets,
                         ArrayRef<OpFoldResult> sizes) const {
    auto lookup = cast<LookupOp>(op);
    if (failed(verifyNoCheck(lookup)))
      return failure();
    Location loc = op->getLoc();
    SmallVector<Operation *> slices;
    Value table = lookup.getTable();
    SmallVector<OpFoldResult> tableSizes =
        embedding::getMixedSizes(builder, loc, table);
    // A tile of whole rows takes the table as it is.
    if (!isZeroInteger(offsets.back()) ||
        !isEqualConstantIntOrValue(sizes.back(), tableSizes.back())) {
      slices.push_back(takeSlice(builder, loc, table,
                                 {builder.getIndexAttr(0), offsets.back()},
                                 {tableSizes.front(), sizes.back()}));
      table = slices.back()->getResult(0);
    }
    Operation *indices = takeSlice(builder, loc, lookup.getIndices(),
                                   offsets.drop_back(), sizes.drop_back());
    Operation *init = takeSlice(builder, loc, lookup.getOut(), offsets, sizes);
    auto tiled = LookupOp::create(builder, loc, table, indices->getResult(0),
                                  init->getResult(0), lookup.getOutOfRange(),
                                  lookup.getPaddingIdx());
    tiled->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    slices.append({indices, init});
    return TilingResult{
        {tiled}, SmallVector<Value>(tiled->getResults()), slices};
  }

  LogicalResult getResultTilePosition(
      Operation *, OpBuilder &, unsigned, ArrayRef<OpFoldResult> offsets,
      ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
      SmallVector<OpFoldResult> &resultSizes) const {
    resultOffsets.assign(offsets.begin(), offsets.end());
    resultSizes.assign(sizes.begin(), sizes.end());
    return success();
  }

  LogicalResult getIterationDomainTileFromResultTile(
      Operation *, OpBuilder &, unsigned, ArrayRef<OpFoldResult> offsets,
      ArrayRef<OpFoldResult> sizes,
      SmallVectorImpl<OpFoldResult> &domainOffsets,
      SmallVectorImpl<OpFoldResult> &domainSizes) const {
    domainOffsets.assign(offsets.begin(), offsets.end());
    domainSizes.assign(sizes.begin(), sizes.end());
    return success();
  }

  FailureOr<TilingResult>
  generateResultTileValue(Operation *op, OpBuilder &builder, unsigned,
                          ArrayRef<OpFoldResult> offsets,
                          ArrayRef<OpFoldResult> sizes) const {
    return getTiledImplementation(op, builder, offsets, sizes);
  }

  /// A tile of the indices or of the destination names the loops; a tile of the
  /// table names none, since any index may point into it.
  LogicalResult getIterationDomainTileFromOperandTiles(
      Operation *op, OpBuilder &builder, ArrayRef<unsigned> operandNumbers,
      ArrayRef<SmallVector<OpFoldResult>> allOffsets,
      ArrayRef<SmallVector<OpFoldResult>> allSizes,
      SmallVectorImpl<OpFoldResult> &domainOffsets,
      SmallVectorImpl<OpFoldResult> &domainSizes) const {
    auto lookup = cast<LookupOp>(op);
    if (operandNumbers.size() != 1)
      return failure();
    OpOperand &operand = op->getOpOperand(operandNumbers.front());
    if (operand.get() == lookup.getTable())
      return failure();
    domainOffsets.assign(allOffsets.front().begin(), allOffsets.front().end());
    domainSizes.assign(allSizes.front().begin(), allSizes.front().end());
    if (!lookup.isDpsInit(&operand)) {
      domainOffsets.push_back(builder.getIndexAttr(0));
      domainSizes.push_back(
          embedding::getMixedSize(builder, op->getLoc(), lookup.getTable(), 1));
    }
    return success();
  }

  FailureOr<TilingResult> getTiledImplementationFromOperandTiles(
      Operation *op, OpBuilder &builder, ArrayRef<unsigned> operandNumbers,
      ArrayRef<SmallVector<OpFoldResult>> allOffsets,
      ArrayRef<SmallVector<OpFoldResult>> allSizes) const {
    SmallVector<OpFoldResult> offsets, sizes;
    if (failed(getIterationDomainTileFromOperandTiles(
            op, builder, operandNumbers, allOffsets, allSizes, offsets, sizes)))
      return failure();
    return getTiledImplementation(op, builder, offsets, sizes);
  }
};

/// What is summed or scaled by row is independent from column to column, and
/// from row to row only where the indices say so: one loop, over the columns of
/// the first input and of the destination.
template <typename OpTy>
struct ColumnTiling : TilingInterface::ExternalModel<ColumnTiling<OpTy>, OpTy> {
  SmallVector<utils::IteratorType> getLoopIteratorTypes(Operation *) const {
    return {utils::IteratorType::parallel};
  }

  SmallVector<Range> getIterationDomain(Operation *op,
                                        OpBuilder &builder) const {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(op);
    return {{builder.getIndexAttr(0), getSizes(op, builder).back(),
             builder.getIndexAttr(1)}};
  }

  FailureOr<TilingResult>
  getTiledImplementation(Operation *op, OpBuilder &builder,
                         ArrayRef<OpFoldResult> offsets,
                         ArrayRef<OpFoldResult> sizes) const {
    if (failed(verifyNoCheck(cast<RowIndexingOpInterface>(op))))
      return failure();
    SmallVector<Value> operands(op->getOperands());
    SmallVector<Operation *> slices;
    for (Value *operand : {&operands.front(), &operands.back()}) {
      SmallVector<OpFoldResult> tileSizes =
          embedding::getMixedSizes(builder, op->getLoc(), *operand);
      SmallVector<OpFoldResult> tileOffsets(tileSizes.size(),
                                            builder.getIndexAttr(0));
      tileSizes.back() = sizes.front();
      tileOffsets.back() = offsets.front();
      slices.push_back(
          takeSlice(builder, op->getLoc(), *operand, tileOffsets, tileSizes));
      *operand = slices.back()->getResult(0);
    }
    SmallVector<Type> types;
    if (op->getNumResults() > 0)
      types.push_back(operands.back().getType());
    Operation *tiled = builder.insert(Operation::create(
        op->getLoc(), op->getName(), types, operands,
        op->getDiscardableAttrDictionary(), op->getPropertiesStorage(),
        BlockRange(), /*numRegions=*/0));
    return TilingResult{
        {tiled}, SmallVector<Value>(tiled->getResults()), slices};
  }

  LogicalResult
  getResultTilePosition(Operation *op, OpBuilder &builder, unsigned,
                        ArrayRef<OpFoldResult> offsets,
                        ArrayRef<OpFoldResult> sizes,
                        SmallVector<OpFoldResult> &resultOffsets,
                        SmallVector<OpFoldResult> &resultSizes) const {
    resultSizes = getSizes(op, builder);
    resultOffsets.assign(resultSizes.size(), builder.getIndexAttr(0));
    resultSizes.back() = sizes.front();
    resultOffsets.back() = offsets.front();
    return success();
  }

private:
  static SmallVector<OpFoldResult> getSizes(Operation *op, OpBuilder &builder) {
    return embedding::getMixedSizes(builder, op->getLoc(),
                                    op->getOperand(op->getNumOperands() - 1));
  }
};

} // namespace

void embedding::registerTilingInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, EmbeddingDialect *) {
    LookupOp::attachInterface<LookupOpTiling>(*context);
    DenseGradOp::attachInterface<ColumnTiling<DenseGradOp>>(*context);
    DoubleBackwardOp::attachInterface<ColumnTiling<DoubleBackwardOp>>(*context);
    context->loadDialect<memref::MemRefDialect, tensor::TensorDialect,
                         affine::AffineDialect>();
  });
}
