// Every operation asks that what is static of its operands can be addressed.
// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @row_bytes(%t: memref<?x4611686018427387904xf32>, %i: memref<?xi64>,
                     %o: memref<?x4611686018427387904xf32>) {
  // expected-error@+1 {{'embedding.lookup' op expected operand #0 to have fewer than 2^63 bytes, but got 'memref<?x4611686018427387904xf32>'}}
  embedding.lookup ins(%t, %i : memref<?x4611686018427387904xf32>, memref<?xi64>)
    outs(%o : memref<?x4611686018427387904xf32>)
  return
}

// -----

func.func @in_tensor(%t: tensor<9223372036854775807x64xf32>, %i: tensor<3xi64>) {
  // expected-error@+1 {{'embedding.renorm' op expected operand #1 to have fewer than 2^63 bytes}}
  %0 = embedding.renorm max_norm(1.0) ins(%i : tensor<3xi64>)
         outs(%t : tensor<9223372036854775807x64xf32>) -> tensor<9223372036854775807x64xf32>
  return
}

// -----

func.func @stride(%dy: memref<?x8xf32>, %i: memref<?xi64>,
                  %g: memref<?x8xf32, strided<[2305843009213693952, 1]>>) {
  // expected-error@+1 {{'embedding.dense_grad' op expected operand #2 to have fewer than 2^63 bytes}}
  embedding.dense_grad ins(%dy, %i : memref<?x8xf32>, memref<?xi64>)
    outs(%g : memref<?x8xf32, strided<[2305843009213693952, 1]>>)
  return
}

// -----

func.func @no_bits(%t: memref<?x8xi0>, %i: memref<?xi64>, %o: memref<?x8xi0>) {
  // expected-error@+1 {{'embedding.lookup' op expected operand #0 to have elements of at least 1 bit, but got 'memref<?x8xi0>'}}
  embedding.lookup ins(%t, %i : memref<?x8xi0>, memref<?xi64>) outs(%o : memref<?x8xi0>)
  return
}

// -----

func.func @no_bits_in_vector(%t: memref<?x8xvector<4xi0>>, %i: memref<?xi64>,
                             %o: memref<?x8xvector<4xi0>>) {
  // expected-error@+1 {{to have elements of at least 1 bit}}
  embedding.lookup ins(%t, %i : memref<?x8xvector<4xi0>>, memref<?xi64>)
    outs(%o : memref<?x8xvector<4xi0>>)
  return
}

// -----

func.func @indices(%i: memref<4294967296x2147483648xi32>, %n: index) {
  // expected-error@+1 {{'embedding.find_out_of_range' op expected operand #0 to have fewer than 2^63 bytes}}
  %0:3 = embedding.find_out_of_range %i, %n : memref<4294967296x2147483648xi32>
  return
}

// -----

// One byte less than too many; and dynamic sizes and strides, of which nothing is known.
func.func @fine(%t: memref<?x?xi8, strided<[9223372036854775805, ?], offset: ?>>, %i: memref<?xi64>,
                %o: memref<?x?xi8>, %n: index) {
  embedding.lookup ins(%t, %i : memref<?x?xi8, strided<[9223372036854775805, ?], offset: ?>>, memref<?xi64>)
    outs(%o : memref<?x?xi8>)
  return
}
