//===- Passes.h - Embedding pipelines ---------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_PIPELINES_PASSES_H
#define EMBEDDING_PIPELINES_PASSES_H

#include "embedding/Target/CostModel.h"

#include "mlir/Pass/PassOptions.h"

namespace mlir {
class OpPassManager;

namespace embedding {

/// What `forall` loops become on the CPU.
enum class CPUParallelism { none, openmp, callback };

/// Where buffers come from on the CPU.
enum class CPUAllocation { malloc, callback };

/// What an assertion that fails does on the CPU.
enum class CPUAssertions { abort, callback };

/// Options of `embedding-to-cpu-pipeline`.
struct CPUPipelineOptions : PassPipelineOptions<CPUPipelineOptions> {
  PassOptions::Option<bool> checkSizes{
      *this, "check-sizes",
      llvm::cl::desc("Check at run time that dynamic sizes agree, and call "
                     "embedding_report_mismatch if not"),
      llvm::cl::init(false)};
  PassOptions::Option<bool> vectorize{
      *this, "vectorize",
      llvm::cl::desc("Copy rows with vectors rather than element by element"),
      llvm::cl::init(true)};
  PassOptions::Option<int64_t> vectorBytes{
      *this, "vector-bytes",
      llvm::cl::desc("Bytes of the widest vector: 16 for SSE and Neon, 32 for "
                     "AVX2, 64 for AVX-512"),
      llvm::cl::init(32)};
  PassOptions::Option<bool> streamStores{
      *this, "stream-stores",
      llvm::cl::desc("Store rows of large outputs around the caches"),
      llvm::cl::init(true)};
  PassOptions::Option<bool> prefetch{
      *this, "prefetch",
      llvm::cl::desc("Prefetch the rows of later iterations"),
      llvm::cl::init(true)};
  PassOptions::Option<int64_t> prefetchRowsAhead{
      *this, "prefetch-rows-ahead",
      llvm::cl::desc("Rows between a prefetch and its use; 0 chooses by the "
                     "bytes of a row"),
      llvm::cl::init(0)};
  PassOptions::Option<int64_t> secondLevelRowBytes{
      *this, "second-level-row-bytes",
      llvm::cl::desc("Bytes of a row from which on it is prefetched into the "
                     "second-level cache: 128 for CPUs of Intel's"),
      llvm::cl::init(cost::kSecondLevelRowBytes)};
  PassOptions::Option<CPUParallelism> parallelism{
      *this, "parallelism", llvm::cl::desc("What parallel loops become"),
      llvm::cl::init(CPUParallelism::none),
      llvm::cl::values(
          clEnumValN(CPUParallelism::none, "none", "sequential loops"),
          clEnumValN(CPUParallelism::openmp, "openmp", "OpenMP loops"),
          clEnumValN(CPUParallelism::callback, "callback",
                     "calls of embedding_parallel_for"))};
  PassOptions::Option<int64_t> numThreads{
      *this, "num-threads",
      llvm::cl::desc("Threads that run parallel loops, on which some choices "
                     "depend; 0 if they are not known"),
      llvm::cl::init(0)};
  PassOptions::Option<CPUAllocation> allocation{
      *this, "allocation", llvm::cl::desc("Where buffers come from"),
      llvm::cl::init(CPUAllocation::malloc),
      llvm::cl::values(
          clEnumValN(CPUAllocation::malloc, "malloc", "the C library"),
          clEnumValN(CPUAllocation::callback, "callback",
                     "calls of embedding_allocate"))};
  PassOptions::Option<CPUAssertions> assertions{
      *this, "assertions", llvm::cl::desc("What an assertion that fails does"),
      llvm::cl::init(CPUAssertions::abort),
      llvm::cl::values(
          clEnumValN(CPUAssertions::abort, "abort", "ends the process"),
          clEnumValN(CPUAssertions::callback, "callback",
                     "calls embedding_report_assertion"))};
};

/// Lowers a module of embedding operations and anything that upstream lowers to
/// LLVM, on tensors or memrefs, to the LLVM dialect for a CPU.
void buildEmbeddingToCPUPipeline(OpPassManager &pm,
                                 const CPUPipelineOptions &options);

/// Who launches the kernels of `embedding-to-nvvm-pipeline`.
enum class KernelLaunch { mgpu, callback };

/// Options of `embedding-to-nvvm-pipeline`. Those that upstream's
/// `gpu-lower-to-nvvm-pipeline` has too have its names.
struct NVVMPipelineOptions : PassPipelineOptions<NVVMPipelineOptions> {
  PassOptions::Option<bool> checkSizes{
      *this, "check-sizes",
      llvm::cl::desc("Check at run time that dynamic sizes agree, and call "
                     "embedding_report_mismatch if not"),
      llvm::cl::init(false)};
  PassOptions::Option<std::string> chip{
      *this, "cubin-chip",
      llvm::cl::desc("The GPU to generate code for, sm_80 or later"),
      llvm::cl::init("sm_80")};
  PassOptions::Option<std::string> features{
      *this, "cubin-features",
      llvm::cl::desc("Features, the version of PTX above all; empty for what "
                     "the chip needs"),
      llvm::cl::init("")};
  PassOptions::Option<std::string> format{
      *this, "cubin-format",
      llvm::cl::desc("What kernels become: isa (PTX), or bin or fatbin, which "
                     "need the CUDA toolkit"),
      llvm::cl::init("isa")};
  PassOptions::Option<int> optLevel{
      *this, "opt-level", llvm::cl::desc("Optimization level for kernels"),
      llvm::cl::init(3)};
  PassOptions::Option<std::string> cmdOptions{
      *this, "ptxas-cmd-options",
      llvm::cl::desc("Command line options of ptxas"), llvm::cl::init("")};
  PassOptions::Option<int64_t> rowAlignment{
      *this, "row-alignment",
      llvm::cl::desc("Bytes that every row of every operand is aligned to; 0 "
                     "for what types say, of buffers aligned to 16 bytes"),
      llvm::cl::init(0)};
  PassOptions::Option<bool> atomicGradients{
      *this, "atomic-gradients",
      llvm::cl::desc(
          "Sum dense gradients of f32 and f64 in no order, by atomic "
          "additions"),
      llvm::cl::init(false)};
  PassOptions::Option<KernelLaunch> launch{
      *this, "launch", llvm::cl::desc("What launches kernels"),
      llvm::cl::init(KernelLaunch::mgpu),
      llvm::cl::values(clEnumValN(KernelLaunch::mgpu, "mgpu",
                                  "upstream's wrappers of the CUDA driver"),
                       clEnumValN(KernelLaunch::callback, "callback",
                                  "calls of embedding_launch_kernel, of "
                                  "embedding_allocate for buffers, and of "
                                  "embedding_report_assertion"))};
};

/// Lowers a module of embedding operations on tensors or memrefs, all in device
/// memory, to kernels and host code in the LLVM dialect.
void buildEmbeddingToNVVMPipeline(OpPassManager &pm,
                                  const NVVMPipelineOptions &options);

/// Registers `embedding-to-cpu-pipeline` and `embedding-to-nvvm-pipeline`.
void registerPipelines();

} // namespace embedding
} // namespace mlir

#endif // EMBEDDING_PIPELINES_PASSES_H
