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
// CHECK-SAME: %[[BEGIN:.*]]: index, %[[END:.*]]: index, %[[N:.*]]: index, %[[FOUR:.*]]: index, %[[M:.*]]: memref<?x4xf32>)
// CHECK: %[[ONE:.*]] = arith.constant 1.0
// CHECK: scf.for %[[K:.*]] = %[[BEGIN]] to %[[END]]
// CHECK:   %[[IJ:.*]]:2 = affine.delinearize_index %[[K]] into (%[[N]], %[[FOUR]])
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

// Rows are given away in blocks: of all of them if they have less than 1 MiB, else
// of 128 KiB.
// CHECK-LABEL: func private @rows_parallel_0
// CHECK-SAME: %[[FIRST:.*]]: index, %[[LAST:.*]]: index, %{{.*}}: index, %[[FROM:.*]]: memref<?x64xf32>, %[[TO:.*]]: memref<?x64xf32>, %[[TOTAL:.*]]: index, %[[GRAIN:.*]]: index)
// CHECK: %[[BEGIN:.*]] = arith.muli %[[FIRST]], %[[GRAIN]]
// CHECK: %[[END:.*]] = arith.muli %[[LAST]], %[[GRAIN]]
// CHECK: %[[STOP:.*]] = arith.minsi %[[END]], %[[TOTAL]]
// CHECK: scf.for %[[I:.*]] = %[[BEGIN]] to %[[STOP]]
// CHECK:   %[[ROW:.*]] = memref.subview %[[FROM]][%[[I]], 0]
// CHECK:   %[[DEST:.*]] = memref.subview %[[TO]][%[[I]], 0]
// CHECK:   linalg.copy ins(%[[ROW]] : {{.*}}) outs(%[[DEST]] :
// CHECK-LABEL: func @rows(
// CHECK-SAME: %[[N:[a-z0-9]*]]: index, %[[FROM:[a-z0-9]*]]: memref<?x64xf32>, %[[TO:[a-z0-9]*]]: memref<?x64xf32>
// CHECK-DAG: %[[BLOCK:.*]] = arith.constant 512 : index
// CHECK-DAG: %[[PARALLEL:.*]] = arith.constant 1048576 : index
// CHECK: %[[BYTES:.*]] = arith.muli %[[N]], %c256
// CHECK: %[[SMALL:.*]] = arith.cmpi slt, %[[BYTES]], %[[PARALLEL]]
// CHECK: %[[BLOCKS:.*]] = scf.if %[[SMALL]] -> (index) {
// CHECK:   scf.yield %c1
// CHECK:   arith.ceildivui %[[N]], %[[BLOCK]]
// CHECK: %[[SIZE:.*]] = arith.select %[[SMALL]], %[[N]], %[[BLOCK]]
// CHECK: call @rows_parallel_0(%c0, %[[BLOCKS]], %[[N]], %[[FROM]], %[[TO]], %[[N]], %[[SIZE]])
func.func @rows(%n: index, %from: memref<?x64xf32>, %to: memref<?x64xf32>) {
  scf.forall (%i) in (%n) {
    %0 = memref.subview %from[%i, 0] [1, 64] [1, 1] : memref<?x64xf32> to memref<64xf32, strided<[1], offset: ?>>
    %1 = memref.subview %to[%i, 0] [1, 64] [1, 1] : memref<?x64xf32> to memref<64xf32, strided<[1], offset: ?>>
    linalg.copy ins(%0 : memref<64xf32, strided<[1], offset: ?>>) outs(%1 : memref<64xf32, strided<[1], offset: ?>>)
  }
  return
}

// Of dynamic length too, in either branch.
// CHECK-LABEL: func @branches(
// CHECK-SAME: %[[N:[a-z0-9]*]]: index, %[[D:[a-z0-9]*]]: index
// CHECK: %[[BYTES:.*]] = arith.muli %[[D]], %c4
// CHECK: arith.maxsi %[[BYTES]]
// CHECK: %[[BLOCKS:.*]] = scf.if
// CHECK: %[[SIZE:.*]] = arith.select
// CHECK: call @branches_parallel_0(%c0, %[[BLOCKS]], {{.*}}, %[[N]], %[[SIZE]])
func.func @branches(%n: index, %d: index, %zero: f32, %from: memref<?x?xf32>, %to: memref<?x?xf32>, %flags: memref<?xi1>) {
  scf.forall (%i) in (%n) {
    %0 = memref.subview %from[%i, 0] [1, %d] [1, 1] : memref<?x?xf32> to memref<?xf32, strided<[1], offset: ?>>
    %1 = memref.subview %to[%i, 0] [1, %d] [1, 1] : memref<?x?xf32> to memref<?xf32, strided<[1], offset: ?>>
    %flag = memref.load %flags[%i] : memref<?xi1>
    scf.if %flag {
      linalg.copy ins(%0 : memref<?xf32, strided<[1], offset: ?>>) outs(%1 : memref<?xf32, strided<[1], offset: ?>>)
    } else {
      linalg.fill ins(%zero : f32) outs(%1 : memref<?xf32, strided<[1], offset: ?>>)
    }
  }
  return
}

// What is known of an address cannot be handed over.
// CHECK-LABEL: func private @aligned_parallel_0(
// CHECK-SAME: %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %[[FROM:.*]]: memref<?x64xf32>, %[[TO:.*]]: memref<?x64xf32>,
// CHECK: %[[KNOWN:.*]] = memref.assume_alignment %[[FROM]], 64
// CHECK: memref.subview %[[KNOWN]]
// CHECK-LABEL: func @aligned(
func.func @aligned(%n: index, %any: memref<?x64xf32>, %to: memref<?x64xf32>) {
  %from = memref.assume_alignment %any, 64 : memref<?x64xf32>
  scf.forall (%i) in (%n) {
    %0 = memref.subview %from[%i, 0] [1, 64] [1, 1] : memref<?x64xf32> to memref<64xf32, strided<[1], offset: ?>>
    %1 = memref.subview %to[%i, 0] [1, 64] [1, 1] : memref<?x64xf32> to memref<64xf32, strided<[1], offset: ?>>
    linalg.copy ins(%0 : memref<64xf32, strided<[1], offset: ?>>) outs(%1 : memref<64xf32, strided<[1], offset: ?>>)
  }
  return
}

// Iterations of loops, of sums, or of rows whose length is each time another one,
// are given away one by one.
// CHECK-LABEL: func @more_than_rows(
// CHECK-SAME: %[[N:[a-z0-9]*]]: index
// CHECK: call @more_than_rows_parallel_0(%c0, %[[N]],
// CHECK: call @more_than_rows_parallel_1(%c0, %[[N]],
// CHECK: call @more_than_rows_parallel_2(%c0, %[[N]],
func.func @more_than_rows(%n: index, %zero: f32, %to: memref<?x?xf32>, %sums: memref<?xf32>, %lengths: memref<?xindex>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.forall (%i) in (%n) {
    scf.for %j = %c0 to %n step %c1 {
      %0 = memref.subview %to[%j, 0] [1, 4] [1, 1] : memref<?x?xf32> to memref<4xf32, strided<[1], offset: ?>>
      linalg.fill ins(%zero : f32) outs(%0 : memref<4xf32, strided<[1], offset: ?>>)
    }
  }
  scf.forall (%i) in (%n) {
    %0 = memref.subview %to[%i, 0] [1, 4] [1, 1] : memref<?x?xf32> to memref<4xf32, strided<[1], offset: ?>>
    %1 = memref.subview %sums[%i] [1] [1] : memref<?xf32> to memref<f32, strided<[], offset: ?>>
    linalg.reduce ins(%0 : memref<4xf32, strided<[1], offset: ?>>) outs(%1 : memref<f32, strided<[], offset: ?>>) dimensions = [0]
      (%in: f32, %sum: f32) {
        %s = arith.addf %in, %sum : f32
        linalg.yield %s : f32
      }
  }
  scf.forall (%i) in (%n) {
    %length = memref.load %lengths[%i] : memref<?xindex>
    %0 = memref.subview %to[%i, 0] [1, %length] [1, 1] : memref<?x?xf32> to memref<?xf32, strided<[1], offset: ?>>
    linalg.fill ins(%zero : f32) outs(%0 : memref<?xf32, strided<[1], offset: ?>>)
  }
  return
}
