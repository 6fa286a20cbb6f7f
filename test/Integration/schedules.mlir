// What a schedule says of vectors, of unrolling and of streaming changes no bit.
// DEFINE: %{run} = embedding-run %s --input="3x13xf32=0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38" --input="4xi64=2 0 2 1"
// DEFINE: %{cuda} = env EMBEDDING_CUDA_LIBRARY=%interpreted_cuda %{run} --target=cuda

// RUN: %{run} --function=plain > %t.lookup
// RUN: %{run} --function=narrow | diff %t.lookup -
// RUN: %{run} --function=wide | diff %t.lookup -
// RUN: %{cuda} --function=narrow | diff %t.lookup -
// RUN: %{cuda} --function=wide | diff %t.lookup -
// RUN: FileCheck %s < %t.lookup
// CHECK: 4x13xf32=[26 27 28 29 30 31 32 33 34 35 36 37 38][0 1 2 3 4 5 6 7 8 9 10 11 12]
// CHECK-SAME:      [26 27 28 29 30 31 32 33 34 35 36 37 38][13 14 15 16 17 18 19 20 21 22 23 24 25]
func.func @plain(%table: tensor<3x13xf32>, %indices: tensor<4xi64>)
    -> tensor<4x13xf32> {
  %out = tensor.empty() : tensor<4x13xf32>
  %rows = embedding.lookup
    ins(%table, %indices : tensor<3x13xf32>, tensor<4xi64>)
    outs(%out : tensor<4x13xf32>) -> tensor<4x13xf32>
  return %rows : tensor<4x13xf32>
}

func.func @narrow(%table: tensor<3x13xf32>, %indices: tensor<4xi64>)
    -> tensor<4x13xf32> {
  %out = tensor.empty() : tensor<4x13xf32>
  %rows = embedding.lookup
    {embedding.schedule = #embedding.schedule<streaming = never,
                                              vector_bytes = 1, unroll = 1>}
    ins(%table, %indices : tensor<3x13xf32>, tensor<4xi64>)
    outs(%out : tensor<4x13xf32>) -> tensor<4x13xf32>
  return %rows : tensor<4x13xf32>
}

func.func @wide(%table: tensor<3x13xf32>, %indices: tensor<4xi64>)
    -> tensor<4x13xf32> {
  %out = tensor.empty() : tensor<4x13xf32>
  %rows = embedding.lookup
    {embedding.schedule = #embedding.schedule<streaming = always,
                                              vector_bytes = 1024,
                                              unroll = 1000>}
    ins(%table, %indices : tensor<3x13xf32>, tensor<4xi64>)
    outs(%out : tensor<4x13xf32>) -> tensor<4x13xf32>
  return %rows : tensor<4x13xf32>
}

// Groups of more than 128 positions, whose sums are rounded as they go.
// DEFINE: %{sum} = embedding-run %s --input="520x5xf32=.1" --input="520xi64=1"
// DEFINE: %{sum_cuda} = env EMBEDDING_CUDA_LIBRARY=%interpreted_cuda %{sum} --target=cuda
// RUN: %{sum} --function=plain_sum > %t.sum
// RUN: %{sum} --function=narrow_sum | diff %t.sum -
// RUN: %{sum} --function=wide_sum | diff %t.sum -
// RUN: %{sum_cuda} --function=plain_sum | diff %t.sum -
// RUN: %{sum_cuda} --function=narrow_sum | diff %t.sum -
// RUN: %{sum_cuda} --function=wide_sum | diff %t.sum -
// RUN: FileCheck %s --check-prefix=SUM < %t.sum
// SUM: 3x5xf32=[0 0 0 0 0][52
func.func @plain_sum(%dy: tensor<520x5xf32>, %indices: tensor<520xi64>)
    -> tensor<3x5xf32> {
  %out = tensor.empty() : tensor<3x5xf32>
  %dw = embedding.dense_grad
    ins(%dy, %indices : tensor<520x5xf32>, tensor<520xi64>)
    outs(%out : tensor<3x5xf32>) -> tensor<3x5xf32>
  return %dw : tensor<3x5xf32>
}

func.func @narrow_sum(%dy: tensor<520x5xf32>, %indices: tensor<520xi64>)
    -> tensor<3x5xf32> {
  %out = tensor.empty() : tensor<3x5xf32>
  %dw = embedding.dense_grad
    {embedding.schedule = #embedding.schedule<grouping = radix_sort,
                                              vector_bytes = 4, unroll = 1>}
    ins(%dy, %indices : tensor<520x5xf32>, tensor<520xi64>)
    outs(%out : tensor<3x5xf32>) -> tensor<3x5xf32>
  return %dw : tensor<3x5xf32>
}

func.func @wide_sum(%dy: tensor<520x5xf32>, %indices: tensor<520xi64>)
    -> tensor<3x5xf32> {
  %out = tensor.empty() : tensor<3x5xf32>
  %dw = embedding.dense_grad
    {embedding.schedule = #embedding.schedule<grouping = counting_sort,
                                              vector_bytes = 64, unroll = 64>}
    ins(%dy, %indices : tensor<520x5xf32>, tensor<520xi64>)
    outs(%out : tensor<3x5xf32>) -> tensor<3x5xf32>
  return %dw : tensor<3x5xf32>
}
