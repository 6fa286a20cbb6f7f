//===- HoistStackBuffers.cpp - Stack buffers out of loops -----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_HOISTSTACKBUFFERSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// Where the buffer is given back, or where threads part. (An scf.for says that
/// it gives buffers back, but its lowering does not do so. An alloca_scope
/// does, and giving back later is fine.)
static bool endsHoisting(Operation *op) {
  return isa<scf::ParallelOp, scf::ForallOp>(op) ||
         (op->hasTrait<OpTrait::AutomaticAllocationScope>() &&
          !isa<scf::ForOp, memref::AllocaScopeOp>(op));
}

namespace {

struct HoistStackBuffers
    : embedding::impl::HoistStackBuffersPassBase<HoistStackBuffers> {
  void runOnOperation() override {
    getOperation()->walk([](memref::AllocaOp buffer) {
      if (buffer->getNumOperands() > 0)
        return;
      Region *region = buffer->getParentRegion();
      while (!endsHoisting(region->getParentOp()))
        region = region->getParentOp()->getParentRegion();
      if (region != buffer->getParentRegion())
        buffer->moveBefore(&region->front(), region->front().begin());
    });
    // Upstream inlines a scope without buffers only if it knows the effects of
    // all that is in it.
    getOperation()->walk([](memref::AllocaScopeOp scope) {
      Block &body = scope.getBodyRegion().front();
      bool hasBuffers =
          scope.walk([](memref::AllocaOp) { return WalkResult::interrupt(); })
              .wasInterrupted();
      if (hasBuffers || scope.getNumResults() > 0)
        return;
      Operation *terminator = body.getTerminator();
      scope->getBlock()->getOperations().splice(
          scope->getIterator(), body.getOperations(), body.begin(),
          terminator->getIterator());
      scope.erase();
    });
  }
};

} // namespace
