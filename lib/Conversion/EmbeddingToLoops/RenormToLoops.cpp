//===- RenormToLoops.cpp - Norms of the named rows, and their scaling ---===//
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

/// The p-norm of a row, in f64.
class NormBuilder {
public:
  NormBuilder(LoopBuilder &b, double p, OpFoldResult rowLength)
      : b(b), norm{p}, rowLength(rowLength) {}

  /// A buffer that `build` needs, for one thread.
  Value allocatePartials() {
    return memref::AllocaOp::create(
        b, MemRefType::get({kPartialSums}, b.getF64Type()));
  }

  /// The norm of the row at `position` of `table`.
  Value build(Value table, Value row, Value partials) {
    b.fill(partials, b.constant(b.getF64Type(), norm.getIdentity()));
    auto addPiece = [&](OpFoldResult column, OpFoldResult width) {
      Value piece =
          takeColumns(b, b.getLoc(), table, OpFoldResult(row), column, width);
      Value sums =
          takeColumns(b, b.getLoc(), partials, {}, b.getIndexAttr(0), width);
      b.elementwise(piece, sums, [&](LoopBuilder &b, ValueRange elements) {
        return norm.combine(b, elements[1], norm.term(b, elements[0]));
      });
    };
    if (auto length = getConstantIntValue(rowLength)) {
      int64_t tail = *length % kPartialSums, whole = *length - tail;
      if (whole > 0)
        b.loop(b.index(0), b.index(whole), b.index(kPartialSums),
               [&](Value column) {
                 addPiece(column, b.getIndexAttr(kPartialSums));
               });
      if (tail > 0)
        addPiece(b.getIndexAttr(whole), b.getIndexAttr(tail));
    } else {
      Value dynamicLength = b.value(rowLength);
      Value tail = b.bitAnd(dynamicLength, b.index(kPartialSums - 1));
      Value whole = b.sub(dynamicLength, tail);
      b.loop(b.index(0), whole, b.index(kPartialSums), [&](Value column) {
        addPiece(column, b.getIndexAttr(kPartialSums));
      });
      b.ifTrue(b.less(b.index(0), tail), [&] { addPiece(whole, tail); });
    }
    for (int64_t half = kPartialSums / 2; half > 0; half /= 2) {
      auto part = [&](int64_t column) {
        return takeColumns(b, b.getLoc(), partials, {}, b.getIndexAttr(column),
                           b.getIndexAttr(half));
      };
      b.elementwise(part(half), part(0), [&](LoopBuilder &b, ValueRange sums) {
        return norm.combine(b, sums[1], sums[0]);
      });
    }
    return norm.finish(b, b.load(partials, b.index(0)));
  }

private:
  LoopBuilder &b;
  PNorm norm;
  OpFoldResult rowLength;
};

/// Shortens rows of a table, for `OpTy` one of the operations below.
template <typename OpTy> class RowShortener {
public:
  RowShortener(LoopBuilder &b, OpTy op, OpFoldResult rowLength)
      : b(b), table(op.getTable()), rowLength(rowLength),
        element(cast<MemRefType>(table.getType()).getElementType()),
        norm(b, op.getNormType().convertToDouble(), rowLength) {
    maxNorm = op.getDynamicMaxNorm();
    if (!maxNorm)
      maxNorm = b.constant(b.getF64Type(), op.getMaxNorm()->convertToDouble());
  }

  Value allocatePartials() { return norm.allocatePartials(); }

  void shorten(Value row, Value partials) {
    Shortening shortening(b, norm.build(table, row, partials), maxNorm,
                          element);
    b.ifTrue(shortening.isLonger, [&] {
      Value factor = shortening.getFactor(b);
      Type productType = getAccumulatorType(element);
      Value wide = b.convertFloat(factor, productType);
      b.elementwise({},
                    takeRow(b, b.getLoc(), table, OpFoldResult(row), rowLength),
                    [&](LoopBuilder &b, ValueRange elements) {
                      Value x = b.convertFloat(elements[0], productType);
                      Value product = arith::MulFOp::create(b, x, wide);
                      return b.convertFloat(product, element);
                    });
    });
  }

private:
  LoopBuilder &b;
  Value table;
  OpFoldResult rowLength;
  Type element;
  NormBuilder norm;
  Value maxNorm;
};

/// A table without rows or with empty ones: nothing to shorten, and no slice of
/// a dimension of size 0.
bool isEmpty(Value table) {
  return llvm::is_contained(cast<MemRefType>(table.getType()).getShape(), 0);
}

//===----------------------------------------------------------------------===//
// Distinct rows
//===----------------------------------------------------------------------===//

/// Rows, and if asked the positions that name them: a list in buffers.
struct NamedRows {
  NamedRows(LoopBuilder &b, Value capacity, bool withPositions) {
    auto int64s = MemRefType::get({ShapedType::kDynamic}, b.getI64Type());
    rows = b.allocate(int64s, capacity);
    if (withPositions)
      positions = b.allocate(int64s, capacity);
  }

  /// Writes an entry; `position` does not matter without positions.
  void set(LoopBuilder &b, Value i, Value row, Value position) const {
    b.store(b.toI64(row), rows, i);
    if (positions)
      b.store(b.toI64(position), positions, i);
  }
  Value row(LoopBuilder &b, Value i) const { return b.loadIndex(rows, i); }
  Value position(LoopBuilder &b, Value i) const {
    return b.loadIndex(positions, i);
  }
  void deallocate(LoopBuilder &b) const {
    b.deallocate(rows);
    if (positions)
      b.deallocate(positions);
  }

  Value rows, positions;
  /// The number of entries.
  Value size;
};

/// The distinct rows that positions name: each once, with one position that
/// names it. If asked, all other positions with what they name too.
class DistinctRows {
public:
  DistinctRows(LoopBuilder &b, RowIndexingOpInterface op, const RowNames &names,
               Value numRows, bool withPositions)
      : distinct(b, names.size(), withPositions), b(b), names(names),
        numRows(numRows) {
    if (withPositions)
      others.emplace(b, names.size(), withPositions);
    std::optional<Grouping> given = b.getSchedule().getGrouping();
    Value isBitmap = given ? b.flag(*given == Grouping::bitmap)
                           : cost::isBitmapFaster(RuntimeSize(b, names.size()),
                                                  RuntimeSize(b, numRows));
    SmallVector<Value> sizes = b.choose(
        isBitmap, [&] { return findByBitmap(); },
        [&] { return findBySort(op); });
    distinct.size = sizes[0];
    if (others)
      others->size = sizes[1];
  }

  void deallocate() {
    distinct.deallocate(b);
    if (others)
      others->deallocate(b);
  }

  NamedRows distinct;
  /// Those that name no row have row V.
  std::optional<NamedRows> others;

private:
  // Either way fills the lists and returns their sizes.

  /// A bit for each row, and one for naming none. One thread's work: it takes
  /// about a nanosecond a position. Either list takes every position, and
  /// advances if it is one of its own.
  SmallVector<Value> findByBitmap() {
    Value wordCount = b.add(b.div(numRows, b.index(64)), b.index(1));
    Value bitmap = b.allocate(
        MemRefType::get({ShapedType::kDynamic}, b.getI64Type()), wordCount);
    b.fill(bitmap, b.i64(0));
    SmallVector<Value> sizes = b.loop(
        b.index(0), names.size(), {b.index(0), b.index(0)},
        [&](Value position, ValueRange sizes) -> SmallVector<Value> {
          Value row = names.get(b, position);
          Value word = b.div(row, b.index(64));
          Value bit = b.shiftLeft(b.i64(1), b.bitAnd(b.toI64(row), b.i64(63)));
          Value met = b.load(bitmap, word);
          b.store(b.bitOr(met, bit), bitmap, word);
          Value isNew = b.equal(b.bitAnd(met, bit), b.i64(0));
          if (!names.isTotal())
            isNew = b.bitAnd(isNew, b.less(row, numRows));
          distinct.set(b, sizes[0], row, position);
          if (others)
            others->set(b, sizes[1], row, position);
          Value step = arith::IndexCastUIOp::create(b, b.getIndexType(), isNew);
          return {b.add(sizes[0], step),
                  b.add(sizes[1], b.sub(b.index(1), step))};
        });
    b.deallocate(bitmap);
    return sizes;
  }

  /// The row of each group with its first position; and the rest of them.
  SmallVector<Value> findBySort(RowIndexingOpInterface op) {
    Groups groups(b, op.getIndices(), numRows, op.getOutOfRange(),
                  /*paddingRow=*/nullptr);
    Value count = groups.size(b);
    // Each group before has one position less in the second list.
    auto addOthers = [&](Value row, Value begin, Value end, Value groupCount) {
      b.loop(begin, end, [&](Value i) {
        others->set(b, b.sub(i, groupCount), row,
                    b.loadIndex(groups.positions, i));
      });
    };
    Blocks blocks(b, count, b.index(64), cost::kMinBlockBytes,
                  cost::kMaxBlocks);
    blocks.forEach(b, [&](Value, Value begin, Value end) {
      b.loop(begin, end, [&](Value group) {
        Value row = groups.row(b, group), start = groups.begin(b, group);
        distinct.set(b, group, row, b.loadIndex(groups.positions, start));
        if (others)
          addOthers(row, b.add(start, b.index(1)), groups.end(b, group),
                    b.add(group, b.index(1)));
      });
    });
    if (others) {
      Value total = b.loadIndex(groups.offsets, count);
      addOthers(numRows, total, names.size(), count);
    }
    groups.deallocate(b);
    return {count, b.sub(names.size(), count)};
  }

  LoopBuilder &b;
  const RowNames &names;
  Value numRows;
};

//===----------------------------------------------------------------------===//
// RenormOp and RenormLookupOp
//===----------------------------------------------------------------------===//

/// Shortens each row that is named, and for `RenormLookupOp` copies it to the
/// first position that names it, while it is in the first-level cache; the
/// other positions follow when all rows are what they will be.
template <typename OpTy> struct RenormToLoops : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;
  static constexpr bool kLooksUp = std::is_same_v<OpTy, RenormLookupOp>;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)))
      return failure();
    LoopBuilder b(op, rewriter);
    Value table = op.getTable();
    Value rowsOfIndices;
    if constexpr (kLooksUp)
      rowsOfIndices = op.getOut();
    if (hasNoIndices(op.getIndices(), rowsOfIndices)) {
      rewriter.eraseOp(op);
      return success();
    }
    if (isEmpty(table)) {
      // What is left is a lookup in an empty table, or nothing.
      if constexpr (kLooksUp)
        LookupOp::create(b, table, op.getIndices(), op.getOut(),
                         op.getOutOfRange());
      rewriter.eraseOp(op);
      return success();
    }
    OpFoldResult rowLength =
        embedding::getMixedSize(rewriter, op.getLoc(), table, 1);
    Type element = cast<MemRefType>(table.getType()).getElementType();
    Value numRows = b.value(op.getMixedNumRows(b));
    RowNames names(b, op.getIndices(), numRows, op.getOutOfRange(),
                   /*paddingRow=*/nullptr);
    DistinctRows rows(b, op, names, numRows, /*withPositions=*/kLooksUp);
    RowShortener shortener(b, op, rowLength);

    std::optional<Flattened> out;
    if constexpr (kLooksUp)
      out.emplace(b, op.getOut(), /*numTrailingDims=*/1);
    auto outRow = [&](Value position) {
      return out->row(b, position, b.getIndexAttr(0), rowLength);
    };
    auto copyRow = [&](Value row, Value position) {
      b.copy(takeRow(b, b.getLoc(), table, OpFoldResult(row), rowLength),
             outRow(position));
    };
    Value rowBytes = getRowBytes(b, rowLength, element);
    Blocks blocks(b, rows.distinct.size, rowBytes, cost::kMinBlockBytes,
                  cost::kMaxBlocks);
    blocks.forEach(b, [&](Value, Value begin, Value end) {
      Value partials = shortener.allocatePartials();
      b.loop(begin, end, [&](Value i) {
        Value row = rows.distinct.row(b, i);
        shortener.shorten(row, partials);
        if (out)
          copyRow(row, rows.distinct.position(b, i));
      });
    });
    if (out) {
      Blocks rest(b, rows.others->size, rowBytes, cost::kMinBlockBytes,
                  cost::kMaxBlocks);
      rest.forEach(b, [&](Value, Value begin, Value end) {
        b.loop(begin, end, [&](Value i) {
          Value row = rows.others->row(b, i);
          Value position = rows.others->position(b, i);
          if (names.isTotal())
            return copyRow(row, position);
          b.ifTrue(
              b.less(row, numRows), [&] { copyRow(row, position); },
              [&] { b.fill(outRow(position), b.constant(element, 0.0)); });
        });
      });
    }
    rows.deallocate();
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void embedding::populateRenormToLoopsPatterns(RewritePatternSet &patterns) {
  patterns.add<RenormToLoops<RenormOp>, RenormToLoops<RenormLookupOp>>(
      patterns.getContext());
}
