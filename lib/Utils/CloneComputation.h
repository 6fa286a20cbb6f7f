//===- CloneComputation.h - Compute a value in another place ----*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_UTILS_CLONECOMPUTATION_H
#define EMBEDDING_LIB_UTILS_CLONECOMPUTATION_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::embedding {

/// Clones what computes `value` to the insertion point of `b`. Fails if that
/// takes more than operations that `canClone` holds for, on what `mapping` has.
inline LogicalResult
cloneComputation(OpBuilder &b, Value value, IRMapping &mapping,
                 llvm::function_ref<bool(Operation *)> canClone) {
  if (mapping.contains(value))
    return success();
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumRegions() != 0 || !canClone(op))
    return failure();
  for (Value operand : op->getOperands())
    if (failed(cloneComputation(b, operand, mapping, canClone)))
      return failure();
  b.clone(*op, mapping);
  return success();
}

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_UTILS_CLONECOMPUTATION_H
