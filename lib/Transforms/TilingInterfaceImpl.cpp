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

namespace {

/// The loops of a lookup are the dimensions of its result: those of the indices
/// and the row.
struct LookupOpTiling
    : TilingInterface::ExternalModel<LookupOpTiling, LookupOp> {
  SmallVector<utils::IteratorType> getLoopIteratorTypes(Operation *op) const {
    return SmallVector<utils::IteratorType>(
        cast<LookupOp>(op).getInitType().getRank(),
        utils::IteratorType::parallel);
  }

  SmallVector<Range> getIterationDomain(Operation *op,
                                        OpBuilder &builder) const {
    auto lookup = cast<LookupOp>(op);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(op);
    SmallVector<Range> domain;
    for (OpFoldResult size :
         embedding::getMixedSizes(builder, op->getLoc(), lookup.getInit()))
      domain.push_back(
          {builder.getIndexAttr(0), size, builder.getIndexAttr(1)});
    return domain;
  }

  FailureOr<TilingResult>
  getTiledImplementation(Operation *op, OpBuilder &builder,
                         ArrayRef<OpFoldResult> offsets,
                         ArrayRef<OpFoldResult> sizes) const {
    auto lookup = cast<LookupOp>(op);
    if (lookup.getOutOfRange() == OutOfRange::check)
      return op->emitOpError("cannot be tiled in 'check' mode, because the "
                             "positions that it reports would become those "
                             "within the tile; run 'embedding-split-checks' "
                             "first");
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
    Operation *init = takeSlice(builder, loc, lookup.getInit(), offsets, sizes);
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

} // namespace

void embedding::registerTilingInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, EmbeddingDialect *) {
    LookupOp::attachInterface<LookupOpTiling>(*context);
    context->loadDialect<memref::MemRefDialect, tensor::TensorDialect,
                         affine::AffineDialect>();
  });
}
