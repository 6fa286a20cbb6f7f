//===- OutOfRange.h - Looking for indices out of range ----------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_UTILS_OUTOFRANGE_H
#define EMBEDDING_LIB_UTILS_OUTOFRANGE_H

#include "LoopBuilder.h"

namespace mlir::embedding {

/// Looks for the indices of a tensor or memref that name none of `numRows`
/// rows.
class OutOfRangeSearch {
public:
  OutOfRangeSearch(LoopBuilder &b, Value indices, Value numRows)
      : b(b), indices(indices),
        element(cast<ShapedType>(indices.getType()).getElementType()),
        sizes(getValueOrCreateConstantIndexOp(
            b, b.getLoc(), getMixedSizes(b, b.getLoc(), indices))) {
    // Of a negative number of rows there is none.
    limit = b.max(numRows, b.index(0));
    // No index of 32 bits names more than 2^31 rows.
    if (element.isInteger(32))
      limit = arith::MinUIOp::create(b, limit, b.index(int64_t(1) << 31));
    limit = arith::IndexCastOp::create(b, element, limit);
  }

  /// Whether there is one: a loop of a shape that LLVM vectorizes with two
  /// operations on a vector.
  Value isAny() {
    // An index in range has no sign, and its difference to the limit has one.
    // (In 32 bits 2^31 is -2^31, and every difference of an index to it has a
    // sign.) The intersection of all such words has it if all are in range.
    Value ones = arith::ConstantIntOp::create(b, element, -1);
    Value signs = loop(ones, [&](LoopBuilder &b, Value index, ValueRange args) {
      Value difference = b.sub(index, limit);
      Value inverse = arith::XOrIOp::create(b, index, ones);
      return scf::ValueVector{b.bitAnd(args[0], b.bitAnd(difference, inverse))};
    })[0];
    return b.cmp(arith::CmpIPredicate::sge, signs,
                 arith::ConstantIntOp::create(b, element, 0));
  }

  /// The position of the first one, its value, and how many there are.
  SmallVector<Value> find() {
    Value none = b.i64(0), one = b.i64(1);
    // Position, index and count so far, and the position that is next.
    SmallVector<Value> found =
        loop({b.i64(-1), none, none, none}, [&](LoopBuilder &b, Value index,
                                                ValueRange args) {
          // Unsigned, a negative index is not less than the limit.
          Value isOutside = b.cmp(arith::CmpIPredicate::uge, index, limit);
          Value isFirst = b.bitAnd(isOutside, b.equal(args[2], none));
          Value wide = index.getType() == b.getI64Type()
                           ? index
                           : arith::ExtSIOp::create(b, b.getI64Type(), index);
          Value increment =
              arith::ExtUIOp::create(b, b.getI64Type(), isOutside);
          return scf::ValueVector{b.select(isFirst, args[3], args[0]),
                                  b.select(isFirst, wide, args[1]),
                                  b.add(args[2], increment),
                                  b.add(args[3], one)};
        });
    found.pop_back();
    return found;
  }

private:
  SmallVector<Value>
  loop(ValueRange carried,
       llvm::function_ref<scf::ValueVector(LoopBuilder &, Value, ValueRange)>
           body) {
    SmallVector<Value> lowerBounds(sizes.size(), b.index(0));
    SmallVector<Value> steps(sizes.size(), b.index(1));
    return SmallVector<Value>(
        scf::buildLoopNest(
            b, b.getLoc(), lowerBounds, sizes, steps, carried,
            [&](OpBuilder &builder, Location loc, ValueRange position,
                ValueRange args) {
              LoopBuilder inner(loc, builder);
              return body(inner, loadElement(inner, loc, indices, position),
                          args);
            })
            .results);
  }

  LoopBuilder &b;
  Value indices;
  Type element;
  SmallVector<Value> sizes;
  Value limit;
};

/// Whether any of several parts that threads look at has an index out of range.
class OutOfRangeFlag {
public:
  /// Not set, on the stack.
  explicit OutOfRangeFlag(LoopBuilder &b)
      : flag(memref::AllocaOp::create(b, MemRefType::get({}, b.getI64Type()))) {
    b.store(b.i64(0), flag);
  }

  void set(LoopBuilder &b) const {
    memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::ori, b.i64(1), flag,
                                ValueRange());
  }

  /// When all parts are done.
  Value isSet(LoopBuilder &b) const {
    return b.cmp(arith::CmpIPredicate::ne, b.load(flag), b.i64(0));
  }

private:
  Value flag;
};

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_UTILS_OUTOFRANGE_H
