//===- EmbeddingOps.td - Embedding dialect operations ------*- tablegen -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_IR_EMBEDDINGOPS
#define EMBEDDING_IR_EMBEDDINGOPS

include "embedding/IR/EmbeddingBase.td"
include "embedding/IR/EmbeddingEnums.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

//===----------------------------------------------------------------------===//
// Operand types
//===----------------------------------------------------------------------===//

def Embedding_IndexElement : AnyTypeOf<[I32, I64]>;

class Embedding_ShapedOf<list<Type> elements>
    : AnyTypeOf<[RankedTensorOf<elements>, MemRefOf<elements>]>;

def Embedding_Shaped : Embedding_ShapedOf<[AnyType]>;
def Embedding_Indices : Embedding_ShapedOf<[Embedding_IndexElement]>;

//===----------------------------------------------------------------------===//
// LookupOp
//===----------------------------------------------------------------------===//

def Embedding_LookupOp : Embedding_Op<"lookup", [
    DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
                              ["reifyResultShapes"]>,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    DeclareOpInterfaceMethods<ConditionallySpeculatable>]> {
  let summary = "copies the rows of a table that the indices name";
  let description = [{
    `init[i..., :] = table[indices[i...], :]` for every position `i...` of
    `indices`, bit for bit: NaN payloads and negative zeros survive. This is the
    forward half of `torch.nn.functional.embedding`.

    `out_of_range` says what happens to an index outside `[0, V)`:

    | mode     | behaviour                                                     |
    |----------|---------------------------------------------------------------|
    | `check`  | the default: the smallest flat position, the index found      |
    |          | there and the number of bad indices are reported (see         |
    |          | `embedding.report_out_of_range`), nothing outside the table   |
    |          | is read, and the contents of the result are unspecified       |
    | `assume` | undefined behaviour: the producer of the IR promises that     |
    |          | there is none                                                 |
    | `clamp`  | the nearest row is copied; a table of no rows gives zeros     |
    | `zero`   | the row of the result is zero, as one shard of a split        |
    |          | vocabulary needs it                                           |

    `padding_idx` names the row that takes no gradient. It changes nothing in
    this operation and is kept for the derivatives; a negative one counts from
    the end of the table.

    Constraints:

    - (C1) `table` has rank 2.
    - (C2) the elements of `table` have a fixed width and are those of `init`.
    - (C3) `rank(init) = rank(indices) + 1`.
    - (C4) `shape(init)[:-1] = shape(indices)`.
    - (C5) `shape(init)[-1] = shape(table)[1]`.
    - (C6) `-V <= padding_idx < V`, where V is static.
    - (C7) the operands are all tensors or all memrefs; on tensors there is one
      result, of the type of `init`, and on memrefs there is none.

    A dimension that is dynamic on either side satisfies C4 and C5; sizes that
    differ at run time are undefined behaviour, as in `linalg`.

    Example:

    ```mlir
    %y = embedding.lookup padding_idx(0)
           ins(%table, %indices : tensor<?x64xf32>, tensor<8x?xi64>)
           outs(%init : tensor<8x?x64xf32>) -> tensor<8x?x64xf32>

    embedding.lookup out_of_range(clamp)
           ins(%t, %i : memref<1000x64xf32>, memref<16xi32>)
           outs(%out : memref<16x64xf32>)
    ```
  }];

  let arguments = (ins
    Embedding_Shaped:$table,
    Embedding_Indices:$indices,
    Embedding_Shaped:$init,
    OptionalProp<I64Prop>:$padding_idx,
    Embedding_OutOfRangeProp:$out_of_range);
  let results = (outs Optional<AnyRankedTensor>:$result);

  let assemblyFormat = [{
    (`padding_idx` `(` $padding_idx^ `)`)?
    (`out_of_range` `(` $out_of_range^ `)`)?
    attr-dict
    `ins` `(` $table `,` $indices `:` type($table) `,` type($indices) `)`
    `outs` `(` $init `:` type($init) `)` (`->` type($result)^)?
  }];

  let builders = [
    OpBuilder<(ins "Value":$table, "Value":$indices, "Value":$init,
                   CArg<"OutOfRange", "OutOfRange::check">:$outOfRange,
                   CArg<"std::optional<int64_t>", "std::nullopt">:$paddingIdx)>
  ];

  let extraClassDeclaration = [{
    MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }

    ShapedType getTableType() { return cast<ShapedType>(getTable().getType()); }
    ShapedType getIndicesType() {
      return cast<ShapedType>(getIndices().getType());
    }
    ShapedType getInitType() { return cast<ShapedType>(getInit().getType()); }
  }];

  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

//===----------------------------------------------------------------------===//
// FindOutOfRangeOp
//===----------------------------------------------------------------------===//

def Embedding_FindOutOfRangeOp : Embedding_Op<"find_out_of_range", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    AlwaysSpeculatable]> {
  let summary = "counts the indices outside [0, num_rows) and finds the first";
  let description = [{
    Returns the smallest flat position whose index is outside `[0, num_rows)`,
    the index found there, and how many indices are outside in all; -1, 0 and 0
    if there is none. `embedding-split-checks` makes this operation of the
    `check` mode, so that the loop over rows carries no test.

    Example:

    ```mlir
    %position, %index, %count =
      embedding.find_out_of_range %indices, %num_rows : tensor<8x?xi64>
    ```
  }];

  let arguments = (ins Embedding_Indices:$indices, Index:$num_rows);
  let results = (outs I64:$position, I64:$index, I64:$count);
  let assemblyFormat =
      "$indices `,` $num_rows attr-dict `:` type($indices)";
  let hasFolder = 1;
}

//===----------------------------------------------------------------------===//
// ReportOutOfRangeOp
//===----------------------------------------------------------------------===//

def Embedding_ReportOutOfRangeOp : Embedding_Op<"report_out_of_range", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "tells the caller of the program about out-of-range indices";
  let description = [{
    Hands the three results of `embedding.find_out_of_range` to whoever runs
    this program. A `count` of 0 reports nothing. Execution goes on: a report is
    neither a trap nor an exception.

    `convert-embedding-to-func` makes it a call of
    `embedding_report_out_of_range(i64, i64, i64)`, which the runner provides.

    Example:

    ```mlir
    embedding.report_out_of_range %position, %index, %count
    ```
  }];

  let arguments = (ins I64:$position, I64:$index, I64:$count);
  let assemblyFormat = "$position `,` $index `,` $count attr-dict";
  let hasCanonicalizeMethod = 1;
}

#endif // EMBEDDING_IR_EMBEDDINGOPS
