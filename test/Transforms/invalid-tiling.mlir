// The positions that a check reports are those of the whole operand.
// RUN: not embedding-opt %s --transform-interpreter 2>&1 | FileCheck %s

// CHECK: error: 'embedding.lookup' op cannot be tiled in 'check' mode, because the positions that it reports would become those within the tile; run 'embedding-split-checks=branch=false' first
func.func @check(%table: tensor<?x64xf32>, %indices: tensor<8xi64>,
                 %init: tensor<8x64xf32>) -> tensor<8x64xf32> {
  %0 = embedding.lookup ins(%table, %indices : tensor<?x64xf32>, tensor<8xi64>)
         outs(%init : tensor<8x64xf32>) -> tensor<8x64xf32>
  return %0 : tensor<8x64xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %0 = transform.structured.match ops{["embedding.lookup"]} in %root : (!transform.any_op) -> !transform.any_op
    %1, %2 = transform.structured.tile_using_for %0 tile_sizes [2]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
