// RUN: embedding-opt %s --convert-embedding-to-func --split-input-file --verify-diagnostics | FileCheck %s

// CHECK: func.func private @embedding_report_out_of_range(i64, i64, i64)
// CHECK-LABEL: func @report
// CHECK-SAME: %[[POSITION:.*]]: i64, %[[INDEX:.*]]: i64, %[[COUNT:.*]]: i64
func.func @report(%position: i64, %index: i64, %count: i64) {
  // CHECK: call @embedding_report_out_of_range(%[[POSITION]], %[[INDEX]], %[[COUNT]])
  // CHECK-NOT: embedding.report_out_of_range
  embedding.report_out_of_range %position, %index, %count
  embedding.report_out_of_range %position, %index, %count
  return
}

// -----

// Nothing to report, nothing declared.
// CHECK-LABEL: module
// CHECK-NOT: private
func.func @none() {
  return
}

// -----

// expected-error@+1 {{matched function 'embedding_report_out_of_range' but with different type}}
func.func private @embedding_report_out_of_range(i32)
func.func @conflict(%count: i64) {
  embedding.report_out_of_range %count, %count, %count
  return
}

// -----

// CHECK: func.func private @embedding_report_mismatch(!llvm.ptr, i64, i64)
// CHECK-LABEL: func @expect_size
// CHECK-SAME: %[[ACTUAL:.*]]: index, %[[EXPECTED:.*]]: index
func.func @expect_size(%actual: index, %expected: index) {
  // CHECK: %[[DIFFERS:.*]] = arith.cmpi ne, %[[ACTUAL]], %[[EXPECTED]]
  // CHECK: scf.if %[[DIFFERS]] {
  // CHECK-DAG: %[[WHAT:.*]] = llvm.mlir.addressof @[[TEXT:.*]] :
  // CHECK-DAG: %[[E:.*]] = arith.index_cast %[[EXPECTED]]
  // CHECK-DAG: %[[A:.*]] = arith.index_cast %[[ACTUAL]]
  // CHECK: call @embedding_report_mismatch(%[[WHAT]], %[[E]], %[[A]])
  embedding.expect_size %actual, %expected, "expected a size to be"
  return
}
// CHECK: llvm.mlir.global internal constant @[[TEXT]]("expected a size to be\00")
