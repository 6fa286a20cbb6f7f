// RUN: embedding-opt %s --embedding-split-checks | FileCheck %s

// CHECK-LABEL: func @tensor
// CHECK-SAME: %[[TABLE:.*]]: tensor<?x64xf32>, %[[INDICES:.*]]: tensor<8x?xi64>, %[[INIT:.*]]: tensor<8x?x64xf32>
func.func @tensor(%table: tensor<?x64xf32>, %indices: tensor<8x?xi64>,
                  %init: tensor<8x?x64xf32>) -> tensor<8x?x64xf32> {
  // CHECK: %[[NUM_ROWS:.*]] = tensor.dim %[[TABLE]]
  // CHECK: %[[POSITION:.*]], %[[INDEX:.*]], %[[COUNT:.*]] = embedding.find_out_of_range %[[INDICES]], %[[NUM_ROWS]]
  // CHECK: embedding.report_out_of_range %[[POSITION]], %[[INDEX]], %[[COUNT]]
  // CHECK: %[[NONE:.*]] = arith.constant 0 : i64
  // CHECK: %[[IN_RANGE:.*]] = arith.cmpi eq, %[[COUNT]], %[[NONE]]
  // CHECK: %[[RESULT:.*]] = scf.if %[[IN_RANGE]]
  // CHECK: %[[ROWS:.*]] = embedding.lookup padding_idx(3) out_of_range(assume) {tag = "x"} ins(%[[TABLE]], %[[INDICES]] : {{.*}}) outs(%[[INIT]]
  // CHECK: scf.yield %[[ROWS]]
  // CHECK: else
  // CHECK: scf.yield %[[INIT]]
  // CHECK: return %[[RESULT]]
  %0 = embedding.lookup padding_idx(3) {tag = "x"}
         ins(%table, %indices : tensor<?x64xf32>, tensor<8x?xi64>)
         outs(%init : tensor<8x?x64xf32>) -> tensor<8x?x64xf32>
  return %0 : tensor<8x?x64xf32>
}

// CHECK-LABEL: func @memref
func.func @memref(%table: memref<10x64xf32>, %indices: memref<?xi64>,
                  %out: memref<?x64xf32>) {
  // CHECK: arith.constant 10 : index
  // CHECK: embedding.find_out_of_range
  // CHECK: scf.if
  // CHECK: embedding.lookup out_of_range(assume)
  // CHECK-NOT: else
  embedding.lookup ins(%table, %indices : memref<10x64xf32>, memref<?xi64>)
    outs(%out : memref<?x64xf32>)
  return
}

// CHECK-LABEL: func @others
func.func @others(%table: memref<10x64xf32>, %indices: memref<?xi64>,
                  %out: memref<?x64xf32>) {
  // CHECK-NOT: embedding.find_out_of_range
  embedding.lookup out_of_range(clamp)
    ins(%table, %indices : memref<10x64xf32>, memref<?xi64>)
    outs(%out : memref<?x64xf32>)
  return
}
