// Both pipelines lower the checks of sizes: the host carries them out, before the
// work.
// RUN: embedding-opt %s --embedding-to-cpu-pipeline=check-sizes | FileCheck %s
// RUN: embedding-opt %s --embedding-to-nvvm-pipeline="cubin-chip=sm_90 cubin-format=isa launch=callback check-sizes" | FileCheck %s --check-prefixes=CHECK,HOST
// RUN: embedding-opt %s --embedding-to-cpu-pipeline | FileCheck %s --check-prefix=OFF
// RUN: embedding-opt %s --embedding-to-nvvm-pipeline="cubin-chip=sm_90 cubin-format=isa launch=callback" | FileCheck %s --check-prefix=OFF

// OFF-NOT: embedding_report_mismatch
// CHECK-LABEL: llvm.func @lookup(
// CHECK-COUNT-2: llvm.call @embedding_report_mismatch
// HOST: llvm.call @embedding_launch_kernel
func.func @lookup(%table: memref<?x?xf32>, %indices: memref<?xi64>, %out: memref<?x?xf32>) {
  embedding.lookup out_of_range(assume) ins(%table, %indices : memref<?x?xf32>, memref<?xi64>)
    outs(%out : memref<?x?xf32>)
  return
}
