// What does not fit and what there is no memory for ends the call, and says why.
// DEFINE: %{fail} = not embedding-run %s 2>&1
// DEFINE: %{cuda} = env EMBEDDING_CUDA_LIBRARY=%interpreted_cuda %{fail} --target=cuda

// DEFINE: %{lookup} = --function=lookup --input=4x3xf32 --input=2xi64 --input=2x5xf32
// RUN: %{fail} %{lookup} | FileCheck %s --check-prefix=SIZES
// RUN: %{fail} %{lookup} --naive | FileCheck %s --check-prefix=SIZES
// RUN: %{cuda} %{lookup} | FileCheck %s --check-prefix=SIZES
// SIZES: error: {{.*}}failing-calls.mlir:[[#@LINE+39]]:3: embedding.lookup: expected dimension 1 of out to be dimension 1 of table, 3, but got 5

// Nothing is said of what is promised: more rows than are written.
// RUN: embedding-run %s --assume-sizes --function=lookup --input=4x3xf32 --input=2xi64 --input=3x3xf32=7

// RUN: %{fail} --function=buffer --input=i64=-5 | FileCheck %s --check-prefix=NEGATIVE
// RUN: %{cuda} --assume-sizes --function=device_buffer --input=2xi64 --input=i64=-5 | FileCheck %s --check-prefix=NEGATIVE
// NEGATIVE: error: expected sizes of memory to be at least 0, but got [-5]
// RUN: %{fail} --function=buffer --input=i64=2305843009213693952 | FileCheck %s --check-prefix=OVERFLOW
// OVERFLOW: error: no memory for [2305843009213693952] elements of 4 bytes
// RUN: %{fail} --function=buffer --input=i64=1152921504606846976 | FileCheck %s --check-prefix=MEMORY
// MEMORY: error: no 4611686018427387904 bytes of memory

// An assertion that fails is an error; and so are the brackets of a parser that would call itself too often.
// RUN: %{fail} --function=positive --input=i64=-5 | FileCheck %s --check-prefix=ASSERTION
// RUN: %{fail} --naive --function=positive --input=i64=-5 | FileCheck %s --check-prefix=ASSERTION
// RUN: %{cuda} --function=assert_on_host --input=2xi64 --input=i1=false | FileCheck %s --check-prefix=ASSERTION
// RUN: embedding-run %s --function=positive --input=i64=5 | FileCheck %s --check-prefix=POSITIVE
// ASSERTION: embedding-run: error: assertion failed: expected a positive number
// POSITIVE: i64=5

// RUN: %python -c "print('func.func @f() attributes {a = ' + '[' * 100000)" > %t.mlir
// RUN: not embedding-run %t.mlir 2>&1 | FileCheck %s --check-prefix=NESTED
// NESTED: error: expected brackets and signs to be nested at most 1000 deep

func.func @positive(%x: i64) -> i64 {
  %zero = arith.constant 0 : i64
  %is_positive = arith.cmpi sgt, %x, %zero : i64
  cf.assert %is_positive, "expected a positive number"
  return %x : i64
}

func.func @assert_on_host(%indices: memref<?xi64>, %holds: i1) {
  cf.assert %holds, "expected a positive number"
  return
}

func.func @lookup(%table: memref<?x?xf32>, %indices: memref<?xi64>,
                  %init: memref<?x?xf32>) {
  embedding.lookup ins(%table, %indices : memref<?x?xf32>, memref<?xi64>)
                   outs(%init : memref<?x?xf32>)
  return
}

func.func @buffer(%n: i64) -> tensor<?xf32> {
  %size = arith.index_cast %n : i64 to index
  %one = arith.constant 1.0 : f32
  %init = tensor.empty(%size) : tensor<?xf32>
  %ones = linalg.fill ins(%one : f32) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  return %ones : tensor<?xf32>
}

func.func @device_buffer(%indices: memref<?xi64>, %n: i64) {
  %c0 = arith.constant 0 : index
  %size = arith.index_cast %n : i64 to index
  %v = arith.constant 10 : index
  %rows = memref.alloc(%size) : memref<?xi64>
  %offsets = memref.alloc(%size) : memref<?xi64>
  %positions = memref.alloc(%size) : memref<?xi64>
  %count = memref.alloc() : memref<i64>
  embedding.group num_rows(%v) ins(%indices : memref<?xi64>)
      outs(%rows, %offsets, %positions, %count
           : memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<i64>)
  return
}
