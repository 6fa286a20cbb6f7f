//===- HostFunctions.h - What generated code calls --------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_HOSTFUNCTIONS_H
#define EMBEDDING_RUNTIME_LIB_HOSTFUNCTIONS_H

#include "embedding/Target/HostFunctions.h"

#include <array>

namespace embedding::runtime {

/// A function for each name of embedding/Target/HostFunctions.h.
using HostFunctions = std::array<void *, embedding_num_host_functions>;

/// Those for code that a GeneratedCall, or for a GPU a DeviceCall, runs.
const HostFunctions &getHostFunctions();

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_HOSTFUNCTIONS_H
