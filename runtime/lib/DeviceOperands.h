//===- DeviceOperands.h - Kernels and tensors on a GPU ----------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_DEVICEOPERANDS_H
#define EMBEDDING_RUNTIME_LIB_DEVICEOPERANDS_H

#include "Arguments.h"

#include <functional>

namespace embedding::runtime {

/// Runs the kernel of `spec` in `stream` of GPU `id`: `run` gets its function,
/// `getBytes` the one that returns the bytes of its workspace, and both the
/// workspace. If `outWorkspaceBytes` is not null, it is all that is written.
Status runOnDevice(Engine &engine, int32_t id, void *stream, KernelSpec &spec,
                   size_t *outWorkspaceBytes,
                   const std::function<int64_t(void *, AnyMemRef *)> &getBytes,
                   const std::function<void(void *, AnyMemRef *)> &run);

/// Tensors of a call on a GPU as its host code takes them, which has few kinds
/// of memrefs: dimensions of indices that lie at one stride in every tensor are
/// one.
class DeviceOperands {
public:
  explicit DeviceOperands(const Tensor &indices) : indices(indices) {}

  /// A tensor of two dimensions, or one of the shape of the indices with a
  /// dimension behind it. Its memref is made by `finish`.
  AnyMemRef *add(const Tensor &tensor);
  AnyMemRef *getIndices() { return &indexRef; }

  /// Makes the memrefs, and says of them in `spec` what code depends on. With
  /// `asBytes` rows are moved, and elements as large as addresses allow.
  Status finish(KernelSpec &spec, bool asBytes);

private:
  /// A memref of any rank that host code takes.
  struct Descriptor : AnyMemRef {
    int64_t sizesAndStrides[2 * (KernelSpec::kManyDims + 1)] = {};
  };

  Status collapseDims();
  int64_t getAlignment(const Tensor &tensor) const;
  /// Whether `tensor` has the shape of the indices and one more dimension, as
  /// opposed to two.
  bool isShapedLikeIndices(const Tensor &tensor) const {
    return tensor.rank() != 2;
  }
  /// `unitBytes` are those of an element of the memref, if it has rows.
  void describe(const Tensor &tensor, bool hasRows, int64_t unitBytes,
                Descriptor &to) const;

  const Tensor &indices;
  std::array<const Tensor *, 2> tensors = {};
  std::array<Descriptor, 2> refs;
  Descriptor indexRef;
  int count = 0;
  /// Of memrefs of indices: 1 or `KernelSpec::kManyDims`. And for each of their
  /// dimensions, the last one first, its size and the dimension of tensors that
  /// has its stride, or -1.
  int rank = 1;
  std::array<int64_t, KernelSpec::kManyDims> sizes = {};
  std::array<int, KernelSpec::kManyDims> strideDims = {};
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_DEVICEOPERANDS_H
