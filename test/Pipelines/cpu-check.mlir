// The loop over rows of a checked lookup is that of an unchecked one.
// RUN: embedding-opt %s --embedding-to-cpu-pipeline=vector-bytes=64 | FileCheck %s
// RUN: %if x86_64 %{ embedding-run %s --emit=asm --cpu=x86-64-v4 | FileCheck %s --check-prefix=V4 %}

// CHECK-LABEL: llvm.func @lookup
// CHECK: "llvm.intr.prefetch"
// CHECK-NOT: llvm.icmp
// CHECK-NOT: llvm.cond_br
// CHECK: %[[ROW:.*]] = llvm.load {{.*}} -> vector<16xi32>
// CHECK: llvm.store %[[ROW]], {{.*}} : vector<16xi32>
// CHECK-NOT: llvm.icmp
// CHECK-NOT: llvm.cond_br
// CHECK: llvm.br ^
// CHECK: llvm.call @embedding_report_out_of_range(

// Signs of indices and of their differences to the limit, a vector at a time.
// V4-LABEL: lookup:
// V4: vp{{[a-z]+}}q {{.*}}%{{[yz]}}mm
func.func @lookup(%table: memref<?x16xf32>, %indices: memref<?xi64>, %out: memref<?x16xf32>) {
  embedding.lookup ins(%table, %indices : memref<?x16xf32>, memref<?xi64>)
    outs(%out : memref<?x16xf32>)
  return
}
