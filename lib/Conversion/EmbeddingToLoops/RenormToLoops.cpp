//===- RenormToLoops.cpp - Norms of the named rows, and their scaling ---===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Grouping.h"

#include <cmath>

using namespace mlir;
using namespace mlir::embedding;

/// Partial sums of a norm; the documented order of its sum depends on it.
static constexpr int64_t kPartialSums = 16;
/// Copies of one row that are worth all threads.
static constexpr int64_t kMaxCopiesByOwner = 1024;

/// Rounds an f64 to `type` once. f64 to f16 or bf16 by way of f32 would round
/// twice; so f32 is rounded to odd, which leaves the second rounding its tie.
/// See S. Boldo and G. Melquiond, "Emulation of FMA and Correctly Rounded Sums:
/// Proved Algorithms Using Rounding to Odd", IEEE Trans. Comput. 57, 2008.
static Value roundOnce(LoopBuilder &b, Value f64, Type type) {
  if (type.isF64() || type.isF32())
    return b.convertFloat(f64, type);
  Type f32 = b.getF32Type(), i32 = b.getI32Type();
  Value nearest = arith::TruncFOp::create(b, f32, f64);
  Value back = arith::ExtFOp::create(b, b.getF64Type(), nearest);
  auto magnitude = [&](Value x) -> Value { return math::AbsFOp::create(b, x); };
  auto compare = [&](arith::CmpFPredicate predicate, Value x,
                     Value y) -> Value {
    return arith::CmpFOp::create(b, predicate, x, y);
  };
  Value isInexact = compare(arith::CmpFPredicate::UNE, back, f64);
  Value isAbove =
      compare(arith::CmpFPredicate::OGT, magnitude(back), magnitude(f64));
  Value bits = arith::BitcastOp::create(b, i32, nearest);
  auto asInt = [&](Value flag) -> Value {
    return arith::ExtUIOp::create(b, i32, flag);
  };
  Value towardZero = b.sub(bits, asInt(isAbove));
  Value odd = b.bitOr(towardZero, asInt(isInexact));
  return arith::TruncFOp::create(b, type,
                                 arith::BitcastOp::create(b, f32, odd));
}

namespace {

/// The p-norm of a row, in f64.
class NormBuilder {
public:
  NormBuilder(LoopBuilder &b, double p, OpFoldResult rowLength)
      : b(b), p(p), rowLength(rowLength) {}

  /// A buffer that `build` needs, for one thread.
  Value allocatePartials() {
    return memref::AllocaOp::create(
        b, MemRefType::get({kPartialSums}, b.getF64Type()));
  }

  /// The norm of the row at `position` of `table`.
  Value build(Value table, Value row, Value partials) {
    double none =
        std::isinf(p) && p < 0 ? std::numeric_limits<double>::infinity() : 0.0;
    b.fill(partials, b.constant(b.getF64Type(), none));
    auto addPiece = [&](OpFoldResult column, OpFoldResult width) {
      Value piece =
          takeColumns(b, b.getLoc(), table, OpFoldResult(row), column, width);
      Value sums =
          takeColumns(b, b.getLoc(), partials, {}, b.getIndexAttr(0), width);
      b.elementwise(piece, sums, [&](LoopBuilder &b, ValueRange elements) {
        return combine(b, elements[1], term(b, elements[0]));
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
        return combine(b, sums[1], sums[0]);
      });
    }
    return finish(b.load(partials, b.index(0)));
  }

private:
  /// What an element adds to the norm.
  Value term(LoopBuilder &b, Value element) const {
    Value x = b.convertFloat(element, b.getF64Type());
    if (p == 0.0) {
      Value isNonZero = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, x,
                                              b.constant(b.getF64Type(), 0.0));
      return arith::UIToFPOp::create(b, b.getF64Type(), isNonZero);
    }
    if (p == 2.0)
      return arith::MulFOp::create(b, x, x);
    Value magnitude = math::AbsFOp::create(b, x);
    if (p == 1.0 || std::isinf(p))
      return magnitude;
    return math::PowFOp::create(b, magnitude, b.constant(b.getF64Type(), p));
  }

  Value combine(LoopBuilder &b, Value sum, Value term) const {
    if (!std::isinf(p))
      return arith::AddFOp::create(b, sum, term);
    if (p > 0)
      return arith::MaximumFOp::create(b, sum, term);
    return arith::MinimumFOp::create(b, sum, term);
  }

  Value finish(Value sum) const {
    if (p == 2.0)
      return math::SqrtOp::create(b, sum);
    if (p == 0.0 || p == 1.0 || std::isinf(p))
      return sum;
    return math::PowFOp::create(b, sum, b.constant(b.getF64Type(), 1.0 / p));
  }

  LoopBuilder &b;
  double p;
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
    // The norm as the table would hold it, compared as f64.
    Value rounded =
        b.convertFloat(roundOnce(b, norm.build(table, row, partials), element),
                       b.getF64Type());
    Value isLonger =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, rounded, maxNorm);
    b.ifTrue(isLonger, [&] {
      Value divisor =
          arith::AddFOp::create(b, rounded, b.constant(b.getF64Type(), 1e-7));
      Value factor =
          roundOnce(b, arith::DivFOp::create(b, maxNorm, divisor), element);
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
// RenormOp
//===----------------------------------------------------------------------===//

/// The groups are the distinct rows.
struct RenormToLoops : OpRewritePattern<RenormOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RenormOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)))
      return failure();
    LoopBuilder b(op.getLoc(), rewriter);
    Value table = op.getTable();
    if (isEmpty(table)) {
      rewriter.eraseOp(op);
      return success();
    }
    OpFoldResult rowLength =
        embedding::getMixedSize(rewriter, op.getLoc(), table, 1);
    Groups groups(b, op.getIndices(), b.value(op.getMixedNumRows(b)),
                  op.getOutOfRange(), /*paddingRow=*/nullptr);
    RowShortener shortener(b, op, rowLength);
    Type element = cast<MemRefType>(table.getType()).getElementType();
    Blocks blocks(b, groups.size(b), getRowBytes(b, rowLength, element),
                  kMinBlockBytes, kMaxBlocks);
    blocks.forEach(b, [&](Value, Value begin, Value end) {
      Value partials = shortener.allocatePartials();
      b.loop(begin, end, [&](Value group) {
        shortener.shorten(groups.row(b, group), partials);
      });
    });
    groups.deallocate(b);
    rewriter.eraseOp(op);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// RenormLookupOp
//===----------------------------------------------------------------------===//

/// The thread that shortens a row copies it to its positions, while it is in
/// the first-level cache. Only where they are very many do all threads copy.
struct RenormLookupToLoops : OpRewritePattern<RenormLookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RenormLookupOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(verifyReady(rewriter, op)))
      return failure();
    LoopBuilder b(op.getLoc(), rewriter);
    Value table = op.getTable();
    if (isEmpty(table)) {
      // What is left is a lookup in an empty table.
      rewriter.replaceOpWithNewOp<LookupOp>(op, table, op.getIndices(),
                                            op.getInit(), op.getOutOfRange());
      return success();
    }
    OpFoldResult rowLength =
        embedding::getMixedSize(rewriter, op.getLoc(), table, 1);
    Type element = cast<MemRefType>(table.getType()).getElementType();
    Groups groups(b, op.getIndices(), b.value(op.getMixedNumRows(b)),
                  op.getOutOfRange(), /*paddingRow=*/nullptr);
    RowShortener shortener(b, op, rowLength);
    Flattened out(b, op.getInit(), /*numTrailingDims=*/1);
    Value rowBytes = getRowBytes(b, rowLength, element);
    auto outRow = [&](Value i) {
      return out.row(b, b.loadIndex(groups.positions, i), b.getIndexAttr(0),
                     rowLength);
    };
    auto copyRow = [&](Value row, Value begin, Value end) {
      b.loop(begin, end, [&](Value i) {
        b.copy(takeRow(b, b.getLoc(), table, OpFoldResult(row), rowLength),
               outRow(i));
      });
    };
    Value maxCopies = b.index(kMaxCopiesByOwner);

    Value total = b.loadIndex(groups.offsets, groups.size(b));
    Value copiesPerGroup = b.divUp(total, b.max(groups.size(b), b.index(1)));
    Blocks owners(b, groups.size(b),
                  b.mul(rowBytes, b.add(copiesPerGroup, b.index(1))),
                  kMinBlockBytes, kMaxBlocks);
    owners.forEach(b, [&](Value, Value begin, Value end) {
      Value partials = shortener.allocatePartials();
      b.loop(begin, end, [&](Value group) {
        Value row = groups.row(b, group);
        shortener.shorten(row, partials);
        Value first = groups.begin(b, group), last = groups.end(b, group);
        copyRow(row, first, b.min(last, b.add(first, maxCopies)));
      });
    });

    Blocks copies(b, total, rowBytes, kMinBlockBytes, kMaxBlocks);
    copies.forEach(b, [&](Value, Value begin, Value end) {
      b.ifTrue(b.less(begin, end), [&] {
        Value first = b.sub(groups.firstAtOrBehind(b, b.add(begin, b.index(1))),
                            b.index(1));
        b.loop(first, groups.firstAtOrBehind(b, end), [&](Value group) {
          Value owned = b.add(groups.begin(b, group), maxCopies);
          copyRow(groups.row(b, group), b.max(begin, owned),
                  b.min(end, groups.end(b, group)));
        });
      });
    });

    if (op.getOutOfRange() != OutOfRange::assume) {
      Value unnamed = b.sub(out.size(), total);
      Blocks rest(b, unnamed, rowBytes, kMinBlockBytes, kMaxBlocks);
      rest.forEach(b, [&](Value, Value begin, Value end) {
        b.loop(b.add(total, begin), b.add(total, end),
               [&](Value i) { b.fill(outRow(i), b.constant(element, 0.0)); });
      });
    }
    groups.deallocate(b);
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void embedding::populateRenormToLoopsPatterns(RewritePatternSet &patterns) {
  patterns.add<RenormToLoops, RenormLookupToLoops>(patterns.getContext());
}
