//===- Function.h - Functions to compile for callers outside ----*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What embedding-compile and the runtime's modules have in common: the
// interface of a function of tensors, memrefs and scalars, and code behind it.
// Callers pass an argument that is shaped as a DLTensor and a scalar as itself;
// results come after arguments, a scalar as a tensor of rank 0.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TARGET_FUNCTION_H
#define EMBEDDING_TARGET_FUNCTION_H

#include "embedding/Target/Compile.h"

#include "mlir/AsmParser/AsmParserState.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace llvm {
class SourceMgr;
} // namespace llvm

namespace mlir::embedding {

/// The interface of a function.
struct FunctionInterface {
  /// Emits an error if a value of `function` cannot be passed. Arguments have
  /// the names that they have in the source, if `source` knows them.
  static FailureOr<FunctionInterface> get(func::FuncOp function,
                                          const AsmParserState *source);

  /// Appends the signature, of embedding/ABI/Signature.h, and its names.
  void appendSignature(unsigned x86Level, ArrayRef<int> chips,
                       SmallVectorImpl<int64_t> &fields,
                       std::string &names) const;

  /// Of its entry (see embedding/Target/Entry.h) in the code for `chip`, or for
  /// the CPU if that is 0.
  std::string getEntryName(int chip) const;

  struct Operand {
    std::string name;
    Type type;
  };

  std::string name;
  SmallVector<Operand> arguments, results;
};

/// The functions that callers outside see: public ones with a body.
SmallVector<func::FuncOp> getPublicFunctions(ModuleOp module);

/// The type of a scalar in C, or nothing if it has none.
std::string getCType(Type type);

/// Parses text so that `state` knows the names of arguments, or bytecode, which
/// has none. Null, with an error, on failure.
OwningOpRef<ModuleOp> parseModule(const llvm::SourceMgr &sources,
                                  MLIRContext &context, AsmParserState &state);

/// Appends to `object` the code of a copy of `module`, with an entry for each
/// of `functions`, which it has. Host code is for `target`. Entries call what
/// the runtime has: see CompiledFunction.h there. They are for whoever loads
/// the object if `areExported`, else for what is linked to it.
LogicalResult compileFunctions(ModuleOp module,
                               ArrayRef<FunctionInterface> functions,
                               const CPUTarget &target,
                               const CompileOptions &options, bool areExported,
                               SmallVectorImpl<char> &object);

} // namespace mlir::embedding

#endif // EMBEDDING_TARGET_FUNCTION_H
