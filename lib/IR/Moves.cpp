//===- Moves.cpp - Operations on segments ---------------------------------===//
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

void embedding::getDestinationStyleEffects(
    DestinationStyleOpInterface op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    if (op.isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  }
}

static LogicalResult verifyForm(DestinationStyleOpInterface op) {
  if (op.hasPureTensorSemantics() || op.hasPureBufferSemantics())
    return success();
  return op->emitOpError("expected operands to be all tensors or all memrefs");
}

LogicalResult ReduceOp::verify() {
  ShapedType values = getShapedType(getValues());
  if (values.getRank() < 2)
    return emitOpError("expected values to have rank 2 or more, but got ")
           << values;
  if (failed(verifyForm(*this)))
    return failure();
  Type expected = getShapedType(getSums()).getElementType();
  if (values.getElementType() != expected)
    return emitOpError("expected elements of values to be those of sums, ")
           << expected << ", but got " << values.getElementType();
  if (getOutOfRange() == OutOfRange::check)
    return emitOpError("expected out_of_range not to be check");
  if (!getPositions() && !getIndices())
    return emitOpError("expected positions or indices");
  if (getRows() && !getCount())
    return emitOpError("expected a count with rows");
  if (getIndices() && values.getRank() != 2)
    return emitOpError("expected values to have rank 2 with indices, but got ")
           << values;
  if (!getOffsets() &&
      (!getIndices() || getPositions() || getCount() ||
       getExcludeLastOffset() || getShapedType(getIndices()).getRank() != 2))
    return emitOpError("expected offsets, or without them and what belongs to "
                       "them indices of rank 2");
  if (getWeights()) {
    ShapedType weights = getShapedType(getWeights());
    Type element = weights.getElementType();
    if (element != expected && element != getAccumulatorType(expected))
      return emitOpError("expected elements of weights to be those of values, ")
             << expected << ", or " << getAccumulatorType(expected)
             << ", but got " << element;
    int64_t rank = getIndices() ? getShapedType(getIndices()).getRank() : 1;
    if (weights.getRank() != rank)
      return emitOpError("expected weights to have rank ")
             << rank << ", but got " << weights;
  }
  return verifySizes(*this, embedding::getSizeRelations(*this));
}

LogicalResult InverseFrequenciesOp::verify() {
  if (failed(verifyForm(*this)))
    return failure();
  return verifySizes(*this, embedding::getSizeRelations(*this));
}
