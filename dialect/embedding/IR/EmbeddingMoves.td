//===- EmbeddingMoves.td - Moves of rows -------------------*- tablegen -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What operations are decomposed into, and what a target lowers. Gathers are
// lookups, and updates of rows renorm; the others are here.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_IR_EMBEDDINGMOVES
#define EMBEDDING_IR_EMBEDDINGMOVES

include "embedding/IR/EmbeddingRowIndexing.td"

//===----------------------------------------------------------------------===//
// GroupOp
//===----------------------------------------------------------------------===//

def Embedding_GroupOp : Embedding_RowIndexingOp<"group"> {
  let summary = "sorts the positions of indices by the rows that they name";
  let description = [{
    The second of the four moves: a stable sort of the flat positions by the row
    that the index there names. The positions of one row are a *group*: group g
    is row `rows[g]`, and its positions, in ascending order, are
    `positions[offsets[g]]` to `positions[offsets[g + 1] - 1]`. Groups are in
    ascending order of rows. `count` holds the number of groups;
    `offsets[count]` is where the last one ends, and what follows in the
    destinations is unspecified, apart from `positions`, which ends with the
    positions that are in no group.

    Positions of `padding_idx` are in no group. `num_rows` is V, the number of
    rows of the table. An index outside `[0, V)` is in no group (`zero`), or that
    and reported too (`check`, see `embedding.lookup`); the nearest row (`clamp`);
    or undefined behaviour (`assume`).

    The bits of N - 1 and those of V must be 64 or fewer in all.

    Constraints:

    - (C1) `rows`, `offsets` and `positions` have rank 1, and `count` rank 0.
    - (C2) the operands are all tensors or all memrefs; on tensors there is one
      result for each destination, of its type, and on memrefs there is none.
    - (C3) `rows` and `positions` have N elements, and `offsets` N + 1.
    - (C4) `-V <= padding_idx < V`, where both are constants.

    Example:

    ```mlir
    %r, %o, %p, %n = embedding.group num_rows(%num_rows)
        ins(%indices : tensor<?xi64>)
        outs(%r0, %o0, %p0, %n0 : tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, tensor<i64>)
        -> tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, tensor<i64>
    ```
  }];

  let arguments = (ins
    Embedding_Indices:$indices,
    Index:$num_rows,
    Optional<Index>:$dynamic_padding_idx,
    Embedding_Out<Embedding_Int64List>:$rows,
    Embedding_Out<Embedding_Offsets>:$offsets,
    Embedding_Out<Embedding_Int64List>:$positions,
    Embedding_Out<Embedding_Count>:$count,
    OptionalProp<I64Prop>:$padding_idx,
    Embedding_OutOfRangeProp:$out_of_range);

  let assemblyFormat = [{
    `num_rows` `(` $num_rows `)`
    (`padding_idx` `(`
      custom<StaticOrDynamicIndex>($dynamic_padding_idx, $padding_idx)^ `)`)?
    (`out_of_range` `(` $out_of_range^ `)`)?
    attr-dict
    `ins` `(` $indices `:` type($indices) `)`
    `outs` `(` $rows `,` $offsets `,` $positions `,` $count `:`
      type($rows) `,` type($offsets) `,` type($positions) `,` type($count) `)`
    (`->` type($results)^)?
  }];
}

//===----------------------------------------------------------------------===//
// Operations on segments
//===----------------------------------------------------------------------===//

/// A list of numbers, and one number.
def Embedding_NumberList
    : AnyTypeOf<[1DTensorOf<[I64]>, MemRefRankOf<[I64], [1]>]>;
def Embedding_Number : AnyTypeOf<[0DTensorOf<[I64]>, MemRefRankOf<[I64], [0]>]>;

/// An operation on segments of positions, in destination-passing style.
class Embedding_SegmentsOp<string mnemonic, list<Trait> traits = []>
    : Embedding_Op<mnemonic, traits # [
        DestinationStyleOpInterface,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
  let hasFolder = 1;
  // Moves.cpp has the functions.
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::fold(
        FoldAdaptor, ::llvm::SmallVectorImpl<::mlir::OpFoldResult> &) {
      return ::mlir::memref::foldMemRefCast(*this);
    }
    void $cppClass::getEffects(
        ::llvm::SmallVectorImpl<::mlir::SideEffects::EffectInstance<
            ::mlir::MemoryEffects::Effect>> &effects) {
      ::mlir::embedding::getDestinationStyleEffects(*this, effects);
    }
  }];
}

//===----------------------------------------------------------------------===//
// ReduceOp
//===----------------------------------------------------------------------===//

def Embedding_ReduceOp : Embedding_SegmentsOp<"reduce", [
    AttrSizedOperandSegments]> {
  let summary = "sums segments of rows";
  let description = [{
    The third of the four moves: sums rows of `values`, those of a gradient or of
    a table. Segment s holds the elements `offsets[s]` to `offsets[s + 1] - 1` of a
    list of rows. There are `count` segments, or without it as many as `sums` has
    rows.

    The list is made of what is given: `positions` are flat positions of `indices`
    and of `weights`, or without it the list is these themselves; `indices` name
    rows of `values`, or without it positions do. `embedding.group` makes segments
    of the positions that name one row; the segments of `embedding.bag` are lists
    of indices. With `exclude_last_offset` there is no offset where the last
    segment ends: it ends with the list. Without `offsets`, `indices` has rank 2,
    and each of its rows is a segment.

    Each row is multiplied, in the accumulation type, by its weight, if there are
    `weights`. An index that is `padding_row` names no row; nor does one out of
    range in mode `zero`, while `clamp` makes it the nearest, and `assume`, the
    default here, promises that there is none. (`check` is a check taken out
    before; it is no mode of this operation.)

    Without `rows`, `sums[s, :]` is the sum of segment s, and what follows the
    first `count` rows of `sums` is unspecified. With `rows`, which are distinct
    and in ascending order, `sums[rows[s], :]` is the sum of segment s, and zero
    where no segment has the row.

    With `scale_by_length` each row of a segment of n rows is multiplied by 1 / n,
    rounded to the accumulation type, before it is added. With `mean` the sum is
    divided by the number of its rows, in the accumulation type, and a sum of none
    is zero.

    Sums have the order and the accumulation type that `embedding.dense_grad`
    documents: chunks of 128 elements of the list, those that name no row
    included, from zero, then the sums of chunks in pairs.

    Offsets that do not ascend from 0 on, and positions, rows and a count that
    operands do not have are undefined behaviour.

    Constraints:

    - (C1) `values` has rank 2 or more, and `sums` rank 2.
    - (C2) the operands are all tensors or all memrefs; on tensors there is one
      result, of the type of `sums`, and on memrefs there is none.
    - (C3) the elements of `values` are those of `sums`.
    - (C4) the last dimension of `values` is that of `sums`.
    - (C5) `offsets` has one element more than `rows`, or without `rows` than
      `sums` has rows; with `exclude_last_offset` as many.
    - (C6) there are `positions` or `indices`; without `offsets` there are
      `indices` of rank 2, as many rows as `sums` has, and no `positions`.
    - (C7) with `rows` there is a `count`, and `values` has rank 2 with `indices`.
    - (C8) the elements of `weights` are those of `values`, or of the
      accumulation type; there are as many as `indices`, if there are any.
    - (C9) `out_of_range` is not `check`.

    Example:

    ```mlir
    %g = embedding.reduce rows(%rows : tensor<?xi64>)
           positions(%positions : tensor<?xi64>)
           offsets(%offsets : tensor<?xi64>) count(%count : tensor<i64>)
           ins(%dy : tensor<8x?x64xf32>)
           outs(%init : tensor<1000x64xf32>) -> tensor<1000x64xf32>
    %y = embedding.reduce mean exclude_last_offset
           indices(%indices : tensor<?xi64>) offsets(%starts : tensor<?xi32>)
           ins(%table : tensor<1000x64xf32>)
           outs(%bags : tensor<?x64xf32>) -> tensor<?x64xf32>
    ```
  }];

  let arguments = (ins
    Optional<Embedding_NumberList>:$rows,
    Optional<Embedding_NumberList>:$positions,
    Optional<AnyTypeOf<[RankedTensorOf<[I32, I64]>,
                        MemRefOf<[I32, I64]>]>>:$indices,
    Optional<AnyTypeOf<[RankedTensorOf<[F16, BF16, F32, F64]>,
                        MemRefOf<[F16, BF16, F32, F64]>]>>:$weights,
    Optional<AnyTypeOf<[1DTensorOf<[I32, I64]>,
                        MemRefRankOf<[I32, I64], [1]>]>>:$offsets,
    Optional<Embedding_Number>:$count,
    Optional<Index>:$padding_row,
    AnyTypeOf<[RankedTensorOf<[F16, BF16, F32, F64]>,
               MemRefOf<[F16, BF16, F32, F64]>]>:$values,
    AnyTypeOf<[2DTensorOf<[F16, BF16, F32, F64]>,
               MemRefRankOf<[F16, BF16, F32, F64], [2]>]>:$sums,
    UnitProp:$scale_by_length,
    UnitProp:$mean,
    UnitProp:$exclude_last_offset,
    DefaultValuedProp<EnumProp<Embedding_OutOfRange>,
                      "::mlir::embedding::OutOfRange::assume">:$out_of_range);

  let assemblyFormat = [{
    (`scale_by_length` $scale_by_length^)?
    (`mean` $mean^)?
    (`exclude_last_offset` $exclude_last_offset^)?
    (`out_of_range` `(` $out_of_range^ `)`)?
    (`padding_row` `(` $padding_row^ `)`)?
    (`rows` `(` $rows^ `:` type($rows) `)`)?
    (`positions` `(` $positions^ `:` type($positions) `)`)?
    (`indices` `(` $indices^ `:` type($indices) `)`)?
    (`weights` `(` $weights^ `:` type($weights) `)`)?
    (`offsets` `(` $offsets^ `:` type($offsets) `)`)?
    (`count` `(` $count^ `:` type($count) `)`)?
    attr-dict
    `ins` `(` $values `:` type($values) `)`
    `outs` `(` $sums `:` type($sums) `)` (`->` type($results)^)?
  }];

  let builders = [
    /// Groups' segments, summed into a list or, with `rows`, into a table.
    OpBuilder<(ins "::mlir::TypeRange":$types, "::mlir::Value":$rows,
                   "::mlir::Value":$positions, "::mlir::Value":$offsets,
                   "::mlir::Value":$count, "::mlir::Value":$values,
                   "::mlir::Value":$sums, CArg<"bool", "false">:$scaleByLength), [{
      build($_builder, $_state, types, rows, positions, /*indices=*/nullptr,
            /*weights=*/nullptr, offsets, count, /*padding_row=*/nullptr,
            values, sums, scaleByLength);
    }]>
  ];

  let extraClassDeclaration = [{
    MutableOperandRange getDpsInitsMutable() { return getSumsMutable(); }
  }];
}

//===----------------------------------------------------------------------===//
// InverseFrequenciesOp
//===----------------------------------------------------------------------===//

def Embedding_InverseFrequenciesOp
    : Embedding_SegmentsOp<"inverse_frequencies"> {
  let summary = "1 divided by the length of the segment that a position is in";
  let description = [{
    `weights[positions[i]] = 1 / n` for each i in a segment of n positions, rounded
    once; what is at positions in no segment is unspecified. Segments are as in
    `embedding.reduce`: of those that `embedding.group` makes, n is how often the
    row is named, which `scale_grad_by_freq` divides by.

    Constraints:

    - (C1) the operands are all tensors or all memrefs; on tensors there is one
      result, of the type of `weights`, and on memrefs there is none.
    - (C2) `weights` has as many elements as `positions`.

    Example:

    ```mlir
    %w = embedding.inverse_frequencies
           ins(%positions, %offsets, %count
               : tensor<?xi64>, tensor<?xi64>, tensor<i64>)
           outs(%init : tensor<?xf32>) -> tensor<?xf32>
    ```
  }];

  let arguments = (ins
    Embedding_NumberList:$positions,
    Embedding_NumberList:$offsets,
    Embedding_Number:$count,
    AnyTypeOf<[1DTensorOf<[F32, F64]>,
               MemRefRankOf<[F32, F64], [1]>]>:$weights);

  let assemblyFormat = [{
    attr-dict
    `ins` `(` $positions `,` $offsets `,` $count `:`
      type($positions) `,` type($offsets) `,` type($count) `)`
    `outs` `(` $weights `:` type($weights) `)` (`->` type($results)^)?
  }];

  let extraClassDeclaration = [{
    MutableOperandRange getDpsInitsMutable() { return getWeightsMutable(); }
  }];
}

#endif // EMBEDDING_IR_EMBEDDINGMOVES
