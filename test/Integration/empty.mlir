// Rows of no elements take no time, however many there are, and tensors without
// elements compile.
// DEFINE: %{run} = timeout 60 embedding-run %s
// DEFINE: %{rows} = --input=index=1099511627776 --input=index=0

// RUN: %{run}         --function=fill %{rows} | FileCheck %s --check-prefix=ROWS
// RUN: %{run} --naive --function=fill %{rows} | FileCheck %s --check-prefix=ROWS
// ROWS: 1099511627776x0xf32=
func.func @fill(%n: index, %m: index) -> tensor<?x?xf32> {
  %one = arith.constant 1.0 : f32
  %init = tensor.empty(%n, %m) : tensor<?x?xf32>
  %0 = linalg.fill ins(%one : f32) outs(%init : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// RUN: %{run}         --function=pad --input=3x0xf32 --input=index=1099511627773 | FileCheck %s --check-prefix=ROWS
// RUN: %{run} --naive --function=pad --input=3x0xf32 --input=index=1099511627773 | FileCheck %s --check-prefix=ROWS
func.func @pad(%x: tensor<?x?xf32>, %low: index) -> tensor<?x?xf32> {
  %0 = tensor.pad %x low[%low, 0] high[0, 0] {
  ^bb0(%i: index, %j: index):
    %number = arith.index_cast %i : index to i32
    %value = arith.sitofp %number : i32 to f32
    tensor.yield %value : f32
  } : tensor<?x?xf32> to tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// RUN: %{run}         --function=lookup %{rows} --input=4x3xf32 | FileCheck %s --check-prefix=LOOKUP
// RUN: %{run} --naive --function=lookup %{rows} --input=4x3xf32 | FileCheck %s --check-prefix=LOOKUP
// LOOKUP: 1099511627776x0x3xf32=
func.func @lookup(%n: index, %m: index, %table: tensor<?x3xf32>) -> tensor<?x?x3xf32> {
  %indices = tensor.empty(%n, %m) : tensor<?x?xi64>
  %init = tensor.empty(%n, %m) : tensor<?x?x3xf32>
  %0 = embedding.lookup ins(%table, %indices : tensor<?x3xf32>, tensor<?x?xi64>)
         outs(%init : tensor<?x?x3xf32>) -> tensor<?x?x3xf32>
  %1 = linalg.add ins(%0, %0 : tensor<?x?x3xf32>, tensor<?x?x3xf32>)
         outs(%init : tensor<?x?x3xf32>) -> tensor<?x?x3xf32>
  return %1 : tensor<?x?x3xf32>
}

// RUN: %{run}         --function=sum %{rows} | FileCheck %s --check-prefix=SUM
// RUN: %{run} --naive --function=sum %{rows} | FileCheck %s --check-prefix=SUM
// SUM: f32=7
func.func @sum(%n: index, %m: index) -> tensor<f32> {
  %seven = arith.constant dense<7.0> : tensor<f32>
  %x = tensor.empty(%n, %m) : tensor<?x?xf32>
  %0 = linalg.reduce {arith.addf} ins(%x : tensor<?x?xf32>) outs(%seven : tensor<f32>)
         dimensions = [0, 1]
  return %0 : tensor<f32>
}

// RUN: %{run}         --function=affine %{rows} --input=f32=7 | FileCheck %s --check-prefix=SUM
// RUN: %{run} --naive --function=affine %{rows} --input=f32=7 | FileCheck %s --check-prefix=SUM
func.func @affine(%n: index, %m: index, %x: f32) -> f32 {
  %0 = affine.for %i = 0 to %n iter_args(%row = %x) -> f32 {
    %1 = affine.for %j = 0 to %m iter_args(%sum = %row) -> f32 {
      %2 = arith.addf %sum, %x : f32
      affine.yield %2 : f32
    }
    affine.yield %1 : f32
  }
  return %0 : f32
}

// RUN: %{run} --function=collapse --input=3x0x2xf32 | FileCheck %s --check-prefix=COLLAPSE
// COLLAPSE: 0x2xf32=
func.func @collapse(%x: tensor<?x0x?xf32>) -> tensor<?x?xf32> {
  %0 = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x0x?xf32> into tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// RUN: %{run} --function=pad_columns --input=2x0xf32 --input=index=3 | FileCheck %s --check-prefix=COLUMNS
// COLUMNS: 2x3xf32=[0 1 2][0 1 2]
func.func @pad_columns(%x: tensor<2x0xf32>, %low: index) -> tensor<2x?xf32> {
  %0 = tensor.pad %x low[0, %low] high[0, 0] {
  ^bb0(%i: index, %j: index):
    %number = arith.index_cast %j : index to i32
    %value = arith.sitofp %number : i32 to f32
    tensor.yield %value : f32
  } : tensor<2x0xf32> to tensor<2x?xf32>
  return %0 : tensor<2x?xf32>
}

// RUN: %{run} --function=pad_rows --input=2x0xf32 --input=index=3 | FileCheck %s --check-prefix=PADROWS
// PADROWS: 5x0xf32=
func.func @pad_rows(%x: tensor<2x0xf32>, %low: index) -> tensor<?x0xf32> {
  %one = arith.constant 1.0 : f32
  %0 = tensor.pad %x low[%low, 0] high[0, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %one : f32
  } : tensor<2x0xf32> to tensor<?x0xf32>
  return %0 : tensor<?x0xf32>
}

// RUN: %{run} --function=concat --input="2x1xf32=1 2" --input=2x0xf32 | FileCheck %s --check-prefix=CONCAT
// CONCAT: 2x2xf32=[1 1][2 2]
func.func @concat(%x: tensor<2x1xf32>, %none: tensor<2x0xf32>) -> tensor<2x2xf32> {
  %0 = tensor.concat dim(1) %x, %x, %none
         : (tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x0xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}
