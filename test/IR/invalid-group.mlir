// One case for each constraint of the operation's documentation.
// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @group_c1_rows(%i: tensor<4xi64>, %n: index, %r: tensor<4x1xi64>, %o: tensor<5xi64>,
    %p: tensor<4xi64>, %c: tensor<i64>) {
  // expected-error@+1 {{expected rows to have rank 1}}
  %0:4 = embedding.group num_rows(%n) ins(%i : tensor<4xi64>) outs(%r, %o, %p, %c : tensor<4x1xi64>, tensor<5xi64>, tensor<4xi64>, tensor<i64>) -> tensor<4x1xi64>, tensor<5xi64>, tensor<4xi64>, tensor<i64>
  return
}

// -----

func.func @group_c1_offsets(%i: tensor<4xi64>, %n: index, %r: tensor<4xi64>, %o: tensor<5x1xi64>,
    %p: tensor<4xi64>, %c: tensor<i64>) {
  // expected-error@+1 {{expected offsets to have rank 1}}
  %0:4 = embedding.group num_rows(%n) ins(%i : tensor<4xi64>) outs(%r, %o, %p, %c : tensor<4xi64>, tensor<5x1xi64>, tensor<4xi64>, tensor<i64>) -> tensor<4xi64>, tensor<5x1xi64>, tensor<4xi64>, tensor<i64>
  return
}

// -----

func.func @group_c1_positions(%i: tensor<4xi64>, %n: index, %r: tensor<4xi64>, %o: tensor<5xi64>,
    %p: tensor<4x1xi64>, %c: tensor<i64>) {
  // expected-error@+1 {{expected positions to have rank 1}}
  %0:4 = embedding.group num_rows(%n) ins(%i : tensor<4xi64>) outs(%r, %o, %p, %c : tensor<4xi64>, tensor<5xi64>, tensor<4x1xi64>, tensor<i64>) -> tensor<4xi64>, tensor<5xi64>, tensor<4x1xi64>, tensor<i64>
  return
}

// -----

func.func @group_c1_count(%i: tensor<4xi64>, %n: index, %r: tensor<4xi64>, %o: tensor<5xi64>,
    %p: tensor<4xi64>, %c: tensor<1xi64>) {
  // expected-error@+1 {{expected count to have rank 0}}
  %0:4 = embedding.group num_rows(%n) ins(%i : tensor<4xi64>) outs(%r, %o, %p, %c : tensor<4xi64>, tensor<5xi64>, tensor<4xi64>, tensor<1xi64>) -> tensor<4xi64>, tensor<5xi64>, tensor<4xi64>, tensor<1xi64>
  return
}

// -----

func.func @group_c2(%i: memref<4xi64>, %n: index, %r: tensor<4xi64>, %o: tensor<5xi64>,
    %p: tensor<4xi64>, %c: tensor<i64>) {
  // expected-error@+1 {{expected operands to be all tensors or all memrefs}}
  %0:4 = embedding.group num_rows(%n) ins(%i : memref<4xi64>) outs(%r, %o, %p, %c : tensor<4xi64>, tensor<5xi64>, tensor<4xi64>, tensor<i64>) -> tensor<4xi64>, tensor<5xi64>, tensor<4xi64>, tensor<i64>
  return
}

// -----

func.func @group_c3_rows(%i: tensor<4xi64>, %n: index, %r: tensor<5xi64>, %o: tensor<5xi64>,
    %p: tensor<4xi64>, %c: tensor<i64>) {
  // expected-error@+1 {{expected dimension 0 of rows to be 4, but got 5}}
  %0:4 = embedding.group num_rows(%n) ins(%i : tensor<4xi64>) outs(%r, %o, %p, %c : tensor<5xi64>, tensor<5xi64>, tensor<4xi64>, tensor<i64>) -> tensor<5xi64>, tensor<5xi64>, tensor<4xi64>, tensor<i64>
  return
}

// -----

func.func @group_c3_offsets(%i: tensor<4xi64>, %n: index, %r: tensor<4xi64>, %o: tensor<4xi64>,
    %p: tensor<4xi64>, %c: tensor<i64>) {
  // expected-error@+1 {{expected dimension 0 of offsets to be 5, but got 4}}
  %0:4 = embedding.group num_rows(%n) ins(%i : tensor<4xi64>) outs(%r, %o, %p, %c : tensor<4xi64>, tensor<4xi64>, tensor<4xi64>, tensor<i64>) -> tensor<4xi64>, tensor<4xi64>, tensor<4xi64>, tensor<i64>
  return
}

// -----

func.func @group_c3_positions(%i: tensor<4xi64>, %n: index, %r: tensor<4xi64>, %o: tensor<5xi64>,
    %p: tensor<3xi64>, %c: tensor<i64>) {
  // expected-error@+1 {{expected dimension 0 of positions to be 4, but got 3}}
  %0:4 = embedding.group num_rows(%n) ins(%i : tensor<4xi64>) outs(%r, %o, %p, %c : tensor<4xi64>, tensor<5xi64>, tensor<3xi64>, tensor<i64>) -> tensor<4xi64>, tensor<5xi64>, tensor<3xi64>, tensor<i64>
  return
}

// -----

func.func @group_c4(%i: tensor<4xi64>, %r: tensor<4xi64>, %o: tensor<5xi64>,
    %p: tensor<4xi64>, %c: tensor<i64>) {
  %n = arith.constant 7 : index
  // expected-error@+1 {{expected padding_idx to be in [-7, 7), but got 7}}
  %0:4 = embedding.group num_rows(%n) padding_idx(7) ins(%i : tensor<4xi64>) outs(%r, %o, %p, %c : tensor<4xi64>, tensor<5xi64>, tensor<4xi64>, tensor<i64>) -> tensor<4xi64>, tensor<5xi64>, tensor<4xi64>, tensor<i64>
  return
}
