// Moves on segments that no embedding.group made: positions repeat, segments are
// empty, and lists have strides. Through the optimized and the naive lowering for
// the CPU, and on an interpreted GPU.
// DEFINE: %{run} = embedding-run %s
// DEFINE: %{cuda} = env EMBEDDING_CUDA_LIBRARY=%interpreted_cuda embedding-run %s --target=cuda
// DEFINE: %{x} = --input="2x2x2xf32=1 10 2 20 3 30 4 40"
// DEFINE: %{segments} = --input="10xi64=3 -1 0 -1 0 -1 2 -1 1 -1" --input="4xi64=0 3 3 5" --input="i64=3"
// DEFINE: %{pairs} = --input="10xi64=3 -1 0 -1 0 -1 2 -1 1 -1" --input="4xi64=0 2 2 4" --input="i64=3"
// DEFINE: %{rows} = --input="3xi64=0 2 3"
// DEFINE: %{ones} = --input="300x1xf16=1" --input="300xi64" --input="2xi64=0 300" --input="i64=1"

// RUN: %{run}         --function=list %{x} %{segments} | FileCheck %s --check-prefix=LIST
// RUN: %{run} --naive --function=list %{x} %{segments} | FileCheck %s --check-prefix=LIST
// RUN: %{cuda}        --function=list %{x} %{segments} | FileCheck %s --check-prefix=LIST
// Rows 3, 0 and 0; none; 2 and 1.
// LIST: 3x2xf32=[6 60][0 0][5 50]
func.func @list(%x: memref<2x2x2xf32>, %all: memref<10xi64>, %offsets: memref<4xi64>, %count: memref<i64>)
    -> memref<3x2xf32> {
  %positions = memref.subview %all[0] [5] [2] : memref<10xi64> to memref<5xi64, strided<[2]>>
  %sums = memref.alloc() : memref<3x2xf32>
  embedding.reduce positions(%positions : memref<5xi64, strided<[2]>>) offsets(%offsets : memref<4xi64>) count(%count : memref<i64>)
    ins(%x : memref<2x2x2xf32>) outs(%sums : memref<3x2xf32>)
  return %sums : memref<3x2xf32>
}

// RUN: %{run}         --function=rows %{x} %{pairs} %{rows} | FileCheck %s --check-prefix=ROWS
// RUN: %{run} --naive --function=rows %{x} %{pairs} %{rows} | FileCheck %s --check-prefix=ROWS
// RUN: %{cuda}        --function=rows %{x} %{pairs} %{rows} | FileCheck %s --check-prefix=ROWS
// The mean of the rows of each segment, and zeros where there is none.
// ROWS: 5x2xf32=[2.5 25][0 0][0 0][2 20][0 0]
func.func @rows(%x: memref<2x2x2xf32>, %all: memref<10xi64>, %offsets: memref<4xi64>, %count: memref<i64>,
                %rows: memref<3xi64>) -> memref<5x2xf32> {
  %positions = memref.subview %all[0] [5] [2] : memref<10xi64> to memref<5xi64, strided<[2]>>
  %sums = memref.alloc() : memref<5x2xf32>
  embedding.reduce scale_by_length rows(%rows : memref<3xi64>) positions(%positions : memref<5xi64, strided<[2]>>) offsets(%offsets : memref<4xi64>) count(%count : memref<i64>)
    ins(%x : memref<2x2x2xf32>) outs(%sums : memref<5x2xf32>)
  return %sums : memref<5x2xf32>
}

// RUN: %{run}         --function=chunks %{ones} | FileCheck %s --check-prefix=CHUNKS
// RUN: %{run} --naive --function=chunks %{ones} | FileCheck %s --check-prefix=CHUNKS
// RUN: %{cuda}        --function=chunks %{ones} | FileCheck %s --check-prefix=CHUNKS
// One row, 300 times, in three chunks.
// CHUNKS: 1x1xf16=[300]
func.func @chunks(%x: memref<300x1xf16>, %positions: memref<300xi64>, %offsets: memref<2xi64>, %count: memref<i64>)
    -> memref<1x1xf16> {
  %sums = memref.alloc() : memref<1x1xf16>
  embedding.reduce positions(%positions : memref<300xi64>) offsets(%offsets : memref<2xi64>) count(%count : memref<i64>)
    ins(%x : memref<300x1xf16>) outs(%sums : memref<1x1xf16>)
  return %sums : memref<1x1xf16>
}

// RUN: %{run}         --function=weights %{segments} | FileCheck %s --check-prefix=WEIGHTS
// RUN: %{run} --naive --function=weights %{segments} | FileCheck %s --check-prefix=WEIGHTS
// RUN: %{cuda}        --function=weights %{segments} | FileCheck %s --check-prefix=WEIGHTS
// Positions 3, 0 and 0 are in a segment of 3; 2 and 1 in one of 2.
// WEIGHTS: 5xf64=0.{{3+}} 0.5 0.5 0.{{3+}} 
func.func @weights(%all: memref<10xi64>, %offsets: memref<4xi64>, %count: memref<i64>) -> memref<5xf64> {
  %positions = memref.subview %all[0] [5] [2] : memref<10xi64> to memref<5xi64, strided<[2]>>
  %weights = memref.alloc() : memref<5xf64>
  embedding.inverse_frequencies ins(%positions, %offsets, %count
    : memref<5xi64, strided<[2]>>, memref<4xi64>, memref<i64>) outs(%weights : memref<5xf64>)
  return %weights : memref<5xf64>
}

// RUN: %{run}         --function=weighted --input="2x2xf32=1 2 3 4" --input="3xi64=1 0 1" --input="3xf32=2 10 -1" | FileCheck %s --check-prefix=WEIGHTED
// RUN: %{run} --naive --function=weighted --input="2x2xf32=1 2 3 4" --input="3xi64=1 0 1" --input="3xf32=2 10 -1" | FileCheck %s --check-prefix=WEIGHTED
// RUN: %{cuda}        --function=weighted --input="2x2xf32=1 2 3 4" --input="3xi64=1 0 1" --input="3xf32=2 10 -1" | FileCheck %s --check-prefix=WEIGHTED
// Row 0 is padding.
// WEIGHTED: 3x2xf32=[6 8][0 0][-3 -4]
func.func @weighted(%t: tensor<2x2xf32>, %i: tensor<3xi64>, %w: tensor<3xf32>) -> tensor<3x2xf32> {
  %init = tensor.empty() : tensor<3x2xf32>
  %0 = embedding.double_backward padding_idx(0) weights(%w : tensor<3xf32>)
    ins(%t, %i : tensor<2x2xf32>, tensor<3xi64>) outs(%init : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// What names no row sorts behind all rows, though one bit more numbers it.
// DEFINE: %{named} = --input="5xi64=1 9 0 3 -7" --input=5xi64 --input=6xi64 --input=5xi64 --input=i64 --output=- --output=- --output=- --output=- --output=-
// RUN: %{run}         --function=no_row %{named} | FileCheck %s --check-prefix=NOROW
// RUN: %{run} --naive --function=no_row %{named} | FileCheck %s --check-prefix=NOROW
// RUN: %{cuda}        --function=no_row %{named} | FileCheck %s --check-prefix=NOROW
// NOROW: 5xi64=0 1 3 
// NOROW-NEXT: 6xi64=0 1 2 3 
// NOROW-NEXT: 5xi64=2 0 3 
// NOROW-NEXT: i64=3
func.func @no_row(%i: memref<5xi64>, %rows: memref<5xi64>, %offsets: memref<6xi64>, %positions: memref<5xi64>,
                  %count: memref<i64>) {
  %v = arith.constant 4 : index
  embedding.group num_rows(%v) out_of_range(zero) {embedding.schedule = #embedding.schedule<grouping = radix_sort>}
    ins(%i : memref<5xi64>)
    outs(%rows, %offsets, %positions, %count : memref<5xi64>, memref<6xi64>, memref<5xi64>, memref<i64>)
  return
}

// Sizes that disagree are found when the code runs.
// RUN: not %{run} --function=dynamic --input="4x3xf32" --input="4xi64" --input="5xi64" --input="i64=1" --input="4x2xf32" 2>&1 | FileCheck %s --check-prefix=VALUES
// RUN: not %{run} --function=dynamic --input="4x2xf32" --input="4xi64" --input="4xi64" --input="i64=1" --input="4x2xf32" 2>&1 | FileCheck %s --check-prefix=OFFSETS
// VALUES: embedding.reduce: expected dimension 1 of values to be dimension 1 of sums, 2, but got 3
// OFFSETS: embedding.reduce: expected dimension 0 of offsets to be dimension 0 of sums and 1, 5, but got 4
func.func @dynamic(%x: memref<?x?xf32>, %positions: memref<?xi64>, %offsets: memref<?xi64>, %count: memref<i64>,
                   %sums: memref<?x?xf32>) {
  embedding.reduce positions(%positions : memref<?xi64>) offsets(%offsets : memref<?xi64>) count(%count : memref<i64>)
    ins(%x : memref<?x?xf32>) outs(%sums : memref<?x?xf32>)
  return
}

// An operation that is decomposed while it is on tensors, and checks.
// RUN: embedding-opt %s --embedding-decompose-operations > %t.mlir
// RUN: embedding-run %t.mlir --function=dense --input="3x2xf32=1 2 3 4 5 6" --input="3xi64=3 1 3" | FileCheck %s --check-prefix=DENSE
// RUN: env EMBEDDING_CUDA_LIBRARY=%interpreted_cuda embedding-run %t.mlir --target=cuda --function=dense --input="3x2xf32=1 2 3 4 5 6" --input="3xi64=3 1 3" | FileCheck %s --check-prefix=DENSE
// RUN: not embedding-run %t.mlir --function=dense --input="3x2xf32=1 2 3 4 5 6" --input="3xi64=3 4 -1" 2>&1 | FileCheck %s --check-prefix=BAD
// DENSE: 4x2xf32=[0 0][3 4][0 0][6 8]
// BAD: embedding.group: indices: expected values in [0, 4), but got 4 at flat position 1 (2 out of range in all)
func.func @dense(%dy: tensor<?x2xf32>, %i: tensor<?xi64>) -> tensor<4x2xf32> {
  %init = tensor.empty() : tensor<4x2xf32>
  %0 = embedding.dense_grad ins(%dy, %i : tensor<?x2xf32>, tensor<?xi64>)
    outs(%init : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}
