// Upstream's transform dialect tiles a lookup along indices and row.
// RUN: embedding-opt %s --transform-interpreter --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func @tile
// CHECK-SAME: %[[TABLE:.*]]: tensor<?x64xf32>, %[[INDICES:.*]]: tensor<8x?xi64>, %[[INIT:.*]]: tensor<8x?x64xf32>
func.func @tile(%table: tensor<?x64xf32>, %indices: tensor<8x?xi64>,
                %init: tensor<8x?x64xf32>) -> tensor<8x?x64xf32> {
  // CHECK: %[[N:.*]] = tensor.dim %[[INIT]], %c1
  // CHECK: scf.for %[[I:.*]] = {{.*}} iter_args(%[[OUT_I:.*]] = %[[INIT]])
  // CHECK: scf.for %[[J:.*]] = {{.*}} iter_args(%[[OUT:.*]] = %[[OUT_I]])
  // CHECK-DAG: %[[V:.*]] = tensor.dim %[[TABLE]], %c0
  // CHECK-DAG: %[[COLUMNS:.*]] = tensor.extract_slice %[[TABLE]][0, %[[J]]] [%[[V]], 16] [1, 1]
  // CHECK-DAG: %[[TILE:.*]] = tensor.extract_slice %[[INDICES]][%[[I]], 0] [2, %[[N]]] [1, 1]
  // CHECK-DAG: %[[DEST:.*]] = tensor.extract_slice %[[OUT]][%[[I]], 0, %[[J]]] [2, %[[N]], 16] [1, 1, 1]
  // CHECK: %[[ROWS:.*]] = embedding.lookup padding_idx(5) out_of_range(clamp) ins(%[[COLUMNS]], %[[TILE]] : {{.*}}) outs(%[[DEST]]
  // CHECK: %[[NEXT:.*]] = tensor.insert_slice %[[ROWS]] into %[[OUT]][%[[I]], 0, %[[J]]]
  // CHECK: scf.yield %[[NEXT]]
  %0 = embedding.lookup padding_idx(5) out_of_range(clamp)
         ins(%table, %indices : tensor<?x64xf32>, tensor<8x?xi64>)
         outs(%init : tensor<8x?x64xf32>) -> tensor<8x?x64xf32>
  return %0 : tensor<8x?x64xf32>
}

// The first columns are not the row: the table is cut as well.
// CHECK-LABEL: func @first_columns
// CHECK-SAME: %[[TABLE:[a-z0-9]+]]: tensor<?x64xf32>, %[[INDICES:[a-z0-9]+]]: tensor<8xi64>
func.func @first_columns(%table: tensor<?x64xf32>, %indices: tensor<8xi64>,
                         %init: tensor<8x64xf32>, %out: tensor<8x16xf32>) -> tensor<8x16xf32> {
  // CHECK: scf.forall (%[[I:.*]]) in (8)
  // CHECK-DAG: %[[V:.*]] = tensor.dim %[[TABLE]], %c0
  // CHECK-DAG: %[[COLUMNS:.*]] = tensor.extract_slice %[[TABLE]][0, 0] [%[[V]], 16] [1, 1]
  // CHECK-DAG: %[[TILE:.*]] = tensor.extract_slice %[[INDICES]][%[[I]]] [1] [1]
  // CHECK: embedding.lookup out_of_range(assume) ins(%[[COLUMNS]], %[[TILE]] :
  %rows = embedding.lookup out_of_range(assume)
            ins(%table, %indices : tensor<?x64xf32>, tensor<8xi64>)
            outs(%init : tensor<8x64xf32>) -> tensor<8x64xf32>
  %0 = scf.forall (%i) in (8) shared_outs(%o = %out) -> tensor<8x16xf32> {
    %row = tensor.extract_slice %rows[%i, 0] [1, 16] [1, 1]
      : tensor<8x64xf32> to tensor<1x16xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %row into %o[%i, 0] [1, 16] [1, 1]
        : tensor<1x16xf32> into tensor<8x16xf32>
    }
  }
  return %0 : tensor<8x16xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %lookups = transform.structured.match ops{["embedding.lookup"]} in %root : (!transform.any_op) -> !transform.any_op
    %0, %first = transform.split_handle %lookups : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %loop = transform.structured.match ops{["scf.forall"]} in %root : (!transform.any_op) -> !transform.any_op
    %fused, %fused_loop = transform.structured.fuse_into_containing_op %first into %loop
      : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
    %1, %2:2 = transform.structured.tile_using_for %0 tile_sizes [2, 0, 16]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}
