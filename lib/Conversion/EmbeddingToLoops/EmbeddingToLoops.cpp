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

namespace mlir::embedding {
#define GEN_PASS_DEF_CONVERTEMBEDDINGTOLOOPSPASS
#include "embedding/Conversion/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

namespace {

struct ConvertEmbeddingToLoops
    : embedding::impl::ConvertEmbeddingToLoopsPassBase<
          ConvertEmbeddingToLoops> {
  using ConvertEmbeddingToLoopsPassBase::ConvertEmbeddingToLoopsPassBase;

  void runOnOperation() override {
    DenseSet<Operation *> before;
    getOperation()->walk(
        [&](memref::AllocOp buffer) { before.insert(buffer); });
    // The first set creates what the second converts.
    RewritePatternSet sets[] = {RewritePatternSet(&getContext()),
                                RewritePatternSet(&getContext())};
    populateEmbeddingToGroupsPatterns(
        sets[0], {prefetch, prefetchRowsAhead, numThreads});
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
            return !before.contains(buffer);
          });
        });
      });
  }
};

} // namespace

void embedding::populateEmbeddingToGroupsPatterns(
    RewritePatternSet &patterns,
    const ConvertEmbeddingToLoopsPassOptions &options) {
  populateGradientsToLoopsPatterns(patterns, options);
  populateRenormToLoopsPatterns(patterns);
}

void embedding::populateEmbeddingGroupToLoopsPatterns(
    RewritePatternSet &patterns) {
  populateGroupToLoopsPatterns(patterns);
  // A renorm and lookup in an empty table is a lookup.
  populateEmbeddingToLinalgPatterns(patterns);
}
