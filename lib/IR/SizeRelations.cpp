//===- SizeRelations.cpp - Sizes that agree -------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SizeRelations.h"

#include "../Utils/TensorOrMemRef.h"

#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::embedding;

//===----------------------------------------------------------------------===//
// Relations
//===----------------------------------------------------------------------===//

int64_t SizeRelation::getStaticSize() const {
  return getShapedType(operand).getDimSize(dim);
}

int64_t SizeRelation::getStaticExpected() const {
  ShapedType type = getShapedType(other);
  if (otherDim)
    return type.isDynamicDim(*otherDim) ? ShapedType::kDynamic
                                        : type.getDimSize(*otherDim) + more;
  return type.hasStaticShape() ? type.getNumElements() + more
                               : ShapedType::kDynamic;
}

bool SizeRelation::isPossible() const {
  return succeeded(
      verifyCompatibleShape({getStaticSize()}, {getStaticExpected()}));
}

/// That `dim` of `operand` is the number of bags of `op`.
static SizeRelation getBagRelation(RowIndexingOpInterface op, const char *name,
                                   Value operand, int64_t dim) {
  auto bag = cast<BagOp>(*op);
  if (!bag.getOffsets())
    return {name, operand, dim, "indices", op.getIndices(), /*otherDim=*/0};
  return {name,
          operand,
          dim,
          "offsets",
          bag.getOffsets(),
          /*otherDim=*/0,
          /*more=*/bag.getIncludeLastOffset() ? -1 : 0};
}

/// Appends the relations of operand `number` of the description of `op`.
static void appendRelations(RowIndexingOpInterface op, int number,
                            SmallVectorImpl<SizeRelation> &relations) {
  const OperationDesc &operation = op.getDescription();
  const OperandDesc &desc = operation.operands[number];
  Value operand = op.getDescribedOperand(number);
  if (!operand)
    return;
  Value indices = op.getIndices();
  int64_t dim = 0;
  for (Size size : desc)
    switch (size) {
    case Size::indexShape:
      for (; number != operation.indices &&
             dim < getShapedType(indices).getRank();
           ++dim)
        relations.push_back({desc.name, operand, dim, "indices", indices, dim});
      break;
    case Size::numIndices:
    case Size::numOffsets:
      if (number != operation.indices)
        relations.push_back({desc.name, operand, dim, "indices", indices,
                             /*otherDim=*/{}, size == Size::numOffsets});
      ++dim;
      break;
    case Size::numBags:
      relations.push_back(getBagRelation(op, desc.name, operand, dim++));
      break;
    case Size::numBagOffsets:
      ++dim;
      break;
    case Size::rowLength:
      if (number != operation.rows)
        relations.push_back({desc.name, operand, dim,
                             operation.operands[operation.rows].name,
                             op.getDescribedOperand(operation.rows), 1});
      ++dim;
      break;
    case Size::numRows:
      ++dim;
      break;
    }
}

static SmallVector<SizeRelation> getSizeRelations(RowIndexingOpInterface op) {
  SmallVector<SizeRelation> relations;
  const OperationDesc &operation = op.getDescription();
  for (int number = 0; number < operation.numOperands; ++number)
    if (operation.operands[number].isTensor())
      appendRelations(op, number, relations);
  return relations;
}

static SmallVector<SizeRelation> getSizeRelations(ReduceOp op) {
  Value sums = op.getSums(), values = op.getValues(), rows = op.getRows();
  SmallVector<SizeRelation> relations = {
      {"values", values, getShapedType(values).getRank() - 1, "sums", sums,
       /*otherDim=*/1}};
  if (Value offsets = op.getOffsets())
    relations.push_back({"offsets", offsets, 0, rows ? "rows" : "sums",
                         rows ? rows : sums, /*otherDim=*/0,
                         /*more=*/op.getExcludeLastOffset() ? 0 : 1});
  else
    relations.push_back({"sums", sums, 0, "indices", op.getIndices(),
                         /*otherDim=*/0});
  Value weights = op.getWeights(), indices = op.getIndices();
  if (weights && indices)
    for (int64_t dim = 0; dim < getShapedType(weights).getRank(); ++dim)
      relations.push_back({"weights", weights, dim, "indices", indices, dim});
  return relations;
}

static SmallVector<SizeRelation> getSizeRelations(InverseFrequenciesOp op) {
  return {{"weights", op.getWeights(), 0, "positions", op.getPositions(),
           /*otherDim=*/0}};
}

SmallVector<SizeRelation> embedding::getSizeRelations(Operation *op) {
  return llvm::TypeSwitch<Operation *, SmallVector<SizeRelation>>(op)
      .Case<RowIndexingOpInterface, ReduceOp, InverseFrequenciesOp>(
          [](auto op) { return ::getSizeRelations(op); })
      .Default([](Operation *) { return SmallVector<SizeRelation>(); });
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

LogicalResult embedding::verifySizes(Operation *op,
                                     ArrayRef<SizeRelation> relations) {
  const auto *broken = llvm::find_if_not(
      relations, [](const SizeRelation &r) { return r.isPossible(); });
  if (broken == relations.end())
    return success();
  return op->emitOpError("expected dimension ")
         << broken->dim << " of " << broken->name << " to be "
         << broken->getStaticExpected() << ", but got "
         << broken->getStaticSize();
}

/// Says that operand `number`, of a row for each index, has another shape.
static LogicalResult reportShape(RowIndexingOpInterface op, int number) {
  const OperationDesc &operation = op.getDescription();
  SmallVector<int64_t> expected(getShapedType(op.getIndices()).getShape());
  expected.push_back(
      getShapedType(op.getDescribedOperand(operation.rows)).getDimSize(1));
  Value operand = op.getDescribedOperand(number);
  Type elements = getElementTypeOrSelf(operand);
  return op->emitOpError("expected ")
         << operation.operands[number].name
         << " to have the shape of indices and a row, as "
         << RankedTensorType::get(expected, elements) << " has, but got "
         << operand.getType();
}

LogicalResult embedding::verifySizes(RowIndexingOpInterface op) {
  const OperationDesc &operation = op.getDescription();
  for (int number = 0; number < operation.numOperands; ++number) {
    const OperandDesc &desc = operation.operands[number];
    if (!desc.isTensor() || !op.getDescribedOperand(number))
      continue;
    if (desc.hasIndexShape() && !desc.hasRows() &&
        getShapedType(op.getDescribedOperand(number)).getRank() !=
            getShapedType(op.getIndices()).getRank())
      return op->emitOpError("expected ")
             << desc.name << " to have the shape of indices, "
             << op.getIndices().getType() << ", but got "
             << op.getDescribedOperand(number).getType();
    bool isPerIndex = desc.hasIndexShape() && desc.hasRows();
    if (isPerIndex && getShapedType(op.getDescribedOperand(number)).getRank() !=
                          getShapedType(op.getIndices()).getRank() + 1)
      return reportShape(op, number);
    SmallVector<SizeRelation> relations;
    appendRelations(op, number, relations);
    bool isPossible = llvm::all_of(
        relations, [](const SizeRelation &r) { return r.isPossible(); });
    if (isPerIndex && !isPossible)
      return reportShape(op, number);
    if (failed(verifySizes(op, relations)))
      return failure();
  }
  return success();
}
