// RUN: embedding-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func @constants
func.func @constants() -> (i64, i64, i64) {
  // CHECK-DAG: %[[POSITION:.*]] = arith.constant 1 : i64
  // CHECK-DAG: %[[INDEX:.*]] = arith.constant -7 : i64
  // CHECK-DAG: %[[COUNT:.*]] = arith.constant 2 : i64
  // CHECK: return %[[POSITION]], %[[INDEX]], %[[COUNT]]
  %indices = arith.constant dense<[[2, -7], [3, 4]]> : tensor<2x2xi32>
  %num_rows = arith.constant 4 : index
  %0:3 = embedding.find_out_of_range %indices, %num_rows : tensor<2x2xi32>
  return %0#0, %0#1, %0#2 : i64, i64, i64
}

// CHECK-LABEL: func @no_indices
func.func @no_indices(%indices: memref<0xi64>, %num_rows: index) -> (i64, i64, i64) {
  // CHECK-DAG: %[[NONE:.*]] = arith.constant 0 : i64
  // CHECK-DAG: %[[POSITION:.*]] = arith.constant -1 : i64
  // CHECK-NOT: embedding
  // CHECK: return %[[POSITION]], %[[NONE]], %[[NONE]]
  %0:3 = embedding.find_out_of_range %indices, %num_rows : memref<0xi64>
  embedding.report_out_of_range %0#0, %0#1, %0#2 of %num_rows, "indices"
  return %0#0, %0#1, %0#2 : i64, i64, i64
}

// A report has an effect, a search has none.
// CHECK-LABEL: func @unused
func.func @unused(%indices: tensor<?xi64>, %num_rows: index, %count: i64) {
  // CHECK-NEXT: embedding.report_out_of_range
  // CHECK-NEXT: return
  %0:3 = embedding.find_out_of_range %indices, %num_rows : tensor<?xi64>
  embedding.report_out_of_range %count, %count, %count of %num_rows, "indices"
  return
}

// What is as expected in any case is gone; what is not is said when it runs.
// CHECK-LABEL: func @expect_size
// CHECK-SAME: %[[A:.*]]: index, %[[B:.*]]: index
func.func @expect_size(%a: index, %b: index) {
  // CHECK-DAG: %[[FOUR:.*]] = arith.constant 4 : index
  // CHECK-DAG: %[[FIVE:.*]] = arith.constant 5 : index
  %four = arith.constant 4 : index
  %also_four = arith.constant 4 : index
  %five = arith.constant 5 : index
  // CHECK-NOT: "same"
  embedding.expect_size %a, %a, "same"
  embedding.expect_size %four, %also_four, "same"
  // CHECK: embedding.expect_size %[[A]], %[[B]], "unknown"
  embedding.expect_size %a, %b, "unknown"
  // CHECK-NEXT: embedding.expect_size %[[A]], %[[FOUR]], "half known"
  embedding.expect_size %a, %four, "half known"
  // CHECK-NEXT: embedding.expect_size %[[FOUR]], %[[FIVE]], "other"
  embedding.expect_size %four, %five, "other"
  return
}
