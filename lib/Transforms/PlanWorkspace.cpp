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

namespace {

/// Where each buffer of a function begins in its workspace, and where the last
/// ends: values that follow from the shapes of the arguments.
class Layout {
public:
  /// Builds the values by `b`, of the arguments of a function as `mapping` has
  /// them.
  Layout(LoopBuilder &b, IRMapping mapping)
      : b(b), mapping(std::move(mapping)), end(this->b.index(0)) {}

  /// Places the buffers of `block`. The ways of a branch share their memory.
  LogicalResult add(Block &block) {
    for (Operation &op : block) {
      if (auto buffer = dyn_cast<memref::AllocOp>(op)) {
        if (failed(add(buffer)))
          return failure();
        continue;
      }
      bool hasBuffers = false;
      op.walk([&](memref::AllocOp) { hasBuffers = true; });
      if (!hasBuffers)
        continue;
      auto branch = dyn_cast<scf::IfOp>(op);
      if (!branch)
        return op.emitError("expected a buffer of a function with a workspace "
                            "not to be allocated in a loop");
      Value begin = end, longest = end;
      for (Region &way : branch->getRegions())
        for (Block &block : way) {
          end = begin;
          if (failed(add(block)))
            return failure();
          longest = b.max(longest, end);
        }
      end = longest;
    }
    return success();
  }

  /// In the order of the function.
  SmallVector<std::pair<memref::AllocOp, Value>> offsets;
  Value getEnd() const { return end; }

private:
  LogicalResult add(memref::AllocOp buffer) {
    SmallVector<Value> sizes;
    for (Value size : buffer.getDynamicSizes()) {
      if (failed(cloneComputation(b, size, mapping, isMemoryEffectFree)))
        return buffer.emitError("expected the size of a buffer of a function "
                                "with a workspace to follow from the shapes of "
                                "the arguments");
      sizes.push_back(mapping.lookup(size));
    }
    offsets.emplace_back(buffer, end);
    end = b.add(end, b.alignedBytes(buffer.getType(), sizes));
    return success();
  }

  LoopBuilder &b;
  IRMapping mapping;
  Value end;
};

} // namespace

static LogicalResult planWorkspace(func::FuncOp function, Value workspace) {
  Block &entry = function.front();
  LoopBuilder sizing(function.getLoc(), function);
  auto sizeFunction = func::FuncOp::create(
      sizing, (function.getName() + kWorkspaceBytesSuffix).str(),
      sizing.getFunctionType(function.getArgumentTypes(), sizing.getI64Type()));
  sizeFunction->setDiscardableAttrs(function->getDiscardableAttrDictionary());
  sizing.setInsertionPointToStart(sizeFunction.addEntryBlock());
  IRMapping toSizing, toItself;
  toSizing.map(function.getArguments(), sizeFunction.getArguments());
  toItself.map(function.getArguments(), function.getArguments());
  Layout bytes(sizing, toSizing);
  if (failed(bytes.add(entry)))
    return failure();
  func::ReturnOp::create(sizing, sizing.toI64(bytes.getEnd()));

  LoopBuilder b(function.getLoc(), function);
  b.setInsertionPointToStart(&entry);
  Layout layout(b, toItself);
  if (failed(layout.add(entry)))
    return failure();
  for (auto [buffer, offset] : layout.offsets) {
    LoopBuilder atBuffer(buffer.getLoc(), buffer);
    auto view = memref::ViewOp::create(atBuffer, buffer.getType(), workspace,
                                       offset, buffer.getDynamicSizes());
    for (Operation *user : llvm::make_early_inc_range(buffer->getUsers()))
      if (isa<memref::DeallocOp>(user))
        user->erase();
    buffer.replaceAllUsesWith(view.getResult());
    buffer.erase();
  }
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
