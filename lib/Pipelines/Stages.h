//===- Stages.h - What pipelines have in common -----------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_PIPELINES_STAGES_H
#define EMBEDDING_LIB_PIPELINES_STAGES_H

namespace mlir {
class OpPassManager;

namespace embedding {

/// What makes operations fewer and cheaper, still on tensors where the input
/// was.
void addSimplification(OpPassManager &pm);

/// Checks of sizes that are not static, before operations are converted.
void addSizeChecks(OpPassManager &pm);

/// From tensors to memrefs, with deallocations. Allocations ask for memory that
/// is aligned to `alignment` bytes, unless that is 0.
void addBufferization(OpPassManager &pm, unsigned alignment);

} // namespace embedding
} // namespace mlir

#endif // EMBEDDING_LIB_PIPELINES_STAGES_H
