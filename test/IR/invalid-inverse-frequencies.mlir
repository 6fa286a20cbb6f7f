// One case for each constraint of the operation's documentation.
// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @inverse_frequencies_c1(%p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>, %w: memref<4xf32>) {
  // expected-error@+1 {{expected operands to be all tensors or all memrefs}}
  embedding.inverse_frequencies ins(%p, %o, %n : tensor<4xi64>, tensor<5xi64>, tensor<i64>) outs(%w : memref<4xf32>)
  return
}

// -----

func.func @inverse_frequencies_c2(%p: memref<4xi64>, %o: memref<5xi64>, %n: memref<i64>, %w: memref<5xf32>) {
  // expected-error@+1 {{expected dimension 0 of weights to be 4, but got 5}}
  embedding.inverse_frequencies ins(%p, %o, %n : memref<4xi64>, memref<5xi64>, memref<i64>) outs(%w : memref<5xf32>)
  return
}
