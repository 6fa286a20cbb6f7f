// RUN: embedding-opt %s --embedding-fuse-renorm-lookup | FileCheck %s

// CHECK-LABEL: func @on_tensors
// CHECK-SAME: %[[T:.*]]: tensor<5x3xf32>, %[[I:.*]]: tensor<2xi64>, %[[INIT:.*]]: tensor<2x3xf32>
func.func @on_tensors(%t: tensor<5x3xf32>, %i: tensor<2xi64>, %init: tensor<2x3xf32>)
    -> (tensor<5x3xf32>, tensor<2x3xf32>) {
  // CHECK: %[[BOTH:.*]]:2 = embedding.renorm_lookup max_norm(1.000000e+00) norm_type(1.000000e+00) ins(%[[I]] : tensor<2xi64>) outs(%[[T]], %[[INIT]] :
  // CHECK: return %[[BOTH]]#0, %[[BOTH]]#1
  %t1 = embedding.renorm max_norm(1.0) norm_type(1.0) ins(%i : tensor<2xi64>)
          outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  %y = embedding.lookup padding_idx(0) ins(%t1, %i : tensor<5x3xf32>, tensor<2xi64>)
         outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %t1, %y : tensor<5x3xf32>, tensor<2x3xf32>
}

// CHECK-LABEL: func @on_memrefs
// CHECK-SAME: %[[T:.*]]: memref<5x3xf32>, %[[I:.*]]: memref<2xi64>, %[[OUT:.*]]: memref<2x3xf32>, %[[M:.*]]: f64
func.func @on_memrefs(%t: memref<5x3xf32>, %i: memref<2xi64>, %out: memref<2x3xf32>, %m: f64) {
  // CHECK-NOT: embedding.renorm max_norm
  // CHECK: embedding.renorm_lookup max_norm(%[[M]]) ins(%[[I]] : memref<2xi64>) outs(%[[T]], %[[OUT]] :
  // CHECK-NOT: embedding.lookup
  embedding.renorm max_norm(%m) ins(%i : memref<2xi64>) outs(%t : memref<5x3xf32>)
  %c = arith.constant 0 : index
  embedding.lookup ins(%t, %i : memref<5x3xf32>, memref<2xi64>) outs(%out : memref<2x3xf32>)
  return
}

// CHECK-LABEL: func @store_between
func.func @store_between(%t: memref<5x3xf32>, %i: memref<2xi64>, %out: memref<2x3xf32>,
                         %k: index, %x: f32) {
  // CHECK: embedding.renorm max_norm
  // CHECK: memref.store
  // CHECK: embedding.lookup
  embedding.renorm max_norm(1.0) ins(%i : memref<2xi64>) outs(%t : memref<5x3xf32>)
  memref.store %x, %t[%k, %k] : memref<5x3xf32>
  embedding.lookup ins(%t, %i : memref<5x3xf32>, memref<2xi64>) outs(%out : memref<2x3xf32>)
  return
}

// CHECK-LABEL: func @other_indices
func.func @other_indices(%t: tensor<5x3xf32>, %i: tensor<2xi64>, %j: tensor<2xi64>,
                         %init: tensor<2x3xf32>) -> (tensor<5x3xf32>, tensor<2x3xf32>) {
  // CHECK: embedding.renorm max_norm
  // CHECK: embedding.lookup
  %t1 = embedding.renorm max_norm(1.0) ins(%i : tensor<2xi64>)
          outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  %y = embedding.lookup ins(%t1, %j : tensor<5x3xf32>, tensor<2xi64>)
         outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %t1, %y : tensor<5x3xf32>, tensor<2x3xf32>
}

// CHECK-LABEL: func @other_mode
func.func @other_mode(%t: tensor<5x3xf32>, %i: tensor<2xi64>, %init: tensor<2x3xf32>)
    -> tensor<2x3xf32> {
  // CHECK: embedding.renorm max_norm
  // CHECK: embedding.lookup out_of_range(zero)
  %t1 = embedding.renorm max_norm(1.0) out_of_range(clamp) ins(%i : tensor<2xi64>)
          outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  %y = embedding.lookup out_of_range(zero) ins(%t1, %i : tensor<5x3xf32>, tensor<2xi64>)
         outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// CHECK-LABEL: func @used_before
func.func @used_before(%t: tensor<5x3xf32>, %i: tensor<2xi64>)
    -> (tensor<5x3xf32>, tensor<2x3xf32>) {
  // CHECK: embedding.renorm max_norm
  // CHECK: embedding.lookup
  %t1 = embedding.renorm max_norm(1.0) ins(%i : tensor<2xi64>)
          outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  %init = tensor.extract_slice %t1[0, 0] [2, 3] [1, 1]
    : tensor<5x3xf32> to tensor<2x3xf32>
  %y = embedding.lookup ins(%t1, %i : tensor<5x3xf32>, tensor<2xi64>)
         outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %t1, %y : tensor<5x3xf32>, tensor<2x3xf32>
}
