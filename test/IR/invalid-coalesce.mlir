// One case for each constraint of the operation's documentation.
// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @coalesce_c1_indices(%i: tensor<2x2xi64>, %v: tensor<4x3xf32>, %n: index, %r: tensor<4xi64>,
    %s: tensor<4x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected indices to have rank 1}}
  %0:3 = embedding.coalesce num_rows(%n) ins(%i, %v : tensor<2x2xi64>, tensor<4x3xf32>) outs(%r, %s, %c : tensor<4xi64>, tensor<4x3xf32>, tensor<i64>) -> tensor<4xi64>, tensor<4x3xf32>, tensor<i64>
  return
}

// -----

func.func @coalesce_c1_values(%i: tensor<4xi64>, %v: tensor<4xf32>, %n: index, %r: tensor<4xi64>,
    %s: tensor<4x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected values to have rank 2}}
  %0:3 = embedding.coalesce num_rows(%n) ins(%i, %v : tensor<4xi64>, tensor<4xf32>) outs(%r, %s, %c : tensor<4xi64>, tensor<4x3xf32>, tensor<i64>) -> tensor<4xi64>, tensor<4x3xf32>, tensor<i64>
  return
}

// -----

func.func @coalesce_c1_rows(%i: tensor<4xi64>, %v: tensor<4x3xf32>, %n: index, %r: tensor<i64>,
    %s: tensor<4x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected rows to have rank 1}}
  %0:3 = embedding.coalesce num_rows(%n) ins(%i, %v : tensor<4xi64>, tensor<4x3xf32>) outs(%r, %s, %c : tensor<i64>, tensor<4x3xf32>, tensor<i64>) -> tensor<i64>, tensor<4x3xf32>, tensor<i64>
  return
}

// -----

func.func @coalesce_c1_sums(%i: tensor<4xi64>, %v: tensor<4x3xf32>, %n: index, %r: tensor<4xi64>,
    %s: tensor<4xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected sums to have rank 2}}
  %0:3 = embedding.coalesce num_rows(%n) ins(%i, %v : tensor<4xi64>, tensor<4x3xf32>) outs(%r, %s, %c : tensor<4xi64>, tensor<4xf32>, tensor<i64>) -> tensor<4xi64>, tensor<4xf32>, tensor<i64>
  return
}

// -----

func.func @coalesce_c1_nnz(%i: tensor<4xi64>, %v: tensor<4x3xf32>, %n: index, %r: tensor<4xi64>,
    %s: tensor<4x3xf32>, %c: tensor<1xi64>) {
  // expected-error@+1 {{expected nnz to have rank 0}}
  %0:3 = embedding.coalesce num_rows(%n) ins(%i, %v : tensor<4xi64>, tensor<4x3xf32>) outs(%r, %s, %c : tensor<4xi64>, tensor<4x3xf32>, tensor<1xi64>) -> tensor<4xi64>, tensor<4x3xf32>, tensor<1xi64>
  return
}

// -----

func.func @coalesce_c2(%i: memref<4xi64>, %v: tensor<4x3xf32>, %n: index, %r: tensor<4xi64>,
    %s: tensor<4x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected operands to be all tensors or all memrefs}}
  %0:3 = embedding.coalesce num_rows(%n) ins(%i, %v : memref<4xi64>, tensor<4x3xf32>) outs(%r, %s, %c : tensor<4xi64>, tensor<4x3xf32>, tensor<i64>) -> tensor<4xi64>, tensor<4x3xf32>, tensor<i64>
  return
}

// -----

func.func @coalesce_c3(%i: tensor<4xi64>, %v: tensor<4x3xf64>, %n: index, %r: tensor<4xi64>,
    %s: tensor<4x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected elements of sums to be those of values, 'f64', but got 'f32'}}
  %0:3 = embedding.coalesce num_rows(%n) ins(%i, %v : tensor<4xi64>, tensor<4x3xf64>) outs(%r, %s, %c : tensor<4xi64>, tensor<4x3xf32>, tensor<i64>) -> tensor<4xi64>, tensor<4x3xf32>, tensor<i64>
  return
}

// -----

func.func @coalesce_c4(%i: tensor<4xi64>, %v: tensor<3x3xf32>, %n: index, %r: tensor<4xi64>,
    %s: tensor<4x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected dimension 0 of values to be 4, but got 3}}
  %0:3 = embedding.coalesce num_rows(%n) ins(%i, %v : tensor<4xi64>, tensor<3x3xf32>) outs(%r, %s, %c : tensor<4xi64>, tensor<4x3xf32>, tensor<i64>) -> tensor<4xi64>, tensor<4x3xf32>, tensor<i64>
  return
}

// -----

func.func @coalesce_c5_rows(%i: tensor<4xi64>, %v: tensor<4x3xf32>, %n: index, %r: tensor<3xi64>,
    %s: tensor<4x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected dimension 0 of rows to be 4, but got 3}}
  %0:3 = embedding.coalesce num_rows(%n) ins(%i, %v : tensor<4xi64>, tensor<4x3xf32>) outs(%r, %s, %c : tensor<3xi64>, tensor<4x3xf32>, tensor<i64>) -> tensor<3xi64>, tensor<4x3xf32>, tensor<i64>
  return
}

// -----

func.func @coalesce_c5_sums(%i: tensor<4xi64>, %v: tensor<4x3xf32>, %n: index, %r: tensor<4xi64>,
    %s: tensor<3x3xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected dimension 0 of sums to be 4, but got 3}}
  %0:3 = embedding.coalesce num_rows(%n) ins(%i, %v : tensor<4xi64>, tensor<4x3xf32>) outs(%r, %s, %c : tensor<4xi64>, tensor<3x3xf32>, tensor<i64>) -> tensor<4xi64>, tensor<3x3xf32>, tensor<i64>
  return
}

// -----

func.func @coalesce_c5_row(%i: tensor<4xi64>, %v: tensor<4x3xf32>, %n: index, %r: tensor<4xi64>,
    %s: tensor<4x2xf32>, %c: tensor<i64>) {
  // expected-error@+1 {{expected dimension 1 of sums to be 3, but got 2}}
  %0:3 = embedding.coalesce num_rows(%n) ins(%i, %v : tensor<4xi64>, tensor<4x3xf32>) outs(%r, %s, %c : tensor<4xi64>, tensor<4x2xf32>, tensor<i64>) -> tensor<4xi64>, tensor<4x2xf32>, tensor<i64>
  return
}
