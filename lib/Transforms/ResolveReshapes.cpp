//===- ResolveReshapes.cpp - Views that upstream does not know ------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Utils/LoopBuilder.h"
#include "embedding/Transforms/Passes.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_RESOLVERESHAPESPASS
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

static bool hasUnrankedResult(memref::ReshapeOp op) {
  // `getType` takes every one for ranked.
  return isa<UnrankedMemRefType>(op.getResult().getType());
}

/// Whether upstream's lowering reads the shape right.
static bool hasPlainShape(memref::ReshapeOp op) {
  auto shape = cast<MemRefType>(op.getShape().getType());
  return shape.getElementType().isInteger(64) &&
         shape.getLayout().isIdentity() &&
         (shape.isDynamicDim(0) || !hasUnrankedResult(op));
}

/// Gives `op` a copy of its shape that it reads right.
static void resolve(memref::ReshapeOp op, RewriterBase &rewriter) {
  LoopBuilder b(op, rewriter);
  Value shape = op.getShape();
  Value rank = b.value(getMixedSize(b, op.getLoc(), shape, 0));
  int64_t knownRank = cast<MemRefType>(shape.getType()).getDimSize(0);
  bool isKnown = ShapedType::isStatic(knownRank);
  Value copy =
      memref::AllocaOp::create(b, MemRefType::get(knownRank, b.getI64Type()),
                               isKnown ? ValueRange() : ValueRange(rank));
  b.loop(b.index(0), rank, [&](Value dim) {
    Value size = b.load(shape, dim);
    if (!size.getType().isIndex())
      size = b.toIndex(size);
    b.store(b.toI64(size), copy, dim);
  });
  if (isKnown && hasUnrankedResult(op))
    copy = memref::CastOp::create(
        b, MemRefType::get(ShapedType::kDynamic, b.getI64Type()), copy);
  rewriter.modifyOpInPlace(op, [&] { op.getShapeMutable().assign(copy); });
}

namespace {

struct ResolveReshapes
    : embedding::impl::ResolveReshapesPassBase<ResolveReshapes> {
  void runOnOperation() override {
    SmallVector<memref::ExpandShapeOp> expansions;
    SmallVector<memref::ReshapeOp> reshapes;
    getOperation()->walk([&](Operation *op) {
      if (auto expand = dyn_cast<memref::ExpandShapeOp>(op);
          expand && hasSeveralDynamicSizes(expand))
        expansions.push_back(expand);
      if (auto reshape = dyn_cast<memref::ReshapeOp>(op);
          reshape && !hasPlainShape(reshape))
        reshapes.push_back(reshape);
    });
    IRRewriter rewriter(&getContext());
    for (memref::ExpandShapeOp op : expansions) {
      rewriter.setInsertionPoint(op);
      resolve(op, rewriter);
    }
    for (memref::ReshapeOp op : reshapes) {
      rewriter.setInsertionPoint(op);
      resolve(op, rewriter);
    }
  }
};

} // namespace
