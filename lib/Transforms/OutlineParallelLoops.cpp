//===- OutlineParallelLoops.cpp - Parallel loops become functions ---------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Utils/Grain.h"
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

/// The bytes of the longest row that an iteration of `forall` writes, before
/// the loop; null if an iteration is more work than rows, or is none that is
/// known.
static Value getRowBytes(LoopBuilder &b, scf::ForallOp forall) {
  SmallVector<Value> outputs;
  WalkResult rowsAlone = forall.getBody()->walk([&](Operation *op) {
    if (auto linalg = dyn_cast<linalg::LinalgOp>(op)) {
      if (!linalg.hasPureBufferSemantics() || linalg.getNumDpsInits() != 1 ||
          linalg.getNumLoops() != linalg.getNumParallelLoops())
        return WalkResult::interrupt();
      outputs.push_back(linalg.getDpsInits()[0]);
      return WalkResult::skip();
    }
    return isa<LoopLikeOpInterface, CallOpInterface>(op)
               ? WalkResult::interrupt()
               : WalkResult::advance();
  });
  if (rowsAlone.wasInterrupted() || outputs.empty())
    return nullptr;
  Value longest = b.index(1);
  for (Value output : outputs) {
    auto type = cast<MemRefType>(output.getType());
    int64_t elementBytes = getElementBytes(type.getElementType());
    auto view = output.getDefiningOp<memref::SubViewOp>();
    if (elementBytes == 0 || (!type.hasStaticShape() && !view))
      return nullptr;
    Value bytes = b.index(elementBytes);
    for (OpFoldResult size :
         view ? view.getMixedSizes()
              : getAsIndexOpFoldResult(b.getContext(), type.getShape())) {
      auto value = dyn_cast<Value>(size);
      if (value && !forall.isDefinedOutsideOfLoop(value))
        return nullptr;
      bytes = b.mul(bytes, b.value(size));
    }
    longest = b.max(longest, bytes);
  }
  return longest;
}

/// Makes `forall`, which has no results, a call of a function of a range of its
/// iterations.
static void outline(scf::ForallOp forall, func::FuncOp parent,
                    unsigned number) {
  // Constants are cheaper to repeat than to hand over, and what is known of an
  // address cannot be handed over.
  llvm::SetVector<Value> used, handedOver;
  getUsedValuesDefinedAbove(forall.getRegion(), used);
  SmallVector<Value> constants;
  SmallVector<memref::AssumeAlignmentOp> alignments;
  for (Value value : used) {
    if (matchPattern(value, m_Constant())) {
      constants.push_back(value);
    } else if (auto aligned =
                   value.getDefiningOp<memref::AssumeAlignmentOp>()) {
      alignments.push_back(aligned);
      handedOver.insert(aligned.getMemref());
    } else {
      handedOver.insert(value);
    }
  }
  SmallVector<Value> captured = handedOver.takeVector();

  LoopBuilder b(forall.getLoc(), forall);
  SmallVector<Value> sizes;
  for (OpFoldResult size : forall.getMixedUpperBound())
    sizes.push_back(b.value(size));
  Value total = b.index(1);
  for (Value size : sizes)
    total = b.mul(total, size);

  // A range of blocks of so many iterations, if an iteration is too little.
  Value grain, count = total;
  if (Value rowBytes = getRowBytes(b, forall)) {
    Grains blocks = getGrains(b, total, rowBytes);
    grain = blocks.size;
    count = blocks.count;
  }

  // begin, end, the sizes, what is captured, and of blocks what they are of.
  SmallVector<Value> arguments = {b.index(0), count};
  llvm::append_range(arguments, sizes);
  llvm::append_range(arguments, captured);
  if (grain)
    arguments.append({total, grain});
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
  mapping.map(captured, parameters.slice(2 + sizes.size(), captured.size()));
  for (memref::AssumeAlignmentOp aligned : alignments)
    b.clone(*aligned, mapping);
  Value begin = parameters[0], end = parameters[1];
  if (grain) {
    Value blockTotal = parameters.drop_back(1).back(),
          blockSize = parameters.back();
    begin = b.mul(begin, blockSize);
    end = b.min(b.mul(end, blockSize), blockTotal);
  }
  b.loop(begin, end, [&](Value iteration) {
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
