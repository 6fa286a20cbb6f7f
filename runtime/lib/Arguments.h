//===- Arguments.h - Validation that operations share -----------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_ARGUMENTS_H
#define EMBEDDING_RUNTIME_LIB_ARGUMENTS_H

#include "Engine.h"
#include "Tensor.h"

#include <mutex>
#include <optional>

namespace embedding::runtime {

/// Validates indices of any shape.
Result<Tensor> getIndices(const DLTensor *indices);

/// Whether the elements of a row are next to each other.
bool hasContiguousRows(const Tensor &tensor);

/// Whether all are on the CPU, or on one GPU.
Status checkSameDevice(const char *name, const Tensor &tensor,
                       std::initializer_list<const Tensor *> others);

bool haveSameType(const Tensor &a, const Tensor &b);

/// `rows` must have the shape of `indices` followed by `rowLength`.
Status checkRowsOf(const char *name, const Tensor &rows, const Tensor &indices,
                   int64_t rowLength);
Status checkOutOfRangeMode(int32_t mode);
Status checkPaddingIdx(int64_t paddingIdx, int64_t numRows);

/// Copies between `tensor`, of any strides and alignment, and compact row-major
/// memory.
void copyToCompact(const Tensor &tensor, char *to);
void copyFromCompact(const char *from, const Tensor &tensor);

/// The rows of a tensor: runs of rows at one stride. Any tensor is made of
/// them; most are a single run.
class RowRuns {
public:
  explicit RowRuns(const Tensor &tensor) : tensor(tensor) {
    outer = tensor.rank() - 1;
    // From the innermost dimension outwards, while one stride fits.
    while (outer > 0) {
      int64_t size = tensor.size(outer - 1);
      int64_t dimStride =
          tensor.numElements() > 0 ? tensor.stride(outer - 1) : 0;
      if (runLength == 1)
        stride = dimStride;
      else if (size != 1 && dimStride != stride * runLength)
        break;
      runLength *= size;
      --outer;
    }
  }

  bool isSingle() const { return outer == 0 || tensor.numElements() == 0; }
  int64_t getRunLength() const { return runLength; }
  /// Elements between the rows of a run.
  int64_t getStride() const { return stride; }
  /// Where run `run` starts.
  char *getRun(int64_t run) const {
    int64_t offset = 0;
    for (int dim = outer - 1; dim >= 0; --dim) {
      offset += run % tensor.size(dim) * tensor.stride(dim);
      run /= tensor.size(dim);
    }
    return tensor.data() + offset * tensor.elementBytes();
  }

private:
  const Tensor &tensor;
  int64_t runLength = 1;
  int64_t stride = 0;
  int outer;
};

/// The indices out of range that the ranges of a call find.
class OutOfRangeIndices {
public:
  /// Takes what a kernel of the range from `begin` on reports.
  void add(int64_t begin, const int64_t (&report)[3]);
  /// What the caller is told.
  Status getStatus(int64_t numRows) const;

private:
  std::mutex mutex;
  int64_t position = -1;
  int64_t index = 0;
  int64_t count = 0;
};

/// A lookup with max_norm. Its arguments are valid as those of a lookup. If
/// `outWorkspaceBytes` is not null, it is all that is written.
Status lookupWithRenorm(Engine &engine, const Tensor &table,
                        const Tensor &indices, const Tensor &out,
                        const EmbeddingLookupOptions &options,
                        size_t *outWorkspaceBytes);

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_ARGUMENTS_H
