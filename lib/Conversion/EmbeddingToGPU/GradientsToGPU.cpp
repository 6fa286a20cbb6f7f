//===- GradientsToGPU.cpp - Gradients that keep single rows ---------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceSegments.h"
#include "Patterns.h"
#include "RowLanes.h"
#include "Tiles.h"

using namespace mlir;
using namespace mlir::embedding;

namespace {

//===----------------------------------------------------------------------===//
// DenseGradOp
//===----------------------------------------------------------------------===//

/// A scatter, which the schedule says it is: zeros that each position adds to
/// atomically.
struct DenseGradToGPU : ToGPUPattern<DenseGradOp> {
  using ToGPUPattern::ToGPUPattern;

  LogicalResult verify(DenseGradOp op, RewriterBase &rewriter) const override {
    Type element =
        cast<MemRefType>(op.getGradTable().getType()).getElementType();
    if (getSchedule(op).getGrouping() == Grouping::scatter &&
        !op.getScaleGradByFreq() && element == getAccumulatorType(element))
      return success();
    return rewriter.notifyMatchFailure(
        op, "run 'embedding-decompose-operations' first");
  }

  void lower(DenseGradOp op, LoopBuilder &host) const override {
    DeviceIndices indices = getMaskedIndices(host, op);
    Value from = op.getGradOutput(), to = op.getGradTable();
    RowLanes lanes(host, {from, to}, options.rowAlignment);
    launchForRows(
        host, "clear_grad",
        host.rowsWithElements(indices.getNumRows(), lanes.getRowLength()),
        lanes, [&](KernelBuilder &k, Value row) {
          Buffer rows = k.use(to, Access::write);
          lanes.clear(k, getRow(k, rows, row));
        });
    launchForRows(host, "add_grad", indices.size(), lanes,
                  [&](KernelBuilder &k, Value position) {
                    Value index = indices.load(k, position);
                    Value row = indices.getRow(k, index);
                    k.ifTrue(lanes.isFirst(k),
                             [&] { indices.check(k, position, index); });
                    auto add = [&] {
                      Buffer fromRows = k.use(from, Access::read);
                      Buffer toRows = k.use(to, Access::write);
                      RowAddress source = getRow(k, fromRows, position);
                      RowAddress destination = getRow(k, toRows, row);
                      lanes.forEach(k, [&](ArrayRef<Lane> pieces) {
                        SmallVector<Value> loaded;
                        for (const Lane &piece : pieces)
                          loaded.push_back(lanes.load(k, source, piece));
                        for (auto [value, piece] : llvm::zip(loaded, pieces))
                          lanes.addAtomically(k, value, destination, piece,
                                              options.vectorAtomics);
                      });
                    };
                    if (indices.isTotal())
                      return add();
                    k.ifTrue(k.cmp(arith::CmpIPredicate::ult, row,
                                   k.use(indices.getNumRows())),
                             add);
                  });
  }
};

//===----------------------------------------------------------------------===//
// InverseFrequenciesOp
//===----------------------------------------------------------------------===//

/// A thread for each position finds its segment.
struct InverseFrequenciesToGPU : ToGPUPattern<InverseFrequenciesOp> {
  using ToGPUPattern::ToGPUPattern;

  void lower(InverseFrequenciesOp op, LoopBuilder &host) const override {
    DeviceSegments segments(op);
    Type type = cast<MemRefType>(op.getWeights().getType()).getElementType();
    launchForEach(
        host, "inverse_frequencies", host.numElements(op.getPositions()),
        [&](KernelBuilder &k, Value i) {
          k.ifTrue(k.less(i, segments.begin(k, segments.size(k))), [&] {
            Value segment = segments.lastBefore(k, k.add(i, k.index(1)));
            Value length =
                k.sub(segments.end(k, segment), segments.begin(k, segment));
            storeFlat(k, createInverse(k, length, type),
                      k.use(op.getWeights(), Access::write),
                      segments.position(k, i));
          });
        });
  }
};

//===----------------------------------------------------------------------===//
// SparseGradOp and DoubleBackwardOp
//===----------------------------------------------------------------------===//

/// What moves rows that are scaled, if at all, by weights.
template <typename OpTy> struct WeightedToGPUPattern : ToGPUPattern<OpTy> {
  using ToGPUPattern<OpTy>::ToGPUPattern;

  LogicalResult verify(OpTy op, RewriterBase &rewriter) const override {
    if (op.getScaleGradByFreq())
      return rewriter.notifyMatchFailure(
          op, "run 'embedding-decompose-operations' first");
    return success();
  }
};

/// A gather, with zeros where no row is named.
struct DoubleBackwardToGPU : WeightedToGPUPattern<DoubleBackwardOp> {
  using WeightedToGPUPattern::WeightedToGPUPattern;

  void lower(DoubleBackwardOp op, LoopBuilder &host) const override {
    launchGather(host, "double_backward", getMaskedIndices(host, op),
                 op.getGradGradTable(), op.getOut(), options.rowAlignment,
                 op.getWeights());
  }
};

/// Numbers the positions that are kept, unless all are, then copies.
struct SparseGradToGPU : WeightedToGPUPattern<SparseGradOp> {
  using WeightedToGPUPattern::WeightedToGPUPattern;

  void lower(SparseGradOp op, LoopBuilder &host) const override {
    DeviceIndices indices = getMaskedIndices(host, op);
    // The entry of each position, or -1; null if that is the position.
    Value entries;
    if (indices.keepsAll())
      launchForEach(host, "sparse_grad_count", host.index(1),
                    [&](KernelBuilder &k, Value) {
                      storeCount(k, op, k.toI64(k.use(indices.size())));
                    });
    else
      entries = numberEntries(host, op, indices);
    RowLanes lanes(host, {op.getGradOutput(), op.getValues()},
                   options.rowAlignment);
    launchForRows(
        host, "sparse_grad", indices.size(), lanes,
        [&](KernelBuilder &k, Value position) {
          Value index = indices.load(k, position);
          k.ifTrue(lanes.isFirst(k),
                   [&] { indices.check(k, position, index); });
          auto copy = [&](Value entry) {
            Value row = k.toI64(indices.getRow(k, index));
            k.ifTrue(lanes.isFirst(k), [&] {
              storeFlat(k, row, k.use(op.getRows(), Access::write), entry);
            });
            copyRow(k, op, lanes, position, entry);
          };
          if (!entries && op.getWeights() && indices.checks())
            // What is out of range is in no segment, and has no weight.
            return k.ifTrue(isInRange(k, indices, index),
                            [&] { copy(position); });
          if (!entries)
            return copy(position);
          Value entry =
              k.loadIndex(k.use(entries, Access::read).elements, position);
          k.ifTrue(k.cmp(arith::CmpIPredicate::sge, entry, k.index(0)),
                   [&] { copy(entry); });
        });
    if (entries)
      host.deallocate(entries);
  }

private:
  static Value isInRange(KernelBuilder &k, const DeviceIndices &indices,
                         Value index) {
    return k.cmp(arith::CmpIPredicate::ult, indices.getRow(k, index),
                 k.use(indices.getNumRows()));
  }

  static void storeCount(KernelBuilder &k, SparseGradOp op, Value count) {
    storeFlat(k, count, k.use(op.getNnz(), Access::write), k.index(0));
  }

  static Value numberEntries(LoopBuilder &host, SparseGradOp op,
                             const DeviceIndices &indices) {
    auto isKept = [&](KernelBuilder &k, Value position) -> Value {
      return isInRange(k, indices, indices.load(k, position));
    };
    Value size = indices.size();
    Value entries = allocateBuffer(host, host.getI64Type(), size);
    Numbering numbering(host, "sparse_grad", size, isKept);
    numbering.forEach(
        host, "sparse_grad_entries", isKept,
        [&](KernelBuilder &k, Value position, Value entry, Value kept) {
          k.store(k.select(kept, entry, k.i64(-1)),
                  k.use(entries, Access::write).elements, position);
        });
    launchForEach(host, "sparse_grad_count", host.index(1),
                  [&](KernelBuilder &k, Value) {
                    storeCount(k, op, numbering.getTotal(k));
                  });
    numbering.deallocate(host);
    return entries;
  }

  static void copyRow(KernelBuilder &k, SparseGradOp op, const RowLanes &lanes,
                      Value position, Value entry) {
    Value weight;
    if (op.getWeights())
      weight = loadFlat(k, k.use(op.getWeights(), Access::read), position);
    Buffer fromBuffer = k.use(op.getGradOutput(), Access::read);
    Buffer toBuffer = k.use(op.getValues(), Access::write);
    lanes.copy(k, getRow(k, fromBuffer, position), getRow(k, toBuffer, entry),
               weight);
  }
};

} // namespace

void embedding::populateGradientsToGPUPatterns(RewritePatternSet &patterns,
                                               const GPUOptions &options) {
  patterns.add<DenseGradToGPU, InverseFrequenciesToGPU, SparseGradToGPU,
               DoubleBackwardToGPU>(patterns.getContext(), options);
}
