// One case for each constraint of the operation's documentation.
// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @renorm_c1(%t: tensor<5xf32>, %i: tensor<4xi64>) {
  // expected-error@+1 {{expected table to have rank 2, but got 'tensor<5xf32>'}}
  %0 = embedding.renorm max_norm(1.0) ins(%i : tensor<4xi64>) outs(%t : tensor<5xf32>) -> tensor<5xf32>
  return
}

// -----

func.func @renorm_c2_forms(%t: tensor<5x3xf32>, %i: memref<4xi64>) {
  // expected-error@+1 {{expected operands to be all tensors or all memrefs}}
  %0 = embedding.renorm max_norm(1.0) ins(%i : memref<4xi64>) outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @renorm_c2_result(%t: tensor<5x3xf32>, %i: tensor<4xi64>) {
  // expected-error@+1 {{expected the number of tensor results}}
  embedding.renorm max_norm(1.0) ins(%i : tensor<4xi64>) outs(%t : tensor<5x3xf32>)
  return
}

// -----

func.func @renorm_c3_max_norm(%t: tensor<5x3xf32>, %i: tensor<4xi64>) {
  // expected-error@+1 {{expected max_norm not to be NaN}}
  %0 = embedding.renorm max_norm(0x7FF8000000000000) ins(%i : tensor<4xi64>) outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @renorm_c3_norm_type(%t: tensor<5x3xf32>, %i: tensor<4xi64>) {
  // expected-error@+1 {{expected norm_type not to be NaN}}
  %0 = embedding.renorm max_norm(1.0) norm_type(0x7FF8000000000000) ins(%i : tensor<4xi64>) outs(%t : tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @renorm_both_max_norms(%t: tensor<5x3xf32>, %i: tensor<4xi64>, %m: f64) {
  // expected-error@+1 {{expected max_norm to be either a number or a value}}
  %0 = "embedding.renorm"(%i, %m, %t) <{max_norm = 1.0 : f64}> : (tensor<4xi64>, f64, tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @renorm_no_max_norm(%t: tensor<5x3xf32>, %i: tensor<4xi64>) {
  // expected-error@+1 {{expected max_norm to be either a number or a value}}
  %0 = "embedding.renorm"(%i, %t) : (tensor<4xi64>, tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @renorm_integers(%t: tensor<5x3xi32>, %i: tensor<4xi64>) {
  // expected-error@+1 {{operand #1 must be}}
  %0 = embedding.renorm max_norm(1.0) ins(%i : tensor<4xi64>) outs(%t : tensor<5x3xi32>) -> tensor<5x3xi32>
  return
}
