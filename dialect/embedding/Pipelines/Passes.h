//===- Passes.h - Embedding pipelines ---------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_PIPELINES_PASSES_H
#define EMBEDDING_PIPELINES_PASSES_H

#include "mlir/Pass/PassOptions.h"

namespace mlir {
class OpPassManager;

namespace embedding {

/// What `forall` loops become on the CPU.
enum class CPUParallelism { none, openmp, callback };

/// Options of `embedding-to-cpu-pipeline`.
struct CPUPipelineOptions : PassPipelineOptions<CPUPipelineOptions> {
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
  PassOptions::Option<CPUParallelism> parallelism{
      *this, "parallelism", llvm::cl::desc("What parallel loops become"),
      llvm::cl::init(CPUParallelism::none),
      llvm::cl::values(
          clEnumValN(CPUParallelism::none, "none", "sequential loops"),
          clEnumValN(CPUParallelism::openmp, "openmp", "OpenMP loops"),
          clEnumValN(CPUParallelism::callback, "callback",
                     "calls of embedding_parallel_for"))};
};

/// Lowers a module of embedding operations and anything that upstream lowers to
/// LLVM, on tensors or memrefs, to the LLVM dialect for a CPU.
void buildEmbeddingToCPUPipeline(OpPassManager &pm,
                                 const CPUPipelineOptions &options);

/// Registers `embedding-to-cpu-pipeline`.
void registerPipelines();

} // namespace embedding
} // namespace mlir

#endif // EMBEDDING_PIPELINES_PASSES_H
