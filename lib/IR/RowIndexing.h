//===- RowIndexing.h - What operations with indices share -------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_IR_ROWINDEXING_H
#define EMBEDDING_LIB_IR_ROWINDEXING_H

#include "../Utils/TensorOrMemRef.h"
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
/// The same for the offsets of bags.
FindInvalidOffsetOp createOffsetsCheck(OpBuilder &builder, BagOp op);

LogicalResult verifyPaddingIdx(Operation *op, std::optional<int64_t> paddingIdx,
                               std::optional<int64_t> numRows);

/// Verifies what the description of `op` says of its operands.
LogicalResult verifyOperands(RowIndexingOpInterface op);

template <typename OpTy>
using GetDynamicMaxNorm = decltype(std::declval<OpTy &>().getDynamicMaxNorm());
template <typename OpTy>
using GetPaddingIdx = decltype(std::declval<OpTy &>().getPaddingIdx());
template <typename OpTy>
using GetDynamicPaddingIdx =
    decltype(std::declval<OpTy &>().getDynamicPaddingIdx());
template <typename OpTy>
using GetScaleGradByFreq =
    decltype(std::declval<OpTy &>().getScaleGradByFreq());
template <typename OpTy>
using GetWeights = decltype(std::declval<OpTy &>().getWeights());

/// Verifies what of a bag its description does not say.
LogicalResult verifyBag(BagOp op);

/// Verifies operands, and those attributes that `op` has.
template <typename OpTy> LogicalResult verifyRowIndexing(OpTy op) {
  if constexpr (std::is_same_v<OpTy, BagOp>) {
    if (failed(verifyBag(op)))
      return failure();
  }
  if (failed(verifyOperands(op)))
    return failure();
  if constexpr (llvm::is_detected<GetDynamicMaxNorm, OpTy>::value) {
    if (op.getMaxNorm().has_value() ==
        static_cast<bool>(op.getDynamicMaxNorm()))
      return op.emitOpError(
          "expected max_norm to be either a number or a value");
    if (op.getMaxNorm() && op.getMaxNorm()->isNaN())
      return op.emitOpError("expected max_norm not to be NaN");
    if (op.getNormType().isNaN())
      return op.emitOpError("expected norm_type not to be NaN");
  }
  if constexpr (llvm::is_detected<GetDynamicPaddingIdx, OpTy>::value) {
    if (op.getPaddingIdx() && op.getDynamicPaddingIdx())
      return op.emitOpError(
          "expected padding_idx to be either a number or a value");
  }
  if constexpr (llvm::is_detected<GetWeights, OpTy>::value &&
                llvm::is_detected<GetScaleGradByFreq, OpTy>::value) {
    if (op.getWeights() && op.getScaleGradByFreq())
      return op.emitOpError(
          "expected either weights or scale_grad_by_freq, which makes them");
  }
  if constexpr (llvm::is_detected<GetPaddingIdx, OpTy>::value)
    return verifyPaddingIdx(op, op.getPaddingIdx(), op.getStaticNumRows());
  return success();
}

/// A cast of a memref is folded. The tensor dialect's canonicalization folds
/// tensor.cast into every destination-style operation.
template <typename OpTy>
LogicalResult foldRowIndexing(OpTy op, typename OpTy::FoldAdaptor,
                              SmallVectorImpl<OpFoldResult> &) {
  return memref::foldMemRefCast(op);
}
LogicalResult foldRowIndexing(LookupOp op, LookupOp::FoldAdaptor adaptor,
                              SmallVectorImpl<OpFoldResult> &results);

/// The shapes of results on tensors: by what determines them, rather than by
/// the destinations, so that `tensor.dim` of a result does not keep those
/// alive.
LogicalResult reifyDestinations(RowIndexingOpInterface op, OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &reifiedShapes);

void getRowIndexingEffects(
    RowIndexingOpInterface op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects);

/// On memrefs, of an operation that reads its inputs and writes its inits.
void getDestinationStyleEffects(
    DestinationStyleOpInterface op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects);

Speculation::Speculatability
getRowIndexingSpeculatability(RowIndexingOpInterface op);

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_IR_ROWINDEXING_H
