//===- HostFunctions.h - What generated code calls --------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CALL_HOSTFUNCTIONS_H
#define EMBEDDING_RUNTIME_LIB_CALL_HOSTFUNCTIONS_H

#include "Code/SharedObject.h"

namespace embedding::runtime {

/// Those for code that a GeneratedCall runs.
const HostFunctions &getHostFunctions();

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CALL_HOSTFUNCTIONS_H
