// padding_idx, with the padding row zeroed: the second example of F.embedding.
func.func @embedding(%weights: tensor<10x3xf32>, %input: tensor<1x4xi64>)
    -> tensor<1x4x3xf32> {
  %c0 = arith.constant 0.0 : f32
  %zeros = tensor.splat %c0 : tensor<1x3xf32>
  %weight = tensor.insert_slice %zeros into %weights[0, 0] [1, 3] [1, 1]
      : tensor<1x3xf32> into tensor<10x3xf32>
  %init = tensor.empty() : tensor<1x4x3xf32>
  %output = embedding.lookup padding_idx(0)
      ins(%weight, %input : tensor<10x3xf32>, tensor<1x4xi64>)
      outs(%init : tensor<1x4x3xf32>) -> tensor<1x4x3xf32>
  return %output : tensor<1x4x3xf32>
}
