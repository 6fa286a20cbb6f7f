//===- SizeRelations.h - Sizes that agree -----------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_IR_SIZERELATIONS_H
#define EMBEDDING_LIB_IR_SIZERELATIONS_H

#include "embedding/IR/Embedding.h"

namespace mlir::embedding {

/// A size of one operand that another operand determines.
struct SizeRelation {
  const char *name;
  Value operand;
  int64_t dim;
  const char *otherName;
  Value other;
  /// Nothing for the number of elements of `other`.
  std::optional<int64_t> otherDim;
  /// What is added to that.
  int64_t more = 0;

  int64_t getStaticSize() const;
  /// What `getStaticSize` must be, or `ShapedType::kDynamic`.
  int64_t getStaticExpected() const;
  /// Whether no static size contradicts it.
  bool isPossible() const;
};

/// The relations that the constraints of `op`, which holds those of ranks,
/// require.
SmallVector<SizeRelation> getSizeRelations(Operation *op);

/// Verifies that the static sizes of `relations`, some of `op`, agree.
LogicalResult verifySizes(Operation *op, ArrayRef<SizeRelation> relations);
/// Verifies the constraints that the relations of `op` are part of.
LogicalResult verifySizes(RowIndexingOpInterface op);

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_IR_SIZERELATIONS_H
