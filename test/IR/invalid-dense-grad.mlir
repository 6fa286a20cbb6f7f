// One case for each constraint of the operation's documentation.
// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @dense_grad_c1(%dy: tensor<4x3xf32>, %i: tensor<4xi64>, %o: tensor<5x3x1xf32>) {
  // expected-error@+1 {{expected grad_table to have rank 2}}
  %0 = embedding.dense_grad ins(%dy, %i : tensor<4x3xf32>, tensor<4xi64>) outs(%o : tensor<5x3x1xf32>) -> tensor<5x3x1xf32>
  return
}

// -----

func.func @dense_grad_c2(%dy: tensor<4x3xf32>, %i: memref<4xi64>, %o: tensor<5x3xf32>) {
  // expected-error@+1 {{expected operands to be all tensors or all memrefs}}
  %0 = embedding.dense_grad ins(%dy, %i : tensor<4x3xf32>, memref<4xi64>) outs(%o : tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @dense_grad_c3(%dy: tensor<4x3xf16>, %i: tensor<4xi64>, %o: tensor<5x3xf32>) {
  // expected-error@+1 {{expected elements of grad_output to be those of grad_table, 'f32', but got 'f16'}}
  %0 = embedding.dense_grad ins(%dy, %i : tensor<4x3xf16>, tensor<4xi64>) outs(%o : tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @dense_grad_c4_rank(%dy: tensor<2x2x3xf32>, %i: tensor<4xi64>, %o: tensor<5x3xf32>) {
  // expected-error@+1 {{expected grad_output to have the shape of indices and a row}}
  %0 = embedding.dense_grad ins(%dy, %i : tensor<2x2x3xf32>, tensor<4xi64>) outs(%o : tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @dense_grad_c4_row(%dy: tensor<4x2xf32>, %i: tensor<4xi64>, %o: tensor<5x3xf32>) {
  // expected-error@+1 {{expected grad_output to have the shape of indices and a row}}
  %0 = embedding.dense_grad ins(%dy, %i : tensor<4x2xf32>, tensor<4xi64>) outs(%o : tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @dense_grad_c5(%dy: tensor<4x3xf32>, %i: tensor<4xi64>, %o: tensor<5x3xf32>) {
  // expected-error@+1 {{expected padding_idx to be in [-5, 5), but got 5}}
  %0 = embedding.dense_grad padding_idx(5) ins(%dy, %i : tensor<4x3xf32>, tensor<4xi64>) outs(%o : tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @dense_grad_both_paddings(%dy: tensor<4x3xf32>, %i: tensor<4xi64>, %o: tensor<5x3xf32>, %p: index) {
  // expected-error@+1 {{expected padding_idx to be either a number or a value}}
  %0 = "embedding.dense_grad"(%dy, %i, %p, %o) <{padding_idx = [1 : i64]}> : (tensor<4x3xf32>, tensor<4xi64>, index, tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @dense_grad_integers(%dy: tensor<4x3xi32>, %i: tensor<4xi64>, %o: tensor<5x3xi32>) {
  // expected-error@+1 {{operand #0 must be}}
  %0 = embedding.dense_grad ins(%dy, %i : tensor<4x3xi32>, tensor<4xi64>) outs(%o : tensor<5x3xi32>) -> tensor<5x3xi32>
  return
}
