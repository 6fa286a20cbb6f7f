//===- UnswitchLoops.cpp - Decide once before a loop ----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_UNSWITCHLOOPSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// A branch in the body of `loop`, not deeper, on what the loop does not
/// change.
static scf::IfOp findInvariantBranch(scf::ForOp loop) {
  for (auto branch : loop.getBody()->getOps<scf::IfOp>())
    if (loop.isDefinedOutsideOfLoop(branch.getCondition()))
      return branch;
  return nullptr;
}

/// Whether `loop` has at most `maxOperations` operations and no loop in it: the
/// iterations of a larger one hide a branch.
static bool isSmallInnermostLoop(scf::ForOp loop, int64_t maxOperations) {
  int64_t count = 0;
  return !loop.getBody()
              ->walk([&](Operation *op) {
                return isa<LoopLikeOpInterface>(op) || ++count > maxOperations
                           ? WalkResult::interrupt()
                           : WalkResult::advance();
              })
              .wasInterrupted();
}

/// Puts what `branch` does on one of its sides in its place.
static void takeSide(RewriterBase &rewriter, scf::IfOp branch, bool side) {
  Block *block = side ? branch.thenBlock() : branch.elseBlock();
  if (!block)
    return rewriter.eraseOp(branch);
  Operation *yield = block->getTerminator();
  SmallVector<Value> results(yield->getOperands());
  rewriter.eraseOp(yield);
  rewriter.inlineBlockBefore(block, branch);
  rewriter.replaceOp(branch, results);
}

/// Makes `loop` two, one for each side of `branch`; returns them.
static std::array<scf::ForOp, 2> unswitch(RewriterBase &rewriter,
                                          scf::ForOp loop, scf::IfOp branch) {
  rewriter.setInsertionPoint(loop);
  auto choice = scf::IfOp::create(rewriter, loop.getLoc(),
                                  loop.getResultTypes(), branch.getCondition(),
                                  /*withElseRegion=*/true);
  std::array<scf::ForOp, 2> copies;
  for (bool side : {true, false}) {
    Block *block = side ? choice.thenBlock() : choice.elseBlock();
    rewriter.setInsertionPointToStart(block);
    IRMapping mapping;
    auto copy = cast<scf::ForOp>(rewriter.clone(*loop, mapping));
    if (!loop.getResults().empty())
      scf::YieldOp::create(rewriter, loop.getLoc(), copy.getResults());
    takeSide(rewriter, cast<scf::IfOp>(mapping.lookup(branch.getOperation())),
             side);
    copies[side ? 0 : 1] = copy;
  }
  rewriter.replaceOp(loop, choice.getResults());
  return copies;
}

namespace {

struct UnswitchLoops : embedding::impl::UnswitchLoopsPassBase<UnswitchLoops> {
  using UnswitchLoopsPassBase::UnswitchLoopsPassBase;

  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation()->walk([&](scf::ForOp loop) { loops.push_back(loop); });
    IRRewriter rewriter(&getContext());
    while (!loops.empty()) {
      scf::ForOp loop = loops.pop_back_val();
      if (!isSmallInnermostLoop(loop, maxOperations))
        continue;
      if (scf::IfOp branch = findInvariantBranch(loop)) {
        llvm::append_range(loops, unswitch(rewriter, loop, branch));
        ++numUnswitched;
      }
    }
  }
};

} // namespace
