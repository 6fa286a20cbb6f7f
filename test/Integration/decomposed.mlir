// Operations that are lowered as what they are made of.
// RUN: embedding-run         --function=softmax %s --input="2x2xf32=0 0 1 1" | FileCheck %s --check-prefix=SOFTMAX
// RUN: embedding-run --naive --function=softmax %s --input="2x2xf32=0 0 1 1" | FileCheck %s --check-prefix=SOFTMAX
// SOFTMAX: 2x2xf32=[0.5 0.5][0.5 0.5]
func.func @softmax(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?x?xf32>
  %m = tensor.dim %x, %c1 : tensor<?x?xf32>
  %init = tensor.empty(%n, %m) : tensor<?x?xf32>
  %0 = linalg.softmax dimension(1) ins(%x : tensor<?x?xf32>) outs(%init : tensor<?x?xf32>)
         -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// RUN: embedding-run --function=pack %s --input="2x3xf32=1 2 3 4 5 6" | FileCheck %s --check-prefix=PACK
// PACK: 2x2x2xf32={{\[}}[1 2][4 5]{{\]\[}}[3 9][6 9]]
func.func @pack(%x: tensor<2x3xf32>) -> tensor<2x2x2xf32> {
  %nine = arith.constant 9.0 : f32
  %init = tensor.empty() : tensor<2x2x2xf32>
  %0 = linalg.pack %x padding_value(%nine : f32) outer_dims_perm = [1, 0] inner_dims_pos = [1]
         inner_tiles = [2] into %init : tensor<2x3xf32> -> tensor<2x2x2xf32>
  return %0 : tensor<2x2x2xf32>
}

// RUN: embedding-run --function=unpack %s --input="2x2x2xf32=1 2 4 5 3 9 6 9" | FileCheck %s --check-prefix=UNPACK
// UNPACK: 2x3xf32=[1 2 3][4 5 6]
func.func @unpack(%x: tensor<2x2x2xf32>) -> tensor<2x3xf32> {
  %init = tensor.empty() : tensor<2x3xf32>
  %0 = linalg.unpack %x outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [2]
         into %init : tensor<2x2x2xf32> -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
