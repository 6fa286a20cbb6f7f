//===- RowMath.h - What the CPU and the GPU compute alike -------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which row an index names, what a norm is, where the chunks of a sum are: what
// makes results the same bits, whatever carries them out.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_UTILS_ROWMATH_H
#define EMBEDDING_LIB_UTILS_ROWMATH_H

#include "LoopBuilder.h"
#include "Pow.h"

#include <cmath>
#include <limits>

namespace mlir::embedding {

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// The row that `index` names, or `numRows` if it names none: it is out of
/// range and not clamped, or it is `paddingRow`, which may be null. All are of
/// type index. Indices are in range in modes `check` and `assume`.
inline Value getNamedRow(LoopBuilder &b, Value index, Value numRows,
                         OutOfRange mode, Value paddingRow) {
  Value row = index;
  if (mode == OutOfRange::clamp) {
    // In a table of no rows this is 0, and so V.
    Value last = b.sub(numRows, b.index(1));
    row = b.max(b.min(row, last), b.index(0));
  } else if (mode == OutOfRange::zero) {
    // One unsigned comparison covers the negative indices.
    Value isIn = b.cmp(arith::CmpIPredicate::ult, row, numRows);
    row = b.select(isIn, row, numRows);
  }
  if (paddingRow)
    row = b.select(b.equal(row, paddingRow), numRows, row);
  return row;
}

/// The padding row counted from the start, or null: it names no row if it is
/// dynamic and out of range.
template <typename OpTy> Value getPaddingRow(LoopBuilder &b, OpTy op) {
  if (!op.getPaddingIdx() && !op.getDynamicPaddingIdx())
    return nullptr;
  Value padding = op.getDynamicPaddingIdx();
  if (!padding)
    padding = b.index(*op.getPaddingIdx());
  Value numRows = b.value(op.getMixedNumRows(b));
  return b.select(b.less(padding, b.index(0)), b.add(padding, numRows),
                  padding);
}

//===----------------------------------------------------------------------===//
// Segments
//===----------------------------------------------------------------------===//

/// Segments of positions as an operation has them; `rows` is null if they have
/// none.
struct SegmentLists {
  SegmentLists() = default;
  template <typename OpTy>
  explicit SegmentLists(OpTy op)
      : offsets(op.getOffsets()), positions(op.getPositions()),
        count(op.getCount()) {
    if constexpr (!std::is_same_v<OpTy, InverseFrequenciesOp>)
      rows = op.getRows();
  }

  Value rows, offsets, positions, count;
};

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// Positions that are summed one after another; the documented order of sums
/// depends on it.
inline constexpr int64_t kChunkLength = 128;

/// 1 / count, in f64 and then rounded to `type`.
inline Value createInverse(LoopBuilder &b, Value count, Type type) {
  Value frequency = arith::UIToFPOp::create(b, b.getF64Type(), b.toI64(count));
  Value scale =
      arith::DivFOp::create(b, b.constant(b.getF64Type(), 1.0), frequency);
  return b.convertFloat(scale, type);
}

/// Where the sum of chunk `chunk` of the segment that begins at element `begin`
/// is. In a window of `kChunkLength` elements at most one segment of several
/// chunks begins, and at most one other has a chunk that begins: each window
/// has a slot for either.
inline Value getChunkSlot(LoopBuilder &b, Value begin, Value chunk) {
  Value window = b.add(b.div(begin, b.index(kChunkLength)), chunk);
  Value slot = b.mul(window, b.index(2));
  return b.select(b.equal(chunk, b.index(0)), b.add(slot, b.index(1)), slot);
}

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

/// Partial sums of a norm; the documented order of its sum depends on it.
inline constexpr int64_t kPartialSums = 16;

/// The p-norm of a row, in f64: terms of its elements, combined.
struct PNorm {
  double p;

  /// Whether a term takes a few instructions at most.
  bool isCheap() const {
    return p == 0.0 || p == 1.0 || p == 2.0 || std::isinf(p);
  }

  /// What combines with anything to that.
  double getIdentity() const {
    return std::isinf(p) && p < 0 ? std::numeric_limits<double>::infinity()
                                  : 0.0;
  }

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
    return PowBuilder(b).build(magnitude, p);
  }

  /// Of sums, or of a sum and a term.
  Value combine(LoopBuilder &b, Value sum, Value term) const {
    if (!std::isinf(p))
      return arith::AddFOp::create(b, sum, term);
    if (p > 0)
      return arith::MaximumFOp::create(b, sum, term);
    return arith::MinimumFOp::create(b, sum, term);
  }

  /// The norm, of the combination of all terms.
  Value finish(LoopBuilder &b, Value sum) const {
    if (p == 2.0)
      return math::SqrtOp::create(b, sum);
    return isCheap() ? sum : PowBuilder(b).build(sum, 1.0 / p);
  }
};

/// Rounds an f64 to `type` once. f64 to f16 or bf16 by way of f32 would round
/// twice; so f32 is rounded to odd, which leaves the second rounding its tie.
/// See S. Boldo and G. Melquiond, "Emulation of FMA and Correctly Rounded Sums:
/// Proved Algorithms Using Rounding to Odd", IEEE Trans. Comput. 57, 2008.
inline Value roundOnce(LoopBuilder &b, Value f64, Type type) {
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

/// Whether a row is longer than `maxNorm` allows, and what shortens it.
struct Shortening {
  /// `norm` and `maxNorm` are f64; `element` is the type of the table.
  Shortening(LoopBuilder &b, Value norm, Value maxNorm, Type element)
      : maxNorm(maxNorm), element(element) {
    // The norm as the table would hold it, compared as f64.
    rounded = b.convertFloat(roundOnce(b, norm, element), b.getF64Type());
    isLonger =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, rounded, maxNorm);
  }

  /// The factor, of the type of the table.
  Value getFactor(LoopBuilder &b) const {
    Value divisor =
        arith::AddFOp::create(b, rounded, b.constant(b.getF64Type(), 1e-7));
    return roundOnce(b, arith::DivFOp::create(b, maxNorm, divisor), element);
  }

  Value isLonger;

private:
  Value maxNorm, rounded;
  Type element;
};

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_UTILS_ROWMATH_H
