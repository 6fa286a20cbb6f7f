//===- OutOfRangeIndices.h - What checks of indices find --------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CALL_OUTOFRANGEINDICES_H
#define EMBEDDING_RUNTIME_LIB_CALL_OUTOFRANGEINDICES_H

#include "Code/KernelSpec.h"
#include "Support/Result.h"

#include <mutex>

namespace embedding::runtime {

/// Where a kernel of a range of indices writes the position of the first one
/// out of range, counted from the range's begin, the index there, and how many
/// there are.
struct OutOfRangeReport {
  OutOfRangeReport() {
    ref.aligned = fields;
    ref.sizes[0] = 3;
    ref.strides[0] = 1;
  }
  OutOfRangeReport(const OutOfRangeReport &) = delete;
  OutOfRangeReport &operator=(const OutOfRangeReport &) = delete;

  MemRef<1> ref;
  int64_t fields[3];
};

/// The indices out of range that the ranges of a call find.
class OutOfRangeIndices {
public:
  /// Takes what a kernel of the range from `begin` on reports.
  void add(int64_t begin, const OutOfRangeReport &report);
  /// What the caller is told.
  Status getStatus(int64_t numRows) const;

private:
  std::mutex mutex;
  int64_t position = -1;
  int64_t index = 0;
  int64_t count = 0;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CALL_OUTOFRANGEINDICES_H
