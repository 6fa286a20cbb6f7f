//===- RowIndexing.h - What operations with indices share -------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_IR_ROWINDEXING_H
#define EMBEDDING_LIB_IR_ROWINDEXING_H

#include "embedding/IR/Embedding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

namespace mlir::embedding {

/// The number of out-of-range elements of a constant index tensor, with the
/// flat position and the value of the first of them.
struct OutOfRangeIndices {
  int64_t position = -1;
  int64_t index = 0;
  int64_t count = 0;
};
OutOfRangeIndices findOutOfRange(DenseIntElementsAttr indices, int64_t numRows);

/// Creates the check of `op` alone; returns what it found.
FindOutOfRangeOp createCheck(OpBuilder &builder, RowIndexingOpInterface op);

/// All operands with a shape are tensors, or all are memrefs.
LogicalResult verifyOneForm(Operation *op);

LogicalResult verifyPaddingIdx(Operation *op, std::optional<int64_t> paddingIdx,
                               std::optional<int64_t> numRows);

/// The effects of a destination-style operation with indices. `readsInits` says
/// that it updates its first destination, rather than overwrite it.
void getRowIndexingEffects(
    Operation *op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects,
    bool readsInits = false);

Speculation::Speculatability getRowIndexingSpeculatability(Operation *op);

/// Indices that are constant and in range need no treatment of the others.
template <typename OpTy>
struct AssumeConstantIndicesInRange : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    DenseIntElementsAttr indices;
    std::optional<int64_t> numRows = op.getStaticNumRows();
    if (op.getOutOfRange() == OutOfRange::assume || !numRows ||
        !matchPattern(op.getIndices(), m_Constant(&indices)) ||
        findOutOfRange(indices, *numRows).count != 0)
      return failure();
    rewriter.modifyOpInPlace(op, [&] { op.setOutOfRange(OutOfRange::assume); });
    return success();
  }
};

/// An operation whose results nobody reads is its check alone. (In the other
/// modes it is dead and goes as any pure operation does.)
template <typename OpTy> struct ReduceToCheckIfDead : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() == 0 || !op->use_empty() ||
        op.getOutOfRange() != OutOfRange::check)
      return failure();
    createCheck(rewriter, op);
    rewriter.eraseOp(op);
    return success();
  }
};

/// Counts a negative padding_idx from the start.
template <typename OpTy> struct NormalizePaddingIdx : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    std::optional<int64_t> padding = op.getPaddingIdx();
    std::optional<int64_t> numRows = op.getStaticNumRows();
    if (!padding || *padding >= 0 || !numRows)
      return failure();
    rewriter.modifyOpInPlace(op,
                             [&] { op.setPaddingIdx(*padding + *numRows); });
    return success();
  }
};

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_IR_ROWINDEXING_H
