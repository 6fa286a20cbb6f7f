// Indices of two dimensions, one of which is known to be 0: gradients are zeros, and
// tables stay what they are.
// DEFINE: %{run} = embedding-run %s
// DEFINE: %{cuda} = env EMBEDDING_CUDA_LIBRARY=%interpreted_cuda embedding-run %s --target=cuda
// RUN: %{run}         --function=dense --input=3x0x2xf32 --input=3x0xi64 | FileCheck %s --check-prefix=DENSE
// RUN: %{run} --naive --function=dense --input=3x0x2xf32 --input=3x0xi64 | FileCheck %s --check-prefix=DENSE
// RUN: %{cuda} --function=dense --input=3x0x2xf32 --input=3x0xi64 | FileCheck %s --check-prefix=DENSE
// RUN: %{run}         --function=renormed --input="2x2xf32=3 4 6 8" --input=0x5xi32 | FileCheck %s --check-prefix=RENORM
// RUN: %{run} --naive --function=renormed --input="2x2xf32=3 4 6 8" --input=0x5xi32 | FileCheck %s --check-prefix=RENORM
// RUN: %{cuda} --function=renormed --input="2x2xf32=3 4 6 8" --input=0x5xi32 | FileCheck %s --check-prefix=RENORM
// RUN: %{run}         --function=renormed_rows --input="2x2xf32=3 4 6 8" --input=3x0xi64 | FileCheck %s --check-prefix=ROWS
// RUN: %{run} --naive --function=renormed_rows --input="2x2xf32=3 4 6 8" --input=3x0xi64 | FileCheck %s --check-prefix=ROWS
// RUN: %{cuda} --function=renormed_rows --input="2x2xf32=3 4 6 8" --input=3x0xi64 | FileCheck %s --check-prefix=ROWS
// RUN: %{run}         --function=second --input="2x2xf32=1 2 3 4" --input=3x0xi64 | FileCheck %s --check-prefix=SECOND
// RUN: %{run} --naive --function=second --input="2x2xf32=1 2 3 4" --input=3x0xi64 | FileCheck %s --check-prefix=SECOND
// RUN: %{cuda} --function=second --input="2x2xf32=1 2 3 4" --input=3x0xi64 | FileCheck %s --check-prefix=SECOND
// RUN: %{run}         --function=sparse --input=3x0x2xf32 --input=3x0xi64 | FileCheck %s --check-prefix=SPARSE
// RUN: %{run} --naive --function=sparse --input=3x0x2xf32 --input=3x0xi64 | FileCheck %s --check-prefix=SPARSE
// RUN: %{cuda} --function=sparse --input=3x0x2xf32 --input=3x0xi64 | FileCheck %s --check-prefix=SPARSE

// DENSE: 4x2xf32=[0 0][0 0][0 0][0 0]
func.func @dense(%dy: tensor<?x0x2xf32>, %i: tensor<?x0xi64>) -> tensor<4x2xf32> {
  %init = tensor.empty() : tensor<4x2xf32>
  %0 = embedding.dense_grad padding_idx(1) scale_grad_by_freq
         ins(%dy, %i : tensor<?x0x2xf32>, tensor<?x0xi64>)
         outs(%init : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

// RENORM: 2x2xf32=[3 4][6 8]
func.func @renormed(%t: tensor<2x2xf32>, %i: tensor<0x5xi32>) -> tensor<2x2xf32> {
  %0 = embedding.renorm max_norm(1.0) ins(%i : tensor<0x5xi32>)
         outs(%t : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// ROWS: 2x2xf32=[3 4][6 8]
// ROWS: 3x0x2xf32
func.func @renormed_rows(%t: tensor<2x2xf32>, %i: tensor<?x0xi64>)
    -> (tensor<2x2xf32>, tensor<?x0x2xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %i, %c0 : tensor<?x0xi64>
  %init = tensor.empty(%n) : tensor<?x0x2xf32>
  %0:2 = embedding.renorm_lookup max_norm(1.0) ins(%i : tensor<?x0xi64>)
           outs(%t, %init : tensor<2x2xf32>, tensor<?x0x2xf32>)
           -> tensor<2x2xf32>, tensor<?x0x2xf32>
  return %0#0, %0#1 : tensor<2x2xf32>, tensor<?x0x2xf32>
}

// SECOND: 3x0x2xf32
func.func @second(%t: tensor<2x2xf32>, %i: tensor<?x0xi64>) -> tensor<?x0x2xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %i, %c0 : tensor<?x0xi64>
  %init = tensor.empty(%n) : tensor<?x0x2xf32>
  %0 = embedding.double_backward padding_idx(0) scale_grad_by_freq
         ins(%t, %i : tensor<2x2xf32>, tensor<?x0xi64>)
         outs(%init : tensor<?x0x2xf32>) -> tensor<?x0x2xf32>
  return %0 : tensor<?x0x2xf32>
}

// SPARSE: i64=0
func.func @sparse(%dy: tensor<?x0x2xf32>, %i: tensor<?x0xi64>) -> tensor<i64> {
  %n = arith.constant 4 : index
  %rows = tensor.empty() : tensor<0xi64>
  %values = tensor.empty() : tensor<0x2xf32>
  %count = tensor.empty() : tensor<i64>
  %0:3 = embedding.sparse_grad num_rows(%n) padding_idx(0)
           ins(%dy, %i : tensor<?x0x2xf32>, tensor<?x0xi64>)
           outs(%rows, %values, %count : tensor<0xi64>, tensor<0x2xf32>, tensor<i64>)
           -> tensor<0xi64>, tensor<0x2xf32>, tensor<i64>
  return %0#2 : tensor<i64>
}
