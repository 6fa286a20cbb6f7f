//===- Tiles.h - Counts and numbers across blocks ---------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What has to be counted is cut into tiles, one for each block of threads. A
// kernel counts in each tile, a second sums the counts of the tiles before, a
// third goes on from there: the same numbers in whatever order blocks run.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_TILES_H
#define EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_TILES_H

#include "KernelBuilder.h"

namespace mlir::embedding {

/// Elements of a tile.
inline constexpr int64_t kTileElements =
    cost::gpu::kBlockThreads * cost::gpu::kThreadElements;

/// The tiles of `size` elements, of type index.
Value getTileCount(LoopBuilder &host, Value size);

/// The elements of a tile that this thread takes, in order. A warp takes
/// `kWarpThreads * cost::gpu::kThreadElements` that follow each other, 32 at a
/// time.
SmallVector<Value> getTileElements(KernelBuilder &k);

/// Makes each of `rows * columns` counts, i64 in row-major order, the sum of
/// those before it in its row; `totals` takes the sums of rows.
void launchScan(LoopBuilder &host, StringRef name, Value counts, Value rows,
                Value columns, Value totals);

/// Numbers, in order, the elements of [0, size) that have a flag.
class Numbering {
public:
  /// Builds, in a kernel, whether the element that the value of type index
  /// names has the flag. It is called for elements in range alone.
  using Flag = llvm::function_ref<Value(KernelBuilder &, Value)>;
  /// Gets an element, how many before it have the flag, an i64, and whether it
  /// has.
  using Body = llvm::function_ref<void(KernelBuilder &, Value, Value, Value)>;

  Numbering(LoopBuilder &host, StringRef name, Value size, Flag hasFlag);

  /// Launches a kernel that runs `body` for each element.
  void forEach(LoopBuilder &host, StringRef name, Flag hasFlag,
               Body body) const;

  /// In a kernel: how many elements have the flag, an i64.
  Value getTotal(KernelBuilder &k) const;

  void deallocate(LoopBuilder &host) const {
    host.deallocate(counts);
    host.deallocate(total);
  }

private:
  Value size, tileCount;
  /// Of each tile: how many elements before it have the flag. And how many
  /// there are.
  Value counts, total;
};

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_TILES_H
