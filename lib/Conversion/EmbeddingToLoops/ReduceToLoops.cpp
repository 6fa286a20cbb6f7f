//===- ReduceToLoops.cpp - Sums of segments of rows -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Grouping.h"
#include "PairwiseSums.h"

#include "embedding/Target/CostModel.h"

using namespace mlir;
using namespace mlir::embedding;

namespace {

/// Sums the rows of `values` at the positions of each segment, in the
/// documented order: chunks of `kChunkLength` positions from its start, each
/// from zero and in order; then the sums of chunks pairwise, at distances 1, 2,
/// 4 and so on.
///
/// Segments of one chunk are summed where they are wanted. The chunks of longer
/// ones are summed beforehand, all threads at work on one segment, into partial
/// sums. In a window of `kChunkLength` sorted positions at most one segment of
/// several chunks begins, and at most one other has a chunk that begins: each
/// window has a slot for either.
class SegmentSums {
public:
  SegmentSums(LoopBuilder &b, Value values, const Segments &segments,
              OpFoldResult rowLength, bool scalesByLength)
      : b(b), values(b, values, /*numTrailingDims=*/1), segments(segments),
        rowLength(rowLength), scalesByLength(scalesByLength),
        elementType(cast<MemRefType>(values.getType()).getElementType()),
        sumType(getAccumulatorType(elementType)) {
    blockWidth = cost::kSumBytes / (sumType.getIntOrFloatBitWidth() / 8);
    if (auto length = getConstantIntValue(rowLength))
      blockWidth = std::min(blockWidth, *length);
  }

  /// Sums the chunks of the segments that have several.
  void sumLongSegments() {
    int64_t length =
        getConstantIntValue(rowLength).value_or(ShapedType::kDynamic);
    SmallVector<Value> sizes = {
        b.mul(b.divUp(values.size(), b.index(kChunkLength)), b.index(2))};
    if (ShapedType::isDynamic(length))
      sizes.push_back(b.value(rowLength));
    partials = b.allocate(
        MemRefType::get({ShapedType::kDynamic, length}, sumType), sizes);

    Value total = b.loadIndex(segments.offsets, segments.size(b));
    Blocks blocks(b, total, getRowBytes(b, rowLength, elementType),
                  cost::kMinBlockBytes, cost::kMaxBlocks);
    blocks.forEach(b, [&](Value, Value begin, Value end) {
      Value buffer = allocateSum();
      b.ifTrue(b.less(begin, end), [&] {
        // From the segment that `begin` lies in to the last that begins before
        // `end`.
        Value first = b.sub(
            segments.firstAtOrBehind(b, b.add(begin, b.index(1))), b.index(1));
        b.loop(first, segments.firstAtOrBehind(b, end), [&](Value segment) {
          sumChunksIn(segment, begin, end, buffer);
        });
      });
    });
  }

  /// A buffer that `writeSum` needs, for one thread.
  Value allocateSum() {
    return memref::AllocaOp::create(b, MemRefType::get({blockWidth}, sumType));
  }

  /// Writes the sum of `segment` to a row of `to`.
  void writeSum(Value segment, Value to, Value toRow, Value buffer) {
    Value begin = segments.begin(b, segment), end = segments.end(b, segment);
    Value length = b.sub(end, begin);
    auto write = [&](Value sum, OpFoldResult column, OpFoldResult width) {
      Value row =
          takeColumns(b, b.getLoc(), to, OpFoldResult(toRow), column, width);
      b.elementwise(sum, row, [&](LoopBuilder &b, ValueRange elements) {
        return b.convertFloat(elements[0], elementType);
      });
    };
    b.ifTrue(
        b.cmp(arith::CmpIPredicate::sle, length, b.index(kChunkLength)),
        [&] {
          Value scale = getScale(length);
          forEachColumnBlock([&](OpFoldResult column, OpFoldResult width) {
            write(sumChunk(begin, end, scale, column, width, buffer), column,
                  width);
          });
        },
        [&] {
          addChunkSums(begin, b.divUp(length, b.index(kChunkLength)));
          forEachColumnBlock([&](OpFoldResult column, OpFoldResult width) {
            write(takeColumns(b, b.getLoc(), partials,
                              OpFoldResult(getChunkSlot(b, begin, b.index(0))),
                              column, width),
                  column, width);
          });
        });
  }

  void deallocate() { b.deallocate(partials); }

private:
  /// Runs `body` for pieces of a row whose sums are under way at once.
  void forEachColumnBlock(
      llvm::function_ref<void(OpFoldResult, OpFoldResult)> body) {
    if (blockWidth == 0)
      return;
    OpFoldResult width = b.getIndexAttr(blockWidth);
    auto staticLength = getConstantIntValue(rowLength);
    if (staticLength && *staticLength == blockWidth)
      return body(b.getIndexAttr(0), width);

    Value length = b.value(rowLength);
    Value rest = b.sub(
        length, b.mul(b.div(length, b.index(blockWidth)), b.index(blockWidth)));
    Value wholeEnd = b.sub(length, rest);
    b.loop(b.index(0), wholeEnd, b.index(blockWidth),
           [&](Value column) { body(column, width); });
    if (staticLength) {
      if (int64_t tail = *staticLength % blockWidth)
        body(b.getIndexAttr(*staticLength - tail), b.getIndexAttr(tail));
      return;
    }
    b.ifTrue(b.less(b.index(0), rest), [&] { body(wholeEnd, rest); });
  }

  Value getScale(Value segmentLength) {
    return scalesByLength ? createInverse(b, segmentLength, sumType) : nullptr;
  }

  /// Sums columns of the rows at sorted positions [begin, end); returns where.
  Value sumChunk(Value begin, Value end, Value scale, OpFoldResult column,
                 OpFoldResult width, Value buffer) {
    Value sum =
        takeColumns(b, b.getLoc(), buffer, {}, b.getIndexAttr(0), width);
    b.fill(sum, b.constant(sumType, 0.0));
    b.loop(begin, end, [&](Value i) {
      Value position = b.loadIndex(segments.positions, i);
      Value row = values.row(b, position, column, width);
      b.elementwise(row, sum, [&](LoopBuilder &b, ValueRange elements) {
        Value term = b.convertFloat(elements[0], sumType);
        if (scale)
          term = arith::MulFOp::create(b, term, scale);
        return Value(arith::AddFOp::create(b, elements[1], term));
      });
    });
    return sum;
  }

  /// Sums the chunks of `segment` that begin in [begin, end), if it has
  /// several.
  void sumChunksIn(Value segment, Value begin, Value end, Value buffer) {
    Value segmentBegin = segments.begin(b, segment),
          segmentEnd = segments.end(b, segment);
    Value length = b.sub(segmentEnd, segmentBegin);
    Value chunkLength = b.index(kChunkLength);
    b.ifTrue(b.less(chunkLength, length), [&] {
      Value before = b.max(b.sub(begin, segmentBegin), b.index(0));
      Value behind = b.sub(b.min(end, segmentEnd), segmentBegin);
      Value scale = getScale(length);
      b.loop(b.divUp(before, chunkLength), b.divUp(behind, chunkLength),
             [&](Value chunk) {
               Value from = b.add(segmentBegin, b.mul(chunk, chunkLength));
               Value to = b.min(b.add(from, chunkLength), segmentEnd);
               Value slot = getChunkSlot(b, segmentBegin, chunk);
               forEachColumnBlock([&](OpFoldResult column, OpFoldResult width) {
                 Value sum = sumChunk(from, to, scale, column, width, buffer);
                 b.copy(sum, takeColumns(b, b.getLoc(), partials,
                                         OpFoldResult(slot), column, width));
               });
             });
    });
  }

  /// Adds up the sums of `count` chunks, into that of the first.
  void addChunkSums(Value begin, Value count) {
    if (blockWidth == 0)
      return;
    auto sumOf = [&](Value chunk) {
      return takeRow(b, b.getLoc(), partials,
                     OpFoldResult(getChunkSlot(b, begin, chunk)), rowLength);
    };
    addPairwise(b, count, [&](Value to, Value from) {
      addSum(b, sumOf(from), sumOf(to));
    });
  }

  LoopBuilder &b;
  Flattened values;
  const Segments &segments;
  OpFoldResult rowLength;
  bool scalesByLength;
  Type elementType;
  Type sumType;
  int64_t blockWidth;
  Value partials;
};

//===----------------------------------------------------------------------===//
// ReduceOp
//===----------------------------------------------------------------------===//

/// Sums into the rows that segments have, or into a list.
struct ReduceToLoops : OpRewritePattern<ReduceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReduceOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)))
      return failure();
    LoopBuilder b(op, rewriter);
    OpFoldResult rowLength =
        embedding::getMixedSize(rewriter, op.getLoc(), op.getSums(), 1);
    // IR knows no slice of a dimension of size 0.
    auto isEmpty = [](ArrayRef<int64_t> shape) {
      return llvm::is_contained(shape, 0);
    };
    bool hasNoSums =
        isEmpty(cast<MemRefType>(op.getSums().getType()).getShape());
    bool hasNoValues = isEmpty(
        cast<MemRefType>(op.getValues().getType()).getShape().drop_back());
    if (!hasNoSums && hasNoValues && op.getRows())
      clear(b, op.getSums(), rowLength);
    if (!hasNoSums && !hasNoValues) {
      Segments segments(op);
      SegmentSums sums(b, op.getValues(), segments, rowLength,
                       op.getScaleByLength());
      sums.sumLongSegments();
      if (op.getRows())
        sumIntoRows(b, op, segments, sums, rowLength);
      else
        sumIntoList(b, op, segments, sums, rowLength);
      sums.deallocate();
    }
    rewriter.eraseOp(op);
    return success();
  }

private:
  static void clear(LoopBuilder &b, Value sums, OpFoldResult rowLength) {
    Type element = cast<MemRefType>(sums.getType()).getElementType();
    if (getConstantIntValue(rowLength))
      return b.fill(sums, b.constant(element, 0.0));
    Value numRows = b.value(embedding::getMixedSize(b, b.getLoc(), sums, 0));
    clearRows(b, sums, b.index(0), b.rowsWithElements(numRows, rowLength),
              rowLength);
  }

  /// `embedding-stream-stores` sees to gaps of large tables.
  static void clearRows(LoopBuilder &b, Value table, Value begin, Value end,
                        OpFoldResult rowLength) {
    Type element = cast<MemRefType>(table.getType()).getElementType();
    Value size = b.sub(end, begin);
    b.ifTrue(b.less(b.index(0), size), [&] {
      Operation *rows = takeSlice(
          b, b.getLoc(), table, {begin, b.getIndexAttr(0)}, {size, rowLength});
      b.fill(rows->getResult(0), b.constant(element, 0.0));
    });
  }

  /// Each block of the destination walks the segments of its rows and fills the
  /// gaps between them, so that every byte is written once.
  static void sumIntoRows(LoopBuilder &b, ReduceOp op, const Segments &segments,
                          SegmentSums &sums, OpFoldResult rowLength) {
    Value to = op.getSums();
    Type element = cast<MemRefType>(to.getType()).getElementType();
    Value numRows = b.value(embedding::getMixedSize(b, b.getLoc(), to, 0));
    // The bytes of a row of the destination, and of those that it sums.
    Value rowBytes = getRowBytes(b, rowLength, element);
    Value share =
        b.divUp(b.numElements(op.getPositions()), b.max(numRows, b.index(1)));
    Blocks blocks(b, b.rowsWithElements(numRows, rowLength),
                  b.mul(rowBytes, b.add(share, b.index(1))),
                  cost::kMinBlockBytes, cost::kMaxBlocks);
    blocks.forEach(b, [&](Value, Value begin, Value end) {
      Value buffer = sums.allocateSum();
      Value first = segments.firstWithRow(b, begin);
      Value last = segments.firstWithRow(b, end);
      SmallVector<Value> written =
          b.loop(first, last, begin,
                 [&](Value segment, ValueRange next) -> SmallVector<Value> {
                   Value row = segments.row(b, segment);
                   clearRows(b, to, next[0], row, rowLength);
                   sums.writeSum(segment, to, row, buffer);
                   return {b.add(row, b.index(1))};
                 });
      clearRows(b, to, written[0], end, rowLength);
    });
  }

  static void sumIntoList(LoopBuilder &b, ReduceOp op, const Segments &segments,
                          SegmentSums &sums, OpFoldResult rowLength) {
    Value to = op.getSums();
    Type element = cast<MemRefType>(to.getType()).getElementType();
    Blocks blocks(b, segments.size(b), getRowBytes(b, rowLength, element),
                  cost::kMinBlockBytes, cost::kMaxBlocks);
    blocks.forEach(b, [&](Value, Value begin, Value end) {
      Value buffer = sums.allocateSum();
      b.loop(begin, end, [&](Value segment) {
        sums.writeSum(segment, to, segment, buffer);
      });
    });
  }
};

} // namespace

void embedding::populateReduceToLoopsPatterns(RewritePatternSet &patterns) {
  patterns.add<ReduceToLoops>(patterns.getContext());
}
