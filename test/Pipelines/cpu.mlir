// A row of 64 floats becomes vector loads and stores, never a gather: in IR and
// in the assembly for AVX2 and for AVX-512.
// RUN: embedding-opt %s --embedding-to-cpu-pipeline=vector-bytes=64 | FileCheck %s
// RUN: embedding-opt %s --embedding-to-cpu-pipeline="vectorize=false prefetch=false" | FileCheck %s --check-prefix=NAIVE
// RUN: %if x86_64 %{ embedding-run %s --emit=asm --cpu=x86-64-v4 | FileCheck %s --check-prefix=V4 --implicit-check-not=gather %}
// RUN: %if x86_64 %{ embedding-run %s --emit=asm --cpu=x86-64-v3 | FileCheck %s --check-prefix=V3 --implicit-check-not=gather %}

// CHECK-LABEL: llvm.func @lookup
// CHECK-COUNT-4: "llvm.intr.prefetch"
// CHECK-NOT: llvm.intr.masked
// CHECK: %[[A:.*]] = llvm.load {{.*}} -> vector<16xi32>
// CHECK: llvm.store %[[A]], {{.*}} : vector<16xi32>, !llvm.ptr
// CHECK: %[[B:.*]] = llvm.load {{.*}} -> vector<16xi32>
// CHECK: llvm.store %[[B]], {{.*}} : vector<16xi32>, !llvm.ptr
// CHECK: %[[C:.*]] = llvm.load {{.*}} -> vector<16xi32>
// CHECK: llvm.store %[[C]], {{.*}} : vector<16xi32>, !llvm.ptr
// CHECK: %[[D:.*]] = llvm.load {{.*}} -> vector<16xi32>
// CHECK: llvm.store %[[D]], {{.*}} : vector<16xi32>, !llvm.ptr
// CHECK-NOT: builtin.unrealized_conversion_cast
// CHECK-NOT: llvm.intr.masked

// NAIVE-LABEL: llvm.func @lookup
// NAIVE-NOT: vector<
// NAIVE-NOT: "llvm.intr.prefetch"
// NAIVE: %[[ELEMENT:.*]] = llvm.load {{.*}} -> i32
// NAIVE: llvm.store %[[ELEMENT]], {{.*}} : i32, !llvm.ptr
// NAIVE-NOT: "llvm.intr.prefetch"

// In whatever order.
// V4-LABEL: lookup:
// V4-DAG: prefetcht0
// V4-DAG: vmov{{[a-z0-9]+}} %zmm{{[0-9]+}}, {{[0-9]*}}(

// V3-LABEL: lookup:
// V3-DAG: prefetcht0
// V3-DAG: vmov{{[a-z0-9]+}} %ymm{{[0-9]+}}, {{[0-9]*}}(
func.func @lookup(%table: tensor<?x64xf32>, %indices: tensor<?xi64>,
                  %init: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %0 = embedding.lookup out_of_range(assume)
         ins(%table, %indices : tensor<?x64xf32>, tensor<?xi64>)
         outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}
