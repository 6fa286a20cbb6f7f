// One case for each constraint of the operation's documentation.
// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @bag_c1_table(%t: tensor<5xf32>, %i: tensor<4xi64>, %o: tensor<2xi64>, %y: tensor<2x3xf32>) {
  // expected-error@+1 {{expected table to have rank 2, but got 'tensor<5xf32>'}}
  %0 = embedding.bag sum ins(%t, %i : tensor<5xf32>, tensor<4xi64>) offsets(%o : tensor<2xi64>) outs(%y : tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @bag_c1_out(%t: tensor<5x3xf32>, %i: tensor<4xi64>, %o: tensor<2xi64>, %y: tensor<2x1x3xf32>) {
  // expected-error@+1 {{expected out to have rank 2, but got 'tensor<2x1x3xf32>'}}
  %0 = embedding.bag sum ins(%t, %i : tensor<5x3xf32>, tensor<4xi64>) offsets(%o : tensor<2xi64>) outs(%y : tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  return
}

// -----

func.func @bag_c1_offsets(%t: tensor<5x3xf32>, %i: tensor<4xi64>, %o: tensor<2x1xi64>, %y: tensor<2x3xf32>) {
  // expected-error@+1 {{expected offsets to have rank 1, but got 'tensor<2x1xi64>'}}
  %0 = embedding.bag sum ins(%t, %i : tensor<5x3xf32>, tensor<4xi64>) offsets(%o : tensor<2x1xi64>) outs(%y : tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @bag_c2(%t: tensor<5x3xf32>, %i: tensor<4xi64>, %o: memref<2xi64>, %y: tensor<2x3xf32>) {
  // expected-error@+1 {{expected operands to be all tensors or all memrefs}}
  %0 = embedding.bag sum ins(%t, %i : tensor<5x3xf32>, tensor<4xi64>) offsets(%o : memref<2xi64>) outs(%y : tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @bag_c2_results(%t: tensor<5x3xf32>, %i: tensor<4x1xi64>, %y: tensor<4x3xf32>, %w: tensor<4x3xi64>) {
  // expected-error@+1 {{expected the number of tensor results (1) to be equal to the number of output tensors (2)}}
  %0 = embedding.bag max ins(%t, %i : tensor<5x3xf32>, tensor<4x1xi64>) outs(%y : tensor<4x3xf32>) winners(%w : tensor<4x3xi64>) -> tensor<4x3xf32>
  return
}

// -----

func.func @bag_c3_out(%t: tensor<5x3xf32>, %i: tensor<4x1xi64>, %y: tensor<4x3xf16>) {
  // expected-error@+1 {{expected elements of out to be those of table, 'f32', but got 'f16'}}
  %0 = embedding.bag sum ins(%t, %i : tensor<5x3xf32>, tensor<4x1xi64>) outs(%y : tensor<4x3xf16>) -> tensor<4x3xf16>
  return
}

// -----

func.func @bag_c3_weights(%t: tensor<5x3xf16>, %i: tensor<4x1xi64>, %w: tensor<4x1xf32>, %y: tensor<4x3xf16>) {
  // expected-error@+1 {{expected elements of weights to be those of table, 'f16', but got 'f32'}}
  %0 = embedding.bag sum ins(%t, %i : tensor<5x3xf16>, tensor<4x1xi64>) weights(%w : tensor<4x1xf32>) outs(%y : tensor<4x3xf16>) -> tensor<4x3xf16>
  return
}

// -----

func.func @bag_c4_with(%t: tensor<5x3xf32>, %i: tensor<4x1xi64>, %o: tensor<2xi64>, %y: tensor<2x3xf32>) {
  // expected-error@+1 {{expected indices to have rank 1 with offsets, but got 'tensor<4x1xi64>'}}
  %0 = embedding.bag sum ins(%t, %i : tensor<5x3xf32>, tensor<4x1xi64>) offsets(%o : tensor<2xi64>) outs(%y : tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @bag_c4_without(%t: tensor<5x3xf32>, %i: tensor<4xi64>, %y: tensor<4x3xf32>) {
  // expected-error@+1 {{expected indices to have rank 2 without offsets, but got 'tensor<4xi64>'}}
  %0 = embedding.bag sum ins(%t, %i : tensor<5x3xf32>, tensor<4xi64>) outs(%y : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @bag_c5_offsets(%t: tensor<5x3xf32>, %i: tensor<4xi64>, %o: tensor<2xi64>, %y: tensor<3x3xf32>) {
  // expected-error@+1 {{expected dimension 0 of out to be 2, but got 3}}
  %0 = embedding.bag sum ins(%t, %i : tensor<5x3xf32>, tensor<4xi64>) offsets(%o : tensor<2xi64>) outs(%y : tensor<3x3xf32>) -> tensor<3x3xf32>
  return
}

// -----

func.func @bag_c5_last(%t: tensor<5x3xf32>, %i: tensor<4xi64>, %o: tensor<3xi64>, %y: tensor<3x3xf32>) {
  // expected-error@+1 {{expected dimension 0 of out to be 2, but got 3}}
  %0 = embedding.bag sum include_last_offset ins(%t, %i : tensor<5x3xf32>, tensor<4xi64>) offsets(%o : tensor<3xi64>) outs(%y : tensor<3x3xf32>) -> tensor<3x3xf32>
  return
}

// -----

func.func @bag_c5_indices(%t: tensor<5x3xf32>, %i: tensor<4x1xi64>, %y: tensor<3x3xf32>) {
  // expected-error@+1 {{expected dimension 0 of out to be 4, but got 3}}
  %0 = embedding.bag sum ins(%t, %i : tensor<5x3xf32>, tensor<4x1xi64>) outs(%y : tensor<3x3xf32>) -> tensor<3x3xf32>
  return
}

// -----

func.func @bag_c5_length(%t: tensor<5x3xf32>, %i: tensor<4x1xi64>, %y: tensor<4x2xf32>) {
  // expected-error@+1 {{expected dimension 1 of out to be 3, but got 2}}
  %0 = embedding.bag sum ins(%t, %i : tensor<5x3xf32>, tensor<4x1xi64>) outs(%y : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @bag_c6_rank(%t: tensor<5x3xf32>, %i: tensor<4x1xi64>, %w: tensor<4xf32>, %y: tensor<4x3xf32>) {
  // expected-error@+1 {{expected weights to have the shape of indices, 'tensor<4x1xi64>', but got 'tensor<4xf32>'}}
  %0 = embedding.bag sum ins(%t, %i : tensor<5x3xf32>, tensor<4x1xi64>) weights(%w : tensor<4xf32>) outs(%y : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @bag_c6_size(%t: tensor<5x3xf32>, %i: tensor<4x1xi64>, %w: tensor<4x2xf32>, %y: tensor<4x3xf32>) {
  // expected-error@+1 {{expected dimension 1 of weights to be 1, but got 2}}
  %0 = embedding.bag sum ins(%t, %i : tensor<5x3xf32>, tensor<4x1xi64>) weights(%w : tensor<4x2xf32>) outs(%y : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @bag_c6_mode(%t: tensor<5x3xf32>, %i: tensor<4x1xi64>, %w: tensor<4x1xf32>, %y: tensor<4x3xf32>) {
  // expected-error@+1 {{expected no weights in mode mean}}
  %0 = embedding.bag mean ins(%t, %i : tensor<5x3xf32>, tensor<4x1xi64>) weights(%w : tensor<4x1xf32>) outs(%y : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @bag_c7_shape(%t: memref<5x3xf32>, %i: memref<4x1xi64>, %y: memref<4x3xf32>, %w: memref<4x2xi64>) {
  // expected-error@+1 {{expected dimension 1 of winners to be 3, but got 2}}
  embedding.bag max ins(%t, %i : memref<5x3xf32>, memref<4x1xi64>) outs(%y : memref<4x3xf32>) winners(%w : memref<4x2xi64>)
  return
}

// -----

func.func @bag_c7_mode(%t: memref<5x3xf32>, %i: memref<4x1xi64>, %y: memref<4x3xf32>, %w: memref<4x3xi64>) {
  // expected-error@+1 {{expected no winners in mode sum}}
  embedding.bag sum ins(%t, %i : memref<5x3xf32>, memref<4x1xi64>) outs(%y : memref<4x3xf32>) winners(%w : memref<4x3xi64>)
  return
}

// -----

func.func @bag_c8_last(%t: memref<5x3xf32>, %i: memref<4x1xi64>, %y: memref<4x3xf32>) {
  // expected-error@+1 {{expected offsets with include_last_offset}}
  embedding.bag sum include_last_offset ins(%t, %i : memref<5x3xf32>, memref<4x1xi64>) outs(%y : memref<4x3xf32>)
  return
}

// -----

func.func @bag_c8_assume(%t: memref<5x3xf32>, %i: memref<4x1xi64>, %y: memref<4x3xf32>) {
  // expected-error@+1 {{expected offsets with assume_offsets}}
  embedding.bag sum assume_offsets ins(%t, %i : memref<5x3xf32>, memref<4x1xi64>) outs(%y : memref<4x3xf32>)
  return
}

// -----

func.func @bag_c8_none(%t: memref<5x3xf32>, %i: memref<4xi64>, %o: memref<0xi64>, %y: memref<?x3xf32>) {
  // expected-error@+1 {{expected offsets to have at least one element with include_last_offset}}
  embedding.bag sum include_last_offset ins(%t, %i : memref<5x3xf32>, memref<4xi64>) offsets(%o : memref<0xi64>) outs(%y : memref<?x3xf32>)
  return
}

// -----

func.func @bag_c9(%t: memref<5x3xf32>, %i: memref<4x1xi64>, %y: memref<4x3xf32>) {
  // expected-error@+1 {{expected padding_idx to be in [-5, 5), but got 5}}
  embedding.bag sum padding_idx(5) ins(%t, %i : memref<5x3xf32>, memref<4x1xi64>) outs(%y : memref<4x3xf32>)
  return
}

// -----

func.func @bag_c9_both(%t: memref<5x3xf32>, %i: memref<4x1xi64>, %y: memref<4x3xf32>, %p: index) {
  // expected-error@+1 {{expected padding_idx to be either a number or a value}}
  "embedding.bag"(%t, %i, %p, %y) <{mode = 0 : i32, operandSegmentSizes = array<i32: 1, 1, 0, 0, 1, 1, 0>, padding_idx = [1 : i64]}>
    : (memref<5x3xf32>, memref<4x1xi64>, index, memref<4x3xf32>) -> ()
  return
}
