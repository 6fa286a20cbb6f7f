// RUN: embedding-opt %s --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" \
// RUN:   --split-input-file | FileCheck %s

// In place: neither table nor destination is copied.
// CHECK-LABEL: func @in_place
// CHECK-SAME: %[[TABLE:.*]]: memref<?x64xf32>, %[[INDICES:.*]]: memref<?xi64>, %[[INIT:.*]]: memref<?x64xf32>
func.func @in_place(%table: tensor<?x64xf32>, %indices: tensor<?xi64>,
                    %init: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // CHECK-NOT: memref.alloc
  // CHECK: embedding.lookup padding_idx(1) out_of_range(zero) {tag = "x"} ins(%[[TABLE]], %[[INDICES]] : {{.*}}) outs(%[[INIT]] : memref<?x64xf32>)
  // CHECK: return %[[INIT]]
  %0 = embedding.lookup padding_idx(1) out_of_range(zero) {tag = "x"}
         ins(%table, %indices : tensor<?x64xf32>, tensor<?xi64>)
         outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// The destination's old value is read again: only then a copy.
// CHECK-LABEL: func @old_value_read
// CHECK-SAME: %{{.*}}: memref<4x3xf32>, %{{.*}}: memref<4xi64>, %[[INIT:.*]]: memref<4x3xf32>
func.func @old_value_read(%table: tensor<4x3xf32>, %indices: tensor<4xi64>,
                          %init: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>) {
  // CHECK: %[[ALLOC:.*]] = memref.alloc() {{.*}} : memref<4x3xf32>
  // A lookup overwrites its destination: the copy need not be filled.
  // CHECK-NOT: memref.copy
  // CHECK: embedding.lookup {{.*}} outs(%[[ALLOC]]
  // CHECK: return %[[ALLOC]], %[[INIT]]
  %0 = embedding.lookup ins(%table, %indices : tensor<4x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %0, %init : tensor<4x3xf32>, tensor<4x3xf32>
}

// -----

// A lookup cannot read the table that it overwrites.
// CHECK-LABEL: func @table_is_destination
// CHECK-SAME: %[[TABLE:.*]]: memref<4x3xf32>, %[[INDICES:.*]]: memref<4xi64>
func.func @table_is_destination(%table: tensor<4x3xf32>, %indices: tensor<4xi64>)
    -> tensor<4x3xf32> {
  // CHECK: %[[ALLOC:.*]] = memref.alloc
  // CHECK: embedding.lookup ins(%[[TABLE]], %[[INDICES]] : {{.*}}) outs(%[[ALLOC]]
  %0 = embedding.lookup ins(%table, %indices : tensor<4x3xf32>, tensor<4xi64>)
         outs(%table : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// -----

// CHECK-LABEL: func @find
// CHECK-SAME: %[[INDICES:.*]]: memref<4x?xi32>, %[[NUM_ROWS:.*]]: index
func.func @find(%indices: tensor<4x?xi32>, %num_rows: index) -> i64 {
  // CHECK: embedding.find_out_of_range %[[INDICES]], %[[NUM_ROWS]] : memref<4x?xi32>
  %0:3 = embedding.find_out_of_range %indices, %num_rows : tensor<4x?xi32>
  return %0#2 : i64
}

// -----

// The table is the destination: no copy.
// CHECK-LABEL: func @renorm_in_place
// CHECK-SAME: %[[TABLE:.*]]: memref<?x64xf32>, %[[INDICES:.*]]: memref<?xi64>
func.func @renorm_in_place(%table: tensor<?x64xf32>, %indices: tensor<?xi64>)
    -> tensor<?x64xf32> {
  // CHECK-NOT: memref.alloc
  // CHECK: embedding.renorm max_norm(1.000000e+00) out_of_range(clamp) {tag} ins(%[[INDICES]] : {{.*}}) outs(%[[TABLE]] : memref<?x64xf32>)
  // CHECK: return %[[TABLE]]
  %0 = embedding.renorm max_norm(1.0) out_of_range(clamp) {tag}
         ins(%indices : tensor<?xi64>) outs(%table : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// A gradient overwrites its destination; scalars stay what they are.
// CHECK-LABEL: func @gradients
// CHECK-SAME: %[[DY:.*]]: memref<4x3xf32>, %[[I:.*]]: memref<4xi64>, %[[R:.*]]: memref<4xi64>, %[[V:.*]]: memref<4x3xf32>, %[[C:.*]]: memref<i64>, %[[N:.*]]: index
func.func @gradients(%dy: tensor<4x3xf32>, %i: tensor<4xi64>, %r: tensor<4xi64>,
                     %v: tensor<4x3xf32>, %c: tensor<i64>, %n: index)
    -> (tensor<4xi64>, tensor<4x3xf32>, tensor<i64>, tensor<9x3xf32>) {
  // CHECK: embedding.sparse_grad num_rows(%[[N]]) padding_idx(1) scale_grad_by_freq ins(%[[DY]], %[[I]] : {{.*}}) outs(%[[R]], %[[V]], %[[C]] :
  %0:3 = embedding.sparse_grad num_rows(%n) padding_idx(1) scale_grad_by_freq
           ins(%dy, %i : tensor<4x3xf32>, tensor<4xi64>)
           outs(%r, %v, %c : tensor<4xi64>, tensor<4x3xf32>, tensor<i64>)
           -> tensor<4xi64>, tensor<4x3xf32>, tensor<i64>
  // CHECK: %[[GRAD:.*]] = memref.alloc() {{.*}} : memref<9x3xf32>
  // CHECK-NOT: memref.copy
  // CHECK: embedding.dense_grad {{.*}} outs(%[[GRAD]] :
  %init = tensor.empty() : tensor<9x3xf32>
  %1 = embedding.dense_grad ins(%dy, %i : tensor<4x3xf32>, tensor<4xi64>)
         outs(%init : tensor<9x3xf32>) -> tensor<9x3xf32>
  return %0#0, %0#1, %0#2, %1
    : tensor<4xi64>, tensor<4x3xf32>, tensor<i64>, tensor<9x3xf32>
}

// -----

// A table that may not be written: the copy that is updated has its values.
// CHECK-LABEL: func @renorm_lookup_of_constant
// CHECK-SAME: %[[TABLE:.*]]: memref<5x3xf32>, %[[I:.*]]: memref<2xi64>, %[[O:.*]]: memref<2x3xf32>
func.func @renorm_lookup_of_constant(%t: tensor<5x3xf32> {bufferization.writable = false},
                                     %i: tensor<2xi64>, %o: tensor<2x3xf32>)
    -> (tensor<5x3xf32>, tensor<2x3xf32>) {
  // CHECK: %[[COPY:.*]] = memref.alloc() {{.*}} : memref<5x3xf32>
  // CHECK: memref.copy %[[TABLE]], %[[COPY]]
  // CHECK: embedding.renorm_lookup {{.*}} outs(%[[COPY]], %[[O]]
  // CHECK: return %[[COPY]], %[[O]]
  %0:2 = embedding.renorm_lookup max_norm(1.0) ins(%i : tensor<2xi64>)
           outs(%t, %o : tensor<5x3xf32>, tensor<2x3xf32>)
           -> tensor<5x3xf32>, tensor<2x3xf32>
  return %0#0, %0#1 : tensor<5x3xf32>, tensor<2x3xf32>
}
