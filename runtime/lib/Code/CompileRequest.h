//===- CompileRequest.h - What is compiled ----------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A request to the compiler, which is another process: it crosses as bytes.
// Both sides are built from the same sources.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CODE_COMPILEREQUEST_H
#define EMBEDDING_RUNTIME_LIB_CODE_COMPILEREQUEST_H

#include "Code/KernelSpec.h"

#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace embedding::runtime {

/// What functions of IR are compiled for, apart from the CPU.
struct ModuleTarget {
  /// The GPU, such as 90 for sm_90; 0 is the CPU.
  int32_t chip;
  bool isNaive;
  bool atomicGradients;
  bool assumesSizes;
  /// At most cost::kManyThreads.
  int32_t numThreads;
  /// If not empty, `describeRowLengths` of the one function that is wanted.
  std::string rowLengths;

  /// The target as one line, its part of the key of a cached module.
  std::string str() const {
    return "module " + std::to_string(chip) + (isNaive ? " naive" : "") +
           (atomicGradients ? " atomic" : "") +
           (assumesSizes ? " assumed" : "") + " threads " +
           std::to_string(numThreads) +
           (rowLengths.empty() ? "" : " rows " + rowLengths);
  }
};

/// Names a function whose arguments that are rows have rows of `lengths`, in
/// the order of ModuleCode::Function::rowArguments.
inline std::string describeRowLengths(std::string_view function,
                                      const std::vector<int64_t> &lengths) {
  std::string text = std::to_string(lengths.size());
  for (int64_t length : lengths)
    text += " " + std::to_string(length);
  return text + " " + std::string(function);
}

/// Functions of IR. The text is that of whoever makes or reads the request.
struct ModuleSource {
  ModuleTarget target;
  std::string_view ir;
};

struct CompileRequest {
  /// As EmbeddingEngineOptions::cpu; empty for that of this machine.
  std::string cpu;
  std::variant<KernelSpec, ModuleSource> source;

  std::string write() const;
  /// Of what `write` has made, which must outlive it; none of anything else.
  static std::optional<CompileRequest> read(std::string_view bytes);
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CODE_COMPILEREQUEST_H
