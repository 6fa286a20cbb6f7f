//===- Results.h - Buffers that callers outside take ------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_UTILS_RESULTS_H
#define EMBEDDING_LIB_UTILS_RESULTS_H

#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir::embedding {

/// Whether `block` may run again in one call of its function.
inline bool mayRepeat(Block *block) {
  SmallPtrSet<Block *, 8> reached;
  SmallVector<Block *> next(block->getSuccessors());
  while (!next.empty()) {
    Block *reachable = next.pop_back_val();
    if (reachable == block)
      return true;
    if (reached.insert(reachable).second)
      next.append(reachable->succ_begin(), reachable->succ_end());
  }
  return false;
}

/// The number of the result that the buffer of `allocation` is handed over as,
/// if it is that of a call and there is only one such buffer.
inline std::optional<int64_t> getResultNumber(Operation *allocation) {
  if (!isa<func::FuncOp>(allocation->getParentOp()) ||
      mayRepeat(allocation->getBlock()))
    return std::nullopt;
  SmallVector<Value> views = {allocation->getResult(0)};
  while (!views.empty())
    for (Operation *user : views.pop_back_val().getUsers()) {
      if (auto cast = dyn_cast<memref::CastOp>(user))
        views.push_back(cast.getResult());
      auto call = dyn_cast<func::CallOp>(user);
      if (!call)
        continue;
      auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
          user, call.getCalleeAttr());
      IntegerAttr number;
      if (callee)
        number = callee->getAttrOfType<IntegerAttr>(kResultAttrName);
      if (number)
        return number.getInt();
    }
  return std::nullopt;
}

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_UTILS_RESULTS_H
