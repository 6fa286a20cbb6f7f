// REQUIRES: numpy
// Inputs and outputs in each form.
// RUN: embedding-run %s --function=identity --input="2x3xf32=1.5 -0 inf nan 1e-3 7" | FileCheck %s --check-prefix=FLOATS
// RUN: embedding-run %s --function=identity --input="2x3xf32=[1 2 3][4 5 6]" | FileCheck %s --check-prefix=BRACKETS
// RUN: embedding-run %s --function=identity --input="2x3xf32=0.5" | FileCheck %s --check-prefix=SPLAT
// RUN: embedding-run %s --function=identity --input="2x3xf32" | FileCheck %s --check-prefix=ZEROS
// RUN: embedding-run %s --function=scalars --input=i32=-7 --input=f64=2.5 --input=i1=true | FileCheck %s --check-prefix=SCALARS
// RUN: embedding-run %s --function=in_place --input="2x2xi8=1 2 3 4" --output=- | FileCheck %s --check-prefix=INPLACE
// RUN: embedding-run %s --function=in_place --input="2x2xi8=1 2 3 4" | count 0

// FLOATS: 2x3xf32=[1.5 -0 inf][nan 0.001 7]
// BRACKETS: 2x3xf32=[1 2 3][4 5 6]
// SPLAT: 2x3xf32=[0.5 0.5 0.5][0.5 0.5 0.5]
// ZEROS: 2x3xf32=[0 0 0][0 0 0]
// SCALARS: i32=-7
// SCALARS: f64=5
// SCALARS: i1=1
// INPLACE: 2x2xi8=[1 2][3 9]

// Files: NumPy in either order, safetensors by name, and back.
// RUN: %python %S/Inputs/make_files.py %t
// RUN: embedding-run %s --function=identity --input=@%t/c.npy --output=@%t/out.npy
// RUN: %python %S/Inputs/same_array.py %t/out.npy %t/c.npy
// RUN: embedding-run %s --function=identity --input=@%t/fortran.npy --output=@%t/out.npy
// RUN: %python %S/Inputs/same_array.py %t/out.npy %t/c.npy
// RUN: embedding-run %s --function=identity --input=@%t/model.safetensors:wte.weight --output=@%t/out.npy
// RUN: %python %S/Inputs/same_array.py %t/out.npy %t/c.npy
// RUN: embedding-run %s --function=identity --input=@%t/model.safetensors:unaligned --output=@%t/out.npy
// RUN: %python %S/Inputs/same_array.py %t/out.npy %t/c.npy

// A function that writes to its argument leaves the file as it was.
// RUN: embedding-run %s --function=in_place --input=@%t/bytes.npy --output=- | FileCheck %s --check-prefix=INPLACE
// RUN: embedding-run %s --function=in_place --input=@%t/bytes.npy --output=- | FileCheck %s --check-prefix=INPLACE

// RUN: embedding-run %s --function=identity --input=2x3xf32 --benchmark=3 2>&1 | FileCheck %s --check-prefix=BENCHMARK
// BENCHMARK: median of 3 calls: {{.*}} ms (fastest {{.*}} ms); results of 24 bytes at {{.*}} GB/s

// RUN: embedding-run %s --function=in_place --emit=mlir | FileCheck %s --check-prefix=MLIR
// RUN: embedding-run %s --function=in_place --emit=llvm | FileCheck %s --check-prefix=LLVM
// MLIR: llvm.func @in_place
// LLVM: define {{.*}} @in_place

func.func @identity(%a: tensor<?x?xf32>) -> tensor<?x?xf32> {
  return %a : tensor<?x?xf32>
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
