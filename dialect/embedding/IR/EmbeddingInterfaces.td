//===- EmbeddingInterfaces.td - Embedding interfaces -------*- tablegen -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_IR_EMBEDDINGINTERFACES
#define EMBEDDING_IR_EMBEDDINGINTERFACES

include "mlir/IR/OpBase.td"

def Embedding_RowIndexingOpInterface : OpInterface<"RowIndexingOpInterface"> {
  let cppNamespace = "::mlir::embedding";
  let description = [{
    An operation whose indices name rows, and that says what happens to an index
    that names none. Passes over checks need to know no more.
  }];
  let methods = [
    InterfaceMethod<"The indices.", "::mlir::Value", "getIndices">,
    InterfaceMethod<"What happens to an index out of range.",
                    "::mlir::embedding::OutOfRange", "getOutOfRange">,
    InterfaceMethod<"Changes what happens to an index out of range.", "void",
                    "setOutOfRange",
                    (ins "::mlir::embedding::OutOfRange":$outOfRange)>,
    StaticInterfaceMethod<"What ODS says of its operands.",
                          "const ::mlir::embedding::OperationDesc &",
                          "getDescription">,
    InterfaceMethod<"The values of operand `number` of the description: one, "
                    "or none of an optional operand.",
                    "::mlir::Operation::operand_range", "getDescribedOperands",
                    (ins "unsigned":$number), /*methodBody=*/"",
                    /*defaultImplementation=*/[{
      return $_op.getODSOperands(number);
    }]>,
  ];
  let extraSharedClassDeclaration = [{
    /// Operand `number` of the description, or null if there is none.
    ::mlir::Value getDescribedOperand(int number) {
      ::mlir::Operation::operand_range values =
          $_op.getDescribedOperands(number);
      return values.empty() ? ::mlir::Value() : values.front();
    }
    /// The table whose rows the indices name, or the number of its rows, a
    /// value of type `index`.
    ::mlir::Value getTableOrNumRows() {
      return getDescribedOperand($_op.getDescription().numRows);
    }
    /// The number of rows V, if it is known.
    std::optional<int64_t> getStaticNumRows() {
      return ::mlir::embedding::getStaticNumRows($_op.getTableOrNumRows());
    }
    /// The number of rows V. Creates operations where it is not known.
    ::mlir::OpFoldResult getMixedNumRows(::mlir::OpBuilder &builder) {
      return ::mlir::embedding::getMixedNumRows(builder, $_op.getLoc(),
                                                $_op.getTableOrNumRows());
    }
  }];
}

#endif // EMBEDDING_IR_EMBEDDINGINTERFACES
