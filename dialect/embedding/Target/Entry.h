//===- Entry.h - Functions that code outside calls --------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A function of tensors, memrefs and scalars becomes one of an array of
// pointers: to the descriptor of each memref, to the value of each scalar. Its
// results need not outlive the call: the entry hands each to
//
//   void embedding_take_result(int64_t number, const void *memref);
//
// a scalar as a memref of rank 0. That function is marked for
// `embedding-call-allocator`, which sees to it that most results are allocated
// where they are wanted.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TARGET_ENTRY_H
#define EMBEDDING_TARGET_ENTRY_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace mlir::embedding {

inline constexpr llvm::StringLiteral
    kTakeResultFunction("embedding_take_result");

/// Adds to `module`, lowered to the LLVM dialect, a function `name` of an array
/// of pointers that calls `function`, which was lowered with a C interface, and
/// returns what that returns.
LLVM::LLVMFuncOp addPackedFunction(ModuleOp module, StringRef function,
                                   StringRef name);

/// What a function that updates a tensor may do to an argument.
enum class TensorArguments {
  /// Nothing: it updates a copy.
  areKept,
  /// Update it in place, since whoever calls brings one to be used up.
  areConsumed
};

/// The entries of functions of one module.
class Entries {
public:
  /// Adds an entry of the given name for each function to `module`, which is
  /// not lowered yet, and makes all else private: what no entry calls need not
  /// be lowered. Names of entries begin with `embedding_`: definitions of such
  /// names are renamed, and declarations are errors. Loads the dialects that
  /// entries are made of.
  static FailureOr<Entries>
  create(ModuleOp module, ArrayRef<std::pair<func::FuncOp, std::string>> named,
         TensorArguments tensorArguments);

  /// Adds the passes that must run before a pipeline: inlined, buffers have one
  /// owner; to find that out at run time takes memory that on a GPU the host
  /// could not write.
  static void addPasses(OpPassManager &pm);

  /// Completes the entries in their module, lowered to the LLVM dialect. They
  /// are all that is seen of it then: by what is linked to it, or by all if
  /// `areExported`.
  void finish(ModuleOp module, bool areExported) const;

private:
  SmallVector<std::string> entries;
};

} // namespace mlir::embedding

#endif // EMBEDDING_TARGET_ENTRY_H
