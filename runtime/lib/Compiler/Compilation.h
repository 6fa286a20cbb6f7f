//===- Compilation.h - Where code is compiled -------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_COMPILER_COMPILATION_H
#define EMBEDDING_RUNTIME_LIB_COMPILER_COMPILATION_H

#include "Code/CompilerAPI.h"
#include "Code/ModuleCode.h"

#include "embedding/Target/CPU.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

#include <string>

namespace embedding::runtime {

/// A context of its own, and the first error in it.
class Compilation {
public:
  Compilation();

  mlir::MLIRContext &getContext() { return context; }
  /// As EmbeddingEngineOptions::cpu. Emits an error if this machine cannot run
  /// code for it.
  mlir::FailureOr<mlir::embedding::CPUTarget> getTarget(const char *cpu);
  /// With its line and column, if it has them.
  const char *getError() const {
    return error.empty() ? "unknown error" : error.c_str();
  }

private:
  mlir::MLIRContext context;
  std::string error;
  mlir::ScopedDiagnosticHandler diagnostics;
};

/// Hands what `compile` makes to `output`: a relocatable object, which is
/// linked, and the functions of it that are called. It runs on a thread of its
/// own, whose stack has room for what the parser and LLVM do recursively; the
/// stack of a caller may be small.
void compileTo(const CompilerOutput &output,
               llvm::function_ref<mlir::LogicalResult(
                   Compilation &, llvm::SmallVectorImpl<char> &object,
                   std::vector<ModuleCode::Function> &functions)>
                   compile);

/// Compiles functions of IR.
void compileModule(llvm::StringRef ir, const ModuleTarget &target,
                   const CompilerOutput &output);

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_COMPILER_COMPILATION_H
