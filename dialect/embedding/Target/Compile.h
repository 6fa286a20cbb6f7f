//===- Compile.h - How code for the runtime is compiled ---------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels of the runtime's operations, functions of IR and what embedding-run
// runs go through the pipelines with options that are chosen here and nowhere
// else. Their code calls the runtime: for loops, memory, launches and reports.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TARGET_COMPILE_H
#define EMBEDDING_TARGET_COMPILE_H

#include "embedding/Pipelines/Passes.h"
#include "embedding/Target/CPU.h"

namespace mlir::embedding {

/// The number of a GPU such as sm_90, of sm_80 or later.
std::optional<int> getChipNumber(StringRef chip);

struct CompileOptions {
  /// The GPU, such as 90 for sm_90; 0 is the CPU.
  int chip = 0;
  /// Not vectorized and without prefetches, for comparison.
  bool isNaive = false;
  /// On GPUs, sums dense gradients by atomic additions.
  bool atomicGradients = false;
  /// Whether dynamic sizes are checked to agree.
  bool checksSizes = false;
  /// As of the pipelines' options.
  int64_t rowAlignment = 0;
  CPUParallelism parallelism = CPUParallelism::callback;
  int64_t numThreads = 0;
};

/// Lowers a module to the LLVM dialect.
void buildPipeline(OpPassManager &pm, const CPUTarget &target,
                   const CompileOptions &options);

/// Appends a relocatable object of a module of the LLVM dialect to `object`.
LogicalResult emitObject(ModuleOp module, const CPUTarget &target,
                         const CompileOptions &options,
                         SmallVectorImpl<char> &object);

} // namespace mlir::embedding

#endif // EMBEDDING_TARGET_COMPILE_H
