// A lookup of a range of the indices, as of a stretch of them: prefetched,
// streamed if it is asked for, and asked once for a row this short.
// RUN: embedding-opt %s --embedding-to-cpu-pipeline=vector-bytes=32 | FileCheck %s

#range = strided<[1], offset: ?>
#rows = strided<[32, 1], offset: ?>

// Rows of 32 bytes at multiples of 32 lie in one line each; the loop holds no
// question and no bound on what is prefetched.
// CHECK-LABEL: llvm.func @lookup
// CHECK: %[[MIN:.*]] = llvm.mlir.constant(1048576 : index)
// CHECK: %[[IS_LARGE:.*]] = llvm.icmp "sge" {{.*}}, %[[MIN]]
// CHECK: llvm.cond_br %[[IS_LARGE]],
// CHECK: llvm.br ^[[LOOP:bb[0-9]+]](
// CHECK: ^[[LOOP]](%[[I:.*]]: i64):
// CHECK: %[[IS_INSIDE:.*]] = llvm.icmp "slt" %[[I]]
// CHECK: llvm.cond_br %[[IS_INSIDE]],
// CHECK: %[[AHEAD:.*]] = llvm.add %[[I]],
// CHECK-NOT: llvm.icmp
// CHECK-NOT: llvm.select
// CHECK-NOT: llvm.cond_br
// CHECK: "llvm.intr.prefetch"
// CHECK-NOT: llvm.icmp
// CHECK-NOT: llvm.select
// CHECK-NOT: llvm.cond_br
// CHECK-NOT: "llvm.intr.prefetch"
// CHECK: %[[ROW:.*]] = llvm.load {{.*}} -> vector<32xi8>
// CHECK: llvm.store %[[ROW]], {{.*}} : vector<32xi8>
// CHECK-NOT: llvm.icmp
// CHECK-NOT: llvm.cond_br
// CHECK: llvm.br ^[[LOOP]](
func.func @lookup(%begin: index, %end: index, %any: memref<?x32xi8>,
                  %all_indices: memref<?xi64>, %all_rows: memref<?x32xi8>) {
  %size = arith.subi %end, %begin : index
  %table = memref.assume_alignment %any, 32 : memref<?x32xi8>
  %indices = memref.subview %all_indices[%begin] [%size] [1]
    : memref<?xi64> to memref<?xi64, #range>
  %rows = memref.subview %all_rows[%begin, 0] [%size, 32] [1, 1]
    : memref<?x32xi8> to memref<?x32xi8, #rows>
  embedding.lookup out_of_range(assume)
    ins(%table, %indices : memref<?x32xi8>, memref<?xi64, #range>)
    outs(%rows : memref<?x32xi8, #rows>)
  return
}
