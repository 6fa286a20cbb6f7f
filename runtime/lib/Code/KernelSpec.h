//===- KernelSpec.h - What a kernel is compiled for -------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CODE_KERNELSPEC_H
#define EMBEDDING_RUNTIME_LIB_CODE_KERNELSPEC_H

#include "embedding-runtime/Runtime.h"
#include "embedding/ABI/Operations.h"
#include "embedding/Target/CostModel.h"

#include <array>
#include <string>

namespace embedding::runtime {

/// The name of `mode` in the dialect.
const char *getName(EmbeddingOutOfRange mode);

namespace cost = mlir::embedding::cost;
/// How positions of one row are brought together.
using Grouping = cost::Grouping;
/// The name of `grouping` in the dialect.
const char *getName(Grouping grouping);

/// Everything that the code of a kernel depends on, apart from the CPU. Fields
/// that do not matter to an operation keep their defaults.
struct KernelSpec {
  const mlir::embedding::OperationDesc *operation = nullptr;
  EmbeddingOutOfRange outOfRange = EMBEDDING_OUT_OF_RANGE_CHECK;
  EmbeddingLowering lowering = EMBEDDING_LOWERING_OPTIMIZED;
  /// 32 or 64.
  int32_t indexBits = 64;
  /// The elements of a row: integers if they are only moved. A lookup moves
  /// bytes, if those of a row are next to each other.
  DLDataTypeCode elementCode = kDLInt;
  int32_t elementBytes = 1;
  /// Whether the elements of the rows are next to each other.
  bool isContiguous = true;
  /// Of a lookup: whether rows also follow each other without gaps, and those
  /// of the table are aligned to `getRowAlignment`.
  bool isDense = false;
  bool scalesGradByFreq = false;
  /// Whether a gradient leaves out the padding row.
  bool hasPadding = false;
  Grouping grouping = Grouping::radixSort;
  /// The p of the norm.
  double normType = 2.0;
  /// Elements of a row, or kDynamic.
  int64_t rowLength = kDynamic;
  /// The GPU, such as 90 for sm_90, or 0 for the CPU.
  int32_t chip = 0;
  /// The dimensions of indices: on a GPU 1 or kManyDims.
  int32_t indexRank = 1;
  /// On a GPU: the bytes that rows are aligned to, up to those that a thread
  /// moves at once.
  int32_t rowAlignment = 1;
  /// On a GPU: whether gradients are summed by atomic additions.
  bool usesAtomics = false;

  static constexpr int64_t kDynamic = -1;
  static constexpr int kManyDims = 4;

  bool operator==(const KernelSpec &other) const {
    return operation == other.operation && outOfRange == other.outOfRange &&
           lowering == other.lowering && indexBits == other.indexBits &&
           elementCode == other.elementCode &&
           elementBytes == other.elementBytes &&
           isContiguous == other.isContiguous && isDense == other.isDense &&
           scalesGradByFreq == other.scalesGradByFreq &&
           hasPadding == other.hasPadding && grouping == other.grouping &&
           normType == other.normType && rowLength == other.rowLength &&
           chip == other.chip && indexRank == other.indexRank &&
           rowAlignment == other.rowAlignment &&
           usesAtomics == other.usesAtomics;
  }

  size_t hash() const {
    uint64_t bits = static_cast<uint64_t>(rowLength) * 0x9e3779b97f4a7c15;
    bits ^= static_cast<uint64_t>(outOfRange) | uint64_t(lowering) << 2 |
            uint64_t(indexBits) << 3 | uint64_t(elementBytes) << 10 |
            uint64_t(isContiguous) << 16 | uint64_t(operation->kind) << 17 |
            uint64_t(elementCode) << 21 | uint64_t(scalesGradByFreq) << 29 |
            uint64_t(grouping) << 30 | uint64_t(hasPadding) << 32 |
            uint64_t(isDense) << 33 | uint64_t(indexRank) << 34 |
            uint64_t(rowAlignment) << 37 | uint64_t(usesAtomics) << 42 |
            uint64_t(chip) << 43;
    return static_cast<size_t>(bits * 0xff51afd7ed558ccd >> 32);
  }

  /// The spec as one line: its part of the key of a cached object.
  std::string str() const;

  /// What its function is called in IR, for whoever looks at a profile.
  std::string getFunctionName() const;
};

/// The largest power of two, of up to a cache line, that divides `rowBytes`: so
/// aligned, rows without gaps take no more lines than they must.
inline int64_t getRowAlignment(int64_t rowBytes) {
  return std::min(rowBytes & -rowBytes, cost::kLineBytes);
}

/// The row length of a spec, of rows of `rowLength` elements: that, if the
/// kernel knows it. IR knows no slice of a dimension of size 0.
inline int64_t getSpecRowLength(int64_t rowLength, int64_t elementBytes) {
  bool isKnown =
      rowLength > 0 && rowLength * elementBytes <= cost::kMaxStaticRowBytes;
  return isKnown ? rowLength : KernelSpec::kDynamic;
}

/// A memref as MLIR's C interface passes it: one of any rank, and of `Rank`.
struct AnyMemRef {
  void *allocated = nullptr;
  void *aligned = nullptr;
  int64_t offset = 0;
};
template <int Rank> struct MemRef : AnyMemRef {
  int64_t sizes[Rank] = {};
  int64_t strides[Rank] = {};
};
template <> struct MemRef<0> : AnyMemRef {};

/// What a kernel takes: an array of pointers, to the memref of a tensor and to
/// the value of a number, an int64_t or a double.
///
/// Kernels take the operands of an operation, then the workspace. Tensors of
/// rows are [N, D], and indices [N], or with more dimensions in place of N, if
/// `indexRank` says so. They call `embedding_parallel_for`, or on a GPU
/// `embedding_launch_kernel`. `padding_idx` does not matter unless the spec has
/// padding. Each comes with a function that takes the same, returns the bytes
/// of the workspace, and reads nothing but shapes.
using KernelFunction = void (*)(void **arguments);
using WorkspaceFunction = int64_t (*)(void **arguments);
using KernelArguments = std::array<void *, mlir::embedding::kMaxOperands + 1>;

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CODE_KERNELSPEC_H
