// What is switched off is off in gradients too, and the naive lowering is naive: no
// prefetch, no store around the caches and so no fence.
// RUN: embedding-opt %s --embedding-to-cpu-pipeline="vectorize=false prefetch=false" | FileCheck %s --implicit-check-not=nontemporal --implicit-check-not=llvm.fence --implicit-check-not=intr.prefetch --implicit-check-not="vector<"
// RUN: embedding-opt %s --embedding-to-cpu-pipeline=stream-stores=false | FileCheck %s --implicit-check-not=nontemporal --implicit-check-not=llvm.fence
// RUN: embedding-opt %s --embedding-to-cpu-pipeline=prefetch=false | FileCheck %s --implicit-check-not=intr.prefetch
// RUN: embedding-opt %s --embedding-to-cpu-pipeline | FileCheck %s --check-prefix=ON

// CHECK-LABEL: llvm.func @dense
// ON-LABEL: llvm.func @dense
// ON: nontemporal
// ON: llvm.fence
func.func @dense(%dy: memref<?x17xf32>, %i: memref<?xi64>, %g: memref<?x17xf32>) {
  embedding.dense_grad out_of_range(assume) ins(%dy, %i : memref<?x17xf32>, memref<?xi64>)
    outs(%g : memref<?x17xf32>)
  return
}

// CHECK-LABEL: llvm.func @scatter
// ON-LABEL: llvm.func @scatter
// ON: llvm.intr.prefetch
func.func @scatter(%dy: memref<?x64xf32>, %i: memref<?xi64>, %g: memref<?x64xf32>) {
  embedding.dense_grad out_of_range(assume)
    {embedding.schedule = #embedding.schedule<grouping = scatter>}
    ins(%dy, %i : memref<?x64xf32>, memref<?xi64>) outs(%g : memref<?x64xf32>)
  return
}

// What a schedule says: nothing is streamed or prefetched here, whatever the options.
// ON-LABEL: llvm.func @never
// ON-NOT: nontemporal
// ON-NOT: llvm.intr.prefetch
// ON-NOT: llvm.fence
// CHECK-LABEL: llvm.func @never
func.func @never(%dy: memref<?x17xf32>, %i: memref<?xi64>, %g: memref<?x17xf32>) {
  embedding.dense_grad out_of_range(assume)
    {embedding.schedule = #embedding.schedule<prefetch_rows = 0, streaming = never>}
    ins(%dy, %i : memref<?x17xf32>, memref<?xi64>) outs(%g : memref<?x17xf32>)
  embedding.dense_grad out_of_range(assume)
    {embedding.schedule = #embedding.schedule<grouping = scatter, prefetch_rows = 0, streaming = never>}
    ins(%dy, %i : memref<?x17xf32>, memref<?xi64>) outs(%g : memref<?x17xf32>)
  return
}
