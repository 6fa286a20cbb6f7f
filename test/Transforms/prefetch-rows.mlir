// RUN: embedding-opt %s --embedding-prefetch-rows=max-peeled-row-bytes=0 | FileCheck %s
// RUN: embedding-opt %s --embedding-prefetch-rows | FileCheck %s --check-prefix=PEELED
// RUN: embedding-opt %s --embedding-prefetch-rows="rows-ahead=5 locality=1" | FileCheck %s --check-prefix=FIVE

// Whether the table is large is asked once; 4 KiB of lines of 64 bytes are
// under way.
// CHECK-LABEL: func @one_line
// CHECK-SAME: %[[TABLE:.*]]: memref<?x16xf32>, %[[INDICES:.*]]: memref<?xi64>,
// FIVE-LABEL: func @one_line
// PEELED-LABEL: func @one_line
// PEELED-SAME: %[[TABLE:[a-z0-9]*]]: memref<?x16xf32>, %[[INDICES:[a-z0-9]*]]: memref<?xi64>, %{{.*}}, %[[N:[a-z0-9]*]]: index)
func.func @one_line(%table: memref<?x16xf32>, %indices: memref<?xi64>,
                    %out: memref<?x16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: %[[MIN:.*]] = arith.constant 1048576 : index
  // CHECK: %[[NUM_ROWS:.*]] = memref.dim %[[TABLE]]
  // CHECK: %[[ELEMENTS:.*]] = arith.muli %[[NUM_ROWS]], %c16
  // CHECK: %[[BYTES:.*]] = arith.muli %c4, %[[ELEMENTS]]
  // CHECK: %[[LARGE:.*]] = arith.cmpi sle, %[[MIN]], %[[BYTES]]
  // The loop may walk a piece of the indices: the next piece is prefetched too.
  // CHECK: %[[END:.*]] = memref.dim %[[INDICES]]
  // CHECK: scf.for %[[I:.*]] =
  // CHECK: scf.if %[[LARGE]] {
  // CHECK: %[[DISTANCE:.*]] = arith.constant 64 : index
  // CHECK: %[[AHEAD:.*]] = arith.addi %[[I]], %[[DISTANCE]]
  // CHECK: %[[ONE:.*]] = arith.constant 1 : index
  // CHECK: %[[LAST:.*]] = arith.subi %[[END]], %[[ONE]]
  // CHECK: %[[LATER:.*]] = arith.minsi %[[AHEAD]], %[[LAST]]
  // CHECK: %[[INDEX:.*]] = memref.load %[[INDICES]][%[[LATER]]]
  // CHECK: %[[K:.*]] = arith.index_cast %[[INDEX]]
  // CHECK: memref.prefetch %[[TABLE]][%[[K]], {{.*}}], read, locality<3>, data
  // CHECK-NOT: memref.prefetch
  // CHECK: memref.load %[[INDICES]][%[[I]]]
  // The last iterations, which have nothing to prefetch, are a loop of their own.
  // PEELED: %[[END:.*]] = memref.dim %[[INDICES]]
  // PEELED: %[[DISTANCE:.*]] = arith.constant 64 : index
  // PEELED: %[[STOP:.*]] = arith.subi %[[END]], %[[DISTANCE]]
  // PEELED: %[[LAST:.*]] = arith.minsi %[[N]], %[[STOP]]
  // PEELED: %[[MIDDLE:.*]] = arith.maxsi %[[BEGIN:c0.*]], %[[LAST]]
  // PEELED: scf.for %[[I:.*]] = %[[BEGIN]] to %[[MIDDLE]] step
  // PEELED-NOT: arith.minsi
  // PEELED: %[[AHEAD:.*]] = arith.constant 64 : index
  // PEELED: %[[LATER:.*]] = arith.addi %[[I]], %[[AHEAD]]
  // PEELED: %[[INDEX:.*]] = memref.load %[[INDICES]][%[[LATER]]]
  // PEELED: %[[K:.*]] = arith.index_cast %[[INDEX]]
  // PEELED: memref.prefetch %[[TABLE]][%[[K]],
  // PEELED: memref.load %[[INDICES]][%[[I]]]
  // PEELED: linalg.copy
  // PEELED: scf.for %[[I:.*]] = %[[MIDDLE]] to %[[N]] step
  // PEELED-NOT: memref.prefetch
  // PEELED: memref.load %[[INDICES]][%[[I]]]
  // PEELED: linalg.copy
  // FIVE-NOT: arith.cmpi
  // FIVE: scf.for %[[I:.*]] =
  // FIVE: %[[DISTANCE:.*]] = arith.constant 5 : index
  // FIVE: arith.addi %[[I]], %[[DISTANCE]]
  // FIVE: memref.prefetch {{.*}} locality<1>
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

// Rows of up to two lines have the last iterations peeled, longer ones do not.
// CHECK-LABEL: func @peeled
// FIVE-LABEL: func @peeled
// PEELED-LABEL: func @peeled
func.func @peeled(%two: memref<?x32xf32>, %more: memref<?x33xf32>, %indices: memref<?xi64>,
                  %out: memref<32xf32>, %longer: memref<33xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // PEELED: scf.for
  // PEELED: linalg.copy {{.*}} outs(%{{.*}} : memref<32xf32>)
  // PEELED: scf.for
  // PEELED-NOT: memref.prefetch
  // PEELED: linalg.copy {{.*}} outs(%{{.*}} : memref<32xf32>)
  // PEELED: scf.for
  // PEELED: arith.minsi
  // PEELED: memref.prefetch
  // PEELED: linalg.copy {{.*}} outs(%{{.*}} : memref<33xf32>)
  // PEELED-NOT: linalg.copy
  // PEELED: return
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %two[%k, 0] [1, 32] [1, 1]
      : memref<?x32xf32> to memref<32xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<32xf32, strided<[1], offset: ?>>)
      outs(%out : memref<32xf32>)
  }
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %more[%k, 0] [1, 33] [1, 1]
      : memref<?x33xf32> to memref<33xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<33xf32, strided<[1], offset: ?>>)
      outs(%longer : memref<33xf32>)
  }
  return
}

// Three lines, the third not whole, and perhaps a fourth.
// CHECK-LABEL: func @some_lines
// CHECK-SAME: %[[TABLE:[a-z0-9]*]]: memref<?x40xf32>
// PEELED-LABEL: func @some_lines
// FIVE-LABEL: func @some_lines
func.func @some_lines(%table: memref<?x40xf32>, %indices: memref<?xi64>,
                      %out: memref<40xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: scf.for
  // CHECK: memref.prefetch %[[TABLE]][%[[K:.*]], %[[FIRST:.*]]], read
  // CHECK: %[[SECOND:.*]] = arith.addi {{.*}}, %c16
  // CHECK: memref.prefetch %[[TABLE]][%[[K]], %[[SECOND]]], read
  // CHECK: %[[THIRD:.*]] = arith.addi {{.*}}, %c32
  // CHECK: memref.prefetch %[[TABLE]][%[[K]], %[[THIRD]]], read
  // CHECK: %[[LENGTH:.*]] = arith.subi %c40{{.*}}, %c1
  // CHECK: %[[LAST:.*]] = arith.addi {{.*}}, %[[LENGTH]]
  // CHECK: memref.prefetch %[[TABLE]][%[[K]], %[[LAST]]], read
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

// A loop over lines each; and of the row whose length is not a type's, the last.
// CHECK-LABEL: func @long_and_dynamic
// CHECK-SAME: %[[LONG:[a-z0-9]*]]: memref<?x4096xf32>, %[[DYNAMIC:[a-z0-9]*]]: memref<?x?xf32>, {{.*}}, %[[D:[a-z0-9]*]]: index)
func.func @long_and_dynamic(%long: memref<?x4096xf32>, %dynamic: memref<?x?xf32>,
                            %indices: memref<?xi64>, %out: memref<4096xf32>,
                            %other: memref<?xf32>, %n: index, %d: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: scf.for %[[I:.*]] =
  // CHECK: %[[EIGHT:.*]] = arith.constant 8 : index
  // CHECK: arith.addi %[[I]], %[[EIGHT]]
  // CHECK: scf.for %[[J:.*]] = {{.*}} to %[[D]] step %c16
  // CHECK: %[[COLUMN:.*]] = arith.addi {{.*}}, %[[J]]
  // CHECK: memref.prefetch %[[DYNAMIC]][%[[K:.*]], %[[COLUMN]]], read
  // CHECK: %[[LENGTH:.*]] = arith.subi %[[D]], %c1
  // CHECK: %[[LAST:.*]] = arith.addi {{.*}}, %[[LENGTH]]
  // CHECK: memref.prefetch %[[DYNAMIC]][%[[K]], %[[LAST]]], read
  // CHECK: %[[TWO:.*]] = arith.constant 2 : index
  // CHECK: arith.addi %[[I]], %[[TWO]]
  // CHECK: scf.for %[[J:.*]] = {{.*}} to %c4096{{.*}} step %c16
  // CHECK: %[[COLUMN:.*]] = arith.addi {{.*}}, %[[J]]
  // CHECK: memref.prefetch %[[LONG]][%[[K:.*]], %[[COLUMN]]], read
  // CHECK-NOT: memref.prefetch
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
// CHECK-SAME: %[[TABLE:[a-z0-9]*]]: memref<100000x16xf32>, %[[INDICES:[a-z0-9]*]]: memref<?xi64>
func.func @clamped(%table: memref<100000x16xf32>, %indices: memref<?xi64>,
                   %out: memref<16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 99999 : index
  // CHECK: scf.for
  // A table known to be large needs no question.
  // CHECK-NOT: scf.if
  // CHECK: %[[LATER:.*]] = arith.minsi
  // CHECK: %[[INDEX:.*]] = memref.load %[[INDICES]][%[[LATER]]]
  // CHECK: %[[ANY:.*]] = arith.index_cast %[[INDEX]]
  // CHECK: %[[K:.*]] = arith.minui %[[ANY]], %c99999
  // CHECK: memref.prefetch %[[TABLE]][%[[K]],
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %clamped = arith.minui %k, %c9 : index
    %row = memref.subview %table[%clamped, 0] [1, 16] [1, 1]
      : memref<100000x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<16xf32, strided<[1], offset: ?>>)
      outs(%out : memref<16xf32>)
  }
  return
}

// Indices at an offset of the counter: stretches of a lookup.
// CHECK-LABEL: func @piece
// CHECK-SAME: %[[TABLE:[a-z0-9]*]]: memref<?x16xf32>, %[[INDICES:[a-z0-9]*]]: memref<?xi64>, %{{.*}}: memref<16xf32>, %[[BEGIN:[a-z0-9]*]]: index
func.func @piece(%table: memref<?x16xf32>, %indices: memref<?xi64>,
                 %out: memref<16xf32>, %begin: index, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: %[[START:.*]] = affine.apply #{{.*}}()[%[[BEGIN]], %c0{{.*}}]
  // CHECK: %[[SIZE:.*]] = memref.dim %[[INDICES]]
  // CHECK: %[[END:.*]] = arith.subi %[[SIZE]], %[[START]]
  // CHECK: scf.for %[[I:.*]] =
  // CHECK: %[[AHEAD:.*]] = arith.addi %[[I]], %c64
  // CHECK: %[[LAST:.*]] = arith.subi %[[END]], %c1
  // CHECK: %[[LATER:.*]] = arith.minsi %[[AHEAD]], %[[LAST]]
  // CHECK: %[[AT:.*]] = affine.apply #{{.*}}()[%[[BEGIN]], %[[LATER]]]
  // CHECK: %[[INDEX:.*]] = memref.load %[[INDICES]][%[[AT]]]
  // CHECK: %[[K:.*]] = arith.index_cast %[[INDEX]]
  // CHECK: memref.prefetch %[[TABLE]][%[[K]],
  scf.for %i = %c0 to %n step %c1 {
    %at = affine.apply affine_map<()[s0, s1] -> (s0 + s1)>()[%begin, %i]
    %index = memref.load %indices[%at] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 16] [1, 1]
      : memref<?x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<16xf32, strided<[1], offset: ?>>)
      outs(%out : memref<16xf32>)
  }
  return
}

// The same along the last dimension: up to where that ends.
// CHECK-LABEL: func @piece_of_a_line
// CHECK-SAME: %{{.*}}: memref<?x16xf32>, %[[INDICES:[a-z0-9]*]]: memref<?x?xi64>, %{{.*}}: memref<16xf32>, %[[LINE:[a-z0-9]*]]: index
func.func @piece_of_a_line(%table: memref<?x16xf32>, %indices: memref<?x?xi64>,
                           %out: memref<16xf32>, %line: index, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: %[[LAST_DIM:.*]] = arith.constant 1 : index
  // CHECK: %[[END:.*]] = memref.dim %[[INDICES]], %[[LAST_DIM]]
  // CHECK: scf.for %[[I:.*]] =
  // CHECK: %[[AHEAD:.*]] = arith.addi %[[I]], %c64
  // CHECK: %[[LAST:.*]] = arith.subi %{{.*}}, %c1
  // CHECK: %[[LATER:.*]] = arith.minsi %[[AHEAD]], %[[LAST]]
  // CHECK: memref.load %[[INDICES]][%[[LINE]], %[[LATER]]]
  // CHECK: memref.prefetch
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%line, %i] : memref<?x?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 16] [1, 1]
      : memref<?x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<16xf32, strided<[1], offset: ?>>)
      outs(%out : memref<16xf32>)
  }
  return
}

// Every second index: the loop's own end, and not that of the vector.
// CHECK-LABEL: func @strided_piece
// CHECK-SAME: %[[TABLE:[a-z0-9]*]]: memref<?x16xf32>, %[[INDICES:[a-z0-9]*]]: memref<?xi64>, %{{.*}}, %[[N:[a-z0-9]*]]: index) {
func.func @strided_piece(%table: memref<?x16xf32>, %indices: memref<?xi64>,
                         %out: memref<16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: scf.for %[[I:.*]] =
  // CHECK: %[[AHEAD:.*]] = arith.addi %[[I]], %c64
  // CHECK: %[[ONE:.*]] = arith.constant 1 : index
  // CHECK: %[[LAST:.*]] = arith.subi %[[N]], %[[ONE]]
  // CHECK: %[[LATER:.*]] = arith.minsi %[[AHEAD]], %[[LAST]]
  // CHECK: %[[AT:.*]] = affine.apply #{{.*}}()[%[[LATER]]]
  // CHECK: %[[INDEX:.*]] = memref.load %[[INDICES]][%[[AT]]]
  // CHECK: %[[K:.*]] = arith.index_cast %[[INDEX]]
  // CHECK: memref.prefetch %[[TABLE]][%[[K]],
  scf.for %i = %c0 to %n step %c1 {
    %at = affine.apply affine_map<()[s0] -> (s0 * 2)>()[%i]
    %index = memref.load %indices[%at] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 16] [1, 1]
      : memref<?x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<16xf32, strided<[1], offset: ?>>)
      outs(%out : memref<16xf32>)
  }
  return
}

// Rows of half a line that begin at multiples of it lie in one line.
// CHECK-LABEL: func @aligned
func.func @aligned(%any: memref<?x8xf32>, %indices: memref<?xi64>,
                   %out: memref<8xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %table = memref.assume_alignment %any, 32 : memref<?x8xf32>
  // CHECK: memref.prefetch
  // CHECK-NOT: memref.prefetch
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 8] [1, 1]
      : memref<?x8xf32> to memref<8xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<8xf32, strided<[1], offset: ?>>)
      outs(%out : memref<8xf32>)
  }
  return
}

// But in two if the table begins behind such a multiple, or if its rows do.
// CHECK-LABEL: func @behind
func.func @behind(%any: memref<?x8xf32, strided<[16, 1], offset: 12>>, %indices: memref<?xi64>,
                  %out: memref<8xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %table = memref.assume_alignment %any, 64 : memref<?x8xf32, strided<[16, 1], offset: 12>>
  // CHECK-COUNT-2: memref.prefetch
  // CHECK-NOT: memref.prefetch
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 8] [1, 1]
      : memref<?x8xf32, strided<[16, 1], offset: 12>> to memref<8xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<8xf32, strided<[1], offset: ?>>)
      outs(%out : memref<8xf32>)
  }
  return
}

// CHECK-LABEL: func @between
func.func @between(%any: memref<?x8xf32, strided<[12, 1]>>, %indices: memref<?xi64>,
                   %out: memref<8xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %table = memref.assume_alignment %any, 64 : memref<?x8xf32, strided<[12, 1]>>
  // CHECK-COUNT-2: memref.prefetch
  // CHECK-NOT: memref.prefetch
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 8] [1, 1]
      : memref<?x8xf32, strided<[12, 1]>> to memref<8xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<8xf32, strided<[1], offset: ?>>)
      outs(%out : memref<8xf32>)
  }
  return
}

// What the schedule of the reader says goes before all else.
// CHECK-LABEL: func @scheduled
func.func @scheduled(%table: memref<10x16xf32>, %indices: memref<?xi64>,
                     %out: memref<16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: scf.for %[[I:.*]] =
  // CHECK-NOT: scf.if
  // CHECK: %[[DISTANCE:.*]] = arith.constant 7 : index
  // CHECK: arith.addi %[[I]], %[[DISTANCE]]
  // CHECK: memref.prefetch {{.*}} locality<1>
  // CHECK-NOT: memref.prefetch
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 16] [1, 1]
      : memref<10x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    linalg.copy {embedding.schedule = #embedding.schedule<prefetch_rows = 7, prefetch_locality = 1>}
      ins(%row : memref<16xf32, strided<[1], offset: ?>>)
      outs(%out : memref<16xf32>)
  }
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %table[%k, 0] [1, 16] [1, 1]
      : memref<10x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    linalg.copy {embedding.schedule = #embedding.schedule<prefetch_rows = 0>}
      ins(%row : memref<16xf32, strided<[1], offset: ?>>)
      outs(%out : memref<16xf32>)
  }
  return
}

// What is small, what is not indirect, or whose address cannot be known ahead, is left alone;
// so is what is only written.
// CHECK-LABEL: func @not_prefetched
func.func @not_prefetched(%table: memref<?x16xf32>, %indices: memref<?xi64>,
                          %out: memref<16xf32>, %n: index, %small: memref<10x16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  // CHECK-NOT: memref.prefetch
  scf.for %i = %c0 to %n step %c1 {
    %index = memref.load %indices[%i] : memref<?xi64>
    %k = arith.index_cast %index : i64 to index
    %row = memref.subview %small[%k, 0] [1, 16] [1, 1]
      : memref<10x16xf32> to memref<16xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<16xf32, strided<[1], offset: ?>>)
      outs(%out : memref<16xf32>)
  }
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
