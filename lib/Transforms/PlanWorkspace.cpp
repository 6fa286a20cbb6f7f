//===- PlanWorkspace.cpp - Buffers out of the caller's memory -------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Utils/CloneComputation.h"
#include "../Utils/LoopBuilder.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGPLANWORKSPACEPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// Where each buffer begins: at a multiple of a cache line.
static constexpr int64_t kAlignment = 64;

/// The bytes of a buffer of `type`, rounded up to `kAlignment`.
static Value getBytes(LoopBuilder &b, MemRefType type, ValueRange sizes) {
  Value bytes = b.index(llvm::divideCeil(
      type.getElementType().isIndex() ? 64 : type.getElementTypeBitWidth(), 8));
  for (int64_t size : type.getShape())
    if (ShapedType::isStatic(size))
      bytes = b.mul(bytes, b.index(size));
  for (Value size : sizes)
    bytes = b.mul(bytes, size);
  return b.bitAnd(b.add(bytes, b.index(kAlignment - 1)), b.index(-kAlignment));
}

static LogicalResult planWorkspace(func::FuncOp function, Value workspace) {
  SmallVector<memref::AllocOp> buffers;
  function.walk([&](memref::AllocOp op) { buffers.push_back(op); });

  LoopBuilder sizing(function.getLoc(), function);
  auto sizeFunction = func::FuncOp::create(
      sizing, (function.getName() + kWorkspaceBytesSuffix).str(),
      sizing.getFunctionType(function.getArgumentTypes(), sizing.getI64Type()));
  sizeFunction->setDiscardableAttrs(function->getDiscardableAttrDictionary());
  sizing.setInsertionPointToStart(sizeFunction.addEntryBlock());
  IRMapping mapping;
  mapping.map(function.getArguments(), sizeFunction.getArguments());

  Value total = sizing.index(0);
  Value offset;
  for (memref::AllocOp buffer : buffers) {
    if (buffer->getParentOp() != function)
      return buffer.emitError(
          "expected a buffer of a function with a workspace not to be "
          "allocated in a loop or a branch");
    for (Value size : buffer.getDynamicSizes())
      // It may divide: what is computed outside loops and branches is computed
      // in every call.
      if (failed(cloneComputation(sizing, size, mapping, isMemoryEffectFree)))
        return buffer.emitError("expected the size of a buffer of a function "
                                "with a workspace to follow from the shapes of "
                                "the arguments");
    SmallVector<Value> sizes = llvm::map_to_vector(
        buffer.getDynamicSizes(), [&](Value v) { return mapping.lookup(v); });
    total = sizing.add(total, getBytes(sizing, buffer.getType(), sizes));

    LoopBuilder b(buffer.getLoc(), buffer);
    if (!offset)
      offset = b.index(0);
    auto view = memref::ViewOp::create(b, buffer.getType(), workspace, offset,
                                       buffer.getDynamicSizes());
    offset =
        b.add(offset, getBytes(b, buffer.getType(), buffer.getDynamicSizes()));
    for (Operation *user : llvm::make_early_inc_range(buffer->getUsers()))
      if (isa<memref::DeallocOp>(user))
        user->erase();
    buffer.replaceAllUsesWith(view.getResult());
    buffer.erase();
  }
  func::ReturnOp::create(sizing, sizing.toI64(total));
  return success();
}

namespace {

struct EmbeddingPlanWorkspace
    : embedding::impl::EmbeddingPlanWorkspacePassBase<EmbeddingPlanWorkspace> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp function : functions)
      for (unsigned i = 0; i < function.getNumArguments(); ++i) {
        if (!function.removeArgAttr(i, kWorkspaceAttrName))
          continue;
        auto type = dyn_cast<MemRefType>(function.getArgument(i).getType());
        if (!type || !type.getElementType().isInteger(8) ||
            type.getRank() != 1 || !type.getLayout().isIdentity()) {
          function.emitError("expected the workspace to be a contiguous memref "
                             "of rank 1 of i8, but got ")
              << function.getArgument(i).getType();
          return signalPassFailure();
        }
        if (failed(planWorkspace(function, function.getArgument(i))))
          return signalPassFailure();
      }
  }
};

} // namespace
