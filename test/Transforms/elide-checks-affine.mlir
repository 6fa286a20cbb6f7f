// Loops whose bounds are no values do not end the analysis, or the process.
// RUN: embedding-opt %s --embedding-elide-checks | FileCheck %s

// CHECK-LABEL: func @affine
// CHECK-COUNT-2: affine.for
func.func @affine(%n: index, %m: index, %x: f32) -> f32 {
  %0 = affine.for %i = 0 to %n iter_args(%row = %x) -> f32 {
    %1 = affine.for %j = 0 to %m iter_args(%sum = %row) -> f32 {
      %2 = arith.addf %sum, %x : f32
      affine.yield %2 : f32
    }
    affine.yield %1 : f32
  }
  return %0 : f32
}
