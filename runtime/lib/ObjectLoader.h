//===- ObjectLoader.h - Loads compiled kernels ------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A linker for one relocatable object: what a process needs to run a kernel
// without loading a compiler.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_OBJECTLOADER_H
#define EMBEDDING_RUNTIME_LIB_OBJECTLOADER_H

#include "Result.h"

#include <string_view>
#include <unordered_map>

namespace embedding::runtime {

/// The address of a function or variable that an object leaves undefined, or
/// null if there is none of this name.
using SymbolResolver = void *(*)(const char *name);

/// Finds symbols in what the process has loaded.
void *resolveInProcess(const char *name);

/// The code and data of an object in memory, until destroyed.
class LoadedObject {
public:
  /// Loads `object`, an ELF file as LLVM writes it for position-independent
  /// code on x86-64. Fails on anything else, damaged files included: every
  /// offset is checked against the size of `object`.
  static Result<LoadedObject> load(std::string_view object,
                                   SymbolResolver resolve = resolveInProcess);

  LoadedObject(LoadedObject &&other) noexcept;
  LoadedObject &operator=(LoadedObject &&other) noexcept;
  ~LoadedObject();

  /// The address of a function or variable that the object defines, or null.
  void *find(const std::string &name) const;

private:
  LoadedObject() = default;

  void *memory = nullptr;
  size_t size = 0;
  std::unordered_map<std::string, void *> symbols;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_OBJECTLOADER_H
