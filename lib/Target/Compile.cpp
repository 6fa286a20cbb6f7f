//===- Compile.cpp - How code for the runtime is compiled -----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Target/Compile.h"

using namespace mlir;
using namespace mlir::embedding;

std::optional<int> mlir::embedding::getChipNumber(StringRef chip) {
  int number = 0;
  if (!chip.consume_front("sm_") || chip.getAsInteger(10, number) ||
      number < 80)
    return std::nullopt;
  return number;
}

void mlir::embedding::buildPipeline(OpPassManager &pm, const CPUTarget &target,
                                    const CompileOptions &options) {
  if (options.chip != 0) {
    NVVMPipelineOptions nvvm;
    nvvm.chip = "sm_" + std::to_string(options.chip);
    nvvm.atomicGradients = options.atomicGradients;
    nvvm.rowAlignment = options.rowAlignment;
    nvvm.launch = KernelLaunch::callback;
    nvvm.checkSizes = options.checksSizes;
    buildEmbeddingToNVVMPipeline(pm, nvvm);
    return;
  }
  CPUPipelineOptions cpu;
  cpu.vectorBytes = target.getVectorBytes();
  if (target.isIntel())
    cpu.secondLevelRowBytes = cost::kSecondLevelRowBytesOnIntel;
  cpu.vectorize = cpu.prefetch = !options.isNaive;
  cpu.parallelism = options.parallelism;
  cpu.numThreads = options.numThreads;
  cpu.allocation = CPUAllocation::callback;
  cpu.assertions = CPUAssertions::callback;
  cpu.checkSizes = options.checksSizes;
  buildEmbeddingToCPUPipeline(pm, cpu);
}

LogicalResult mlir::embedding::emitObject(ModuleOp module,
                                          const CPUTarget &target,
                                          const CompileOptions &options,
                                          SmallVectorImpl<char> &object) {
  // Host code of a GPU is not what is compared.
  bool isPlain = options.isNaive && options.chip == 0;
  return target.emit(module, isPlain ? 0 : 2, CPUTarget::Output::object,
                     object);
}
