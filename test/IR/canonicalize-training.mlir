// RUN: embedding-opt %s --canonicalize --split-input-file | FileCheck %s

// CHECK-LABEL: func @constant_indices
func.func @constant_indices(%t: tensor<5x3xf32>, %dy: tensor<2x3xf32>)
    -> (tensor<5x3xf32>, tensor<5x3xf32>, tensor<5x3xf32>) {
  %i = arith.constant dense<[4, 0]> : tensor<2xi64>
  %bad = arith.constant dense<[5, 0]> : tensor<2xi64>
  // CHECK: embedding.renorm max_norm(1.000000e+00) out_of_range(assume)
  %0 = embedding.renorm max_norm(1.0) ins(%i : tensor<2xi64>)
         outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  // CHECK: embedding.dense_grad out_of_range(assume)
  %1 = embedding.dense_grad ins(%dy, %i : tensor<2x3xf32>, tensor<2xi64>)
         outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  // CHECK: embedding.dense_grad ins
  %2 = embedding.dense_grad ins(%dy, %bad : tensor<2x3xf32>, tensor<2xi64>)
         outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  return %0, %1, %2 : tensor<5x3xf32>, tensor<5x3xf32>, tensor<5x3xf32>
}

// -----

// The number of rows is an operand where there is no table.
// CHECK-LABEL: func @constant_num_rows
func.func @constant_num_rows(%r: tensor<2xi64>, %o: tensor<3xi64>, %p: tensor<2xi64>,
                             %c: tensor<i64>) -> tensor<2xi64> {
  %i = arith.constant dense<[4, 0]> : tensor<2xi64>
  %n = arith.constant 5 : index
  // CHECK: embedding.group num_rows(%{{.*}}) padding_idx(4) out_of_range(assume)
  %0:4 = embedding.group num_rows(%n) padding_idx(-1) ins(%i : tensor<2xi64>)
           outs(%r, %o, %p, %c : tensor<2xi64>, tensor<3xi64>, tensor<2xi64>, tensor<i64>)
           -> tensor<2xi64>, tensor<3xi64>, tensor<2xi64>, tensor<i64>
  return %0#0 : tensor<2xi64>
}

// -----

// A dead operation is its check; without one it is nothing.
// CHECK-LABEL: func @dead
func.func @dead(%t: tensor<5x3xf32>, %i: tensor<2xi64>, %dy: tensor<2x3xf32>) {
  // CHECK-NOT: embedding.dense_grad
  // CHECK: embedding.find_out_of_range
  // CHECK-NEXT: embedding.report_out_of_range
  // CHECK-NEXT: return
  %0 = embedding.dense_grad ins(%dy, %i : tensor<2x3xf32>, tensor<2xi64>)
         outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  %1 = embedding.dense_grad out_of_range(zero)
         ins(%dy, %i : tensor<2x3xf32>, tensor<2xi64>)
         outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

// CHECK-LABEL: func @negative_padding
func.func @negative_padding(%t: tensor<5x3xf32>, %i: tensor<2xi64>,
                            %dy: tensor<2x3xf32>) -> (tensor<5x3xf32>, tensor<2x3xf32>) {
  // CHECK: embedding.dense_grad padding_idx(4)
  %0 = embedding.dense_grad padding_idx(-1) ins(%dy, %i : tensor<2x3xf32>, tensor<2xi64>)
         outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  // CHECK: embedding.double_backward padding_idx(0)
  %1 = embedding.double_backward padding_idx(-5)
         ins(%t, %i : tensor<5x3xf32>, tensor<2xi64>)
         outs(%dy : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0, %1 : tensor<5x3xf32>, tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func @idle_renorm
// CHECK-SAME: %[[T:.*]]: tensor<5x3xf32>, %[[NONE:.*]]: tensor<0xi64>, %[[I:.*]]: tensor<2xi64>
func.func @idle_renorm(%t: tensor<5x3xf32>, %none: tensor<0xi64>, %i: tensor<2xi64>)
    -> (tensor<5x3xf32>, tensor<5x3xf32>, tensor<5x3xf32>) {
  // Nothing is named, and no norm exceeds infinity; but every norm exceeds -inf.
  // CHECK-NOT: ins(%[[NONE]]
  // CHECK: embedding.find_out_of_range %[[I]]
  // CHECK: %[[SCALED:.*]] = embedding.renorm
  // CHECK: return %[[T]], %[[T]], %[[SCALED]]
  %0 = embedding.renorm max_norm(1.0) ins(%none : tensor<0xi64>)
         outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  %1 = embedding.renorm max_norm(0x7FF0000000000000) ins(%i : tensor<2xi64>)
         outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  %2 = embedding.renorm max_norm(0xFFF0000000000000) ins(%i : tensor<2xi64>)
         outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  return %0, %1, %2 : tensor<5x3xf32>, tensor<5x3xf32>, tensor<5x3xf32>
}

// -----

// CHECK-LABEL: func @dead_lookup
func.func @dead_lookup(%t: tensor<5x3xf32>, %i: tensor<2xi64>, %o: tensor<2x3xf32>,
                       %m: f64) -> tensor<5x3xf32> {
  // CHECK-NOT: renorm_lookup
  // CHECK: embedding.renorm max_norm(%{{.*}}) norm_type(1.000000e+00) out_of_range(clamp)
  %0:2 = embedding.renorm_lookup max_norm(%m) norm_type(1.0) out_of_range(clamp)
           ins(%i : tensor<2xi64>) outs(%t, %o : tensor<5x3xf32>, tensor<2x3xf32>)
           -> tensor<5x3xf32>, tensor<2x3xf32>
  return %0#0 : tensor<5x3xf32>
}

// -----

// CHECK-LABEL: func @double_backward_is_lookup
func.func @double_backward_is_lookup(%t: memref<5x3xf32>, %i: memref<2xi64>,
                                     %o: memref<2x3xf32>) {
  // CHECK: embedding.lookup out_of_range(zero)
  embedding.double_backward out_of_range(zero) ins(%t, %i : memref<5x3xf32>, memref<2xi64>)
    outs(%o : memref<2x3xf32>)
  // CHECK: embedding.double_backward scale_grad_by_freq
  embedding.double_backward scale_grad_by_freq
    ins(%t, %i : memref<5x3xf32>, memref<2xi64>) outs(%o : memref<2x3xf32>)
  return
}

// -----

// CHECK-LABEL: func @memref_cast
// CHECK-SAME: %{{.*}}: memref<5x3xf32>, %[[I:.*]]: memref<2xi64>
func.func @memref_cast(%t: memref<5x3xf32>, %i: memref<2xi64>) {
  // CHECK: embedding.renorm {{.*}} ins(%[[I]] : memref<2xi64>)
  %cast = memref.cast %i : memref<2xi64> to memref<?xi64>
  embedding.renorm max_norm(1.0) ins(%cast : memref<?xi64>) outs(%t : memref<5x3xf32>)
  return
}

// What is said of an operation stays when it knows more of its tensors.
// CHECK-LABEL: func @casts_keep_properties
func.func @casts_keep_properties(%t: tensor<?x3xf32>, %i: tensor<2xi64>, %dy: tensor<2x3xf32>, %n: index)
    -> (tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>) {
  %table = tensor.cast %t : tensor<?x3xf32> to tensor<?x?xf32>
  %indices = tensor.cast %i : tensor<2xi64> to tensor<?xi64>
  %grad = tensor.cast %dy : tensor<2x3xf32> to tensor<?x?xf32>
  // CHECK: embedding.lookup padding_idx(1) out_of_range(zero) ins(%{{.*}} : tensor<?x3xf32>, tensor<2xi64>) outs(%{{.*}} : tensor<2x3xf32>)
  %0 = embedding.lookup padding_idx(1) out_of_range(zero)
    ins(%table, %indices : tensor<?x?xf32>, tensor<?xi64>) outs(%grad : tensor<?x?xf32>) -> tensor<?x?xf32>
  // CHECK: embedding.renorm max_norm(5.000000e-01) norm_type(1.000000e+00) out_of_range(clamp) {embedding.schedule = #embedding.schedule<grouping = radix_sort>} ins(%{{.*}} : tensor<2xi64>)
  %1 = embedding.renorm max_norm(0.5) norm_type(1.0) out_of_range(clamp) {embedding.schedule = #embedding.schedule<grouping = radix_sort>}
    ins(%indices : tensor<?xi64>) outs(%table : tensor<?x?xf32>) -> tensor<?x?xf32>
  // CHECK: embedding.dense_grad padding_idx(1) scale_grad_by_freq out_of_range(assume) ins(%{{.*}} : tensor<2x3xf32>, tensor<2xi64>) outs(%{{.*}} : tensor<?x3xf32>)
  %2 = embedding.dense_grad padding_idx(1) scale_grad_by_freq out_of_range(assume)
    ins(%grad, %indices : tensor<?x?xf32>, tensor<?xi64>) outs(%table : tensor<?x?xf32>) -> tensor<?x?xf32>
  // CHECK: embedding.double_backward padding_idx(1) out_of_range(zero) ins(%{{.*}} : tensor<?x3xf32>, tensor<2xi64>) outs(%{{.*}} : tensor<2x3xf32>)
  %3 = embedding.double_backward padding_idx(1) out_of_range(zero)
    ins(%table, %indices : tensor<?x?xf32>, tensor<?xi64>) outs(%grad : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %0, %1, %2, %3 : tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>
}
