//===- CPUPipeline.cpp - embedding-to-cpu-pipeline ------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Stages.h"

#include "embedding/Conversion/Passes.h"
#include "embedding/Pipelines/Passes.h"
#include "embedding/Target/CostModel.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/Transforms/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::embedding;

/// Embedding operations to loops and linalg, still on tensors where the input
/// was.
static void addEmbeddingToLinalg(OpPassManager &pm,
                                 const CPUPipelineOptions &options) {
  pm.addPass(createVerifyTypesPass());
  addSimplification(pm);
  if (options.checkSizes)
    addSizeChecks(pm);
  pm.addPass(createEmbeddingTileLookupsPass());
  pm.addPass(createEmbeddingSplitChecksPass());
  pm.addPass(createConvertEmbeddingToFuncPass());
  pm.addPass(createConvertEmbeddingToLinalgPass());
}

/// Upstream's unrolling, of loops over the vectors of short rows.
static std::unique_ptr<Pass> createUnrollRowsPass() {
  std::unique_ptr<Pass> pass = affine::createLoopUnrollPass();
  std::string options = llvm::formatv(
      "unroll-factor=-1 unroll-full-threshold={0}", cost::kMaxUnrolledVectors);
  (void)pass->initializeOptions(options,
                                [](const Twine &error) -> LogicalResult {
                                  llvm::report_fatal_error(error);
                                });
  return pass;
}

static void addRowLowering(OpPassManager &pm,
                           const CPUPipelineOptions &options) {
  pm.addPass(createEmbeddingDecomposeOperationsPass(
      {Scatter::in_order,
       options.parallelism == CPUParallelism::none ? 1 : options.numThreads}));
  // What writes where the data says becomes loops on memory, not on tensors.
  pm.addPass(createConvertEmbeddingToLoopsPass(
      {options.prefetch, options.prefetchRowsAhead,
       options.allocation == CPUAllocation::callback}));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  // While temporary buffers can be told from the outputs.
  if (options.vectorize && options.streamStores)
    pm.addNestedPass<func::FuncOp>(createEmbeddingStreamStoresPass());
  pm.addPass(createEmbeddingPlanWorkspacePass());
  if (options.parallelism == CPUParallelism::callback)
    pm.addPass(createEmbeddingOutlineParallelLoopsPass());
  OpPassManager &funcs = pm.nest<func::FuncOp>();
  if (options.parallelism == CPUParallelism::openmp)
    funcs.addPass(createForallToParallelLoopPass());
  else
    funcs.addPass(createForallToForLoopPass());
  funcs.addPass(createHoistStackBuffersPass());
  // Indices are loaded from the operand itself, not from a tile of it.
  funcs.addPass(memref::createFoldMemRefAliasOpsPass());
  if (options.prefetch) {
    EmbeddingPrefetchRowsPassOptions prefetchOptions;
    prefetchOptions.rowsAhead = options.prefetchRowsAhead;
    prefetchOptions.secondLevelRowBytes = options.secondLevelRowBytes;
    funcs.addPass(createEmbeddingPrefetchRowsPass(prefetchOptions));
  }
  if (options.vectorize) {
    EmbeddingVectorizeRowsPassOptions vectorizeOptions;
    vectorizeOptions.vectorBytes = options.vectorBytes;
    funcs.addPass(createEmbeddingVectorizeRowsPass(vectorizeOptions));
    funcs.addPass(createUnrollRowsPass());
    funcs.addPass(affine::createAffineScalarReplacementPass());
    // What is unswitched is small without the constants of unrolling.
    funcs.addPass(createCanonicalizerPass());
    funcs.addPass(createUnswitchLoopsPass({cost::kMaxUnswitchedOperations}));
  }
  funcs.addPass(createConvertLinalgToLoopsPass());
}

static void addLowerToLLVM(OpPassManager &pm,
                           const CPUPipelineOptions &options) {
  OpPassManager &funcs = pm.nest<func::FuncOp>();
  funcs.addPass(createConvertVectorToSCFPass());
  // Subviews are expanded, not folded into loads and stores, since upstream's
  // folding forgets that a store is nontemporal, and its alignment.
  funcs.addPass(memref::createExpandStridedMetadataPass());
  funcs.addPass(affine::createAffineExpandIndexOpsPass());
  pm.addPass(createLowerAffinePass());
  pm.addNestedPass<func::FuncOp>(createSkipIdleLoopsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (options.parallelism == CPUParallelism::openmp) {
    pm.addPass(createConvertSCFToOpenMPPass());
    // A buffer for each thread, not for each iteration; and no scopes, whose
    // bodies could not become control flow.
    pm.addNestedPass<func::FuncOp>(createHoistStackBuffersPass());
  }
  if (options.assertions == CPUAssertions::callback)
    pm.addPass(createEmbeddingCallReportAssertionPass());
  pm.addPass(createSCFToControlFlowPass());
  // Without it, a conversion to bf16 would call a function that few C libraries
  // have.
  arith::ArithExpandOpsPassOptions expandOptions;
  expandOptions.includeBf16 = true;
  pm.addPass(arith::createArithExpandOpsPass(expandOptions));
  if (options.allocation == CPUAllocation::callback)
    pm.addPass(createEmbeddingCallAllocatorPass());
  // Broadcasts, transfers of rank 0 and steps, which convert-to-llvm leaves.
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  if (options.parallelism == CPUParallelism::callback)
    pm.addPass(createEmbeddingCallParallelForPass());
  pm.addPass(createCopyAsIntegersPass());
  pm.addPass(createVerifyLoweredPass());
}

void embedding::buildEmbeddingToCPUPipeline(OpPassManager &pm,
                                            const CPUPipelineOptions &options) {
  addEmbeddingToLinalg(pm, options);
  // Memory of the caller's allocator is aligned, and that of results may not
  // be.
  addBufferization(
      pm, options.allocation == CPUAllocation::callback ? 0 : cost::kLineBytes);
  addRowLowering(pm, options);
  addLowerToLLVM(pm, options);
}
