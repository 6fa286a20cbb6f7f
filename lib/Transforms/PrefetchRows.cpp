//===- PrefetchRows.cpp - Prefetch indirectly addressed rows --------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Utils/LoopBuilder.h"
#include "embedding/IR/Embedding.h"
#include "embedding/Target/CostModel.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGPREFETCHROWSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// Collects, in order, the operations in `loop` that compute `value`. Fails if
/// one of them cannot be repeated for another iteration without effect: it may
/// load, if its address depends on nothing that was loaded, and must be pure
/// otherwise. `loads` collects the loads.
static LogicalResult
collectAddressSlice(scf::ForOp loop, Value value,
                    llvm::SetVector<Operation *> &slice,
                    SmallVectorImpl<memref::LoadOp> &loads) {
  if (value == loop.getInductionVar() || loop.isDefinedOutsideOfLoop(value))
    return success();
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumRegions() != 0)
    return failure();
  if (slice.contains(op))
    return success();
  if (auto load = dyn_cast<memref::LoadOp>(op)) {
    // The clamped iteration is one that runs, so what it loads is there to be
    // loaded, if every iteration loads it and the address is the iteration's
    // alone.
    loads.push_back(load);
    if (loads.size() > 1 || load->getBlock() != loop.getBody() ||
        !loop.isDefinedOutsideOfLoop(load.getMemRef()))
      return failure();
  } else if (!isPure(op)) {
    return failure();
  }
  for (Value operand : op->getOperands())
    if (failed(collectAddressSlice(loop, operand, slice, loads)))
      return failure();
  slice.insert(op);
  return success();
}

/// What `index` is in the iteration of induction variable 0, if it grows by one
/// with each iteration of `loop`; null otherwise. Built before the loop.
static Value getStartOfUnitStride(OpBuilder &builder, scf::ForOp loop,
                                  Value index) {
  Value counter = loop.getInductionVar();
  if (index == counter)
    return arith::ConstantIndexOp::create(builder, loop.getLoc(), 0);
  if (auto add = index.getDefiningOp<arith::AddIOp>())
    for (auto [term, other] : {std::pair(add.getLhs(), add.getRhs()),
                               std::pair(add.getRhs(), add.getLhs())})
      if (term == counter && loop.isDefinedOutsideOfLoop(other))
        return other;
  auto apply = index.getDefiningOp<affine::AffineApplyOp>();
  if (!apply || !llvm::all_of(apply.getMapOperands(), [&](Value operand) {
        return operand == counter || loop.isDefinedOutsideOfLoop(operand);
      }))
    return nullptr;
  AffineMap map = apply.getAffineMap();
  SmallVector<AffineExpr> dims, symbols, nextDims, nextSymbols;
  for (auto [position, operand] : llvm::enumerate(apply.getMapOperands())) {
    bool isDim = position < map.getNumDims();
    AffineExpr expr = isDim ? getAffineDimExpr(position, map.getContext())
                            : getAffineSymbolExpr(position - map.getNumDims(),
                                                  map.getContext());
    (isDim ? dims : symbols).push_back(expr);
    (isDim ? nextDims : nextSymbols)
        .push_back(operand == counter ? expr + 1 : expr);
  }
  AffineExpr step = simplifyAffineExpr(
      map.getResult(0).replaceDimsAndSymbols(nextDims, nextSymbols) -
          map.getResult(0),
      map.getNumDims(), map.getNumSymbols());
  if (step != getAffineConstantExpr(1, map.getContext()))
    return nullptr;
  IRMapping atZero;
  atZero.map(counter,
             arith::ConstantIndexOp::create(builder, loop.getLoc(), 0));
  return builder.clone(*apply, atZero)->getResult(0);
}

/// Where the iterations end that `load` may be repeated for: where the loop
/// ends or, if it walks a piece of a line of offsets, where that ends. What
/// follows the piece is the next to be read, if it is read at all.
static Value getEndOfOffsets(OpBuilder &builder, scf::ForOp loop,
                             memref::LoadOp load) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(loop);
  Location loc = load.getLoc();
  // Of several dimensions the loop walks the last one.
  auto indices = load.getIndices();
  if (indices.empty() || !llvm::all_of(indices.drop_back(), [&](Value index) {
        return loop.isDefinedOutsideOfLoop(index);
      }))
    return loop.getUpperBound();
  Value start = getStartOfUnitStride(builder, loop, indices.back());
  if (!start)
    return loop.getUpperBound();
  Value last = arith::ConstantIndexOp::create(
      builder, loc, static_cast<int64_t>(indices.size()) - 1);
  Value size = memref::DimOp::create(builder, loc, load.getMemRef(), last);
  return builder.createOrFold<arith::SubIOp>(loc, size, start);
}

/// Ends `loop` `rowsAhead` iterations before `end`, and has a copy of it run
/// the iterations that are left.
static void peelLastIterations(OpBuilder &builder, scf::ForOp loop,
                               int64_t rowsAhead, Value end) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(loop);
  LoopBuilder b(loop.getLoc(), builder);
  Value lastBegin = b.min(loop.getUpperBound(), b.sub(end, b.index(rowsAhead)));
  Value middle = b.max(loop.getLowerBound(), lastBegin);
  b.setInsertionPointAfter(loop);
  auto rest = cast<scf::ForOp>(b.clone(*loop));
  loop.getResults().replaceAllUsesWith(rest.getResults());
  rest.getInitArgsMutable().assign(loop.getResults());
  rest.setLowerBound(middle);
  loop.setUpperBound(middle);
}

/// The induction variable `rowsAhead` iterations ahead, or the last before
/// `end`, if there is one to heed.
static Value createLaterIteration(OpBuilder &builder, scf::ForOp loop,
                                  int64_t rowsAhead, Value end) {
  LoopBuilder b(loop.getLoc(), builder);
  Value ahead = b.add(loop.getInductionVar(), b.index(rowsAhead));
  return end ? b.min(ahead, b.sub(end, b.index(1))) : ahead;
}

namespace {

struct EmbeddingPrefetchRows
    : embedding::impl::EmbeddingPrefetchRowsPassBase<EmbeddingPrefetchRows> {
  using EmbeddingPrefetchRowsPassBase::EmbeddingPrefetchRowsPassBase;

  void runOnOperation() override {
    largeTables.clear();
    SmallVector<std::pair<scf::ForOp, memref::SubViewOp>> rows;
    getOperation()->walk([&](memref::SubViewOp row) {
      auto loop = row->getParentOfType<scf::ForOp>();
      if (loop && findReader(row) &&
          loop.isDefinedOutsideOfLoop(row.getSource()))
        rows.emplace_back(loop, row);
    });
    for (auto [loop, row] : rows)
      prefetch(loop, row, getSchedule(findReader(row)));
  }

  /// Who reads `row`, or a view of it: what is only written wants no prefetch.
  static Operation *findReader(Value row) {
    for (OpOperand &use : row.getUses()) {
      Operation *user = use.getOwner();
      if (isa<ViewLikeOpInterface>(user)) {
        for (Value view : user->getResults())
          if (Operation *reader = findReader(view))
            return reader;
        continue;
      }
      auto interface = dyn_cast<MemoryEffectOpInterface>(user);
      if (interface &&
          interface.getEffectOnValue<MemoryEffects::Read>(use.get()))
        return user;
    }
    return nullptr;
  }

  void prefetch(scf::ForOp loop, memref::SubViewOp row, ScheduleAttr schedule) {
    // The last iteration is simply the upper bound minus one.
    if (getConstantIntValue(loop.getStep()) != 1)
      return;
    int64_t elementBytes =
        getElementBytes(row.getSourceType().getElementType());
    SmallVector<OpFoldResult> sizes = row.getMixedSizes();
    // A row: one element of every dimension but the last.
    if (elementBytes == 0 || sizes.empty() ||
        !llvm::all_of(ArrayRef(sizes).drop_back(), [](OpFoldResult size) {
          return isConstantIntValue(size, 1);
        }))
      return;
    auto rowLengthValue = dyn_cast<Value>(sizes.back());
    if (rowLengthValue && !loop.isDefinedOutsideOfLoop(rowLengthValue))
      return;
    llvm::SetVector<Operation *> slice;
    SmallVector<memref::LoadOp, 1> loads;
    for (Value offset : row.getOffsets())
      if (failed(collectAddressSlice(loop, offset, slice, loads)))
        return;
    if (loads.empty())
      return; // Not indirect: the hardware sees it coming.

    std::optional<int64_t> rowLength = getConstantIntValue(sizes.back());
    if (rowLength == 0)
      return;
    int64_t rowBytes = rowLength.value_or(0) * elementBytes;
    std::optional<int64_t> asked = schedule.getPrefetchRows();
    if (!asked && rowsAhead > 0)
      asked = rowsAhead;
    if (asked == 0)
      return;
    int64_t localityHint = schedule.getPrefetchLocality().value_or(
        locality >= 0 ? int64_t(locality)
        : rowLength   ? cost::getPrefetchLocality(rowBytes, secondLevelRowBytes)
                      : cost::kPrefetchLocalityIfDynamic);
    int64_t distance = asked ? *asked
                       : rowLength
                           ? cost::getPrefetchRows(rowBytes, localityHint)
                           : cost::kPrefetchRowsIfDynamic;

    Location loc = row.getLoc();
    OpBuilder builder = OpBuilder::atBlockBegin(loop.getBody());
    Value isLarge = asked ? Value() : getIsLarge(row.getSource());
    if (isLarge && matchPattern(isLarge, m_Zero()))
      return;
    Value end = getEndOfOffsets(builder, loop, loads.front());
    if (rowLength && rowBytes <= maxPeeledRowBytes && !hasLoops(loop)) {
      peelLastIterations(builder, loop, distance, end);
      end = nullptr;
    }
    if (isLarge && !matchPattern(isLarge, m_One())) {
      auto ifLarge = scf::IfOp::create(builder, loc, isLarge,
                                       /*withElseRegion=*/false);
      builder.setInsertionPointToStart(ifLarge.thenBlock());
    }
    IRMapping mapping;
    mapping.map(loop.getInductionVar(),
                createLaterIteration(builder, loop, distance, end));
    for (Operation *op : slice)
      builder.clone(*op, mapping);
    SmallVector<Value> address;
    for (OpFoldResult offset : row.getMixedOffsets())
      address.push_back(mapping.lookupOrDefault(
          getValueOrCreateConstantIndexOp(builder, loc, offset)));
    prefetchLines(builder, loc, row.getSource(), address, sizes.back(),
                  rowLength, elementBytes, localityHint);
    ++numPrefetched;
  }

  /// Whether `loop` has loops in it: such an iteration hides a comparison, and
  /// is long.
  static bool hasLoops(scf::ForOp loop) {
    return loop.getBody()
        ->walk([](LoopLikeOpInterface) { return WalkResult::interrupt(); })
        .wasInterrupted();
  }

  /// Whether `table` has at least `minBytes`, as a value that is a constant if
  /// it can be.
  Value getIsLarge(Value table) {
    Value &isLarge = largeTables[table];
    if (isLarge)
      return isLarge;
    OpBuilder builder(&getContext());
    builder.setInsertionPointAfterValue(table);
    LoopBuilder b(table.getLoc(), builder);
    auto type = cast<MemRefType>(table.getType());
    if (type.hasStaticShape()) {
      int64_t bytes =
          type.getNumElements() * getElementBytes(type.getElementType());
      return isLarge = arith::ConstantIntOp::create(b, bytes >= minBytes, 1);
    }
    return isLarge = b.hasBytes(table, minBytes);
  }

  /// What is known to divide the address of each row, up to a line.
  static int64_t getRowAlignment(Value table) {
    auto assumed = table.getDefiningOp<memref::AssumeAlignmentOp>();
    auto type = cast<MemRefType>(table.getType());
    auto [strides, offset] = type.getStridesAndOffset();
    if (!assumed || ShapedType::isDynamic(offset) ||
        llvm::any_of(strides, ShapedType::isDynamic))
      return 1;
    int64_t bits = assumed.getAlignment() | cost::kLineBytes;
    for (int64_t stride : ArrayRef(strides).drop_back())
      bits |= stride * getElementBytes(type.getElementType());
    bits |= offset * getElementBytes(type.getElementType());
    return bits & -bits;
  }

  /// Prefetches the lines of the row at `address`, unaligned rows included: one
  /// element in each stretch of a line's length, and the last element.
  static void prefetchLines(OpBuilder &builder, Location loc, Value table,
                            SmallVector<Value> address,
                            OpFoldResult mixedRowLength,
                            std::optional<int64_t> rowLength,
                            int64_t elementBytes, int64_t localityHint) {
    Value start = address.back();
    auto prefetchAt = [&](OpBuilder &b, Value column) {
      address.back() = arith::AddIOp::create(b, loc, start, column);
      memref::PrefetchOp::create(b, loc, table, address, /*isWrite=*/false,
                                 localityHint, /*isDataCache=*/true);
    };
    int64_t elementsPerLine =
        std::max<int64_t>(cost::kLineBytes / elementBytes, 1);
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value step = arith::ConstantIndexOp::create(builder, loc, elementsPerLine);
    Value length =
        getValueOrCreateConstantIndexOp(builder, loc, mixedRowLength);
    if (rowLength && *rowLength <= cost::kMaxUnrolledLines * elementsPerLine) {
      for (int64_t column = 0; column < *rowLength; column += elementsPerLine)
        prefetchAt(builder,
                   arith::ConstantIndexOp::create(builder, loc, column));
    } else {
      scf::ForOp::create(builder, loc, zero, length, step, ValueRange{},
                         [&](OpBuilder &b, Location, Value column, ValueRange) {
                           prefetchAt(b, column);
                           scf::YieldOp::create(b, loc);
                         });
    }
    // A row that is not whole lines may end in one more, if it begins where it
    // would.
    if (rowLength && *rowLength % elementsPerLine <= 1)
      return;
    if (rowLength) {
      int64_t rowBytes = *rowLength * elementBytes;
      int64_t lastStart = cost::kLineBytes - getRowAlignment(table);
      if (llvm::divideCeil(lastStart + rowBytes, cost::kLineBytes) ==
          llvm::divideCeil(rowBytes, cost::kLineBytes))
        return;
    }
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    prefetchAt(builder, arith::SubIOp::create(builder, loc, length, one));
  }

  /// What `getIsLarge` has built.
  DenseMap<Value, Value> largeTables;
};

} // namespace
