//===- ChildProcess.h - What may end a process --------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TOOLS_SUPPORT_CHILDPROCESS_H
#define EMBEDDING_TOOLS_SUPPORT_CHILDPROCESS_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

namespace embedding::tools {

/// Calls `make` in a child process, a copy of this one, and appends to `bytes`
/// what it appends there: LLVM answers IR that it does not expect by ending the
/// process. Returns what `make` does, which has printed why if that is false;
/// or an error if the child has ended before. To be called while there is one
/// thread.
llvm::Expected<bool>
makeInChild(llvm::SmallVectorImpl<char> &bytes,
            llvm::function_ref<bool(llvm::SmallVectorImpl<char> &)> make);

} // namespace embedding::tools

#endif // EMBEDDING_TOOLS_SUPPORT_CHILDPROCESS_H
