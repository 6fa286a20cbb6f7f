//===- DeviceGroups.h - Positions by the rows they name ---------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_DEVICEGROUPS_H
#define EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_DEVICEGROUPS_H

#include "DeviceIndices.h"

namespace mlir::embedding {

/// The results of an `embedding.group`, in device memory.
struct DeviceGroups {
  Value rows, offsets, positions, count;

  DeviceGroups(Value rows, Value offsets, Value positions, Value count)
      : rows(rows), offsets(offsets), positions(positions), count(count) {}
  /// Launches the kernels that group `indices`, into buffers of their own.
  DeviceGroups(LoopBuilder &host, const DeviceIndices &indices);

  void deallocate(LoopBuilder &host) const {
    for (Value buffer : {rows, offsets, positions, count})
      host.deallocate(buffer);
  }

  // In kernels, all of type index.
  Value size(KernelBuilder &k) const { return load(k, count, k.index(0)); }
  Value row(KernelBuilder &k, Value group) const {
    return load(k, rows, group);
  }
  Value begin(KernelBuilder &k, Value group) const {
    return load(k, offsets, group);
  }
  Value end(KernelBuilder &k, Value group) const {
    return load(k, offsets, k.add(group, k.index(1)));
  }
  Value position(KernelBuilder &k, Value i) const {
    return load(k, positions, i);
  }
  /// The last group that begins before `offset`, or -1.
  Value lastBefore(KernelBuilder &k, Value offset) const {
    Value behind = k.lowerBound(k.use(offsets, Access::read).elements, size(k),
                                k.toI64(offset));
    return k.sub(behind, k.index(1));
  }

private:
  static Value load(KernelBuilder &k, Value buffer, Value at) {
    return k.loadIndex(k.use(buffer, Access::read).elements, at);
  }
};

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_DEVICEGROUPS_H
