//===- GradientsToLoops.cpp - Gradients that keep single rows -------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Grouping.h"

#include "embedding/Target/CostModel.h"

using namespace mlir;
using namespace mlir::embedding;

namespace {

//===----------------------------------------------------------------------===//
// InverseFrequenciesOp
//===----------------------------------------------------------------------===//

struct InverseFrequenciesToLoops : OpRewritePattern<InverseFrequenciesOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(InverseFrequenciesOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)))
      return failure();
    LoopBuilder b(op, rewriter);
    Segments segments(op);
    Type type = cast<MemRefType>(op.getWeights().getType()).getElementType();
    Blocks blocks(b, segments.size(b), b.index(64), cost::kMinBlockBytes,
                  cost::kMaxBlocks);
    blocks.forEach(b, [&](Value, Value first, Value last) {
      b.loop(first, last, [&](Value segment) {
        Value begin = segments.begin(b, segment);
        Value end = segments.end(b, segment);
        Value weight = createInverse(b, b.sub(end, begin), type);
        b.loop(begin, end, [&](Value i) {
          b.store(weight, op.getWeights(), b.loadIndex(segments.positions, i));
        });
      });
    });
    rewriter.eraseOp(op);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// SparseGradOp and DoubleBackwardOp
//===----------------------------------------------------------------------===//

/// Whether `op` moves rows that are scaled, if at all, by weights.
template <typename OpTy>
LogicalResult verifyDecomposed(RewriterBase &rewriter, OpTy op) {
  if (op.getScaleGradByFreq())
    return rewriter.notifyMatchFailure(
        op, "run 'embedding-decompose-operations' first");
  return success();
}

/// Writes `from`, the row at `position`, to `to`, times its weight if `weights`
/// is not null.
void writeWeighted(LoopBuilder &b, Value weights, Value position, Value from,
                   Value to) {
  if (!weights)
    return b.copy(from, to);
  Value weight = b.load(weights, position);
  b.elementwise(from, to, [&](LoopBuilder &b, ValueRange elements) {
    Value term = b.convertFloat(elements[0], weight.getType());
    Value product = arith::MulFOp::create(b, term, weight);
    return b.convertFloat(product, elements[1].getType());
  });
}

/// Counts what each block keeps, then has each block write it where its turn
/// is.
struct SparseGradToLoops : OpRewritePattern<SparseGradOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SparseGradOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)) ||
        failed(verifyDecomposed(rewriter, op)))
      return failure();
    LoopBuilder b(op, rewriter);
    if (hasNoIndices(op.getIndices(), op.getGradOutput())) {
      b.store(b.i64(0), op.getNnz());
      rewriter.eraseOp(op);
      return success();
    }
    OpFoldResult rowLength =
        embedding::getMixedSize(rewriter, op.getLoc(), op.getValues(), 1);
    Type element = cast<MemRefType>(op.getValues().getType()).getElementType();
    Value numRows = op.getNumRows();
    Value paddingRow = getPaddingRow(b, op);
    RowNames names(b, op.getIndices(), numRows, op.getOutOfRange(), paddingRow);
    Flattened gradOutput(b, op.getGradOutput(), /*numTrailingDims=*/1);

    Blocks blocks(b, names.size(), getRowBytes(b, rowLength, element),
                  cost::kMinBlockBytes, cost::kMaxBlocks);
    auto isKept = [&](Value row) { return b.less(row, numRows); };
    auto asIndex = [&](Value flag) -> Value {
      return arith::IndexCastUIOp::create(b, b.getIndexType(), flag);
    };
    Value starts =
        b.allocate(MemRefType::get({ShapedType::kDynamic}, b.getIndexType()),
                   blocks.blockCount);
    blocks.forEach(b, [&](Value block, Value begin, Value end) {
      Value kept = b.loop(begin, end, b.index(0),
                          [&](Value i, ValueRange sum) -> SmallVector<Value> {
                            Value flag = isKept(names.get(b, i));
                            return {b.add(sum[0], asIndex(flag))};
                          })[0];
      b.store(kept, starts, block);
    });
    Value total =
        b.loop(b.index(0), blocks.blockCount, b.index(0),
               [&](Value block, ValueRange sum) -> SmallVector<Value> {
                 Value kept = b.load(starts, block);
                 b.store(sum[0], starts, block);
                 return {b.add(sum[0], kept)};
               })[0];
    b.store(b.toI64(total), op.getNnz());
    blocks.forEach(b, [&](Value block, Value begin, Value end) {
      b.loop(begin, end, b.load(starts, block),
             [&](Value i, ValueRange entry) -> SmallVector<Value> {
               Value row = names.get(b, i);
               Value flag = isKept(row);
               b.ifTrue(flag, [&] {
                 b.store(b.toI64(row), op.getRows(), entry[0]);
                 if (isZeroInteger(rowLength))
                   return;
                 writeWeighted(
                     b, op.getWeights(), i,
                     gradOutput.row(b, i, b.getIndexAttr(0), rowLength),
                     takeRow(b, b.getLoc(), op.getValues(),
                             OpFoldResult(entry[0]), rowLength));
               });
               return {b.add(entry[0], asIndex(flag))};
             });
    });
    b.deallocate(starts);
    rewriter.eraseOp(op);
    return success();
  }
};

/// A gather, with zeros where no row is named.
struct DoubleBackwardToLoops : OpRewritePattern<DoubleBackwardOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DoubleBackwardOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)) ||
        failed(verifyDecomposed(rewriter, op)))
      return failure();
    LoopBuilder b(op, rewriter);
    Value table = op.getGradGradTable();
    OpFoldResult rowLength =
        embedding::getMixedSize(rewriter, op.getLoc(), table, 1);
    if (isZeroInteger(rowLength) ||
        hasNoIndices(op.getIndices(), op.getOut())) {
      rewriter.eraseOp(op);
      return success();
    }
    Type element = cast<MemRefType>(table.getType()).getElementType();
    Value numRows = b.value(op.getMixedNumRows(b));
    Value paddingRow = getPaddingRow(b, op);
    RowNames names(b, op.getIndices(), numRows, op.getOutOfRange(), paddingRow);
    Flattened out(b, op.getOut(), /*numTrailingDims=*/1);
    bool hasNoRows = op.getStaticNumRows() == 0;
    Blocks blocks(b, names.size(), getRowBytes(b, rowLength, element),
                  cost::kMinBlockBytes, cost::kMaxBlocks);
    blocks.forEach(b, [&](Value, Value begin, Value end) {
      b.loop(begin, end, [&](Value i) {
        Value to = out.row(b, i, b.getIndexAttr(0), rowLength);
        auto clear = [&] { b.fill(to, b.constant(element, 0.0)); };
        // IR knows no slice of one row of a table of none.
        if (hasNoRows)
          return clear();
        Value row = names.get(b, i);
        auto write = [&] {
          writeWeighted(
              b, op.getWeights(), i,
              takeRow(b, b.getLoc(), table, OpFoldResult(row), rowLength), to);
        };
        if (names.isTotal())
          return write();
        b.ifTrue(b.less(row, numRows), write, clear);
      });
    });
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void embedding::populateGradientsToLoopsPatterns(RewritePatternSet &patterns) {
  patterns
      .add<InverseFrequenciesToLoops, SparseGradToLoops, DoubleBackwardToLoops>(
          patterns.getContext());
}
