// The lookup is what is interesting here; the rest goes.
// RUN: embedding-reduce %s -reduction-tree='traversal-mode=0 test=%S/Inputs/has_lookup.sh' | FileCheck %s

// CHECK: embedding.lookup
// CHECK-NOT: arith.addf
func.func @uninteresting(%a: f32) -> f32 {
  %0 = arith.addf %a, %a : f32
  return %0 : f32
}
func.func @interesting(%table: memref<10x3xf32>, %indices: memref<4xi64>,
                       %out: memref<4x3xf32>) {
  embedding.lookup ins(%table, %indices : memref<10x3xf32>, memref<4xi64>)
    outs(%out : memref<4x3xf32>)
  return
}
