// One case for each constraint of the operation's documentation.
// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @renorm_lookup_c1(%t: tensor<5xf32>, %i: tensor<4xi64>, %o: tensor<4x3xf32>) {
  // expected-error@+1 {{expected table to have rank 2}}
  %0:2 = embedding.renorm_lookup max_norm(1.0) ins(%i : tensor<4xi64>) outs(%t, %o : tensor<5xf32>, tensor<4x3xf32>) -> tensor<5xf32>, tensor<4x3xf32>
  return
}

// -----

func.func @renorm_lookup_c2(%t: tensor<5x3xf32>, %i: memref<4xi64>, %o: tensor<4x3xf32>) {
  // expected-error@+1 {{expected operands to be all tensors or all memrefs}}
  %0:2 = embedding.renorm_lookup max_norm(1.0) ins(%i : memref<4xi64>) outs(%t, %o : tensor<5x3xf32>, tensor<4x3xf32>) -> tensor<5x3xf32>, tensor<4x3xf32>
  return
}

// -----

func.func @renorm_lookup_c3(%t: tensor<5x3xf32>, %i: tensor<4xi64>, %o: tensor<4x3xf32>) {
  // expected-error@+1 {{expected max_norm not to be NaN}}
  %0:2 = embedding.renorm_lookup max_norm(0x7FF8000000000000) ins(%i : tensor<4xi64>) outs(%t, %o : tensor<5x3xf32>, tensor<4x3xf32>) -> tensor<5x3xf32>, tensor<4x3xf32>
  return
}

// -----

func.func @renorm_lookup_c4(%t: tensor<5x3xf32>, %i: tensor<4xi64>, %o: tensor<4x3xf16>) {
  // expected-error@+1 {{expected elements of out to be those of table, 'f32', but got 'f16'}}
  %0:2 = embedding.renorm_lookup max_norm(1.0) ins(%i : tensor<4xi64>) outs(%t, %o : tensor<5x3xf32>, tensor<4x3xf16>) -> tensor<5x3xf32>, tensor<4x3xf16>
  return
}

// -----

func.func @renorm_lookup_c5(%t: tensor<5x3xf32>, %i: tensor<4xi64>, %o: tensor<4x2xf32>) {
  // expected-error@+1 {{expected out to have the shape of indices and a row, as 'tensor<4x3xf32>' has, but got 'tensor<4x2xf32>'}}
  %0:2 = embedding.renorm_lookup max_norm(1.0) ins(%i : tensor<4xi64>) outs(%t, %o : tensor<5x3xf32>, tensor<4x2xf32>) -> tensor<5x3xf32>, tensor<4x2xf32>
  return
}
