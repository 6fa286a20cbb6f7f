//===- BagToLoops.cpp - Greatest elements of bags -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bags of sums and means are reductions; this is the third mode.
//
//===----------------------------------------------------------------------===//

#include "Grouping.h"

#include "embedding/Target/CostModel.h"

using namespace mlir;
using namespace mlir::embedding;

namespace {

/// Keeps the greatest elements that bags have had so far, and where they come
/// from, in buffers for columns of a row.
class BagMaximum {
public:
  BagMaximum(LoopBuilder &b, BagOp op, OpFoldResult rowLength)
      : b(b), op(op),
        element(cast<MemRefType>(op.getOut().getType()).getElementType()),
        table(b, op.getTable(), /*numTrailingDims=*/1),
        names(b, op.getIndices(), table.size(), op.getOutOfRange(),
              getPaddingRow(b, op)),
        columns(
            rowLength,
            cost::kSumBytes /
                (op.getWinners() ? 8 : element.getIntOrFloatBitWidth() / 8)) {}

  /// For one thread.
  void allocateBuffers() {
    auto allocate = [&](Type type) -> Value {
      return memref::AllocaOp::create(
          b, MemRefType::get({columns.getMaxWidth()}, type));
    };
    greatest = allocate(element);
    if (op.getWinners())
      winners = allocate(b.getI64Type());
  }

  /// Writes those of positions [begin, end) to row `bag`.
  void write(Value bag, Value begin, Value end) {
    Value first = findKept(begin, end);
    auto take = [&](Value rows, OpFoldResult column, OpFoldResult width) {
      return takeColumns(b, b.getLoc(), rows, OpFoldResult(bag), column, width);
    };
    columns.forEach(b, [&](OpFoldResult column, OpFoldResult width) {
      Value out = take(op.getOut(), column, width);
      Value winnersOut =
          op.getWinners() ? take(op.getWinners(), column, width) : nullptr;
      b.ifTrue(
          b.less(first, end),
          [&] {
            scan(first, end, column, width);
            b.copy(takeStart(greatest, width), out);
            if (winners)
              b.copy(takeStart(winners, width), winnersOut);
          },
          [&] {
            b.fill(out, b.constant(element, 0.0));
            if (winners)
              b.fill(winnersOut, b.i64(-1));
          });
    });
  }

private:
  /// The first position in [begin, end) whose index names a row, or `end`.
  Value findKept(Value begin, Value end) {
    if (names.isTotal())
      return begin;
    return b.findFirst(
        begin, end, [&](Value position) { return names.isNamed(b, position); });
  }

  Value takeStart(Value buffer, OpFoldResult width) {
    return takeColumns(b, b.getLoc(), buffer, {}, b.getIndexAttr(0), width);
  }

  /// Begins with the row at `first`, and replaces what a later one exceeds.
  void scan(Value first, Value end, OpFoldResult column, OpFoldResult width) {
    Value best = takeStart(greatest, width);
    b.copy(table.row(b, names.get(b, first), column, width), best);
    if (winners)
      b.fill(takeStart(winners, width), b.toI64(first));
    b.loop(b.add(first, b.index(1)), end, [&](Value position) {
      names.ifNamed(b, position, [&](Value row) {
        replaceExceeded(row, position, column, width);
      });
    });
  }

  void replaceExceeded(Value row, Value position, OpFoldResult column,
                       OpFoldResult width) {
    SmallVector<Value> outputs = {takeStart(greatest, width)};
    if (winners)
      outputs.push_back(takeStart(winners, width));
    Value winner = b.toI64(position);
    b.elementwise(
        table.row(b, row, column, width), outputs,
        [&](LoopBuilder &b, ValueRange elements) -> SmallVector<Value> {
          Type wide = getAccumulatorType(element);
          Value isGreater = arith::CmpFOp::create(
              b, arith::CmpFPredicate::OGT, b.convertFloat(elements[0], wide),
              b.convertFloat(elements[1], wide));
          // As integers, since a CPU may have no 16-bit floats to select.
          Type bits = b.getIntegerType(element.getIntOrFloatBitWidth());
          auto cast = [&](Value value, Type type) -> Value {
            return arith::BitcastOp::create(b, type, value);
          };
          Value chosen = b.select(isGreater, cast(elements[0], bits),
                                  cast(elements[1], bits));
          SmallVector<Value> kept = {cast(chosen, element)};
          if (winners)
            kept.push_back(b.select(isGreater, winner, elements[2]));
          return kept;
        });
  }

  LoopBuilder &b;
  BagOp op;
  Type element;
  Flattened table;
  RowNames names;
  ColumnBlocks columns;
  Value greatest, winners;
};

//===----------------------------------------------------------------------===//
// BagOp
//===----------------------------------------------------------------------===//

/// A scan of each bag.
struct BagToLoops : OpRewritePattern<BagOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(BagOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)))
      return failure();
    if (op.checksOffsets())
      return rewriter.notifyMatchFailure(
          op, "run 'embedding-split-checks' first, which takes its check out");
    if (op.getMode() != BagMode::max)
      return rewriter.notifyMatchFailure(
          op, "run 'embedding-decompose-operations' first");
    LoopBuilder b(op, rewriter);
    lower(b, op);
    rewriter.eraseOp(op);
    return success();
  }

private:
  static void lower(LoopBuilder &b, BagOp op) {
    // IR knows no slice of a dimension of size 0.
    auto isEmpty = [](Value memref) {
      return llvm::is_contained(cast<MemRefType>(memref.getType()).getShape(),
                                0);
    };
    if (isEmpty(op.getOut()))
      return;
    Type element = cast<MemRefType>(op.getOut().getType()).getElementType();
    if (isEmpty(op.getTable()) || isEmpty(op.getIndices())) {
      b.fill(op.getOut(), b.constant(element, 0.0));
      if (op.getWinners())
        b.fill(op.getWinners(), b.i64(-1));
      return;
    }
    OpFoldResult rowLength = getMixedSize(b, b.getLoc(), op.getOut(), 1);
    Segments bags(b, op);
    Value size = bags.size(b);
    BagMaximum maximum(b, op, rowLength);
    Blocks blocks(
        b, b.rowsWithElements(size, rowLength),
        b.mul(getRowBytes(b, rowLength, element),
              getRowsPerSegment(b, b.numElements(op.getIndices()), size)),
        cost::kMinBlockBytes, cost::kMaxBlocks);
    blocks.forEach(b, [&](Value, Value begin, Value end) {
      maximum.allocateBuffers();
      b.loop(begin, end, [&](Value bag) {
        maximum.write(bag, bags.begin(b, bag), bags.end(b, bag));
      });
    });
  }
};

} // namespace

void embedding::populateBagToLoopsPatterns(RewritePatternSet &patterns) {
  patterns.add<BagToLoops>(patterns.getContext());
}
