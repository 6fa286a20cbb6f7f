// RUN: embedding-opt %s --embedding-tile-lookups | FileCheck %s

// CHECK-LABEL: func @checked
// CHECK-SAME: %[[TABLE:.*]]: memref<10x64xf32>, %[[INDICES:.*]]: memref<?xi32>, %[[OUT:.*]]: memref<?x64xf32>
func.func @checked(%table: memref<10x64xf32>, %indices: memref<?xi32>,
                   %out: memref<?x64xf32>) {
  // CHECK: %[[FLAG:.*]] = memref.alloca() : memref<i64>
  // CHECK: memref.store %c0_i64{{.*}}, %[[FLAG]][]
  // All is one block if it is less than 1 MiB, else 128 KiB are.
  // CHECK: %[[IS_SMALL:.*]] = arith.cmpi slt
  // CHECK: %[[ROWS:.*]] = arith.divui %c131072
  // CHECK: %[[SOME_ROWS:.*]] = arith.maxsi %[[ROWS]]
  // CHECK: %[[BLOCKS:.*]] = scf.if %[[IS_SMALL]] -> (index)
  // CHECK:   arith.ceildivui %{{.*}}, %[[SOME_ROWS]]
  // CHECK: %[[GRAIN:.*]] = arith.select %[[IS_SMALL]], %{{.*}}, %[[SOME_ROWS]]
  // CHECK: scf.forall (%[[BLOCK:.*]]) in (%[[BLOCKS]])
  // CHECK:   %[[BEGIN:.*]] = arith.muli %[[BLOCK]], %[[GRAIN]]
  // CHECK:   scf.for %{{.*}} = %[[BEGIN]] to %{{.*}} step %c2048{{.*}} iter_args(%[[FIRST:.*]] = %[[BEGIN]]) -> (index)
  // CHECK:     %[[SOME:.*]] = memref.subview %[[INDICES]][%[[FIRST]]] [%[[SIZE:.*]]] [1]
  // CHECK:     %[[ROWS:.*]] = memref.subview %[[OUT]][%[[FIRST]], 0] [%[[SIZE]], 64] [1, 1]
  // CHECK:     %[[SIGNS:.*]] = scf.for
  // CHECK:       memref.load %[[SOME]]
  // CHECK:     %[[IS_OUTSIDE:.*]] = arith.cmpi sge, %[[SIGNS]]
  // CHECK:     scf.if %[[IS_OUTSIDE]] {
  // CHECK:       memref.atomic_rmw ori %c1_i64{{.*}}, %[[FLAG]][]
  // CHECK:     } else {
  // CHECK:       embedding.lookup padding_idx(1) out_of_range(assume) {tag = "x"} ins(%[[TABLE]], %[[SOME]] : {{.*}}) outs(%[[ROWS]] :
  // CHECK:     }
  // CHECK:     %[[NEXT:.*]] = arith.addi %[[FIRST]], %[[SIZE]]
  // CHECK:     scf.yield %[[NEXT]]
  // Where they are is looked for when all are done.
  // CHECK: %[[SET:.*]] = memref.load %[[FLAG]][]
  // CHECK: %[[IS_BAD:.*]] = arith.cmpi ne, %[[SET]]
  // CHECK: scf.if %[[IS_BAD]] {
  // CHECK:   %[[SEARCH:.*]]:4 = scf.for %[[I:[^ ]*]] =
  // CHECK:     memref.load %[[INDICES]][%[[I]]]
  // CHECK:   embedding.report_out_of_range %[[SEARCH]]#0, %[[SEARCH]]#1, %[[SEARCH]]#2 of %c10{{.*}}, "embedding.lookup: indices"
  embedding.lookup padding_idx(1) {tag = "x"}
    ins(%table, %indices : memref<10x64xf32>, memref<?xi32>)
    outs(%out : memref<?x64xf32>)
  return
}

// The output is made of runs of rows, whatever the mode.
// CHECK-LABEL: func @runs
// CHECK-SAME: %[[TABLE:.*]]: memref<?x?xf32>, %[[INDICES:.*]]: memref<2x?x?xi64>, %[[OUT:[a-z0-9]*]]: memref
func.func @runs(%table: memref<?x?xf32>, %indices: memref<2x?x?xi64>,
                %out: memref<2x?x?x?xf32, strided<[?, ?, ?, 1]>>) {
  // CHECK-NOT: memref.alloca
  // CHECK: %[[WIDTH:.*]] = memref.dim %[[TABLE]], %c1
  // CHECK: scf.forall
  // CHECK: scf.for %[[WHICH:.*]] =
  // CHECK:   %[[START:.*]] = arith.muli %[[WHICH]], %[[LENGTH:.*]] : index
  // CHECK:   %[[OUTER:.*]]:2 = affine.delinearize_index %[[WHICH]] into (2, %
  // CHECK:   scf.for %{{.*}} = %{{.*}} to %{{.*}} step %c2048{{.*}} iter_args(%[[FIRST:.*]] =
  // CHECK:     %[[COLUMN:.*]] = arith.subi %[[FIRST]], %[[START]]
  // CHECK:     %[[SOME:.*]] = memref.subview %[[INDICES]][%[[OUTER]]#0, %[[OUTER]]#1, %[[COLUMN]]] [1, 1, %[[SIZE:.*]]] [1, 1, 1]
  // CHECK:     %[[ROWS:.*]] = memref.subview %[[OUT]][%[[OUTER]]#0, %[[OUTER]]#1, %[[COLUMN]], 0] [1, 1, %[[SIZE]], %[[WIDTH]]] [1, 1, 1, 1]
  // CHECK-NOT: embedding.find_out_of_range
  // CHECK:     embedding.lookup out_of_range(zero) ins(%[[TABLE]], %[[SOME]] : {{.*}}) outs(%[[ROWS]] :
  // CHECK-NOT: embedding.report_out_of_range
  embedding.lookup out_of_range(zero)
    ins(%table, %indices : memref<?x?xf32>, memref<2x?x?xi64>)
    outs(%out : memref<2x?x?x?xf32, strided<[?, ?, ?, 1]>>)
  return
}

// Positions of runs are those of all indices.
// CHECK-LABEL: func @checked_runs
// CHECK-SAME: %{{.*}}: memref<?x8xf32>, %[[INDICES:.*]]: memref<4x?xi64>
func.func @checked_runs(%table: memref<?x8xf32>, %indices: memref<4x?xi64>,
                        %out: memref<4x?x8xf32, strided<[?, 8, 1]>>) {
  // CHECK: scf.for %{{.*}} step %c2048
  // CHECK: %[[SEARCH:.*]]:4 = scf.for %[[I:[^ ]*]] =
  // CHECK:   scf.for %[[J:[^ ]*]] =
  // CHECK:     memref.load %[[INDICES]][%[[I]], %[[J]]]
  // CHECK: embedding.report_out_of_range %[[SEARCH]]#0
  embedding.lookup ins(%table, %indices : memref<?x8xf32>, memref<4x?xi64>)
    outs(%out : memref<4x?x8xf32, strided<[?, 8, 1]>>)
  return
}

// CHECK-LABEL: func @left_alone
// CHECK-NOT: scf.forall
func.func @left_alone(%table: memref<?x8xf32>, %indices: memref<?xi64>,
                      %out: memref<?x8xf32>, %matrix: memref<?x4xi64>,
                      %rows: memref<?x4x8xf32>, %none: memref<0xi64>,
                      %nothing: memref<0x8xf32>, %one: memref<i64>,
                      %row: memref<8xf32>, %t: tensor<?x8xf32>,
                      %i: tensor<?xi64>, %o: tensor<?x8xf32>) -> tensor<?x8xf32> {
  embedding.lookup out_of_range(assume)
    ins(%table, %indices : memref<?x8xf32>, memref<?xi64>) outs(%out : memref<?x8xf32>)
  embedding.lookup ins(%table, %matrix : memref<?x8xf32>, memref<?x4xi64>)
    outs(%rows : memref<?x4x8xf32>)
  embedding.lookup ins(%table, %none : memref<?x8xf32>, memref<0xi64>)
    outs(%nothing : memref<0x8xf32>)
  embedding.lookup ins(%table, %one : memref<?x8xf32>, memref<i64>)
    outs(%row : memref<8xf32>)
  %0 = embedding.lookup ins(%t, %i : tensor<?x8xf32>, tensor<?xi64>)
         outs(%o : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
