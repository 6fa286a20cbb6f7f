// RUN: embedding-opt %s --canonicalize | FileCheck %s

// A negative padding_idx counts from the end.
// CHECK-LABEL: func @padding
func.func @padding(%t: tensor<9x4xf32>, %i: tensor<2x3xi64>, %y: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // CHECK: embedding.bag mean padding_idx(8)
  %0 = embedding.bag mean padding_idx(-1) ins(%t, %i : tensor<9x4xf32>, tensor<2x3xi64>)
         outs(%y : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// Constant indices in range need no check.
// CHECK-LABEL: func @constant
func.func @constant(%t: tensor<9x4xf32>, %y: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %i = arith.constant dense<[[0, 8], [4, 4]]> : tensor<2x2xi64>
  // CHECK: embedding.bag sum out_of_range(assume)
  %0 = embedding.bag sum ins(%t, %i : tensor<9x4xf32>, tensor<2x2xi64>) outs(%y : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// What is cast to less is known, and properties stay.
// CHECK-LABEL: func @casts
// CHECK-SAME: %[[T:.*]]: tensor<9x4xf32>, %[[I:.*]]: tensor<6xi64>, %[[O:.*]]: tensor<3xi32>, %[[Y:.*]]: tensor<2x4xf32>, %[[W:.*]]: tensor<2x4xi64>
func.func @casts(%t: tensor<9x4xf32>, %i: tensor<6xi64>, %o: tensor<3xi32>, %y: tensor<2x4xf32>, %w: tensor<2x4xi64>)
    -> (tensor<?x4xf32>, tensor<?x4xi64>) {
  %t1 = tensor.cast %t : tensor<9x4xf32> to tensor<?x4xf32>
  %i1 = tensor.cast %i : tensor<6xi64> to tensor<?xi64>
  %o1 = tensor.cast %o : tensor<3xi32> to tensor<?xi32>
  %y1 = tensor.cast %y : tensor<2x4xf32> to tensor<?x4xf32>
  %w1 = tensor.cast %w : tensor<2x4xi64> to tensor<?x4xi64>
  // CHECK: embedding.bag max include_last_offset padding_idx(2) ins(%[[T]], %[[I]] : tensor<9x4xf32>, tensor<6xi64>) offsets(%[[O]] : tensor<3xi32>) outs(%[[Y]] : tensor<2x4xf32>) winners(%[[W]] : tensor<2x4xi64>) -> tensor<2x4xf32>, tensor<2x4xi64>
  %0:2 = embedding.bag max include_last_offset padding_idx(2) ins(%t1, %i1 : tensor<?x4xf32>, tensor<?xi64>)
           offsets(%o1 : tensor<?xi32>) outs(%y1 : tensor<?x4xf32>) winners(%w1 : tensor<?x4xi64>)
           -> tensor<?x4xf32>, tensor<?x4xi64>
  return %0#0, %0#1 : tensor<?x4xf32>, tensor<?x4xi64>
}

// CHECK-LABEL: func @memref_casts
func.func @memref_casts(%t: memref<9x4xf32>, %i: memref<2x3xi64>, %y: memref<2x4xf32>) {
  %t1 = memref.cast %t : memref<9x4xf32> to memref<?x?xf32>
  %i1 = memref.cast %i : memref<2x3xi64> to memref<?x?xi64>
  %y1 = memref.cast %y : memref<2x4xf32> to memref<?x?xf32>
  // CHECK: embedding.bag sum ins(%{{.*}}, %{{.*}} : memref<9x4xf32>, memref<2x3xi64>) outs(%{{.*}} : memref<2x4xf32>)
  embedding.bag sum ins(%t1, %i1 : memref<?x?xf32>, memref<?x?xi64>) outs(%y1 : memref<?x?xf32>)
  return
}

// What nobody reads goes, unless it may report something.
// CHECK-LABEL: func @dead
// CHECK-SAME: %{{.*}}, %{{.*}}, %[[LIST:.*]]: tensor<6xi64>, %[[O:.*]]: tensor<2xi64>
func.func @dead(%t: tensor<9x4xf32>, %rows: tensor<2x3xi64>, %list: tensor<6xi64>, %o: tensor<2xi64>, %y: tensor<2x4xf32>) {
  // CHECK-NEXT: embedding.bag sum ins(%{{.*}} : tensor<9x4xf32>, tensor<2x3xi64>)
  %0 = embedding.bag sum ins(%t, %rows : tensor<9x4xf32>, tensor<2x3xi64>) outs(%y : tensor<2x4xf32>) -> tensor<2x4xf32>
  // CHECK-NEXT: embedding.bag sum out_of_range(zero) ins(%{{.*}}, %[[LIST]] : {{.*}}) offsets(%[[O]] :
  %1 = embedding.bag sum out_of_range(zero) ins(%t, %list : tensor<9x4xf32>, tensor<6xi64>) offsets(%o : tensor<2xi64>)
         outs(%y : tensor<2x4xf32>) -> tensor<2x4xf32>
  // CHECK-NEXT: return
  %2 = embedding.bag sum assume_offsets out_of_range(zero) ins(%t, %list : tensor<9x4xf32>, tensor<6xi64>)
         offsets(%o : tensor<2xi64>) outs(%y : tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = embedding.bag sum out_of_range(clamp) ins(%t, %rows : tensor<9x4xf32>, tensor<2x3xi64>)
         outs(%y : tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}
