// One case for each constraint of the operation's documentation.
// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @reduce_c1_values(%x: tensor<4xf32>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                            %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected values to have rank 2 or more, but got 'tensor<4xf32>'}}
  %0 = embedding.reduce ins(%x, %p, %o, %n : tensor<4xf32>, tensor<4xi64>, tensor<5xi64>, tensor<i64>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c1_sums(%x: tensor<4x2xf32>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                          %s: tensor<4x1x2xf32>) {
  // expected-error@+1 {{operand #4 must be 2D tensor}}
  %0 = embedding.reduce ins(%x, %p, %o, %n : tensor<4x2xf32>, tensor<4xi64>, tensor<5xi64>, tensor<i64>) outs(%s : tensor<4x1x2xf32>) -> tensor<4x1x2xf32>
  return
}

// -----

func.func @reduce_c2(%x: memref<4x2xf32>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                     %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected operands to be all tensors or all memrefs}}
  %0 = embedding.reduce ins(%x, %p, %o, %n : memref<4x2xf32>, tensor<4xi64>, tensor<5xi64>, tensor<i64>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c2_results(%x: tensor<4x2xf32>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                             %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected the number of tensor results (0) to be equal to the number of output tensors (1)}}
  embedding.reduce ins(%x, %p, %o, %n : tensor<4x2xf32>, tensor<4xi64>, tensor<5xi64>, tensor<i64>) outs(%s : tensor<4x2xf32>)
  return
}

// -----

func.func @reduce_c3(%x: tensor<4x2xf16>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                     %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected elements of values to be those of sums, 'f32', but got 'f16'}}
  %0 = embedding.reduce ins(%x, %p, %o, %n : tensor<4x2xf16>, tensor<4xi64>, tensor<5xi64>, tensor<i64>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c4(%x: tensor<2x4x3xf32>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                     %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected dimension 2 of values to be 2, but got 3}}
  %0 = embedding.reduce ins(%x, %p, %o, %n : tensor<2x4x3xf32>, tensor<4xi64>, tensor<5xi64>, tensor<i64>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c5_list(%x: tensor<4x2xf32>, %p: tensor<4xi64>, %o: tensor<4xi64>, %n: tensor<i64>,
                          %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected dimension 0 of offsets to be 5, but got 4}}
  %0 = embedding.reduce ins(%x, %p, %o, %n : tensor<4x2xf32>, tensor<4xi64>, tensor<4xi64>, tensor<i64>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c5_rows(%x: tensor<4x2xf32>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                          %r: tensor<3xi64>, %s: tensor<100x2xf32>) {
  // expected-error@+1 {{expected dimension 0 of offsets to be 4, but got 5}}
  %0 = embedding.reduce rows(%r : tensor<3xi64>) ins(%x, %p, %o, %n : tensor<4x2xf32>, tensor<4xi64>, tensor<5xi64>, tensor<i64>) outs(%s : tensor<100x2xf32>) -> tensor<100x2xf32>
  return
}
