// RUN: embedding-opt %s --embedding-outline-parallel-loops --canonicalize | FileCheck %s

// CHECK-LABEL: func private @one_loop_parallel_0
// CHECK-SAME: %[[BEGIN:.*]]: index, %[[END:.*]]: index, %{{.*}}: index, %[[X:.*]]: f32, %[[M:.*]]: memref<?xf32>) attributes {embedding.parallel_body, llvm.linkage = #llvm.linkage<internal>}
// CHECK: scf.for %[[I:.*]] = %[[BEGIN]] to %[[END]]
// CHECK:   memref.store %[[X]], %[[M]][%[[I]]]

// CHECK-LABEL: func @one_loop(
// CHECK-SAME: %[[N:.*]]: index, %[[X:.*]]: f32, %[[M:.*]]: memref<?xf32>
func.func @one_loop(%n: index, %x: f32, %m: memref<?xf32>) {
  // CHECK-NOT: scf.forall
  // CHECK: call @one_loop_parallel_0(%c0, %[[N]], %[[N]], %[[X]], %[[M]])
  scf.forall (%i) in (%n) {
    memref.store %x, %m[%i] : memref<?xf32>
  }
  return
}

// Iterations are counted in row-major order. Constants are not handed over.
// CHECK-LABEL: func private @two_dimensions_parallel_0
// CHECK-SAME: %{{.*}}: index, %{{.*}}: index, %[[N:.*]]: index, %{{.*}}: index, %[[M:.*]]: memref<?x4xf32>)
// CHECK: %[[ONE:.*]] = arith.constant 1.0
// CHECK: scf.for %[[K:.*]] =
// CHECK:   %[[IJ:.*]]:2 = affine.delinearize_index %[[K]] into
// CHECK:   memref.store %[[ONE]], %[[M]][%[[IJ]]#0, %[[IJ]]#1]
func.func @two_dimensions(%n: index, %m: memref<?x4xf32>) {
  %one = arith.constant 1.0 : f32
  scf.forall (%i, %j) in (%n, 4) {
    memref.store %one, %m[%i, %j] : memref<?x4xf32>
  }
  return
}

// A loop with results is not on memrefs yet.
// CHECK-LABEL: func @on_tensors
func.func @on_tensors(%t: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: scf.forall
  %0 = scf.forall (%i) in (4) shared_outs(%o = %t) -> tensor<4xf32> {
    %e = tensor.extract_slice %o[%i] [1] [1] : tensor<4xf32> to tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %e into %o[%i] [1] [1] : tensor<1xf32> into tensor<4xf32>
    }
  }
  return %0 : tensor<4xf32>
}
