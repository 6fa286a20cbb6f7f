// One case for each constraint of the operation's documentation.
// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @sparse_grad_c1_rows(%dy: tensor<4x3xf32>, %i: tensor<4xi64>, %n: index, %r: tensor<4x1xi64>,
    %v: tensor<4x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected rows to have rank 1}}
  %0:3 = embedding.sparse_grad num_rows(%n) ins(%dy, %i : tensor<4x3xf32>, tensor<4xi64>) outs(%r, %v, %c : tensor<4x1xi64>, tensor<4x3xf32>, tensor<i64>) -> tensor<4x1xi64>, tensor<4x3xf32>, tensor<i64>
  return
}

// -----

func.func @sparse_grad_c1_values(%dy: tensor<4x3xf32>, %i: tensor<4xi64>, %n: index, %r: tensor<4xi64>,
    %v: tensor<4xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected values to have rank 2}}
  %0:3 = embedding.sparse_grad num_rows(%n) ins(%dy, %i : tensor<4x3xf32>, tensor<4xi64>) outs(%r, %v, %c : tensor<4xi64>, tensor<4xf32>, tensor<i64>) -> tensor<4xi64>, tensor<4xf32>, tensor<i64>
  return
}

// -----

func.func @sparse_grad_c1_nnz(%dy: tensor<4x3xf32>, %i: tensor<4xi64>, %n: index, %r: tensor<4xi64>,
    %v: tensor<4x3xf32>, %c: tensor<1xi64>) {
  // expected-error@+1 {{expected nnz to have rank 0}}
  %0:3 = embedding.sparse_grad num_rows(%n) ins(%dy, %i : tensor<4x3xf32>, tensor<4xi64>) outs(%r, %v, %c : tensor<4xi64>, tensor<4x3xf32>, tensor<1xi64>) -> tensor<4xi64>, tensor<4x3xf32>, tensor<1xi64>
  return
}

// -----

func.func @sparse_grad_c2(%dy: tensor<4x3xf32>, %i: memref<4xi64>, %n: index, %r: tensor<4xi64>,
    %v: tensor<4x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected operands to be all tensors or all memrefs}}
  %0:3 = embedding.sparse_grad num_rows(%n) ins(%dy, %i : tensor<4x3xf32>, memref<4xi64>) outs(%r, %v, %c : tensor<4xi64>, tensor<4x3xf32>, tensor<i64>) -> tensor<4xi64>, tensor<4x3xf32>, tensor<i64>
  return
}

// -----

func.func @sparse_grad_c3(%dy: tensor<4x3xf16>, %i: tensor<4xi64>, %n: index, %r: tensor<4xi64>,
    %v: tensor<4x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected elements of grad_output to be those of values, 'f32', but got 'f16'}}
  %0:3 = embedding.sparse_grad num_rows(%n) ins(%dy, %i : tensor<4x3xf16>, tensor<4xi64>) outs(%r, %v, %c : tensor<4xi64>, tensor<4x3xf32>, tensor<i64>) -> tensor<4xi64>, tensor<4x3xf32>, tensor<i64>
  return
}

// -----

func.func @sparse_grad_c4(%dy: tensor<4x2xf32>, %i: tensor<4xi64>, %n: index, %r: tensor<4xi64>,
    %v: tensor<4x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected grad_output to have the shape of indices and a row}}
  %0:3 = embedding.sparse_grad num_rows(%n) ins(%dy, %i : tensor<4x2xf32>, tensor<4xi64>) outs(%r, %v, %c : tensor<4xi64>, tensor<4x3xf32>, tensor<i64>) -> tensor<4xi64>, tensor<4x3xf32>, tensor<i64>
  return
}

// -----

func.func @sparse_grad_c5_rows(%dy: tensor<4x3xf32>, %i: tensor<4xi64>, %n: index, %r: tensor<5xi64>,
    %v: tensor<4x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected dimension 0 of rows to be 4, but got 5}}
  %0:3 = embedding.sparse_grad num_rows(%n) ins(%dy, %i : tensor<4x3xf32>, tensor<4xi64>) outs(%r, %v, %c : tensor<5xi64>, tensor<4x3xf32>, tensor<i64>) -> tensor<5xi64>, tensor<4x3xf32>, tensor<i64>
  return
}

// -----

func.func @sparse_grad_c5_values(%dy: tensor<4x3xf32>, %i: tensor<4xi64>, %n: index, %r: tensor<4xi64>,
    %v: tensor<5x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected dimension 0 of values to be 4, but got 5}}
  %0:3 = embedding.sparse_grad num_rows(%n) ins(%dy, %i : tensor<4x3xf32>, tensor<4xi64>) outs(%r, %v, %c : tensor<4xi64>, tensor<5x3xf32>, tensor<i64>) -> tensor<4xi64>, tensor<5x3xf32>, tensor<i64>
  return
}

// -----

func.func @sparse_grad_c6(%dy: tensor<4x3xf32>, %i: tensor<4xi64>, %r: tensor<4xi64>,
    %v: tensor<4x3xf32>, %c: tensor<i64>) {
  %n = arith.constant 7 : index
  // expected-error@+1 {{expected padding_idx to be in [-7, 7), but got -8}}
  %0:3 = embedding.sparse_grad num_rows(%n) padding_idx(-8) ins(%dy, %i : tensor<4x3xf32>, tensor<4xi64>) outs(%r, %v, %c : tensor<4xi64>, tensor<4x3xf32>, tensor<i64>) -> tensor<4xi64>, tensor<4x3xf32>, tensor<i64>
  return
}

// -----

func.func @sparse_grad_c7_size(%dy: memref<3x8xf16>, %i: memref<3xi64>, %n: index, %w: memref<4xf32>,
                               %r: memref<3xi64>, %v: memref<3x8xf16>, %c: memref<i64>) {
  // expected-error@+1 {{expected dimension 0 of weights to be 3, but got 4}}
  embedding.sparse_grad num_rows(%n) weights(%w : memref<4xf32>) ins(%dy, %i : memref<3x8xf16>, memref<3xi64>) outs(%r, %v, %c : memref<3xi64>, memref<3x8xf16>, memref<i64>)
  return
}

// -----

func.func @sparse_grad_c7_elements(%dy: memref<3x8xf16>, %i: memref<3xi64>, %n: index, %w: memref<3xf64>,
                                   %r: memref<3xi64>, %v: memref<3x8xf16>, %c: memref<i64>) {
  // expected-error@+1 {{expected elements of weights to be 'f32', which sums of 'f16' are taken in, but got 'f64'}}
  embedding.sparse_grad num_rows(%n) weights(%w : memref<3xf64>) ins(%dy, %i : memref<3x8xf16>, memref<3xi64>) outs(%r, %v, %c : memref<3xi64>, memref<3x8xf16>, memref<i64>)
  return
}

// -----

func.func @sparse_grad_c7_both(%dy: memref<3x8xf64>, %i: memref<3xi64>, %n: index, %w: memref<3xf64>,
                               %r: memref<3xi64>, %v: memref<3x8xf64>, %c: memref<i64>) {
  // expected-error@+1 {{expected either weights or scale_grad_by_freq, which makes them}}
  embedding.sparse_grad num_rows(%n) scale_grad_by_freq weights(%w : memref<3xf64>) ins(%dy, %i : memref<3x8xf64>, memref<3xi64>) outs(%r, %v, %c : memref<3xi64>, memref<3x8xf64>, memref<i64>)
  return
}
