//===- SkipIdleLoops.cpp - Loops that do nothing -------------------------===//
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

#include "llvm/ADT/TypeSwitch.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_SKIPIDLELOOPSPASS
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

static bool hasParts(Block &body) {
  return llvm::any_of(body,
                      llvm::IsaPred<scf::ForOp, scf::IfOp, scf::ParallelOp>);
}

/// Whether it takes more than the bounds of one loop to say what `loop` does.
static bool isCandidate(scf::ForOp loop) {
  return keepsValues(loop) && hasParts(*loop.getBody());
}
static bool isCandidate(scf::ParallelOp loop) {
  return loop.getNumLoops() > 1 ||
         (loop.getNumResults() == 0 && hasParts(*loop.getBody()));
}

namespace {

/// Builds, before a loop, whether what is in it does anything: true where that
/// is not known there.
class Work {
public:
  explicit Work(LoopLikeOpInterface loop) : b(loop.getLoc(), loop), loop(loop) {
    SetVector<Value> outside;
    getUsedValuesDefinedAbove(loop->getRegions(), outside);
    for (Value value : outside)
      known.map(value, value);
  }

  Value getOf(scf::ForOp loop) { return get(*loop.getBody()); }
  /// A dimension without iterations leaves the others none.
  Value getOf(scf::ParallelOp loop) { return get(*loop.getOperation()); }

private:
  Value get(Operation &op) {
    if (auto inner = dyn_cast<scf::ForOp>(op)) {
      Value iterates = hasIterations(
          inner.getLowerBound(), inner.getUpperBound(), inner.getUnsignedCmp());
      return keepsValues(inner) ? both(iterates, get(*inner.getBody()))
                                : iterates;
    }
    if (auto inner = dyn_cast<scf::ParallelOp>(op)) {
      Value iterates = b.flag(true);
      for (auto [lower, upper] :
           llvm::zip_equal(inner.getLowerBound(), inner.getUpperBound()))
        iterates =
            both(iterates, hasIterations(lower, upper, /*isUnsigned=*/false));
      return op.getNumResults() == 0 ? both(iterates, get(*inner.getBody()))
                                     : iterates;
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

  Value get(Block &block) {
    Value any = b.flag(false);
    for (Operation &op : block.without_terminator()) {
      any = b.createOrFold<arith::OrIOp>(any, get(op));
      if (matchPattern(any, m_One()))
        break;
    }
    return any;
  }

  Value both(Value x, Value y) { return b.createOrFold<arith::AndIOp>(x, y); }

  Value hasIterations(Value lower, Value upper, bool isUnsigned) {
    lower = getBefore(lower);
    upper = getBefore(upper);
    if (!lower || !upper)
      return b.flag(true);
    auto less =
        isUnsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt;
    return b.createOrFold<arith::CmpIOp>(less, lower, upper);
  }

  /// `value` as it can be computed before the loop, or null.
  Value getBefore(Value value) {
    if (loop.isDefinedOutsideOfLoop(value))
      return value;
    if (failed(cloneComputation(b, value, known, isPure)))
      return {};
    return known.lookup(value);
  }

  LoopBuilder b;
  LoopLikeOpInterface loop;
  IRMapping known;
};

std::pair<Value, OpOperand *> getBounds(scf::ForOp loop) {
  return {loop.getLowerBound(), &loop.getUpperBoundMutable()};
}
std::pair<Value, OpOperand *> getBounds(scf::ParallelOp loop) {
  return {loop.getLowerBound().front(), &loop.getUpperBoundMutable()[0]};
}

/// Lets `loop` have no iteration if nothing is done in it.
template <typename LoopTy> void skipIfIdle(LoopTy loop) {
  if (!isCandidate(loop))
    return;
  Value works = Work(loop).getOf(loop);
  if (matchPattern(works, m_One()))
    return;
  OpBuilder builder(loop);
  // Of several dimensions, the first.
  auto [lower, upper] = getBounds(loop);
  upper->set(builder.createOrFold<arith::SelectOp>(loop.getLoc(), works,
                                                   upper->get(), lower));
}

struct SkipIdleLoops : embedding::impl::SkipIdleLoopsPassBase<SkipIdleLoops> {
  void runOnOperation() override {
    SmallVector<Operation *> loops;
    getOperation()->walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<scf::ForOp, scf::ParallelOp>(op))
        loops.push_back(op);
    });
    for (Operation *op : loops)
      llvm::TypeSwitch<Operation *>(op).Case<scf::ForOp, scf::ParallelOp>(
          [](auto loop) { skipIfIdle(loop); });
  }
};

} // namespace
