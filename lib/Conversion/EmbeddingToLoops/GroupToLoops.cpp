//===- GroupToLoops.cpp - Sorts of positions by row -----------------------===//
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

Value RowNames::get(LoopBuilder &b, Value position) const {
  return getNamedRow(b, b.toIndex(flat.load(b, position)), numRows, mode,
                     paddingRow);
}

void RowNames::ifNamed(LoopBuilder &b, Value position,
                       llvm::function_ref<void(Value row)> body) const {
  Value row = get(b, position);
  if (isTotal())
    return body(row);
  b.ifTrue(b.less(row, numRows), [&] { body(row); });
}

Groups::Groups(LoopBuilder &b, Value indices, Value numRows, OutOfRange mode,
               Value paddingRow) {
  auto int64s = MemRefType::get({ShapedType::kDynamic}, b.getI64Type());
  Value size = Flattened(b, indices, /*numTrailingDims=*/0).size();
  rows = b.allocate(int64s, size);
  offsets = b.allocate(int64s, b.add(size, b.index(1)));
  positions = b.allocate(int64s, size);
  count = b.allocate(MemRefType::get({}, b.getI64Type()));
  auto group = GroupOp::create(b, TypeRange(), indices, numRows, paddingRow,
                               rows, offsets, positions, count,
                               /*padding_idx=*/std::nullopt, mode);
  std::optional<Grouping> grouping = b.getSchedule().getGrouping();
  if (grouping == Grouping::radix_sort || grouping == Grouping::counting_sort)
    group->setAttr(
        kScheduleAttrName,
        ScheduleAttr::get(b.getContext(), grouping, {}, {}, {}, {}, {}));
}

namespace {

//===----------------------------------------------------------------------===//
// GroupOp
//===----------------------------------------------------------------------===//

/// A radix sort, the least significant digit first, of pairs: the row in the
/// upper bits of an i64 and the position in the lower ones. Each pass counts
/// the digits of every block, turns the counts into where each digit of each
/// block begins, and moves the pairs there. Passes are as few as digits of
/// `cost::kMaxDigitBits` allow, so that the time is linear in N. Positions that
/// name no row sort behind all others, as row V.
class RadixSort {
public:
  RadixSort(LoopBuilder &b, GroupOp op, const RowNames &names, Value numRows)
      : b(b), op(op), names(names), numRows(numRows), size(names.size()),
        blocks(b, size, b.index(1), cost::kMinSortBlockPositions,
               cost::kMaxSortBlocks) {
    positionBits =
        b.bitWidth(b.toI64(b.max(b.sub(size, b.index(1)), b.index(0))));
    Value lastRow = names.isTotal() ? b.sub(numRows, b.index(1)) : numRows;
    Value rowBits = b.max(b.bitWidth(b.toI64(lastRow)), b.i64(1));
    passCount = b.divUp(rowBits, b.i64(cost::kMaxDigitBits));
    digitBits = b.divUp(rowBits, passCount);
    bucketCount = b.toIndex(b.shiftLeft(b.i64(1), digitBits));

    auto int64s = MemRefType::get({ShapedType::kDynamic}, b.getI64Type());
    auto countersType = MemRefType::get(
        {ShapedType::kDynamic, int64_t(1) << cost::kMaxDigitBits},
        b.getI64Type());
    buffers = {b.allocate(int64s, size), b.allocate(int64s, size)};
    counters = b.allocate(countersType, blocks.blockCount);
  }

  void run() {
    makePairs();
    auto loop = scf::ForOp::create(b, b.index(0), b.toIndex(passCount),
                                   b.index(1), ValueRange(buffers));
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      Value from = loop.getRegionIterArgs()[0];
      Value to = loop.getRegionIterArgs()[1];
      Value shift = b.add(positionBits,
                          b.mul(b.toI64(loop.getInductionVar()), digitBits));
      sortByDigit(from, to, shift);
      scf::YieldOp::create(b, ValueRange{to, from});
    }
    cutIntoGroups(loop.getResult(0));
    for (Value buffer : {buffers[0], buffers[1], counters})
      b.deallocate(buffer);
  }

private:
  void makePairs() {
    blocks.forEach(b, [&](Value, Value begin, Value end) {
      b.loop(begin, end, [&](Value position) {
        Value row = b.toI64(names.get(b, position));
        b.store(b.bitOr(b.shiftLeft(row, positionBits), b.toI64(position)),
                buffers[0], position);
      });
    });
  }

  Value digitOf(Value pair, Value shift) {
    Value mask = b.sub(bucketCount, b.index(1));
    return b.bitAnd(b.toIndex(b.shiftRight(pair, shift)), mask);
  }

  void sortByDigit(Value from, Value to, Value shift) {
    blocks.forEach(b, [&](Value block, Value begin, Value end) {
      b.loop(b.index(0), bucketCount, [&](Value bucket) {
        b.store(b.i64(0), counters, {block, bucket});
      });
      b.loop(begin, end, [&](Value i) {
        Value bucket = digitOf(b.load(from, i), shift);
        Value count = b.load(counters, {block, bucket});
        b.store(b.add(count, b.i64(1)), counters, {block, bucket});
      });
    });
    b.loop(b.index(0), bucketCount, b.i64(0),
           [&](Value bucket, ValueRange outer) -> SmallVector<Value> {
             return b.loop(
                 b.index(0), blocks.blockCount, outer,
                 [&](Value block, ValueRange sum) -> SmallVector<Value> {
                   Value count = b.load(counters, {block, bucket});
                   b.store(sum[0], counters, {block, bucket});
                   return {b.add(sum[0], count)};
                 });
           });
    blocks.forEach(b, [&](Value block, Value begin, Value end) {
      b.loop(begin, end, [&](Value i) {
        Value pair = b.load(from, i);
        Value bucket = digitOf(pair, shift);
        Value place = b.load(counters, {block, bucket});
        b.store(pair, to, b.toIndex(place));
        b.store(b.add(place, b.i64(1)), counters, {block, bucket});
      });
    });
  }

  Value rowOf(Value pair) { return b.shiftRight(pair, positionBits); }

  /// Whether the pair at `i` of `sorted` begins a group, and its row.
  std::pair<Value, Value> beginsGroup(Value sorted, Value i) {
    Value row = rowOf(b.load(sorted, i));
    Value previous = b.max(b.sub(i, b.index(1)), b.index(0));
    Value isFirst = b.equal(i, b.index(0));
    Value isOther =
        b.cmp(arith::CmpIPredicate::ne, row, rowOf(b.load(sorted, previous)));
    Value begins = b.bitOr(isFirst, isOther);
    if (!names.isTotal())
      begins = b.bitAnd(begins, b.less(row, b.toI64(numRows)));
    return {begins, row};
  }

  void cutIntoGroups(Value sorted) {
    // Column 0 counts the groups that begin in a block, column 1 the positions
    // in groups.
    blocks.forEach(b, [&](Value block, Value begin, Value end) {
      SmallVector<Value> counts =
          b.loop(begin, end, {b.i64(0), b.i64(0)},
                 [&](Value i, ValueRange counts) -> SmallVector<Value> {
                   auto [begins, row] = beginsGroup(sorted, i);
                   Value isNamed = names.isTotal()
                                       ? b.flag(true)
                                       : b.less(row, b.toI64(numRows));
                   auto increment = [&](Value flag) -> Value {
                     return arith::ExtUIOp::create(b, b.getI64Type(), flag);
                   };
                   return {b.add(counts[0], increment(begins)),
                           b.add(counts[1], increment(isNamed))};
                 });
      b.store(counts[0], counters, {block, b.index(0)});
      b.store(counts[1], counters, {block, b.index(1)});
    });
    SmallVector<Value> totals =
        b.loop(b.index(0), blocks.blockCount, {b.i64(0), b.i64(0)},
               [&](Value block, ValueRange sums) -> SmallVector<Value> {
                 Value groups = b.load(counters, {block, b.index(0)});
                 Value named = b.load(counters, {block, b.index(1)});
                 b.store(sums[0], counters, {block, b.index(0)});
                 return {b.add(sums[0], groups), b.add(sums[1], named)};
               });
    b.store(totals[0], op.getCount());
    b.store(totals[1], op.getOffsets(), b.toIndex(totals[0]));

    Value mask = b.sub(b.shiftLeft(b.i64(1), positionBits), b.i64(1));
    blocks.forEach(b, [&](Value block, Value begin, Value end) {
      Value firstGroup = b.loadIndex(counters, {block, b.index(0)});
      b.loop(begin, end, firstGroup,
             [&](Value i, ValueRange group) -> SmallVector<Value> {
               b.store(b.bitAnd(b.load(sorted, i), mask), op.getPositions(), i);
               auto [begins, row] = beginsGroup(sorted, i);
               b.ifTrue(begins, [&, row = row] {
                 b.store(row, op.getRows(), group[0]);
                 b.store(b.toI64(i), op.getOffsets(), group[0]);
               });
               return {b.add(group[0], arith::IndexCastUIOp::create(
                                           b, b.getIndexType(), begins))};
             });
    });
  }

  LoopBuilder &b;
  GroupOp op;
  const RowNames &names;
  Value numRows;
  Value size;
  Blocks blocks;
  Value positionBits, digitBits, passCount, bucketCount;
  SmallVector<Value, 2> buffers;
  Value counters;
};

/// A counting sort: counts how often each block names each row, turns the
/// counts into where the positions of each row of each block go, which on the
/// way says what the groups are, and moves the positions there. Positions that
/// name no row count as those of row V.
class CountingSort {
public:
  CountingSort(LoopBuilder &b, GroupOp op, const RowNames &names, Value numRows)
      : b(b), op(op), names(names), numRows(numRows),
        // Walking the counters of a block takes no longer than its positions.
        blocks(b, names.size(), b.index(1),
               b.max(numRows, b.index(cost::kMinCountingBlockPositions)),
               cost::kMaxCountingBlocks),
        rowBlocks(b, numRows, b.index(1), cost::kMinCountingBlockRows,
                  cost::kMaxBlocks) {
    auto counterType = MemRefType::get(
        {ShapedType::kDynamic, ShapedType::kDynamic}, b.getI64Type());
    counters = b.allocate(counterType,
                          {blocks.blockCount, b.add(numRows, b.index(1))});
    totals =
        b.allocate(MemRefType::get({ShapedType::kDynamic, 2}, b.getI64Type()),
                   rowBlocks.blockCount);
  }

  void run() {
    countRows();
    findGroups();
    placePositions();
    b.deallocate(counters);
    b.deallocate(totals);
  }

private:
  void countRows() {
    blocks.forEach(b, [&](Value block, Value begin, Value end) {
      b.loop(b.index(0), b.add(numRows, b.index(1)),
             [&](Value row) { b.store(b.i64(0), counters, {block, row}); });
      b.loop(begin, end, [&](Value position) {
        Value row = names.get(b, position);
        Value count = b.load(counters, {block, row});
        b.store(b.add(count, b.i64(1)), counters, {block, row});
      });
    });
  }

  /// How many positions name `row`.
  Value getCount(Value row) {
    return b.loop(b.index(0), blocks.blockCount, b.i64(0),
                  [&](Value block, ValueRange sum) -> SmallVector<Value> {
                    return {b.add(sum[0], b.load(counters, {block, row}))};
                  })[0];
  }

  /// Has the counters of `row` say where its positions go, from `begin` on.
  /// Returns where they end.
  Value placeRow(Value row, Value begin) {
    return b.loop(b.index(0), blocks.blockCount, begin,
                  [&](Value block, ValueRange place) -> SmallVector<Value> {
                    Value count = b.load(counters, {block, row});
                    b.store(place[0], counters, {block, row});
                    return {b.add(place[0], count)};
                  })[0];
  }

  Value asInt(Value flag) {
    return arith::ExtUIOp::create(b, b.getI64Type(), flag);
  }

  /// Column 0 of `totals` is for the groups in a block of rows, column 1 for
  /// their positions: first how many there are, then how many before it.
  void findGroups() {
    rowBlocks.forEach(b, [&](Value rowBlock, Value begin, Value end) {
      SmallVector<Value> sums = b.loop(
          begin, end, {b.i64(0), b.i64(0)},
          [&](Value row, ValueRange sums) -> SmallVector<Value> {
            Value count = getCount(row);
            Value isGroup = b.less(b.i64(0), count);
            return {b.add(sums[0], asInt(isGroup)), b.add(sums[1], count)};
          });
      b.store(sums[0], totals, {rowBlock, b.index(0)});
      b.store(sums[1], totals, {rowBlock, b.index(1)});
    });
    SmallVector<Value> all =
        b.loop(b.index(0), rowBlocks.blockCount, {b.i64(0), b.i64(0)},
               [&](Value rowBlock, ValueRange sums) -> SmallVector<Value> {
                 SmallVector<Value> next;
                 for (int64_t column : {0, 1}) {
                   Value at = b.index(column);
                   Value total = b.load(totals, {rowBlock, at});
                   b.store(sums[column], totals, {rowBlock, at});
                   next.push_back(b.add(sums[column], total));
                 }
                 return next;
               });
    b.store(all[0], op.getCount());
    b.store(all[1], op.getOffsets(), b.toIndex(all[0]));
    placeRow(numRows, all[1]);
    rowBlocks.forEach(b, [&](Value rowBlock, Value begin, Value end) {
      b.loop(begin, end,
             {b.loadIndex(totals, {rowBlock, b.index(0)}),
              b.load(totals, {rowBlock, b.index(1)})},
             [&](Value row, ValueRange next) -> SmallVector<Value> {
               Value place = placeRow(row, next[1]);
               Value isGroup = b.less(next[1], place);
               b.ifTrue(isGroup, [&] {
                 b.store(b.toI64(row), op.getRows(), next[0]);
                 b.store(next[1], op.getOffsets(), next[0]);
               });
               return {b.add(next[0], b.toIndex(asInt(isGroup))), place};
             });
    });
  }

  void placePositions() {
    blocks.forEach(b, [&](Value block, Value begin, Value end) {
      b.loop(begin, end, [&](Value position) {
        Value row = names.get(b, position);
        Value place = b.load(counters, {block, row});
        b.store(b.toI64(position), op.getPositions(), b.toIndex(place));
        b.store(b.add(place, b.i64(1)), counters, {block, row});
      });
    });
  }

  LoopBuilder &b;
  GroupOp op;
  const RowNames &names;
  Value numRows;
  Blocks blocks;
  Blocks rowBlocks;
  Value counters;
  Value totals;
};

/// The sort that the schedule of `op` names, else the one that is faster at the
/// sizes of the call.
struct GroupToSort : OpRewritePattern<GroupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GroupOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)))
      return failure();
    LoopBuilder b(op, rewriter);
    if (hasNoIndices(op.getIndices())) {
      b.store(b.i64(0), op.getCount());
      b.store(b.i64(0), op.getOffsets(), b.index(0));
      rewriter.eraseOp(op);
      return success();
    }
    Value numRows = b.value(op.getMixedNumRows(b));
    RowNames names(b, op.getIndices(), numRows, op.getOutOfRange(),
                   getPaddingRow(b, op));
    std::optional<Grouping> given = b.getSchedule().getGrouping();
    Value counts =
        given ? b.flag(*given == Grouping::counting_sort)
              : cost::isCountingSortFaster(RuntimeSize(b, names.size()),
                                           RuntimeSize(b, numRows));
    b.ifTrue(
        counts, [&] { CountingSort(b, op, names, numRows).run(); },
        [&] { RadixSort(b, op, names, numRows).run(); });
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void embedding::populateGroupToLoopsPatterns(RewritePatternSet &patterns) {
  patterns.add<GroupToSort>(patterns.getContext());
}
