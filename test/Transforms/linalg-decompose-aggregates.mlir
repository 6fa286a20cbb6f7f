// RUN: embedding-opt %s -linalg-decompose-aggregates | FileCheck %s

// CHECK-LABEL: func @softmax
// CHECK-NOT:     linalg.softmax
// CHECK:         arith.maxnumf
// CHECK:         math.exp
// CHECK:         arith.divf
func.func @softmax(%x: tensor<?x?xf32>, %init: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %0 = linalg.softmax dimension(1) ins(%x : tensor<?x?xf32>) outs(%init : tensor<?x?xf32>)
    -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// CHECK-LABEL: func @pack
// CHECK:         tensor.pad
// CHECK:         tensor.expand_shape
// CHECK:         linalg.transpose
func.func @pack(%x: tensor<7xf32>, %init: tensor<2x4xf32>, %value: f32) -> tensor<2x4xf32> {
  %0 = linalg.pack %x padding_value(%value : f32) inner_dims_pos = [0] inner_tiles = [4]
    into %init : tensor<7xf32> -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// CHECK-LABEL: func @unpack
// CHECK:         linalg.transpose
// CHECK:         tensor.collapse_shape
// CHECK:         tensor.extract_slice
func.func @unpack(%x: tensor<2x4xf32>, %init: tensor<7xf32>) -> tensor<7xf32> {
  %0 = linalg.unpack %x inner_dims_pos = [0] inner_tiles = [4] into %init
    : tensor<2x4xf32> -> tensor<7xf32>
  return %0 : tensor<7xf32>
}

// CHECK-LABEL: func @on_memrefs
// CHECK:         linalg.softmax
func.func @on_memrefs(%x: memref<?x?xf32>, %out: memref<?x?xf32>) {
  linalg.softmax dimension(1) ins(%x : memref<?x?xf32>) outs(%out : memref<?x?xf32>)
  return
}

// What is not linalg's is decomposed later.
// CHECK-LABEL: func @others
// CHECK:         embedding.dense_grad
func.func @others(%dy: tensor<?x4xf32>, %i: tensor<?xi64>, %g: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = embedding.dense_grad ins(%dy, %i : tensor<?x4xf32>, tensor<?xi64>)
    outs(%g : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
