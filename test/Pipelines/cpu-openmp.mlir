// RUN: embedding-opt %s --embedding-to-cpu-pipeline=parallelism=openmp | FileCheck %s

// CHECK-LABEL: llvm.func @lookup
// CHECK: omp.parallel
// CHECK: omp.wsloop
// CHECK: %[[PIECE:.*]] = llvm.load {{.*}} -> vector<8xi32>
// CHECK: llvm.store %[[PIECE]], {{.*}} : vector<8xi32>, !llvm.ptr
func.func @lookup(%table: memref<?x64xf32>, %indices: memref<?xi64>, %out: memref<?x64xf32>) {
  embedding.lookup out_of_range(assume)
    ins(%table, %indices : memref<?x64xf32>, memref<?xi64>) outs(%out : memref<?x64xf32>)
  return
}
