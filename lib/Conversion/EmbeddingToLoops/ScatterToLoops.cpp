//===- ScatterToLoops.cpp - Gradients without a sort ----------------------===//
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
        memref::PrefetchOp::create(
            b, from, at, /*isWrite=*/true,
            schedule.getPrefetchLocality().value_or(
                cost::getPrefetchLocality(bytes, cost::kSecondLevelRowBytes)),
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

/// A scatter, which the schedule says it is.
struct DenseGradToLoops : OpRewritePattern<DenseGradOp> {
  DenseGradToLoops(MLIRContext *context, const LoopsOptions &options)
      : OpRewritePattern(context), options(options) {}

  LogicalResult matchAndRewrite(DenseGradOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)))
      return failure();
    auto table = cast<MemRefType>(op.getGradTable().getType());
    int64_t rowLength = table.getDimSize(1);
    if (getSchedule(op).getGrouping() != Grouping::scatter ||
        op.getScaleGradByFreq() || ShapedType::isDynamic(rowLength))
      return rewriter.notifyMatchFailure(
          op, "run 'embedding-decompose-operations' first");
    LoopBuilder b(op, rewriter);
    bool isEmpty = llvm::is_contained(table.getShape(), 0);
    if (!isEmpty && hasNoIndices(op.getIndices(), op.getGradOutput())) {
      b.fill(op.getGradTable(), b.constant(table.getElementType(), 0.0));
    } else if (!isEmpty) {
      Value numRows = b.value(op.getMixedNumRows(b));
      RowNames names(b, op.getIndices(), numRows, op.getOutOfRange(),
                     getPaddingRow(b, op));
      ScatterSums(b, op, names, numRows, rowLength, options).run();
    }
    rewriter.eraseOp(op);
    return success();
  }

  LoopsOptions options;
};

} // namespace

void embedding::populateScatterToLoopsPatterns(RewritePatternSet &patterns,
                                               const LoopsOptions &options) {
  patterns.add<DenseGradToLoops>(patterns.getContext(), options);
}
