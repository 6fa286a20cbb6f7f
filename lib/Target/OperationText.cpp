//===- OperationText.cpp - Operations as text -----------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Target/OperationText.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir::embedding;

std::string mlir::embedding::getSizesText(const OperandDesc &operand,
                                          int64_t indexRank,
                                          int64_t rowLength) {
  std::string text;
  for (Size size : operand) {
    bool isRow = size == Size::rowLength && rowLength >= 0;
    int64_t numDims = size == Size::indexShape ? indexRank : 1;
    for (int64_t dim = 0; dim < numDims; ++dim)
      text += isRow ? std::to_string(rowLength) + "x" : "?x";
  }
  return text;
}

static std::string getType(const OperandDesc &operand,
                           GetOperandType getTensorType) {
  switch (operand.kind) {
  case OperandKind::tensor:
    return getTensorType(operand);
  case OperandKind::number:
    return "f64";
  case OperandKind::index:
    return "index";
  }
  llvm_unreachable("no such kind");
}

std::string mlir::embedding::getArgumentsText(const OperationDesc &operation,
                                              GetOperandType getTensorType,
                                              IsValue isArgument) {
  llvm::SmallVector<std::string> arguments;
  for (const OperandDesc &operand : operation)
    if (isArgument(operand))
      arguments.push_back("%" + std::string(operand.name) + ": " +
                          getType(operand, getTensorType));
  return llvm::join(arguments, ", ");
}

std::string mlir::embedding::getOperationText(const OperationDesc &operation,
                                              GetOperandType getTensorType,
                                              IsValue isValue,
                                              llvm::StringRef attributes) {
  std::string text = "embedding." + std::string(operation.name);
  for (const OperandDesc &operand : operation)
    if (!operand.isTensor() && isValue(operand))
      text += " " + std::string(operand.name) + "(%" + operand.name + ")";
  text += " " + attributes.str();
  for (bool isWritten : {false, true}) {
    llvm::SmallVector<std::string> names, types;
    for (const OperandDesc &operand : operation)
      if (operand.isTensor() && isValue(operand) &&
          operand.isWritten() == isWritten) {
        names.push_back("%" + std::string(operand.name));
        types.push_back(getTensorType(operand));
      }
    text += (isWritten ? " outs(" : " ins(") + llvm::join(names, ", ") + " : " +
            llvm::join(types, ", ") + ")";
  }
  return text;
}
