// The embedding layer of a small language model, into memory of the caller's.
func.func @embedding(%weight: tensor<50000x768xf32>, %input: tensor<8x512xi64>,
                     %init: tensor<8x512x768xf32>) -> tensor<8x512x768xf32> {
  %output = embedding.lookup
      ins(%weight, %input : tensor<50000x768xf32>, tensor<8x512xi64>)
      outs(%init : tensor<8x512x768xf32>) -> tensor<8x512x768xf32>
  return %output : tensor<8x512x768xf32>
}
