//===- Grouping.h - Groups of positions in lowerings ------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Renorm and the gradients are compositions of the four moves. They all begin
// with a group.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_CONVERSION_EMBEDDINGTOLOOPS_GROUPING_H
#define EMBEDDING_LIB_CONVERSION_EMBEDDINGTOLOOPS_GROUPING_H

#include "../../Utils/RowMath.h"
#include "embedding/Conversion/Passes.h"
#include "embedding/IR/Embedding.h"

namespace mlir::embedding {

using LoopsOptions = ConvertEmbeddingToLoopsPassOptions;

/// Whether `op` is on memrefs and its check, if any, has been taken out: what
/// the lowerings of the training half expect.
inline LogicalResult verifyReady(RewriterBase &rewriter, Operation *op) {
  if (!cast<DestinationStyleOpInterface>(op).hasPureBufferSemantics())
    return rewriter.notifyMatchFailure(
        op, "it is on tensors; run 'one-shot-bufferize' first");
  auto indexing = dyn_cast<RowIndexingOpInterface>(op);
  if (indexing && indexing.getOutOfRange() == OutOfRange::check)
    return rewriter.notifyMatchFailure(
        op, "run 'embedding-split-checks' first, which takes its check out");
  return success();
}

/// Whether there is no index: a dimension of `indices` is known to be 0, or of
/// `rows`, which has a row for each of them. IR knows no slice of such a
/// dimension.
inline bool hasNoIndices(Value indices, Value rows = nullptr) {
  if (llvm::is_contained(cast<MemRefType>(indices.getType()).getShape(), 0))
    return true;
  return rows &&
         llvm::is_contained(
             cast<MemRefType>(rows.getType()).getShape().drop_back(), 0);
}

/// The bytes of a row of `rowLength` elements of `element`, at least 1.
inline Value getRowBytes(LoopBuilder &b, OpFoldResult rowLength, Type element) {
  Value bytes =
      b.mul(b.value(rowLength), b.index(element.getIntOrFloatBitWidth() / 8));
  return b.max(bytes, b.index(1));
}

/// Pieces of a row whose elements are held at once.
class ColumnBlocks {
public:
  /// Of at most `maxWidth` elements.
  ColumnBlocks(OpFoldResult rowLength, int64_t maxWidth);

  int64_t getMaxWidth() const { return width; }
  /// Runs `body` for the first column and the width of each.
  void forEach(LoopBuilder &b,
               llvm::function_ref<void(OpFoldResult, OpFoldResult)> body) const;

private:
  OpFoldResult rowLength;
  int64_t width;
};

/// What an index names, under a treatment of those out of range and without the
/// padding row.
class RowNames {
public:
  /// `numRows` and `paddingRow` are of type index; the latter may be null.
  RowNames(LoopBuilder &b, Value indices, Value numRows, OutOfRange mode,
           Value paddingRow)
      : flat(b, indices, /*numTrailingDims=*/0), numRows(numRows), mode(mode),
        paddingRow(paddingRow) {}

  Value size() const { return flat.size(); }
  /// Whether every position names a row.
  bool isTotal() const { return mode == OutOfRange::assume && !paddingRow; }

  /// The row that `position` names, or `numRows` if it names none.
  Value get(LoopBuilder &b, Value position) const;
  /// Whether `position` names a row.
  Value isNamed(LoopBuilder &b, Value position) const {
    return b.less(get(b, position), numRows);
  }
  /// Calls `body` with the row that `position` names, if it names one.
  void ifNamed(LoopBuilder &b, Value position,
               llvm::function_ref<void(Value row)> body) const;

private:
  Flattened flat;
  Value numRows;
  OutOfRange mode;
  Value paddingRow;
};

/// Segments of a list, in memrefs.
struct Segments : SegmentLists {
  using SegmentLists::SegmentLists;
  /// Those of a reduction, or bags: of the length of a row of the indices, if
  /// there are no offsets.
  Segments(LoopBuilder &b, ReduceOp op);
  Segments(LoopBuilder &b, BagOp op);

  /// The number of segments.
  Value size(LoopBuilder &b) const {
    return count ? b.loadIndex(count) : numSegments;
  }
  /// The elements that are in segments.
  Value listSize(LoopBuilder &b) const;
  Value row(LoopBuilder &b, Value segment) const {
    return b.loadIndex(rows, segment);
  }
  Value begin(LoopBuilder &b, Value segment) const {
    return offsets ? b.loadIndex(offsets, segment)
                   : b.mul(segment, segmentLength);
  }
  Value end(LoopBuilder &b, Value segment) const;
  /// The first segment whose row is at least `bound`.
  Value firstWithRow(LoopBuilder &b, Value bound) const {
    return b.lowerBound(size(b), bound,
                        [&](Value segment) { return row(b, segment); });
  }
  /// The first segment that begins at or behind `offset`.
  Value firstAtOrBehind(LoopBuilder &b, Value offset) const {
    return b.lowerBound(size(b), offset,
                        [&](Value segment) { return begin(b, segment); });
  }

private:
  /// Segments without a count: as many as `sums` has rows.
  void countRows(LoopBuilder &b, Value sums);
  /// Segments without offsets: the rows of `indices`.
  void measureRows(LoopBuilder &b, Value indices);

  /// Without a count.
  Value numSegments;
  /// Without offsets.
  Value segmentLength;
  /// Where the last segment ends, if the offsets do not say.
  Value lastEnd;
};

/// The results of an `embedding.group`, in buffers of their own.
struct Groups : Segments {
  /// Groups `indices` before they are used by the lowering of an operation.
  Groups(LoopBuilder &b, Value indices, Value numRows, OutOfRange mode,
         Value paddingRow);

  void deallocate(LoopBuilder &b) const {
    for (Value buffer : {rows, offsets, positions, count})
      b.deallocate(buffer);
  }
};

/// The rows that are read and written for one of `numSegments` segments of a
/// list of up to `listSize` rows, on average.
inline Value getRowsPerSegment(LoopBuilder &b, Value listSize,
                               Value numSegments) {
  return b.add(b.divUp(listSize, b.max(numSegments, b.index(1))), b.index(1));
}

void populateGroupToLoopsPatterns(RewritePatternSet &patterns);
void populateReduceToLoopsPatterns(RewritePatternSet &patterns);
void populateBagToLoopsPatterns(RewritePatternSet &patterns);
void populateScatterToLoopsPatterns(RewritePatternSet &patterns,
                                    const LoopsOptions &options);
void populateGradientsToLoopsPatterns(RewritePatternSet &patterns);
void populateRenormToLoopsPatterns(RewritePatternSet &patterns);

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_CONVERSION_EMBEDDINGTOLOOPS_GROUPING_H
