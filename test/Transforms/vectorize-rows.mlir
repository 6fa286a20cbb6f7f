// RUN: embedding-opt %s --embedding-vectorize-rows=vector-bytes=64 --cse --split-input-file | FileCheck %s
// RUN: embedding-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(embedding-vectorize-rows{vector-bytes=64},affine-loop-unroll{unroll-factor=-1 unroll-full-threshold=16},affine-scalrep))' | FileCheck %s --check-prefix=UNROLL
// RUN: not embedding-opt %s --embedding-vectorize-rows=vector-bytes=48 2>&1 | FileCheck %s --check-prefix=ERROR

// ERROR: expected vector-bytes to be a power of two, but got 48

#row = strided<[1], offset: ?>

// CHECK-LABEL: func @static_with_tail
// CHECK-SAME: %[[ROW:[a-z0-9]*]]: memref<101xf32, {{.*}}>, %[[DEST:[a-z0-9]*]]: memref
func.func @static_with_tail(%row: memref<101xf32, #row>, %dest: memref<101xf32, #row>) {
  // CHECK: affine.for %[[I:.*]] = 0 to 96 step 16 {
  // CHECK:   %[[ELEMENTS:.*]] = affine.vector_load %[[ROW]][%[[I]]] : {{.*}}, vector<16xf32>
  // CHECK:   affine.vector_store %[[ELEMENTS]], %[[DEST]][%[[I]]] : {{.*}}, vector<16xf32>
  // CHECK: }
  // CHECK: %[[ELEMENTS:.*]] = affine.vector_load %[[ROW]][96] : {{.*}}, vector<4xf32>
  // CHECK: affine.vector_store %[[ELEMENTS]], %[[DEST]][96] : {{.*}}, vector<4xf32>
  // CHECK: %[[ELEMENTS:.*]] = affine.vector_load %[[ROW]][100] : {{.*}}, vector<1xf32>
  // CHECK: affine.vector_store %[[ELEMENTS]], %[[DEST]][100] : {{.*}}, vector<1xf32>
  // CHECK-NOT: affine.vector_store
  // CHECK-NOT: linalg.copy
  linalg.copy ins(%row : memref<101xf32, #row>) outs(%dest : memref<101xf32, #row>)
  return
}

// -----

// Above the bound on straight code, a loop stays one.
// CHECK-LABEL: func @long
// CHECK-SAME: %[[ROW:[a-z0-9]*]]: memref<4100xf32>, %[[DEST:[a-z0-9]*]]: memref
func.func @long(%row: memref<4100xf32>, %dest: memref<4100xf32>) {
  // CHECK: affine.for %[[I:.*]] = 0 to 4096 step 16 {
  // UNROLL: affine.for
  // CHECK:   %[[ELEMENTS:.*]] = affine.vector_load %[[ROW]][%[[I]]] : {{.*}}, vector<16xf32>
  // CHECK:   affine.vector_store %[[ELEMENTS]], %[[DEST]][%[[I]]] : {{.*}}, vector<16xf32>
  // CHECK: }
  // CHECK: %[[ELEMENTS:.*]] = affine.vector_load %[[ROW]][4096] : {{.*}}, vector<4xf32>
  // CHECK: affine.vector_store %[[ELEMENTS]], %[[DEST]][4096] : {{.*}}, vector<4xf32>
  // CHECK-NOT: affine.vector_store
  linalg.copy ins(%row : memref<4100xf32>) outs(%dest : memref<4100xf32>)
  return
}

// -----

// CHECK-LABEL: func @dynamic
// CHECK-SAME: %[[ROW:[a-z0-9]*]]: memref<?xf64>, %[[DEST:[a-z0-9]*]]: memref
func.func @dynamic(%row: memref<?xf64>, %dest: memref<?xf64>) {
  // CHECK: %[[LENGTH:.*]] = memref.dim %[[ROW]]
  // CHECK: %[[WHOLE:.*]] = arith.andi %[[LENGTH]], %c-8
  // CHECK: affine.for %[[I:.*]] = 0 to {{.*}}(%[[WHOLE]]) step 8 {
  // CHECK:   %[[ELEMENTS:.*]] = affine.vector_load %[[ROW]][%[[I]]] : {{.*}}, vector<8xf64>
  // CHECK:   affine.vector_store %[[ELEMENTS]], %[[DEST]][%[[I]]] : {{.*}}, vector<8xf64>
  // CHECK: %[[FOUR:.*]] = arith.andi %[[LENGTH]], %c4
  // CHECK: %[[HAS_FOUR:.*]] = arith.cmpi ne, %[[FOUR]], %c0
  // CHECK: scf.if %[[HAS_FOUR]]
  // CHECK:   %[[ELEMENTS:.*]] = affine.vector_load %[[ROW]][%[[WHOLE]]] : {{.*}}, vector<4xf64>
  // CHECK:   affine.vector_store %[[ELEMENTS]], %[[DEST]][%[[WHOLE]]] : {{.*}}, vector<4xf64>
  // CHECK: %[[AFTER_FOUR:.*]] = arith.addi %[[WHOLE]], %[[FOUR]]
  // CHECK: %[[TWO:.*]] = arith.andi %[[LENGTH]], %c2
  // CHECK: %[[HAS_TWO:.*]] = arith.cmpi ne, %[[TWO]], %c0
  // CHECK: scf.if %[[HAS_TWO]]
  // CHECK:   %[[ELEMENTS:.*]] = affine.vector_load %[[ROW]][%[[AFTER_FOUR]]] : {{.*}}, vector<2xf64>
  // CHECK:   affine.vector_store %[[ELEMENTS]], %[[DEST]][%[[AFTER_FOUR]]] : {{.*}}, vector<2xf64>
  // CHECK: %[[AFTER_TWO:.*]] = arith.addi %[[AFTER_FOUR]], %[[TWO]]
  // CHECK: %[[ONE:.*]] = arith.andi %[[LENGTH]], %c1
  // CHECK: %[[HAS_ONE:.*]] = arith.cmpi ne, %[[ONE]], %c0
  // CHECK: scf.if %[[HAS_ONE]]
  // CHECK:   %[[ELEMENTS:.*]] = affine.vector_load %[[ROW]][%[[AFTER_TWO]]] : {{.*}}, vector<1xf64>
  // CHECK:   affine.vector_store %[[ELEMENTS]], %[[DEST]][%[[AFTER_TWO]]] : {{.*}}, vector<1xf64>
  // CHECK-NOT: scf.if
  linalg.copy ins(%row : memref<?xf64>) outs(%dest : memref<?xf64>)
  return
}

// -----

// The lanes are those of the widest element.
// CHECK-LABEL: func @mixed_widths
// UNROLL-LABEL: func @mixed_widths
func.func @mixed_widths(%row: memref<64xbf16>, %dest: memref<64xf32>) {
  // CHECK: affine.for
  // CHECK: %[[NARROW:.*]] = affine.vector_load {{.*}}, vector<16xbf16>
  // CHECK: %[[WIDE:.*]] = arith.extf %[[NARROW]]
  // CHECK: affine.vector_store %[[WIDE]], {{.*}}, vector<16xf32>
  // UNROLL-NOT: affine.for
  // UNROLL-COUNT-4: affine.vector_load {{.*}}, vector<16xbf16>
  linalg.generic {indexing_maps = [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>],
                  iterator_types = ["parallel"]}
      ins(%row : memref<64xbf16>) outs(%dest : memref<64xf32>) {
  ^bb0(%in: bf16, %out: f32):
    %0 = arith.extf %in : bf16 to f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// Fused code has a leading unit dimension and operands that broadcast.
// CHECK-LABEL: func @rank_2
// CHECK-SAME: %[[ROW:[a-z0-9]*]]: memref<1x32xf32>, %[[BIAS:[a-z0-9]*]]: memref<32xf32>, %[[DEST:[a-z0-9]*]]: memref
func.func @rank_2(%row: memref<1x32xf32>, %bias: memref<32xf32>, %dest: memref<1x32xf32>) {
  // CHECK: scf.for %[[I:.*]] =
  // CHECK: %[[FROM:.*]] = memref.subview %[[ROW]][%[[I]], 0] [1, 32] [1, 1]
  // CHECK: %[[TO:.*]] = memref.subview %[[DEST]][%[[I]], 0] [1, 32] [1, 1]
  // CHECK: affine.for %[[J:.*]] = 0 to 32 step 16 {
  // CHECK: %[[A:.*]] = affine.vector_load %[[FROM]][%[[J]]]
  // CHECK: %[[B:.*]] = affine.vector_load %[[BIAS]][%[[J]]]
  // CHECK: %[[PRODUCT:.*]] = arith.mulf %[[A]], %[[B]] : vector<16xf32>
  // CHECK: affine.vector_store %[[PRODUCT]], %[[TO]][%[[J]]]
  // CHECK-NOT: linalg.generic
  linalg.generic {indexing_maps = [affine_map<(i, d) -> (i, d)>, affine_map<(i, d) -> (d)>,
                                   affine_map<(i, d) -> (i, d)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%row, %bias : memref<1x32xf32>, memref<32xf32>) outs(%dest : memref<1x32xf32>) {
  ^bb0(%in: f32, %b: f32, %out: f32):
    %0 = arith.mulf %in, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// Left to loops: other strides, and elements whose vectors are packed.
// CHECK-LABEL: func @not_vectorized
func.func @not_vectorized(%column: memref<64xf32, strided<[3]>>, %dest: memref<64xf32>,
                          %bits: memref<64xi1>, %bits_dest: memref<64xi1>,
                          %complex: memref<64xcomplex<f32>>,
                          %complex_dest: memref<64xcomplex<f32>>) {
  // CHECK-COUNT-3: linalg.copy
  linalg.copy ins(%column : memref<64xf32, strided<[3]>>) outs(%dest : memref<64xf32>)
  linalg.copy ins(%bits : memref<64xi1>) outs(%bits_dest : memref<64xi1>)
  linalg.copy ins(%complex : memref<64xcomplex<f32>>) outs(%complex_dest : memref<64xcomplex<f32>>)
  return
}

// -----

// Streamed stores keep the alignment of the row, or of a shorter piece.
// CHECK-LABEL: func @streamed
// CHECK-SAME: %[[ROW:[a-z0-9]*]]: memref<40xf32>, %[[DEST:[a-z0-9]*]]: memref
func.func @streamed(%row: memref<40xf32>, %dest: memref<40xf32>) {
  // CHECK: affine.for %[[I:.*]] = 0 to 32 step 16 {
  // CHECK:   %[[ELEMENTS:.*]] = affine.vector_load %[[ROW]][%[[I]]] : {{.*}}, vector<16xf32>
  // CHECK:   vector.store %[[ELEMENTS]], %[[DEST]][%[[I]]] {alignment = 32 : i64, nontemporal = true} : {{.*}}, vector<16xf32>
  // CHECK: %[[ELEMENTS:.*]] = affine.vector_load %[[ROW]][32] : {{.*}}, vector<8xf32>
  // CHECK: vector.store %[[ELEMENTS]], %[[DEST]][%c32] {alignment = 32 : i64, nontemporal = true} : {{.*}}, vector<8xf32>
  // CHECK-NOT: vector.store
  linalg.copy {embedding.streamed = 32 : i64}
    ins(%row : memref<40xf32>) outs(%dest : memref<40xf32>)
  return
}

// -----

// A schedule of its own: narrower vectors, and a loop over them that affine
// passes leave alone.
// CHECK-LABEL: func @scheduled
// CHECK-SAME: %[[ROW:[a-z0-9]*]]: memref<64xf32>, %[[DEST:[a-z0-9]*]]: memref
func.func @scheduled(%row: memref<64xf32>, %dest: memref<64xf32>) {
  // CHECK: scf.for %[[I:.*]] = %c0 to %c64 step %c4
  // CHECK:   %[[ELEMENTS:.*]] = vector.load %[[ROW]][%[[I]]] : {{.*}}, vector<4xf32>
  // CHECK:   vector.store %[[ELEMENTS]], %[[DEST]][%[[I]]] : {{.*}}, vector<4xf32>
  // CHECK-NOT: vector.store
  linalg.copy {embedding.schedule = #embedding.schedule<vector_bytes = 16, unroll = 2>}
    ins(%row : memref<64xf32>) outs(%dest : memref<64xf32>)
  return
}

// -----

// A schedule that wants straight code gets it here.
// CHECK-LABEL: func @scheduled_unrolled
func.func @scheduled_unrolled(%row: memref<1024xf32>, %dest: memref<1024xf32>) {
  // CHECK-NOT: affine.for
  // CHECK-COUNT-64: affine.vector_store
  linalg.copy {embedding.schedule = #embedding.schedule<unroll = 64>}
    ins(%row : memref<1024xf32>) outs(%dest : memref<1024xf32>)
  return
}

// -----

// What one operation stores, upstream's passes forward to the next.
// UNROLL-LABEL: func @forwarded
// UNROLL-SAME: %[[ROW:[a-z0-9]*]]: memref<64xf32>, %[[DEST:[a-z0-9]*]]: memref
func.func @forwarded(%row: memref<64xf32>, %dest: memref<64xf32>) {
  // UNROLL-NOT: memref.alloc
  // UNROLL-COUNT-4: affine.vector_load %[[ROW]]
  // UNROLL-NOT: affine.vector_load
  // UNROLL-COUNT-4: affine.vector_store {{.*}}, %[[DEST]]
  %sum = memref.alloca() : memref<64xf32>
  linalg.copy ins(%row : memref<64xf32>) outs(%sum : memref<64xf32>)
  linalg.copy ins(%sum : memref<64xf32>) outs(%dest : memref<64xf32>)
  return
}

// -----

// The length that a loop changes is no symbol.
// CHECK-LABEL: func @no_symbol
func.func @no_symbol(%row: memref<?xf32>, %dest: memref<?xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    // CHECK: %[[WHOLE:.*]] = arith.andi %[[LENGTH:.*]], %c-16
    // CHECK: scf.for %[[J:.*]] = %c0{{.*}} to %[[WHOLE]] step %c16
    // CHECK:   vector.load %{{.*}}[%[[J]]]
    %from = memref.subview %row[0] [%i] [1] : memref<?xf32> to memref<?xf32, strided<[1]>>
    %to = memref.subview %dest[0] [%i] [1] : memref<?xf32> to memref<?xf32, strided<[1]>>
    linalg.copy ins(%from : memref<?xf32, strided<[1]>>) outs(%to : memref<?xf32, strided<[1]>>)
  }
  return
}

// -----

// What the length of the row gives is before the loops around it.
// CHECK-LABEL: func @dynamic_rank_2
func.func @dynamic_rank_2(%value: f32, %dest: memref<?x?xf32>) {
  // CHECK: %[[WHOLE:.*]] = arith.andi %{{.*}}, %c-16
  // CHECK: scf.for
  // CHECK:   affine.for %{{.*}} = 0 to {{.*}}(%[[WHOLE]]) step 16
  linalg.fill ins(%value : f32) outs(%dest : memref<?x?xf32>)
  return
}

// -----

// The counters of the outer loops are those of all lanes, that of the row its
// own.
// CHECK-LABEL: func @indices
// CHECK: scf.for %[[I:.*]] =
// CHECK: scf.for %[[J:.*]] =
// CHECK: affine.for %[[COLUMN:.*]] = 0 to 16 step 8
// CHECK-DAG: %[[LANES_I:.*]] = vector.broadcast %[[I]] : index to vector<8xindex>
// CHECK-DAG: %[[LANES_J:.*]] = vector.broadcast %[[J]] : index to vector<8xindex>
// CHECK-DAG: %[[START:.*]] = vector.broadcast %[[COLUMN]] : index to vector<8xindex>
// CHECK-DAG: %[[STEP:.*]] = vector.step : vector<8xindex>
// CHECK-DAG: %[[LANES_D:.*]] = arith.addi %[[START]], %[[STEP]]
// CHECK: %[[PRODUCT:.*]] = arith.muli %[[LANES_I]], %[[LANES_J]]
// CHECK: %[[LESS:.*]] = arith.subi %[[PRODUCT]], %[[LANES_D]]
// CHECK: %[[CAST:.*]] = arith.index_cast %[[LESS]]
// CHECK: affine.vector_store %[[CAST]], %{{.*}}[%[[COLUMN]]]
#all = affine_map<(i, j, d) -> (i, j, d)>
func.func @indices(%in: memref<2x3x16xi64>, %out: memref<2x3x16xi64>) {
  linalg.generic {indexing_maps = [#all, #all],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%in : memref<2x3x16xi64>) outs(%out : memref<2x3x16xi64>) {
  ^bb0(%x: i64, %o: i64):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %d = linalg.index 2 : index
    %product = arith.muli %i, %j : index
    %less = arith.subi %product, %d : index
    %cast = arith.index_cast %less : index to i64
    linalg.yield %cast : i64
  }
  return
}
