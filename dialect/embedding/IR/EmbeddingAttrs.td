//===- EmbeddingAttrs.td - Embedding dialect attributes ----*- tablegen -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_IR_EMBEDDINGATTRS
#define EMBEDDING_IR_EMBEDDINGATTRS

include "embedding/IR/EmbeddingBase.td"
include "embedding/IR/EmbeddingEnums.td"
include "mlir/IR/AttrTypeBase.td"

def Embedding_ScheduleAttr : AttrDef<Embedding_Dialect, "Schedule"> {
  let mnemonic = "schedule";
  let summary = "how an operation is carried out, where that is a choice";
  let description = [{
    The attribute `embedding.schedule` of an operation that moves rows overrides
    what the lowering would choose by cost. What it leaves out is chosen. The
    result never depends on it, to the last bit.

    - `grouping`: how positions that name one row are brought together.
      `radix_sort` takes time linear in N for any V; `counting_sort` counts all
      rows, for V not much larger than N. `dense_grad` also knows `scatter`:
      gradients are added where they belong in the order of positions, without
      a sort and by one thread, if the length of rows is static and there is no
      `scale_grad_by_freq`; otherwise positions are sorted after all. `renorm` and
      `renorm_lookup` also know `bitmap`: a bit for each row of the table that
      has been met. `lookup`, and without `scale_grad_by_freq` `sparse_grad` and
      `double_backward`, group nothing.
    - `prefetch_rows`: rows between a prefetch and its use; 0 prefetches nothing.
      When it is given, tables that fit into the caches are prefetched too.
    - `prefetch_locality`: the `localityHint` of `memref.prefetch`: 3 for the
      first-level cache, 2 for the second, 1 for the third, 0 for none to keep.
    - `streaming`: which outputs are stored around the caches: `never` any,
      `large` ones, or `always` all that are aligned.
    - `vector_bytes`: bytes of the widest vector, a power of two.
    - `unroll`: vectors of a row that are moved by straight code; longer rows
      take a loop.

    On a GPU `vector_bytes` is that of a thread's lane, 16 at most; `unroll` is
    the number of lanes that a thread has in flight, 32 at most; and rows are
    stored as the first to leave the caches (`st.global.cs`) unless `streaming`
    is `never`. Positions are grouped by radix sort there, and nothing is
    prefetched: a GPU has enough warps to wait for memory.

    Example:

    ```mlir
    embedding.lookup out_of_range(assume)
      {embedding.schedule = #embedding.schedule<prefetch_rows = 8,
                                                streaming = always>}
      ins(%table, %indices : memref<?x64xf32>, memref<?xi64>)
      outs(%rows : memref<?x64xf32>)
    ```
  }];
  let parameters = (ins
    OptionalParameter<"std::optional<Grouping>">:$grouping,
    OptionalParameter<"std::optional<int64_t>">:$prefetch_rows,
    OptionalParameter<"std::optional<int64_t>">:$prefetch_locality,
    OptionalParameter<"std::optional<Streaming>">:$streaming,
    OptionalParameter<"std::optional<int64_t>">:$vector_bytes,
    OptionalParameter<"std::optional<int64_t>">:$unroll);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The same with another grouping, or with none.
    ScheduleAttr withGrouping(std::optional<Grouping> grouping) const {
      return get(getContext(), grouping, getPrefetchRows(),
                 getPrefetchLocality(), getStreaming(), getVectorBytes(),
                 getUnroll());
    }
  }];
}

#endif // EMBEDDING_IR_EMBEDDINGATTRS
