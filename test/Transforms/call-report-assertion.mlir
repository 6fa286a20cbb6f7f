// RUN: embedding-opt %s -embedding-call-report-assertion -split-input-file | FileCheck %s

// One text each.
// CHECK:       llvm.func @embedding_report_assertion(!llvm.ptr)
// CHECK-LABEL: func.func @f
// CHECK-SAME:    %[[A:.*]]: i1, %[[B:.*]]: i1
// CHECK:         %[[TRUE:.*]] = arith.constant true
// CHECK:         %[[FAILS:.*]] = arith.xori %[[A]], %[[TRUE]] : i1
// CHECK:         scf.if %[[FAILS]] {
// CHECK:           %[[TEXT:.*]] = llvm.mlir.addressof @embedding_assertion :
// CHECK:           llvm.call @embedding_report_assertion(%[[TEXT]])
// CHECK:         llvm.mlir.addressof @embedding_assertion_0
// CHECK:         llvm.mlir.addressof @embedding_assertion :
// CHECK-NOT:     cf.assert
// CHECK:       llvm.mlir.global internal constant @embedding_assertion("first\00")
// CHECK-NEXT:  llvm.mlir.global internal constant @embedding_assertion_0("second\00")
func.func @f(%a: i1, %b: i1) {
  cf.assert %a, "first"
  cf.assert %b, "second"
  cf.assert %b, "first"
  return
}

// -----

// CHECK-LABEL: func.func @nothing
// CHECK-NOT:   embedding_report_assertion
func.func @nothing() {
  return
}
