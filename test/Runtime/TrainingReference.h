//===- TrainingReference.h - What the training half means -------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The oracle of the runtime's tests, in float64, from the documented semantics:
// one loop over positions for each row, and no order of sums but that. It
// shares no code with the runtime.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TEST_RUNTIME_TRAININGREFERENCE_H
#define EMBEDDING_TEST_RUNTIME_TRAININGREFERENCE_H

#include "embedding-runtime/Runtime.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace embedding::reference {

/// 16-bit floats by their definition.
inline double decodeFloat(uint32_t bits, int exponentBits, int mantissaBits) {
  int bias = (1 << (exponentBits - 1)) - 1;
  int exponent = (bits >> mantissaBits) & ((1 << exponentBits) - 1);
  double mantissa = bits & ((1 << mantissaBits) - 1);
  double sign = bits >> (exponentBits + mantissaBits) & 1 ? -1.0 : 1.0;
  if (exponent == (1 << exponentBits) - 1)
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0)
    return sign * std::ldexp(mantissa, 1 - bias - mantissaBits);
  return sign *
         std::ldexp(1.0 + std::ldexp(mantissa, -mantissaBits), exponent - bias);
}

/// The nearest value of such a format, ties to even.
inline double roundToFormat(double value, int exponentBits, int mantissaBits) {
  if (!std::isfinite(value) || value == 0)
    return value;
  int bias = (1 << (exponentBits - 1)) - 1;
  int exponent = std::max(std::ilogb(value), 1 - bias);
  // In units of the last place; nearbyint rounds ties to even.
  double unit = std::ldexp(1.0, exponent - mantissaBits);
  double rounded = std::nearbyint(value / unit) * unit;
  double largest = std::ldexp(2.0 - std::ldexp(1.0, -mantissaBits), bias);
  if (std::fabs(rounded) > largest)
    return std::copysign(std::numeric_limits<double>::infinity(), value);
  return rounded;
}

inline bool isHalf(DLDataType type) {
  return type.code == kDLFloat && type.bits == 16;
}

/// The element at `address`.
inline double load(DLDataType type, const void *address) {
  if (type.bits == 64) {
    double value;
    std::memcpy(&value, address, sizeof(value));
    return value;
  }
  if (type.bits == 32) {
    float value;
    std::memcpy(&value, address, sizeof(value));
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, address, sizeof(bits));
  return isHalf(type) ? decodeFloat(bits, 5, 10) : decodeFloat(bits, 8, 7);
}

inline double roundTo(DLDataType type, double value) {
  if (type.bits == 64)
    return value;
  if (type.bits == 32)
    return static_cast<float>(value);
  return isHalf(type) ? roundToFormat(value, 5, 10)
                      : roundToFormat(value, 8, 7);
}

/// Half the distance between neighbours of 1, of sums and of stored values.
inline double sumEpsilon(DLDataType type) {
  return type.bits == 64 ? 0x1p-53 : 0x1p-24;
}
inline double storedEpsilon(DLDataType type) {
  return type.bits == 64   ? 0x1p-53
         : type.bits == 32 ? 0x1p-24
         : isHalf(type)    ? 0x1p-11
                           : 0x1p-8;
}

/// A sum, and how far from it one may end that adds in another order.
struct Sum {
  double value = 0;
  double bound = 0;
};

struct GradOptions {
  int64_t paddingRow = -1;
  bool scaleGradByFreq = false;
};

/// The gradient of row `row`, element `column`. `at(i, d)` is element d of the
/// gradient at position i.
template <typename At>
Sum gradOf(int64_t row, int64_t column, const std::vector<int64_t> &indices,
           const GradOptions &options, DLDataType type, At at) {
  Sum sum;
  int64_t count = 0;
  for (int64_t index : indices)
    count += index == row;
  if (row == options.paddingRow || count == 0)
    return sum;
  double magnitude = 0;
  for (size_t i = 0; i < indices.size(); ++i)
    if (indices[i] == row) {
      double term = at(static_cast<int64_t>(i), column);
      if (options.scaleGradByFreq)
        term /= static_cast<double>(count);
      sum.value += term;
      magnitude += std::fabs(term);
    }
  // (n + 1) roundings of partial sums and terms, and that of the result.
  sum.bound = magnitude * static_cast<double>(count + 2) * sumEpsilon(type) +
              std::fabs(sum.value) * storedEpsilon(type) +
              (type.bits == 16 ? 0x1p-25 : 0);
  return sum;
}

/// The p-norm of `row`, rounded to `type`.
inline double normOf(const std::vector<double> &row, double p,
                     DLDataType type) {
  double norm =
      std::isinf(p) && p < 0 ? std::numeric_limits<double>::infinity() : 0.0;
  bool hasNan = false;
  for (double x : row) {
    double magnitude = std::fabs(x);
    hasNan |= std::isnan(x) && p != 0;
    if (p == 0)
      norm += x != 0;
    else if (std::isinf(p))
      norm = p > 0 ? std::fmax(norm, magnitude) : std::fmin(norm, magnitude);
    else
      norm += std::pow(magnitude, p);
  }
  if (hasNan)
    return std::numeric_limits<double>::quiet_NaN();
  if (p != 0 && !std::isinf(p))
    norm = std::pow(norm, 1.0 / p);
  return roundTo(type, norm);
}

/// `row` after renorm.
inline std::vector<double> renormOf(std::vector<double> row, double maxNorm,
                                    double p, DLDataType type) {
  double norm = normOf(row, p, type);
  if (!(norm > maxNorm))
    return row;
  double factor = roundTo(type, maxNorm / (norm + 1e-7));
  for (double &x : row)
    x = roundTo(type, x * factor);
  return row;
}

} // namespace embedding::reference

#endif // EMBEDDING_TEST_RUNTIME_TRAININGREFERENCE_H
