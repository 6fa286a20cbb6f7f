// A lookup of a range of the indices, as the runtime's kernels are: prefetched,
// streamed if it is asked for, and asked once for a row this short.
// RUN: %if x86_64 %{ embedding-run %s --emit=asm --cpu=x86-64-v4 | FileCheck %s %}

#range = strided<[1], offset: ?>
#rows = strided<[32, 1], offset: ?>

// Rows of 32 bytes at multiples of 32 lie in one line each; the loop holds no
// question and no bound on what is prefetched.
// CHECK-LABEL: lookup:
// CHECK: cmpq $1048576,
// CHECK: prefetcht0
// CHECK-NOT: $1048576
// CHECK-NOT: cmov
// CHECK: vmov{{.*}}(%{{.*}}), %ymm
// CHECK-NOT: $1048576
// CHECK-NOT: cmov
// CHECK: prefetcht0
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
