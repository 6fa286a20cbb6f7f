//===- StreamStores.cpp - Store rows of large outputs around the caches ---===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Utils/LoopBuilder.h"
#include "../Utils/Results.h"
#include "embedding/IR/Embedding.h"
#include "embedding/Target/CostModel.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGSTREAMSTORESPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// The largest power of two up to a line that divides `offset`, as far as can
/// be told: a constant, or the counter of a loop of constant start and step.
static int64_t getDivisor(OpFoldResult offset) {
  if (std::optional<int64_t> constant = getConstantIntValue(offset)) {
    if (*constant == 0)
      return cost::kLineBytes;
    return std::min(*constant & -*constant, cost::kLineBytes);
  }
  auto argument = dyn_cast<BlockArgument>(cast<Value>(offset));
  auto loop = argument
                  ? dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp())
                  : nullptr;
  if (!loop || argument != loop.getInductionVar())
    return 1;
  auto getConstantDivisor = [](Value bound) -> int64_t {
    return getConstantIntValue(bound) ? getDivisor(bound) : 1;
  };
  return std::min(getConstantDivisor(loop.getLowerBound()),
                  getConstantDivisor(loop.getStep()));
}

/// Fills whole rows, which follow each other, of a line or more at a time with
/// stores that bypass the caches.
static void streamFill(LoopBuilder &b, linalg::FillOp fill) {
  Value rows = fill.getDpsInits()[0], value = fill.getInputs()[0];
  Type element = value.getType();
  int64_t elementBytes = getElementBytes(element);
  int64_t lanes = cost::kLineBytes / elementBytes;
  auto metadata = memref::ExtractStridedMetadataOp::create(b, rows);
  Value count = b.numElements(rows);
  auto flatType = MemRefType::get(
      {ShapedType::kDynamic}, element,
      StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, {1}));
  Value flat = memref::ReinterpretCastOp::create(
      b, flatType, metadata.getBaseBuffer(), OpFoldResult(metadata.getOffset()),
      ArrayRef<OpFoldResult>{count}, ArrayRef<OpFoldResult>{b.getIndexAttr(1)});

  Value base = memref::ExtractAlignedPointerAsIndexOp::create(
      b, metadata.getBaseBuffer());
  Value address =
      b.add(base, b.mul(metadata.getOffset(), b.index(elementBytes)));
  Value toLine =
      b.bitAnd(b.sub(b.index(0), address), b.index(cost::kLineBytes - 1));
  Value head = b.min(b.div(toLine, b.index(elementBytes)), count);
  Value lines = b.div(b.sub(count, head), b.index(lanes));
  Value tail = b.add(head, b.mul(lines, b.index(lanes)));
  b.loop(b.index(0), head, [&](Value i) { b.store(value, flat, i); });
  Value values =
      vector::BroadcastOp::create(b, VectorType::get({lanes}, element), value);
  b.loop(head, tail, b.index(lanes), [&](Value i) {
    vector::StoreOp::create(b, values, flat, ValueRange{i},
                            /*nontemporal=*/true,
                            llvm::MaybeAlign(cost::kLineBytes));
  });
  b.loop(tail, count, [&](Value i) { b.store(value, flat, i); });
}

/// What `memref` is a view of.
static Value getViewed(Value memref) {
  while (auto view = memref.getDefiningOp<memref::SubViewOp>())
    memref = view.getSource();
  return memref;
}

namespace {

/// An output that a row is part of.
struct Destination {
  Value output;
  /// The alignment of the row if that of the output and its outer strides are
  /// no less; 0 for rows that are filled together, which must follow each
  /// other.
  int64_t alignment;
};

struct EmbeddingStreamStores
    : embedding::impl::EmbeddingStreamStoresPassBase<EmbeddingStreamStores> {
  using EmbeddingStreamStoresPassBase::EmbeddingStreamStoresPassBase;

  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> ops;
    getOperation()->walk([&](linalg::LinalgOp op) {
      if (op->getParentOfType<LoopLikeOpInterface>())
        ops.push_back(op);
    });
    // Whether an output is streamed, by the alignment that this takes and by
    // the bytes that make it large.
    DenseMap<std::tuple<Value, int64_t, int64_t>, Value> conditions;
    llvm::SetVector<std::pair<Operation *, Value>> fences;
    for (linalg::LinalgOp op : ops) {
      FailureOr<Destination> destination = getDestination(op);
      if (failed(destination))
        destination = getFilledRows(op);
      if (failed(destination))
        continue;
      auto [output, alignment] = *destination;
      auto streaming = getSchedule(op).getStreaming();
      if (streaming == Streaming::never)
        continue;
      int64_t bound = streaming == Streaming::always ? 0 : minBytes;
      Value &condition = conditions[{output, alignment, bound}];
      if (!condition)
        condition = buildCondition(output, alignment, bound);
      LoopBuilder b(op.getLoc(), op);
      b.ifTrue(
          condition,
          [&, alignment = alignment] {
            if (alignment == 0)
              return streamFill(b, cast<linalg::FillOp>(op));
            b.clone(*op.getOperation())
                ->setAttr(kStreamedAttrName, b.getI64IntegerAttr(alignment));
          },
          [&] { b.clone(*op.getOperation()); });
      Operation *choice = op->getPrevNode();
      op.erase();
      fences.insert({getLastUse(choice, condition, /*isLoop=*/alignment == 0),
                     condition});
      ++numStreamed;
    }
    for (auto [lastUse, condition] : fences) {
      LoopBuilder b(lastUse->getLoc(), lastUse);
      if (!lastUse->hasTrait<OpTrait::IsTerminator>())
        b.setInsertionPointAfter(lastUse);
      b.ifTrue(condition, [&b] {
        LLVM::FenceOp::create(b, LLVM::AtomicOrdering::seq_cst, StringRef());
      });
    }
  }

  /// What `op` writes a row of and does not read, if streaming is an option.
  static FailureOr<Destination> getDestination(linalg::LinalgOp op) {
    if (!op.hasPureBufferSemantics() || op.getNumDpsInits() != 1 ||
        op.getNumLoops() != 1 || op.getNumParallelLoops() != 1 ||
        op.payloadUsesValueFromOperand(op.getDpsInitOperand(0)) ||
        !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity())
      return failure();
    Value row = op.getDpsInits()[0];
    auto type = cast<MemRefType>(row.getType());
    if (!type.hasStaticShape() || !type.isLastDimUnitStride() ||
        !type.getElementType().isIntOrFloat())
      return failure();
    int64_t bits = type.getElementTypeBitWidth();
    if (bits < 8 || !llvm::isPowerOf2_64(bits))
      return failure();
    int64_t elements = getDivisor(Builder(op).getIndexAttr(type.getDimSize(0)));
    for (Value input : op.getDpsInputs())
      if (getViewed(input) == getViewed(row))
        return failure();
    while (auto view = row.getDefiningOp<memref::SubViewOp>()) {
      if (!isConstantIntValue(view.getMixedStrides().back(), 1))
        return failure();
      elements = std::min(elements, getDivisor(view.getMixedOffsets().back()));
      row = view.getSource();
    }
    int64_t alignment = std::min(elements * (bits / 8), cost::kLineBytes);
    if (alignment < cost::kMinStreamedAlignment || !isOutput(row) ||
        !cast<MemRefType>(row.getType()).isLastDimUnitStride() ||
        cast<MemRefType>(row.getType()).getRank() < 2)
      return failure();
    return Destination{row, alignment};
  }

  /// What `op` fills whole rows of, if streaming is an option.
  static FailureOr<Destination> getFilledRows(linalg::LinalgOp op) {
    auto fill = dyn_cast<linalg::FillOp>(op.getOperation());
    auto view = fill ? fill.getDpsInits()[0].getDefiningOp<memref::SubViewOp>()
                     : nullptr;
    if (!view || view.getType().getRank() != 2 ||
        view.getSourceType().getRank() != 2 || !isOutput(view.getSource()))
      return failure();
    Value output = view.getSource();
    MemRefType type = view.getSourceType();
    SmallVector<OpFoldResult> strides = view.getMixedStrides();
    OpFoldResult width = view.getMixedSizes().back();
    bool isWhole = isZeroInteger(view.getMixedOffsets().back()) &&
                   (getConstantIntValue(width) == type.getDimSize(1) ||
                    isRowLength(width, output));
    int64_t bytes = getElementBytes(type.getElementType());
    if (!isWhole || !type.isLastDimUnitStride() ||
        !llvm::all_of(strides, [](OpFoldResult stride) {
          return isConstantIntValue(stride, 1);
        }))
      return failure();
    if (!type.getElementType().isIntOrFloat() || bytes > cost::kLineBytes ||
        bytes * 8 != type.getElementTypeBitWidth() ||
        !llvm::isPowerOf2_64(bytes))
      return failure();
    return Destination{output, /*alignment=*/0};
  }

  /// Whether `width` is `memref.dim %output, 1`, or what that folds to.
  static bool isRowLength(OpFoldResult width, Value output) {
    auto value = dyn_cast<Value>(width);
    if (auto allocation = output.getDefiningOp<memref::AllocOp>())
      return ShapedType::isDynamic(allocation.getType().getDimSize(1)) &&
             value == allocation.getDynamicSizes().back();
    auto dim = value ? value.getDefiningOp<memref::DimOp>() : nullptr;
    return dim && dim.getSource() == output && dim.getConstantIndex() == 1;
  }

  /// Whether `memref` outlives the function: an argument, or an allocation that
  /// is a result or that nobody frees here. What does not is about to be read.
  static bool isOutput(Value memref) {
    if (auto argument = dyn_cast<BlockArgument>(memref))
      return isa<func::FuncOp>(argument.getOwner()->getParentOp());
    auto allocation = memref.getDefiningOp<memref::AllocOp>();
    return allocation && (getResultNumber(allocation) ||
                          llvm::none_of(memref.getUsers(), [](Operation *user) {
                            return isa<memref::DeallocOp>(user);
                          }));
  }

  /// Whether `output` has at least `bound` bytes, and its rows are aligned, or
  /// for an alignment of 0 whether they follow each other.
  Value buildCondition(Value output, int64_t alignment, int64_t bound) {
    OpBuilder builder(&getContext());
    builder.setInsertionPointAfterValue(output);
    LoopBuilder b(output.getLoc(), builder);
    auto type = cast<MemRefType>(output.getType());
    Value elementBytes = b.index(type.getElementTypeBitWidth() / 8);
    auto metadata = memref::ExtractStridedMetadataOp::create(b, output);
    Value isLarge = b.hasBytes(output, bound);
    if (alignment == 0) {
      Value rowLength =
          b.value(embedding::getMixedSize(b, b.getLoc(), output, 1));
      return b.bitAnd(isLarge, b.equal(metadata.getStrides()[0], rowLength));
    }
    // A bit below the alignment in any of them is one in the address of a row.
    Value bits = memref::ExtractAlignedPointerAsIndexOp::create(b, output);
    bits = b.bitOr(bits, b.mul(metadata.getOffset(), elementBytes));
    for (Value stride : ValueRange(metadata.getStrides()).drop_back())
      bits = b.bitOr(bits, b.mul(stride, elementBytes));
    Value isAligned =
        b.equal(b.bitAnd(bits, b.index(alignment - 1)), b.index(0));
    return b.bitAnd(isLarge, isAligned);
  }

  /// Where the thread that runs `choice`, which may be a loop itself, is done
  /// with its rows: at the end of an iteration of a parallel loop that has
  /// loops of its own, else behind the outermost loop in which the output and
  /// `condition` stay what they are. (Threads that share the iterations of the
  /// latter meet at its end, which takes a locked instruction and so a fence.)
  static Operation *getLastUse(Operation *choice, Value condition,
                               bool isLoop) {
    Operation *outermost = choice;
    for (Operation *current = choice;
         current->getBlock() != condition.getParentBlock();) {
      current = current->getParentOp();
      if (isa<func::FuncOp>(current))
        break;
      if (auto forall = dyn_cast<scf::ForallOp>(current);
          forall && (isLoop || isa<scf::ForOp>(outermost)))
        return forall.getTerminator();
      if (isa<LoopLikeOpInterface>(current))
        outermost = current;
    }
    return outermost;
  }
};

} // namespace
