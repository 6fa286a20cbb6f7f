// The shape of a lookup comes from its sources, not from its destination.
// RUN: embedding-opt %s --resolve-ranked-shaped-type-result-dims --canonicalize | FileCheck %s

// CHECK-LABEL: func @dims
// CHECK-SAME: %[[TABLE:.*]]: tensor<?x?xf32>, %[[INDICES:.*]]: tensor<?x7xi64>
func.func @dims(%table: tensor<?x?xf32>, %indices: tensor<?x7xi64>, %init: tensor<?x7x?xf32>)
    -> (index, index, index) {
  // CHECK-DAG: %[[C0:.*]] = arith.constant 0
  // CHECK-DAG: %[[C1:.*]] = arith.constant 1
  // CHECK-DAG: %[[C7:.*]] = arith.constant 7
  // CHECK-DAG: %[[N:.*]] = tensor.dim %[[INDICES]], %[[C0]]
  // CHECK-DAG: %[[D:.*]] = tensor.dim %[[TABLE]], %[[C1]]
  // CHECK: return %[[N]], %[[C7]], %[[D]]
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %0 = embedding.lookup out_of_range(zero)
         ins(%table, %indices : tensor<?x?xf32>, tensor<?x7xi64>)
         outs(%init : tensor<?x7x?xf32>) -> tensor<?x7x?xf32>
  %1 = tensor.dim %0, %c0 : tensor<?x7x?xf32>
  %2 = tensor.dim %0, %c1 : tensor<?x7x?xf32>
  %3 = tensor.dim %0, %c2 : tensor<?x7x?xf32>
  return %1, %2, %3 : index, index, index
}

// Those of the training half have the shapes of their destinations.
// CHECK-LABEL: func @training
// CHECK-SAME: %{{.*}}: tensor<?x3xf32>, %{{.*}}: tensor<?xi64>, %{{.*}}: index, %[[ROWS:.*]]: tensor<?xi64>, %[[VALUES:.*]]: tensor<?x3xf32>, %{{.*}}: tensor<i64>
func.func @training(%dy: tensor<?x3xf32>, %i: tensor<?xi64>, %n: index, %r: tensor<?xi64>,
                    %v: tensor<?x3xf32>, %c: tensor<i64>) -> (index, index) {
  // CHECK-DAG: %[[R0:.*]] = tensor.dim %[[ROWS]], %c0
  // CHECK-DAG: %[[V0:.*]] = tensor.dim %[[VALUES]], %c0
  // CHECK: return %[[R0]], %[[V0]]
  %c0 = arith.constant 0 : index
  %0:3 = embedding.sparse_grad num_rows(%n) out_of_range(zero)
           ins(%dy, %i : tensor<?x3xf32>, tensor<?xi64>)
           outs(%r, %v, %c : tensor<?xi64>, tensor<?x3xf32>, tensor<i64>)
           -> tensor<?xi64>, tensor<?x3xf32>, tensor<i64>
  %1 = tensor.dim %0#0, %c0 : tensor<?xi64>
  %2 = tensor.dim %0#1, %c0 : tensor<?x3xf32>
  return %1, %2 : index, index
}
