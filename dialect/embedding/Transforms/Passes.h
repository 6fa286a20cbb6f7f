//===- Passes.h - Embedding transformations ---------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TRANSFORMS_PASSES_H
#define EMBEDDING_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
class RewritePatternSet;

namespace LLVM {
class LLVMDialect;
} // namespace LLVM
namespace affine {
class AffineDialect;
} // namespace affine
namespace arith {
class ArithDialect;
} // namespace arith
namespace linalg {
class LinalgDialect;
} // namespace linalg
namespace memref {
class MemRefDialect;
} // namespace memref
namespace scf {
class SCFDialect;
} // namespace scf
namespace tensor {
class TensorDialect;
} // namespace tensor
namespace vector {
class VectorDialect;
} // namespace vector

namespace embedding {

#define GEN_PASS_DECL
#include "embedding/Transforms/Passes.h.inc"

/// The patterns of `embedding-split-checks`.
void populateSplitChecksPatterns(RewritePatternSet &patterns);

#define GEN_PASS_REGISTRATION
#include "embedding/Transforms/Passes.h.inc"

} // namespace embedding
} // namespace mlir

#endif // EMBEDDING_TRANSFORMS_PASSES_H
