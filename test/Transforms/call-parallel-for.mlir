// RUN: embedding-opt %s --embedding-call-parallel-for | FileCheck %s

// CHECK: llvm.func @embedding_parallel_for(i64, !llvm.ptr, !llvm.ptr)

// The range and what the loop captures, taken out of the context.
// CHECK-LABEL: llvm.func internal @body_range
// CHECK-SAME: %[[CONTEXT:.*]]: !llvm.ptr, %[[BEGIN:.*]]: i64, %[[END:.*]]: i64
// CHECK: %[[FIELD:.*]] = llvm.getelementptr %[[CONTEXT]][0, 0] :
// CHECK: %[[N:.*]] = llvm.load %[[FIELD]] : !llvm.ptr -> i64
// CHECK: %[[FIELD:.*]] = llvm.getelementptr %[[CONTEXT]][0, 1] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<(i64, f32)>
// CHECK: %[[X:.*]] = llvm.load %[[FIELD]] : !llvm.ptr -> f32
// CHECK: llvm.call @body(%[[BEGIN]], %[[END]], %[[N]], %[[X]])

// CHECK-LABEL: llvm.func internal @body(
// CHECK-NOT: embedding.parallel_body
llvm.func internal @body(%begin: i64, %end: i64, %n: i64, %x: f32)
    attributes {embedding.parallel_body} {
  llvm.return
}

// CHECK-LABEL: llvm.func @caller
// CHECK-SAME: %[[N:.*]]: i64, %[[X:.*]]: f32
llvm.func @caller(%n: i64, %x: f32) {
  // The context takes stack once, whatever loop the call is in.
  // CHECK: %[[ONE:.*]] = llvm.mlir.constant(1 : i64)
  // CHECK: %[[CONTEXT:.*]] = llvm.alloca %[[ONE]] x !llvm.struct<(i64, f32)>
  // CHECK: llvm.br ^[[LOOP:.*]]
  // CHECK: ^[[LOOP]]:
  // CHECK: %[[FIELD:.*]] = llvm.getelementptr %[[CONTEXT]][0, 0] :
  // CHECK: llvm.store %[[N]], %[[FIELD]] : i64, !llvm.ptr
  // CHECK: %[[FIELD:.*]] = llvm.getelementptr %[[CONTEXT]][0, 1] :
  // CHECK: llvm.store %[[X]], %[[FIELD]] : f32, !llvm.ptr
  // CHECK: %[[RANGE:.*]] = llvm.mlir.addressof @body_range
  // CHECK: llvm.call @embedding_parallel_for(%[[N]], %[[RANGE]], %[[CONTEXT]])
  %c0 = llvm.mlir.constant(0 : i64) : i64
  llvm.br ^loop
^loop:
  llvm.call @body(%c0, %n, %n, %x) : (i64, i64, i64, f32) -> ()
  llvm.br ^loop
}
