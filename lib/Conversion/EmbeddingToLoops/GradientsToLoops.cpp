//===- GradientsToLoops.cpp - Sums over groups, and what they scale -----===//
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
// Sums over groups
//===----------------------------------------------------------------------===//

/// Has `add` add things in [0, count) pairwise, at distances 1, 2, 4 and so on,
/// until the first is the sum of all: the documented order for chunks.
void addPairwise(LoopBuilder &b, Value count,
                 llvm::function_ref<void(Value to, Value from)> add) {
  // Distance 2^level, while that is less than the count.
  Value levels = b.toIndex(b.bitWidth(b.toI64(b.sub(count, b.index(1)))));
  b.loop(b.index(0), levels, [&](Value level) {
    Value distance = b.shiftLeft(b.index(1), level);
    b.loop(b.index(0), b.sub(count, distance), b.mul(distance, b.index(2)),
           [&](Value to) { add(to, b.add(to, distance)); });
  });
}

/// `to` += `from`, for rows of sums.
void addSum(LoopBuilder &b, Value from, Value to) {
  b.elementwise(from, to, [](LoopBuilder &b, ValueRange sums) -> Value {
    return arith::AddFOp::create(b, sums[1], sums[0]);
  });
}

/// Sums the rows of `values` at the positions of each group, in the documented
/// order: chunks of `kChunkLength` positions from the start of the group, each
/// from zero and in order; then the sums of chunks pairwise, at distances 1, 2,
/// 4 and so on.
///
/// Groups of one chunk are summed where they are wanted. The chunks of longer
/// ones are summed beforehand, all threads at work on one group, into partial
/// sums. In a window of `kChunkLength` sorted positions at most one group of
/// several chunks begins, and at most one other has a chunk that begins: each
/// window has a slot for either.
class GroupSums {
public:
  GroupSums(LoopBuilder &b, Value values, const Groups &groups,
            OpFoldResult rowLength, bool scalesByFrequency)
      : b(b), values(b, values, /*numTrailingDims=*/1), groups(groups),
        rowLength(rowLength), scalesByFrequency(scalesByFrequency),
        elementType(cast<MemRefType>(values.getType()).getElementType()),
        sumType(getAccumulatorType(elementType)) {
    blockWidth = cost::kSumBytes / (sumType.getIntOrFloatBitWidth() / 8);
    if (auto length = getConstantIntValue(rowLength))
      blockWidth = std::min(blockWidth, *length);
  }

  /// Sums the chunks of the groups that have several.
  void sumLongGroups() {
    int64_t length =
        getConstantIntValue(rowLength).value_or(ShapedType::kDynamic);
    SmallVector<Value> sizes = {
        b.mul(b.divUp(values.size(), b.index(kChunkLength)), b.index(2))};
    if (ShapedType::isDynamic(length))
      sizes.push_back(b.value(rowLength));
    partials = b.allocate(
        MemRefType::get({ShapedType::kDynamic, length}, sumType), sizes);

    Value total = b.loadIndex(groups.offsets, groups.size(b));
    Blocks blocks(b, total, getRowBytes(b, rowLength, elementType),
                  cost::kMinBlockBytes, cost::kMaxBlocks);
    blocks.forEach(b, [&](Value, Value begin, Value end) {
      Value buffer = allocateSum();
      b.ifTrue(b.less(begin, end), [&] {
        // From the group that `begin` lies in to the last that begins before
        // `end`.
        Value first = b.sub(groups.firstAtOrBehind(b, b.add(begin, b.index(1))),
                            b.index(1));
        b.loop(first, groups.firstAtOrBehind(b, end),
               [&](Value group) { sumChunksIn(group, begin, end, buffer); });
      });
    });
  }

  /// A buffer that `writeSum` needs, for one thread.
  Value allocateSum() {
    return memref::AllocaOp::create(b, MemRefType::get({blockWidth}, sumType));
  }

  /// Writes the sum of `group` to a row of `to`.
  void writeSum(Value group, Value to, Value toRow, Value buffer) {
    Value begin = groups.begin(b, group), end = groups.end(b, group);
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

  Value getScale(Value groupLength) {
    return scalesByFrequency ? createFrequencyScale(b, groupLength, sumType)
                             : nullptr;
  }

  /// Sums columns of the rows at sorted positions [begin, end); returns where.
  Value sumChunk(Value begin, Value end, Value scale, OpFoldResult column,
                 OpFoldResult width, Value buffer) {
    Value sum =
        takeColumns(b, b.getLoc(), buffer, {}, b.getIndexAttr(0), width);
    b.fill(sum, b.constant(sumType, 0.0));
    b.loop(begin, end, [&](Value i) {
      Value position = b.loadIndex(groups.positions, i);
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

  /// Sums the chunks of `group` that begin in [begin, end), if it has several.
  void sumChunksIn(Value group, Value begin, Value end, Value buffer) {
    Value groupBegin = groups.begin(b, group), groupEnd = groups.end(b, group);
    Value length = b.sub(groupEnd, groupBegin);
    Value chunkLength = b.index(kChunkLength);
    b.ifTrue(b.less(chunkLength, length), [&] {
      Value before = b.max(b.sub(begin, groupBegin), b.index(0));
      Value behind = b.sub(b.min(end, groupEnd), groupBegin);
      Value scale = getScale(length);
      b.loop(b.divUp(before, chunkLength), b.divUp(behind, chunkLength),
             [&](Value chunk) {
               Value from = b.add(groupBegin, b.mul(chunk, chunkLength));
               Value to = b.min(b.add(from, chunkLength), groupEnd);
               Value slot = getChunkSlot(b, groupBegin, chunk);
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
  const Groups &groups;
  OpFoldResult rowLength;
  bool scalesByFrequency;
  Type elementType;
  Type sumType;
  int64_t blockWidth;
  Value partials;
};

//===----------------------------------------------------------------------===//
// DenseGradOp
//===----------------------------------------------------------------------===//

/// Adds gradients where they belong, in the order of positions and without a
/// sort. The sum of the first chunk of a row is in its place in the destination
/// (or, where sums are wider than elements, in a buffer like it); those of
/// later chunks are in slots behind. All of it is one thread's work: the order
/// of sums is that of positions.
class ScatterSums {
public:
  ScatterSums(LoopBuilder &b, DenseGradOp op, const RowNames &names,
              Value numRows, int64_t rowLength, const LoopsOptions &options)
      : b(b), names(names), numRows(numRows), rowLength(rowLength),
        options(options), values(b, op.getGradOutput(), /*numTrailingDims=*/1),
        init(op.getGradTable()) {
    auto elementType = cast<MemRefType>(init.getType()).getElementType();
    sumType = getAccumulatorType(elementType);
    auto sumsType = MemRefType::get({ShapedType::kDynamic, rowLength}, sumType);
    firstSums = elementType == sumType ? init : b.allocate(sumsType, {numRows});
    Value slots = b.add(b.div(names.size(), b.index(kChunkLength)), b.index(1));
    laterSums = b.allocate(sumsType, slots);
    auto listType = MemRefType::get({ShapedType::kDynamic}, b.getI64Type());
    states = b.allocate(listType, {numRows});
    previous = b.allocate(listType, slots);
    chunks = b.allocate(listType, b.add(slots, b.index(1)));
  }

  void run() {
    b.loop(b.index(0), numRows,
           [&](Value row) { b.store(getFirstState(row), states, row); });
    Value slotCount =
        b.loop(b.index(0), names.size(), b.index(0),
               [&](Value position, ValueRange slotCount) -> SmallVector<Value> {
                 prefetchSum(position);
                 Value row = names.get(b, position);
                 if (names.isTotal())
                   return {addPosition(position, row, slotCount[0])};
                 return b.choose(
                     b.less(row, numRows),
                     [&]() -> SmallVector<Value> {
                       return {addPosition(position, row, slotCount[0])};
                     },
                     [&]() -> SmallVector<Value> { return {slotCount[0]}; });
               })[0];
    b.loop(b.index(0), slotCount, [&](Value slot) {
      Value row = b.loadIndex(previous, slot);
      b.ifTrue(b.less(row, numRows), [&] { addChunkSums(row); });
    });
    finishRows();
    if (firstSums != init)
      b.deallocate(firstSums);
    for (Value buffer : {laterSums, states, previous, chunks})
      b.deallocate(buffer);
  }

private:
  /// Clears rows without a gradient, and rounds sums to elements.
  void finishRows() {
    Type element = cast<MemRefType>(init.getType()).getElementType();
    b.loop(b.index(0), numRows, [&](Value row) {
      Value to = rowOf(init, row);
      Value isEmpty = b.equal(b.load(states, row), getFirstState(row));
      auto clear = [&] { b.fill(to, b.constant(element, 0.0)); };
      if (firstSums == init)
        return b.ifTrue(isEmpty, clear);
      b.ifTrue(isEmpty, clear, [&] {
        b.elementwise(rowOf(firstSums, row), to,
                      [&](LoopBuilder &b, ValueRange values) {
                        return b.convertFloat(values[0], element);
                      });
      });
    });
  }

  Value getFirstState(Value row) {
    return b.toI64(b.mul(row, b.index(kChunkLength)));
  }

  Value rowOf(Value rows, Value row) {
    return takeRow(b, b.getLoc(), rows, OpFoldResult(row),
                   b.getIndexAttr(rowLength));
  }

  /// Sums are numbered: those of first chunks by row, those in slots from V on.
  Value sum(Value number) {
    Value later = rowOf(laterSums, b.sub(number, numRows));
    Value first = rowOf(firstSums, number);
    if (first.getType() != later.getType())
      later = memref::CastOp::create(b, first.getType(), later);
    return b.select(b.less(number, numRows), first, later);
  }

  /// Adds what is at `position` to the sum of `row` that is under way; returns
  /// how many slots are in use then.
  ///
  /// The state of a row is the number of that sum times the length of a chunk,
  /// plus how many are in it; or, as soon as it is full, the complement of its
  /// number.
  Value addPosition(Value position, Value row, Value slotCount) {
    Value length = b.i64(kChunkLength);
    Value before = b.load(states, row);
    SmallVector<Value> ready = b.choose(
        b.less(before, b.i64(0)),
        [&]() -> SmallVector<Value> {
          Value full = b.sub(b.i64(-1), before);
          b.store(full, previous, slotCount);
          Value number = b.toI64(b.add(numRows, slotCount));
          return {b.mul(number, length), b.add(slotCount, b.index(1))};
        },
        [&]() -> SmallVector<Value> { return {before, slotCount}; });
    Value state = ready[0];
    Value number = b.div(state, length);
    Value isFirst = b.equal(b.bitAnd(state, b.i64(kChunkLength - 1)), b.i64(0));
    b.elementwise(
        values.row(b, position, b.getIndexAttr(0), b.getIndexAttr(rowLength)),
        sum(b.toIndex(number)),
        [&](LoopBuilder &b, ValueRange elements) -> Value {
          // What is in the memory of a new sum does not matter.
          Value sum = b.select(isFirst, b.constant(sumType, 0.0), elements[1]);
          Value term = b.convertFloat(elements[0], sumType);
          return arith::AddFOp::create(b, sum, term);
        });
    Value next = b.add(state, b.i64(1));
    Value isFull = b.equal(b.bitAnd(next, b.i64(kChunkLength - 1)), b.i64(0));
    b.store(b.select(isFull, b.sub(b.i64(-1), number), next), states, row);
    return ready[1];
  }

  /// Adds up the sums of the chunks of `row`, which has several, pairwise.
  void addChunkSums(Value row) {
    Value state = b.load(states, row);
    Value last = b.select(b.less(state, b.i64(0)), b.sub(b.i64(-1), state),
                          b.div(state, b.i64(kChunkLength)));
    // From the last to the first.
    auto walk = scf::WhileOp::create(
        b, TypeRange{b.getIndexType(), b.getIndexType()},
        ValueRange{b.toIndex(last), b.index(0)},
        [&](OpBuilder &builder, Location loc, ValueRange args) {
          LoopBuilder inner(loc, builder);
          inner.store(inner.toI64(args[0]), chunks, args[1]);
          Value isLater =
              inner.cmp(arith::CmpIPredicate::sge, args[0], numRows);
          scf::ConditionOp::create(builder, loc, isLater, args);
        },
        [&](OpBuilder &builder, Location loc, ValueRange args) {
          LoopBuilder inner(loc, builder);
          Value slot = inner.sub(args[0], numRows);
          scf::YieldOp::create(builder, loc,
                               ValueRange{inner.loadIndex(previous, slot),
                                          inner.add(args[1], inner.index(1))});
        });
    Value lastChunk = walk.getResult(1);
    auto sumOf = [&](Value chunk) {
      return sum(b.loadIndex(chunks, b.sub(lastChunk, chunk)));
    };
    addPairwise(b, b.add(lastChunk, b.index(1)), [&](Value to, Value from) {
      addSum(b, sumOf(from), sumOf(to));
    });
  }

  /// Prefetches the sum that a later position adds to, and its state, if sums
  /// are far.
  void prefetchSum(Value position) {
    if (!options.prefetch)
      return;
    ScheduleAttr schedule = b.getSchedule();
    int64_t elementBytes = sumType.getIntOrFloatBitWidth() / 8;
    int64_t bytes = rowLength * elementBytes;
    std::optional<int64_t> asked = schedule.getPrefetchRows();
    if (!asked && options.prefetchRowsAhead > 0)
      asked = options.prefetchRowsAhead;
    int64_t ahead = asked.value_or(cost::getScatterPrefetchRows(bytes));
    if (ahead == 0)
      return;
    auto prefetch = [&] {
      Value last = b.sub(names.size(), b.index(1));
      Value later = b.min(b.add(position, b.index(ahead)), last);
      Value row = names.get(b, later);
      auto fetch = [&](Value from, ValueRange at) {
        memref::PrefetchOp::create(b, from, at, /*isWrite=*/true,
                                   schedule.getPrefetchLocality().value_or(
                                       cost::getPrefetchLocality(bytes)),
                                   /*isDataCache=*/true);
      };
      fetch(states, row);
      // What follows in a longer row, the hardware sees.
      int64_t end = std::min(bytes, 16 * cost::kLineBytes);
      for (int64_t byte = 0; byte < end; byte += cost::kLineBytes)
        fetch(firstSums, {row, b.index(byte / elementBytes)});
    };
    if (asked)
      return prefetch();
    b.ifTrue(b.hasBytes(firstSums, cost::kMinPrefetchedBytes), prefetch);
  }

  LoopBuilder &b;
  const RowNames &names;
  Value numRows;
  int64_t rowLength;
  const LoopsOptions &options;
  Flattened values;
  Value init;
  Type sumType;
  Value firstSums, laterSums;
  /// The state of each row; for each slot the number of the sum of the chunk
  /// before; and scratch for the sums of one row.
  Value states, previous, chunks;
};

/// A scatter, or sums over groups.
struct DenseGradToLoops : OpRewritePattern<DenseGradOp> {
  DenseGradToLoops(MLIRContext *context, const LoopsOptions &options)
      : OpRewritePattern(context), options(options) {}

  LogicalResult matchAndRewrite(DenseGradOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)))
      return failure();
    LoopBuilder b(op, rewriter);
    Value init = op.getGradTable();
    OpFoldResult rowLength =
        embedding::getMixedSize(rewriter, op.getLoc(), init, 1);
    if (llvm::is_contained(cast<MemRefType>(init.getType()).getShape(), 0)) {
      rewriter.eraseOp(op);
      return success();
    }
    Type element = cast<MemRefType>(init.getType()).getElementType();
    std::optional<int64_t> staticLength = getConstantIntValue(rowLength);
    Value numRows = b.value(op.getMixedNumRows(b));
    if (hasNoIndices(op.getIndices(), op.getGradOutput())) {
      if (staticLength)
        b.fill(init, b.constant(element, 0.0));
      else
        clearRows(b, init, b.index(0), b.rowsWithElements(numRows, rowLength),
                  rowLength);
      rewriter.eraseOp(op);
      return success();
    }
    Value paddingRow = getPaddingRow(b, op);
    Value scatters = b.flag(false);
    if (staticLength && !op.getScaleGradByFreq())
      scatters =
          isScattered(b, op, numRows, *staticLength * getElementBytes(element));
    b.ifTrue(
        scatters,
        [&] {
          RowNames names(b, op.getIndices(), numRows, op.getOutOfRange(),
                         paddingRow);
          ScatterSums(b, op, names, numRows, *staticLength, options).run();
        },
        [&] { sumGroups(b, op, numRows, paddingRow, rowLength); });
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// Whether the schedule says that gradients of rows of `rowBytes` are
  /// scattered, or that is faster at the sizes of the call.
  Value isScattered(LoopBuilder &b, DenseGradOp op, Value numRows,
                    int64_t rowBytes) const {
    if (std::optional<Grouping> given = b.getSchedule().getGrouping())
      return b.flag(*given == Grouping::scatter);
    if (rowBytes > cost::getMaxScatteredRowBytes(options.numThreads))
      return b.flag(false);
    Value numIndices =
        Flattened(b, op.getIndices(), /*numTrailingDims=*/0).size();
    return cost::isScatterFaster(RuntimeSize(b, numIndices),
                                 RuntimeSize(b, numRows));
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

  /// Each block of the destination walks the groups of its rows and fills the
  /// gaps between them, so that every byte is written once.
  void sumGroups(LoopBuilder &b, DenseGradOp op, Value numRows,
                 Value paddingRow, OpFoldResult rowLength) const {
    Value init = op.getGradTable();
    Type element = cast<MemRefType>(init.getType()).getElementType();
    Groups groups(b, op.getIndices(), numRows, op.getOutOfRange(), paddingRow);
    GroupSums sums(b, op.getGradOutput(), groups, rowLength,
                   op.getScaleGradByFreq());
    sums.sumLongGroups();

    // The bytes of a row of the destination, and of the gradients it sums.
    Value rowBytes = getRowBytes(b, rowLength, element);
    Value numIndices =
        Flattened(b, op.getIndices(), /*numTrailingDims=*/0).size();
    Value share = b.divUp(numIndices, b.max(numRows, b.index(1)));
    Blocks blocks(b, b.rowsWithElements(numRows, rowLength),
                  b.mul(rowBytes, b.add(share, b.index(1))),
                  cost::kMinBlockBytes, cost::kMaxBlocks);
    blocks.forEach(b, [&](Value, Value begin, Value end) {
      Value buffer = sums.allocateSum();
      Value size = groups.size(b);
      Value first = b.lowerBound(groups.rows, size, b.toI64(begin));
      Value last = b.lowerBound(groups.rows, size, b.toI64(end));
      SmallVector<Value> written =
          b.loop(first, last, begin,
                 [&](Value group, ValueRange next) -> SmallVector<Value> {
                   Value row = groups.row(b, group);
                   clearRows(b, init, next[0], row, rowLength);
                   sums.writeSum(group, init, row, buffer);
                   return {b.add(row, b.index(1))};
                 });
      clearRows(b, init, written[0], end, rowLength);
    });
    sums.deallocate();
    groups.deallocate(b);
  }

  LoopsOptions options;
};

//===----------------------------------------------------------------------===//
// CoalesceOp
//===----------------------------------------------------------------------===//

/// A group is a row of the result.
struct CoalesceToLoops : OpRewritePattern<CoalesceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(CoalesceOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)))
      return failure();
    LoopBuilder b(op, rewriter);
    if (hasNoIndices(op.getIndices(), op.getValues())) {
      b.store(b.i64(0), op.getNnz());
      rewriter.eraseOp(op);
      return success();
    }
    OpFoldResult rowLength =
        embedding::getMixedSize(rewriter, op.getLoc(), op.getSums(), 1);
    Type element = cast<MemRefType>(op.getSums().getType()).getElementType();
    Groups groups(b, op.getIndices(), op.getNumRows(), op.getOutOfRange(),
                  /*paddingRow=*/nullptr);
    GroupSums sums(b, op.getValues(), groups, rowLength,
                   /*scalesByFrequency=*/false);
    sums.sumLongGroups();
    Value size = groups.size(b);
    b.store(b.toI64(size), op.getNnz());
    Blocks blocks(b, size, getRowBytes(b, rowLength, element),
                  cost::kMinBlockBytes, cost::kMaxBlocks);
    blocks.forEach(b, [&](Value, Value begin, Value end) {
      Value buffer = sums.allocateSum();
      b.loop(begin, end, [&](Value group) {
        b.store(b.load(groups.rows, group), op.getRows(), group);
        sums.writeSum(group, op.getSums(), group, buffer);
      });
    });
    sums.deallocate();
    groups.deallocate(b);
    rewriter.eraseOp(op);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// SparseGradOp and DoubleBackwardOp
//===----------------------------------------------------------------------===//

/// 1 / frequency of the row that each position names, by position.
class FrequencyScales {
public:
  /// `type` is that of the scales; without it there are none.
  FrequencyScales(LoopBuilder &b, Value indices, Value numRows, OutOfRange mode,
                  Value paddingRow, Type type) {
    if (!type)
      return;
    Groups groups(b, indices, numRows, mode, paddingRow);
    Value positionCount = Flattened(b, indices, /*numTrailingDims=*/0).size();
    scales = b.allocate(MemRefType::get({ShapedType::kDynamic}, type),
                        positionCount);
    Blocks blocks(b, groups.size(b), b.index(64), cost::kMinBlockBytes,
                  cost::kMaxBlocks);
    blocks.forEach(b, [&](Value, Value begin, Value end) {
      b.loop(begin, end, [&](Value group) {
        Value groupBegin = groups.begin(b, group);
        Value groupEnd = groups.end(b, group);
        Value scale =
            createFrequencyScale(b, b.sub(groupEnd, groupBegin), type);
        b.loop(groupBegin, groupEnd, [&](Value i) {
          b.store(scale, scales, b.loadIndex(groups.positions, i));
        });
      });
    });
    groups.deallocate(b);
  }

  /// Writes `from`, a row at `position`, to `to`, scaled if there are scales.
  void write(LoopBuilder &b, Value position, Value from, Value to) const {
    if (!scales)
      return b.copy(from, to);
    Value scale = b.load(scales, position);
    b.elementwise(from, to, [&](LoopBuilder &b, ValueRange elements) {
      Value term = b.convertFloat(elements[0], scale.getType());
      Value product = arith::MulFOp::create(b, term, scale);
      return b.convertFloat(product, elements[1].getType());
    });
  }

  void deallocate(LoopBuilder &b) const {
    if (scales)
      b.deallocate(scales);
  }

private:
  Value scales;
};

/// Counts what each block keeps, then has each block write it where its turn
/// is.
struct SparseGradToLoops : OpRewritePattern<SparseGradOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SparseGradOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)))
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
    FrequencyScales scales(
        b, op.getIndices(), numRows, op.getOutOfRange(), paddingRow,
        op.getScaleGradByFreq() ? getAccumulatorType(element) : Type());
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
                 scales.write(
                     b, i, gradOutput.row(b, i, b.getIndexAttr(0), rowLength),
                     takeRow(b, b.getLoc(), op.getValues(),
                             OpFoldResult(entry[0]), rowLength));
               });
               return {b.add(entry[0], asIndex(flag))};
             });
    });
    b.deallocate(starts);
    scales.deallocate(b);
    rewriter.eraseOp(op);
    return success();
  }
};

/// A gather, with zeros where no row is named.
struct DoubleBackwardToLoops : OpRewritePattern<DoubleBackwardOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DoubleBackwardOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)))
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
    FrequencyScales scales(
        b, op.getIndices(), numRows, op.getOutOfRange(), paddingRow,
        op.getScaleGradByFreq() ? getAccumulatorType(element) : Type());
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
          scales.write(
              b, i, takeRow(b, b.getLoc(), table, OpFoldResult(row), rowLength),
              to);
        };
        if (names.isTotal())
          return write();
        b.ifTrue(b.less(row, numRows), write, clear);
      });
    });
    scales.deallocate(b);
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void embedding::populateGradientsToLoopsPatterns(RewritePatternSet &patterns,
                                                 const LoopsOptions &options) {
  patterns.add<DenseGradToLoops>(patterns.getContext(), options);
  patterns.add<CoalesceToLoops, SparseGradToLoops, DoubleBackwardToLoops>(
      patterns.getContext());
}
