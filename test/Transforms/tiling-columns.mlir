// Gradients tile along their columns.
// RUN: embedding-opt %s --transform-interpreter --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func @dense_grad
// CHECK-SAME: %[[DY:[a-z0-9]*]]: tensor<8x?x64xf32>, %[[I:[a-z0-9]*]]: tensor<8x?xi64>, %[[INIT:[a-z0-9]*]]: tensor<?x64xf32>
func.func @dense_grad(%dy: tensor<8x?x64xf32>, %i: tensor<8x?xi64>,
                      %init: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // CHECK: scf.for %[[J:.*]] = {{.*}} iter_args(%[[OUT:.*]] = %[[INIT]])
  // CHECK-DAG: %[[N:.*]] = tensor.dim %[[DY]], %c1
  // CHECK-DAG: %[[COLUMNS:.*]] = tensor.extract_slice %[[DY]][0, 0, %[[J]]] [8, %[[N]], 16] [1, 1, 1]
  // CHECK-DAG: %[[V:.*]] = tensor.dim %[[OUT]], %c0
  // CHECK-DAG: %[[DEST:.*]] = tensor.extract_slice %[[OUT]][0, %[[J]]] [%[[V]], 16] [1, 1]
  // CHECK: %[[GRAD:.*]] = embedding.dense_grad padding_idx(5) scale_grad_by_freq out_of_range(zero) ins(%[[COLUMNS]], %[[I]] : {{.*}}) outs(%[[DEST]]
  // CHECK: %[[NEXT:.*]] = tensor.insert_slice %[[GRAD]] into %[[OUT]][0, %[[J]]]
  // CHECK: scf.yield %[[NEXT]]
  %0 = embedding.dense_grad padding_idx(5) scale_grad_by_freq out_of_range(zero)
         ins(%dy, %i : tensor<8x?x64xf32>, tensor<8x?xi64>)
         outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// CHECK-LABEL: func @double_backward
// CHECK-SAME: %[[T:[a-z0-9]*]]: tensor<9x64xf32>, %[[I:[a-z0-9]*]]: tensor<4xi64>, %[[P:[a-z0-9]*]]: index, %[[INIT:[a-z0-9]*]]: tensor<4x64xf32>
func.func @double_backward(%t: tensor<9x64xf32>, %i: tensor<4xi64>, %p: index,
                           %init: tensor<4x64xf32>) -> tensor<4x64xf32> {
  // CHECK: scf.for %[[J:.*]] = {{.*}} iter_args(%[[OUT:.*]] = %[[INIT]])
  // CHECK-DAG: %[[COLUMNS:.*]] = tensor.extract_slice %[[T]][0, %[[J]]] [9, 16] [1, 1]
  // CHECK-DAG: %[[DEST:.*]] = tensor.extract_slice %[[OUT]][0, %[[J]]] [4, 16] [1, 1]
  // CHECK: %[[ROWS:.*]] = embedding.double_backward padding_idx(%[[P]]) out_of_range(assume) ins(%[[COLUMNS]], %[[I]] : tensor<9x16xf32>, tensor<4xi64>) outs(%[[DEST]] : tensor<4x16xf32>)
  // CHECK: %[[NEXT:.*]] = tensor.insert_slice %[[ROWS]] into %[[OUT]][0, %[[J]]]
  // CHECK: scf.yield %[[NEXT]]
  %0 = embedding.double_backward padding_idx(%p) out_of_range(assume)
         ins(%t, %i : tensor<9x64xf32>, tensor<4xi64>)
         outs(%init : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %0 = transform.structured.match ops{["embedding.dense_grad", "embedding.double_backward"]} in %root : (!transform.any_op) -> !transform.any_op
    %1, %2 = transform.structured.tile_using_for %0 tile_sizes [16]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
