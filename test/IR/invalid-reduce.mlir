// One case for each constraint of the operation's documentation.
// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @reduce_c1_values(%x: tensor<4xf32>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                            %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected values to have rank 2 or more, but got 'tensor<4xf32>'}}
  %0 = embedding.reduce positions(%p : tensor<4xi64>) offsets(%o : tensor<5xi64>) count(%n : tensor<i64>)
    ins(%x : tensor<4xf32>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c1_sums(%x: tensor<4x2xf32>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                          %s: tensor<4x1x2xf32>) {
  // expected-error@+1 {{operand #4 must be 2D tensor}}
  %0 = embedding.reduce positions(%p : tensor<4xi64>) offsets(%o : tensor<5xi64>) count(%n : tensor<i64>)
    ins(%x : tensor<4x2xf32>) outs(%s : tensor<4x1x2xf32>) -> tensor<4x1x2xf32>
  return
}

// -----

func.func @reduce_c2(%x: memref<4x2xf32>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                     %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected operands to be all tensors or all memrefs}}
  %0 = embedding.reduce positions(%p : tensor<4xi64>) offsets(%o : tensor<5xi64>) count(%n : tensor<i64>)
    ins(%x : memref<4x2xf32>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c2_results(%x: tensor<4x2xf32>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                             %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected the number of tensor results (0) to be equal to the number of output tensors (1)}}
  embedding.reduce positions(%p : tensor<4xi64>) offsets(%o : tensor<5xi64>) count(%n : tensor<i64>)
    ins(%x : tensor<4x2xf32>) outs(%s : tensor<4x2xf32>)
  return
}

// -----

func.func @reduce_c3(%x: tensor<4x2xf16>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                     %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected elements of values to be those of sums, 'f32', but got 'f16'}}
  %0 = embedding.reduce positions(%p : tensor<4xi64>) offsets(%o : tensor<5xi64>) count(%n : tensor<i64>)
    ins(%x : tensor<4x2xf16>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c4(%x: tensor<2x4x3xf32>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                     %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected dimension 2 of values to be 2, but got 3}}
  %0 = embedding.reduce positions(%p : tensor<4xi64>) offsets(%o : tensor<5xi64>) count(%n : tensor<i64>)
    ins(%x : tensor<2x4x3xf32>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c5_list(%x: tensor<4x2xf32>, %p: tensor<4xi64>, %o: tensor<4xi64>, %n: tensor<i64>,
                          %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected dimension 0 of offsets to be 5, but got 4}}
  %0 = embedding.reduce positions(%p : tensor<4xi64>) offsets(%o : tensor<4xi64>) count(%n : tensor<i64>)
    ins(%x : tensor<4x2xf32>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c5_rows(%x: tensor<4x2xf32>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                          %r: tensor<3xi64>, %s: tensor<100x2xf32>) {
  // expected-error@+1 {{expected dimension 0 of offsets to be 4, but got 5}}
  %0 = embedding.reduce rows(%r : tensor<3xi64>) positions(%p : tensor<4xi64>) offsets(%o : tensor<5xi64>) count(%n : tensor<i64>)
    ins(%x : tensor<4x2xf32>) outs(%s : tensor<100x2xf32>) -> tensor<100x2xf32>
  return
}

// -----

func.func @reduce_c5_exclude(%x: tensor<4x2xf32>, %i: tensor<4xi64>, %o: tensor<5xi32>, %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected dimension 0 of offsets to be 4, but got 5}}
  %0 = embedding.reduce exclude_last_offset indices(%i : tensor<4xi64>) offsets(%o : tensor<5xi32>)
    ins(%x : tensor<4x2xf32>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c6_list(%x: tensor<4x2xf32>, %o: tensor<5xi64>, %n: tensor<i64>, %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected positions or indices}}
  %0 = embedding.reduce offsets(%o : tensor<5xi64>) count(%n : tensor<i64>)
    ins(%x : tensor<4x2xf32>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c6_rank(%x: tensor<4x2xf32>, %i: tensor<4xi64>, %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected offsets, or without them and what belongs to them indices of rank 2}}
  %0 = embedding.reduce indices(%i : tensor<4xi64>) ins(%x : tensor<4x2xf32>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c6_positions(%x: tensor<4x2xf32>, %p: tensor<4xi64>, %i: tensor<4x1xi64>, %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected offsets, or without them and what belongs to them indices of rank 2}}
  %0 = embedding.reduce positions(%p : tensor<4xi64>) indices(%i : tensor<4x1xi64>)
    ins(%x : tensor<4x2xf32>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c6_rows(%x: tensor<4x2xf32>, %i: tensor<4x3xi64>, %s: tensor<5x2xf32>) {
  // expected-error@+1 {{expected dimension 0 of sums to be 4, but got 5}}
  %0 = embedding.reduce indices(%i : tensor<4x3xi64>) ins(%x : tensor<4x2xf32>) outs(%s : tensor<5x2xf32>) -> tensor<5x2xf32>
  return
}

// -----

func.func @reduce_c7_count(%x: tensor<4x2xf32>, %p: tensor<4xi64>, %o: tensor<4xi64>, %r: tensor<3xi64>, %s: tensor<9x2xf32>) {
  // expected-error@+1 {{expected a count with rows}}
  %0 = embedding.reduce rows(%r : tensor<3xi64>) positions(%p : tensor<4xi64>) offsets(%o : tensor<4xi64>)
    ins(%x : tensor<4x2xf32>) outs(%s : tensor<9x2xf32>) -> tensor<9x2xf32>
  return
}

// -----

func.func @reduce_c7_values(%x: tensor<4x1x2xf32>, %i: tensor<4x3xi64>, %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected values to have rank 2 with indices, but got 'tensor<4x1x2xf32>'}}
  %0 = embedding.reduce indices(%i : tensor<4x3xi64>) ins(%x : tensor<4x1x2xf32>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c8_elements(%x: tensor<4x2xf16>, %i: tensor<4x3xi64>, %w: tensor<4x3xf64>, %s: tensor<4x2xf16>) {
  // expected-error@+1 {{expected elements of weights to be those of values, 'f16', or 'f32', but got 'f64'}}
  %0 = embedding.reduce indices(%i : tensor<4x3xi64>) weights(%w : tensor<4x3xf64>)
    ins(%x : tensor<4x2xf16>) outs(%s : tensor<4x2xf16>) -> tensor<4x2xf16>
  return
}

// -----

func.func @reduce_c8_rank(%x: tensor<4x2xf32>, %i: tensor<4x3xi64>, %w: tensor<12xf32>, %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected weights to have rank 2, but got 'tensor<12xf32>'}}
  %0 = embedding.reduce indices(%i : tensor<4x3xi64>) weights(%w : tensor<12xf32>)
    ins(%x : tensor<4x2xf32>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c8_size(%x: tensor<4x2xf32>, %i: tensor<4x3xi64>, %w: tensor<4x2xf32>, %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected dimension 1 of weights to be 3, but got 2}}
  %0 = embedding.reduce indices(%i : tensor<4x3xi64>) weights(%w : tensor<4x2xf32>)
    ins(%x : tensor<4x2xf32>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @reduce_c9(%x: tensor<4x2xf32>, %i: tensor<4x3xi64>, %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected out_of_range not to be check}}
  %0 = embedding.reduce out_of_range(check) indices(%i : tensor<4x3xi64>) ins(%x : tensor<4x2xf32>) outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}
