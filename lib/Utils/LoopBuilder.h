//===- LoopBuilder.h - Loops and arithmetic with little ceremony -*- C++
//-*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The lowerings of the training half are algorithms: loops, index arithmetic,
// loads and stores. This builder lets them read like one.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_UTILS_LOOPBUILDER_H
#define EMBEDDING_LIB_UTILS_LOOPBUILDER_H

#include "TensorOrMemRef.h"
#include "embedding/IR/Embedding.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::embedding {

/// Bytes of one element in memory, or 0 if they are not known here.
inline int64_t getElementBytes(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return 2 * getElementBytes(complex.getElementType());
  return type.isIntOrFloat() ? llvm::divideCeil(type.getIntOrFloatBitWidth(), 8)
                             : 0;
}

/// Where each of several buffers in one begins: at a multiple of a line.
inline constexpr int64_t kBufferAlignment = 64;

/// Bodies of loops and branches are functions that build at the insertion point
/// of this builder, which is inside the body while they run.
class LoopBuilder : public ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;
  /// Lowers `op`: its schedule goes to the linalg operations that are built.
  LoopBuilder(Operation *op, OpBuilder &builder)
      : ImplicitLocOpBuilder(op->getLoc(), builder), lowered(op) {}

  // Constants and conversions.
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(*this, value);
  }
  Value i64(int64_t value) {
    return arith::ConstantIntOp::create(*this, value, 64);
  }
  Value flag(bool value) {
    return arith::ConstantIntOp::create(*this, value, 1);
  }
  Value constant(Type type, double value) {
    return arith::ConstantOp::create(*this, getFloatAttr(type, value));
  }
  Value value(OpFoldResult mixed) {
    return getValueOrCreateConstantIndexOp(*this, getLoc(), mixed);
  }
  Value toIndex(Value integer) {
    return arith::IndexCastOp::create(*this, getIndexType(), integer);
  }
  Value toI64(Value index) {
    return arith::IndexCastOp::create(*this, getI64Type(), index);
  }

  // Integers: index or i64 alike, never negative unless said.
  Value add(Value a, Value b) { return arith::AddIOp::create(*this, a, b); }
  Value sub(Value a, Value b) { return arith::SubIOp::create(*this, a, b); }
  Value mul(Value a, Value b) { return arith::MulIOp::create(*this, a, b); }
  Value div(Value a, Value b) { return arith::DivUIOp::create(*this, a, b); }
  Value divUp(Value a, Value b) {
    return arith::CeilDivUIOp::create(*this, a, b);
  }
  Value bitAnd(Value a, Value b) { return arith::AndIOp::create(*this, a, b); }
  Value bitOr(Value a, Value b) { return arith::OrIOp::create(*this, a, b); }
  Value shiftLeft(Value a, Value b) {
    return arith::ShLIOp::create(*this, a, b);
  }
  Value shiftRight(Value a, Value b) {
    return arith::ShRUIOp::create(*this, a, b);
  }
  /// Signed.
  Value min(Value a, Value b) { return arith::MinSIOp::create(*this, a, b); }
  Value max(Value a, Value b) { return arith::MaxSIOp::create(*this, a, b); }
  Value cmp(arith::CmpIPredicate predicate, Value a, Value b) {
    return arith::CmpIOp::create(*this, predicate, a, b);
  }
  Value less(Value a, Value b) { return cmp(arith::CmpIPredicate::slt, a, b); }
  Value equal(Value a, Value b) { return cmp(arith::CmpIPredicate::eq, a, b); }
  Value select(Value condition, Value a, Value b) {
    return arith::SelectOp::create(*this, condition, a, b);
  }
  /// The number of bits of an i64 up to its highest one.
  Value bitWidth(Value integer) {
    return sub(i64(64), math::CountLeadingZerosOp::create(*this, integer));
  }

  // Memory.
  Value allocate(MemRefType type, ValueRange sizes = {}) {
    return memref::AllocOp::create(*this, type, sizes);
  }
  void deallocate(Value buffer) { memref::DeallocOp::create(*this, buffer); }
  Value load(Value buffer, ValueRange at = {}) {
    return memref::LoadOp::create(*this, buffer, at);
  }
  /// Loads an i64 as an index.
  Value loadIndex(Value buffer, ValueRange at = {}) {
    return toIndex(load(buffer, at));
  }
  void store(Value value, Value buffer, ValueRange at = {}) {
    memref::StoreOp::create(*this, value, buffer, at);
  }
  /// How many of `count` rows of `rowLength` elements have any: what is done
  /// for each row would take as long as there are rows, though none has an
  /// element.
  Value rowsWithElements(Value count, OpFoldResult rowLength) {
    std::optional<int64_t> length = getConstantIntValue(rowLength);
    if (length)
      return *length == 0 ? index(0) : count;
    return select(equal(value(rowLength), index(0)), index(0), count);
  }
  /// Of a memref or tensor.
  Value numElements(Value shaped) {
    Value count = index(1);
    for (OpFoldResult size : getMixedSizes(*this, getLoc(), shaped))
      count = createOrFold<arith::MulIOp>(count, value(size));
    return count;
  }
  /// The bytes of the elements of `memref`, gaps between them apart.
  Value numBytes(Value memref) {
    Type element = cast<MemRefType>(memref.getType()).getElementType();
    return mul(index(getElementBytes(element)), numElements(memref));
  }
  /// The bytes of a buffer of `type`, rounded up to `kBufferAlignment`.
  Value alignedBytes(MemRefType type, ValueRange dynamicSizes) {
    Type element = type.getElementType();
    Value bytes = index(element.isIndex() ? 8 : getElementBytes(element));
    for (int64_t size : type.getShape())
      if (ShapedType::isStatic(size))
        bytes = mul(bytes, index(size));
    for (Value size : dynamicSizes)
      bytes = mul(bytes, size);
    return bitAnd(add(bytes, index(kBufferAlignment - 1)),
                  index(-kBufferAlignment));
  }
  /// Whether `memref` has at least `bound` of them.
  Value hasBytes(Value memref, int64_t bound) {
    return cmp(arith::CmpIPredicate::sle, index(bound), numBytes(memref));
  }

  // Control flow.
  using Body = llvm::function_ref<void(Value)>;
  void loop(Value begin, Value end, Value step, Body body) {
    auto loop = scf::ForOp::create(*this, begin, end, step);
    InsertionGuard guard(*this);
    setInsertionPointToStart(loop.getBody());
    body(loop.getInductionVar());
  }
  void loop(Value begin, Value end, Body body) {
    loop(begin, end, index(1), body);
  }
  /// A loop that carries values; `body` returns those of the next iteration.
  using CarryingBody =
      llvm::function_ref<SmallVector<Value>(Value, ValueRange)>;
  SmallVector<Value> loop(Value begin, Value end, ValueRange carried,
                          CarryingBody body) {
    return loop(begin, end, index(1), carried, body);
  }
  SmallVector<Value> loop(Value begin, Value end, Value step,
                          ValueRange carried, CarryingBody body) {
    auto loop = scf::ForOp::create(*this, begin, end, step, carried);
    InsertionGuard guard(*this);
    setInsertionPointToStart(loop.getBody());
    scf::YieldOp::create(
        *this, body(loop.getInductionVar(), loop.getRegionIterArgs()));
    return loop.getResults();
  }
  /// A loop that goes on while `condition` holds for what it carries.
  SmallVector<Value>
  loopWhile(ValueRange carried, llvm::function_ref<Value(ValueRange)> condition,
            llvm::function_ref<SmallVector<Value>(ValueRange)> body) {
    auto build = [&](llvm::function_ref<void(ValueRange)> build) {
      return [this, build](OpBuilder &builder, Location, ValueRange values) {
        InsertionGuard guard(*this);
        setInsertionPoint(builder.getInsertionBlock(),
                          builder.getInsertionPoint());
        build(values);
      };
    };
    auto test = [&](ValueRange values) {
      scf::ConditionOp::create(*this, condition(values), values);
    };
    auto iterate = [&](ValueRange values) {
      scf::YieldOp::create(*this, body(values));
    };
    return scf::WhileOp::create(*this, getLoc(), carried.getTypes(), carried,
                                build(test), build(iterate))
        .getResults();
  }
  /// A loop over [0, size) whose iterations may run at once.
  void parallelLoop(Value size, Body body) {
    auto forall = scf::ForallOp::create(*this, ArrayRef<OpFoldResult>{size},
                                        ValueRange(), std::nullopt);
    InsertionGuard guard(*this);
    setInsertionPoint(forall.getTerminator());
    body(forall.getInductionVar(0));
  }
  /// A branch; only the way that is taken, if that is known.
  void ifTrue(Value condition, llvm::function_ref<void()> then,
              llvm::function_ref<void()> otherwise = nullptr) {
    if (std::optional<int64_t> known = getConstantIntValue(condition)) {
      if (*known)
        then();
      else if (otherwise)
        otherwise();
      return;
    }
    auto ifOp = scf::IfOp::create(*this, condition,
                                  /*withElseRegion=*/bool(otherwise));
    InsertionGuard guard(*this);
    setInsertionPointToStart(ifOp.thenBlock());
    then();
    if (otherwise) {
      setInsertionPointToStart(ifOp.elseBlock());
      otherwise();
    }
  }

  /// The same with values.
  SmallVector<Value>
  choose(Value condition, llvm::function_ref<SmallVector<Value>()> then,
         llvm::function_ref<SmallVector<Value>()> otherwise) {
    if (std::optional<int64_t> known = getConstantIntValue(condition))
      return *known ? then() : otherwise();
    auto build = [&](llvm::function_ref<SmallVector<Value>()> branch) {
      return [this, branch](OpBuilder &builder, Location loc) {
        InsertionGuard guard(*this);
        setInsertionPoint(builder.getInsertionBlock(),
                          builder.getInsertionPoint());
        scf::YieldOp::create(*this, branch());
      };
    };
    return scf::IfOp::create(*this, getLoc(), condition, build(then),
                             build(otherwise))
        .getResults();
  }

  /// The first index in [0, size) at which what `load` loads, which ascends, is
  /// at least `value`, or `size`. All are of type index.
  Value lowerBound(Value size, Value value,
                   llvm::function_ref<Value(Value)> load) {
    return loopWhile(
        {index(0), size},
        [&](ValueRange range) { return less(range[0], range[1]); },
        [&](ValueRange range) -> SmallVector<Value> {
          Value middle = div(add(range[0], range[1]), index(2));
          Value isBelow = less(load(middle), value);
          return {select(isBelow, add(middle, index(1)), range[0]),
                  select(isBelow, range[1], middle)};
        })[0];
  }
  /// The first index in [begin, end) that `matches`, or `end`.
  Value findFirst(Value begin, Value end,
                  llvm::function_ref<Value(Value)> matches) {
    // What does not match, and is there to be looked at.
    auto isNext = [&](ValueRange at) {
      return choose(
          less(at[0], end),
          [&]() -> SmallVector<Value> {
            return {arith::XOrIOp::create(*this, matches(at[0]), flag(true))};
          },
          [&]() -> SmallVector<Value> { return {flag(false)}; })[0];
    };
    return loopWhile(begin, isNext, [&](ValueRange at) -> SmallVector<Value> {
      return {add(at[0], index(1))};
    })[0];
  }

  /// An elementwise operation on rows of one length: `body` maps the elements
  /// of `inputs` and of `outputs` to what becomes of the latter.
  void elementwise(
      ValueRange inputs, ValueRange outputs,
      llvm::function_ref<SmallVector<Value>(LoopBuilder &, ValueRange)> body) {
    SmallVector<AffineMap> maps(inputs.size() + outputs.size(),
                                getMultiDimIdentityMap(1));
    addSchedule(linalg::GenericOp::create(
        *this, TypeRange(), inputs, outputs, maps,
        ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
        [&](OpBuilder &b, Location loc, ValueRange elements) {
          LoopBuilder inner(loc, b);
          linalg::YieldOp::create(b, loc, body(inner, elements));
        }));
  }
  /// The same with one output.
  void elementwise(ValueRange inputs, Value output,
                   llvm::function_ref<Value(LoopBuilder &, ValueRange)> body) {
    elementwise(inputs, ValueRange(output),
                [&](LoopBuilder &b, ValueRange elements) -> SmallVector<Value> {
                  return {body(b, elements)};
                });
  }
  void fill(Value output, Value value) {
    addSchedule(linalg::FillOp::create(*this, value, output));
  }
  void copy(Value from, Value to) {
    addSchedule(linalg::CopyOp::create(*this, from, to));
  }

  /// Converts between float types, exactly or with one rounding.
  Value convertFloat(Value value, Type type) {
    unsigned from = value.getType().getIntOrFloatBitWidth();
    unsigned to = type.getIntOrFloatBitWidth();
    // arith-expand knows bf16 from f32 and to f32 alone.
    if (value.getType().isBF16() && type.isF64())
      value = arith::ExtFOp::create(*this, getF32Type(), value);
    if (from < to)
      return arith::ExtFOp::create(*this, type, value);
    if (from > to)
      return arith::TruncFOp::create(*this, type, value);
    return value;
  }

  /// The schedule of what is lowered.
  ScheduleAttr getSchedule() { return embedding::getSchedule(lowered); }

private:
  void addSchedule(Operation *op) {
    if (lowered)
      copySchedule(lowered, op);
  }

  Operation *lowered = nullptr;
};

/// A size of the cost model that is known when the code runs, if not before.
class RuntimeSize {
public:
  RuntimeSize(LoopBuilder &b, Value value) : b(b), value(value) {}

  RuntimeSize operator/(int64_t divisor) const {
    return {b, b.createOrFold<arith::DivUIOp>(value, b.index(divisor))};
  }
  RuntimeSize operator<=(const RuntimeSize &other) const {
    return {b, b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::sle, value,
                                             other.value)};
  }
  RuntimeSize operator<=(int64_t bound) const {
    return *this <= RuntimeSize(b, b.index(bound));
  }
  RuntimeSize operator&(const RuntimeSize &other) const {
    return {b, b.createOrFold<arith::AndIOp>(value, other.value)};
  }
  operator Value() const { return value; }

private:
  LoopBuilder &b;
  Value value;
};

/// `blockCount` blocks of `blockSize` elements, the last one shorter.
struct Blocks {
  Value blockCount;
  Value blockSize;
  Value size;

  /// Cuts `size` elements of `bytes` each into at most `maxBlocks` blocks of at
  /// least `minBlockBytes`.
  Blocks(LoopBuilder &b, Value size, Value bytes, Value minBlockBytes,
         int64_t maxBlocks)
      : size(size) {
    Value wanted = b.divUp(b.mul(size, bytes), minBlockBytes);
    // No more blocks than elements, and at least one to divide by.
    blockCount =
        b.max(b.min(b.min(wanted, b.index(maxBlocks)), size), b.index(1));
    blockSize = b.divUp(size, blockCount);
  }

  Blocks(LoopBuilder &b, Value size, Value bytes, int64_t minBlockBytes,
         int64_t maxBlocks)
      : Blocks(b, size, bytes, b.index(minBlockBytes), maxBlocks) {}

  /// Runs `body` for the range of each block, in parallel.
  void forEach(LoopBuilder &b,
               llvm::function_ref<void(Value, Value, Value)> body) const {
    b.parallelLoop(blockCount, [&](Value block) {
      Value begin = b.min(b.mul(block, blockSize), size);
      body(block, begin, b.min(b.add(begin, blockSize), size));
    });
  }
};

/// A memref with its leading dimensions as one: those of the indices, without
/// or with that of a row behind them.
class Flattened {
public:
  Flattened(LoopBuilder &b, Value memref, int64_t numTrailingDims)
      : memref(memref) {
    auto type = cast<MemRefType>(memref.getType());
    int64_t rank = type.getRank() - numTrailingDims;
    for (int64_t dim = 0; dim < rank; ++dim)
      sizes.push_back(b.value(getMixedSize(b, b.getLoc(), memref, dim)));
    count = b.index(1);
    for (Value size : sizes)
      count = b.createOrFold<arith::MulIOp>(count, size);
    if (rank <= 1 || !type.getLayout().isIdentity())
      return;
    SmallVector<ReassociationIndices> groups(1);
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      if (dim >= rank)
        groups.emplace_back();
      groups.back().push_back(dim);
    }
    this->memref = memref::CollapseShapeOp::create(b, memref, groups);
    sizes.assign({count});
  }

  Value size() const { return count; }

  SmallVector<Value> position(LoopBuilder &b, Value flat) const {
    if (sizes.size() <= 1)
      return SmallVector<Value>(sizes.size(), flat);
    return SmallVector<Value>(
        affine::AffineDelinearizeIndexOp::create(b, flat, sizes).getResults());
  }
  /// An element, if there are no trailing dimensions.
  Value load(LoopBuilder &b, Value flat) const {
    return b.load(memref, position(b, flat));
  }
  /// `width` elements of a row from `column` on.
  Value row(LoopBuilder &b, Value flat, OpFoldResult column,
            OpFoldResult width) const {
    return takeColumns(b, b.getLoc(), memref,
                       getAsOpFoldResult(position(b, flat)), column, width);
  }

private:
  Value memref;
  SmallVector<Value> sizes;
  Value count;
};

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_UTILS_LOOPBUILDER_H
