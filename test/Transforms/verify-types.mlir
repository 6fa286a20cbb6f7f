// RUN: embedding-opt %s --verify-types --split-input-file --verify-diagnostics

// The largest that there may be.
func.func @fine(%a: memref<1152921504606846975xf64>, %b: i8388608, %c: vector<16x256xf32>,
                %d: memref<?x?xf32, strided<[2305843009213693950, 1]>>, %e: tensor<0x5xf32>,
                %f: memref<1152921504606846975xcomplex<f32>>,
                %g: memref<1152921504606846975xvector<2xf32>>, %h: memref<4611686018427387903xi9>) {
  %0 = arith.constant dense<1.0> : tensor<268435456xf32>
  return
}

// -----

// expected-error @below {{expected types with fewer than 2^63 bytes, but got 'memref<1152921504606846976xf64>'}}
func.func @bytes(%a: memref<1152921504606846976xf64>) { return }

// -----

// Each element has so many bytes, the last of them in part.
// expected-error @below {{expected types with fewer than 2^63 bytes, but got 'memref<1152921504606846976xcomplex<f32>>'}}
func.func @complex(%a: memref<1152921504606846976xcomplex<f32>>) { return }

// -----

// expected-error @below {{expected types with fewer than 2^63 bytes, but got 'memref<1152921504606846976xvector<2xf32>>'}}
func.func @vectors(%a: memref<1152921504606846976xvector<2xf32>>) { return }

// -----

// expected-error @below {{expected types with fewer than 2^63 bytes, but got 'memref<4611686018427387904xi9>'}}
func.func @bits(%a: memref<4611686018427387904xi9>) { return }

// -----

// A row is multiplied by its bytes whether there is one or not.
// expected-error @below {{expected types with fewer than 2^63 bytes, but got 'tensor<0x4611686018427387904xf32>'}}
func.func @row_of_none(%a: tensor<0x4611686018427387904xf32>) { return }

// -----

// expected-error @below {{expected types with fewer than 2^63 bytes, but got 'memref<?x?xf32, strided<[4611686018427387904, 1]>>'}}
func.func @stride(%a: memref<?x?xf32, strided<[4611686018427387904, 1]>>) { return }

// -----

// expected-error @below {{expected types with fewer than 2^63 bytes, but got 'memref<2xf32, strided<[-4611686018427387904]>>'}}
func.func @negative_stride(%a: memref<2xf32, strided<[-4611686018427387904]>>) { return }

// -----

// expected-error @below {{expected types with fewer than 2^63 bytes, but got 'memref<?xf32, strided<[1], offset: 4611686018427387904>>'}}
func.func @offset(%a: memref<?xf32, strided<[1], offset: 4611686018427387904>>) { return }

// -----

// expected-error @below {{expected vectors of at most 4096 elements}}
func.func @vector_of_many(%a: memref<2xvector<4611686018427387904xf32>>) { return }

// -----

// expected-error @below {{expected types with elements of at least 1 bit, but got 'memref<4xi0>'}}
func.func @no_bits(%a: memref<4xi0>) { return }

// -----

func.func @inner(%n: index) {
  // expected-error @below {{expected types with elements of at least 1 bit, but got 'vector<4xi0>'}}
  %0 = arith.constant dense<0> : vector<4xi0>
  return
}

// -----

// expected-error @below {{expected integers of at most 2^23 bits, but got 'i8388609'}}
func.func private @integer(%a: memref<4xi8388609>)

// -----

func.func @block(%a: i1, %b: vector<4xf32>) {
  cf.br ^bb1(%b : vector<4xf32>)
^bb1(%c: vector<4xf32>):
  // expected-error @below {{expected no scalable vectors, but got 'vector<[4]xi1>'}}
  %0 = vector.broadcast %a : i1 to vector<[4]xi1>
  return
}

// -----

// What comes from nowhere has a type too.
// expected-error @below {{expected no scalable vectors, but got 'vector<[4]xf32>'}}
func.func @block_argument() {
  return
^unreachable(%c: vector<[4]xf32>):
  return
}

// -----

func.func @vscale() -> index {
  // expected-error @below {{expected no scalable vectors, but got 'vector.vscale'}}
  %0 = vector.vscale
  return %0 : index
}

// -----

func.func @splat() {
  // expected-error @below {{expected a constant of at most 1 GiB, but got one of 'tensor<268435457xf32>'}}
  %0 = arith.constant dense<1.0> : tensor<268435457xf32>
  return
}

// -----

func.func @large_splat() {
  // expected-error @below {{expected a constant of at most 1 GiB}}
  %0 = arith.constant dense<1> : tensor<4611686018427387904xi8>
  return
}

// -----

// expected-error @below {{expected vectors of at most 4096 elements, but got 'vector<4097xf32>'}}
func.func @vector(%a: vector<4097xf32>) { return }

// -----

func.func @matrix(%a: memref<f32>) {
  // expected-error @below {{expected vectors of at most 4096 elements, but got 'vector<9223372036854775807x2xi8>'}}
  %0 = ub.poison : vector<9223372036854775807x2xi8>
  return
}
