//===- CheckSizes.cpp - Sizes are checked when a program runs -------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../IR/SizeRelations.h"
#include "../Utils/CloneComputation.h"
#include "../Utils/LoopBuilder.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGCHECKSIZESPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// The size of dimension `dim` of `value`, by way of what it was made from as
/// far as that is simple: of a result, the size of the destination.
static Value getSize(LoopBuilder &b, Value value, int64_t dim) {
  while (Operation *op = value.getDefiningOp()) {
    int64_t size = cast<ShapedType>(value.getType()).getDimSize(dim);
    if (ShapedType::isStatic(size))
      return b.index(size);
    if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
      value = destination.getTiedOpOperand(cast<OpResult>(value))->get();
    else if (isa<tensor::CastOp, memref::CastOp>(op) &&
             isa<RankedTensorType, MemRefType>(op->getOperandTypes()[0]))
      value = op->getOperand(0);
    else if (auto empty = dyn_cast<tensor::EmptyOp>(op))
      return empty.getDynamicSize(dim);
    else if (auto alloc = dyn_cast<memref::AllocOp>(op))
      return alloc.getDynamicSizes()[alloc.getType().getDynamicDimIndex(dim)];
    else
      break;
  }
  return b.value(getMixedSize(b, b.getLoc(), value, dim));
}

static Value getNumElements(LoopBuilder &b, Value value) {
  Value count = b.index(1);
  for (int64_t dim = 0; dim < cast<ShapedType>(value.getType()).getRank();
       ++dim)
    count = b.mul(count, getSize(b, value, dim));
  return count;
}

static std::string getText(Operation *op, int64_t dim, const Twine &name,
                           const Twine &other) {
  return (op->getName().getStringRef() + ": expected dimension " + Twine(dim) +
          " of " + name + " to be" + (other.isTriviallyEmpty() ? "" : " ") +
          other)
      .str();
}

/// What is called `other` in messages.
static std::string getDimText(int64_t dim, const Twine &name) {
  return ("dimension " + Twine(dim) + " of " + name + ",").str();
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

/// Of an operation of the dialect.
static void addChecks(LoopBuilder &b, RowIndexingOpInterface op) {
  for (const SizeRelation &relation : getSizeRelations(op)) {
    Value expected;
    std::string other;
    if (relation.otherDim) {
      expected = getSize(b, relation.other, *relation.otherDim);
      other = getDimText(*relation.otherDim, relation.otherName);
    } else {
      expected =
          b.add(getNumElements(b, relation.other), b.index(relation.more));
      other = relation.more == 0 ? "the number of indices,"
                                 : "the number of indices and " +
                                       std::to_string(relation.more) + ",";
    }
    ExpectSizeOp::create(b, getSize(b, relation.operand, relation.dim),
                         expected,
                         getText(op, relation.dim, relation.name, other));
  }

  // Positions and rows are sorted as one number of 64 bits.
  Value numRows = op.getTableOrNumRows();
  if (!numRows.getType().isIndex())
    return;
  std::string text =
      (op->getName().getStringRef() + ": expected num_rows to be at ").str();
  Value zero = b.index(0), one = b.index(1);
  ExpectSizeOp::create(b, b.min(numRows, zero), zero, text + "least");
  Value last = b.max(b.sub(getNumElements(b, op.getIndices()), one), zero);
  Value positionBits = b.toIndex(b.bitWidth(b.toI64(last)));
  // The largest index has 63 bits.
  Value numBits = b.min(b.sub(b.index(64), positionBits), b.index(63));
  Value limit = b.shiftRight(b.index(std::numeric_limits<int64_t>::max()),
                             b.sub(b.index(63), numBits));
  ExpectSizeOp::create(b, b.max(numRows, limit), limit, text + "most");
}

/// Dimensions of operands that one loop walks have one size.
static void addChecks(LoopBuilder &b, linalg::LinalgOp op) {
  SmallVector<std::optional<std::pair<unsigned, int64_t>>> first(
      op.getNumLoops());
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [dim, result] : llvm::enumerate(map.getResults())) {
      auto loop = dyn_cast<AffineDimExpr>(result);
      if (!loop)
        continue;
      unsigned number = operand.getOperandNumber();
      auto &known = first[loop.getPosition()];
      if (!known) {
        known.emplace(number, dim);
        continue;
      }
      auto [otherNumber, otherDim] = *known;
      std::string other = getDimText(otherDim, "operand " + Twine(otherNumber));
      ExpectSizeOp::create(b, getSize(b, operand.get(), dim),
                           getSize(b, op->getOperand(otherNumber), otherDim),
                           getText(op, dim, "operand " + Twine(number), other));
    }
  }
}

/// A cast that makes sizes static promises them.
static void addCheckOfCast(LoopBuilder &b, Operation *op) {
  auto from = dyn_cast<ShapedType>(op->getOperandTypes()[0]);
  auto to = cast<ShapedType>(op->getResultTypes()[0]);
  if (!from.hasRank() || !to.hasRank())
    return;
  for (int64_t dim = 0; dim < to.getRank(); ++dim)
    if (from.isDynamicDim(dim) && !to.isDynamicDim(dim))
      ExpectSizeOp::create(b, getSize(b, op->getOperand(0), dim),
                           b.index(to.getDimSize(dim)),
                           getText(op, dim, "source", ""));
}

static void addCheckOfCopy(LoopBuilder &b, memref::CopyOp op) {
  if (!isa<MemRefType>(op.getSource().getType()) ||
      !isa<MemRefType>(op.getTarget().getType()))
    return;
  int64_t rank = cast<MemRefType>(op.getSource().getType()).getRank();
  for (int64_t dim = 0; dim < rank; ++dim)
    ExpectSizeOp::create(b, getSize(b, op.getTarget(), dim),
                         getSize(b, op.getSource(), dim),
                         getText(op, dim, "target", getDimText(dim, "source")));
}

/// Creates the checks of `op` before it.
static void addChecksOf(Operation *op) {
  LoopBuilder b(op->getLoc(), op);
  if (auto indexing = dyn_cast<RowIndexingOpInterface>(op))
    addChecks(b, indexing);
  else if (auto structured = dyn_cast<linalg::LinalgOp>(op))
    addChecks(b, structured);
  else if (auto copy = dyn_cast<memref::CopyOp>(op))
    addCheckOfCopy(b, copy);
  else if (isa<tensor::CastOp, memref::CastOp>(op))
    addCheckOfCast(b, op);
}

//===----------------------------------------------------------------------===//
// Where they run
//===----------------------------------------------------------------------===//

/// Moves the checks of what every call does to the start of `function`, as far
/// as its arguments determine the sizes: a call that fails has written nothing.
static void moveToStart(func::FuncOp function) {
  Block &entry = function.getBody().front();
  OpBuilder b(function);
  b.setInsertionPointToStart(&entry);
  IRMapping mapping;
  mapping.map(function.getArguments(), function.getArguments());
  for (auto check : llvm::make_early_inc_range(entry.getOps<ExpectSizeOp>())) {
    if (failed(cloneComputation(b, check.getActual(), mapping)) ||
        failed(cloneComputation(b, check.getExpected(), mapping)))
      continue;
    b.clone(*check, mapping);
    check.erase();
  }
}

namespace {

struct EmbeddingCheckSizes
    : embedding::impl::EmbeddingCheckSizesPassBase<EmbeddingCheckSizes> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    SmallVector<Operation *> ops;
    function.walk([&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops)
      addChecksOf(op);
    moveToStart(function);
  }
};

} // namespace
