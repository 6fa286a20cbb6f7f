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
#define GEN_PASS_DEF_EMBEDDINGHOISTSTACKBUFFERSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

namespace {

struct EmbeddingHoistStackBuffers
    : embedding::impl::EmbeddingHoistStackBuffersPassBase<
          EmbeddingHoistStackBuffers> {
  void runOnOperation() override {
    getOperation()->walk([](memref::AllocaOp buffer) {
      if (buffer->getNumOperands() > 0)
        return;
      // Up to where the buffer goes anyway, or where threads part.
      Region *region = buffer->getParentRegion();
      while (!region->getParentOp()
                  ->hasTrait<OpTrait::AutomaticAllocationScope>() &&
             !isa<scf::ParallelOp, scf::ForallOp>(region->getParentOp()))
        region = region->getParentOp()->getParentRegion();
      if (region != buffer->getParentRegion())
        buffer->moveBefore(&region->front(), region->front().begin());
    });
  }
};

} // namespace
