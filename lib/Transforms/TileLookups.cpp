//===- TileLookups.cpp - Check and copy stretch by stretch ----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../IR/RowIndexing.h"
#include "../Utils/Grain.h"
#include "../Utils/OutOfRange.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGTILELOOKUPSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// Whether all of the memory of `memref` is at one stride.
static bool isContiguous(Value memref) {
  return cast<MemRefType>(memref.getType()).getLayout().isIdentity();
}

/// A check is worth a tile, and so are rows in runs: those of the last
/// dimension of the indices, if the others are at other strides.
static bool isTiled(LookupOp op) {
  auto indices = dyn_cast<MemRefType>(op.getIndices().getType());
  if (!indices || llvm::is_contained(indices.getShape(), 0))
    return false;
  if (indices.getRank() == 1)
    return op.getOutOfRange() == OutOfRange::check;
  return indices.getRank() > 1 &&
         !(isContiguous(op.getIndices()) && isContiguous(op.getOut()));
}

namespace {

/// Makes loops over stretches of one lookup.
class LookupTiler {
public:
  LookupTiler(OpBuilder &builder, LookupOp op)
      : b(op, builder), op(op),
        isChecked(op.getOutOfRange() == OutOfRange::check) {}

  void run() {
    SmallVector<Value> sizes;
    for (OpFoldResult size : getMixedSizes(b, b.getLoc(), op.getIndices()))
      sizes.push_back(b.value(size));
    Value total = b.index(1);
    for (Value size : sizes)
      total = b.createOrFold<arith::MulIOp>(total, size);
    runLength = sizes.back();
    outerSizes.assign(sizes.begin(), std::prev(sizes.end()));
    rowLength = getMixedSize(b, b.getLoc(), op.getTable(), 1);
    numRows = b.value(getMixedSize(b, b.getLoc(), op.getTable(), 0));
    if (isChecked)
      flag.emplace(b);

    Type element = getShapedType(op.getTable()).getElementType();
    Value rowBytes =
        b.max(b.mul(b.value(rowLength),
                    b.index(std::max<int64_t>(getElementBytes(element), 1))),
              b.index(1));
    Grains blocks = getGrains(b, total, rowBytes);
    b.parallelLoop(blocks.count, [&](Value block) {
      Value begin = b.mul(block, blocks.size);
      Value end = b.min(b.add(begin, blocks.size), total);
      if (outerSizes.empty())
        return tileRun({}, b.index(0), begin, end);
      b.loop(b.div(begin, runLength), b.divUp(end, runLength), [&](Value run) {
        Value start = b.mul(run, runLength);
        SmallVector<Value> outer(
            affine::AffineDelinearizeIndexOp::create(b, run, outerSizes)
                .getResults());
        tileRun(outer, start, b.max(begin, start),
                b.min(end, b.add(start, runLength)));
      });
    });
    if (isChecked)
      b.ifTrue(flag->isSet(b), [&] { report(); });
  }

private:
  /// Positions [begin, end) of the run that begins at position `start` and has
  /// `outer` for its other indices.
  void tileRun(ArrayRef<Value> outer, Value start, Value begin, Value end) {
    Value most = b.index(cost::kStretchRows);
    // Where a stretch begins is carried: to LLVM it is no multiple of the
    // counter, which its loop strength reduction would follow into each loop
    // over rows.
    b.loop(begin, end, most, begin, [&](Value, ValueRange carried) {
      Value first = carried[0];
      Value size = b.min(most, b.sub(end, first));
      tile(outer, outer.empty() ? first : b.sub(first, start), size);
      return SmallVector<Value>{b.add(first, size)};
    });
  }

  /// `size` positions from `column` of a run on, which has `outer` for its
  /// other indices.
  void tile(ArrayRef<Value> outer, Value column, Value size) {
    Value indices = takeTile(op.getIndices(), outer, column, size, {});
    Value rows = takeTile(op.getOut(), outer, column, size, rowLength);
    auto copy = [&](OutOfRange mode) {
      auto lookup = LookupOp::create(b, op.getTable(), indices, rows, mode,
                                     op.getPaddingIdx());
      lookup->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    };
    if (!isChecked)
      return copy(op.getOutOfRange());
    OutOfRangeSearch search(b, indices, numRows);
    b.ifTrue(
        search.isAny(), [&] { flag->set(b); },
        [&] { copy(OutOfRange::assume); });
  }

  /// Reports the indices out of range, of which there are some.
  void report() {
    SmallVector<Value> found =
        OutOfRangeSearch(b, op.getIndices(), numRows).find();
    ReportOutOfRangeOp::create(
        b, found[0], found[1], found[2], numRows,
        b.getStringAttr(op->getName().getStringRef() + ": indices"));
  }

  /// `size` elements, or rows of `width`, from `column` of a run on.
  Value takeTile(Value memref, ArrayRef<Value> outer, Value column, Value size,
                 OpFoldResult width) {
    SmallVector<OpFoldResult> offsets = getAsOpFoldResult(outer);
    SmallVector<OpFoldResult> sizes(outer.size(), b.getIndexAttr(1));
    SmallVector<int64_t> shape = {ShapedType::kDynamic};
    offsets.push_back(column);
    sizes.push_back(size);
    if (width) {
      offsets.push_back(b.getIndexAttr(0));
      sizes.push_back(width);
      shape.push_back(
          getConstantIntValue(width).value_or(ShapedType::kDynamic));
    }
    SmallVector<OpFoldResult> strides(offsets.size(), b.getIndexAttr(1));
    MemRefType type = memref::SubViewOp::inferRankReducedResultType(
        shape, cast<MemRefType>(memref.getType()), offsets, sizes, strides);
    return memref::SubViewOp::create(b, type, memref, offsets, sizes, strides);
  }

  LoopBuilder b;
  LookupOp op;
  bool isChecked;
  Value runLength, numRows;
  SmallVector<Value> outerSizes;
  OpFoldResult rowLength;
  std::optional<OutOfRangeFlag> flag;
};

struct EmbeddingTileLookups
    : embedding::impl::EmbeddingTileLookupsPassBase<EmbeddingTileLookups> {
  void runOnOperation() override {
    SmallVector<LookupOp> lookups;
    getOperation()->walk([&](LookupOp op) {
      if (isTiled(op))
        lookups.push_back(op);
    });
    for (LookupOp op : lookups) {
      OpBuilder builder(op);
      LookupTiler(builder, op).run();
      op.erase();
    }
  }
};

} // namespace
