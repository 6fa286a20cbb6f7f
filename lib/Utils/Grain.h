//===- Grain.h - How much of a parallel loop is one thread's ----*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_UTILS_GRAIN_H
#define EMBEDDING_LIB_UTILS_GRAIN_H

#include "LoopBuilder.h"
#include "embedding/Target/CostModel.h"

namespace mlir::embedding {

/// Rows as blocks that are worth a thread.
struct Grains {
  /// Rows of a block, and blocks.
  Value size, count;
};

/// `total` rows of `rowBytes` bytes, one at least, are one block if they are
/// too few for two threads.
inline Grains getGrains(LoopBuilder &b, Value total, Value rowBytes) {
  Value isSmall =
      b.less(b.mul(total, rowBytes), b.index(cost::kMinParallelBytes));
  Value rows = b.max(b.div(b.index(cost::kGrainBytes), rowBytes), b.index(1));
  // A short call does not divide.
  Value count = b.choose(
      isSmall, [&] { return SmallVector<Value>{b.index(1)}; },
      [&] { return SmallVector<Value>{b.divUp(total, rows)}; })[0];
  return {b.select(isSmall, total, rows), count};
}

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_UTILS_GRAIN_H
