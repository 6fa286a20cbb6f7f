//===- DeviceIndices.h - What indices name, on the device -------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_DEVICEINDICES_H
#define EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_DEVICEINDICES_H

#include "../../Utils/RowMath.h"
#include "RowLanes.h"

namespace mlir::embedding {

/// The indices of an operation in its kernels. In mode `check` an index out of
/// range names no row, and whoever meets it reports it.
class DeviceIndices {
public:
  /// `numRows` and `paddingRow`, which may be null, are of type index.
  DeviceIndices(LoopBuilder &host, Value indices, Value numRows,
                OutOfRange mode, Value paddingRow = nullptr);

  /// The same indices, checked before: those out of range name no row.
  DeviceIndices withoutChecks() const;

  Value size() const { return count; }
  Value getNumRows() const { return numRows; }
  bool checks() const { return mode == OutOfRange::check; }
  /// Whether every position names a row.
  bool isTotal() const { return mode == OutOfRange::assume && !paddingRow; }
  /// Whether every position that does not name a row is an error.
  bool keepsAll() const { return !paddingRow && (isTotal() || checks()); }

  /// The index at `position`, as the type index.
  Value load(KernelBuilder &k, Value position) const;
  /// The row that `index` names, or `numRows` if it names none.
  Value getRow(KernelBuilder &k, Value index) const;
  /// Reports `index`, found at `position`, if it is out of range and indices
  /// are checked, and runs `andThen`. One thread calls it for each position.
  void check(KernelBuilder &k, Value position, Value index,
             llvm::function_ref<void()> andThen = nullptr) const;

private:
  Value indices, numRows, paddingRow;
  OutOfRange mode;
  Value count;
  /// A pointer to the caller's report; null without checks.
  Value report;
};

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_DEVICEINDICES_H
