//===- InitAll.h - Registration of everything in embedding ------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_INITALL_H
#define EMBEDDING_INITALL_H

namespace mlir {
class DialectRegistry;

namespace embedding {

/// Adds the embedding dialect and the external models of its interfaces.
void registerDialect(DialectRegistry &registry);

/// Registers the passes and the pipelines of this project by name.
void registerPassesAndPipelines();

/// `registerDialect` and what upstream offers: every dialect, extension and
/// translation to LLVM IR. What the tools and the kernel compiler start from.
void registerAllDialects(DialectRegistry &registry);

} // namespace embedding
} // namespace mlir

#endif // EMBEDDING_INITALL_H
