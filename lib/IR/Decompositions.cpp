//===- Decompositions.cpp - Operations as moves of rows -------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What operations are compositions of, for all targets. On tensors and memrefs
// alike: what comes in between is a tensor, or a buffer that is freed.
//
//===----------------------------------------------------------------------===//

#include "../Utils/RowMath.h"

using namespace mlir;
using namespace mlir::embedding;

namespace {

/// Builds moves in destination-passing style in place of an operation.
class MoveBuilder : public LoopBuilder {
public:
  MoveBuilder(DestinationStyleOpInterface op, OpBuilder &builder)
      : LoopBuilder(op, builder), onTensors(op.hasPureTensorSemantics()),
        schedule(op->getAttrOfType<ScheduleAttr>(kScheduleAttrName)) {}

  // Destinations whose elements do not matter.
  Value createList(Value size, Type element) {
    return createDestination(getAsOpFoldResult(size), element);
  }
  Value createNumber() { return createDestination({}, getI64Type()); }

  /// Creates a move with `destinations`, and what else its builder takes;
  /// returns what becomes of them.
  template <typename OpTy, typename... Args>
  SmallVector<Value> move(ValueRange destinations, Args &&...args) {
    SmallVector<Type> types;
    if (onTensors)
      llvm::append_range(types, destinations.getTypes());
    auto op = OpTy::create(*this, types, std::forward<Args>(args)...);
    if (schedule)
      op->setAttr(kScheduleAttrName, getScheduleOf(op));
    if (onTensors)
      return op->getResults();
    return destinations;
  }

  /// Frees what is in between; returns `results` of an operation on tensors.
  SmallVector<Value> finish(ArrayRef<Value> results) {
    for (Value buffer : buffers)
      deallocate(buffer);
    return onTensors ? SmallVector<Value>(results) : SmallVector<Value>();
  }

private:
  Value createDestination(ArrayRef<OpFoldResult> sizes, Type element) {
    if (onTensors)
      return tensor::EmptyOp::create(*this, sizes, element);
    auto [shape, dynamicSizes] = decomposeMixedValues(sizes);
    buffers.push_back(allocate(MemRefType::get(shape, element), dynamicSizes));
    return buffers.back();
  }

  /// What the schedule says of grouping is for `embedding.group`.
  Attribute getScheduleOf(Operation *op) {
    std::optional<Grouping> grouping = schedule.getGrouping();
    bool isSort =
        grouping == Grouping::radix_sort || grouping == Grouping::counting_sort;
    if (!isa<GroupOp>(op) || !isSort)
      grouping.reset();
    return schedule.withGrouping(grouping);
  }

  bool onTensors;
  ScheduleAttr schedule;
  SmallVector<Value> buffers;
};

/// The positions of the indices of an operation, by the row that they name.
struct Groups {
  /// Has `rows` and `count`, if they are not null, written.
  template <typename OpTy>
  Groups(MoveBuilder &b, OpTy op, OutOfRange mode, Value rows = nullptr,
         Value count = nullptr) {
    Type i64 = b.getI64Type();
    Value size = b.numElements(op.getIndices());
    Value end = b.createOrFold<arith::AddIOp>(size, b.index(1));
    if (!rows)
      rows = b.createList(size, i64);
    Value offsets = b.createList(end, i64);
    Value positions = b.createList(size, i64);
    if (!count)
      count = b.createNumber();
    Value dynamicPadding;
    std::optional<int64_t> padding;
    if constexpr (!std::is_same_v<OpTy, CoalesceOp>) {
      dynamicPadding = op.getDynamicPaddingIdx();
      padding = op.getPaddingIdx();
    }
    SmallVector<Value> results =
        b.move<GroupOp>({rows, offsets, positions, count}, op.getIndices(),
                        b.value(op.getMixedNumRows(b)), dynamicPadding, rows,
                        offsets, positions, count, padding, mode);
    this->rows = results[0];
    this->offsets = results[1];
    this->positions = results[2];
    this->count = results[3];
  }

  Value rows, offsets, positions, count;
};

} // namespace

/// dense_grad -> group, reduce into the rows of the table.
FailureOr<SmallVector<Value>>
DenseGradOp::decomposeOperation(OpBuilder &builder) {
  MoveBuilder b(*this, builder);
  if (llvm::is_contained(getShapedType(getGradTable()).getShape(), 0))
    return b.finish(getGradTable());
  Groups groups(b, *this, getOutOfRange());
  return b.finish(b.move<ReduceOp>(
      getGradTable(), groups.rows, groups.positions, groups.offsets,
      groups.count, getGradOutput(), getGradTable(), getScaleGradByFreq()));
}

/// coalesce -> group, reduce into a list.
FailureOr<SmallVector<Value>>
CoalesceOp::decomposeOperation(OpBuilder &builder) {
  MoveBuilder b(*this, builder);
  Groups groups(b, *this, getOutOfRange(), getRows(), getNnz());
  SmallVector<Value> sums =
      b.move<ReduceOp>(getSums(), /*rows=*/Value(), groups.positions,
                       groups.offsets, groups.count, getValues(), getSums());
  return b.finish({groups.rows, sums[0], groups.count});
}

/// bag -> reduce; that of the greatest elements is a move of its own.
FailureOr<SmallVector<Value>> BagOp::decomposeOperation(OpBuilder &builder) {
  // Checks are taken out before.
  if (getMode() == BagMode::max || getOutOfRange() == OutOfRange::check ||
      checksOffsets())
    return failure();
  MoveBuilder b(*this, builder);
  return b.finish(b.move<ReduceOp>(
      getOut(), /*rows=*/Value(), /*positions=*/Value(), getIndices(),
      getWeights(), getOffsets(), /*count=*/Value(), getPaddingRow(b, *this),
      getTable(), getOut(), /*scale_by_length=*/false,
      /*mean=*/getMode() == BagMode::mean,
      /*exclude_last_offset=*/getOffsets() && !getIncludeLastOffset(),
      getOutOfRange()));
}

/// What moves single rows, scaled by frequency -> group, inverse frequencies,
/// and the same move with these as weights. Without a scale it is a move.
template <typename OpTy>
static FailureOr<SmallVector<Value>> decomposeIntoWeighted(OpTy op,
                                                           OpBuilder &builder) {
  if (!op.getScaleGradByFreq())
    return failure();
  MoveBuilder b(op, builder);
  // It is the move that checks.
  OutOfRange mode = op.getOutOfRange();
  Groups groups(b, op, mode == OutOfRange::check ? OutOfRange::zero : mode);
  Type element = getElementTypeOrSelf(
      op.getDescribedOperand(op.getDescription().rows).getType());
  Value init =
      b.createList(b.numElements(op.getIndices()), getAccumulatorType(element));
  SmallVector<Value> weights = b.template move<InverseFrequenciesOp>(
      init, groups.positions, groups.offsets, groups.count, init);
  auto weighted = cast<OpTy>(b.clone(*op));
  weighted.getWeightsMutable().assign(weights[0]);
  weighted.setScaleGradByFreq(false);
  return b.finish(SmallVector<Value>(weighted->getResults()));
}

FailureOr<SmallVector<Value>>
SparseGradOp::decomposeOperation(OpBuilder &builder) {
  return decomposeIntoWeighted(*this, builder);
}

FailureOr<SmallVector<Value>>
DoubleBackwardOp::decomposeOperation(OpBuilder &builder) {
  return decomposeIntoWeighted(*this, builder);
}
