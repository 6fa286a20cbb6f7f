// RUN: embedding-opt %s -tensor-erase-empty-tensors -canonicalize -split-input-file | FileCheck %s

// CHECK-LABEL: func @collapse
// CHECK-SAME:    %[[X:.*]]: tensor<?x0x?xf32>
// CHECK:         %[[M:.*]] = tensor.dim %[[X]], %c2
// CHECK:         %[[EMPTY:.*]] = tensor.empty(%[[M]]) : tensor<0x?xf32>
// CHECK:         %[[CAST:.*]] = tensor.cast %[[EMPTY]] : tensor<0x?xf32> to tensor<?x?xf32>
// CHECK:         return %[[CAST]]
func.func @collapse(%x: tensor<?x0x?xf32>) -> tensor<?x?xf32> {
  %0 = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x0x?xf32> into tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// -----

// CHECK:       #[[PADDED:.*]] = affine_map<()[s0] -> (s0 + 3)>
// CHECK-LABEL: func @pad
// CHECK-SAME:    %{{.*}}: tensor<3x0xf32>, %[[LOW:.*]]: index
// CHECK:         %[[N:.*]] = affine.apply #[[PADDED]]()[%[[LOW]]]
// CHECK:         %[[EMPTY:.*]] = tensor.empty(%[[N]]) : tensor<?x0xf32>
// CHECK:         return %[[EMPTY]]
// CHECK-NOT:     tensor.pad
func.func @pad(%x: tensor<3x0xf32>, %low: index, %value: f32) -> tensor<?x0xf32> {
  %0 = tensor.pad %x low[%low, 0] high[0, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %value : f32
  } : tensor<3x0xf32> to tensor<?x0xf32>
  return %0 : tensor<?x0xf32>
}

// -----

// CHECK-LABEL: func @pad_to_some
// CHECK-SAME:    %{{.*}}: tensor<3x0xf32>, %[[LOW:.*]]: index, %[[VALUE:.*]]: f32
// CHECK:         tensor.generate %[[LOW]] {
// CHECK:           tensor.yield %[[VALUE]]
// CHECK:         } : tensor<3x?xf32>
func.func @pad_to_some(%x: tensor<3x0xf32>, %low: index, %value: f32) -> tensor<3x?xf32> {
  %0 = tensor.pad %x low[0, %low] high[0, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %value : f32
  } : tensor<3x0xf32> to tensor<3x?xf32>
  return %0 : tensor<3x?xf32>
}

// -----

// CHECK-LABEL: func @concat
// CHECK-SAME:    %[[A:.*]]: tensor<3x4xf32>, %{{.*}}: tensor<3x0xf32>, %[[B:.*]]: tensor<3x5xf32>
// CHECK:         tensor.concat dim(1) %[[A]], %[[B]] : (tensor<3x4xf32>, tensor<3x5xf32>) -> tensor<3x9xf32>
func.func @concat(%a: tensor<3x4xf32>, %none: tensor<3x0xf32>, %b: tensor<3x5xf32>)
    -> tensor<3x9xf32> {
  %0 = tensor.concat dim(1) %a, %b, %none
    : (tensor<3x4xf32>, tensor<3x5xf32>, tensor<3x0xf32>) -> tensor<3x9xf32>
  return %0 : tensor<3x9xf32>
}

// -----

// CHECK-LABEL: func @others
// CHECK:         tensor.pad
// CHECK:         tensor.concat
// CHECK:         tensor.collapse_shape
func.func @others(%x: tensor<?x?xf32>, %low: index, %value: f32) -> tensor<?xf32> {
  %0 = tensor.pad %x low[%low, 0] high[0, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %value : f32
  } : tensor<?x?xf32> to tensor<?x?xf32>
  %1 = tensor.concat dim(0) %0, %x : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<?x?xf32>
  %2 = tensor.collapse_shape %1 [[0, 1]] : tensor<?x?xf32> into tensor<?xf32>
  return %2 : tensor<?xf32>
}
