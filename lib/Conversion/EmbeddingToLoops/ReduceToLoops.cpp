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

//===----------------------------------------------------------------------===//
// Segments
//===----------------------------------------------------------------------===//

void Segments::countRows(LoopBuilder &b, Value sums) {
  numSegments = b.value(getMixedSize(b, b.getLoc(), sums, 0));
}

void Segments::measureRows(LoopBuilder &b, Value indices) {
  segmentLength = b.value(getMixedSize(b, b.getLoc(), indices, 1));
}

Segments::Segments(LoopBuilder &b, BagOp op) {
  offsets = op.getOffsets();
  countRows(b, op.getOut());
  if (!offsets)
    measureRows(b, op.getIndices());
  else if (!op.getIncludeLastOffset())
    lastEnd = b.numElements(op.getIndices());
}

Segments::Segments(LoopBuilder &b, ReduceOp op) : SegmentLists(op) {
  if (!count)
    countRows(b, op.getSums());
  if (!offsets)
    measureRows(b, op.getIndices());
  if (op.getExcludeLastOffset())
    lastEnd =
        b.numElements(op.getPositions() ? op.getPositions() : op.getIndices());
}

Value Segments::listSize(LoopBuilder &b) const {
  if (!offsets)
    return b.mul(numSegments, segmentLength);
  if (!lastEnd)
    return b.loadIndex(offsets, size(b));
  return b.select(b.equal(size(b), b.index(0)), b.index(0), lastEnd);
}

Value Segments::end(LoopBuilder &b, Value segment) const {
  Value next = b.add(segment, b.index(1));
  if (!lastEnd)
    return begin(b, next);
  Value isLast = b.equal(next, size(b));
  return b.select(isLast, lastEnd, begin(b, b.select(isLast, segment, next)));
}

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

ColumnBlocks::ColumnBlocks(OpFoldResult rowLength, int64_t maxWidth)
    : rowLength(rowLength), width(maxWidth) {
  if (auto length = getConstantIntValue(rowLength))
    width = std::min(width, *length);
}

void ColumnBlocks::forEach(
    LoopBuilder &b,
    llvm::function_ref<void(OpFoldResult, OpFoldResult)> body) const {
  if (width == 0)
    return;
  OpFoldResult whole = b.getIndexAttr(width);
  auto staticLength = getConstantIntValue(rowLength);
  if (staticLength && *staticLength == width)
    return body(b.getIndexAttr(0), whole);

  Value length = b.value(rowLength);
  Value rest =
      b.sub(length, b.mul(b.div(length, b.index(width)), b.index(width)));
  Value wholeEnd = b.sub(length, rest);
  b.loop(b.index(0), wholeEnd, b.index(width),
         [&](Value column) { body(column, whole); });
  if (staticLength) {
    if (int64_t tail = *staticLength % width)
      body(b.getIndexAttr(*staticLength - tail), b.getIndexAttr(tail));
    return;
  }
  b.ifTrue(b.less(b.index(0), rest), [&] { body(wholeEnd, rest); });
}

namespace {

//===----------------------------------------------------------------------===//
// Lists of rows
//===----------------------------------------------------------------------===//

/// The list of rows that a reduction sums segments of.
class RowsOfList {
public:
  RowsOfList(LoopBuilder &b, ReduceOp op)
      : positions(op.getPositions()),
        values(b, op.getValues(), /*numTrailingDims=*/1) {
    if (op.getIndices())
      names.emplace(b, op.getIndices(), values.size(), op.getOutOfRange(),
                    op.getPaddingRow());
    if (op.getWeights())
      weights.emplace(b, op.getWeights(), /*numTrailingDims=*/0);
    capacity = b.numElements(positions ? positions : op.getIndices());
  }

  /// The most elements that the list has.
  Value getCapacity() const { return capacity; }
  /// Whether every element names a row.
  bool isTotal() const { return !names || names->isTotal(); }

  /// Calls `body` with the row that element `i` names, if it names one, and
  /// with its position in the indices and weights.
  void ifNamed(LoopBuilder &b, Value i,
               llvm::function_ref<void(Value row, Value position)> body) const {
    Value position = positions ? b.loadIndex(positions, i) : i;
    if (!names)
      return body(position, position);
    names->ifNamed(b, position, [&](Value row) { body(row, position); });
  }

  Value row(LoopBuilder &b, Value row, OpFoldResult column,
            OpFoldResult width) const {
    return values.row(b, row, column, width);
  }
  /// The weight of the element at `position`, or null.
  Value weight(LoopBuilder &b, Value position, Type type) const {
    return weights ? b.convertFloat(weights->load(b, position), type) : nullptr;
  }

  /// How many of the elements [begin, end) name rows.
  Value countNamed(LoopBuilder &b, Value begin, Value end) const {
    if (isTotal())
      return b.sub(end, begin);
    return b.loop(begin, end, b.index(0),
                  [&](Value i, ValueRange count) -> SmallVector<Value> {
                    Value position = positions ? b.loadIndex(positions, i) : i;
                    Value one = arith::IndexCastUIOp::create(
                        b, b.getIndexType(), names->isNamed(b, position));
                    return {b.add(count[0], one)};
                  })[0];
  }

private:
  Value positions;
  Flattened values;
  std::optional<RowNames> names;
  std::optional<Flattened> weights;
  Value capacity;
};

/// Sums the rows of each segment of a list, in the documented order: chunks of
/// `kChunkLength` elements from its start, each from zero and in order; then
/// the sums of chunks pairwise, at distances 1, 2, 4 and so on.
///
/// Segments of one chunk are summed where they are wanted. The chunks of longer
/// ones are summed beforehand, all threads at work on one segment, into partial
/// sums. In a window of `kChunkLength` elements at most one segment of several
/// chunks begins, and at most one other has a chunk that begins: each window
/// has a slot for either.
class SegmentSums {
public:
  SegmentSums(LoopBuilder &b, ReduceOp op, const Segments &segments,
              OpFoldResult rowLength)
      : b(b), rows(b, op), segments(segments), rowLength(rowLength),
        scalesByLength(op.getScaleByLength()), isMean(op.getMean()),
        elementType(cast<MemRefType>(op.getSums().getType()).getElementType()),
        sumType(getAccumulatorType(elementType)),
        columns(rowLength,
                cost::kSumBytes / (sumType.getIntOrFloatBitWidth() / 8)) {}

  /// Sums the chunks of the segments that have several.
  void sumLongSegments() {
    int64_t length =
        getConstantIntValue(rowLength).value_or(ShapedType::kDynamic);
    SmallVector<Value> sizes = {
        b.mul(b.divUp(rows.getCapacity(), b.index(kChunkLength)), b.index(2))};
    if (ShapedType::isDynamic(length))
      sizes.push_back(b.value(rowLength));
    partials = b.allocate(
        MemRefType::get({ShapedType::kDynamic, length}, sumType), sizes);

    Blocks blocks(b, segments.listSize(b),
                  getRowBytes(b, rowLength, elementType), cost::kMinBlockBytes,
                  cost::kMaxBlocks);
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
    return memref::AllocaOp::create(
        b, MemRefType::get({columns.getMaxWidth()}, sumType));
  }

  /// Writes the sum of `segment` to a row of `to`.
  void writeSum(Value segment, Value to, Value toRow, Value buffer) {
    Value begin = segments.begin(b, segment), end = segments.end(b, segment);
    Value length = b.sub(end, begin);
    Value divisor = isMean ? getDivisor(begin, end) : nullptr;
    auto write = [&](Value sum, OpFoldResult column, OpFoldResult width) {
      Value row =
          takeColumns(b, b.getLoc(), to, OpFoldResult(toRow), column, width);
      b.elementwise(sum, row, [&](LoopBuilder &b, ValueRange elements) {
        Value result = elements[0];
        if (divisor)
          result = arith::DivFOp::create(b, result, divisor);
        return b.convertFloat(result, elementType);
      });
    };
    b.ifTrue(
        b.cmp(arith::CmpIPredicate::sle, length, b.index(kChunkLength)),
        [&] {
          Value scale = getScale(length);
          columns.forEach(b, [&](OpFoldResult column, OpFoldResult width) {
            write(sumChunk(begin, end, scale, column, width, buffer), column,
                  width);
          });
        },
        [&] {
          addChunkSums(begin, b.divUp(length, b.index(kChunkLength)));
          columns.forEach(b, [&](OpFoldResult column, OpFoldResult width) {
            write(takeColumns(b, b.getLoc(), partials,
                              OpFoldResult(getChunkSlot(b, begin, b.index(0))),
                              column, width),
                  column, width);
          });
        });
  }

  void deallocate() { b.deallocate(partials); }

  /// For one of `numSums` sums.
  Value getRowsFor(Value numSums) {
    return getRowsPerSegment(b, rows.getCapacity(), numSums);
  }

private:
  /// What the sum of elements [begin, end) is divided by; a sum of none by 1.
  Value getDivisor(Value begin, Value end) {
    Value count = b.max(rows.countNamed(b, begin, end), b.index(1));
    return arith::UIToFPOp::create(b, sumType, b.toI64(count));
  }

  Value getScale(Value segmentLength) {
    return scalesByLength ? createInverse(b, segmentLength, sumType) : nullptr;
  }

  /// Sums columns of the rows of elements [begin, end); returns where.
  Value sumChunk(Value begin, Value end, Value scale, OpFoldResult column,
                 OpFoldResult width, Value buffer) {
    Value sum =
        takeColumns(b, b.getLoc(), buffer, {}, b.getIndexAttr(0), width);
    b.fill(sum, b.constant(sumType, 0.0));
    b.loop(begin, end, [&](Value i) {
      rows.ifNamed(b, i, [&](Value row, Value position) {
        Value weight = rows.weight(b, position, sumType);
        b.elementwise(rows.row(b, row, column, width), sum,
                      [&](LoopBuilder &b, ValueRange elements) {
                        Value term = b.convertFloat(elements[0], sumType);
                        for (Value factor : {scale, weight})
                          if (factor)
                            term = arith::MulFOp::create(b, term, factor);
                        return Value(
                            arith::AddFOp::create(b, elements[1], term));
                      });
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
               columns.forEach(b, [&](OpFoldResult column, OpFoldResult width) {
                 Value sum = sumChunk(from, to, scale, column, width, buffer);
                 b.copy(sum, takeColumns(b, b.getLoc(), partials,
                                         OpFoldResult(slot), column, width));
               });
             });
    });
  }

  /// Adds up the sums of `count` chunks, into that of the first.
  void addChunkSums(Value begin, Value count) {
    if (columns.getMaxWidth() == 0)
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
  RowsOfList rows;
  const Segments &segments;
  OpFoldResult rowLength;
  bool scalesByLength;
  bool isMean;
  Type elementType;
  Type sumType;
  ColumnBlocks columns;
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
    bool hasNoValues =
        isEmpty(cast<MemRefType>(op.getValues().getType())
                    .getShape()
                    .drop_back()) ||
        (op.getIndices() &&
         isEmpty(cast<MemRefType>(op.getIndices().getType()).getShape()));
    if (!hasNoSums && hasNoValues && (op.getRows() || !op.getCount()))
      clear(b, op.getSums(), rowLength);
    if (!hasNoSums && !hasNoValues) {
      Segments segments(b, op);
      SegmentSums sums(b, op, segments, rowLength);
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
    Blocks blocks(b, b.rowsWithElements(numRows, rowLength),
                  b.mul(rowBytes, sums.getRowsFor(numRows)),
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
    Value size = segments.size(b);
    Blocks blocks(
        b, size,
        b.mul(getRowBytes(b, rowLength, element), sums.getRowsFor(size)),
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
