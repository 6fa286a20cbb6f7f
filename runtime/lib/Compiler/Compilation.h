//===- Compilation.h - Where code is compiled -------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_COMPILER_COMPILATION_H
#define EMBEDDING_RUNTIME_LIB_COMPILER_COMPILATION_H

#include "Code/CompileRequest.h"
#include "Code/ModuleCode.h"
#include "Support/Result.h"

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
  mlir::FailureOr<mlir::embedding::CPUTarget> getTarget(llvm::StringRef cpu);
  /// With its line and column, if it has them.
  std::string getError() const {
    return error.empty() ? "unknown error" : error;
  }

private:
  mlir::MLIRContext context;
  std::string error;
  mlir::ScopedDiagnosticHandler diagnostics;
};

/// What all compilations of this process share.
void prepareCompilation();

/// What ModuleCode::write makes of what `compile` does: a relocatable object,
/// which is linked, and the functions of it that are called. It runs on a
/// thread of its own, whose stack has room for what the parser and LLVM do
/// recursively.
Result<std::string>
compileAndLink(llvm::function_ref<mlir::LogicalResult(
                   Compilation &, llvm::SmallVectorImpl<char> &object,
                   std::vector<ModuleCode::Function> &functions)>
                   compile);

/// `cpu` is that of a CompileRequest.
Result<std::string> compileKernel(llvm::StringRef cpu, const KernelSpec &spec);
Result<std::string> compileModule(llvm::StringRef cpu,
                                  const ModuleSource &source);

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_COMPILER_COMPILATION_H
