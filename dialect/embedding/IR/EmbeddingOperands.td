//===- EmbeddingOperands.td - Operands by role -------------*- tablegen -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The types of operands say everything that their role implies: elements, the
// sizes that operands share, and whether they are read or written. The verifier,
// effects, checks at run time, kernels and the C API follow from it, by way of
// the table that embedding-tblgen writes.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_IR_EMBEDDINGOPERANDS
#define EMBEDDING_IR_EMBEDDINGOPERANDS

include "mlir/IR/OpBase.td"

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// A size of a shape, by its enumerator of mlir::embedding::Size.
class Embedding_Size<string enumerator> {
  string cppName = enumerator;
}
/// V, the rows of the table.
def Embedding_NumRows : Embedding_Size<"numRows">;
/// D, the elements of a row.
def Embedding_RowLength : Embedding_Size<"rowLength">;
/// N, the number of indices.
def Embedding_NumIndices : Embedding_Size<"numIndices">;
/// N + 1.
def Embedding_NumOffsets : Embedding_Size<"numOffsets">;
/// B, the number of bags.
def Embedding_NumBags : Embedding_Size<"numBags">;
/// Of where bags begin: B, or B + 1 with where the last one ends.
def Embedding_NumBagOffsets : Embedding_Size<"numBagOffsets">;
/// Every size of the indices.
def Embedding_IndexShape : Embedding_Size<"indexShape">;

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

/// What elements an operand may have, by its enumerator of
/// mlir::embedding::Elements.
class Embedding_Elements<string enumerator, list<Type> allowed> {
  string cppName = enumerator;
  list<Type> types = allowed;
}
/// Of any one type of a fixed width, the same for all such operands.
def Embedding_AnyElements : Embedding_Elements<"fixedWidth", [AnyType]>;
/// Of one type for all such operands.
def Embedding_Floats : Embedding_Elements<"floats", [F16, BF16, F32, F64]>;
def Embedding_Integers : Embedding_Elements<"indices", [I32, I64]>;
def Embedding_Int64s : Embedding_Elements<"int64s", [I64]>;
/// Of the type that sums of the operation's floats are taken in.
def Embedding_Accumulators : Embedding_Elements<"accumulators", [F32, F64]>;

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

/// A tensor or a memref.
class Embedding_Operand<Embedding_Elements itsElements,
                        list<Embedding_Size> shape, string itsAccess = "read">
    : AnyTypeOf<[RankedTensorOf<itsElements.types>,
                 MemRefOf<itsElements.types>]> {
  Embedding_Elements elements = itsElements;
  list<Embedding_Size> sizes = shape;
  /// An enumerator of mlir::embedding::OperandAccess.
  string access = itsAccess;
}

/// An operand that is written in full, as far as the operation says.
class Embedding_Out<Embedding_Operand operand>
    : Embedding_Operand<operand.elements, operand.sizes, "write">;
/// An operand of which the operation changes some elements.
class Embedding_InOut<Embedding_Operand operand>
    : Embedding_Operand<operand.elements, operand.sizes, "readWrite">;

/// V rows.
class Embedding_Table<Embedding_Elements elements>
    : Embedding_Operand<elements, [Embedding_NumRows, Embedding_RowLength]>;
/// A row for each index, in the shape of the indices.
class Embedding_IndexedRows<Embedding_Elements elements>
    : Embedding_Operand<elements, [Embedding_IndexShape, Embedding_RowLength]>;
/// A row for each index, in a list.
class Embedding_RowList<Embedding_Elements elements>
    : Embedding_Operand<elements, [Embedding_NumIndices, Embedding_RowLength]>;
def Embedding_Indices
    : Embedding_Operand<Embedding_Integers, [Embedding_IndexShape]>;
def Embedding_IndexList
    : Embedding_Operand<Embedding_Integers, [Embedding_NumIndices]>;
/// A number for each index.
def Embedding_Int64List
    : Embedding_Operand<Embedding_Int64s, [Embedding_NumIndices]>;
/// What the row of each index is multiplied by.
def Embedding_Weights
    : Embedding_Operand<Embedding_Accumulators, [Embedding_NumIndices]>;
/// Where each of up to N segments begins, and where the last one ends.
def Embedding_Offsets
    : Embedding_Operand<Embedding_Int64s, [Embedding_NumOffsets]>;
/// Where each bag begins in the list of indices.
def Embedding_BagOffsets
    : Embedding_Operand<Embedding_Integers, [Embedding_NumBagOffsets]>;
/// A row for each bag.
class Embedding_BagRows<Embedding_Elements elements>
    : Embedding_Operand<elements, [Embedding_NumBags, Embedding_RowLength]>;
/// What the row of each index is multiplied by, as the rows are.
def Embedding_SampleWeights
    : Embedding_Operand<Embedding_Floats, [Embedding_IndexShape]>;
def Embedding_Count : Embedding_Operand<Embedding_Int64s, []>;

#endif // EMBEDDING_IR_EMBEDDINGOPERANDS
