//===- DeviceSegments.h - Segments of positions on the device ---*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_DEVICESEGMENTS_H
#define EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_DEVICESEGMENTS_H

#include "../../Utils/RowMath.h"
#include "RowLanes.h"

namespace mlir::embedding {

/// Segments of positions, in device memory.
struct DeviceSegments : SegmentLists {
  using SegmentLists::SegmentLists;

  /// How many there may be.
  Value getMaxSize(LoopBuilder &host) const {
    return host.sub(host.numElements(offsets), host.index(1));
  }

  // In kernels, all of type index.
  Value size(KernelBuilder &k) const { return load(k, count, k.index(0)); }
  Value row(KernelBuilder &k, Value segment) const {
    return load(k, rows, segment);
  }
  Value begin(KernelBuilder &k, Value segment) const {
    return load(k, offsets, segment);
  }
  Value end(KernelBuilder &k, Value segment) const {
    return load(k, offsets, k.add(segment, k.index(1)));
  }
  Value position(KernelBuilder &k, Value i) const {
    return load(k, positions, i);
  }
  /// The last segment that begins before `offset`, or -1.
  Value lastBefore(KernelBuilder &k, Value offset) const {
    Value behind = k.lowerBound(
        size(k), offset, [&](Value segment) { return begin(k, segment); });
    return k.sub(behind, k.index(1));
  }

private:
  static Value load(KernelBuilder &k, Value buffer, Value at) {
    return k.toIndex(loadFlat(k, k.use(buffer, Access::read), at));
  }
};

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_DEVICESEGMENTS_H
