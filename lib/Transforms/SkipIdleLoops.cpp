//===- SkipIdleLoops.cpp - Loops whose turns do nothing -------------------===//
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
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGSKIPIDLELOOPSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// Whether `loop` yields what it began with if nothing in it does anything.
static bool keepsValues(scf::ForOp loop) {
  for (auto [yielded, carried] :
       llvm::zip_equal(loop.getYieldedValues(), loop.getRegionIterArgs())) {
    Value value = yielded;
    while (auto inner = value.getDefiningOp<scf::ForOp>())
      value = inner.getInits()[cast<OpResult>(value).getResultNumber()];
    if (value != carried)
      return false;
  }
  return true;
}

static bool onlyReads(Operation *op) {
  if (isMemoryEffectFree(op))
    return true;
  auto interface = dyn_cast<MemoryEffectOpInterface>(op);
  if (!interface || op->getNumRegions() != 0)
    return false;
  SmallVector<MemoryEffects::EffectInstance> effects;
  interface.getEffects(effects);
  return llvm::all_of(effects, [](const MemoryEffects::EffectInstance &effect) {
    return isa<MemoryEffects::Read>(effect.getEffect());
  });
}

namespace {

/// Builds, before a loop, whether what is in it does anything: true where that
/// is not known there.
class Work {
public:
  explicit Work(scf::ForOp loop) : b(loop.getLoc(), loop) {
    SetVector<Value> outside;
    getUsedValuesDefinedAbove(loop.getRegion(), outside);
    for (Value value : outside)
      known.map(value, value);
  }

  Value get(Block &block) {
    Value any = b.flag(false);
    for (Operation &op : block.without_terminator()) {
      any = b.createOrFold<arith::OrIOp>(any, get(op));
      if (matchPattern(any, m_One()))
        break;
    }
    return any;
  }

private:
  Value get(Operation &op) {
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      Value turns = hasTurns(loop);
      return keepsValues(loop) ? both(turns, get(*loop.getBody())) : turns;
    }
    if (auto branch = dyn_cast<scf::IfOp>(op)) {
      Value then = get(*branch.thenBlock());
      Value otherwise =
          branch.elseBlock() ? get(*branch.elseBlock()) : b.flag(false);
      Value condition = getBefore(branch.getCondition());
      if (!condition)
        return b.createOrFold<arith::OrIOp>(then, otherwise);
      return b.createOrFold<arith::SelectOp>(condition, then, otherwise);
    }
    return b.flag(!onlyReads(&op));
  }

  Value both(Value x, Value y) { return b.createOrFold<arith::AndIOp>(x, y); }

  Value hasTurns(scf::ForOp loop) {
    Value lower = getBefore(loop.getLowerBound());
    Value upper = getBefore(loop.getUpperBound());
    if (!lower || !upper)
      return b.flag(true);
    auto less = loop.getUnsignedCmp() ? arith::CmpIPredicate::ult
                                      : arith::CmpIPredicate::slt;
    return b.createOrFold<arith::CmpIOp>(less, lower, upper);
  }

  /// `value` as it can be computed before the loop, or null.
  Value getBefore(Value value) {
    if (failed(cloneComputation(b, value, known, isPure)))
      return {};
    return known.lookup(value);
  }

  LoopBuilder b;
  IRMapping known;
};

struct EmbeddingSkipIdleLoops
    : embedding::impl::EmbeddingSkipIdleLoopsPassBase<EmbeddingSkipIdleLoops> {
  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation()->walk<WalkOrder::PreOrder>([&](scf::ForOp loop) {
      bool hasParts =
          llvm::any_of(*loop.getBody(), llvm::IsaPred<scf::ForOp, scf::IfOp>);
      if (hasParts && keepsValues(loop))
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops) {
      Value works = Work(loop).get(*loop.getBody());
      if (matchPattern(works, m_One()))
        continue;
      OpBuilder builder(loop);
      loop.setUpperBound(builder.createOrFold<arith::SelectOp>(
          loop.getLoc(), works, loop.getUpperBound(), loop.getLowerBound()));
    }
  }
};

} // namespace
