// One case for each constraint of the operation's documentation.
// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @lookup_c1(%table: tensor<2x3x4xf32>, %indices: tensor<4xi64>,
                     %init: tensor<4x3xf32>) {
  // expected-error@+1 {{expected table to have rank 2, but got 'tensor<2x3x4xf32>'}}
  %0 = embedding.lookup ins(%table, %indices : tensor<2x3x4xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @lookup_c2_width(%table: tensor<2x3xindex>, %indices: tensor<4xi64>,
                           %init: tensor<4x3xindex>) {
  // expected-error@+1 {{expected elements of table to have a fixed width, but got 'index'}}
  %0 = embedding.lookup ins(%table, %indices : tensor<2x3xindex>, tensor<4xi64>)
         outs(%init : tensor<4x3xindex>) -> tensor<4x3xindex>
  return
}

// -----

func.func @lookup_c2_same(%table: tensor<2x3xf32>, %indices: tensor<4xi64>,
                          %init: tensor<4x3xf16>) {
  // expected-error@+1 {{expected elements of out to be those of table, 'f32', but got 'f16'}}
  %0 = embedding.lookup ins(%table, %indices : tensor<2x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf16>) -> tensor<4x3xf16>
  return
}

// -----

func.func @lookup_c3(%table: tensor<2x3xf32>, %indices: tensor<4x5xi64>,
                     %init: tensor<4x3xf32>) {
  // expected-error@+1 {{expected out to have the shape of indices and a row, as 'tensor<4x5x3xf32>' has, but got 'tensor<4x3xf32>'}}
  %0 = embedding.lookup ins(%table, %indices : tensor<2x3xf32>, tensor<4x5xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @lookup_c4(%table: tensor<2x3xf32>, %indices: tensor<4x5xi64>,
                     %init: tensor<4x6x3xf32>) {
  // expected-error@+1 {{expected out to have the shape of indices and a row, as 'tensor<4x5x3xf32>' has, but got 'tensor<4x6x3xf32>'}}
  %0 = embedding.lookup ins(%table, %indices : tensor<2x3xf32>, tensor<4x5xi64>)
         outs(%init : tensor<4x6x3xf32>) -> tensor<4x6x3xf32>
  return
}

// -----

func.func @lookup_c5(%table: memref<2x3xf32>, %indices: memref<4xi64>,
                     %out: memref<4x7xf32>) {
  // expected-error@+1 {{expected out to have the shape of indices and a row, as 'tensor<4x3xf32>' has, but got 'memref<4x7xf32>'}}
  embedding.lookup ins(%table, %indices : memref<2x3xf32>, memref<4xi64>)
    outs(%out : memref<4x7xf32>)
  return
}

// -----

func.func @lookup_c6_above(%table: memref<2x3xf32>, %indices: memref<4xi64>,
                           %out: memref<4x3xf32>) {
  // expected-error@+1 {{expected padding_idx to be in [-2, 2), but got 2}}
  embedding.lookup padding_idx(2)
    ins(%table, %indices : memref<2x3xf32>, memref<4xi64>)
    outs(%out : memref<4x3xf32>)
  return
}

// -----

func.func @lookup_c6_below(%table: memref<2x3xf32>, %indices: memref<4xi64>,
                           %out: memref<4x3xf32>) {
  // expected-error@+1 {{expected padding_idx to be in [-2, 2), but got -3}}
  embedding.lookup padding_idx(-3)
    ins(%table, %indices : memref<2x3xf32>, memref<4xi64>)
    outs(%out : memref<4x3xf32>)
  return
}

// -----

func.func @lookup_c7_mixed(%table: tensor<2x3xf32>, %indices: memref<4xi64>,
                           %init: tensor<4x3xf32>) {
  // expected-error@+1 {{expected operands to be all tensors or all memrefs}}
  %0 = embedding.lookup ins(%table, %indices : tensor<2x3xf32>, memref<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @lookup_c7_no_result(%table: tensor<2x3xf32>, %indices: tensor<4xi64>,
                               %init: tensor<4x3xf32>) {
  // expected-error@+1 {{expected the number of tensor results (0) to be equal to the number of output tensors (1)}}
  embedding.lookup ins(%table, %indices : tensor<2x3xf32>, tensor<4xi64>)
    outs(%init : tensor<4x3xf32>)
  return
}

// -----

func.func @lookup_c7_result_type(%table: tensor<2x3xf32>, %indices: tensor<4xi64>,
                                 %init: tensor<4x3xf32>) {
  // expected-error@+1 {{expected type of operand #2 ('tensor<4x3xf32>') to match type of corresponding result ('tensor<?x3xf32>')}}
  %0 = embedding.lookup ins(%table, %indices : tensor<2x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @lookup_c7_result_on_memrefs(%table: memref<2x3xf32>, %indices: memref<4xi64>,
                                       %out: memref<4x3xf32>) {
  // expected-error@+1 {{expected the number of tensor results (1) to be equal to the number of output tensors (0)}}
  %0 = embedding.lookup ins(%table, %indices : memref<2x3xf32>, memref<4xi64>)
         outs(%out : memref<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @lookup_index_type(%table: tensor<2x3xf32>, %indices: tensor<4xi16>,
                             %init: tensor<4x3xf32>) {
  // expected-error@+1 {{operand #1 must be}}
  %0 = embedding.lookup ins(%table, %indices : tensor<2x3xf32>, tensor<4xi16>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @lookup_mode(%table: memref<2x3xf32>, %indices: memref<4xi64>,
                       %out: memref<4x3xf32>) {
  // expected-error@+2 {{expected one of [check, assume, clamp, zero]}}
  // expected-error@+1 {{invalid value for property out_of_range}}
  embedding.lookup out_of_range(wrap)
    ins(%table, %indices : memref<2x3xf32>, memref<4xi64>)
    outs(%out : memref<4x3xf32>)
  return
}
