// The worked cases of docs/Semantics.md, through the optimized and the naive
// lowering for the CPU, and on an interpreted GPU.
// DEFINE: %{run} = embedding-run %s
// DEFINE: %{cuda} = env EMBEDDING_CUDA_LIBRARY=%interpreted_cuda embedding-run %s --target=cuda
// DEFINE: %{dy} = --input="4x3xf32=1 1 1 1 1 1 1 1 1 1 1 1"
// DEFINE: %{R} = --input="4x2xf32=3 4 .6 .8 0 0 6 8"

// RUN: %{run}         --function=dense %{dy} --input="4xi64=1 1 3 1" | FileCheck %s --check-prefix=DENSE
// RUN: %{run} --naive --function=dense %{dy} --input="4xi64=1 1 3 1" | FileCheck %s --check-prefix=DENSE
// RUN: %{cuda} --function=dense %{dy} --input="4xi64=1 1 3 1" | FileCheck %s --check-prefix=DENSE
// RUN: %{run}         --function=padded %{dy} --input="4xi64=0 1 3 0" | FileCheck %s --check-prefix=PADDED
// RUN: %{run} --naive --function=padded %{dy} --input="4xi64=0 1 3 0" | FileCheck %s --check-prefix=PADDED
// RUN: %{cuda} --function=padded %{dy} --input="4xi64=0 1 3 0" | FileCheck %s --check-prefix=PADDED
// RUN: %{run}         --function=frequency --input="2x2x3xf32=1" --input="2x2xi64=1 2 1 3" | FileCheck %s --check-prefix=FREQUENCY
// RUN: %{run} --naive --function=frequency --input="2x2x3xf32=1" --input="2x2xi64=1 2 1 3" | FileCheck %s --check-prefix=FREQUENCY
// RUN: %{cuda} --function=frequency --input="2x2x3xf32=1" --input="2x2xi64=1 2 1 3" | FileCheck %s --check-prefix=FREQUENCY
// RUN: %{run}         --function=order --input="3x1xf32=1e8 1 -1e8" | FileCheck %s --check-prefix=ORDER0
// RUN: %{run} --naive --function=order --input="3x1xf32=1e8 1 -1e8" | FileCheck %s --check-prefix=ORDER0
// RUN: %{run}         --function=order --input="3x1xf32=1e8 -1e8 1" | FileCheck %s --check-prefix=ORDER1
// RUN: %{run} --naive --function=order --input="3x1xf32=1e8 -1e8 1" | FileCheck %s --check-prefix=ORDER1
// RUN: %{run}         --function=bf16 --input="300x1xbf16=1" --input=300xi64 | FileCheck %s --check-prefix=BF16
// RUN: %{run} --naive --function=bf16 --input="300x1xbf16=1" --input=300xi64 | FileCheck %s --check-prefix=BF16
// RUN: %{cuda} --function=bf16 --input="300x1xbf16=1" --input=300xi64 | FileCheck %s --check-prefix=BF16
// RUN: %{run}         --function=f16 --input="4096x1xf16=1" --input=4096xi64 | FileCheck %s --check-prefix=F16
// RUN: %{run} --naive --function=f16 --input="4096x1xf16=1" --input=4096xi64 | FileCheck %s --check-prefix=F16
// RUN: %{cuda} --function=f16 --input="4096x1xf16=1" --input=4096xi64 | FileCheck %s --check-prefix=F16
// RUN: %{run}         --function=sparse --input="3x1xf32=1 2 3" --input="3xi64=3 1 3" | FileCheck %s --check-prefix=SPARSE
// RUN: %{run} --naive --function=sparse --input="3x1xf32=1 2 3" --input="3xi64=3 1 3" | FileCheck %s --check-prefix=SPARSE
// RUN: %{cuda} --function=sparse --input="3x1xf32=1 2 3" --input="3xi64=3 1 3" | FileCheck %s --check-prefix=SPARSE
// RUN: %{run}         --function=coalesce --input="3xi32=3 1 3" --input="3x1xf32=1 2 3" | FileCheck %s --check-prefix=COALESCE
// RUN: %{run} --naive --function=coalesce --input="3xi32=3 1 3" --input="3x1xf32=1 2 3" | FileCheck %s --check-prefix=COALESCE
// RUN: %{cuda} --function=coalesce --input="3xi32=3 1 3" --input="3x1xf32=1 2 3" | FileCheck %s --check-prefix=COALESCE
// RUN: %{run}         --function=renorm %{R} --input="3xi64=0 0 1" | FileCheck %s --check-prefix=RENORM
// RUN: %{run} --naive --function=renorm %{R} --input="3xi64=0 0 1" | FileCheck %s --check-prefix=RENORM
// RUN: %{cuda} --function=renorm %{R} --input="3xi64=0 0 1" | FileCheck %s --check-prefix=RENORM
// RUN: %{run}         --function=renorm_f64 --input="1x2xf64=3 4" | FileCheck %s --check-prefix=RENORM64
// RUN: %{run} --naive --function=renorm_f64 --input="1x2xf64=3 4" | FileCheck %s --check-prefix=RENORM64
// RUN: %{run}         --function=renorm_1 --input="1x2xf64=1 -3" | FileCheck %s --check-prefix=RENORM1
// RUN: %{run} --naive --function=renorm_1 --input="1x2xf64=1 -3" | FileCheck %s --check-prefix=RENORM1
// RUN: %{run}         --function=renorm_inf --input="1x2xf64=3 -4" | FileCheck %s --check-prefix=RENORMINF
// RUN: %{run} --naive --function=renorm_inf --input="1x2xf64=3 -4" | FileCheck %s --check-prefix=RENORMINF
// RUN: %{run}         --function=renorm_f16 --input="1x2xf16=60000 60000" | FileCheck %s --check-prefix=RENORM16
// RUN: %{run} --naive --function=renorm_f16 --input="1x2xf16=60000 60000" | FileCheck %s --check-prefix=RENORM16
// RUN: %{run}         --function=renorm_of_any_length --input="1x17xf32=0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 4" --input=i64=0 | FileCheck %s --check-prefix=ANYLENGTH
// RUN: %{run} --naive --function=renorm_of_any_length --input="1x17xf32=0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 4" --input=i64=0 | FileCheck %s --check-prefix=ANYLENGTH
// RUN: %{cuda} --function=renorm_of_any_length --input="1x17xf32=0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 4" --input=i64=0 | FileCheck %s --check-prefix=ANYLENGTH
// RUN: %{run}         --function=max_norm_lookup %{R} --input="3xi64=3 0 3" | FileCheck %s --check-prefix=MAXNORM
// RUN: %{run} --naive --function=max_norm_lookup %{R} --input="3xi64=3 0 3" | FileCheck %s --check-prefix=MAXNORM
// RUN: %{cuda} --function=max_norm_lookup %{R} --input="3xi64=3 0 3" | FileCheck %s --check-prefix=MAXNORM
// RUN: %{run}         --function=second --input="4x1xf32=1 2 3 4" --input="4xi64=3 1 3 0" | FileCheck %s --check-prefix=SECOND
// RUN: %{run} --naive --function=second --input="4x1xf32=1 2 3 4" --input="4xi64=3 1 3 0" | FileCheck %s --check-prefix=SECOND
// RUN: %{cuda} --function=second --input="4x1xf32=1 2 3 4" --input="4xi64=3 1 3 0" | FileCheck %s --check-prefix=SECOND

// A bad index anywhere: an error that says where.
// RUN: not %{run} --function=dense %{dy} --input="4xi64=4 1 3 -1" 2>&1 | FileCheck %s --check-prefix=BAD
// RUN: not %{cuda} --function=dense %{dy} --input="4xi64=4 1 3 -1" 2>&1 | FileCheck %s --check-prefix=BADCUDA
// RUN: not %{run} --function=renorm %{R} --input="3xi64=0 0 4" 2>&1 | FileCheck %s --check-prefix=BADLAST
// RUN: not %{cuda} --function=renorm %{R} --input="3xi64=0 0 4" 2>&1 | FileCheck %s --check-prefix=BADLASTCUDA
// BAD: error: {{.*}}training.mlir:67:8: embedding.dense_grad: indices: expected values in [0, 4), but got 4 at flat position 0 (2 out of range in all)
// BADCUDA: error: indices: expected rows of the table, but got 4 at flat position 0 (2 out of range in all)
// BADLAST: error: {{.*}}training.mlir:147:8: embedding.renorm: indices: expected values in [0, 4), but got 4 at flat position 2 (1 out of range in all)
// BADLASTCUDA: error: indices: expected rows of the table, but got 4 at flat position 2 (1 out of range in all)

// DENSE: 4x3xf32=[0 0 0][3 3 3][0 0 0][1 1 1]{{$}}
func.func @dense(%dy: tensor<?x3xf32>, %i: tensor<?xi64>) -> tensor<4x3xf32> {
  %init = tensor.empty() : tensor<4x3xf32>
  %0 = embedding.dense_grad ins(%dy, %i : tensor<?x3xf32>, tensor<?xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// PADDED: 4x3xf32=[0 0 0][1 1 1][0 0 0][1 1 1]{{$}}
func.func @padded(%dy: tensor<4x3xf32>, %i: tensor<4xi64>) -> tensor<4x3xf32> {
  %init = tensor.empty() : tensor<4x3xf32>
  %0 = embedding.dense_grad padding_idx(-4) ins(%dy, %i : tensor<4x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// FREQUENCY: 4x3xf32=[0 0 0][1 1 1][1 1 1][1 1 1]{{$}}
func.func @frequency(%dy: tensor<2x2x3xf32>, %i: tensor<2x2xi64>) -> tensor<4x3xf32> {
  %init = tensor.empty() : tensor<4x3xf32>
  %0 = embedding.dense_grad scale_grad_by_freq
         ins(%dy, %i : tensor<2x2x3xf32>, tensor<2x2xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// ORDER0: 1x1xf32=[0]{{$}}
// ORDER1: 1x1xf32=[1]{{$}}
func.func @order(%dy: tensor<3x1xf32>) -> tensor<1x1xf32> {
  %i = arith.constant dense<0> : tensor<3xi64>
  %init = tensor.empty() : tensor<1x1xf32>
  %0 = embedding.dense_grad ins(%dy, %i : tensor<3x1xf32>, tensor<3xi64>)
         outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}

// BF16: 1x1xbf16=[300]{{$}}
func.func @bf16(%dy: tensor<300x1xbf16>, %i: tensor<300xi64>) -> tensor<1x1xbf16> {
  %init = tensor.empty() : tensor<1x1xbf16>
  %0 = embedding.dense_grad ins(%dy, %i : tensor<300x1xbf16>, tensor<300xi64>)
         outs(%init : tensor<1x1xbf16>) -> tensor<1x1xbf16>
  return %0 : tensor<1x1xbf16>
}

// F16: 1x1xf16=[4096]{{$}}
func.func @f16(%dy: tensor<4096x1xf16>, %i: tensor<4096xi64>) -> tensor<1x1xf16> {
  %init = tensor.empty() : tensor<1x1xf16>
  %0 = embedding.dense_grad ins(%dy, %i : tensor<4096x1xf16>, tensor<4096xi64>)
         outs(%init : tensor<1x1xf16>) -> tensor<1x1xf16>
  return %0 : tensor<1x1xf16>
}

// SPARSE: 3xi64=3 1 3
// SPARSE-NEXT: 3x1xf32=[1][2][3]
// SPARSE-NEXT: i64=3{{$}}
func.func @sparse(%dy: tensor<3x1xf32>, %i: tensor<3xi64>)
    -> (tensor<3xi64>, tensor<3x1xf32>, tensor<i64>) {
  %n = arith.constant 4 : index
  %r = tensor.empty() : tensor<3xi64>
  %v = tensor.empty() : tensor<3x1xf32>
  %c = tensor.empty() : tensor<i64>
  %0:3 = embedding.sparse_grad num_rows(%n) ins(%dy, %i : tensor<3x1xf32>, tensor<3xi64>)
           outs(%r, %v, %c : tensor<3xi64>, tensor<3x1xf32>, tensor<i64>)
           -> tensor<3xi64>, tensor<3x1xf32>, tensor<i64>
  return %0#0, %0#1, %0#2 : tensor<3xi64>, tensor<3x1xf32>, tensor<i64>
}

// COALESCE: 3xi64=1 3
// COALESCE-NEXT: 3x1xf32=[2][4]
// COALESCE-NEXT: i64=2{{$}}
func.func @coalesce(%i: tensor<3xi32>, %v: tensor<3x1xf32>)
    -> (tensor<3xi64>, tensor<3x1xf32>, tensor<i64>) {
  %n = arith.constant 4 : index
  %r = tensor.empty() : tensor<3xi64>
  %s = tensor.empty() : tensor<3x1xf32>
  %c = tensor.empty() : tensor<i64>
  %0:3 = embedding.coalesce num_rows(%n) ins(%i, %v : tensor<3xi32>, tensor<3x1xf32>)
           outs(%r, %s, %c : tensor<3xi64>, tensor<3x1xf32>, tensor<i64>)
           -> tensor<3xi64>, tensor<3x1xf32>, tensor<i64>
  return %0#0, %0#1, %0#2 : tensor<3xi64>, tensor<3x1xf32>, tensor<i64>
}

// RENORM: 4x2xf32=[0.6 0.8][0.6 0.8][0 0][6 8]{{$}}
func.func @renorm(%t: tensor<4x2xf32>, %i: tensor<3xi64>) -> tensor<4x2xf32> {
  %0 = embedding.renorm max_norm(1.0) ins(%i : tensor<3xi64>)
         outs(%t : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

// RENORM64: 1x2xf64=[0.5999999880000002 0.7999999840000003]{{$}}
func.func @renorm_f64(%t: tensor<1x2xf64>) -> tensor<1x2xf64> {
  %i = arith.constant dense<0> : tensor<i64>
  %0 = embedding.renorm max_norm(1.0) ins(%i : tensor<i64>)
         outs(%t : tensor<1x2xf64>) -> tensor<1x2xf64>
  return %0 : tensor<1x2xf64>
}

// RENORM1: 1x2xf64=[0.49999998750000{{[0-9]*}} -1.49999996250000{{[0-9]*}}]{{$}}
func.func @renorm_1(%t: tensor<1x2xf64>) -> tensor<1x2xf64> {
  %i = arith.constant dense<0> : tensor<i64>
  %0 = embedding.renorm max_norm(2.0) norm_type(1.0) ins(%i : tensor<i64>)
         outs(%t : tensor<1x2xf64>) -> tensor<1x2xf64>
  return %0 : tensor<1x2xf64>
}

// RENORMINF: 1x2xf64=[1.49999996250000{{[0-9]*}} -1.9999999500000{{[0-9]*}}]{{$}}
func.func @renorm_inf(%t: tensor<1x2xf64>) -> tensor<1x2xf64> {
  %i = arith.constant dense<0> : tensor<i64>
  %0 = embedding.renorm max_norm(2.0) norm_type(0x7FF0000000000000) ins(%i : tensor<i64>)
         outs(%t : tensor<1x2xf64>) -> tensor<1x2xf64>
  return %0 : tensor<1x2xf64>
}

// The one element behind whole pieces of a row counts, and it alone.
// ANYLENGTH: 1x17xf32=[0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1]{{$}}
func.func @renorm_of_any_length(%t: tensor<?x?xf32>, %i: tensor<i64>) -> tensor<?x?xf32> {
  %0 = embedding.renorm max_norm(1.0) ins(%i : tensor<i64>)
         outs(%t : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// RENORM16: 1x2xf16=[0 0]{{$}}
func.func @renorm_f16(%t: tensor<1x2xf16>) -> tensor<1x2xf16> {
  %i = arith.constant dense<0> : tensor<i64>
  %0 = embedding.renorm max_norm(1.0) ins(%i : tensor<i64>)
         outs(%t : tensor<1x2xf16>) -> tensor<1x2xf16>
  return %0 : tensor<1x2xf16>
}

// Fused on the way.
// MAXNORM: 3x2xf32=[3 4][3 4][3 4]{{$}}
// MAXNORM-NEXT: 4x2xf32=[3 4][0.6 0.8][0 0][3 4]{{$}}
func.func @max_norm_lookup(%t: tensor<4x2xf32>, %i: tensor<3xi64>)
    -> (tensor<3x2xf32>, tensor<4x2xf32>) {
  %t1 = embedding.renorm max_norm(5.0) ins(%i : tensor<3xi64>)
          outs(%t : tensor<4x2xf32>) -> tensor<4x2xf32>
  %init = tensor.empty() : tensor<3x2xf32>
  %0 = embedding.lookup ins(%t1, %i : tensor<4x2xf32>, tensor<3xi64>)
         outs(%init : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %0, %t1 : tensor<3x2xf32>, tensor<4x2xf32>
}

// SECOND: 4x1xf32=[2][0][2][1]{{$}}
func.func @second(%t: tensor<4x1xf32>, %i: tensor<4xi64>) -> tensor<4x1xf32> {
  %init = tensor.empty() : tensor<4x1xf32>
  %0 = embedding.double_backward padding_idx(1) scale_grad_by_freq
         ins(%t, %i : tensor<4x1xf32>, tensor<4xi64>)
         outs(%init : tensor<4x1xf32>) -> tensor<4x1xf32>
  return %0 : tensor<4x1xf32>
}
