//===- ResolveExpandShape.cpp - Views of several dynamic sizes ------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Utils/LoopBuilder.h"
#include "embedding/Transforms/Passes.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGRESOLVEEXPANDSHAPEPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// Whether a dimension becomes several of dynamic size.
static bool hasSeveralDynamicSizes(memref::ExpandShapeOp op) {
  MemRefType type = op.getResultType();
  return llvm::any_of(op.getReassociationIndices(), [&](const auto &group) {
    return llvm::count_if(
               group, [&](int64_t dim) { return type.isDynamicDim(dim); }) > 1;
  });
}

/// Replaces `op` by a cast of its source's memory.
static void resolve(memref::ExpandShapeOp op, RewriterBase &rewriter) {
  LoopBuilder b(op, rewriter);
  MemRefType type = op.getResultType();
  SmallVector<int64_t> staticStrides;
  int64_t staticOffset;
  // A view of strides has them too.
  (void)type.getStridesAndOffset(staticStrides, staticOffset);
  auto source = memref::ExtractStridedMetadataOp::create(b, op.getSrc());
  // What the type says, and else `value`.
  auto choose = [&](int64_t known, Value value) -> OpFoldResult {
    return ShapedType::isDynamic(known) ? OpFoldResult(value)
                                        : b.getIndexAttr(known);
  };
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
  SmallVector<OpFoldResult> strides(type.getRank());
  for (auto [dim, group] : llvm::enumerate(op.getReassociationIndices())) {
    Value stride = source.getStrides()[dim];
    for (int64_t inner : llvm::reverse(group)) {
      strides[inner] = choose(staticStrides[inner], stride);
      stride = b.mul(stride, b.value(sizes[inner]));
    }
  }
  auto cast = memref::ReinterpretCastOp::create(
      b, type, source.getBaseBuffer(), choose(staticOffset, source.getOffset()),
      sizes, strides);
  rewriter.replaceOp(op, cast);
}

namespace {

struct EmbeddingResolveExpandShape
    : embedding::impl::EmbeddingResolveExpandShapePassBase<
          EmbeddingResolveExpandShape> {
  void runOnOperation() override {
    SmallVector<memref::ExpandShapeOp> found;
    getOperation()->walk([&](memref::ExpandShapeOp op) {
      if (hasSeveralDynamicSizes(op))
        found.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (memref::ExpandShapeOp op : found) {
      rewriter.setInsertionPoint(op);
      resolve(op, rewriter);
    }
  }
};

} // namespace
