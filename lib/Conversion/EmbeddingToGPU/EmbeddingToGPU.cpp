//===- EmbeddingToGPU.cpp - Kernels and their launches --------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Patterns.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_CONVERTEMBEDDINGTOGPUPASS
#include "embedding/Conversion/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

namespace {

struct ConvertEmbeddingToGPU
    : embedding::impl::ConvertEmbeddingToGPUPassBase<ConvertEmbeddingToGPU> {
  using ConvertEmbeddingToGPUPassBase::ConvertEmbeddingToGPUPassBase;

  void runOnOperation() override {
    if (rowAlignment < 0 || (rowAlignment & (rowAlignment - 1)) != 0) {
      getOperation().emitError("expected row-alignment to be 0 or a power of "
                               "two, but got ")
          << rowAlignment;
      return signalPassFailure();
    }
    if (sortBits != 32 && sortBits != 64) {
      getOperation().emitError("expected sort-bits to be 32 or 64, but got ")
          << sortBits;
      return signalPassFailure();
    }
    GPUOptions options{rowAlignment, sortBits};
    // The first set creates what the second converts.
    for (auto populate : {populateEmbeddingToGPUGroupsPatterns,
                          populateEmbeddingGroupToGPUPatterns}) {
      RewritePatternSet patterns(&getContext());
      populate(patterns, options);
      walkAndApplyPatterns(getOperation(), std::move(patterns));
    }
  }
};

} // namespace

void embedding::populateEmbeddingToGPUGroupsPatterns(
    RewritePatternSet &patterns, const GPUOptions &options) {}

void embedding::populateEmbeddingGroupToGPUPatterns(RewritePatternSet &patterns,
                                                    const GPUOptions &options) {
  populateLookupToGPUPatterns(patterns, options);
}
