//===- Linker.h - From objects to shared objects ----------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// lld as a library: nothing on the machine is asked for but the C library,
// which the process has loaded. May be called by several threads, which take
// turns.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_LINKER_LINKER_H
#define EMBEDDING_LIB_LINKER_LINKER_H

#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"

#include <string>

namespace mlir::embedding {

/// What CPUTarget::emit has made.
using ObjectFile = SmallVector<char, 0>;

/// Links `object` to a shared object whose calls of host functions go through a
/// table (see embedding/ABI/HostFunctions.h). Emits an error if it needs
/// what neither that nor the C library nor one of `libraries` has, which this
/// process has loaded by these names.
LogicalResult linkToHost(Location loc, ArrayRef<char> object,
                         ObjectFile &linked,
                         ArrayRef<std::string> libraries = {});

/// Links `objects` and the object file `launcher` to a shared library that
/// exports the functions `exported`, and nothing else.
LogicalResult linkLibrary(Location loc, ArrayRef<ObjectFile> objects,
                          StringRef launcher, ArrayRef<std::string> exported,
                          ObjectFile &linked);

/// Links `objects` to one relocatable object.
LogicalResult linkRelocatable(Location loc, ArrayRef<ObjectFile> objects,
                              ObjectFile &linked);

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_LINKER_LINKER_H
