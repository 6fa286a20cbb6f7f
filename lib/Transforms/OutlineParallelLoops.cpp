//===- OutlineParallelLoops.cpp - Parallel loops become functions ---------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Utils/LoopBuilder.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGOUTLINEPARALLELLOOPSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// Makes `forall`, which has no results, a call of a function of a range of its
/// iterations.
static void outline(scf::ForallOp forall, func::FuncOp parent,
                    unsigned number) {
  // Constants are cheaper to repeat than to hand over.
  llvm::SetVector<Value> used;
  getUsedValuesDefinedAbove(forall.getRegion(), used);
  SmallVector<Value> captured, constants;
  for (Value value : used)
    (matchPattern(value, m_Constant()) ? constants : captured).push_back(value);

  LoopBuilder b(forall.getLoc(), forall);
  SmallVector<Value> sizes;
  for (OpFoldResult size : forall.getMixedUpperBound())
    sizes.push_back(b.value(size));
  Value total = b.index(1);
  for (Value size : sizes)
    total = b.mul(total, size);

  // begin, end, the sizes, and what is captured.
  SmallVector<Value> arguments = {b.index(0), total};
  llvm::append_range(arguments, sizes);
  llvm::append_range(arguments, captured);
  auto type = b.getFunctionType(ValueRange(arguments).getTypes(), {});
  OpBuilder moduleBuilder(parent);
  auto function = func::FuncOp::create(
      moduleBuilder, forall.getLoc(),
      (parent.getName() + "_parallel_" + Twine(number)).str(), type);
  function.setPrivate();
  function->setAttr(kParallelBodyAttrName, b.getUnitAttr());
  function->setAttr(
      "llvm.linkage",
      LLVM::LinkageAttr::get(b.getContext(), LLVM::linkage::Linkage::Internal));
  func::CallOp::create(b, function, arguments);

  Block *entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  IRMapping mapping;
  auto parameters = entry->getArguments();
  for (Value constant : constants)
    b.clone(*constant.getDefiningOp(), mapping);
  mapping.map(captured, parameters.drop_front(2 + sizes.size()));
  b.loop(parameters[0], parameters[1], [&](Value iteration) {
    SmallVector<Value> position = {iteration};
    if (sizes.size() > 1)
      position = SmallVector<Value>(
          affine::AffineDelinearizeIndexOp::create(
              b, iteration,
              SmallVector<Value>(parameters.slice(2, sizes.size())))
              .getResults());
    mapping.map(forall.getInductionVars(), position);
    for (Operation &op : forall.getBody()->without_terminator())
      b.clone(op, mapping);
  });
  func::ReturnOp::create(b);
  forall.erase();
}

namespace {

struct EmbeddingOutlineParallelLoops
    : embedding::impl::EmbeddingOutlineParallelLoopsPassBase<
          EmbeddingOutlineParallelLoops> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp function : functions) {
      SmallVector<scf::ForallOp> loops;
      function.walk<WalkOrder::PreOrder>([&](scf::ForallOp loop) {
        if (loop.getNumResults() == 0 && loop.isNormalized() &&
            loop.getRank() > 0)
          loops.push_back(loop);
        return WalkResult::skip();
      });
      for (auto [number, loop] : llvm::enumerate(loops))
        outline(loop, function, number);
    }
  }
};

} // namespace
