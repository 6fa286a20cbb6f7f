//===- CallMathIntrinsics.cpp - Math of kernels without a library ---------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_CALLMATHINTRINSICSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;

namespace {

/// An operation on one float, which LLVM has an instruction for.
template <typename OpTy> struct CallIntrinsic : OpRewritePattern<OpTy> {
  CallIntrinsic(MLIRContext *context, StringRef name)
      : OpRewritePattern<OpTy>(context), name(name) {}

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!type.isF32() && !type.isF64())
      return rewriter.notifyMatchFailure(op, "expected f32 or f64");
    StringRef suffix = type.isF32() ? ".f32" : ".f64";
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(
        op, type, rewriter.getStringAttr(name + suffix), op->getOperands());
    return success();
  }

private:
  StringRef name;
};

struct CallMathIntrinsics
    : embedding::impl::CallMathIntrinsicsPassBase<CallMathIntrinsics> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<CallIntrinsic<math::AbsFOp>>(&getContext(), "llvm.fabs");
    patterns.add<CallIntrinsic<math::SqrtOp>>(&getContext(), "llvm.sqrt");
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
