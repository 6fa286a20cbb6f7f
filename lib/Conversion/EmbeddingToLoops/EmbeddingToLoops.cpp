//===- EmbeddingToLoops.cpp - Loops over groups of positions --------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Conversion.h"
#include "Grouping.h"
#include "MergeTemporaries.h"

#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/ADT/TypeSwitch.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_CONVERTEMBEDDINGTOLOOPSPASS
#include "embedding/Conversion/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// Whether `buffer` is between the moves that an operation is decomposed into.
static bool isBetweenMoves(memref::AllocOp buffer) {
  auto isWeights = [&](auto op) { return op.getWeights() == buffer; };
  return llvm::all_of(buffer->getUsers(), [&](Operation *user) {
    return llvm::TypeSwitch<Operation *, bool>(user)
        .Case<GroupOp, ReduceOp, memref::DeallocOp>([](auto) { return true; })
        .Case<InverseFrequenciesOp, SparseGradOp, DoubleBackwardOp>(isWeights)
        .Default([](Operation *) { return false; });
  });
}

namespace {

struct ConvertEmbeddingToLoops
    : embedding::impl::ConvertEmbeddingToLoopsPassBase<
          ConvertEmbeddingToLoops> {
  using ConvertEmbeddingToLoopsPassBase::ConvertEmbeddingToLoopsPassBase;

  void runOnOperation() override {
    DenseSet<Operation *> ofProgram;
    getOperation()->walk([&](memref::AllocOp buffer) {
      if (!isBetweenMoves(buffer))
        ofProgram.insert(buffer);
    });
    // The first set creates what the second converts.
    RewritePatternSet sets[] = {RewritePatternSet(&getContext()),
                                RewritePatternSet(&getContext())};
    populateEmbeddingToGroupsPatterns(sets[0], {prefetch, prefetchRowsAhead});
    populateEmbeddingGroupToLoopsPatterns(sets[1]);
    ConversionTarget target(getContext());
    target.addIllegalDialect<EmbeddingDialect>();
    target.addLegalOp<ExpectSizeOp, ReportOutOfRangeOp>();
    if (failed(convert(getOperation(), sets, target)))
      return signalPassFailure();
    if (mergeTemporaries)
      getOperation()->walk([&](func::FuncOp function) {
        // One with a workspace has all its buffers there.
        if (function.getArgAttrsAttr() &&
            llvm::any_of(
                function.getArgAttrsAttr().getAsRange<DictionaryAttr>(),
                [](DictionaryAttr attributes) {
                  return attributes.contains(kWorkspaceAttrName);
                }))
          return;
        function.walk([&](Block *block) {
          embedding::mergeTemporaries(*block, [&](Operation *buffer) {
            return !ofProgram.contains(buffer);
          });
        });
      });
  }
};

} // namespace

void embedding::populateEmbeddingToGroupsPatterns(
    RewritePatternSet &patterns,
    const ConvertEmbeddingToLoopsPassOptions &options) {
  populateReduceToLoopsPatterns(patterns);
  populateBagToLoopsPatterns(patterns);
  populateScatterToLoopsPatterns(patterns, options);
  populateGradientsToLoopsPatterns(patterns);
  populateRenormToLoopsPatterns(patterns);
}

void embedding::populateEmbeddingGroupToLoopsPatterns(
    RewritePatternSet &patterns) {
  populateGroupToLoopsPatterns(patterns);
  // A renorm and lookup in an empty table is a lookup.
  populateEmbeddingToLinalgPatterns(patterns);
}
