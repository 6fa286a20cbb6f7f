//===- Pow.h - Powers of magnitudes, the same on all targets ----*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The power of a norm, from sums, products and bits alone: GPUs have no library
// of mathematics without CUDA's, and norms are to be the same wherever they are
// taken.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_UTILS_POW_H
#define EMBEDDING_LIB_UTILS_POW_H

#include "LoopBuilder.h"

#include <algorithm>
#include <limits>

namespace mlir::embedding {

/// Builds x^p, of f64, for x that is not negative, or NaN, and a p that is
/// not 0 or NaN: exp(p log x) with log and product in double-double
/// arithmetic, within one unit in the last place.
///
/// With x = 2^e m and m in [1/sqrt 2, sqrt 2), log m = 2 atanh((m - 1)/(m +
/// 1)), whose series is that of odd powers. See T. J. Dekker, "A Floating-Point
/// Technique for Extending the Available Precision", Numer. Math. 18, 1971, for
/// the arithmetic, and J.-M. Muller, "Elementary Functions", 3rd ed., 2016.
class PowBuilder {
public:
  explicit PowBuilder(LoopBuilder &b) : b(b), f64(b.getF64Type()) {}

  Value build(Value x, double p) {
    // Beyond that all powers but those of 1 are 0 or infinite.
    p = std::clamp(p, -0x1p1000, 0x1p1000);
    Pair y = multiply(log(x), p);
    Value power = exp(y);
    // What the arithmetic above does not reach.
    const double infinity = std::numeric_limits<double>::infinity();
    Value ofZero = number(p > 0 ? 0.0 : infinity);
    Value ofInfinity = number(p > 0 ? infinity : 0.0);
    // exp is less than half of the least number, or more than the largest.
    power = b.select(compare(arith::CmpFPredicate::OLT, y.high, -746.0),
                     number(0.0), power);
    power = b.select(compare(arith::CmpFPredicate::OGT, y.high, 709.8),
                     number(infinity), power);
    power = b.select(compare(arith::CmpFPredicate::OEQ, x, 0.0), ofZero, power);
    power = b.select(compare(arith::CmpFPredicate::OEQ, x, infinity),
                     ofInfinity, power);
    power = b.select(compare(arith::CmpFPredicate::OEQ, x, 1.0), number(1.0),
                     power);
    return b.select(compare(arith::CmpFPredicate::UNO, x, 0.0), x, power);
  }

private:
  /// An unevaluated sum, of which `high` is the nearest number.
  struct Pair {
    Value high, low;
  };

  Value number(double value) { return b.constant(f64, value); }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
  Value fma(Value x, Value y, Value z) {
    return math::FmaOp::create(b, x, y, z);
  }
  Value negate(Value x) { return arith::NegFOp::create(b, x); }
  Value compare(arith::CmpFPredicate predicate, Value x, double y) {
    return arith::CmpFOp::create(b, predicate, x, number(y));
  }
  Value asBits(Value x) {
    return arith::BitcastOp::create(b, b.getI64Type(), x);
  }
  Value asNumber(Value bits) { return arith::BitcastOp::create(b, f64, bits); }

  /// x + y, where x is 0 or has the larger magnitude.
  Pair addLess(Value x, Value y) {
    Value sum = add(x, y);
    return {sum, sub(y, sub(sum, x))};
  }
  Pair multiply(Value x, Value y) {
    Value product = mul(x, y);
    return {product, fma(x, y, negate(product))};
  }
  Pair multiply(Pair x, Pair y) {
    Pair product = multiply(x.high, y.high);
    Value cross = fma(x.high, y.low, mul(x.low, y.high));
    return addLess(product.high, add(product.low, cross));
  }
  Pair multiply(Pair x, double p) {
    Pair product = multiply(x.high, number(p));
    return addLess(product.high, fma(x.low, number(p), product.low));
  }

  /// The sum of coefficients[i] x^i.
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value sum = number(coefficients.back());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      sum = fma(sum, x, number(coefficient));
    return sum;
  }

  /// 2^k, of an i64 from -1022 to 1023.
  Value powerOfTwo(Value k) {
    return asNumber(b.shiftLeft(b.add(k, b.i64(1023)), b.i64(52)));
  }

  /// For positive finite x.
  Pair log(Value x) {
    // Numbers that are not normal have no exponent of their own.
    Value isSmall = compare(arith::CmpFPredicate::OLT, x, 0x1p-1022);
    x = b.select(isSmall, mul(x, number(0x1p54)), x);
    Value bits = asBits(x);
    // The bits of 1/sqrt(2) are taken off, so that the exponent steps there.
    Value offset = b.sub(bits, b.i64(0x3fe6a09e667f3bcd));
    Value exponent = arith::ShRSIOp::create(b, offset, b.i64(52));
    Value m = asNumber(b.sub(bits, b.shiftLeft(exponent, b.i64(52))));
    exponent = b.sub(exponent, b.select(isSmall, b.i64(54), b.i64(0)));

    // (m - 1)/(m + 1); the difference is exact.
    Value numerator = sub(m, number(1.0));
    Value one = number(1.0);
    Value denominator = add(m, one);
    // m + 1 less its rounded value; either may be the larger.
    Value back = sub(denominator, m);
    Value lost = add(sub(m, sub(denominator, back)), sub(one, back));
    Value quotient = arith::DivFOp::create(b, numerator, denominator);
    Value rest = fma(negate(quotient), denominator, numerator);
    rest = fma(negate(quotient), lost, rest);
    Pair s = {quotient, arith::DivFOp::create(b, rest, denominator)};

    // s + s^3/3 + s^5 (1/5 + s^2/7 + ...), with s^2 less than 0.0295.
    Pair square = multiply(s, s);
    Pair cube = multiply(square, s);
    Pair third = multiply(cube, Pair{number(0x1.5555555555555p-2),
                                     number(0x1.5555555555555p-56)});
    SmallVector<double> coefficients;
    for (int power = 5; power <= 27; power += 2)
      coefficients.push_back(1.0 / power);
    Value tail =
        mul(mul(cube.high, square.high), polynomial(square.high, coefficients));
    Pair inner = addLess(third.high, tail);
    Pair outer = addLess(s.high, inner.high);
    Pair sum = addLess(outer.high,
                       add(outer.low, add(inner.low, add(third.low, s.low))));

    // ln 2 in pieces, of which the first has zeros enough for an exponent.
    Value e = arith::SIToFPOp::create(b, f64, exponent);
    Value high = mul(e, number(0x1.62e42fefa38p-1));
    Value low = mul(e, number(0x1.ef35793c7673p-45));
    Pair twice = {mul(number(2.0), sum.high), mul(number(2.0), sum.low)};
    Pair total = addLess(high, twice.high);
    return addLess(total.high, add(total.low, add(low, twice.low)));
  }

  /// For arguments that neither overflow nor vanish.
  Value exp(Pair y) {
    // Adding 1.5 * 2^52 rounds to an integer, which is then in the lower bits.
    constexpr double kShifter = 0x1.8p52;
    Value shifted = fma(y.high, number(0x1.71547652b82fep0), number(kShifter));
    Value rounded = sub(shifted, number(kShifter));
    Value k = b.sub(asBits(shifted), asBits(number(kShifter)));
    // y - k ln 2
    Value high = fma(negate(rounded), number(0x1.62e42fefa38p-1), y.high);
    Pair r = addLess(high,
                     fma(negate(rounded), number(0x1.ef35793c7673p-45), y.low));
    // 1 + r + r^2 (1/2 + r/6 + ...), with |r| at most ln 2 / 2.
    SmallVector<double> coefficients;
    double factorial = 1.0;
    for (int n = 2; n <= 15; ++n) {
      factorial *= n;
      coefficients.push_back(1.0 / factorial);
    }
    Value square = mul(r.high, r.high);
    Value tail = fma(square, polynomial(r.high, coefficients), r.low);
    Value power = add(number(1.0), add(r.high, tail));
    // In two steps: the result need not be a normal number.
    Value half = arith::ShRSIOp::create(b, k, b.i64(1));
    return mul(mul(power, powerOfTwo(half)), powerOfTwo(b.sub(k, half)));
  }

  LoopBuilder &b;
  Type f64;
};

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_UTILS_POW_H
