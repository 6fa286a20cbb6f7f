// RUN: embedding-opt %s --convert-embedding-to-func --split-input-file --verify-diagnostics | FileCheck %s

// Each has a text of its own, which says where it is; two of one place share one.
// CHECK: func.func private @embedding_report_out_of_range(!llvm.ptr, i64, i64, i64, i64)
// CHECK-LABEL: func @report
// CHECK-SAME: %[[POSITION:.*]]: i64, %[[INDEX:.*]]: i64, %[[COUNT:.*]]: i64, %[[ROWS:.*]]: index
func.func @report(%position: i64, %index: i64, %count: i64, %rows: index) {
  // CHECK: %[[ZERO:.*]] = arith.constant 0 : i64
  // CHECK: %[[IS_BAD:.*]] = arith.cmpi ne, %[[COUNT]], %[[ZERO]]
  // CHECK: scf.if %[[IS_BAD]] {
  // CHECK: %[[WHAT:.*]] = llvm.mlir.addressof @[[TEXT:.*]] :
  // CHECK: %[[N:.*]] = arith.index_cast %[[ROWS]]
  // CHECK: call @embedding_report_out_of_range(%[[WHAT]], %[[POSITION]], %[[INDEX]], %[[COUNT]], %[[N]])
  // CHECK-NOT: embedding.report_out_of_range
  // CHECK: llvm.mlir.addressof @[[TEXT]] :
  // CHECK: llvm.mlir.addressof @[[FUSED:.*]] :
  // CHECK: llvm.mlir.addressof @[[UNKNOWN:.*]] :
  embedding.report_out_of_range %position, %index, %count of %rows, "op: indices" loc("m.mlir":12:3)
  embedding.report_out_of_range %position, %index, %count of %rows, "op: indices" loc("m.mlir":12:3)
  embedding.report_out_of_range %position, %index, %count of %rows, "op: indices" loc(fused["n", "name"("m.mlir":13:4)])
  embedding.report_out_of_range %position, %index, %count of %rows, "op: indices" loc(unknown)
  return
}
// CHECK-DAG: llvm.mlir.global internal constant @[[TEXT]]("m.mlir:12:3: op: indices\00")
// CHECK-DAG: llvm.mlir.global internal constant @[[FUSED]]("m.mlir:13:4: op: indices\00")
// CHECK-DAG: llvm.mlir.global internal constant @[[UNKNOWN]]("op: indices\00")

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
func.func @conflict(%count: i64, %n: index) {
  embedding.report_out_of_range %count, %count, %count of %n, "indices"
  return
}

// -----

// CHECK: func.func private @embedding_report_mismatch(!llvm.ptr, i64, i64, i64, i64)
// CHECK-LABEL: func @expect_size
// CHECK-SAME: %[[ACTUAL:.*]]: index, %[[EXPECTED:.*]]: index
func.func @expect_size(%actual: index, %expected: index) {
  // CHECK: %[[NONE:.*]] = arith.constant -1 : i64
  // CHECK: %[[DIFFERS:.*]] = arith.cmpi ne, %[[ACTUAL]], %[[EXPECTED]]
  // CHECK: scf.if %[[DIFFERS]] {
  // CHECK-DAG: %[[WHAT:.*]] = llvm.mlir.addressof @[[TEXT:.*]] :
  // CHECK-DAG: %[[E:.*]] = arith.index_cast %[[EXPECTED]]
  // CHECK-DAG: %[[A:.*]] = arith.index_cast %[[ACTUAL]]
  // CHECK: call @embedding_report_mismatch(%[[WHAT]], %[[E]], %[[A]], %[[NONE]], %[[NONE]])
  embedding.expect_size %actual, %expected, "expected a size to be" loc("m.mlir":7:1)
  return
}
// CHECK: llvm.mlir.global internal constant @[[TEXT]]("m.mlir:7:1: expected a size to be\00")

// -----

// CHECK-LABEL: func @expect_slice
// CHECK-SAME: %[[ACTUAL:.*]]: index, %[[EXPECTED:.*]]: index, %[[OFFSET:.*]]: index, %[[WHOLE:.*]]: index
func.func @expect_slice(%actual: index, %expected: index, %offset: index, %whole: index) {
  // CHECK-DAG: %[[WHAT:.*]] = llvm.mlir.addressof
  // CHECK-DAG: %[[E:.*]] = arith.index_cast %[[EXPECTED]]
  // CHECK-DAG: %[[A:.*]] = arith.index_cast %[[ACTUAL]]
  // CHECK-DAG: %[[O:.*]] = arith.index_cast %[[OFFSET]]
  // CHECK-DAG: %[[W:.*]] = arith.index_cast %[[WHOLE]]
  // CHECK: call @embedding_report_mismatch(%[[WHAT]], %[[E]], %[[A]], %[[O]], %[[W]])
  embedding.expect_size %actual, %expected, "expected a size to be" from %offset of %whole
  return
}
