//===- MarkDeallocations.cpp - Memory that a program frees itself ---------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_MARKDEALLOCATIONSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// Whether what `op` is given may be known by another name after it.
static bool mayPassOn(Operation *op) {
  return op->hasTrait<OpTrait::IsTerminator>() ||
         llvm::any_of(op->getResultTypes(),
                      llvm::IsaPred<BaseMemRefType, TensorType>);
}

static LogicalResult verify(memref::DeallocOp dealloc) {
  Block *block = dealloc->getBlock();
  auto alloc = dealloc.getMemref().getDefiningOp<memref::AllocOp>();
  if (!alloc || alloc->getBlock() != block)
    return dealloc.emitError("expected to deallocate what a 'memref.alloc' of "
                             "the same block allocates");
  SmallVector<Value> views = {alloc};
  while (!views.empty())
    for (OpOperand &use : views.pop_back_val().getUses()) {
      Operation *user = use.getOwner();
      Operation *inBlock = block->findAncestorOpInBlock(*user);
      if (!inBlock || dealloc->isBeforeInBlock(inBlock))
        return (dealloc
                    .emitError("expected no use of memory after its "
                               "deallocation")
                    .attachNote(user->getLoc())
                << "used here"),
               failure();
      if (isa<ViewLikeOpInterface>(user))
        llvm::append_range(views, user->getResults());
      else if (mayPassOn(user))
        return (dealloc
                    .emitError("expected to deallocate memory that only "
                               "views are other names of")
                    .attachNote(user->getLoc())
                << "passed on here"),
               failure();
    }
  return success();
}

namespace {

struct MarkDeallocations
    : embedding::impl::MarkDeallocationsPassBase<MarkDeallocations> {
  void runOnOperation() override {
    StringRef name = bufferization::BufferizationDialect::kManualDeallocation;
    auto unit = UnitAttr::get(&getContext());
    auto result = getOperation()->walk([&](memref::DeallocOp dealloc) {
      if (failed(verify(dealloc)))
        return WalkResult::interrupt();
      dealloc->setAttr(name, unit);
      dealloc.getMemref().getDefiningOp()->setAttr(name, unit);
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
