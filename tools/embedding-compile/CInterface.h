//===- CInterface.h - Functions of IR as functions of C ---------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TOOLS_EMBEDDING_COMPILE_CINTERFACE_H
#define EMBEDDING_TOOLS_EMBEDDING_COMPILE_CINTERFACE_H

#include "embedding/Target/Function.h"

namespace embedding::tools {

/// A function that a library exports.
class CFunction {
public:
  /// The interface of `function`: a tensor or memref is a `const DLTensor *`,
  /// results come after arguments. Arguments have the names that they have in
  /// the source, if `source` knows them. Emits an error if there is none.
  static mlir::FailureOr<CFunction> get(mlir::func::FuncOp function,
                                        const mlir::AsmParserState *source);

  const std::string &getName() const { return interface.name; }
  const mlir::embedding::FunctionInterface &getInterface() const {
    return interface;
  }

  /// Its comment and its declaration, with a stream if it is for GPUs.
  void printDeclaration(llvm::raw_ostream &os, bool isForGPU) const;

  /// Adds its definition to a module of the LLVM dialect.
  void define(mlir::ModuleOp module, unsigned x86Level,
              llvm::ArrayRef<int> chips) const;

private:
  mlir::embedding::FunctionInterface interface;
};

/// Adds `name`, which waits for a stream and tells of bad indices.
void defineSynchronize(mlir::ModuleOp module, llvm::StringRef name);

/// Whether `text` can name a function in C.
bool isIdentifier(llvm::StringRef text);

/// `text` with whatever is not of an identifier replaced.
std::string makeIdentifier(llvm::StringRef text);

} // namespace embedding::tools

#endif // EMBEDDING_TOOLS_EMBEDDING_COMPILE_CINTERFACE_H
