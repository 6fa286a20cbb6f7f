//===- ModuleCode.h - The code of a module ----------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CODE_MODULECODE_H
#define EMBEDDING_RUNTIME_LIB_CODE_MODULECODE_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace embedding::runtime {

/// What the compiler has made of a module.
struct ModuleCode {
  struct Function {
    /// See embedding/ABI/Signature.h.
    std::vector<int64_t> fields;
    std::string names;
    /// Of the function in the object that takes an array of pointers.
    std::string entry;
    /// The arguments that are rows of a length which the type leaves open, and
    /// which code is better off to know.
    std::vector<int64_t> rowArguments;
  };
  std::vector<Function> functions;
  /// A shared object.
  std::string object;

  /// As one piece that begins with the object, for a file.
  std::string write() const;
  /// Of what `write` has made; none of anything else.
  static std::optional<ModuleCode> read(std::string_view bytes);
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CODE_MODULECODE_H
