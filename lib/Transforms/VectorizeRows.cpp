//===- VectorizeRows.cpp - Vectorize elementwise operations on rows -------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Utils/CloneComputation.h"
#include "embedding/IR/Embedding.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/LoopUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGVECTORIZEROWSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// The widest element of `op` in bytes, or failure if one of them is laid out
/// differently in a vector and in memory.
static FailureOr<int64_t> getElementBytes(linalg::LinalgOp op) {
  int64_t bytes = 0;
  for (Value operand : op->getOperands()) {
    Type type = getElementTypeOrSelf(operand);
    if (!type.isIntOrFloat())
      return failure();
    unsigned bits = type.getIntOrFloatBitWidth();
    if (bits < 8 || bits > 64 || !llvm::isPowerOf2_32(bits))
      return failure();
    bytes = std::max<int64_t>(bytes, bits / 8);
  }
  return bytes;
}

/// Whether every memref operand runs along the innermost loop with unit stride
/// or, if it is only read, stays where it is.
static bool isContiguousAlongInnermostLoop(linalg::LinalgOp op) {
  unsigned innermost = op.getNumLoops() - 1;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (!map.isProjectedPermutation())
      return false;
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!map.isFunctionOfDim(innermost)) {
      if (op.isDpsInit(&operand))
        return false;
      continue;
    }
    if (!type || !type.isLastDimUnitStride() ||
        map.getResults().back() !=
            getAffineDimExpr(innermost, map.getContext()))
      return false;
  }
  return true;
}

/// Whether what `op` does with an element can be done with a vector.
static bool isElementwise(linalg::LinalgOp op) {
  return llvm::all_of(op.getBlock()->without_terminator(), [](Operation &op) {
    return isa<linalg::IndexOp>(op) || op.hasTrait<OpTrait::ConstantLike>() ||
           (OpTrait::hasElementwiseMappableTraits(&op) &&
            llvm::all_of(op.getResultTypes(), [](Type type) {
              return VectorType::isValidElementType(type);
            }));
  });
}

namespace {

/// Cuts one operation into vectors.
class RowVectorizer {
public:
  RowVectorizer(RewriterBase &rewriter, linalg::LinalgOp op,
                int64_t vectorLength, std::optional<int64_t> maxUnrolled)
      : rewriter(rewriter), op(op), loc(op.getLoc()),
        vectorLength(vectorLength), maxUnrolled(maxUnrolled) {}

  void run() {
    rewriter.setInsertionPoint(op);
    auto tiling = cast<TilingInterface>(op.getOperation());
    SmallVector<Range> domain = tiling.getIterationDomain(rewriter);
    rowLength = domain.back().size;

    // The outer loops run one by one.
    SmallVector<Value> lowerBounds, upperBounds, steps;
    for (const Range &range : ArrayRef(domain).drop_back()) {
      lowerBounds.push_back(constant(0));
      upperBounds.push_back(
          getValueOrCreateConstantIndexOp(rewriter, loc, range.size));
      steps.push_back(constant(1));
    }
    scf::buildLoopNest(rewriter, loc, lowerBounds, upperBounds, steps,
                       [&](OpBuilder &b, Location, ValueRange ivs) {
                         OpBuilder::InsertionGuard guard(rewriter);
                         rewriter.setInsertionPoint(b.getInsertionBlock(),
                                                    b.getInsertionPoint());
                         outer = ivs;
                         for (OpOperand &operand : op->getOpOperands())
                           rows.push_back(takeRow(operand));
                         if (auto length = getConstantIntValue(rowLength))
                           vectorizeStaticRow(*length);
                         else
                           vectorizeDynamicRow(cast<Value>(rowLength));
                       });
    rewriter.eraseOp(op);
  }

private:
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(rewriter, loc, value);
  }
  bool isRow(OpOperand &operand) {
    return op.getMatchingIndexingMap(&operand).isFunctionOfDim(
        op.getNumLoops() - 1);
  }

  /// The row of `operand` where the outer loops are, of rank 1; `operand`
  /// itself if it stays where it is.
  Value takeRow(OpOperand &operand) {
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type || type.getRank() == 1 || !isRow(operand))
      return operand.get();
    SmallVector<OpFoldResult> offsets = getAsOpFoldResult(getOuter(operand));
    SmallVector<OpFoldResult> sizes(offsets.size(), rewriter.getIndexAttr(1));
    SmallVector<OpFoldResult> strides(type.getRank(), rewriter.getIndexAttr(1));
    offsets.push_back(rewriter.getIndexAttr(0));
    sizes.push_back(rowLength);
    auto rowType =
        cast<MemRefType>(memref::SubViewOp::inferRankReducedResultType(
            {getConstantIntValue(rowLength).value_or(ShapedType::kDynamic)},
            type, offsets, sizes, strides));
    return memref::SubViewOp::create(rewriter, loc, rowType, operand.get(),
                                     offsets, sizes, strides);
  }

  /// The counters of the outer loops that `operand` depends on.
  SmallVector<Value> getOuter(OpOperand &operand) {
    SmallVector<Value> indices;
    for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults())
      if (unsigned dim = cast<AffineDimExpr>(expr).getPosition();
          dim < outer.size())
        indices.push_back(outer[dim]);
    return indices;
  }

  /// Emits `op` on `size` elements from `column` on as vectors.
  void vectorizePiece(OpFoldResult column, int64_t size) {
    IRMapping lanes;
    auto getLanes = [&](Value value) {
      Value found = lanes.lookupOrNull(value);
      return found ? found : broadcast(value, size);
    };
    for (OpOperand &operand : op->getOpOperands())
      if (op.payloadUsesValueFromOperand(&operand))
        lanes.map(op.getMatchingBlockArgument(&operand),
                  load(operand, column, size));
    for (Operation &scalar : op.getBlock()->without_terminator()) {
      if (scalar.hasTrait<OpTrait::ConstantLike>()) {
        Value value = rewriter.clone(scalar)->getResult(0);
        lanes.map(scalar.getResult(0), broadcast(value, size));
      } else if (auto index = dyn_cast<linalg::IndexOp>(scalar)) {
        lanes.map(index.getResult(), getIndex(index.getDim(), column, size));
      } else {
        SmallVector<Value> operands =
            llvm::map_to_vector(scalar.getOperands(), getLanes);
        SmallVector<Type> types = llvm::map_to_vector(
            scalar.getResultTypes(),
            [&](Type type) -> Type { return VectorType::get({size}, type); });
        Operation *vector =
            rewriter.create(scalar.getLoc(), scalar.getName().getIdentifier(),
                            operands, types, scalar.getAttrs());
        lanes.map(scalar.getResults(), vector->getResults());
      }
    }
    for (auto [init, value] :
         llvm::zip_equal(op.getDpsInitsMutable(),
                         op.getBlock()->getTerminator()->getOperands()))
      store(getLanes(value), rows[init.getOperandNumber()], column);
  }

  Value broadcast(Value value, int64_t size) {
    return vector::BroadcastOp::create(
        rewriter, loc, VectorType::get({size}, value.getType()), value);
  }

  /// Of each lane, the counter of the loop `dim`.
  Value getIndex(uint64_t dim, OpFoldResult column, int64_t size) {
    if (dim < outer.size())
      return broadcast(outer[dim], size);
    Value start =
        broadcast(getValueOrCreateConstantIndexOp(rewriter, loc, column), size);
    Value step = vector::StepOp::create(
        rewriter, loc, VectorType::get({size}, rewriter.getIndexType()));
    return arith::AddIOp::create(rewriter, loc, start, step);
  }

  /// `column` as the map and the operands of an affine access or bound.
  static std::pair<AffineMap, SmallVector<Value>> getMap(Builder &b,
                                                         OpFoldResult column) {
    if (auto constant = getConstantIntValue(column))
      return {b.getConstantAffineMap(*constant), {}};
    return {b.getDimIdentityMap(), {cast<Value>(column)}};
  }

  Value load(OpOperand &operand, OpFoldResult column, int64_t size) {
    Value row = rows[operand.getOperandNumber()];
    if (!isRow(operand)) {
      if (isa<MemRefType>(row.getType()))
        row = memref::LoadOp::create(rewriter, loc, row, getOuter(operand));
      return broadcast(row, size);
    }
    auto type = VectorType::get(
        {size}, cast<MemRefType>(row.getType()).getElementType());
    if (isAffine) {
      auto [map, operands] = getMap(rewriter, column);
      return affine::AffineVectorLoadOp::create(rewriter, loc, type, row, map,
                                                operands);
    }
    return vector::LoadOp::create(
        rewriter, loc, type, row,
        getValueOrCreateConstantIndexOp(rewriter, loc, column));
  }

  void store(Value lanes, Value row, OpFoldResult column) {
    // There is no streaming affine.vector_store.
    auto streamed = op->getAttrOfType<IntegerAttr>(kStreamedAttrName);
    if (isAffine && !streamed) {
      auto [map, operands] = getMap(rewriter, column);
      affine::AffineVectorStoreOp::create(rewriter, loc, lanes, row, map,
                                          operands);
      return;
    }
    llvm::MaybeAlign alignment;
    if (streamed) {
      auto type = cast<VectorType>(lanes.getType());
      int64_t bytes = type.getNumElements() * type.getElementTypeBitWidth() / 8;
      alignment = llvm::MaybeAlign(std::min(bytes, streamed.getInt()));
    }
    vector::StoreOp::create(
        rewriter, loc, lanes, row,
        getValueOrCreateConstantIndexOp(rewriter, loc, column),
        /*nontemporal=*/streamed != nullptr, alignment);
  }

  /// Whole vectors from the start of the row up to `end`, as a loop.
  void vectorizeInLoop(OpFoldResult end) {
    OpBuilder::InsertionGuard guard(rewriter);
    if (!isAffine) {
      auto loop = scf::ForOp::create(
          rewriter, loc, constant(0),
          getValueOrCreateConstantIndexOp(rewriter, loc, end),
          constant(vectorLength));
      rewriter.setInsertionPointToStart(loop.getBody());
      vectorizePiece(loop.getInductionVar(), vectorLength);
      return;
    }
    auto [map, operands] = getMap(rewriter, end);
    auto loop = affine::AffineForOp::create(rewriter, loc, ValueRange(),
                                            rewriter.getConstantAffineMap(0),
                                            operands, map, vectorLength);
    rewriter.setInsertionPointToStart(loop.getBody());
    vectorizePiece(loop.getInductionVar(), vectorLength);
    if (maxUnrolled)
      (void)affine::loopUnrollFull(loop);
  }

  void vectorizeStaticRow(int64_t length) {
    int64_t column = length / vectorLength * vectorLength;
    // Affine loops are unrolled, which this one is not to be.
    isAffine = !maxUnrolled || column / vectorLength <= *maxUnrolled;
    if (column > 0)
      vectorizeInLoop(rewriter.getIndexAttr(column));
    for (int64_t size = vectorLength / 2; size > 0; size /= 2)
      for (; length - column >= size; column += size)
        vectorizePiece(rewriter.getIndexAttr(column), size);
  }

  void vectorizeDynamicRow(Value length) {
    // At the top of the function, if the length is known there, what depends on
    // it is a symbol.
    OpBuilder sizes(rewriter);
    Operation *around = outer.empty()
                            ? op.getOperation()
                            : rewriter.getInsertionBlock()->getParentOp();
    Operation *top =
        affine::getAffineScope(op)->findAncestorOpInRegion(*around);
    IRMapping known;
    isAffine = mapTopLevelValues(length, known);
    if (isAffine) {
      sizes.setInsertionPoint(top);
      isAffine = succeeded(cloneComputation(sizes, length, known, isPure));
    }
    if (isAffine)
      length = known.lookup(length);
    else
      sizes = rewriter;
    auto index = [&](int64_t value) {
      return arith::ConstantIndexOp::create(sizes, loc, value);
    };
    // The length without its bits below the vector, then bit by bit.
    Value column =
        arith::AndIOp::create(sizes, loc, length, index(-vectorLength));
    vectorizeInLoop(column);
    for (int64_t size = vectorLength / 2; size > 0; size /= 2) {
      Value bit = arith::AndIOp::create(sizes, loc, length, index(size));
      Value isSet = arith::CmpIOp::create(sizes, loc, arith::CmpIPredicate::ne,
                                          bit, index(0));
      auto ifOp = scf::IfOp::create(rewriter, loc, isSet,
                                    /*withElseRegion=*/false);
      {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToStart(&ifOp.getThenRegion().front());
        vectorizePiece(column, size);
      }
      column = arith::AddIOp::create(sizes, loc, column, bit);
    }
  }

  /// Maps the values at the function's top level that `value` is computed from
  /// to themselves; false if there are others.
  bool mapTopLevelValues(Value value, IRMapping &known) {
    if (affine::isTopLevelValue(value)) {
      known.map(value, value);
      return true;
    }
    Operation *definition = value.getDefiningOp();
    return definition &&
           llvm::all_of(definition->getOperands(), [&](Value operand) {
             return mapTopLevelValues(operand, known);
           });
  }

  RewriterBase &rewriter;
  linalg::LinalgOp op;
  Location loc;
  int64_t vectorLength;
  /// What the schedule says.
  std::optional<int64_t> maxUnrolled;
  OpFoldResult rowLength;
  /// Where the outer loops are.
  SmallVector<Value> outer;
  /// What `takeRow` made of each operand.
  SmallVector<Value> rows;
  /// Whether the length of the row is a constant or a symbol, so that loops and
  /// accesses can be affine.
  bool isAffine = true;
};

struct EmbeddingVectorizeRows
    : embedding::impl::EmbeddingVectorizeRowsPassBase<EmbeddingVectorizeRows> {
  using EmbeddingVectorizeRowsPassBase::EmbeddingVectorizeRowsPassBase;

  LogicalResult initialize(MLIRContext *context) override {
    if (vectorBytes > 0 && llvm::isPowerOf2_64(vectorBytes))
      return success();
    return emitError(UnknownLoc::get(context))
           << "expected vector-bytes to be a power of two, but got "
           << static_cast<int64_t>(vectorBytes);
  }

  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> ops;
    getOperation()->walk([&](linalg::LinalgOp op) {
      if (op.hasPureBufferSemantics() && op.getNumLoops() > 0 &&
          op.getNumParallelLoops() == op.getNumLoops() &&
          isContiguousAlongInnermostLoop(op) && isElementwise(op))
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : ops) {
      FailureOr<int64_t> elementBytes = getElementBytes(op);
      if (failed(elementBytes))
        continue;
      ScheduleAttr schedule = getSchedule(op);
      int64_t bytes = schedule.getVectorBytes().value_or(vectorBytes);
      RowVectorizer(rewriter, op, std::max<int64_t>(bytes / *elementBytes, 1),
                    schedule.getUnroll())
          .run();
    }
  }
};

} // namespace
