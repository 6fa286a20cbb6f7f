//===- Operation.h - Calls of operations ------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_API_OPERATION_H
#define EMBEDDING_RUNTIME_LIB_API_OPERATION_H

#include "API/Engine.h"
#include "Call/Operands.h"

namespace embedding::runtime {

/// Calls the operation that `operands`, which are valid, belong to. If
/// `outWorkspaceBytes` is not null, it is all that is written.
Status callOperation(Engine &engine, Operands &operands,
                     size_t *outWorkspaceBytes);

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_API_OPERATION_H
