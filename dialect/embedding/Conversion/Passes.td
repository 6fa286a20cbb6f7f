//===- Passes.td - Conversions out of the embedding dialect *- tablegen -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_CONVERSION_PASSES
#define EMBEDDING_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def ConvertEmbeddingToLinalgPass : Pass<"convert-embedding-to-linalg"> {
  let summary = "Convert embedding operations to loops over rows with linalg";
  let description = [{
    A lookup becomes an `scf.forall` over its indices. Each iteration takes one
    row of the table as a slice and copies it with `linalg.copy`: on tensors
    `tensor.extract_slice` and `tensor.parallel_insert_slice`, on memrefs
    `memref.subview`. A row stays one contiguous piece of memory all the way
    down, which is what makes it a vector copy; `tensor.extract` inside a
    `linalg.generic` would make it a gather of single elements.

    A lookup of a single row into a `tensor.empty` becomes the slice of the
    table itself, so that an elementwise consumer fused with it reads the table
    and needs no buffer in between.

    `embedding.find_out_of_range` becomes a loop that tells whether there is one,
    and a search that runs only where there is. Many indices in memory are looked
    at in blocks, by an `scf.forall` if they are not in one already.

    A lookup in `check` mode is an error: `embedding-split-checks` takes its check
    out first. Operations that `convert-embedding-to-loops` converts stay.

    Example:

    ```mlir
    %y = embedding.lookup out_of_range(assume)
           ins(%table, %indices : tensor<?x64xf32>, tensor<?xi64>)
           outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    ```

    becomes

    ```mlir
    %y = scf.forall (%i) in (%n) shared_outs(%o = %init) -> (tensor<?x64xf32>) {
      %index = tensor.extract %indices[%i] : tensor<?xi64>
      %k = arith.index_cast %index : i64 to index
      %row = tensor.extract_slice %table[%k, 0] [1, 64] [1, 1]
               : tensor<?x64xf32> to tensor<64xf32>
      %dest = tensor.extract_slice %o[%i, 0] [1, 64] [1, 1]
               : tensor<?x64xf32> to tensor<64xf32>
      %copy = linalg.copy ins(%row : tensor<64xf32>)
                outs(%dest : tensor<64xf32>) -> tensor<64xf32>
      scf.forall.in_parallel {
        tensor.parallel_insert_slice %copy into %o[%i, 0] [1, 64] [1, 1]
          : tensor<64xf32> into tensor<?x64xf32>
      }
    }
    ```
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::complex::ComplexDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def ConvertEmbeddingToLoopsPass : Pass<"convert-embedding-to-loops"> {
  let summary = "Convert moves of rows to loops";
  let description = [{
    Lowers the moves that `embedding-decompose-operations` makes of operations, and
    those that stay whole:

    | move   | what                                | here                       |
    |--------|-------------------------------------|----------------------------|
    | gather | rows named by indices               | a slice for each position  |
    | group  | positions by the row that they name | a sort                     |
    | reduce | segments of rows to their sums      | sums of chunks, as a tree  |
    | update | rows of a table in place            | a norm, and a scaled row   |

    Renorm finds distinct rows and updates them; with a lookup it gathers each
    while it is in the cache. A reduction into the rows of a table writes zeros
    between them, so that each byte is written once. A dense gradient whose
    schedule says `scatter` adds rows where they belong, in the order of positions.

    The sort is by digits of at most 10 bits, the least significant first, so
    that it takes time linear in the number of indices. For tables not much larger
    than that a counting sort is faster, and for renorm a bit for each row. Where
    sizes decide that are only known when the code runs, they decide then, in an `scf.if`. Every loop over blocks of
    positions, of segments or of rows of the result is an `scf.forall`. Rows are
    slices of memrefs with elementwise linalg operations on them, as in
    `convert-embedding-to-linalg`.

    Operations must be on memrefs and their checks taken out, else they are
    errors: `one-shot-bufferize`, `embedding-split-checks` and
    `embedding-decompose-operations` come before. Buffers in between are allocated
    and deallocated here, outside the loops.

    Example:

    ```mlir
    embedding.renorm max_norm(1.0) out_of_range(assume)
      ins(%indices : memref<?xi64>) outs(%table : memref<?x64xf32>)
    ```

    becomes, apart from the sort,

    ```mlir
    scf.forall (%block) in (%num_blocks) {
      %partials = memref.alloca() : memref<16xf64>
      scf.for %group = %begin to %end step %c1 {
        %row = memref.load %rows[%group] : memref<?xi64>
        ...
        linalg.generic ... ins(%piece : memref<16xf32, ...>)
                           outs(%sums : memref<16xf64, ...>)
        ...
        %is_longer = arith.cmpf ogt, %norm, %max_norm : f64
        scf.if %is_longer {
          linalg.generic ... outs(%row_slice : memref<64xf32, ...>)
        }
      }
    }
    ```
  }];
  let options = [
    Option<"prefetch", "prefetch", "bool", /*default=*/"true",
           "Have a scatter prefetch the sums that later positions add to">,
    Option<"prefetchRowsAhead", "prefetch-rows-ahead", "int64_t", /*default=*/"0",
           "Positions between that prefetch and its use; 0 chooses by the bytes "
           "of a row">,
    Option<"mergeTemporaries", "merge-temporaries", "bool", /*default=*/"false",
           "Allocate buffers that are there at once as one, except in functions "
           "with a workspace">,
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::complex::ComplexDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
}

def ConvertEmbeddingToFuncPass
    : Pass<"convert-embedding-to-func", "::mlir::ModuleOp"> {
  let summary = "Convert what the caller is told to calls";
  let description = [{
    `embedding.report_out_of_range` becomes a branch that calls a function which
    this pass declares and whoever runs the program defines. It may be called by
    several threads at once.

    ```c
    void embedding_report_out_of_range(const char *what, int64_t position,
                                       int64_t index, int64_t count,
                                       int64_t num_rows);
    ```

    `what` is `FILE:LINE:COLUMN: ` of the operation, if its location says, and the
    text that the operation has.

    Example:

    ```mlir
    llvm.mlir.global internal constant @embedding_what(
      "model.mlir:3:8: embedding.lookup: indices\00")
    ...
    %is_bad = arith.cmpi ne, %count, %c0_i64 : i64
    scf.if %is_bad {
      %what = llvm.mlir.addressof @embedding_what : !llvm.ptr
      func.call @embedding_report_out_of_range(%what, %position, %index, %count,
        %num_rows_i64) : (!llvm.ptr, i64, i64, i64, i64) -> ()
    }
    ```

    `embedding.expect_size` becomes a branch that calls one that does not return
    to the program. `offset` and `whole` are -1 where the operation has none.

    ```c
    void embedding_report_mismatch(const char *what, int64_t expected,
                                   int64_t actual, int64_t offset,
                                   int64_t whole);
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::LLVM::LLVMDialect",
                           "::mlir::scf::SCFDialect"];
}

def ConvertEmbeddingToGPUPass
    : Pass<"convert-embedding-to-gpu", "::mlir::ModuleOp"> {
  let summary = "Convert embedding operations to kernels and their launches";
  let description = [{
    Moves of rows on memrefs, which are device memory, become `gpu.launch_func`s
    where they were, and kernels in the module `@embedding_kernels`. What the host
    launches depends on shapes alone: it never waits for the device, and buffers
    in between are allocated before the first launch.

    - A row is moved by a group of threads, a warp at most and fewer for short
      rows, in lanes of up to 16 bytes, several of them in flight. What is only
      read is read as read-only data, outputs are stored with the hint that
      nobody reads them soon. Offsets have 64 bits.
    - A lookup is one kernel. The indices of the rows that are in flight are
      checked together, before any of them is loaded. Where one is bad, or the
      grid reaches behind the end, rows are taken one by one.
    - Positions are grouped by a radix sort of (row, position), 8 bits of the row
      at a time: a kernel counts digits in each tile of 2048, one sums the counts,
      one moves the pairs. Others cut the result into groups.
    - Sums have the order that `embedding.dense_grad` documents. Chunks of segments
      that have several are summed each by a group of threads, so that one row
      that many positions name is the work of the whole device; then 16 sums
      become one, as often as the longest segment that there might be takes. A
      reduction into the rows of a table writes each byte once.
    - A dense gradient whose schedule says `scatter` is added up atomically, in no
      order.
    - Renorm takes 16 threads a row, one for each of its partial sums. Of the
      positions that name a row one shortens it: the first to set its bit.
    - In mode `check` kernels write to the report that
      `embedding_get_out_of_range_report() -> !llvm.ptr`, which this pass declares
      and whoever runs the program defines, returns: four i64 in device memory, of
      which the first is the smallest position of a bad index (to begin with the
      largest i64), the second the index there, the third the number of bad ones,
      and the last, to begin with 0, is for the kernels alone. No thread reads or
      writes out of bounds; rows of bad indices become zeros and take no gradient,
      and a renorm with a bad index changes nothing.

    Example:

    ```mlir
    embedding.lookup out_of_range(assume)
      ins(%table, %indices : memref<?x64xf32>, memref<?xi64>)
      outs(%out : memref<?x64xf32>)
    ```

    becomes

    ```mlir
    gpu.launch_func @embedding_kernels::@lookup
      blocks in (%blocks, %c1, %c1) threads in (%c256, %c1, %c1)
      args(%n : index, %base : memref<i64>, ...)
    ```
  }];
  let options = [
    Option<"rowAlignment", "row-alignment", "int64_t", /*default=*/"0",
           "Bytes that every row of every operand is a multiple of away from "
           "address 0, a power of two; 0 for what types say, of buffers that are "
           "aligned to 16 bytes">,
    Option<"vectorAtomics", "vector-atomics", "bool", /*default=*/"false",
           "Whether the GPU adds vectors of f32 atomically, as from sm_90 on">,
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::DLTIDialect", "::mlir::func::FuncDialect",
    "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
}

#endif // EMBEDDING_CONVERSION_PASSES
