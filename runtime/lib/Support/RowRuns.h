//===- RowRuns.h - Tensors as runs of rows ----------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_SUPPORT_ROWRUNS_H
#define EMBEDDING_RUNTIME_LIB_SUPPORT_ROWRUNS_H

#include "Support/Tensor.h"

namespace embedding::runtime {

/// Whether the elements of a row are next to each other.
bool hasContiguousRows(const Tensor &tensor);

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
  /// Dimensions that count runs.
  int getNumOuterDims() const { return outer; }
  /// Elements between the rows of a run.
  int64_t getStride() const { return stride; }

private:
  const Tensor &tensor;
  int64_t runLength = 1;
  int64_t stride = 0;
  int outer;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_SUPPORT_ROWRUNS_H
