//===- Text.h - Text that generated code passes on --------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_UTILS_TEXT_H
#define EMBEDDING_LIB_UTILS_TEXT_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Location.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::embedding {

/// "FILE:LINE:COLUMN: ", or nothing if `loc` does not say.
inline std::string getLocationText(Location loc) {
  auto place = loc->findInstanceOf<FileLineColLoc>();
  if (!place)
    return "";
  // Messages have an end, which comes last.
  StringRef file = place.getFilename().getValue().take_back(200);
  return (file + ":" + Twine(place.getLine()) + ":" + Twine(place.getColumn()) +
          ": ")
      .str();
}

/// Constants of a module, null-terminated: one for each text.
class Texts {
public:
  /// New constants have names that begin with `prefix`.
  Texts(ModuleOp module, StringRef prefix) : symbols(module), prefix(prefix) {}

  LLVM::GlobalOp get(StringRef text) {
    LLVM::GlobalOp &global = globals[text];
    if (!global) {
      Operation *module = symbols.getOp();
      OpBuilder builder(module->getContext());
      std::string bytes = text.str();
      bytes.push_back('\0');
      global = LLVM::GlobalOp::create(
          builder, module->getLoc(),
          LLVM::LLVMArrayType::get(builder.getI8Type(), bytes.size()),
          /*isConstant=*/true, LLVM::Linkage::Internal, prefix,
          builder.getStringAttr(bytes));
      symbols.insert(global);
    }
    return global;
  }

private:
  SymbolTable symbols;
  std::string prefix;
  llvm::StringMap<LLVM::GlobalOp> globals;
};

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_UTILS_TEXT_H
