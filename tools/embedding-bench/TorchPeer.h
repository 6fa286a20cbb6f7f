//===- TorchPeer.h - PyTorch as a contender ---------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What libembedding-bench-torch exports. It is built where PyTorch's C++
// library is installed and loaded where it is there; embedding-bench works
// without it.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TOOLS_EMBEDDINGBENCH_TORCHPEER_H
#define EMBEDDING_TOOLS_EMBEDDINGBENCH_TORCHPEER_H

#include <cstdint>

namespace embedding::bench {

/// Operations of PyTorch on borrowed memory, f32 and i64, compact. Outputs are
/// PyTorch's own: it has no form that writes to a given one.
struct TorchPeer {
  const char *version;
  void (*setNumThreads)(int32_t count);
  void (*denseGrad)(float *gradOutput, int64_t *indices, int64_t count,
                    int64_t rowLength, int64_t numRows);
  void (*renorm)(float *table, int64_t numRows, int64_t rowLength,
                 int64_t *indices, int64_t count, double maxNorm);
  void (*coalesce)(int64_t *indices, float *values, int64_t count,
                   int64_t rowLength, int64_t numRows);
};

using GetTorchPeer = const TorchPeer *(*)();
inline constexpr char kGetTorchPeerName[] = "embedding_bench_get_torch_peer";

} // namespace embedding::bench

#endif // EMBEDDING_TOOLS_EMBEDDINGBENCH_TORCHPEER_H
