//===- OperationText.h - Operations as text ---------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The text of one operation on memrefs, of any that its description knows: what
// kernels and `embedding-compile --op` are made of. Values have the names of
// their operands.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TARGET_OPERATIONTEXT_H
#define EMBEDDING_TARGET_OPERATIONTEXT_H

#include "embedding/ABI/Operations.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace mlir::embedding {

/// The type of an operand.
using GetOperandType = llvm::function_ref<std::string(const OperandDesc &)>;
/// Which operands are values: those that are not optional at least.
using IsValue = llvm::function_ref<bool(const OperandDesc &)>;

/// "?x?x64x": the sizes of `operand`, of indices of `indexRank` dimensions and
/// rows of `rowLength` elements, or any number if that is negative.
std::string getSizesText(const OperandDesc &operand, int64_t indexRank,
                         int64_t rowLength);

/// "%table: memref<...>, %indices: ...": the operands as a function's
/// arguments. `getType` is asked for tensors alone.
std::string getArgumentsText(const OperationDesc &operation,
                             GetOperandType getType, IsValue isArgument);

/// "embedding.lookup ... ins(...) outs(...)": the operation with `attributes`,
/// and those operands that are values. A tensor that is optional is none.
std::string getOperationText(const OperationDesc &operation,
                             GetOperandType getType, IsValue isValue,
                             llvm::StringRef attributes);

} // namespace mlir::embedding

#endif // EMBEDDING_TARGET_OPERATIONTEXT_H
