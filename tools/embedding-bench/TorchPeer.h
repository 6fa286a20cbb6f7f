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

/// Operations of PyTorch on borrowed memory, f32 unless said, and i64, compact.
/// Outputs that are not named are PyTorch's own, fresh in each call: it has no
/// form that writes to a given one.
struct TorchPeer {
  const char *version;
  void (*setNumThreads)(int32_t count);
  /// `torch.index_select(table, 0, indices, out=out)`; elements of 2 bytes are
  /// f16.
  void (*indexSelect)(void *table, int64_t numRows, int64_t rowLength,
                      int32_t elementBytes, int64_t *indices, int64_t count,
                      void *out);
  /// `F.embedding(indices, table)`
  void (*embedding)(void *table, int64_t numRows, int64_t rowLength,
                    int32_t elementBytes, int64_t *indices, int64_t count);
  /// `F.embedding_bag` of `mode` 0 (sum), 1 (mean) or 2 (max); `weights` may be
  /// null, and `paddingIdx` -1.
  void (*embeddingBag)(float *table, int64_t numRows, int64_t rowLength,
                       int64_t *indices, int64_t count, int64_t *offsets,
                       int64_t numBags, int64_t mode, float *weights,
                       int64_t paddingIdx);
  void (*denseGrad)(float *gradOutput, int64_t *indices, int64_t count,
                    int64_t rowLength, int64_t numRows);
  void (*renorm)(float *table, int64_t numRows, int64_t rowLength,
                 int64_t *indices, int64_t count, double maxNorm);
  void (*coalesce)(int64_t *indices, float *values, int64_t count,
                   int64_t rowLength, int64_t numRows);
};

using GetTorchPeer = const TorchPeer *(*)();
inline constexpr char kGetTorchPeerName[] = "embedding_bench_get_torch_peer";

/// PyTorch, or null if its library was not there to build with or is not there
/// to load.
const TorchPeer *loadTorchPeer();

} // namespace embedding::bench

#endif // EMBEDDING_TOOLS_EMBEDDINGBENCH_TORCHPEER_H
