//===- PairwiseSums.h - The order of sums of chunks -------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_CONVERSION_EMBEDDINGTOLOOPS_PAIRWISESUMS_H
#define EMBEDDING_LIB_CONVERSION_EMBEDDINGTOLOOPS_PAIRWISESUMS_H

#include "../../Utils/RowMath.h"

namespace mlir::embedding {

/// Has `add` add things in [0, count) pairwise, at distances 1, 2, 4 and so on,
/// until the first is the sum of all: the documented order for chunks.
inline void addPairwise(LoopBuilder &b, Value count,
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
inline void addSum(LoopBuilder &b, Value from, Value to) {
  b.elementwise(from, to, [](LoopBuilder &b, ValueRange sums) -> Value {
    return arith::AddFOp::create(b, sums[1], sums[0]);
  });
}

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_CONVERSION_EMBEDDINGTOLOOPS_PAIRWISESUMS_H
