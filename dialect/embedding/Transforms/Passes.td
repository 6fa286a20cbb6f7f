//===- Passes.td - Embedding transformations ---------------*- tablegen -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TRANSFORMS_PASSES
#define EMBEDDING_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def EmbeddingFuseRenormLookupPass : Pass<"embedding-fuse-renorm-lookup"> {
  let summary = "Make a renorm and the lookup after it one operation";
  let description = [{
    An `embedding.renorm` followed by an `embedding.lookup` of the same indices in
    the same table, as `max_norm` of `torch.nn.functional.embedding` asks for,
    becomes an `embedding.renorm_lookup`, which reads each row once. On tensors
    the lookup reads the result of the renorm, which nothing reads before it; on
    memrefs nothing in between touches memory. Both must treat indices out of
    range alike.

    Example:

    ```mlir
    %t1 = embedding.renorm max_norm(1.0)
            ins(%i : tensor<?xi64>) outs(%t0 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %y = embedding.lookup ins(%t1, %i : tensor<?x64xf32>, tensor<?xi64>)
           outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    ```

    becomes

    ```mlir
    %t1, %y = embedding.renorm_lookup max_norm(1.0)
                ins(%i : tensor<?xi64>)
                outs(%t0, %init : tensor<?x64xf32>, tensor<?x64xf32>)
                -> tensor<?x64xf32>, tensor<?x64xf32>
    ```
  }];
}

def EmbeddingElideChecksPass : Pass<"embedding-elide-checks"> {
  let summary = "Drop the out-of-range treatment of indices proven in range";
  let description = [{
    Runs integer range analysis and sets `out_of_range(assume)` on every operation
    of the dialect whose indices lie in `[0, V)` by construction: constants, remainders, masks,
    minima and maxima, and what is computed from them. V must be static.

    Example: in

    ```mlir
    %c1000 = arith.constant dense<1000> : tensor<16xi64>
    %hashed = arith.remui %ids, %c1000 : tensor<16xi64>
    %y = embedding.lookup ins(%table, %hashed : tensor<1000x64xf32>, tensor<16xi64>)
           outs(%init : tensor<16x64xf32>) -> tensor<16x64xf32>
    ```

    the lookup needs no check and becomes `out_of_range(assume)`. The pipelines
    then make linalg operations of what is elementwise on tensors, which run on the
    CPU; for a GPU, indices are made before, or by other kernels.
  }];
}

def EmbeddingCheckSizesPass
    : Pass<"embedding-check-sizes", "::mlir::func::FuncOp"> {
  let summary = "Check when a program runs that sizes agree";
  let description = [{
    Sizes that do not fit at run time are undefined behaviour, of the dialect's
    operations as of others. This pass creates an `embedding.expect_size` for

    - each constraint between sizes of an operation of the dialect; also for a
      `num_rows` that is negative, or so large that rows and positions do not fit
      into 64 bits;
    - the dimensions of operands of a linalg operation: those that one loop walks
      are of one size, and the values of other expressions of indexing maps
      (`d0 + d1`, `d0 * 2`, constants) lie in theirs. An expression with
      `floordiv` or `mod` that has a dimension twice is bounded term by term;
    - slices (`tensor.extract_slice`, `tensor.insert_slice`,
      `tensor.parallel_insert_slice`, `memref.subview`): they lie in what they are
      slices of, and what is inserted has their sizes;
    - `tensor.pad`, by no negative number, and `tensor.concat`;
    - `expand_shape` and `reshape` of either dialect, which keep the number of
      elements, `memref.collapse_shape` of dimensions that are contiguous, and
      `memref.view`;
    - `memref.copy` and `bufferization.materialize_in_destination`;
    - casts that make a rank, sizes, strides or an offset static;
    - the index of `tensor.dim` and `memref.dim`.

    Nothing is created where bounds of values prove a slice, padding or shape to
    fit, and canonicalization erases what holds by what is static.

    The rest is the program's own to get right: the positions of single elements
    and vectors (`tensor.extract`, `tensor.insert`, `memref.load`, `memref.store`,
    atomics, all of `affine` and `vector`), what makes memory of an address
    (`memref.reinterpret_cast`, `memref.extract_aligned_pointer_as_index`, all of
    `llvm`), promises (`memref.assume_alignment`, `out_of_range(assume)`), and
    functions without a body.

    What every call of the function does is checked at its start, before anything
    is written, if its arguments determine the sizes; the rest right before the
    operation.

    Example:

    ```mlir
    embedding.lookup ins(%table, %indices : memref<?x?xf32>, memref<?xi64>)
                     outs(%out : memref<?x?xf32>)
    ```

    becomes

    ```mlir
    embedding.expect_size %out_0, %indices_0,
      "embedding.lookup: expected dimension 0 of out to be dimension 0 of indices,"
    embedding.expect_size %out_1, %table_1,
      "embedding.lookup: expected dimension 1 of out to be dimension 1 of table,"
    embedding.lookup ...
    ```
  }];
  let dependentDialects = [
    "::mlir::embedding::EmbeddingDialect", "::mlir::arith::ArithDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
}

def EmbeddingSplitChecksPass : Pass<"embedding-split-checks"> {
  let summary = "Take the checks of operations out of them";
  let description = [{
    A lookup in `check` mode, or any other operation of the dialect, becomes `embedding.find_out_of_range` over all of
    its indices, `embedding.report_out_of_range`, and, only if every index is in
    range, the operation in `assume` mode. So nothing is written before every index
    is known to be in range. The loop over rows then carries no test.

    A group leaves out what is bad anyway, and becomes one in mode `zero`.

    A lookup behind a branch cannot be fused with what reads its result. With
    `branch=false` it stays where it is, in mode `clamp`: nothing out of range is
    read, and the result of a lookup with an index out of range, which is
    reported, is unspecified. It may then be tiled and fused: flat positions stay
    those of the whole operand. A renorm keeps its branch, since it must not
    change the table.

    Example: on memrefs,

    ```mlir
    embedding.lookup ins(%table, %indices : memref<?x64xf32>, memref<?xi64>)
      outs(%out : memref<?x64xf32>)
    ```

    becomes

    ```mlir
    %num_rows = memref.dim %table, %c0 : memref<?x64xf32>
    %position, %index, %count =
      embedding.find_out_of_range %indices, %num_rows : memref<?xi64>
    embedding.report_out_of_range %position, %index, %count of %num_rows,
      "embedding.lookup: indices"
    %in_range = arith.cmpi eq, %count, %c0_i64 : i64
    scf.if %in_range {
      embedding.lookup out_of_range(assume)
        ins(%table, %indices : memref<?x64xf32>, memref<?xi64>)
        outs(%out : memref<?x64xf32>)
    }
    ```
  }];
  let options = [
    Option<"branch", "branch", "bool", /*default=*/"true",
           "Run operations behind a branch on what was found; without it those "
           "that update no table run in mode `clamp`">,
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
}

def EmbeddingStreamStoresPass
    : Pass<"embedding-stream-stores", "::mlir::func::FuncOp"> {
  let summary = "Store rows of large outputs around the caches";
  let description = [{
    A store to a line that is in no cache reads the line first, and writing rows
    of an output larger than the caches evicts what is of use. In loops over rows
    this pass gives each linalg operation that writes a row of static length, and
    does not read it, a second form whose stores are to be streamed, and chooses
    between the two by a condition computed once: the output has at least
    `min-bytes`, and its rows are aligned to the largest power of two (at least
    16, at most 64 bytes) that divides their length.

    Whole rows that are filled together, as the gap between two rows of a dense
    gradient is, are streamed line by line instead, if they follow each other in
    memory; then any length of a row will do.

    Outputs are arguments of the function and allocations that nobody frees in
    it; other buffers are read soon. The second form carries the attribute
    `embedding.streamed`, its alignment in bytes, which `embedding-vectorize-rows`
    heeds. Streamed stores are in no order with others until a fence, which is
    placed at the end of each iteration of a parallel loop, or behind the loop
    where the iteration is a row.

    Example: `linalg.copy ins(%row) outs(%dest)`, where `%dest` is a row of
    `%out: memref<?x128xf32>`, becomes

    ```mlir
    scf.if %is_streamed {
      linalg.copy {embedding.streamed = 64 : i64} ins(%row) outs(%dest)
    } else {
      linalg.copy ins(%row) outs(%dest)
    }
    ```
  }];
  let options = [
    Option<"minBytes", "min-bytes", "int64_t",
           /*default=*/"::mlir::embedding::cost::kMinStreamedBytes",
           "Bytes of the least output whose rows are streamed">
  ];
  let dependentDialects = [
    "::mlir::embedding::EmbeddingDialect",
    "::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
  let statistics = [
    Statistic<"numStreamed", "num-streamed",
              "Operations that got a streamed form">
  ];
}

def EmbeddingPrefetchRowsPass : Pass<"embedding-prefetch-rows"> {
  let summary = "Prefetch the rows that later iterations will read";
  let description = [{
    In an `scf.for` that reads a `memref.subview` at an offset loaded from
    memory, such as a row named by an index, the offset of a later iteration is
    known long before its row is needed. This pass repeats the computation of
    the offset for the iteration `rows-ahead` ahead (near the end, for the last one,
    or, if the loop walks a piece of a vector of indices, for what follows in the
    vector) and prefetches every cache line of that subview.
    See S. Ainsworth and T. M. Jones, "Software Prefetching for Indirect Memory
    Accesses", CGO 2017.

    By default `rows-ahead` is chosen so that 16 KiB are under way, but between 2
    and 64 rows, and 8 rows where the length is dynamic, into the first-level
    cache, or at most 32 rows into the second if they have `second-level-row-bytes`
    or more; and only tables of at least `min-bytes` are prefetched, which is a
    condition in the loop where it is not known. Where the operation that reads the row has an
    `embedding.schedule` that says how many rows ahead, or the option does, that
    is done whatever the size of the table.

    Near the end of the offsets the later iteration is the last one. For rows of
    at most `max-peeled-row-bytes` that comparison would take as long as the row:
    these iterations get a loop of their own, without prefetches.

    Example: the body of a loop `scf.for %i = %c0 to %n step %c1`,

    ```mlir
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 16] [1, 1] : ...
    ```

    is preceded by

    ```mlir
    %ahead = arith.addi %i, %c32 : index
    %later = arith.minui %ahead, %last : index
    %index_later = memref.load %indices[%later] : memref<?xi64>
    %k_later = arith.index_cast %index_later : i64 to index
    memref.prefetch %table[%k_later, %c0], read, locality<3>, data
      : memref<?x16xf32>
    ```
  }];
  let options = [
    Option<"rowsAhead", "rows-ahead", "int64_t", /*default=*/"0",
           "Iterations between a prefetch and the use of the row; 0 chooses by "
           "the bytes of a row and of the table">,
    Option<"locality", "locality", "int64_t", /*default=*/"-1",
           "The locality hint of a prefetch: 3 for the first-level cache, 2 for "
           "the second, 1 for the third, 0 for none to keep; -1 chooses by the "
           "bytes of a row">,
    Option<"secondLevelRowBytes", "second-level-row-bytes", "int64_t",
           /*default=*/"::mlir::embedding::cost::kSecondLevelRowBytes",
           "Bytes of a row from which on it is prefetched into the second-level "
           "cache">,
    Option<"minBytes", "min-bytes", "int64_t",
           /*default=*/"::mlir::embedding::cost::kMinPrefetchedBytes",
           "Bytes from which on a table is prefetched">,
    Option<"maxPeeledRowBytes", "max-peeled-row-bytes", "int64_t",
           /*default=*/"::mlir::embedding::cost::kMaxPeeledRowBytes",
           "Rows up to this length get a loop of their own for the last "
           "iterations">
  ];
  let dependentDialects = [
    "::mlir::embedding::EmbeddingDialect",
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"
  ];
  let statistics = [
    Statistic<"numPrefetched", "num-prefetched",
              "Number of subviews that are prefetched">
  ];
}

def EmbeddingTileLookupsPass : Pass<"embedding-tile-lookups"> {
  let summary = "Check and copy the rows of lookups stretch by stretch";
  let description = [{
    Cuts a lookup on memrefs in `check` mode into blocks, which are worth a
    thread, and these into stretches of indices that stay in the first-level
    cache: each is checked, and then its rows are copied, unless an index is out
    of range. Such a stretch is left out and sets a flag, and if it is set when
    all are done, a search for what to report follows the loop.

    If the dimensions of the indices are not at one stride in the output, a
    stretch is one of the last of them, in any mode.

    Lookups on tensors are left to `embedding-split-checks`, which checks all
    indices first: their result is fused with what reads it.

    Example:

    ```mlir
    embedding.lookup ins(%table, %indices : memref<?x64xf32>, memref<?xi64>)
      outs(%out : memref<?x64xf32>)
    ```

    becomes

    ```mlir
    %flag = memref.alloca() : memref<i64>
    ...
    scf.forall (%block) in (%blocks) {
      %begin = arith.muli %block, %grain : index
      ...
      scf.for %i = %begin to %end step %c2048 iter_args(%first = %begin) -> (index) {
        %some = memref.subview %indices[%first] [%size] [1] : ...
        %rows = memref.subview %out[%first, 0] [%size, 64] [1, 1] : ...
        %signs = scf.for ... // over %some
        %is_outside = arith.cmpi sge, %signs, %c0_i64 : i64
        scf.if %is_outside {
          memref.atomic_rmw ori %c1_i64, %flag[] : (i64, memref<i64>) -> i64
        } else {
          embedding.lookup out_of_range(assume) ins(%table, %some : ...) outs(%rows : ...)
        }
        %next = arith.addi %first, %size : index
        scf.yield %next : index
      }
    }
    %set = memref.load %flag[] : memref<i64>
    %is_bad = arith.cmpi ne, %set, %c0_i64 : i64
    scf.if %is_bad {
      %position, %index, %count, %n = scf.for ... // over %indices
      embedding.report_out_of_range %position, %index, %count of %num_rows,
        "embedding.lookup: indices"
    }
    ```
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"
  ];
}

def UnswitchLoopsPass : Pass<"scf-unswitch-loops"> {
  let summary = "Unswitch small loops on invariant conditions";
  let description = [{
    Whether a table is prefetched and whether an output is streamed is one
    decision for a whole call, but stands in the loop over rows, where a short
    row takes no longer than the branch. An innermost `scf.for` of at most
    `max-operations` operations with an `scf.if` on a value from outside becomes
    an `scf.if` with a loop on either side, until there is no such `scf.if`.

    Example:

    ```mlir
    scf.for %i = %c0 to %n step %c1 {
      scf.if %is_large {
        memref.prefetch ...
      }
      ...
    }
    ```

    becomes

    ```mlir
    scf.if %is_large {
      scf.for %i = %c0 to %n step %c1 {
        memref.prefetch ...
        ...
      }
    } else {
      scf.for %i = %c0 to %n step %c1 {
        ...
      }
    }
    ```
  }];
  let options = [
    Option<"maxOperations", "max-operations", "int64_t", /*default=*/"64",
           "Operations in a loop that is still unswitched">
  ];
  let statistics = [
    Statistic<"numUnswitched", "num-unswitched", "Number of loops made two">
  ];
}

def HoistStackBuffersPass : Pass<"memref-hoist-stack-buffers"> {
  let summary = "Move stack buffers of a fixed size out of loops";
  let description = [{
    A `memref.alloca` of a static type in a loop takes new stack in every
    iteration, and LLVM keeps no such buffer in registers. This pass moves it to
    the start of the function, or of the parallel loop that it is in, whose
    iterations each need their own. What it holds at the start of an iteration
    must not matter. A `memref.alloca_scope` that is left without buffers goes.

    Example:

    ```mlir
    scf.for %i = %c0 to %n step %c1 {
      %sum = memref.alloca() : memref<64xf32>
      ...
    }
    ```

    becomes

    ```mlir
    %sum = memref.alloca() : memref<64xf32>
    scf.for %i = %c0 to %n step %c1 {
      ...
    }
    ```
  }];
}

def EmbeddingPlanWorkspacePass
    : Pass<"embedding-plan-workspace", "::mlir::ModuleOp"> {
  let summary = "Place buffers in memory that the caller provides";
  let description = [{
    In a function with an argument marked `embedding.workspace`, a contiguous
    `memref<?xi8>`, every `memref.alloc` becomes a view of that memory, at a
    multiple of 64 bytes. A second function with the same arguments, its name
    that of the first and `_workspace_bytes`, returns how many bytes there must
    be; it reads nothing but the shapes of its arguments. So an allocation can
    fail, be pooled or be planned where the program is called, and not within.

    Buffers must be allocated outside loops, and their sizes must follow from the
    shapes of the arguments. The two ways of an `scf.if` share their memory.

    Example:

    ```mlir
    func.func @f(%x: memref<?xf32>, %w: memref<?xi8> {embedding.workspace}) {
      %n = memref.dim %x, %c0 : memref<?xf32>
      %buffer = memref.alloc(%n) : memref<?xf32>
      ...
      memref.dealloc %buffer : memref<?xf32>
    ```

    becomes

    ```mlir
    func.func @f(%x: memref<?xf32>, %w: memref<?xi8>) {
      %n = memref.dim %x, %c0 : memref<?xf32>
      %buffer = memref.view %w[%c0][%n] : memref<?xi8> to memref<?xf32>
      ...
    func.func @f_workspace_bytes(%x: memref<?xf32>, %w: memref<?xi8>) -> i64
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::memref::MemRefDialect"
  ];
}

def EmbeddingOutlineParallelLoopsPass
    : Pass<"embedding-outline-parallel-loops", "::mlir::ModuleOp"> {
  let summary = "Move parallel loops into functions of a range";
  let description = [{
    Every outermost `scf.forall` on memrefs becomes a call of a function marked
    `embedding.parallel_body`. Its first two arguments are a range of
    iterations, counted in row-major order; the others are the bounds and what
    the loop uses from outside. As it stands, the program runs the loop on one
    thread; `embedding-call-parallel-for` makes it run on several.

    Iterations that do nothing but write a row are too little to be given away
    one by one: the range is then one of blocks of them, which have the bytes
    that the cost model wants, or all if those are few.

    Example:

    ```mlir
    scf.forall (%i) in (%n) {
      memref.store %x, %m[%i] : memref<?xf32>
    }
    ```

    becomes

    ```mlir
    func.call @f_parallel_0(%c0, %n, %n, %x, %m)
      : (index, index, index, f32, memref<?xf32>) -> ()
    ...
    func.func private @f_parallel_0(%begin: index, %end: index, %n: index,
                                    %x: f32, %m: memref<?xf32>)
        attributes {embedding.parallel_body} {
      scf.for %i = %begin to %end step %c1 {
        memref.store %x, %m[%i] : memref<?xf32>
      }
    ```
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::scf::SCFDialect"
  ];
}

def EmbeddingCallParallelForPass
    : Pass<"embedding-call-parallel-for", "::mlir::ModuleOp"> {
  let summary = "Run outlined loops on the threads of whoever runs the program";
  let description = [{
    In the LLVM dialect, a call of a function marked `embedding.parallel_body`
    becomes a call of

    ```c
    void embedding_parallel_for(int64_t size,
                                void (*range)(void *context, int64_t begin,
                                              int64_t end),
                                void *context);
    ```

    which whoever runs the program defines: it calls `range` on disjoint ranges
    that cover `[0, size)`, on any threads, and returns when all have returned.

    Example:

    ```mlir
    llvm.call @f_parallel_0(%c0, %n, %x) : (i64, i64, f32) -> ()
    ```

    becomes

    ```mlir
    %field = llvm.getelementptr %context[0, 0] : ...
    llvm.store %x, %field : f32, !llvm.ptr
    %range = llvm.mlir.addressof @f_parallel_0_range : !llvm.ptr
    llvm.call @embedding_parallel_for(%n, %range, %context)
      : (i64, !llvm.ptr, !llvm.ptr) -> ()
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def EmbeddingVectorizeRowsPass : Pass<"embedding-vectorize-rows"> {
  let summary = "Vectorize elementwise linalg operations on contiguous rows";
  let description = [{
    Cuts the innermost loop of every elementwise linalg operation on memrefs
    with unit stride there, such as the copy of a row, into whole vectors of
    `vector-bytes` and a tail of ever narrower ones. No piece is masked and none
    overlaps another, so that operations in place are fine and every element
    width is fast on every target.

    The whole vectors are the iterations of an `affine.for`, which loads and
    stores by `affine.vector_load` and `affine.vector_store`: upstream's
    `affine-loop-unroll` makes straight code of short rows, and `affine-scalrep`
    forwards what one operation stores to the next. A dynamic length has one
    conditional piece for each power of two below the vector.

    `scf.for`, `vector.load` and `vector.store` take their places where the
    length of the row is no symbol of the function, and where a schedule's
    `unroll` asks for a loop. Streamed stores are `vector.store`, since affine
    ones can be neither nontemporal nor aligned.

    Operations on elements that are not 8, 16, 32 or 64 bits wide are left
    alone.

    Example: with `vector-bytes=64`,

    ```mlir
    linalg.copy ins(%row : memref<100xf32, strided<[1], offset: ?>>)
      outs(%dest : memref<100xf32, strided<[1], offset: ?>>)
    ```

    becomes

    ```mlir
    affine.for %i = 0 to 96 step 16 {
      %0 = affine.vector_load %row[%i] : ..., vector<16xf32>
      affine.vector_store %0, %dest[%i] : ..., vector<16xf32>
    }
    %1 = affine.vector_load %row[96] : ..., vector<4xf32>
    affine.vector_store %1, %dest[96] : ..., vector<4xf32>
    ```
  }];
  let options = [
    Option<"vectorBytes", "vector-bytes", "int64_t", /*default=*/"32",
           "Bytes of the widest vector, a power of two">
  ];
  let dependentDialects = [
    "::mlir::embedding::EmbeddingDialect",
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"
  ];
}

def CopyAsIntegersPass : Pass<"llvm-copy-floats-as-integers"> {
  let summary = "Load and store as integers the floats that are only copied";
  let description = [{
    In the LLVM dialect, gives a load of floats whose every use is to be stored
    the integer type of the same width. A lookup promises the bits of the row,
    and a target that has no registers for a type does not keep them: on x86
    without avx512bf16 a bf16 in flight between two blocks is widened to f32 and
    rounded back, which quiets a NaN and calls `__truncsfbf2`. So a bf16 that is
    computed with is loaded and stored as an integer too, with a bitcast.

    Example:

    ```mlir
    %0 = llvm.load %row : !llvm.ptr -> vector<4xbf16>
    llvm.store %0, %out : vector<4xbf16>, !llvm.ptr
    ```

    becomes

    ```mlir
    %0 = llvm.load %row : !llvm.ptr -> vector<4xi16>
    llvm.store %0, %out : vector<4xi16>, !llvm.ptr
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def AttachNVVMTargetPass
    : Pass<"gpu-attach-nvvm-target", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Say which NVIDIA GPU a module of kernels is for";
  let description = [{
    Attaches an `#nvvm.target`, as upstream's `nvvm-attach-target` does, with a
    version of PTX that fits the chip unless `features` say another: LLVM would
    end the process over one that is too low. A chip before sm_80 is an error.

    Example:

    ```mlir
    gpu.module @embedding_kernels [#nvvm.target<O = 3, chip = "sm_90", features = "+ptx80">] {
    }
    ```
  }];
  let options = [
    Option<"chip", "chip", "std::string", /*default=*/"\"sm_80\"",
           "The GPU, sm_80 or later">,
    Option<"features", "features", "std::string", /*default=*/"\"\"",
           "LLVM's features; empty for what the chip needs">,
    Option<"optLevel", "O", "int", /*default=*/"3", "Optimization level, 0 to 3">
  ];
  let dependentDialects = ["::mlir::NVVM::NVVMDialect"];
}

def CallMathIntrinsicsPass
    : Pass<"gpu-call-math-intrinsics", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Lower sqrt and fabs in kernels to LLVM intrinsics";
  let description = [{
    `math.sqrt` and `math.absf` of f32 and f64 become calls of LLVM's intrinsics.
    `convert-gpu-to-nvvm` would make calls of CUDA's device library of them, which
    kernels then had to be linked with.

    Example:

    ```mlir
    %root = math.sqrt %x : f64
    ```

    becomes

    ```mlir
    %root = llvm.call_intrinsic "llvm.sqrt.f64"(%x) : (f64) -> f64
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def AllocateOnDevicePass
    : Pass<"gpu-allocate-on-device", "::mlir::ModuleOp"> {
  let summary = "Allocate the buffers of functions in device memory";
  let description = [{
    `memref.alloc` and `memref.dealloc` in functions become `gpu.alloc` and
    `gpu.dealloc`. What then reads or writes memory and is not a kernel would do
    so on the host: it is an error.

    Example:

    ```mlir
    %buffer = memref.alloc(%n) : memref<?xi64>
    ```

    becomes

    ```mlir
    %buffer = gpu.alloc (%n) : memref<?xi64>
    ```
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect"];
}

def EmbeddingCallAllocatorPass
    : Pass<"embedding-call-allocator", "::mlir::ModuleOp"> {
  let summary = "Take memory from functions of the caller";
  let description = [{
    `memref.alloc` and `gpu.alloc` of the default memory space become calls of

    ```c
    void *embedding_allocate(int64_t element_bytes, int64_t alignment,
                             int64_t rank, const int64_t *sizes);
    ```

    and their deallocations calls of `void embedding_deallocate(void *memory)`,
    which this pass declares and whoever runs the program defines. Where there is
    no such memory, where a size is negative or the bytes overflow,
    `embedding_allocate` does not return to the program: `malloc` would say so by
    a null that upstream's lowering does not look at. A `memref.alloca`
    that is dynamic or of more than 64 KiB becomes a call too; the caller
    deallocates its memory when the program has returned.

    A buffer that is handed to a function marked `embedding.result = N : i64` may
    be in the memory of that result from the start, so that nothing is copied. If
    the program allocates it once at most, it asks for it by

    ```c
    void *embedding_allocate_result(int64_t number, int64_t element_bytes,
                                    int64_t alignment, int64_t rank,
                                    const int64_t *sizes);
    ```

    Example:

    ```mlir
    %buffer = memref.alloc(%n) : memref<?xf32>
    ```

    becomes

    ```mlir
    %memory = llvm.call @embedding_allocate(%c4, %c1, %rank, %sizes)
      : (i64, i64, i64, !llvm.ptr) -> !llvm.ptr
    ```

    and the descriptor of a memref.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def EmbeddingCallReportAssertionPass
    : Pass<"embedding-call-report-assertion", "::mlir::ModuleOp"> {
  let summary = "Report assertions that fail to a function of the caller";
  let description = [{
    Each `cf.assert` becomes a branch that calls

    ```c
    void embedding_report_assertion(const char *message);
    ```

    which this pass declares and whoever runs the program defines. It does not
    return to the program: upstream's lowering ends the process.

    Example:

    ```mlir
    cf.assert %holds, "expected a positive number"
    ```

    becomes

    ```mlir
    %fails = arith.xori %holds, %true : i1
    scf.if %fails {
      %message = llvm.mlir.addressof @embedding_assertion : !llvm.ptr
      llvm.call @embedding_report_assertion(%message) : (!llvm.ptr) -> ()
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::LLVM::LLVMDialect",
                           "::mlir::scf::SCFDialect"];
}

def EmbeddingCallLaunchKernelPass
    : Pass<"embedding-call-launch-kernel", "::mlir::ModuleOp"> {
  let summary = "Launch kernels through a function of the caller";
  let description = [{
    Takes the place of what `gpu-to-llvm` does with launches. Each
    `gpu.launch_func` of a kernel in a `gpu.binary` becomes a call of

    ```c
    void embedding_launch_kernel(const char *image, int64_t image_size,
                                 const char *name, int64_t blocks,
                                 int64_t threads, const int64_t *arguments,
                                 int64_t argument_count);
    ```

    which this pass declares and whoever runs the program defines: with an error
    to report, a stream to launch on, and modules that are loaded when they are
    first needed, none of which upstream's wrappers of the CUDA driver have. The
    image is the object of the `gpu.binary`, with a zero behind it; each argument
    is in the first bytes of its i64. Grids have one dimension, and kernels take
    memrefs as bare pointers.

    Example:

    ```mlir
    llvm.call @embedding_launch_kernel(%image, %size, %name, %blocks, %threads,
                                       %arguments, %count)
      : (!llvm.ptr, i64, !llvm.ptr, i64, i64, !llvm.ptr, i64) -> ()
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::gpu::GPUDialect",
                           "::mlir::LLVM::LLVMDialect",
                           "::mlir::memref::MemRefDialect"];
}

def MarkDeallocationsPass : Pass<"memref-mark-deallocations"> {
  let summary = "Mark the memory that a program frees itself";
  let description = [{
    Upstream's deallocation pipeline, which comes next, then leaves its
    deallocation to the program:

    ```mlir
    %buffer = memref.alloc(%n) : memref<?xf32>
    "use"(%buffer) : (memref<?xf32>) -> ()
    memref.dealloc %buffer : memref<?xf32>
    ```

    becomes

    ```mlir
    %buffer = memref.alloc(%n) {bufferization.manual_deallocation} : memref<?xf32>
    "use"(%buffer) : (memref<?xf32>) -> ()
    memref.dealloc %buffer {bufferization.manual_deallocation} : memref<?xf32>
    ```

    A `memref.dealloc` is refused unless it frees what a `memref.alloc` of its
    block allocates, and comes after all that uses the memory or a view of it.
    Operations other than views that return memrefs or tensors may return that
    memory by another name, and so may terminators: if one of them uses it, the
    `memref.dealloc` is refused too.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect"];
}

def ResolveReshapesPass : Pass<"memref-resolve-reshapes"> {
  let summary = "Resolve views that upstream's lowerings do not know";
  let description = [{
    A `memref.expand_shape` that makes several dimensions of dynamic size of one
    becomes a `memref.reinterpret_cast`: `expand-strided-metadata` would derive
    each dynamic size from the static ones beside it, which it ends the process
    over.

    Example:

    ```mlir
    %0 = memref.expand_shape %a [[0, 1]] output_shape [%n, %m]
      : memref<?xf32> into memref<?x?xf32>
    ```

    becomes

    ```mlir
    %base, %offset, %size, %stride = memref.extract_strided_metadata %a
      : memref<?xf32> -> memref<f32>, index, index, index
    %outer = arith.muli %stride, %m : index
    %0 = memref.reinterpret_cast %base to offset: [0], sizes: [%n, %m],
      strides: [%outer, 1] : memref<f32> to memref<?x?xf32>
    ```

    The shape of a `memref.reshape` becomes one of `i64` that is contiguous, and
    of dynamic size if the rank of the result is not known: the lowering of
    `memref.reshape` reads no other one right.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def EmbeddingDecomposeOperationsPass : Pass<"embedding-decompose-operations"> {
  let summary = "Make operations compositions of moves of rows";
  let description = [{
    Everything is one of four moves of rows, or a composition of them:

    | move   | what                                | operation                    |
    |--------|-------------------------------------|------------------------------|
    | gather | rows that indices name              | `embedding.lookup`           |
    | group  | positions by the row that they name | `embedding.group`            |
    | reduce | segments of rows to their sums      | `embedding.reduce`           |
    | update | rows in place                       | `embedding.renorm`           |

    This pass decomposes operations by upstream's `AggregatedOpInterface`, for all
    targets alike; a target lowers the moves. A dense gradient groups and reduces
    into the rows of the table; coalescing groups and reduces into a list. What
    `scale_grad_by_freq` divides by follows from groups too: sparse gradients and
    double backward take it as `weights`.

    Some stay whole, because one pass over the rows is faster: a renorm with its
    lookup, sparse gradients, double backward, and a dense gradient that is
    scattered, which the grouping of its schedule says then. With
    `scatter=in-order` it is scattered where rows are short and of static length,
    or where its schedule asks for it; where sizes decide that are only known when
    the code runs, they decide then, in an `scf.if`. With `scatter=atomic` it is,
    unless its sums have a wider type than its elements.

    On memrefs what comes in between is allocated and deallocated here.

    Example:

    ```mlir
    embedding.dense_grad out_of_range(assume)
      ins(%dy, %indices : memref<?x64xf32>, memref<?xi64>)
      outs(%grad : memref<?x64xf32>)
    ```

    becomes

    ```mlir
    %rows = memref.alloc(%n) : memref<?xi64>
    ...
    embedding.group num_rows(%num_rows) out_of_range(assume)
      ins(%indices : memref<?xi64>)
      outs(%rows, %offsets, %positions, %count
        : memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<i64>)
    embedding.reduce rows(%rows : memref<?xi64>)
      ins(%dy, %positions, %offsets, %count
        : memref<?x64xf32>, memref<?xi64>, memref<?xi64>, memref<i64>)
      outs(%grad : memref<?x64xf32>)
    memref.dealloc %rows : memref<?xi64>
    ...
    ```
  }];
  let options = [
    Option<"scatter", "scatter", "::mlir::embedding::Scatter",
           /*default=*/"::mlir::embedding::Scatter::none",
           "Whether dense gradients may be scattered", [{::llvm::cl::values(
             clEnumValN(::mlir::embedding::Scatter::none, "none",
                        "never"),
             clEnumValN(::mlir::embedding::Scatter::in_order, "in-order",
                        "in the order of positions, where that is faster"),
             clEnumValN(::mlir::embedding::Scatter::atomic, "atomic",
                        "by atomic additions: other bits in each run"))}]>,
    Option<"numThreads", "num-threads", "int64_t", /*default=*/"0",
           "Threads that run parallel loops, which decide whether a scatter in "
           "order is faster; 0 if they are not known">,
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
}

def DecomposeLinalgPass
    : Pass<"linalg-decompose-aggregates", "::mlir::func::FuncOp"> {
  let summary = "Make operations of linalg that are not lowered of simpler ones";
  let description = [{
    `linalg.softmax` becomes reductions and elementwise operations, `linalg.pack`
    padding, a reshape and a transposition, and `linalg.unpack` the reverse, as
    upstream's functions have it. Those on memrefs stay.

    Example: `linalg.pack %x inner_dims_pos = [0] inner_tiles = [4] into %init`
    becomes

    ```mlir
    %0 = tensor.expand_shape %x [[0, 1]] output_shape [2, 4]
      : tensor<8xf32> into tensor<2x4xf32>
    %1 = linalg.transpose ins(%0 : tensor<2x4xf32>)
      outs(%init : tensor<2x4xf32>) permutation = [0, 1]
    ```
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def EraseEmptyTensorsPass
    : Pass<"tensor-erase-empty-tensors", "::mlir::func::FuncOp"> {
  let summary = "Take out what is done to tensors without elements";
  let description = [{
    Of a tensor with a dimension of static size 0 bufferization would make slices
    and reshapes that do not verify. A padded, concatenated or reshaped tensor of
    no elements becomes a `tensor.empty`, what pads one becomes a
    `tensor.generate`, and a concatenation leaves such tensors out.

    Example:

    ```mlir
    %0 = tensor.collapse_shape %x [[0, 1]] : tensor<?x0xf32> into tensor<?xf32>
    ```

    becomes

    ```mlir
    %1 = tensor.empty() : tensor<0xf32>
    %0 = tensor.cast %1 : tensor<0xf32> to tensor<?xf32>
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def SkipIdleLoopsPass
    : Pass<"scf-skip-idle-loops", "::mlir::func::FuncOp"> {
  let summary = "Skip loops whose turns do nothing";
  let description = [{
    A loop over 2^40 rows takes minutes though no row has an element. If all that
    is done in a loop is done by loops and branches in it, and their bounds and
    conditions can be computed before it, this pass computes there whether any of
    them does anything; if not, the loop has no turn.

    Example: the loop over `%i` of

    ```mlir
    scf.for %i = %c0 to %n step %c1 {
      scf.for %j = %c0 to %m step %c1 {
        memref.store %x, %out[%i, %j] : memref<?x?xf32>
      }
    }
    ```

    becomes

    ```mlir
    %any = arith.cmpi slt, %c0, %m : index
    %end = arith.select %any, %n, %c0 : index
    scf.for %i = %c0 to %end step %c1 {
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def VerifyTypesPass
    : Pass<"verify-types", "::mlir::ModuleOp"> {
  let summary = "Refuse types and constants that no code can be made for";
  let description = [{
    The first pass of the pipelines. Upstream's conversions and LLVM expect of
    their input what this pass checks of every value, type and constant of a
    module, and end the process where it does not hold:

    - what is static of a tensor, memref or vector has fewer than 2^63 bytes, and
      its elements have at least 1 bit;
    - an integer has at most 2^23 bits;
    - a vector is not scalable, and has at most 4096 elements: LLVM takes minutes
      for larger ones, since its time grows with the square of their number;
    - a constant that is one value throughout has at most 1 GiB.

    Example:

    ```mlir
    %0 = vector.vscale   // expected no scalable vectors
    ```
  }];
}

def VerifyLoweredPass
    : Pass<"verify-lowered", "::mlir::ModuleOp"> {
  let summary = "Check that nothing is left to lower";
  let description = [{
    The last pass of the pipelines. What cannot be translated to LLVM IR is an
    error that names the operation and says why it is left, since conversions
    pass over what they do not know. The dialects `llvm` and `omp` can be, and so
    can launches of kernels that are in a `gpu.binary`. Scripts of the
    `transform` dialect are nobody's code.

    Example: of

    ```mlir
    func.func @f(%t: tensor<*xf32>) -> index {
      %rank = tensor.rank %t : tensor<*xf32>
      return %rank : index
    }
    ```

    each operation that the pipeline has not lowered is an error, such as
    `'tensor.rank' op is left by the pipeline: it is on tensors`.
  }];
}

#endif // EMBEDDING_TRANSFORMS_PASSES
