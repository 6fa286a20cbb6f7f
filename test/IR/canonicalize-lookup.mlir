// RUN: embedding-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func @constant_indices_in_range
func.func @constant_indices_in_range(%table: tensor<10x3xf32>, %init: tensor<2x2x3xf32>)
    -> tensor<2x2x3xf32> {
  %indices = arith.constant dense<[[0, 9], [3, 3]]> : tensor<2x2xi64>
  // CHECK: embedding.lookup out_of_range(assume)
  %0 = embedding.lookup ins(%table, %indices : tensor<10x3xf32>, tensor<2x2xi64>)
         outs(%init : tensor<2x2x3xf32>) -> tensor<2x2x3xf32>
  return %0 : tensor<2x2x3xf32>
}

// CHECK-LABEL: func @constant_indices_out_of_range
func.func @constant_indices_out_of_range(%table: tensor<10x3xf32>, %init: tensor<2x3xf32>)
    -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %above = arith.constant dense<[0, 10]> : tensor<2xi64>
  %below = arith.constant dense<[-1, 0]> : tensor<2xi32>
  // CHECK-NOT: assume
  %0 = embedding.lookup ins(%table, %above : tensor<10x3xf32>, tensor<2xi64>)
         outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = embedding.lookup out_of_range(zero)
         ins(%table, %below : tensor<10x3xf32>, tensor<2xi32>)
         outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0, %1 : tensor<2x3xf32>, tensor<2x3xf32>
}

// The number of rows is not known.
// CHECK-LABEL: func @constant_indices_dynamic_table
func.func @constant_indices_dynamic_table(%table: tensor<?x3xf32>, %init: tensor<2x3xf32>)
    -> tensor<2x3xf32> {
  %indices = arith.constant dense<0> : tensor<2xi64>
  // CHECK-NOT: assume
  %0 = embedding.lookup ins(%table, %indices : tensor<?x3xf32>, tensor<2xi64>)
         outs(%init : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: func @tensor_cast
// CHECK-SAME: %[[TABLE:.*]]: tensor<10x3xf32>, %[[INDICES:.*]]: tensor<4xi64>, %[[INIT:.*]]: tensor<4x3xf32>
func.func @tensor_cast(%table: tensor<10x3xf32>, %indices: tensor<4xi64>,
                       %init: tensor<4x3xf32>) -> tensor<?x?xf32> {
  %0 = tensor.cast %table : tensor<10x3xf32> to tensor<?x?xf32>
  %1 = tensor.cast %indices : tensor<4xi64> to tensor<?xi64>
  %2 = tensor.cast %init : tensor<4x3xf32> to tensor<?x?xf32>
  // CHECK: %[[ROWS:.*]] = embedding.lookup ins(%[[TABLE]], %[[INDICES]] : tensor<10x3xf32>, tensor<4xi64>) outs(%[[INIT]] : tensor<4x3xf32>)
  // CHECK: tensor.cast %[[ROWS]]
  %3 = embedding.lookup ins(%0, %1 : tensor<?x?xf32>, tensor<?xi64>)
         outs(%2 : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %3 : tensor<?x?xf32>
}

// CHECK-LABEL: func @memref_cast
// CHECK-SAME: %[[TABLE:.*]]: memref<10x3xf32>, %[[INDICES:.*]]: memref<4xi64>, %[[OUT:.*]]: memref<4x3xf32>
func.func @memref_cast(%table: memref<10x3xf32>, %indices: memref<4xi64>,
                       %out: memref<4x3xf32>) {
  %0 = memref.cast %table : memref<10x3xf32> to memref<?x?xf32>
  %1 = memref.cast %indices : memref<4xi64> to memref<?xi64>
  %2 = memref.cast %out : memref<4x3xf32> to memref<?x?xf32>
  // CHECK: embedding.lookup ins(%[[TABLE]], %[[INDICES]] : memref<10x3xf32>, memref<4xi64>) outs(%[[OUT]] : memref<4x3xf32>)
  embedding.lookup ins(%0, %1 : memref<?x?xf32>, memref<?xi64>)
    outs(%2 : memref<?x?xf32>)
  return
}

// CHECK-LABEL: func @no_indices
// CHECK-SAME: %[[INIT:[a-z0-9]*]]: tensor<5x0x3xf32>
func.func @no_indices(%init: tensor<5x0x3xf32>, %table: tensor<0x3xf32>,
                      %indices: tensor<5x0xi64>) -> tensor<5x0x3xf32> {
  // CHECK-NEXT: return %[[INIT]]
  %0 = embedding.lookup ins(%table, %indices : tensor<0x3xf32>, tensor<5x0xi64>)
         outs(%init : tensor<5x0x3xf32>) -> tensor<5x0x3xf32>
  return %0 : tensor<5x0x3xf32>
}

// CHECK-LABEL: func @no_indices_memref
func.func @no_indices_memref(%table: memref<2x3xf32>, %indices: memref<0xi64>,
                             %out: memref<0x3xf32>) {
  // CHECK-NEXT: return
  embedding.lookup ins(%table, %indices : memref<2x3xf32>, memref<0xi64>)
    outs(%out : memref<0x3xf32>)
  return
}

// Rows of no elements hold nothing to copy, but indices are still to be checked.
// CHECK-LABEL: func @no_elements
func.func @no_elements(%table: memref<2x0xf32>, %indices: memref<4xi64>,
                       %out: memref<4x0xf32>) {
  // CHECK: embedding.find_out_of_range
  // CHECK-NEXT: embedding.report_out_of_range
  // CHECK-NEXT: return
  embedding.lookup out_of_range(clamp)
    ins(%table, %indices : memref<2x0xf32>, memref<4xi64>)
    outs(%out : memref<4x0xf32>)
  embedding.lookup ins(%table, %indices : memref<2x0xf32>, memref<4xi64>)
    outs(%out : memref<4x0xf32>)
  return
}

// CHECK-LABEL: func @dead
func.func @dead(%table: tensor<10x3xf32>, %indices: tensor<4xi64>,
                %init: tensor<4x3xf32>) {
  // CHECK-NEXT: return
  %0 = embedding.lookup out_of_range(assume)
         ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  %1 = embedding.lookup out_of_range(clamp)
         ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// The promise to report survives its lookup.
// CHECK-LABEL: func @dead_check
// CHECK-SAME: %[[INDICES:[a-z0-9]*]]: tensor<4xi64>
func.func @dead_check(%indices: tensor<4xi64>, %table: tensor<10x3xf32>,
                      %init: tensor<4x3xf32>) {
  // CHECK-NEXT: %[[NUM_ROWS:.*]] = arith.constant 10 : index
  // CHECK-NEXT: %[[POSITION:.*]], %[[INDEX:.*]], %[[COUNT:.*]] = embedding.find_out_of_range %[[INDICES]], %[[NUM_ROWS]]
  // CHECK-NEXT: embedding.report_out_of_range %[[POSITION]], %[[INDEX]], %[[COUNT]] of %[[NUM_ROWS]], "embedding.lookup: indices"
  // CHECK-NEXT: return
  %0 = embedding.lookup ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// CHECK-LABEL: func @dead_check_in_range
func.func @dead_check_in_range(%table: tensor<10x3xf32>, %init: tensor<1x3xf32>) {
  // CHECK-NEXT: return
  %indices = arith.constant dense<9> : tensor<1xi64>
  %0 = embedding.lookup ins(%table, %indices : tensor<10x3xf32>, tensor<1xi64>)
         outs(%init : tensor<1x3xf32>) -> tensor<1x3xf32>
  return
}

// CHECK-LABEL: func @padding_from_the_end
func.func @padding_from_the_end(%table: memref<10x3xf32>, %indices: memref<4xi64>,
                                %out: memref<4x3xf32>) {
  // CHECK: embedding.lookup padding_idx(8)
  embedding.lookup padding_idx(-2)
    ins(%table, %indices : memref<10x3xf32>, memref<4xi64>)
    outs(%out : memref<4x3xf32>)
  return
}

// CHECK-LABEL: func @splat_table
func.func @splat_table(%indices: tensor<4xi64>, %init: tensor<4x3xf32>)
    -> tensor<4x3xf32> {
  // CHECK-NEXT: %[[SPLAT:.*]] = arith.constant dense<2.000000e+00> : tensor<4x3xf32>
  // CHECK-NEXT: return %[[SPLAT]]
  %table = arith.constant dense<2.0> : tensor<10x3xf32>
  %0 = embedding.lookup out_of_range(assume)
         ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// The rows are known, and whether the indices name them is not: in no other mode
// does it fold.
// CHECK-LABEL: func @splat_table_checked
func.func @splat_table_checked(%indices: tensor<4xi64>, %init: tensor<4x3xf32>)
    -> (tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>) {
  // CHECK: embedding.lookup ins
  // CHECK: embedding.lookup out_of_range(clamp)
  // CHECK: embedding.lookup out_of_range(zero)
  %table = arith.constant dense<2.0> : tensor<10x3xf32>
  %0 = embedding.lookup ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  %1 = embedding.lookup out_of_range(clamp)
         ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  %2 = embedding.lookup out_of_range(zero)
         ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %0, %1, %2 : tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>
}
