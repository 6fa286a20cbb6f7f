//===- BufferizableOpInterfaceImpl.h - Bufferization ------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H
#define EMBEDDING_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H

namespace mlir {
class DialectRegistry;

namespace embedding {

/// Registers `BufferizableOpInterface` for the operations of the dialect.
void registerBufferizableOpInterfaceExternalModels(DialectRegistry &registry);

} // namespace embedding
} // namespace mlir

#endif // EMBEDDING_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H
