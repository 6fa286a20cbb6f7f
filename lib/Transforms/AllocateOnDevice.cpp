//===- AllocateOnDevice.cpp - Buffers in device memory --------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_ALLOCATEONDEVICEPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// Whether `op` reads or writes memory itself.
static bool accessesMemory(Operation *op) {
  // The effect of an assertion keeps it where it is.
  if (isa<cf::AssertOp, func::CallOp, gpu::LaunchFuncOp, gpu::DeallocOp>(op) ||
      op->hasTrait<OpTrait::IsTerminator>())
    return false;
  // Those of linalg have both: effects of their own and of their bodies.
  if (auto interface = dyn_cast<MemoryEffectOpInterface>(op))
    return interface.hasEffect<MemoryEffects::Read>() ||
           interface.hasEffect<MemoryEffects::Write>();
  return !op->hasTrait<OpTrait::HasRecursiveMemoryEffects>();
}

namespace {

struct AllocateOnDevice
    : embedding::impl::AllocateOnDevicePassBase<AllocateOnDevice> {
  void runOnOperation() override {
    OpBuilder builder(&getContext());
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      auto result = function.walk([&](Operation *op) {
        builder.setInsertionPoint(op);
        if (auto alloc = dyn_cast<memref::AllocOp>(op)) {
          auto onDevice = gpu::AllocOp::create(
              builder, op->getLoc(), alloc.getType(), /*asyncToken=*/Type(),
              /*asyncDependencies=*/ValueRange(), alloc.getDynamicSizes(),
              alloc.getSymbolOperands());
          alloc.replaceAllUsesWith(onDevice.getMemref());
          alloc.erase();
        } else if (auto dealloc = dyn_cast<memref::DeallocOp>(op)) {
          gpu::DeallocOp::create(builder, op->getLoc(), TypeRange(),
                                 dealloc.getMemref());
          dealloc.erase();
        } else if (isa<memref::GetGlobalOp>(op)) {
          op->emitError("expected no constants in memory, which would be the "
                        "host's; pass them as arguments");
          return WalkResult::interrupt();
        } else if (isa<memref::AllocaOp>(op)) {
          op->emitError("expected no buffer on the stack, which is the host's; "
                        "allocate it with 'memref.alloc'");
          return WalkResult::interrupt();
        } else if (isa<memref::CopyOp>(op)) {
          op->emitError("expected no copy of a buffer, which is on the device; "
                        "update a memref in place of a tensor that is needed "
                        "as it was");
          return WalkResult::interrupt();
        } else if (op != function.getOperation() && accessesMemory(op)) {
          op->emitError("expected nothing but kernels to read or write memory, "
                        "which is on the device, but got '")
              << op->getName()
              << "': only operations of the dialect run on a GPU";
          return WalkResult::interrupt();
        }
        return WalkResult::advance();
      });
      if (result.wasInterrupted())
        return signalPassFailure();
    }
  }
};

} // namespace
