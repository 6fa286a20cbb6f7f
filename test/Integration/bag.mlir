// The worked cases of docs/Semantics.md for bags, through the optimized and the
// naive lowering for the CPU.
// DEFINE: %{run} = embedding-run %s
// DEFINE: %{T} = --input="5x2xf32=1 2 3 4 5 6 7 8 9 10"
// DEFINE: %{I} = --input="6xi64=3 1 1 1 4 0"

// RUN: %{run}         --function=sum %{T} %{I} --input="5xi64=0 0 3 3 6" | FileCheck %s --check-prefix=SUM
// RUN: %{run} --naive --function=sum %{T} %{I} --input="5xi64=0 0 3 3 6" | FileCheck %s --check-prefix=SUM
// RUN: %{run}         --function=mean %{T} %{I} --input="5xi32=0 0 3 3 6" | FileCheck %s --check-prefix=MEAN
// RUN: %{run} --naive --function=mean %{T} %{I} --input="5xi32=0 0 3 3 6" | FileCheck %s --check-prefix=MEAN
// RUN: %{run}         --function=max %{T} %{I} --input="5xi64=0 0 3 3 6" | FileCheck %s --check-prefix=MAX
// RUN: %{run} --naive --function=max %{T} %{I} --input="5xi64=0 0 3 3 6" | FileCheck %s --check-prefix=MAX
// RUN: %{run}         --function=padded %{T} %{I} --input="5xi64=0 0 3 3 6" | FileCheck %s --check-prefix=PADDED
// RUN: %{run} --naive --function=padded %{T} %{I} --input="5xi64=0 0 3 3 6" | FileCheck %s --check-prefix=PADDED

// Trailing indices are no input, whatever they are.
// RUN: %{run}         --function=last %{T} --input="6xi64=3 1 1 -1 99 7" --input="4xi64=0 0 3 3" | FileCheck %s --check-prefix=LAST
// RUN: %{run} --naive --function=last %{T} --input="6xi64=3 1 1 -1 99 7" --input="4xi64=0 0 3 3" | FileCheck %s --check-prefix=LAST

// RUN: %{run}         --function=weighted %{T} --input="3xi64=0 1 2" --input="2xi64=0 2" --input="3xf32=2 3 4" | FileCheck %s --check-prefix=WEIGHTED
// RUN: %{run} --naive --function=weighted %{T} --input="3xi64=0 1 2" --input="2xi64=0 2" --input="3xf32=2 3 4" | FileCheck %s --check-prefix=WEIGHTED
// What is not kept is not read: neither a row nor a weight.
// RUN: %{run}         --function=weighted_padded %{T} --input="3xi64=0 1 2" --input="2xi64=0 2" --input="3xf32=nan 3 4" | FileCheck %s --check-prefix=UNREAD
// RUN: %{run} --naive --function=weighted_padded %{T} --input="3xi64=0 1 2" --input="2xi64=0 2" --input="3xf32=nan 3 4" | FileCheck %s --check-prefix=UNREAD
// RUN: %{run}         --function=weighted_padded --input="3x2xf32=nan nan 3 4 5 6" --input="3xi64=0 1 2" --input="2xi64=0 2" --input="3xf32=2 3 4" | FileCheck %s --check-prefix=UNREAD

// NaN stays only if it is first, the first of equals wins.
// DEFINE: %{X} = --input="3x5xf32=1 nan -inf 0 nan 1 5 -inf -0.0 nan 0 7 -inf 0 3"
// RUN: %{run}         --function=winners %{X} --input="1x3xi64=0 1 2" | FileCheck %s --check-prefix=NAN012
// RUN: %{run} --naive --function=winners %{X} --input="1x3xi64=0 1 2" | FileCheck %s --check-prefix=NAN012
// RUN: %{run}         --function=winners %{X} --input="1x3xi64=1 0 2" | FileCheck %s --check-prefix=NAN102
// RUN: %{run} --naive --function=winners %{X} --input="1x3xi64=1 0 2" | FileCheck %s --check-prefix=NAN102
// RUN: %{run}         --function=winners %{X} --input="1x3xi64=2 1 0" | FileCheck %s --check-prefix=NAN210
// RUN: %{run} --naive --function=winners %{X} --input="1x3xi64=2 1 0" | FileCheck %s --check-prefix=NAN210
// RUN: %{run}         --function=winners %{X} --input="2x0xi64=" | FileCheck %s --check-prefix=NOWINNERS
// RUN: %{run} --naive --function=winners %{X} --input="2x0xi64=" | FileCheck %s --check-prefix=NOWINNERS

// Sums have one order.
// RUN: %{run}         --function=rows --input="3x1xf32=1e8 1 -1e8" --input="1x3xi32=0 1 2" | FileCheck %s --check-prefix=ORDER
// RUN: %{run} --naive --function=rows --input="3x1xf32=1e8 1 -1e8" --input="1x3xi32=0 1 2" | FileCheck %s --check-prefix=ORDER
// RUN: %{run}         --function=long_f16 --input="1x1xf16=1" --input="1x4096xi64" | FileCheck %s --check-prefix=F16
// RUN: %{run} --naive --function=long_f16 --input="1x1xf16=1" --input="1x4096xi64" | FileCheck %s --check-prefix=F16

// Out of range.
// RUN: %{run}         --function=zero %{T} --input="4xi64=-1 5 0 9" --input="2xi64=0 3" | FileCheck %s --check-prefix=ZERO
// RUN: %{run} --naive --function=zero %{T} --input="4xi64=-1 5 0 9" --input="2xi64=0 3" | FileCheck %s --check-prefix=ZERO
// RUN: %{run}         --function=clamp %{T} --input="4xi64=-1 5 0 9" --input="2xi64=0 3" | FileCheck %s --check-prefix=CLAMP
// RUN: %{run} --naive --function=clamp %{T} --input="4xi64=-1 5 0 9" --input="2xi64=0 3" | FileCheck %s --check-prefix=CLAMP
// RUN: not %{run} --function=sum %{T} --input="3xi64=0 5 -1" --input="1xi64=0" 2>&1 | FileCheck %s --check-prefix=BAD
// BAD: embedding.bag: indices: expected values in [0, 5), but got 5 at flat position 1 (2 out of range in all)

// Offsets, in every mode, and before indices.
// RUN: not %{run} --function=sum %{T} --input="3xi64=0 5 -1" --input="2xi64=1 2" 2>&1 | FileCheck %s --check-prefix=FIRST
// FIRST: embedding.bag: offsets, which begin with 0 and never decrease: expected values in [0, 4), but got 1 at flat position 0 (1 out of range in all)
// RUN: not %{run} --function=sum %{T} --input="2xi64=0 1" --input="2xi64=0 3" 2>&1 | FileCheck %s --check-prefix=BEHIND
// BEHIND: expected values in [0, 3), but got 3 at flat position 1 (1 out of range in all)
// RUN: not %{run} --function=clamp %{T} --input="3xi64=0 1 2" --input="3xi64=0 2 1" 2>&1 | FileCheck %s --check-prefix=DECREASE
// DECREASE: expected values in [0, 4), but got 1 at flat position 2 (1 out of range in all)
// RUN: not %{run} --function=zero %{T} --input="3xi64=0 1 2" --input="3xi64=0 -1 2" 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// NEGATIVE: expected values in [0, 4), but got -1 at flat position 1 (1 out of range in all)
// RUN: not %{run} --function=mean %{T} --input="3xi64=0 1 2" --input="4xi32=2 9 0 1" 2>&1 | FileCheck %s --check-prefix=ALL
// ALL: expected values in [0, 4), but got 2 at flat position 0 (3 out of range in all)
// RUN: not %{run} --function=last %{T} --input="3xi64=0 1 2" --input="2xi64=0 4" 2>&1 | FileCheck %s --check-prefix=LASTBEHIND
// LASTBEHIND: expected values in [0, 4), but got 4 at flat position 1 (1 out of range in all)

// Nothing: no indices, no bags, no rows, rows of no elements.
// RUN: %{run}         --function=any --input="5x2xf32=1" --input="0xi64=" --input="3xi64=0 0 0" | FileCheck %s --check-prefix=NOINDICES
// RUN: %{run} --naive --function=any --input="5x2xf32=1" --input="0xi64=" --input="3xi64=0 0 0" | FileCheck %s --check-prefix=NOINDICES
// RUN: %{run}         --function=any --input="5x2xf32=1" --input="2xi64=0 1" --input="0xi64=" | FileCheck %s --check-prefix=NOBAGS
// RUN: %{run}         --function=any --input="0x2xf32=" --input="0xi64=" --input="2xi64=0 0" | FileCheck %s --check-prefix=NOROWS
// RUN: %{run}         --function=any --input="5x0xf32=" --input="2xi64=0 1" --input="1xi64=0" | FileCheck %s --check-prefix=NOELEMENTS
// RUN: not %{run}     --function=any --input="5x2xf32=1" --input="2xi64=0 9" --input="0xi64=" 2>&1 | FileCheck %s --check-prefix=BADNOBAGS
// BADNOBAGS: embedding.bag: indices: expected values in [0, 5), but got 9 at flat position 1
// RUN: not %{run}     --function=any --input="5x0xf32=" --input="2xi64=0 7" --input="1xi64=0" 2>&1 | FileCheck %s --check-prefix=BADNOELEMENTS
// BADNOELEMENTS: got 7 at flat position 1

// SUM: 5x2xf32=[0 0][13 16][0 0][13 16][0 0]{{$}}
func.func @sum(%t: tensor<5x2xf32>, %i: tensor<?xi64>, %o: tensor<?xi64>) -> tensor<?x2xf32> {
  %c0 = arith.constant 0 : index
  %size = tensor.dim %o, %c0 : tensor<?xi64>
  %init = tensor.empty(%size) : tensor<?x2xf32>
  %0 = embedding.bag sum ins(%t, %i : tensor<5x2xf32>, tensor<?xi64>)
         offsets(%o : tensor<?xi64>) outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}

// MEAN: 5x2xf32=[0 0][4.3333335 5.3333335][0 0][4.3333335 5.3333335][0 0]{{$}}
func.func @mean(%t: tensor<5x2xf32>, %i: tensor<?xi64>, %o: tensor<?xi32>) -> tensor<?x2xf32> {
  %c0 = arith.constant 0 : index
  %size = tensor.dim %o, %c0 : tensor<?xi32>
  %init = tensor.empty(%size) : tensor<?x2xf32>
  %0 = embedding.bag mean ins(%t, %i : tensor<5x2xf32>, tensor<?xi64>)
         offsets(%o : tensor<?xi32>) outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}

// MAX: 5x2xf32=[0 0][7 8][0 0][9 10][0 0]{{$}}
func.func @max(%t: tensor<5x2xf32>, %i: tensor<?xi64>, %o: tensor<?xi64>) -> tensor<?x2xf32> {
  %c0 = arith.constant 0 : index
  %size = tensor.dim %o, %c0 : tensor<?xi64>
  %init = tensor.empty(%size) : tensor<?x2xf32>
  %0 = embedding.bag max ins(%t, %i : tensor<5x2xf32>, tensor<?xi64>)
         offsets(%o : tensor<?xi64>) outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}

// PADDED: 5x2xf32=[0 0][7 8][0 0][10 12][0 0]{{$}}
// PADDED: 5x2xf32=[0 0][7 8][0 0][5 6][0 0]{{$}}
// PADDED: 5x2xf32=[0 0][7 8][0 0][9 10][0 0]{{$}}
// PADDED: 5x2xi64=[-1 -1][0 0][-1 -1][4 4][-1 -1]{{$}}
func.func @padded(%t: tensor<5x2xf32>, %i: tensor<?xi64>, %o: tensor<5xi64>)
    -> (tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xi64>) {
  %padding = arith.constant -4 : index
  %init = tensor.empty() : tensor<5x2xf32>
  %w = tensor.empty() : tensor<5x2xi64>
  %sum = embedding.bag sum padding_idx(1) ins(%t, %i : tensor<5x2xf32>, tensor<?xi64>)
           offsets(%o : tensor<5xi64>) outs(%init : tensor<5x2xf32>) -> tensor<5x2xf32>
  %mean = embedding.bag mean padding_idx(%padding) ins(%t, %i : tensor<5x2xf32>, tensor<?xi64>)
            offsets(%o : tensor<5xi64>) outs(%init : tensor<5x2xf32>) -> tensor<5x2xf32>
  %max:2 = embedding.bag max padding_idx(-4) ins(%t, %i : tensor<5x2xf32>, tensor<?xi64>)
             offsets(%o : tensor<5xi64>) outs(%init : tensor<5x2xf32>) winners(%w : tensor<5x2xi64>)
             -> tensor<5x2xf32>, tensor<5x2xi64>
  return %sum, %mean, %max#0, %max#1 : tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xi64>
}

// LAST: 3x2xf32=[0 0][13 16][0 0]{{$}}
// LAST: 3x2xf32=[0 0][7 8][0 0]{{$}}
func.func @last(%t: tensor<5x2xf32>, %i: tensor<?xi64>, %o: tensor<?xi64>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %offsets = tensor.dim %o, %c0 : tensor<?xi64>
  %size = arith.subi %offsets, %c1 : index
  %init = tensor.empty(%size) : tensor<?x2xf32>
  %sum = embedding.bag sum include_last_offset ins(%t, %i : tensor<5x2xf32>, tensor<?xi64>)
           offsets(%o : tensor<?xi64>) outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %max = embedding.bag max include_last_offset ins(%t, %i : tensor<5x2xf32>, tensor<?xi64>)
           offsets(%o : tensor<?xi64>) outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %sum, %max : tensor<?x2xf32>, tensor<?x2xf32>
}

// WEIGHTED: 2x2xf32=[11 16][20 24]{{$}}
func.func @weighted(%t: tensor<5x2xf32>, %i: tensor<3xi64>, %o: tensor<2xi64>, %w: tensor<3xf32>) -> tensor<2x2xf32> {
  %init = tensor.empty() : tensor<2x2xf32>
  %0 = embedding.bag sum ins(%t, %i : tensor<5x2xf32>, tensor<3xi64>) offsets(%o : tensor<2xi64>)
         weights(%w : tensor<3xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// UNREAD: 2x2xf32=[9 12][20 24]{{$}}
func.func @weighted_padded(%t: tensor<?x2xf32>, %i: tensor<3xi64>, %o: tensor<2xi64>, %w: tensor<3xf32>) -> tensor<2x2xf32> {
  %init = tensor.empty() : tensor<2x2xf32>
  %0 = embedding.bag sum padding_idx(0) ins(%t, %i : tensor<?x2xf32>, tensor<3xi64>) offsets(%o : tensor<2xi64>)
         weights(%w : tensor<3xf32>) outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// NAN012: 1x5xf32=[1 nan -inf 0 nan]{{$}}
// NAN012: 1x5xi64=[0 0 0 0 0]{{$}}
// NAN102: 1x5xf32=[1 7 -inf -0 nan]{{$}}
// NAN102: 1x5xi64=[0 2 0 0 0]{{$}}
// NAN210: 1x5xf32=[1 7 -inf 0 3]{{$}}
// NAN210: 1x5xi64=[1 0 0 0 0]{{$}}
// NOWINNERS: 2x5xf32=[0 0 0 0 0][0 0 0 0 0]{{$}}
// NOWINNERS: 2x5xi64=[-1 -1 -1 -1 -1][-1 -1 -1 -1 -1]{{$}}
func.func @winners(%t: tensor<3x5xf32>, %i: tensor<?x?xi64>) -> (tensor<?x5xf32>, tensor<?x5xi64>) {
  %c0 = arith.constant 0 : index
  %size = tensor.dim %i, %c0 : tensor<?x?xi64>
  %init = tensor.empty(%size) : tensor<?x5xf32>
  %w = tensor.empty(%size) : tensor<?x5xi64>
  %0:2 = embedding.bag max ins(%t, %i : tensor<3x5xf32>, tensor<?x?xi64>)
           outs(%init : tensor<?x5xf32>) winners(%w : tensor<?x5xi64>) -> tensor<?x5xf32>, tensor<?x5xi64>
  return %0#0, %0#1 : tensor<?x5xf32>, tensor<?x5xi64>
}

// ORDER: 1x1xf32=[0]{{$}}
func.func @rows(%t: tensor<?x1xf32>, %i: tensor<?x3xi32>) -> tensor<1x1xf32> {
  %init = tensor.empty() : tensor<1x1xf32>
  %0 = embedding.bag sum ins(%t, %i : tensor<?x1xf32>, tensor<?x3xi32>)
         outs(%init : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}

// F16: 1x1xf16=[4096]{{$}}
func.func @long_f16(%t: tensor<1x1xf16>, %i: tensor<1x4096xi64>) -> tensor<1x1xf16> {
  %init = tensor.empty() : tensor<1x1xf16>
  %0 = embedding.bag sum ins(%t, %i : tensor<1x1xf16>, tensor<1x4096xi64>)
         outs(%init : tensor<1x1xf16>) -> tensor<1x1xf16>
  return %0 : tensor<1x1xf16>
}

// ZERO: 2x2xf32=[1 2][0 0]{{$}}
// ZERO: 2x2xf32=[1 2][0 0]{{$}}
func.func @zero(%t: tensor<5x2xf32>, %i: tensor<?xi64>, %o: tensor<?xi64>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %c0 = arith.constant 0 : index
  %size = tensor.dim %o, %c0 : tensor<?xi64>
  %init = tensor.empty(%size) : tensor<?x2xf32>
  %mean = embedding.bag mean out_of_range(zero) ins(%t, %i : tensor<5x2xf32>, tensor<?xi64>)
            offsets(%o : tensor<?xi64>) outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %max = embedding.bag max out_of_range(zero) ins(%t, %i : tensor<5x2xf32>, tensor<?xi64>)
           offsets(%o : tensor<?xi64>) outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %mean, %max : tensor<?x2xf32>, tensor<?x2xf32>
}

// CLAMP: 2x2xf32=[3.6666667 4.6666665][9 10]{{$}}
// CLAMP: 2x2xf32=[9 10][9 10]{{$}}
func.func @clamp(%t: tensor<5x2xf32>, %i: tensor<?xi64>, %o: tensor<?xi64>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %c0 = arith.constant 0 : index
  %size = tensor.dim %o, %c0 : tensor<?xi64>
  %init = tensor.empty(%size) : tensor<?x2xf32>
  %mean = embedding.bag mean out_of_range(clamp) ins(%t, %i : tensor<5x2xf32>, tensor<?xi64>)
            offsets(%o : tensor<?xi64>) outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %max = embedding.bag max out_of_range(clamp) ins(%t, %i : tensor<5x2xf32>, tensor<?xi64>)
           offsets(%o : tensor<?xi64>) outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %mean, %max : tensor<?x2xf32>, tensor<?x2xf32>
}

// NOINDICES-COUNT-3: 3x2xf32=[0 0][0 0][0 0]{{$}}
// NOBAGS-COUNT-3: 0x2xf32=
// NOROWS-COUNT-3: 2x2xf32=[0 0][0 0]{{$}}
// NOELEMENTS-COUNT-3: 1x0xf32=
func.func @any(%t: tensor<?x?xf32>, %i: tensor<?xi64>, %o: tensor<?xi64>)
    -> (tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %size = tensor.dim %o, %c0 : tensor<?xi64>
  %length = tensor.dim %t, %c1 : tensor<?x?xf32>
  %init = tensor.empty(%size, %length) : tensor<?x?xf32>
  %sum = embedding.bag sum ins(%t, %i : tensor<?x?xf32>, tensor<?xi64>)
           offsets(%o : tensor<?xi64>) outs(%init : tensor<?x?xf32>) -> tensor<?x?xf32>
  %mean = embedding.bag mean ins(%t, %i : tensor<?x?xf32>, tensor<?xi64>)
            offsets(%o : tensor<?xi64>) outs(%init : tensor<?x?xf32>) -> tensor<?x?xf32>
  %max = embedding.bag max ins(%t, %i : tensor<?x?xf32>, tensor<?xi64>)
           offsets(%o : tensor<?xi64>) outs(%init : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %sum, %mean, %max : tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>
}
