//===- TilingInterfaceImpl.h - Tiling ---------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TRANSFORMS_TILINGINTERFACEIMPL_H
#define EMBEDDING_TRANSFORMS_TILINGINTERFACEIMPL_H

namespace mlir {
class DialectRegistry;

namespace embedding {

/// Registers `TilingInterface` for the operations of the dialect. The loops of
/// a lookup are the dimensions of its indices and then its row, all parallel.
/// A lookup in `check` mode does not tile: its positions would become those
/// within the tile. `embedding-split-checks` comes first.
void registerTilingInterfaceExternalModels(DialectRegistry &registry);

} // namespace embedding
} // namespace mlir

#endif // EMBEDDING_TRANSFORMS_TILINGINTERFACEIMPL_H
