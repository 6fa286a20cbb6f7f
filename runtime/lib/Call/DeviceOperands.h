//===- DeviceOperands.h - Kernels and tensors on a GPU ----------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CALL_DEVICEOPERANDS_H
#define EMBEDDING_RUNTIME_LIB_CALL_DEVICEOPERANDS_H

#include "Code/KernelSpec.h"
#include "Support/RowRuns.h"

namespace embedding::runtime {

/// Tensors of a call on a GPU as its host code takes them, which has few kinds
/// of memrefs: dimensions of indices that lie at one stride in every tensor are
/// one.
class DeviceOperands {
public:
  explicit DeviceOperands(const Tensor &indices) : indices(indices) {}

  /// A tensor of two dimensions, or one with the shape of the indices and a
  /// dimension behind it. Its memref is made by `finish`.
  AnyMemRef *add(const Tensor &tensor, bool hasIndexShape);
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
  /// `numRowDims` are those of a row, 0 for indices; `unitBytes` are those of
  /// an element of the memref.
  void describe(const Tensor &tensor, bool hasIndexShape, int numRowDims,
                int64_t unitBytes, Descriptor &to) const;

  const Tensor &indices;
  struct Rows {
    const Tensor *tensor = nullptr;
    bool hasIndexShape = false;
    Descriptor ref;
  };
  std::array<Rows, mlir::embedding::kMaxRowOperands> rows;
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

#endif // EMBEDDING_RUNTIME_LIB_CALL_DEVICEOPERANDS_H
