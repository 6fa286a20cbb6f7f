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

    `embedding.find_out_of_range` becomes a loop that counts, and a search for
    the first one that runs only where the count is not zero.

    A lookup in `check` mode is left alone: `embedding-split-checks` takes its
    check out first.

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

def ConvertEmbeddingToFuncPass
    : Pass<"convert-embedding-to-func", "::mlir::ModuleOp"> {
  let summary = "Convert reports of out-of-range indices to calls";
  let description = [{
    `embedding.report_out_of_range %position, %index, %count` becomes a call of
    the function `embedding_report_out_of_range(i64, i64, i64)`, which this pass
    declares and whoever runs the program defines. It is called with a `count`
    of 0 too, and it may be called by several threads at once.

    Example:

    ```mlir
    func.func private @embedding_report_out_of_range(i64, i64, i64)
    ...
    func.call @embedding_report_out_of_range(%position, %index, %count)
      : (i64, i64, i64) -> ()
    ```
  }];
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

#endif // EMBEDDING_CONVERSION_PASSES
