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

class Embedding_Enum<string name, string summary, list<I32EnumCase> cases>
    : I32Enum<name, summary, cases> {
  let cppNamespace = "::mlir::embedding";
}

// The numeric values are those of `EmbeddingOutOfRange` in the runtime's C API.
def Embedding_OutOfRange : Embedding_Enum<
    "OutOfRange", "what an operation does with an index outside [0, V)", [
      I32EnumCase<"check", 0>,
      I32EnumCase<"assume", 1>,
      I32EnumCase<"clamp", 2>,
      I32EnumCase<"zero", 3>
    ]>;

def Embedding_OutOfRangeProp
    : DefaultValuedProp<EnumProp<Embedding_OutOfRange>,
                        "::mlir::embedding::OutOfRange::check">;

def Embedding_Grouping : Embedding_Enum<
    "Grouping", "how the positions that name one row are brought together", [
      I32EnumCase<"radix_sort", 0>,
      I32EnumCase<"counting_sort", 1>,
      I32EnumCase<"scatter", 2>,
      I32EnumCase<"bitmap", 3>
    ]>;

def Embedding_Streaming : Embedding_Enum<
    "Streaming", "which outputs are stored around the caches", [
      I32EnumCase<"never", 0>,
      I32EnumCase<"large", 1>,
      I32EnumCase<"always", 2>
    ]>;

def Embedding_BagMode : Embedding_Enum<
    "BagMode", "what becomes of the rows of a bag", [
      I32EnumCase<"sum", 0>,
      I32EnumCase<"mean", 1>,
      I32EnumCase<"max", 2>
    ]>;

#endif // EMBEDDING_IR_EMBEDDINGENUMS
