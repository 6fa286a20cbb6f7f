// RUN: embedding-opt %s --memref-hoist-stack-buffers | FileCheck %s

// CHECK-LABEL: func @out_of_loops
// CHECK-SAME: %[[N:.*]]: index
func.func @out_of_loops(%n: index) {
  // CHECK: %[[STATIC:.*]] = memref.alloca() : memref<4xf32>
  // CHECK: scf.for
  // CHECK: scf.for
  // CHECK-NOT: memref.alloca() : memref<4xf32>
  // CHECK: %[[DYNAMIC:.*]] = memref.alloca(%[[N]]) : memref<?xf32>
  // CHECK: call @use(%[[STATIC]], %[[DYNAMIC]])
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    scf.for %j = %c0 to %n step %c1 {
      %static = memref.alloca() : memref<4xf32>
      %dynamic = memref.alloca(%n) : memref<?xf32>
      func.call @use(%static, %dynamic) : (memref<4xf32>, memref<?xf32>) -> ()
    }
  }
  return
}

// Each thread needs its own.
// CHECK-LABEL: func @into_parallel_loops
func.func @into_parallel_loops(%n: index) {
  // CHECK-NOT: memref.alloca
  // CHECK: scf.parallel
  // CHECK: %[[STATIC:.*]] = memref.alloca() : memref<4xf32>
  // CHECK: scf.for
  // CHECK: call @use(%[[STATIC]],
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %other = memref.alloc(%n) : memref<?xf32>
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    scf.for %j = %c0 to %n step %c1 {
      %static = memref.alloca() : memref<4xf32>
      func.call @use(%static, %other) : (memref<4xf32>, memref<?xf32>) -> ()
    }
  }
  return
}

// A scope that is left without buffers goes.
// CHECK-LABEL: func @scope
func.func @scope(%n: index, %other: memref<?xf32>) {
  // CHECK: memref.alloca() : memref<4xf32>
  // CHECK-NOT: memref.alloca_scope
  // CHECK: func.call @use
  // CHECK: memref.alloca_scope
  // CHECK-NEXT: memref.alloca(
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    memref.alloca_scope {
      %static = memref.alloca() : memref<4xf32>
      func.call @use(%static, %other) : (memref<4xf32>, memref<?xf32>) -> ()
    }
    memref.alloca_scope {
      %dynamic = memref.alloca(%n) : memref<?xf32>
      func.call @use_dynamic(%dynamic) : (memref<?xf32>) -> ()
    }
  }
  return
}

func.func private @use_dynamic(memref<?xf32>)
func.func private @use(memref<4xf32>, memref<?xf32>)
