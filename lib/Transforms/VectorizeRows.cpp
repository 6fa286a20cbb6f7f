//===- VectorizeRows.cpp - Vectorize elementwise operations on rows -------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/IR/Embedding.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/Interfaces/TilingInterface.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

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
/// or stays where it is.
static bool isContiguousAlongInnermostLoop(linalg::LinalgOp op) {
  unsigned innermost = op.getNumLoops() - 1;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (!map.isProjectedPermutation())
      return false;
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type || !map.isFunctionOfDim(innermost))
      continue;
    if (!type.isLastDimUnitStride() ||
        map.getResults().back() !=
            getAffineDimExpr(innermost, map.getContext()))
      return false;
  }
  return true;
}

namespace {

/// Cuts one operation into vectors.
class RowVectorizer {
public:
  RowVectorizer(RewriterBase &rewriter, linalg::LinalgOp op,
                int64_t vectorLength, int64_t maxUnrolledVectors)
      : rewriter(rewriter), op(op), loc(op.getLoc()),
        vectorLength(vectorLength), maxUnrolledVectors(maxUnrolledVectors) {}

  void run() {
    rewriter.setInsertionPoint(op);
    auto tiling = cast<TilingInterface>(op.getOperation());
    SmallVector<Range> domain = tiling.getIterationDomain(rewriter);
    OpFoldResult rowLength = domain.back().size;

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
                         outer = getAsOpFoldResult(ivs);
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

  /// Emits `op` on `size` elements from `column` on as vectors.
  void vectorizePiece(OpFoldResult column, int64_t size) {
    OpBuilder::InsertionGuard guard(rewriter);
    SmallVector<OpFoldResult> offsets(outer);
    offsets.push_back(column);
    SmallVector<OpFoldResult> sizes(outer.size(), rewriter.getIndexAttr(1));
    sizes.push_back(rewriter.getIndexAttr(size));
    FailureOr<TilingResult> tiled =
        cast<TilingInterface>(op.getOperation())
            .getTiledImplementation(rewriter, offsets, sizes);
    // A piece that does not vectorize stays what it is: a shorter linalg
    // operation, which loops handle.
    Operation *piece = tiled->tiledOps.front();
    rewriter.setInsertionPoint(piece);
    if (failed(linalg::vectorize(rewriter, piece)))
      return;
    if (auto alignment = op->getAttrOfType<IntegerAttr>(kStreamedAttrName))
      streamStores(cast<linalg::LinalgOp>(piece).getDpsInits()[0],
                   alignment.getInt());
    rewriter.eraseOp(piece);
  }

  /// Streams the vectors that are written to `piece` of a row as they are.
  void streamStores(Value piece, int64_t rowAlignment) {
    OpBuilder::InsertionGuard guard(rewriter);
    for (Operation *user : llvm::make_early_inc_range(piece.getUsers())) {
      auto write = dyn_cast<vector::TransferWriteOp>(user);
      // The whole piece: whether that is in bounds is not yet written there.
      if (!write || write.getMask() ||
          write.getVectorType().getShape() !=
              cast<MemRefType>(piece.getType()).getShape() ||
          !llvm::all_of(write.getIndices(),
                        [](Value index) { return isZeroInteger(index); }) ||
          !write.getPermutationMap().isIdentity())
        continue;
      VectorType type = write.getVectorType();
      int64_t bytes = type.getNumElements() * type.getElementTypeBitWidth() / 8;
      rewriter.setInsertionPoint(write);
      rewriter.replaceOpWithNewOp<vector::StoreOp>(
          write, write.getVector(), write.getBase(), write.getIndices(),
          /*nontemporal=*/true,
          llvm::MaybeAlign(std::min(bytes, rowAlignment)));
    }
  }

  /// Whole vectors from the start of the row up to `end`, as a loop.
  void vectorizeInLoop(Value end) {
    auto loop = scf::ForOp::create(rewriter, loc, constant(0), end,
                                   constant(vectorLength));
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(loop.getBody());
    vectorizePiece(loop.getInductionVar(), vectorLength);
  }

  void vectorizeStaticRow(int64_t length) {
    int64_t column = 0;
    int64_t numVectors = length / vectorLength;
    if (numVectors > maxUnrolledVectors) {
      column = numVectors * vectorLength;
      vectorizeInLoop(constant(column));
    }
    for (int64_t size = vectorLength; size > 0; size /= 2)
      for (; length - column >= size; column += size)
        vectorizePiece(rewriter.getIndexAttr(column), size);
  }

  void vectorizeDynamicRow(Value length) {
    // The length without its bits below the vector, then bit by bit.
    Value column =
        arith::AndIOp::create(rewriter, loc, length, constant(-vectorLength));
    vectorizeInLoop(column);
    for (int64_t size = vectorLength / 2; size > 0; size /= 2) {
      Value bit = arith::AndIOp::create(rewriter, loc, length, constant(size));
      Value isSet = arith::CmpIOp::create(
          rewriter, loc, arith::CmpIPredicate::ne, bit, constant(0));
      auto ifOp = scf::IfOp::create(rewriter, loc, isSet,
                                    /*withElseRegion=*/false);
      {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToStart(&ifOp.getThenRegion().front());
        vectorizePiece(column, size);
      }
      column = arith::AddIOp::create(rewriter, loc, column, bit);
    }
  }

  RewriterBase &rewriter;
  linalg::LinalgOp op;
  Location loc;
  int64_t vectorLength;
  int64_t maxUnrolledVectors;
  /// Where the outer loops are.
  SmallVector<OpFoldResult> outer;
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
          isContiguousAlongInnermostLoop(op))
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
                    schedule.getUnroll().value_or(maxUnrolledVectors))
          .run();
    }

    // Loads and stores of vectors of rank 1.
    RewritePatternSet patterns(&getContext());
    vector::populateCastAwayVectorLeadingOneDimPatterns(patterns);
    vector::populateDropUnitDimWithShapeCastPatterns(patterns);
    vector::populateVectorTransferLoweringPatterns(patterns,
                                                   /*maxTransferRank=*/1);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
