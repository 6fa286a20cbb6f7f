//===- Stages.cpp - What pipelines have in common -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Stages.h"

#include "embedding/Pipelines/Passes.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::embedding;

void embedding::addSimplification(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createDecomposeLinalgPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createEmbeddingFuseRenormLookupPass());
  pm.addPass(createEmbeddingElideChecksPass());
  // Bufferization knows arith and math on tensors by no other name.
  pm.addNestedPass<func::FuncOp>(createConvertElementwiseToLinalgPass());
}

void embedding::addSizeChecks(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createEmbeddingCheckSizesPass());
  // Erases those that hold by what is static.
  pm.addPass(createCSEPass());
  pm.addPass(createCanonicalizerPass());
}

void embedding::addBufferization(OpPassManager &pm, unsigned alignment) {
  pm.addNestedPass<func::FuncOp>(createEraseEmptyTensorsPass());
  bufferization::OneShotBufferizePassOptions options;
  options.bufferizeFunctionBoundaries = true;
  options.bufferAlignment = alignment;
  // A loop may carry a new tensor from each iteration.
  options.allowReturnAllocsFromLoops = true;
  // Callers pass contiguous memory: with offsets and strides unknown, no row
  // would vectorize.
  options.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(options));
  // Together they see that a row is copied to itself.
  pm.addPass(createCSEPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createMarkDeallocationsPass());
  bufferization::BufferDeallocationPipelineOptions deallocationOptions;
  // Without it, a private function that returns its destination would copy it.
  deallocationOptions.privateFunctionDynamicOwnership = true;
  bufferization::buildBufferDeallocationPipeline(pm, deallocationOptions);
  pm.addPass(createConvertBufferizationToMemRefPass());
  pm.addPass(createResolveReshapesPass());
}

void embedding::registerPipelines() {
  PassPipelineRegistration<CPUPipelineOptions>(
      "embedding-to-cpu-pipeline",
      "Lower embedding operations, and whatever else the module holds on "
      "tensors or memrefs, to the LLVM dialect for a CPU",
      buildEmbeddingToCPUPipeline);
  PassPipelineRegistration<NVVMPipelineOptions>(
      "embedding-to-nvvm-pipeline",
      "Lower embedding operations on tensors or memrefs in device memory to "
      "kernels for NVIDIA GPUs and to host code in the LLVM dialect",
      buildEmbeddingToNVVMPipeline);
}
