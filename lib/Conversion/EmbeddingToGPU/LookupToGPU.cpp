//===- LookupToGPU.cpp - Copies of rows, and reports ----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Patterns.h"
#include "RowLanes.h"

using namespace mlir;
using namespace mlir::embedding;

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

/// Each group of threads checks the indices of a few rows, loads all of them
/// and then stores them. What names no row becomes zeros.
void embedding::launchGather(LoopBuilder &host, StringRef name,
                             const DeviceIndices &indices, Value table,
                             Value out, int64_t rowAlignment, Value weights) {
  RowLanes lanes(host, {out, table}, rowAlignment);
  int64_t rowsInFlight = lanes.getRowsInFlight();
  int64_t groups = lanes.getGroupsPerBlock();
  int64_t rowsPerBlock = groups * rowsInFlight;
  Value blocks = host.divUp(indices.size(), host.index(rowsPerBlock));
  launchKernel(host, name, blocks, [&](KernelBuilder &k) {
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
    Buffer from = k.use(table, Access::read);
    Buffer to = k.use(out, Access::write);
    auto copy = [&](ArrayRef<Value> rows, ArrayRef<Value> positions) {
      SmallVector<RowAddress> sources, destinations;
      SmallVector<Value> scales;
      for (auto [row, position] : llvm::zip(rows, positions)) {
        sources.push_back(getRow(k, from, row));
        destinations.push_back(getRow(k, to, position));
        if (weights)
          scales.push_back(loadFlat(k, k.use(weights, Access::read), position));
      }
      lanes.forEach(k, [&](ArrayRef<Lane> pieces) {
        SmallVector<Value> values;
        for (RowAddress source : sources)
          for (const Lane &piece : pieces)
            values.push_back(lanes.load(k, source, piece));
        auto value = values.begin();
        for (auto [i, destination] : llvm::enumerate(destinations))
          for (const Lane &piece : pieces) {
            if (weights)
              *value = k.scale(*value, scales[i]);
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
}

namespace {

//===----------------------------------------------------------------------===//
// LookupOp
//===----------------------------------------------------------------------===//

/// One launch.
struct LookupToGPU : ToGPUPattern<LookupOp> {
  using ToGPUPattern::ToGPUPattern;

  void lower(LookupOp op, LoopBuilder &host) const override {
    DeviceIndices indices(host, op.getIndices(),
                          host.value(op.getMixedNumRows(host)),
                          op.getOutOfRange());
    launchGather(host, "lookup", indices, op.getTable(), op.getOut(),
                 options.rowAlignment);
  }
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
        ValueRange(op->getOperands()).take_front(3) !=
            ValueRange(find->getResults()))
      return rewriter.notifyMatchFailure(
          op, "expected the results of 'embedding.find_out_of_range' on a "
              "memref");
    LoopBuilder host(op, rewriter);
    DeviceIndices indices(host, find.getIndices(), find.getNumRows(),
                          OutOfRange::check);
    launchForEach(host, "check", indices.size(),
                  [&](KernelBuilder &k, Value position) {
                    indices.check(k, position, indices.load(k, position));
                  });
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void embedding::populateLookupToGPUPatterns(RewritePatternSet &patterns,
                                            const GPUOptions &options) {
  patterns.add<LookupToGPU>(patterns.getContext(), options);
  patterns.add<ReportToGPU>(patterns.getContext());
}
