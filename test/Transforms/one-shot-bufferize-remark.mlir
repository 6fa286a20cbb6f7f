// A copy of a table does not go unnoticed.
// RUN: embedding-opt %s --one-shot-bufferize=bufferize-function-boundaries --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func @value_before_is_read_again
func.func @value_before_is_read_again(%t: tensor<4x2xf32>, %i: tensor<3xi64>)
    -> (tensor<4x2xf32>, tensor<4x2xf32>) {
  // CHECK: memref.alloc
  // CHECK: memref.copy
  // CHECK: embedding.renorm
  // expected-remark@+1 {{copies the table, because its value before is read again}}
  %0 = embedding.renorm max_norm(1.0) ins(%i : tensor<3xi64>)
         outs(%t : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %t, %0 : tensor<4x2xf32>, tensor<4x2xf32>
}
