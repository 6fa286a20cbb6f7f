//===- EmbeddingEnums.td - Embedding dialect enums ---------*- tablegen -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_IR_EMBEDDINGENUMS
#define EMBEDDING_IR_EMBEDDINGENUMS

include "mlir/IR/EnumAttr.td"
include "mlir/IR/Properties.td"

// The numeric values are those of `EmbeddingOutOfRange` in the runtime's C API.
def Embedding_OutOfRange : I32Enum<
    "OutOfRange", "what an operation does with an index outside [0, V)", [
      I32EnumCase<"check", 0>,
      I32EnumCase<"assume", 1>,
      I32EnumCase<"clamp", 2>,
      I32EnumCase<"zero", 3>
    ]> {
  let cppNamespace = "::mlir::embedding";
}

def Embedding_OutOfRangeProp
    : DefaultValuedProp<EnumProp<Embedding_OutOfRange>,
                        "::mlir::embedding::OutOfRange::check">;

#endif // EMBEDDING_IR_EMBEDDINGENUMS
