//===- EmbeddingOps.td - Embedding dialect operations ------*- tablegen -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_IR_EMBEDDINGOPS
#define EMBEDDING_IR_EMBEDDINGOPS

include "embedding/IR/EmbeddingAttrs.td"
include "embedding/IR/EmbeddingMoves.td"
include "embedding/IR/EmbeddingRowIndexing.td"
include "mlir/Dialect/Linalg/IR/LinalgInterfaces.td"

//===----------------------------------------------------------------------===//
// LookupOp
//===----------------------------------------------------------------------===//

def Embedding_LookupOp : Embedding_RowIndexingOp<"lookup"> {
  let summary = "copies the rows of a table that the indices name";
  let description = [{
    `out[i..., :] = table[indices[i...], :]` for every position `i...` of
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
    - (C2) the elements of `table` have a fixed width and are those of `out`.
    - (C3) `rank(out) = rank(indices) + 1`.
    - (C4) `shape(out)[:-1] = shape(indices)`.
    - (C5) `shape(out)[-1] = shape(table)[1]`.
    - (C6) `-V <= padding_idx < V`, where V is static.
    - (C7) the operands are all tensors or all memrefs; on tensors there is one
      result, of the type of `out`, and on memrefs there is none.

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
    Embedding_Table<Embedding_AnyElements>:$table,
    Embedding_Indices:$indices,
    Embedding_Out<Embedding_IndexedRows<Embedding_AnyElements>>:$out,
    OptionalProp<I64Prop>:$padding_idx,
    Embedding_OutOfRangeProp:$out_of_range);
  let cOptions = "EmbeddingLookupOptions";

  let assemblyFormat = [{
    (`padding_idx` `(` $padding_idx^ `)`)?
    (`out_of_range` `(` $out_of_range^ `)`)?
    attr-dict
    `ins` `(` $table `,` $indices `:` type($table) `,` type($indices) `)`
    `outs` `(` $out `:` type($out) `)` (`->` type($results)^)?
  }];

  let builders = [
    OpBuilder<(ins "Value":$table, "Value":$indices, "Value":$out,
                   CArg<"OutOfRange", "OutOfRange::check">:$outOfRange,
                   CArg<"std::optional<int64_t>", "std::nullopt">:$paddingIdx)>
  ];
}

//===----------------------------------------------------------------------===//
// BagOp
//===----------------------------------------------------------------------===//

def Embedding_BagOp : Embedding_RowIndexingOp<"bag", [
    AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<AggregatedOpInterface, ["decomposeOperation"]>]> {
  let summary = "sums, averages or maximizes the rows that bags of indices name";
  let description = [{
    `out[b, :]` is made of the rows of `table` that the indices of bag b name, the
    forward half of `torch.nn.functional.embedding_bag`. Bag b holds the indices at
    `offsets[b]` to `offsets[b + 1] - 1`; the last one ends with the indices, or
    with `include_last_offset` where the last element of `offsets` says: what
    follows there is not part of the input. Without `offsets`, `indices` has
    rank 2, and each of its rows is a bag.

    A position is *kept* unless its index is `padding_idx` or, in mode `zero`, out
    of range. In bag b, of m kept positions:

    - `sum`: the sum of `w_p * table[i_p, :]`, `w_p` being the element of `weights`
      at position p, or 1. The product is rounded to the accumulation type, then
      added.
    - `mean`: the sum divided by m, in the accumulation type, then rounded once.
    - `max`: element by element the first that none after it exceeds: the rows are
      scanned in order, and one replaces another if it is greater (`>`). A NaN
      that comes first stays. `winners`, if given, holds the flat positions that
      the elements come from.

    A bag that keeps nothing is zero, and its winners are -1. What is not kept is
    not read: neither its row nor its weight.

    Sums have the order of `embedding.dense_grad`: chunks of 128 positions of the
    bag, kept or not, each from zero and in order, then the sums of chunks in pairs
    of distance 1, 2, 4 and so on; rounded once to the type of the table.

    `out_of_range` says what happens to an index outside `[0, V)`: `check` reports
    it (see `embedding.lookup`) and leaves the destinations unspecified, `assume`
    is undefined behaviour, `clamp` names the nearest row, if there is one, and
    `zero` names none.

    Offsets begin with 0, never decrease, and are at most N. Those that do not are
    reported like indices, and before those are looked at; with `assume_offsets`
    they are undefined behaviour.

    Constraints:

    - (C1) `table` and `out` have rank 2, `offsets` rank 1.
    - (C2) the operands are all tensors or all memrefs; on tensors there is one
      result for each destination, of its type, and on memrefs there is none.
    - (C3) the elements of `table`, `out` and `weights` have one type.
    - (C4) `indices` has rank 1 with `offsets`, and rank 2 without.
    - (C5) `shape(out) = [B, D]`; B is the number of `offsets`, less 1 with
      `include_last_offset`, or without `offsets` that of the rows of `indices`.
    - (C6) `weights` has the shape of `indices`, and is of mode `sum` alone.
    - (C7) `winners` has the shape of `out`, and is of mode `max` alone.
    - (C8) `include_last_offset` and `assume_offsets` come with `offsets`, of which
      the former has one at least.
    - (C9) `-V <= padding_idx < V`, where both are static.

    Example:

    ```mlir
    %y = embedding.bag mean padding_idx(0)
           ins(%table, %indices : tensor<?x64xf32>, tensor<?xi64>)
           offsets(%offsets : tensor<?xi32>)
           outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    %m, %w = embedding.bag max ins(%table, %bags : tensor<?x64xf32>, tensor<?x20xi64>)
           outs(%init : tensor<?x64xf32>) winners(%w0 : tensor<?x64xi64>)
           -> tensor<?x64xf32>, tensor<?x64xi64>
    ```
  }];

  let arguments = (ins
    Embedding_Table<Embedding_Floats>:$table,
    Embedding_Indices:$indices,
    Optional<Embedding_BagOffsets>:$offsets,
    Optional<Embedding_SampleWeights>:$weights,
    Optional<Index>:$dynamic_padding_idx,
    Embedding_Out<Embedding_BagRows<Embedding_Floats>>:$out,
    Optional<Embedding_Out<Embedding_BagRows<Embedding_Int64s>>>:$winners,
    EnumProp<Embedding_BagMode>:$mode,
    UnitProp:$include_last_offset,
    UnitProp:$assume_offsets,
    OptionalProp<I64Prop>:$padding_idx,
    Embedding_OutOfRangeProp:$out_of_range);

  let assemblyFormat = [{
    $mode
    (`include_last_offset` $include_last_offset^)?
    (`assume_offsets` $assume_offsets^)?
    (`padding_idx` `(`
      custom<StaticOrDynamicIndex>($dynamic_padding_idx, $padding_idx)^ `)`)?
    (`out_of_range` `(` $out_of_range^ `)`)?
    attr-dict
    `ins` `(` $table `,` $indices `:` type($table) `,` type($indices) `)`
    (`offsets` `(` $offsets^ `:` type($offsets) `)`)?
    (`weights` `(` $weights^ `:` type($weights) `)`)?
    `outs` `(` $out `:` type($out) `)`
    (`winners` `(` $winners^ `:` type($winners) `)`)?
    (`->` type($results)^)?
  }];

  let extraClassDeclaration = [{
    MutableOperandRange getDpsInitsMutable() {
      return ::mlir::embedding::detail::getDestinations(*this);
    }
    /// Whether it has offsets and reports those that are none.
    bool checksOffsets() { return getOffsets() && !getAssumeOffsets(); }
  }];
}

//===----------------------------------------------------------------------===//
// RenormOp
//===----------------------------------------------------------------------===//

def Embedding_RenormOp : Embedding_RowIndexingOp<"renorm"> {
  let summary = "shortens the rows that the indices name to a norm";
  let description = [{
    In place: every distinct row of `table` that `indices` name, once each, whose
    `norm_type`-norm exceeds `max_norm`, is multiplied by
    `max_norm / (norm + 1e-7)`. The other rows are untouched. This is what
    `max_norm` does in `torch.nn.functional.embedding`.

    With p = `norm_type`, the norm of a row x is the real p-norm
    `(sum |x_d|^p)^(1/p)`; for p = 0 the number of elements that are not zero,
    for p = inf and p = -inf the largest and the smallest magnitude. Negative and
    fractional p are fine. The sum is taken in f64, element d into the partial
    sum d mod 16, and the 16 partial sums in pairs of distance 8, 4, 2, 1. The
    norm is rounded to the type of the table and compared as f64: strictly
    greater. The factor is computed in f64 and rounded to the type of the table.

    A NaN in the comparison leaves the row as it is. A norm that overflows the
    type of the table gives the factor 0. `max_norm` is a number or an f64 value.

    `out_of_range` says what happens to an index outside `[0, V)`: `check`
    reports it (see `embedding.lookup`) and changes no row at all, `assume` is
    undefined behaviour, `clamp` names the nearest row, `zero` names none.

    On tensors `table` is the value before and the result the value after;
    bufferization makes them one buffer, unless the value before is read again.

    Constraints:

    - (C1) `table` has rank 2.
    - (C2) the operands are all tensors or all memrefs; on tensors there is one
      result for each destination, of its type, and on memrefs there is none.
    - (C3) `max_norm` and `norm_type` are not NaN.

    Example:

    ```mlir
    %t1 = embedding.renorm max_norm(1.0) norm_type(2.0)
            ins(%indices : tensor<?xi64>) outs(%t0 : tensor<?x64xf32>)
            -> tensor<?x64xf32>
    embedding.renorm max_norm(%m) ins(%i : memref<8xi32>)
            outs(%t : memref<100x64xf16>)
    ```
  }];

  let arguments = (ins
    Embedding_Indices:$indices,
    Optional<F64>:$dynamic_max_norm,
    Embedding_InOut<Embedding_Table<Embedding_Floats>>:$table,
    OptionalAttr<F64Attr>:$max_norm,
    DefaultValuedAttr<F64Attr, "2.0">:$norm_type,
    Embedding_OutOfRangeProp:$out_of_range);
  let cOptions = "EmbeddingRenormOptions";

  let assemblyFormat = [{
    `max_norm` `(` custom<StaticOrDynamicF64>($dynamic_max_norm, $max_norm) `)`
    (`norm_type` `(` $norm_type^ `)`)?
    (`out_of_range` `(` $out_of_range^ `)`)?
    attr-dict
    `ins` `(` $indices `:` type($indices) `)`
    `outs` `(` $table `:` type($table) `)` (`->` type($results)^)?
  }];
}

//===----------------------------------------------------------------------===//
// RenormLookupOp
//===----------------------------------------------------------------------===//

def Embedding_RenormLookupOp : Embedding_RowIndexingOp<"renorm_lookup"> {
  let summary = "shortens the rows that the indices name, then copies them";
  let description = [{
    `embedding.renorm` of `table` followed by `embedding.lookup` with the same
    indices into `out`, in one pass over the rows: each distinct row is read
    once, scaled, written back if it changed, and copied to every position that
    names it. `embedding-fuse-renorm-lookup` makes it of the two.

    Constraints: those of the two operations:

    - (C1) `table` has rank 2.
    - (C2) the operands are all tensors or all memrefs; on tensors there is one
      result for each destination, of its type, and on memrefs there is none.
    - (C3) `max_norm` and `norm_type` are not NaN.
    - (C4) the elements of `out` are those of `table`.
    - (C5) `shape(out) = shape(indices) + [D]`.

    Example:

    ```mlir
    %t1, %y = embedding.renorm_lookup max_norm(1.0)
                ins(%indices : tensor<?xi64>)
                outs(%t0, %init : tensor<?x64xf32>, tensor<?x64xf32>)
                -> tensor<?x64xf32>, tensor<?x64xf32>
    ```
  }];

  let arguments = (ins
    Embedding_Indices:$indices,
    Optional<F64>:$dynamic_max_norm,
    Embedding_InOut<Embedding_Table<Embedding_Floats>>:$table,
    Embedding_Out<Embedding_IndexedRows<Embedding_Floats>>:$out,
    OptionalAttr<F64Attr>:$max_norm,
    DefaultValuedAttr<F64Attr, "2.0">:$norm_type,
    Embedding_OutOfRangeProp:$out_of_range);

  let assemblyFormat = [{
    `max_norm` `(` custom<StaticOrDynamicF64>($dynamic_max_norm, $max_norm) `)`
    (`norm_type` `(` $norm_type^ `)`)?
    (`out_of_range` `(` $out_of_range^ `)`)?
    attr-dict
    `ins` `(` $indices `:` type($indices) `)`
    `outs` `(` $table `,` $out `:` type($table) `,` type($out) `)`
    (`->` type($results)^)?
  }];
}

//===----------------------------------------------------------------------===//
// DenseGradOp
//===----------------------------------------------------------------------===//

def Embedding_DenseGradOp : Embedding_RowIndexingOp<"dense_grad", [
    DeclareOpInterfaceMethods<AggregatedOpInterface, ["decomposeOperation"]>]> {
  let summary = "the gradient of a lookup with respect to the table";
  let description = [{
    `grad_table[k, :] = sum of s_k * grad_output[i..., :]` over the positions `i...`
    with `indices[i...] = k` and `k != padding_idx`; zero where there is none.
    `s_k` is 1, or with `scale_grad_by_freq` 1 divided by how often k is among
    all indices, rounded to the accumulation type. What is at padded positions of
    `grad_output` never matters, NaN included.

    Sums have one order, fixed by the data alone: the positions that name a row,
    in ascending order, are cut into chunks of 128; each chunk is summed in order
    from zero, and the sums of chunks in pairs of distance 1, 2, 4 and so on. The
    accumulation type is f64 for f64 and f32 for the others; the sum is rounded
    once at its end.

    `out_of_range` says what happens to an index outside `[0, V)`: `check`
    reports it (see `embedding.lookup`) and leaves the destination unspecified,
    `assume` is undefined behaviour, `clamp` adds to the nearest row, `zero` to
    none.

    `padding_idx` is a number, a negative one counting from the end of the table,
    or a value of type `index`, which may name no row at all.

    Constraints:

    - (C1) `grad_table` has rank 2.
    - (C2) the operands are all tensors or all memrefs; on tensors there is one
      result for each destination, of its type, and on memrefs there is none.
    - (C3) the elements of `grad_output` are those of `grad_table`.
    - (C4) `shape(grad_output) = shape(indices) + [D]`.
    - (C5) `-V <= padding_idx < V`, where both are static.

    Example:

    ```mlir
    %g = embedding.dense_grad padding_idx(0) scale_grad_by_freq
           ins(%dy, %indices : tensor<8x?x64xf32>, tensor<8x?xi64>)
           outs(%init : tensor<1000x64xf32>) -> tensor<1000x64xf32>
    ```
  }];

  let arguments = (ins
    Embedding_IndexedRows<Embedding_Floats>:$grad_output,
    Embedding_Indices:$indices,
    Optional<Index>:$dynamic_padding_idx,
    Embedding_Out<Embedding_Table<Embedding_Floats>>:$grad_table,
    OptionalProp<I64Prop>:$padding_idx,
    UnitProp:$scale_grad_by_freq,
    Embedding_OutOfRangeProp:$out_of_range);
  let cOptions = "EmbeddingGradOptions";

  let assemblyFormat = [{
    (`padding_idx` `(`
      custom<StaticOrDynamicIndex>($dynamic_padding_idx, $padding_idx)^ `)`)?
    (`scale_grad_by_freq` $scale_grad_by_freq^)?
    (`out_of_range` `(` $out_of_range^ `)`)?
    attr-dict
    `ins` `(` $grad_output `,` $indices `:`
      type($grad_output) `,` type($indices) `)`
    `outs` `(` $grad_table `:` type($grad_table) `)` (`->` type($results)^)?
  }];
}

//===----------------------------------------------------------------------===//
// SparseGradOp
//===----------------------------------------------------------------------===//

def Embedding_SparseGradOp : Embedding_RowIndexingOp<"sparse_grad", [
    AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<AggregatedOpInterface, ["decomposeOperation"]>]> {
  let summary = "the gradient of a lookup in coordinate form";
  let description = [{
    One entry for each position `i...` in row-major order, apart from those that
    name `padding_idx`: `rows` holds `indices[i...]` and `values` holds
    `s_k * grad_output[i..., :]`, with `s_k` as in `embedding.dense_grad`, rounded
    once. Duplicates are kept; `embedding.coalesce` adds them up. `nnz` holds
    the number of entries; what follows them in `rows` and `values` is
    unspecified.

    `num_rows` is V, the number of rows of the table. An index outside `[0, V)`
    is reported (`check`), undefined behaviour (`assume`), the nearest row
    (`clamp`), or has no entry (`zero`).

    `weights` holds `s_k` for each flat position, in place of
    `scale_grad_by_freq`, which is decomposed into them.

    Constraints:

    - (C1) `rows` has rank 1, `values` rank 2 and `nnz` rank 0.
    - (C2) the operands are all tensors or all memrefs; on tensors there is one
      result for each destination, of its type, and on memrefs there is none.
    - (C3) the elements of `grad_output` are those of `values`.
    - (C4) `shape(grad_output) = shape(indices) + [D]`.
    - (C5) `rows` has N elements and `values` N rows of length D.
    - (C6) `-V <= padding_idx < V`, where both are constants.
    - (C7) `weights` has N elements of the accumulation type, and excludes
      `scale_grad_by_freq`.

    Example:

    ```mlir
    %r, %v, %n = embedding.sparse_grad num_rows(%num_rows) padding_idx(0)
                   ins(%dy, %indices : tensor<?x64xf32>, tensor<?xi64>)
                   outs(%r0, %v0, %n0 : tensor<?xi64>, tensor<?x64xf32>, tensor<i64>)
                   -> tensor<?xi64>, tensor<?x64xf32>, tensor<i64>
    ```
  }];

  let arguments = (ins
    Embedding_IndexedRows<Embedding_Floats>:$grad_output,
    Embedding_Indices:$indices,
    Index:$num_rows,
    Optional<Index>:$dynamic_padding_idx,
    Optional<Embedding_Weights>:$weights,
    Embedding_Out<Embedding_Int64List>:$rows,
    Embedding_Out<Embedding_RowList<Embedding_Floats>>:$values,
    Embedding_Out<Embedding_Count>:$nnz,
    OptionalProp<I64Prop>:$padding_idx,
    UnitProp:$scale_grad_by_freq,
    Embedding_OutOfRangeProp:$out_of_range);
  let cOptions = "EmbeddingGradOptions";

  let assemblyFormat = [{
    `num_rows` `(` $num_rows `)`
    (`padding_idx` `(`
      custom<StaticOrDynamicIndex>($dynamic_padding_idx, $padding_idx)^ `)`)?
    (`scale_grad_by_freq` $scale_grad_by_freq^)?
    (`weights` `(` $weights^ `:` type($weights) `)`)?
    (`out_of_range` `(` $out_of_range^ `)`)?
    attr-dict
    `ins` `(` $grad_output `,` $indices `:`
      type($grad_output) `,` type($indices) `)`
    `outs` `(` $rows `,` $values `,` $nnz `:`
      type($rows) `,` type($values) `,` type($nnz) `)`
    (`->` type($results)^)?
  }];
}

//===----------------------------------------------------------------------===//
// CoalesceOp
//===----------------------------------------------------------------------===//

def Embedding_CoalesceOp : Embedding_RowIndexingOp<"coalesce", [
    DeclareOpInterfaceMethods<AggregatedOpInterface, ["decomposeOperation"]>]> {
  let summary = "adds up the entries of a sparse gradient that name one row";
  let description = [{
    `rows` holds the distinct `indices` in ascending order, and `sums` for each
    of them the sum of the `values` at its positions, in the order and the
    accumulation type of `embedding.dense_grad`. `nnz` holds how many there
    are; what follows them in `rows` and `sums` is unspecified.

    `num_rows` is V, the number of rows of the table. An index outside `[0, V)`
    is reported (`check`), undefined behaviour (`assume`), the nearest row
    (`clamp`), or left out (`zero`).

    Constraints:

    - (C1) `indices` and `rows` have rank 1, `values` and `sums` rank 2 and
      `nnz` rank 0.
    - (C2) the operands are all tensors or all memrefs; on tensors there is one
      result for each destination, of its type, and on memrefs there is none.
    - (C3) the elements of `values` are those of `sums`.
    - (C4) `values` has N rows, N being the number of `indices`.
    - (C5) `rows` has N elements and `sums` N rows of length D.

    Example:

    ```mlir
    %r, %s, %n = embedding.coalesce num_rows(%num_rows)
                   ins(%indices, %values : tensor<?xi64>, tensor<?x64xf32>)
                   outs(%r0, %s0, %n0 : tensor<?xi64>, tensor<?x64xf32>, tensor<i64>)
                   -> tensor<?xi64>, tensor<?x64xf32>, tensor<i64>
    ```
  }];

  let arguments = (ins
    Embedding_IndexList:$indices,
    Embedding_RowList<Embedding_Floats>:$values,
    Index:$num_rows,
    Embedding_Out<Embedding_Int64List>:$rows,
    Embedding_Out<Embedding_RowList<Embedding_Floats>>:$sums,
    Embedding_Out<Embedding_Count>:$nnz,
    Embedding_OutOfRangeProp:$out_of_range);
  let cOptions = "EmbeddingCoalesceOptions";

  let assemblyFormat = [{
    `num_rows` `(` $num_rows `)`
    (`out_of_range` `(` $out_of_range^ `)`)?
    attr-dict
    `ins` `(` $indices `,` $values `:` type($indices) `,` type($values) `)`
    `outs` `(` $rows `,` $sums `,` $nnz `:`
      type($rows) `,` type($sums) `,` type($nnz) `)`
    (`->` type($results)^)?
  }];
}

//===----------------------------------------------------------------------===//
// DoubleBackwardOp
//===----------------------------------------------------------------------===//

def Embedding_DoubleBackwardOp : Embedding_RowIndexingOp<"double_backward", [
    AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<AggregatedOpInterface, ["decomposeOperation"]>]> {
  let summary = "the derivative of the gradient of a lookup";
  let description = [{
    The gradient of `embedding.dense_grad` is linear in `grad_output`; this is
    its transpose: `out[i..., :] = s_k * grad_grad_table[k, :]` with
    `k = indices[i...]`, and zeros where k is `padding_idx`. `s_k` is as in
    `embedding.dense_grad`; the product is taken in the accumulation type and
    rounded once. Without `scale_grad_by_freq` rows are copied bit for bit.

    (The forward-mode derivative of a lookup needs no operation of its own: it is
    the lookup of the tangent of the table.)

    An index outside `[0, V)` is reported (`check`), undefined behaviour
    (`assume`), the nearest row (`clamp`), or gives zeros (`zero`).

    `weights` holds `s_k` for each flat position, in place of
    `scale_grad_by_freq`, which is decomposed into them.

    Constraints:

    - (C1) `grad_grad_table` has rank 2.
    - (C2) the operands are all tensors or all memrefs; on tensors there is one
      result for each destination, of its type, and on memrefs there is none.
    - (C3) the elements of `grad_grad_table` are those of `out`.
    - (C4) `shape(out) = shape(indices) + [D]`.
    - (C5) `-V <= padding_idx < V`, where both are static.
    - (C6) `weights` has N elements of the accumulation type, and excludes
      `scale_grad_by_freq`.

    Example:

    ```mlir
    %ddy = embedding.double_backward padding_idx(0)
             ins(%ddt, %indices : tensor<1000x64xf32>, tensor<8xi64>)
             outs(%init : tensor<8x64xf32>) -> tensor<8x64xf32>
    ```
  }];

  let arguments = (ins
    Embedding_Table<Embedding_Floats>:$grad_grad_table,
    Embedding_Indices:$indices,
    Optional<Index>:$dynamic_padding_idx,
    Optional<Embedding_Weights>:$weights,
    Embedding_Out<Embedding_IndexedRows<Embedding_Floats>>:$out,
    OptionalProp<I64Prop>:$padding_idx,
    UnitProp:$scale_grad_by_freq,
    Embedding_OutOfRangeProp:$out_of_range);
  let cOptions = "EmbeddingGradOptions";

  let assemblyFormat = [{
    (`padding_idx` `(`
      custom<StaticOrDynamicIndex>($dynamic_padding_idx, $padding_idx)^ `)`)?
    (`scale_grad_by_freq` $scale_grad_by_freq^)?
    (`weights` `(` $weights^ `:` type($weights) `)`)?
    (`out_of_range` `(` $out_of_range^ `)`)?
    attr-dict
    `ins` `(` $grad_grad_table `,` $indices `:`
      type($grad_grad_table) `,` type($indices) `)`
    `outs` `(` $out `:` type($out) `)` (`->` type($results)^)?
  }];
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
// FindInvalidOffsetOp
//===----------------------------------------------------------------------===//

def Embedding_FindInvalidOffsetOp : Embedding_Op<"find_invalid_offset", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    AlwaysSpeculatable]> {
  let summary = "counts the offsets of bags that are none and finds the first";
  let description = [{
    An offset is invalid if it is the first and not 0, if it is less than the one
    before, or if it is greater than `num_indices`. Returns the smallest position
    of one, its value, and how many there are in all; -1, 0 and 0 if there is none.
    `embedding-split-checks` makes this operation of the check of `embedding.bag`.

    Example:

    ```mlir
    %position, %offset, %count =
      embedding.find_invalid_offset %offsets, %num_indices : tensor<?xi64>
    ```
  }];

  let arguments = (ins Embedding_BagOffsets:$offsets, Index:$num_indices);
  let results = (outs I64:$position, I64:$offset, I64:$count);
  let assemblyFormat =
      "$offsets `,` $num_indices attr-dict `:` type($offsets)";
}

//===----------------------------------------------------------------------===//
// ReportOutOfRangeOp
//===----------------------------------------------------------------------===//

def Embedding_ReportOutOfRangeOp : Embedding_Op<"report_out_of_range", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "tells the caller of the program about out-of-range indices";
  let description = [{
    Hands the three results of `embedding.find_out_of_range`, and what it was
    that are no rows of `num_rows`, to whoever runs this program. A `count` of 0
    reports nothing. Execution goes on: a report is neither a trap nor an
    exception.

    `convert-embedding-to-func` makes it a call, if there is something to report,
    of `embedding_report_out_of_range(ptr, i64, i64, i64, i64)`, which the runner
    provides.

    Example:

    ```mlir
    embedding.report_out_of_range %position, %index, %count of %num_rows,
      "embedding.lookup: indices"
    ```
  }];

  let arguments = (ins I64:$position, I64:$index, I64:$count, Index:$num_rows,
                       StrAttr:$what);
  let assemblyFormat = [{
    $position `,` $index `,` $count `of` $num_rows `,` $what attr-dict
  }];
  let hasCanonicalizeMethod = 1;
}

//===----------------------------------------------------------------------===//
// ExpectSizeOp
//===----------------------------------------------------------------------===//

def Embedding_ExpectSizeOp : Embedding_Op<"expect_size", [
    AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "ends the program's call if a size is not as expected";
  let description = [{
    If `actual` is not `expected`, whoever runs this program is told `what`, both
    values, and the program goes no further: what comes next may rely on the
    size. `embedding-check-sizes` makes this operation of the constraints of
    others. Of the size of a slice, where it begins and what it is cut from are
    told too.

    `convert-embedding-to-func` makes it a call, in that case alone, of
    `embedding_report_mismatch(ptr, i64, i64, i64, i64)`, which the runner
    provides and which does not return to the program.

    Example:

    ```mlir
    embedding.expect_size %actual, %expected,
      "embedding.lookup: expected dimension 0 of out to be dimension 0 of indices,"
    embedding.expect_size %size_or_limit, %limit,
      "tensor.extract_slice: expected size of dimension 0 to be at most"
      from %offset of %source_size
    ```
  }];

  let arguments = (ins Index:$actual, Index:$expected, Optional<Index>:$offset,
                       Optional<Index>:$whole, StrAttr:$what);
  let assemblyFormat = [{
    $actual `,` $expected `,` $what (`from` $offset^ `of` $whole)? attr-dict
  }];
  let builders = [
    OpBuilder<(ins "::mlir::Value":$actual, "::mlir::Value":$expected,
                   "const ::llvm::Twine &":$what,
                   CArg<"::mlir::Value", "{}">:$offset,
                   CArg<"::mlir::Value", "{}">:$whole), [{
      build($_builder, $_state, actual, expected, offset, whole,
            $_builder.getStringAttr(what));
    }]>
  ];
  let hasCanonicalizeMethod = 1;
  let hasVerifier = 1;
}

#endif // EMBEDDING_IR_EMBEDDINGOPS
