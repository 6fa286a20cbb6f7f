// The worked cases of docs/Semantics.md, through the optimized and the naive
// lowering for the CPU, and on an interpreted GPU.
// DEFINE: %{run} = embedding-run %s
// DEFINE: %{cuda} = env EMBEDDING_CUDA_LIBRARY=%interpreted_cuda embedding-run %s --target=cuda
// DEFINE: %{W} = --input="4x3xf32=1 2 3 4 5 6 7 8 9 10 11 12"
// RUN: %{run}         --function=rank_0 %{W} --input=i64=2 | FileCheck %s --check-prefix=RANK0
// RUN: %{run} --naive --function=rank_0 %{W} --input=i64=2 | FileCheck %s --check-prefix=RANK0
// RUN: %{cuda} --function=rank_0 %{W} --input=i64=2 | FileCheck %s --check-prefix=RANK0
// RUN: %{run}         --function=rank_1 %{W} --input="3xi32=2 0 3" | FileCheck %s --check-prefix=RANK1
// RUN: %{run} --naive --function=rank_1 %{W} --input="3xi32=2 0 3" | FileCheck %s --check-prefix=RANK1
// RUN: %{cuda} --function=rank_1 %{W} --input="3xi32=2 0 3" | FileCheck %s --check-prefix=RANK1
// RUN: %{run}         --function=rank_3 %{W} --input="2x0x3xi64" | FileCheck %s --check-prefix=EMPTY
// RUN: %{run} --naive --function=rank_3 %{W} --input="2x0x3xi64" | FileCheck %s --check-prefix=EMPTY
// RUN: %{cuda} --function=rank_3 %{W} --input="2x0x3xi64" | FileCheck %s --check-prefix=EMPTY
// RUN: %{run}         --function=clamp %{W} --input="5xi64=-9 0 3 4 99" | FileCheck %s --check-prefix=CLAMP
// RUN: %{run} --naive --function=clamp %{W} --input="5xi64=-9 0 3 4 99" | FileCheck %s --check-prefix=CLAMP
// RUN: %{cuda} --function=clamp %{W} --input="5xi64=-9 0 3 4 99" | FileCheck %s --check-prefix=CLAMP
// RUN: %{run}         --function=zero %{W} --input="5xi64=-9 0 3 4 99" | FileCheck %s --check-prefix=ZERO
// RUN: %{run} --naive --function=zero %{W} --input="5xi64=-9 0 3 4 99" | FileCheck %s --check-prefix=ZERO
// RUN: %{cuda} --function=zero %{W} --input="5xi64=-9 0 3 4 99" | FileCheck %s --check-prefix=ZERO
// RUN: %{run}         --function=clamp --input=0x3xf32 --input="2xi64=0 1" | FileCheck %s --check-prefix=NOROWS
// RUN: %{run} --naive --function=clamp --input=0x3xf32 --input="2xi64=0 1" | FileCheck %s --check-prefix=NOROWS
// RUN: %{cuda} --function=clamp --input=0x3xf32 --input="2xi64=0 1" | FileCheck %s --check-prefix=NOROWS

// RUN: %{run}         --function=no_rows --input=0x3xf32 --input="2xi64=0 1" | FileCheck %s --check-prefix=NOROWS
// RUN: %{run} --naive --function=no_rows --input=0x3xf32 --input="2xi64=0 1" | FileCheck %s --check-prefix=NOROWS
// RUN: %{cuda} --function=no_rows --input=0x3xf32 --input="2xi64=0 1" | FileCheck %s --check-prefix=NOROWS

// RUN: not %{run}         --function=rank_1 %{W} --input="3xi32=1 4 -1" 2>&1 | FileCheck %s --check-prefix=BAD
// RUN: not %{run} --naive --function=rank_1 %{W} --input="3xi32=1 4 -1" 2>&1 | FileCheck %s --check-prefix=BAD
// RUN: not %{cuda} --function=rank_1 %{W} --input="3xi32=1 4 -1" 2>&1 | FileCheck %s --check-prefix=BADCUDA
// RUN: not %{run}         --function=rank_3 %{W} --input="2x1x2xi64=0 0 0 -1" 2>&1 | FileCheck %s --check-prefix=BAD3
// RUN: not %{run} --naive --function=rank_3 %{W} --input="2x1x2xi64=0 0 0 -1" 2>&1 | FileCheck %s --check-prefix=BAD3
// RUN: not %{cuda} --function=rank_3 %{W} --input="2x1x2xi64=0 0 0 -1" 2>&1 | FileCheck %s --check-prefix=BAD3CUDA

// BAD: error: {{.*}}lookup.mlir:54:8: embedding.lookup: indices: expected values in [0, 4), but got 4 at flat position 1 (2 out of range in all)
// BADCUDA: error: indices: expected rows of the table, but got 4 at flat position 1 (2 out of range in all)
// BAD3: error: {{.*}}lookup.mlir:68:8: embedding.lookup: indices: expected values in [0, 4), but got -1 at flat position 3 (1 out of range in all)
// BAD3CUDA: error: indices: expected rows of the table, but got -1 at flat position 3 (1 out of range in all)

// RANK0: 3xf32=7 8 9{{$}}
func.func @rank_0(%table: tensor<?x3xf32>, %indices: tensor<i64>) -> tensor<3xf32> {
  %init = tensor.empty() : tensor<3xf32>
  %0 = embedding.lookup ins(%table, %indices : tensor<?x3xf32>, tensor<i64>)
         outs(%init : tensor<3xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// RANK1: 3x3xf32=[7 8 9][1 2 3][10 11 12]{{$}}
func.func @rank_1(%table: tensor<?x3xf32>, %indices: tensor<?xi32>) -> tensor<?x3xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %indices, %c0 : tensor<?xi32>
  %init = tensor.empty(%n) : tensor<?x3xf32>
  %0 = embedding.lookup ins(%table, %indices : tensor<?x3xf32>, tensor<?xi32>)
         outs(%init : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// EMPTY: 2x0x3x3xf32={{$}}
func.func @rank_3(%table: tensor<?x3xf32>, %indices: tensor<?x?x?xi64>) -> tensor<?x?x?x3xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n0 = tensor.dim %indices, %c0 : tensor<?x?x?xi64>
  %n1 = tensor.dim %indices, %c1 : tensor<?x?x?xi64>
  %n2 = tensor.dim %indices, %c2 : tensor<?x?x?xi64>
  %init = tensor.empty(%n0, %n1, %n2) : tensor<?x?x?x3xf32>
  %0 = embedding.lookup ins(%table, %indices : tensor<?x3xf32>, tensor<?x?x?xi64>)
         outs(%init : tensor<?x?x?x3xf32>) -> tensor<?x?x?x3xf32>
  return %0 : tensor<?x?x?x3xf32>
}

// CLAMP: 5x3xf32=[1 2 3][1 2 3][10 11 12][10 11 12][10 11 12]{{$}}
// NOROWS: 2x3xf32=[0 0 0][0 0 0]{{$}}
func.func @clamp(%table: tensor<?x3xf32>, %indices: tensor<?xi64>) -> tensor<?x3xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %indices, %c0 : tensor<?xi64>
  %init = tensor.empty(%n) : tensor<?x3xf32>
  %0 = embedding.lookup out_of_range(clamp)
         ins(%table, %indices : tensor<?x3xf32>, tensor<?xi64>)
         outs(%init : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// ZERO: 5x3xf32=[0 0 0][1 2 3][10 11 12][0 0 0][0 0 0]{{$}}
func.func @zero(%table: tensor<?x3xf32>, %indices: tensor<?xi64>) -> tensor<?x3xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %indices, %c0 : tensor<?xi64>
  %init = tensor.empty(%n) : tensor<?x3xf32>
  %0 = embedding.lookup out_of_range(zero)
         ins(%table, %indices : tensor<?x3xf32>, tensor<?xi64>)
         outs(%init : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

func.func @no_rows(%table: tensor<0x3xf32>, %indices: tensor<2xi64>) -> tensor<2x3xf32> {
  %init = tensor.empty() : tensor<2x3xf32>
  %0 = embedding.lookup out_of_range(zero)
         ins(%table, %indices : tensor<0x3xf32>, tensor<2xi64>)
         outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
