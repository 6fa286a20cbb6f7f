// Which level of the caches rows are prefetched into, and how many are under way,
// by their bytes.
// RUN: embedding-opt %s --embedding-prefetch-rows | FileCheck %s
// RUN: embedding-opt %s --embedding-prefetch-rows=second-level-row-bytes=128 | FileCheck %s --check-prefixes=SECOND

// CHECK-LABEL: func @below
// CHECK: arith.constant 64 : index
// CHECK: memref.prefetch {{.*}} locality<3>
// SECOND-LABEL: func @below
// SECOND: arith.constant 64 : index
// SECOND: memref.prefetch {{.*}} locality<3>
func.func @below(%table: memref<100000x31xf32>, %indices: memref<?xi64>, %out: memref<31xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 31] [1, 1] : memref<100000x31xf32> to memref<31xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<31xf32, strided<[1], offset: ?>>) outs(%out : memref<31xf32>)
  }
  return
}

// CHECK-LABEL: func @at
// CHECK: arith.constant 64 : index
// CHECK: memref.prefetch {{.*}} locality<3>
// SECOND-LABEL: func @at
// SECOND: arith.constant 32 : index
// SECOND: memref.prefetch {{.*}} locality<2>
func.func @at(%table: memref<100000x32xf32>, %indices: memref<?xi64>, %out: memref<32xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 32] [1, 1] : memref<100000x32xf32> to memref<32xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<32xf32, strided<[1], offset: ?>>) outs(%out : memref<32xf32>)
  }
  return
}

// CHECK-LABEL: func @long
// CHECK: arith.constant 8 : index
// CHECK: memref.prefetch {{.*}} locality<3>
// SECOND-LABEL: func @long
// SECOND: arith.constant 8 : index
// SECOND: memref.prefetch {{.*}} locality<2>
func.func @long(%table: memref<100000x512xf32>, %indices: memref<?xi64>, %out: memref<512xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 512] [1, 1] : memref<100000x512xf32> to memref<512xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<512xf32, strided<[1], offset: ?>>) outs(%out : memref<512xf32>)
  }
  return
}

// CHECK-LABEL: func @longer
// CHECK: memref.prefetch {{.*}} locality<2>
func.func @longer(%table: memref<100000x513xf32>, %indices: memref<?xi64>, %out: memref<513xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 513] [1, 1] : memref<100000x513xf32> to memref<513xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<513xf32, strided<[1], offset: ?>>) outs(%out : memref<513xf32>)
  }
  return
}
