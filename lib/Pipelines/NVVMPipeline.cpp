//===- NVVMPipeline.cpp - embedding-to-nvvm-pipeline ----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Stages.h"

#include "embedding/Conversion/Passes.h"
#include "embedding/Pipelines/Passes.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::embedding;

/// Whether `chip` has atomic additions of vectors of f32: sm_90 and later.
static bool hasVectorAtomics(StringRef chip) {
  return !chip.starts_with("sm_8");
}

/// Operations to kernels and launches, by way of memrefs.
static void addEmbeddingToGPU(OpPassManager &pm,
                              const NVVMPipelineOptions &options) {
  pm.addPass(createVerifyTypesPass());
  addSimplification(pm);
  if (options.checkSizes)
    addSizeChecks(pm);
  addBufferization(pm, /*alignment=*/0);
  pm.addPass(createEmbeddingDecomposeOperationsPass(
      {options.atomicGradients ? Scatter::atomic : Scatter::none,
       /*numThreads=*/0}));
  pm.addPass(createConvertEmbeddingToGPUPass(
      {options.rowAlignment, hasVectorAtomics(options.chip)}));
  pm.addPass(createConvertEmbeddingToFuncPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createEmbeddingPlanWorkspacePass());
  pm.addPass(createAllocateOnDevicePass());
}

/// Kernels to the NVVM dialect.
static void addKernelLowering(OpPassManager &pm) {
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  kernels.addPass(memref::createExpandStridedMetadataPass());
  kernels.addPass(createLowerAffinePass());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createSCFToControlFlowPass());
  kernels.addPass(createCallMathIntrinsicsPass());
  // The rest of it has operations that gpu-to-nvvm leaves alone.
  kernels.addPass(createConvertMathToLLVMPass());
  ConvertGpuOpsToNVVMOpsOptions conversion;
  // With descriptors LLVM could not tell that a pointer is the only one.
  conversion.useBarePtrCallConv = true;
  kernels.addPass(createConvertGpuOpsToNVVMOps(conversion));
  kernels.addPass(createConvertNVVMToLLVMPass());
  kernels.addPass(createReconcileUnrealizedCastsPass());
}

/// NVVM to PTX or machine code.
static void addSerialization(OpPassManager &pm,
                             const NVVMPipelineOptions &options) {
  std::string features = options.features;
  // The first version of PTX with atomic additions of vectors; later chips need
  // a later one anyway.
  StringRef chip = options.chip.getValue();
  if (options.atomicGradients && features.empty() && chip.starts_with("sm_90"))
    features = "+ptx81";
  pm.addNestedPass<gpu::GPUModuleOp>(
      createAttachNVVMTargetPass({chip.str(), features, options.optLevel}));
  GpuModuleToBinaryPassOptions binary;
  binary.compilationTarget = options.format;
  binary.cmdOptions = options.cmdOptions;
  pm.addPass(createGpuModuleToBinaryPass(binary));
}

static void addHostLowering(OpPassManager &pm,
                            const NVVMPipelineOptions &options) {
  if (options.launch == KernelLaunch::callback)
    pm.addPass(createEmbeddingCallLaunchKernelPass());
  else
    // Without it, each launch would have a stream of its own and wait.
    pm.addNestedPass<func::FuncOp>(createGpuAsyncRegionPass());
  OpPassManager &funcs = pm.nest<func::FuncOp>();
  funcs.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (options.launch == KernelLaunch::callback)
    pm.addPass(createEmbeddingCallReportAssertionPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(arith::createArithExpandOpsPass());
  if (options.launch == KernelLaunch::callback)
    pm.addPass(createEmbeddingCallAllocatorPass());
  GpuToLLVMConversionPassOptions conversion;
  conversion.kernelBarePtrCallConv = true;
  pm.addPass(createGpuToLLVMConversionPass(conversion));
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createVerifyLoweredPass());
}

void embedding::buildEmbeddingToNVVMPipeline(
    OpPassManager &pm, const NVVMPipelineOptions &options) {
  addEmbeddingToGPU(pm, options);
  addKernelLowering(pm);
  addSerialization(pm, options);
  addHostLowering(pm, options);
}
