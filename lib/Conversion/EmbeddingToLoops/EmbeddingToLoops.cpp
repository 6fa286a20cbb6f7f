//===- EmbeddingToLoops.cpp - Loops over groups of positions --------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Grouping.h"
#include "embedding/Conversion/Passes.h"

#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

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
  void runOnOperation() override {
    // The first set creates what the second converts.
    for (auto populate : {populateEmbeddingToGroupsPatterns,
                          populateEmbeddingGroupToLoopsPatterns}) {
      RewritePatternSet patterns(&getContext());
      populate(patterns);
      walkAndApplyPatterns(getOperation(), std::move(patterns));
    }
  }
};

} // namespace

void embedding::populateEmbeddingToGroupsPatterns(RewritePatternSet &patterns) {
  populateGradientsToLoopsPatterns(patterns);
  populateRenormToLoopsPatterns(patterns);
}

void embedding::populateEmbeddingGroupToLoopsPatterns(
    RewritePatternSet &patterns) {
  populateGroupToLoopsPatterns(patterns);
  // A renorm and lookup in an empty table is a lookup.
  populateEmbeddingToLinalgPatterns(patterns);
}
