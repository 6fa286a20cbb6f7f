// A batch of 2 samples of 4 indices each: the first example of F.embedding.
func.func @embedding(%weight: tensor<10x3xf32>, %input: tensor<2x4xi64>)
    -> tensor<2x4x3xf32> {
  %init = tensor.empty() : tensor<2x4x3xf32>
  %output = embedding.lookup
      ins(%weight, %input : tensor<10x3xf32>, tensor<2x4xi64>)
      outs(%init : tensor<2x4x3xf32>) -> tensor<2x4x3xf32>
  return %output : tensor<2x4x3xf32>
}
