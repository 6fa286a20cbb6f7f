// One case for each constraint of the operation's documentation.
// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @double_backward_c1(%t: tensor<5xf32>, %i: tensor<4xi64>, %o: tensor<4x3xf32>) {
  // expected-error@+1 {{expected grad_grad_table to have rank 2}}
  %0 = embedding.double_backward ins(%t, %i : tensor<5xf32>, tensor<4xi64>) outs(%o : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @double_backward_c2(%t: tensor<5x3xf32>, %i: memref<4xi64>, %o: tensor<4x3xf32>) {
  // expected-error@+1 {{expected operands to be all tensors or all memrefs}}
  %0 = embedding.double_backward ins(%t, %i : tensor<5x3xf32>, memref<4xi64>) outs(%o : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @double_backward_c3(%t: tensor<5x3xf32>, %i: tensor<4xi64>, %o: tensor<4x3xf64>) {
  // expected-error@+1 {{expected elements of out to be those of grad_grad_table, 'f32', but got 'f64'}}
  %0 = embedding.double_backward ins(%t, %i : tensor<5x3xf32>, tensor<4xi64>) outs(%o : tensor<4x3xf64>) -> tensor<4x3xf64>
  return
}

// -----

func.func @double_backward_c4(%t: tensor<5x3xf32>, %i: tensor<4xi64>, %o: tensor<5x3xf32>) {
  // expected-error@+1 {{expected out to have the shape of indices and a row}}
  %0 = embedding.double_backward ins(%t, %i : tensor<5x3xf32>, tensor<4xi64>) outs(%o : tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @double_backward_c5(%t: tensor<5x3xf32>, %i: tensor<4xi64>, %o: tensor<4x3xf32>) {
  // expected-error@+1 {{expected padding_idx to be in [-5, 5), but got -6}}
  %0 = embedding.double_backward padding_idx(-6) ins(%t, %i : tensor<5x3xf32>, tensor<4xi64>) outs(%o : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @double_backward_c6_size(%t: memref<9x8xf32>, %i: memref<3xi64>, %w: memref<2xf32>, %o: memref<3x8xf32>) {
  // expected-error@+1 {{expected dimension 0 of weights to be 3, but got 2}}
  embedding.double_backward weights(%w : memref<2xf32>) ins(%t, %i : memref<9x8xf32>, memref<3xi64>) outs(%o : memref<3x8xf32>)
  return
}

// -----

func.func @double_backward_c6_both(%t: memref<9x8xf32>, %i: memref<3xi64>, %w: memref<3xf32>, %o: memref<3x8xf32>) {
  // expected-error@+1 {{expected either weights or scale_grad_by_freq, which makes them}}
  embedding.double_backward scale_grad_by_freq weights(%w : memref<3xf32>) ins(%t, %i : memref<9x8xf32>, memref<3xi64>) outs(%o : memref<3x8xf32>)
  return
}
