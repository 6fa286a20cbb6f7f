//===- EmbeddingBase.td - Embedding dialect definition -----*- tablegen -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_IR_EMBEDDINGBASE
#define EMBEDDING_IR_EMBEDDINGBASE

include "mlir/IR/OpBase.td"

def Embedding_Dialect : Dialect {
  let name = "embedding";
  let cppNamespace = "::mlir::embedding";
  let summary = "Embedding tables: rows of a table named by indices";
  let description = [{
    The `embedding` dialect holds what `torch.nn.functional.embedding` does:
    operations on a *table*, a rank-2 tensor or memref whose rows are named by
    integer *indices*. Throughout the dialect

    - V is the number of rows of the table,
    - D is the length of one row,
    - N is the number of indices, and the *flat position* of an index is its
      place in row-major order, from 0 to N - 1.

    Operations are in destination-passing style, as in `linalg`: `ins(...)`
    names what is read and `outs(...)` what is written. On tensors the result is
    the value of the destination after the operation; on memrefs the destination
    is written in place and there is no result.

    What is static of an operand must have addresses: its bytes, and those that its
    strides span, are fewer than 2^63, and no element has 0 bits.

    An index outside `[0, V)` is *out of range*. There is no wrap-around:
    negative indices are out of range too.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
  let hasConstantMaterializer = 1;
  let hasOperationAttrVerify = 1;
  let useDefaultAttributePrinterParser = 1;
}

/// Every operand has an address for each of its bytes.
def Embedding_AddressableOperands : NativeOpTrait<"AddressableOperands"> {
  let cppNamespace = "::mlir::embedding";
}

class Embedding_Op<string mnemonic, list<Trait> traits = []>
    : Op<Embedding_Dialect, mnemonic,
         traits # [Embedding_AddressableOperands]>;

#endif // EMBEDDING_IR_EMBEDDINGBASE
