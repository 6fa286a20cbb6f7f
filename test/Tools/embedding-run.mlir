// Inputs and outputs as text.
// RUN: embedding-run %s --function=identity --input="2x3xf32=1.5 -0 inf nan 1e-3 7" | FileCheck %s --check-prefix=FLOATS
// RUN: embedding-run %s --function=identity --input="2x3xf32=[1 2 3][4 5 6]" | FileCheck %s --check-prefix=BRACKETS
// RUN: embedding-run %s --function=identity --input="2x3xf32=0.5" | FileCheck %s --check-prefix=SPLAT
// RUN: embedding-run %s --function=identity --input="2x3xf32" | FileCheck %s --check-prefix=ZEROS
// RUN: embedding-run %s --function=scalars --input=i32=-7 --input=f64=2.5 --input=i1=true | FileCheck %s --check-prefix=SCALARS
// RUN: embedding-run %s --function=in_place --input="2x2xi8=1 2 3 4" --output=- | FileCheck %s --check-prefix=INPLACE
// RUN: embedding-run %s --function=in_place --input="2x2xi8=1 2 3 4" | count 0

// RUN: embedding-run %s --function=expand --input="6xf32=1 2 3 4 5 6" --input=index=2 --input=index=3 | FileCheck %s --check-prefix=EXPAND

// EXPAND: 2x3xf32=[1 2 3][4 5 6]
// FLOATS: 2x3xf32=[1.5 -0 inf][nan 0.001 7]
// BRACKETS: 2x3xf32=[1 2 3][4 5 6]
// SPLAT: 2x3xf32=[0.5 0.5 0.5][0.5 0.5 0.5]
// ZEROS: 2x3xf32=[0 0 0][0 0 0]
// SCALARS: i32=-7
// SCALARS: f64=5
// SCALARS: i1=1
// INPLACE: 2x2xi8=[1 2][3 9]

// Digits of any base, up to the range of either sign; all that tell a number from
// its neighbours; brackets of each dimension.
// RUN: embedding-run %s --function=elements --input="4xi8=0x7f -128 255 0b101" --input="3xf64=0.1 2000000 0.30000000000000004" --input="2x3x2xf32=0 1 2 3 4 5 6 7 8 9 10 11" --output=- --output=- --output=- | FileCheck %s --check-prefix=OFTYPES
// OFTYPES: 4xi8=127 -128 -1 5
// OFTYPES-NEXT: 3xf64=0.1 2000000 0.30000000000000004{{$}}
// OFTYPES-NEXT: {{^}}2x3x2xf32={{\[\[}}0 1][2 3][4 5]]{{\[\[}}6 7][8 9][10 11]]{{$}}
// RUN: embedding-run %s --function=identity --input="2x1xf32=1 2" | FileCheck %s --check-prefix=COLUMN
// COLUMN: 2x1xf32=[1][2]
// RUN: not embedding-run %s --function=in_place --input="2x2xi8=1 2 3 -129" 2>&1 | FileCheck %s --check-prefix=BELOW
// BELOW: element 3, '-129', is not of type i8
// RUN: not embedding-run %s --function=in_place --input="2x2xi8=256" 2>&1 | FileCheck %s --check-prefix=ABOVE
// ABOVE: element 0, '256', is not of type i8

// Types that have a sign, or none, keep to their range; what a float cannot hold is no
// infinity.
// RUN: embedding-run %s --function=signs --input="3xui8=0 255 0x80" --input="2xsi8=-128 127" --input=ui64=18446744073709551615 | FileCheck %s --check-prefix=SIGNS
// SIGNS: 3xui8=0 255 128
// SIGNS-NEXT: 2xsi8=-128 127
// SIGNS-NEXT: ui64=18446744073709551615
// RUN: not embedding-run %s --function=signs --input="3xui8=-1" --input="2xsi8=0" --input=ui64=0 2>&1 | FileCheck %s --check-prefix=UNSIGNED
// UNSIGNED: element 0, '-1', is not of type ui8
// RUN: not embedding-run %s --function=signs --input="3xui8=0" --input="2xsi8=0 128" --input=ui64=0 2>&1 | FileCheck %s --check-prefix=SIGNED
// SIGNED: element 1, '128', is not of type si8
// RUN: not embedding-run %s --function=identity --input="2x3xf32=1e39" 2>&1 | FileCheck %s --check-prefix=LARGE
// LARGE: element 0, '1e39', is not of type f32

// RUN: embedding-run %s --function=identity --input=2x3xf32 --benchmark=3 2>&1 | FileCheck %s --check-prefix=BENCHMARK
// BENCHMARK: median of 3 calls: {{.*}} ms (fastest {{.*}} ms); results of 24 bytes at {{.*}} GB/s
// RUN: embedding-run %s --function=each_rank --input=f64 --input=3xf64 --input=2xindex --input=2xi60 --benchmark=1 2>&1 | FileCheck %s --check-prefix=BYTES
// BYTES: results of 64 bytes

// RUN: embedding-run %s --function=in_place --emit=mlir | FileCheck %s --check-prefix=MLIR
// RUN: embedding-run %s --function=in_place --emit=llvm | FileCheck %s --check-prefix=LLVM
// MLIR: llvm.func @in_place
// LLVM: define {{.*}} @in_place

func.func @identity(%a: tensor<?x?xf32>) -> tensor<?x?xf32> {
  return %a : tensor<?x?xf32>
}

func.func @each_rank(%a: tensor<f64>, %b: tensor<?xf64>, %c: tensor<2xindex>, %d: tensor<2xi60>)
    -> (tensor<f64>, tensor<?xf64>, tensor<2xindex>, tensor<2xi60>) {
  return %a, %b, %c, %d : tensor<f64>, tensor<?xf64>, tensor<2xindex>, tensor<2xi60>
}

func.func @elements(%a: memref<4xi8>, %b: memref<3xf64>, %c: memref<?x?x?xf32>) {
  return
}

func.func @signs(%a: tensor<3xui8>, %b: tensor<2xsi8>, %c: ui64)
    -> (tensor<3xui8>, tensor<2xsi8>, ui64) {
  return %a, %b, %c : tensor<3xui8>, tensor<2xsi8>, ui64
}

// Neither of two sizes that come of one is known.
func.func @expand(%a: tensor<?xf32>, %n: index, %m: index) -> tensor<?x?xf32> {
  %0 = tensor.expand_shape %a [[0, 1]] output_shape [%n, %m]
    : tensor<?xf32> into tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

func.func @scalars(%a: i32, %b: f64, %c: i1) -> (i32, f64, i1) {
  %0 = arith.addf %b, %b : f64
  return %a, %0, %c : i32, f64, i1
}

func.func @in_place(%a: memref<2x2xi8>) {
  %c1 = arith.constant 1 : index
  %nine = arith.constant 9 : i8
  memref.store %nine, %a[%c1, %c1] : memref<2x2xi8>
  return
}
