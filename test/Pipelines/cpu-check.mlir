// The loop over rows of a checked lookup is that of an unchecked one.
// RUN: %if x86_64 %{ embedding-run %s --emit=asm --cpu=x86-64-v4 | FileCheck %s %}

// CHECK-LABEL: lookup:
// Signs of indices and of their differences to the limit, a vector at a time.
// CHECK: vp{{[a-z]+}}q {{.*}}%{{[yz]}}mm
// CHECK: jmp embedding_report_out_of_range
// CHECK: [[LOOP:\.LBB.*]]:
// CHECK: prefetcht0
// CHECK-NOT: cmp{{.*}}set
// CHECK: vmovups %zmm
func.func @lookup(%table: memref<?x16xf32>, %indices: memref<?xi64>, %out: memref<?x16xf32>) {
  embedding.lookup ins(%table, %indices : memref<?x16xf32>, memref<?xi64>)
    outs(%out : memref<?x16xf32>)
  return
}
