// RUN: embedding-opt %s --embedding-prefetch-rows | FileCheck %s
// RUN: embedding-opt %s --embedding-prefetch-rows=rows-ahead=5 | FileCheck %s --check-prefix=FIVE

// CHECK-LABEL: func @one_line
// CHECK-SAME: %[[TABLE:.*]]: memref<?x16xf32>, %[[INDICES:.*]]: memref<?xi64>,
// FIVE-LABEL: func @one_line
func.func @one_line(%table: memref<?x16xf32>, %indices: memref<?xi64>,
                    %out: memref<?x16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // The loop may walk a piece of the indices: the next piece is prefetched too.
  // CHECK: %[[END:.*]] = memref.dim %[[INDICES]]
  // CHECK: scf.for %[[I:.*]] =
  // CHECK: %[[DISTANCE:.*]] = arith.constant 32 : index
  // CHECK: %[[LAST:.*]] = arith.subi %[[END]], %{{.*}}
  // CHECK: %[[AHEAD:.*]] = arith.addi %[[I]], %[[DISTANCE]]
  // CHECK: %[[LATER:.*]] = arith.minsi %[[AHEAD]], %[[LAST]]
  // CHECK: %[[INDEX:.*]] = memref.load %[[INDICES]][%[[LATER]]]
  // CHECK: %[[K:.*]] = arith.index_cast %[[INDEX]]
  // CHECK: memref.prefetch %[[TABLE]][%[[K]], %{{.*}}], read, locality<2>, data
  // CHECK-NOT: memref.prefetch
  // CHECK: memref.load %[[INDICES]][%[[I]]]
  // FIVE: arith.constant 5 : index
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 16] [1, 1]
      : memref<?x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    %dest = memref.subview %out[%i, 0] [1, 16] [1, 1]
      : memref<?x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<16xf32, strided<[1], offset: ?>>)
      outs(%dest : memref<16xf32, strided<[1], offset: ?>>)
  }
  return
}

// Three lines, the third not whole, and perhaps a fourth.
// CHECK-LABEL: func @some_lines
func.func @some_lines(%table: memref<?x40xf32>, %indices: memref<?xi64>,
                      %out: memref<40xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: scf.for
  // CHECK-COUNT-4: memref.prefetch
  // CHECK-NOT: memref.prefetch
  // CHECK: linalg.copy
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 40] [1, 1]
      : memref<?x40xf32> to memref<40xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<40xf32, strided<[1], offset: ?>>)
      outs(%out : memref<40xf32>)
  }
  return
}

// CHECK-LABEL: func @long_and_dynamic
func.func @long_and_dynamic(%long: memref<?x4096xf32>, %dynamic: memref<?x?xf32>,
                            %indices: memref<?xi64>, %out: memref<4096xf32>,
                            %other: memref<?xf32>, %n: index, %d: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: scf.for
  // CHECK: arith.constant 8 : index
  // CHECK: scf.for
  // CHECK: memref.prefetch
  // CHECK: arith.constant 1 : index
  // CHECK: scf.for
  // CHECK: memref.prefetch
  // CHECK: linalg.copy
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %long[%k, 0] [1, 4096] [1, 1]
      : memref<?x4096xf32> to memref<4096xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<4096xf32, strided<[1], offset: ?>>)
      outs(%out : memref<4096xf32>)
    %row2 = memref.subview %dynamic[%k, 0] [1, %d] [1, 1]
      : memref<?x?xf32> to memref<?xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row2 : memref<?xf32, strided<[1], offset: ?>>)
      outs(%other : memref<?xf32>)
  }
  return
}

// The address may be computed in any pure way.
// CHECK-LABEL: func @clamped
func.func @clamped(%table: memref<10x16xf32>, %indices: memref<?xi64>,
                   %out: memref<16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  // CHECK: scf.for
  // CHECK: %[[K:.*]] = arith.minui
  // CHECK: memref.prefetch %{{.*}}[%[[K]],
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %clamped = arith.minui %k, %c9 : index
    %row = memref.subview %table[%clamped, 0] [1, 16] [1, 1]
      : memref<10x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<16xf32, strided<[1], offset: ?>>)
      outs(%out : memref<16xf32>)
  }
  return
}

// What is not indirect, or whose address cannot be known ahead, is left alone;
// so is what is only written.
// CHECK-LABEL: func @not_prefetched
func.func @not_prefetched(%table: memref<?x16xf32>, %indices: memref<?xi64>,
                          %out: memref<16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  // CHECK-NOT: memref.prefetch
  scf.for %i = %c0 to %n step %c1 {
    %row = memref.subview %table[%i, 0] [1, 16] [1, 1]
      : memref<?x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<16xf32, strided<[1], offset: ?>>)
      outs(%out : memref<16xf32>)
    // A load of a load: the second address need not exist.
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %index2 = memref.load %indices[%k] : memref<?xi64>
    %k2 = arith.index_cast %index2 : i64 to index
    %row2 = memref.subview %table[%k2, 0] [1, 16] [1, 1]
      : memref<?x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row2 : memref<16xf32, strided<[1], offset: ?>>)
      outs(%out : memref<16xf32>)
    %dest = memref.subview %table[%k, 0] [1, 16] [1, 1]
      : memref<?x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    linalg.copy ins(%out : memref<16xf32>)
      outs(%dest : memref<16xf32, strided<[1], offset: ?>>)
    // A load that a later iteration may not do.
    %is_guarded = arith.cmpi ult, %i, %c2 : index
    scf.if %is_guarded {
      %index3 = memref.load %indices[%i] : memref<?xi64>
      %k3 = arith.index_cast %index3 : i64 to index
      %row3 = memref.subview %table[%k3, 0] [1, 16] [1, 1]
        : memref<?x16xf32> to memref<16xf32, strided<[1], offset: ?>>
      linalg.copy ins(%row3 : memref<16xf32, strided<[1], offset: ?>>)
        outs(%out : memref<16xf32>)
    }
  }
  scf.for %i = %c0 to %n step %c2 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 16] [1, 1]
      : memref<?x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<16xf32, strided<[1], offset: ?>>)
      outs(%out : memref<16xf32>)
  }
  return
}
