//===- EmbeddingToGPU.cpp - Kernels and their launches --------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceIndices.h"
#include "embedding/Conversion/Passes.h"

#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_CONVERTEMBEDDINGTOGPUPASS
#include "embedding/Conversion/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

namespace {

//===----------------------------------------------------------------------===//
// LookupOp
//===----------------------------------------------------------------------===//

/// One launch: each group of threads checks the indices of a few rows, loads
/// all of them and then stores them. What names no row becomes zeros.
struct LookupToGPU : OpRewritePattern<LookupOp> {
  LookupToGPU(MLIRContext *context,
              const ConvertEmbeddingToGPUPassOptions &options)
      : OpRewritePattern(context), rowAlignment(options.rowAlignment) {}

  LogicalResult matchAndRewrite(LookupOp op,
                                PatternRewriter &rewriter) const override {
    if (isa<TensorType>(op.getTableType()))
      return rewriter.notifyMatchFailure(op, "not bufferized yet");
    if (!VectorType::isValidElementType(op.getTableType().getElementType()))
      return rewriter.notifyMatchFailure(op, "elements of no GPU type");
    LoopBuilder host(op, rewriter);
    OpFoldResult rowLength =
        embedding::getMixedSize(host, op.getLoc(), op.getTable(), /*dim=*/1);
    Value numRows = host.value(op.getMixedNumRows(host));
    DeviceIndices indices(host, op.getIndices(), numRows, op.getOutOfRange());
    RowLanes lanes(rowLength, {op.getTable(), op.getInit()}, rowAlignment);
    int64_t rowsInFlight = lanes.getRowsInFlight();
    int64_t groups = lanes.getGroupsPerBlock();
    int64_t rowsPerBlock = groups * rowsInFlight;
    Value blocks = host.divUp(indices.size(), host.index(rowsPerBlock));
    launchKernel(host, "lookup", blocks, [&](KernelBuilder &k) {
      Value count = k.use(indices.size());
      Value numRows = k.use(indices.getNumRows());
      Value last = k.sub(count, k.index(1));
      Value first =
          k.add(k.mul(k.getBlock(), k.index(rowsPerBlock)), lanes.getGroup(k));
      // Groups next to each other take rows next to each other.
      SmallVector<Value> positions, rows;
      Value areGood = k.isTrue();
      for (int64_t i = 0; i < rowsInFlight; ++i) {
        positions.push_back(k.add(first, k.index(i * groups)));
        Value index = indices.load(k, k.min(positions.back(), last));
        rows.push_back(indices.getRow(k, index));
        areGood = k.bitAnd(areGood, k.less(positions.back(), count));
        if (!indices.isTotal())
          areGood = k.bitAnd(
              areGood, k.cmp(arith::CmpIPredicate::ult, rows.back(), numRows));
      }
      Buffer from = k.use(op.getTable(), Access::read);
      Buffer to = k.use(op.getInit(), Access::write);
      auto copy = [&](ArrayRef<Value> rows, ArrayRef<Value> positions) {
        SmallVector<RowAddress> sources, destinations;
        for (auto [row, position] : llvm::zip(rows, positions)) {
          sources.push_back(getRow(k, from, row));
          destinations.push_back(getRow(k, to, position));
        }
        lanes.forEach(k, [&](ArrayRef<Lane> pieces) {
          SmallVector<Value> values;
          for (RowAddress source : sources)
            for (const Lane &piece : pieces)
              values.push_back(lanes.load(k, source, piece));
          auto value = values.begin();
          for (RowAddress destination : destinations)
            for (const Lane &piece : pieces) {
              lanes.store(k, *value, destination, piece);
              ++value;
            }
        });
      };
      // One by one: what is behind the end, and what names no row.
      auto copyCarefully = [&](Value position) {
        Value index = indices.load(k, position);
        Value row = indices.getRow(k, index);
        if (indices.isTotal())
          return copy(row, position);
        k.ifTrue(
            k.cmp(arith::CmpIPredicate::ult, row, numRows),
            [&] { copy(row, position); },
            [&] {
              lanes.clear(k, getRow(k, to, position));
              k.ifTrue(lanes.isFirst(k),
                       [&] { indices.check(k, position, index); });
            });
      };
      k.ifTrue(
          areGood, [&] { copy(rows, positions); },
          [&] {
            Value end = k.min(k.add(first, k.index(rowsPerBlock)), count);
            k.loop(first, end, k.index(groups), copyCarefully);
          });
    });
    rewriter.eraseOp(op);
    return success();
  }

private:
  int64_t rowAlignment;
};

//===----------------------------------------------------------------------===//
// ReportOutOfRangeOp
//===----------------------------------------------------------------------===//

/// The check of indices without a lookup, as of empty rows: a kernel with a
/// thread for each index. What it finds stays on the device.
struct ReportToGPU : OpRewritePattern<ReportOutOfRangeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReportOutOfRangeOp op,
                                PatternRewriter &rewriter) const override {
    auto find = op.getPosition().getDefiningOp<FindOutOfRangeOp>();
    if (!find || isa<TensorType>(find.getIndices().getType()) ||
        ValueRange(op->getOperands()) != ValueRange(find->getResults()))
      return rewriter.notifyMatchFailure(op, "expected what was found");
    LoopBuilder host(op, rewriter);
    DeviceIndices indices(host, find.getIndices(), find.getNumRows(),
                          OutOfRange::check);
    Value blocks = host.divUp(indices.size(), host.index(kBlockThreads));
    launchKernel(host, "check", blocks, [&](KernelBuilder &k) {
      Value position =
          k.add(k.mul(k.getBlock(), k.index(kBlockThreads)), k.getThread());
      k.ifTrue(k.less(position, k.use(indices.size())),
               [&] { indices.check(k, position, indices.load(k, position)); });
    });
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void embedding::populateEmbeddingToGPUPatterns(
    RewritePatternSet &patterns,
    const ConvertEmbeddingToGPUPassOptions &options) {
  patterns.add<LookupToGPU>(patterns.getContext(), options);
  patterns.add<ReportToGPU>(patterns.getContext());
}

namespace {

struct ConvertEmbeddingToGPU
    : embedding::impl::ConvertEmbeddingToGPUPassBase<ConvertEmbeddingToGPU> {
  using ConvertEmbeddingToGPUPassBase::ConvertEmbeddingToGPUPassBase;

  void runOnOperation() override {
    if (rowAlignment < 0 || (rowAlignment & (rowAlignment - 1)) != 0) {
      getOperation().emitError("expected row-alignment to be 0 or a power of "
                               "two, but got ")
          << rowAlignment.getValue();
      return signalPassFailure();
    }
    RewritePatternSet patterns(&getContext());
    populateEmbeddingToGPUPatterns(patterns, {rowAlignment});
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
