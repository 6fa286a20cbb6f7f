// The schedule prints as it parses, and the lowering hands it on to what moves
// rows.
// RUN: embedding-opt %s | embedding-opt | FileCheck %s
// RUN: embedding-opt %s --convert-embedding-to-linalg --embedding-decompose-operations --convert-embedding-to-loops | FileCheck %s --check-prefix=ROWS

// CHECK-LABEL: func @lookup
// CHECK: {embedding.schedule = #embedding.schedule<prefetch_rows = 8, prefetch_locality = 3, streaming = always, vector_bytes = 32, unroll = 4>}
// ROWS-LABEL: func @lookup
// ROWS: linalg.copy {embedding.schedule = #embedding.schedule<prefetch_rows = 8, prefetch_locality = 3, streaming = always, vector_bytes = 32, unroll = 4>}
func.func @lookup(%t: memref<?x64xf32>, %i: memref<?xi64>, %o: memref<?x64xf32>) {
  embedding.lookup out_of_range(assume)
    {embedding.schedule = #embedding.schedule<prefetch_rows = 8, prefetch_locality = 3,
                                              streaming = always, vector_bytes = 32, unroll = 4>}
    ins(%t, %i : memref<?x64xf32>, memref<?xi64>) outs(%o : memref<?x64xf32>)
  return
}

// CHECK-LABEL: func @dense_grad
// CHECK: {embedding.schedule = #embedding.schedule<grouping = counting_sort, streaming = never>}
// ROWS-LABEL: func @dense_grad
// ROWS: linalg.generic {{.*}}attrs = {embedding.schedule = #embedding.schedule<streaming = never>}
func.func @dense_grad(%dy: memref<?x64xf32>, %i: memref<?xi64>, %g: memref<?x64xf32>) {
  embedding.dense_grad out_of_range(assume)
    {embedding.schedule = #embedding.schedule<grouping = counting_sort, streaming = never>}
    ins(%dy, %i : memref<?x64xf32>, memref<?xi64>) outs(%g : memref<?x64xf32>)
  return
}
