//===- EmbeddingToGPU.cpp - Kernels and their launches --------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Patterns.h"

#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_CONVERTEMBEDDINGTOGPUPASS
#include "embedding/Conversion/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

void embedding::populateEmbeddingToGPUPatterns(
    RewritePatternSet &patterns,
    const ConvertEmbeddingToGPUPassOptions &options) {
  populateLookupToGPUPatterns(patterns, options);
  populateGroupToGPUPatterns(patterns, options);
  populateGradientsToGPUPatterns(patterns, options);
  populateRenormToGPUPatterns(patterns, options);
}

namespace {

struct ConvertEmbeddingToGPU
    : embedding::impl::ConvertEmbeddingToGPUPassBase<ConvertEmbeddingToGPU> {
  using ConvertEmbeddingToGPUPassBase::ConvertEmbeddingToGPUPassBase;

  void runOnOperation() override {
    if (rowAlignment < 0 || (rowAlignment & (rowAlignment - 1)) != 0) {
      getOperation().emitError("expected row-alignment to be 0 or a power of "
                               "two, but got ")
          << rowAlignment.getValue();
      return signalPassFailure();
    }
    RewritePatternSet patterns(&getContext());
    populateEmbeddingToGPUPatterns(
        patterns, {rowAlignment, atomicGradients, vectorAtomics});
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
