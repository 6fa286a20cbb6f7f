// RUN: embedding-opt %s -inline | FileCheck %s

// CHECK-LABEL: func.func @caller
// CHECK-NOT:     call
// CHECK:         embedding.lookup
func.func @caller(%table: tensor<?x64xf32>, %indices: tensor<8xi64>,
                  %init: tensor<8x64xf32>) -> tensor<8x64xf32> {
  %0 = call @callee(%table, %indices, %init)
    : (tensor<?x64xf32>, tensor<8xi64>, tensor<8x64xf32>) -> tensor<8x64xf32>
  return %0 : tensor<8x64xf32>
}
func.func private @callee(%table: tensor<?x64xf32>, %indices: tensor<8xi64>,
                          %init: tensor<8x64xf32>) -> tensor<8x64xf32> {
  %0 = embedding.lookup ins(%table, %indices : tensor<?x64xf32>, tensor<8xi64>)
    outs(%init : tensor<8x64xf32>) -> tensor<8x64xf32>
  return %0 : tensor<8x64xf32>
}
