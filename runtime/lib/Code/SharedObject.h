//===- SharedObject.h - Loads compiled code ---------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiled code is loaded by the dynamic loader, for debuggers, profilers and
// unwinders to see it.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CODE_SHAREDOBJECT_H
#define EMBEDDING_RUNTIME_LIB_CODE_SHAREDOBJECT_H

#include "Support/Result.h"
#include "embedding/ABI/HostFunctions.h"

#include <array>
#include <memory>
#include <string_view>

namespace embedding::runtime {

/// A function for each name of embedding/ABI/HostFunctions.h.
using HostFunctions = std::array<void *, embedding_num_host_functions>;

/// A shared object that linkToHost has made, loaded until destroyed. Each is a
/// copy of its own, also of the same bytes. To be used within a NoForkScope.
class SharedObject {
public:
  /// Loads `image`, whose calls go to `host`. `file`, if not empty, is a file
  /// that should begin with these bytes: it is what is loaded if it does, and
  /// what tools see. Else that is a copy in memory. An image that is not whole
  /// is an error; one that is was made by a linker.
  static Result<SharedObject> load(std::string_view image,
                                   const HostFunctions &host,
                                   const std::string &file = "");

  /// The address of a function or variable that the object exports, or null.
  void *find(const std::string &name) const;

private:
  struct Close {
    void operator()(void *handle) const;
  };
  using Handle = std::unique_ptr<void, Close>;

  explicit SharedObject(Handle handle) : handle(std::move(handle)) {}

  Handle handle;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CODE_SHAREDOBJECT_H
