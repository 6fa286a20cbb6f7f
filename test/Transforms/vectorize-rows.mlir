// RUN: embedding-opt %s --embedding-vectorize-rows=vector-bytes=64 --split-input-file | FileCheck %s
// RUN: not embedding-opt %s --embedding-vectorize-rows=vector-bytes=48 2>&1 | FileCheck %s --check-prefix=ERROR

// ERROR: expected vector-bytes to be a power of two, but got 48

#row = strided<[1], offset: ?>

// CHECK-LABEL: func @static_with_tail
// CHECK-SAME: %[[ROW:[a-z0-9]*]]: memref<101xf32, {{.*}}>, %[[DEST:[a-z0-9]*]]: memref
func.func @static_with_tail(%row: memref<101xf32, #row>, %dest: memref<101xf32, #row>) {
  // CHECK: %[[FROM:.*]] = memref.subview %[[ROW]][0] [16] [1]
  // CHECK: %[[TO:.*]] = memref.subview %[[DEST]][0] [16] [1]
  // CHECK: %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<16xf32>
  // CHECK: vector.store %[[ELEMENTS]], %[[TO]][%c0] : {{.*}}, vector<16xf32>
  // CHECK-COUNT-4: vector.store {{.*}}, vector<16xf32>
  // CHECK: %[[FROM:.*]] = memref.subview %[[ROW]][80] [16] [1]
  // CHECK: %[[TO:.*]] = memref.subview %[[DEST]][80] [16] [1]
  // CHECK: %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<16xf32>
  // CHECK: vector.store %[[ELEMENTS]], %[[TO]][%c0] : {{.*}}, vector<16xf32>
  // CHECK: %[[FROM:.*]] = memref.subview %[[ROW]][96] [4] [1]
  // CHECK: %[[TO:.*]] = memref.subview %[[DEST]][96] [4] [1]
  // CHECK: %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<4xf32>
  // CHECK: vector.store %[[ELEMENTS]], %[[TO]][%c0] : {{.*}}, vector<4xf32>
  // CHECK: %[[FROM:.*]] = memref.subview %[[ROW]][100] [1] [1]
  // CHECK: %[[TO:.*]] = memref.subview %[[DEST]][100] [1] [1]
  // CHECK: %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<1xf32>
  // CHECK: vector.store %[[ELEMENTS]], %[[TO]][%c0] : {{.*}}, vector<1xf32>
  // CHECK-NOT: vector.store
  // CHECK-NOT: linalg.copy
  linalg.copy ins(%row : memref<101xf32, #row>) outs(%dest : memref<101xf32, #row>)
  return
}

// -----

// Above the bound on straight code, a loop.
// CHECK-LABEL: func @long
// CHECK-SAME: %[[ROW:[a-z0-9]*]]: memref<4100xf32>, %[[DEST:[a-z0-9]*]]: memref
func.func @long(%row: memref<4100xf32>, %dest: memref<4100xf32>) {
  // CHECK: %[[END:.*]] = arith.constant 4096 : index
  // CHECK: scf.for %[[I:.*]] = %c0 to %[[END]] step %c16
  // CHECK:   %[[FROM:.*]] = memref.subview %[[ROW]][%[[I]]] [16] [1]
  // CHECK:   %[[TO:.*]] = memref.subview %[[DEST]][%[[I]]] [16] [1]
  // CHECK:   %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<16xf32>
  // CHECK:   vector.store %[[ELEMENTS]], %[[TO]][%c0] : {{.*}}, vector<16xf32>
  // CHECK: }
  // CHECK: %[[FROM:.*]] = memref.subview %[[ROW]][4096] [4] [1]
  // CHECK: %[[TO:.*]] = memref.subview %[[DEST]][4096] [4] [1]
  // CHECK: %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<4xf32>
  // CHECK: vector.store %[[ELEMENTS]], %[[TO]][%c0] : {{.*}}, vector<4xf32>
  // CHECK-NOT: vector.store
  linalg.copy ins(%row : memref<4100xf32>) outs(%dest : memref<4100xf32>)
  return
}

// -----

// CHECK-LABEL: func @dynamic
// CHECK-SAME: %[[ROW:[a-z0-9]*]]: memref<?xf64>, %[[DEST:[a-z0-9]*]]: memref
func.func @dynamic(%row: memref<?xf64>, %dest: memref<?xf64>) {
  // CHECK: %[[LENGTH:.*]] = memref.dim %[[ROW]]
  // CHECK: %[[WHOLE:.*]] = arith.andi %[[LENGTH]], %c-8
  // CHECK: scf.for %[[I:.*]] = %c0 to %[[WHOLE]] step %c8
  // CHECK:   %[[FROM:.*]] = memref.subview %[[ROW]][%[[I]]] [8] [1]
  // CHECK:   %[[TO:.*]] = memref.subview %[[DEST]][%[[I]]] [8] [1]
  // CHECK:   %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<8xf64>
  // CHECK:   vector.store %[[ELEMENTS]], %[[TO]][%c0] : {{.*}}, vector<8xf64>
  // CHECK: %[[FOUR:.*]] = arith.andi %[[LENGTH]], %c4
  // CHECK: %[[HAS_FOUR:.*]] = arith.cmpi ne, %[[FOUR]], %c0
  // CHECK: scf.if %[[HAS_FOUR]]
  // CHECK:   %[[FROM:.*]] = memref.subview %[[ROW]][%[[WHOLE]]] [4] [1]
  // CHECK:   %[[TO:.*]] = memref.subview %[[DEST]][%[[WHOLE]]] [4] [1]
  // CHECK:   %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<4xf64>
  // CHECK:   vector.store %[[ELEMENTS]], %[[TO]][%c0] : {{.*}}, vector<4xf64>
  // CHECK: %[[AFTER_FOUR:.*]] = arith.addi %[[WHOLE]], %[[FOUR]]
  // CHECK: %[[TWO:.*]] = arith.andi %[[LENGTH]], %c2
  // CHECK: %[[HAS_TWO:.*]] = arith.cmpi ne, %[[TWO]], %c0
  // CHECK: scf.if %[[HAS_TWO]]
  // CHECK:   %[[FROM:.*]] = memref.subview %[[ROW]][%[[AFTER_FOUR]]] [2] [1]
  // CHECK:   %[[TO:.*]] = memref.subview %[[DEST]][%[[AFTER_FOUR]]] [2] [1]
  // CHECK:   %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<2xf64>
  // CHECK:   vector.store %[[ELEMENTS]], %[[TO]][%c0] : {{.*}}, vector<2xf64>
  // CHECK: %[[AFTER_TWO:.*]] = arith.addi %[[AFTER_FOUR]], %[[TWO]]
  // CHECK: %[[ONE:.*]] = arith.andi %[[LENGTH]], %c1
  // CHECK: %[[HAS_ONE:.*]] = arith.cmpi ne, %[[ONE]], %c0
  // CHECK: scf.if %[[HAS_ONE]]
  // CHECK:   %[[FROM:.*]] = memref.subview %[[ROW]][%[[AFTER_TWO]]] [1] [1]
  // CHECK:   %[[TO:.*]] = memref.subview %[[DEST]][%[[AFTER_TWO]]] [1] [1]
  // CHECK:   %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<1xf64>
  // CHECK:   vector.store %[[ELEMENTS]], %[[TO]][%c0] : {{.*}}, vector<1xf64>
  // CHECK-NOT: scf.if
  linalg.copy ins(%row : memref<?xf64>) outs(%dest : memref<?xf64>)
  return
}

// -----

// The lanes are those of the widest element.
// CHECK-LABEL: func @mixed_widths
func.func @mixed_widths(%row: memref<64xbf16>, %dest: memref<64xf32>) {
  // CHECK: %[[NARROW:.*]] = vector.load {{.*}}, vector<16xbf16>
  // CHECK: %[[WIDE:.*]] = arith.extf %[[NARROW]]
  // CHECK: vector.store %[[WIDE]], {{.*}}, vector<16xf32>
  // CHECK-COUNT-3: vector.load {{.*}}, vector<16xbf16>
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
  // CHECK: arith.mulf {{.*}} vector<16xf32>
  // CHECK: %[[FROM:.*]] = memref.subview %[[ROW]][%[[I]], 16] [1, 16] [1, 1]
  // CHECK: %[[SOME_BIAS:.*]] = memref.subview %[[BIAS]][16] [16] [1]
  // CHECK: %[[TO:.*]] = memref.subview %[[DEST]][%[[I]], 16] [1, 16] [1, 1]
  // CHECK: %[[A:.*]] = vector.load %[[FROM]]
  // CHECK: %[[B:.*]] = vector.load %[[SOME_BIAS]]
  // CHECK: %[[PRODUCT:.*]] = arith.mulf %[[A]], %[[B]] : vector<16xf32>
  // CHECK: vector.store %[[PRODUCT]], %[[TO]]
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
  // CHECK: %[[FROM:.*]] = memref.subview %[[ROW]][0] [16] [1]
  // CHECK: %[[TO:.*]] = memref.subview %[[DEST]][0] [16] [1]
  // CHECK: %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<16xf32>
  // CHECK: vector.store %[[ELEMENTS]], %[[TO]][%c0] {alignment = 32 : i64, nontemporal = true} : {{.*}}, vector<16xf32>
  // CHECK: %[[FROM:.*]] = memref.subview %[[ROW]][16] [16] [1]
  // CHECK: %[[TO:.*]] = memref.subview %[[DEST]][16] [16] [1]
  // CHECK: %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<16xf32>
  // CHECK: vector.store %[[ELEMENTS]], %[[TO]][%c0] {alignment = 32 : i64, nontemporal = true} : {{.*}}, vector<16xf32>
  // CHECK: %[[FROM:.*]] = memref.subview %[[ROW]][32] [8] [1]
  // CHECK: %[[TO:.*]] = memref.subview %[[DEST]][32] [8] [1]
  // CHECK: %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<8xf32>
  // CHECK: vector.store %[[ELEMENTS]], %[[TO]][%c0] {alignment = 32 : i64, nontemporal = true} : {{.*}}, vector<8xf32>
  // CHECK-NOT: vector.store
  linalg.copy {embedding.streamed = 32 : i64}
    ins(%row : memref<40xf32>) outs(%dest : memref<40xf32>)
  return
}

// -----

// A schedule of its own: narrower vectors, and a loop over them.
// CHECK-LABEL: func @scheduled
// CHECK-SAME: %[[ROW:[a-z0-9]*]]: memref<64xf32>, %[[DEST:[a-z0-9]*]]: memref
func.func @scheduled(%row: memref<64xf32>, %dest: memref<64xf32>) {
  // CHECK: scf.for %[[I:.*]] = %c0 to %c64 step %c4
  // CHECK:   %[[FROM:.*]] = memref.subview %[[ROW]][%[[I]]] [4] [1]
  // CHECK:   %[[TO:.*]] = memref.subview %[[DEST]][%[[I]]] [4] [1]
  // CHECK:   %[[ELEMENTS:.*]] = vector.load %[[FROM]][%c0] : {{.*}}, vector<4xf32>
  // CHECK:   vector.store %[[ELEMENTS]], %[[TO]][%c0] : {{.*}}, vector<4xf32>
  // CHECK-NOT: vector.store
  linalg.copy {embedding.schedule = #embedding.schedule<vector_bytes = 16, unroll = 2>}
    ins(%row : memref<64xf32>) outs(%dest : memref<64xf32>)
  return
}
