//===- FoundIndices.h - What parts of a check find together -----*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_UTILS_FOUNDINDICES_H
#define EMBEDDING_LIB_UTILS_FOUNDINDICES_H

#include "LoopBuilder.h"

namespace mlir::embedding {

/// The smallest position of an index out of range, and how many there are, of
/// parts that several threads check. The index is the operand's, at that
/// position.
class FoundIndices {
public:
  /// Nothing so far, on the stack.
  explicit FoundIndices(LoopBuilder &b)
      : fields(
            memref::AllocaOp::create(b, MemRefType::get({2}, b.getI64Type()))) {
    b.store(b.i64(std::numeric_limits<int64_t>::max()), fields, b.index(0));
    b.store(b.i64(0), fields, b.index(1));
  }

  /// Adds what a part has found.
  void add(LoopBuilder &b, Value position, Value count) const {
    memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::mins, position, fields,
                                ValueRange{b.index(0)});
    memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::addi, count, fields,
                                ValueRange{b.index(1)});
  }

  /// How many there are, when all parts are done.
  Value getCount(LoopBuilder &b) const { return b.load(fields, b.index(1)); }

  /// The position and the index there, in `indices`, if there are any.
  std::pair<Value, Value> getFirst(LoopBuilder &b, Value indices) const {
    Value position = b.load(fields, b.index(0));
    Value index = Flattened(b, indices, 0).load(b, b.toIndex(position));
    if (!index.getType().isInteger(64))
      index = arith::ExtSIOp::create(b, b.getI64Type(), index);
    return {position, index};
  }

  /// Reports them, when all parts are done.
  void report(LoopBuilder &b, Value indices, Value numRows,
              const Twine &what) const {
    Value count = getCount(b);
    b.ifTrue(b.cmp(arith::CmpIPredicate::ne, count, b.i64(0)), [&] {
      auto [position, index] = getFirst(b, indices);
      ReportOutOfRangeOp::create(b, position, index, count, numRows,
                                 b.getStringAttr(what));
    });
  }

private:
  Value fields;
};

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_UTILS_FOUNDINDICES_H
