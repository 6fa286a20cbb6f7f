// RUN: embedding-opt %s -convert-embedding-to-linalg -split-input-file -verify-diagnostics

func.func @check(%table: memref<10x3xf32>, %indices: memref<4xi64>, %out: memref<4x3xf32>) {
  // expected-error @below {{'embedding.lookup' op cannot be converted: run 'embedding-split-checks' first, which takes its check out}}
  embedding.lookup ins(%table, %indices : memref<10x3xf32>, memref<4xi64>)
    outs(%out : memref<4x3xf32>)
  return
}

// -----

// What convert-embedding-to-loops converts stays.
func.func @others(%table: memref<10x3xf32>, %indices: memref<4xi64>, %out: memref<4x3xf32>) {
  embedding.dense_grad ins(%out, %indices : memref<4x3xf32>, memref<4xi64>)
    outs(%table : memref<10x3xf32>)
  return
}
