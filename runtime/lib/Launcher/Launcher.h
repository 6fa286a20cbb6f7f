//===- Launcher.h - What exported functions call ----------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_LAUNCHER_LAUNCHER_H
#define EMBEDDING_RUNTIME_LIB_LAUNCHER_LAUNCHER_H

namespace embedding::runtime {

/// The functions of the launcher that an exported function calls, and that the
/// function of a library that waits for a stream calls.
inline constexpr char kCallCompiledName[] = "embedding_call_compiled";
inline constexpr char kSynchronizeName[] = "embedding_synchronize_compiled";

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_LAUNCHER_LAUNCHER_H
