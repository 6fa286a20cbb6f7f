//===- EraseEmptyTensors.cpp - Tensors without elements -------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_ERASEEMPTYTENSORSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;

static bool isEmpty(Value tensor) {
  return llvm::is_contained(cast<RankedTensorType>(tensor.getType()).getShape(),
                            0);
}

/// The sizes of the only result of `op`, those that its type does not know as
/// values.
static FailureOr<SmallVector<OpFoldResult>> getResultSizes(OpBuilder &b,
                                                           Operation *op) {
  ReifiedRankedShapedTypeDims shapes;
  if (failed(reifyResultShapes(b, op, shapes)))
    return failure();
  return shapes.front();
}

namespace {

/// A result that has no element is as good as a new tensor of its sizes.
template <typename OpTy> struct EraseEmptyResult : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    // A reshape has as many elements as its source.
    constexpr bool isReshape = llvm::is_one_of<OpTy, tensor::CollapseShapeOp,
                                               tensor::ExpandShapeOp>::value;
    if (!isEmpty(op.getResult()) && !(isReshape && isEmpty(op->getOperand(0))))
      return failure();
    FailureOr<SmallVector<OpFoldResult>> sizes = getResultSizes(rewriter, op);
    if (failed(sizes))
      return failure();
    RankedTensorType type = op.getResultType();
    Value empty = tensor::EmptyOp::create(rewriter, op.getLoc(), *sizes,
                                          type.getElementType());
    rewriter.replaceOpWithNewOp<tensor::CastOp>(op, type, empty);
    return success();
  }
};

/// What surrounds a tensor without elements is all that there is.
struct GeneratePadding : OpRewritePattern<tensor::PadOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::PadOp op,
                                PatternRewriter &rewriter) const override {
    if (!isEmpty(op.getSource()) || isEmpty(op.getResult()))
      return failure();
    FailureOr<SmallVector<OpFoldResult>> sizes = getResultSizes(rewriter, op);
    if (failed(sizes))
      return failure();
    SmallVector<Value> dynamicSizes;
    for (auto [dim, size] : llvm::enumerate(*sizes))
      if (op.getResultType().isDynamicDim(dim))
        dynamicSizes.push_back(
            getValueOrCreateConstantIndexOp(rewriter, op.getLoc(), size));
    auto generate = tensor::GenerateOp::create(
        rewriter, op.getLoc(), op.getResultType(), dynamicSizes);
    rewriter.inlineRegionBefore(op.getRegion(), generate.getBody(),
                                generate.getBody().begin());
    rewriter.replaceOp(op, generate);
    return success();
  }
};

/// Of what is put together, tensors without elements are no part.
struct DropEmptyInputs : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> inputs = llvm::to_vector(llvm::make_filter_range(
        op.getInputs(), [](Value input) { return !isEmpty(input); }));
    if (inputs.empty() || inputs.size() == op.getInputs().size())
      return failure();
    auto rest =
        tensor::ConcatOp::create(rewriter, op.getLoc(), op.getDim(), inputs);
    rewriter.replaceOpWithNewOp<tensor::CastOp>(op, op.getResultType(), rest);
    return success();
  }
};

struct EraseEmptyTensors
    : embedding::impl::EraseEmptyTensorsPassBase<EraseEmptyTensors> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<EraseEmptyResult<tensor::PadOp>,
                 EraseEmptyResult<tensor::ConcatOp>,
                 EraseEmptyResult<tensor::CollapseShapeOp>,
                 EraseEmptyResult<tensor::ExpandShapeOp>, GeneratePadding,
                 DropEmptyInputs>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
