// A lookup fuses with its elementwise consumer: gather, scale and add in one
// loop that reads the table, and no buffer in between.
// RUN: embedding-opt %s --transform-interpreter --canonicalize | FileCheck %s --check-prefix=FUSED
// RUN: embedding-opt %s --transform-interpreter --canonicalize \
// RUN:   --convert-embedding-to-linalg --canonicalize \
// RUN:   --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" \
// RUN:   --cse --canonicalize | FileCheck %s

#rows = affine_map<(i, d) -> (i, d)>
#columns = affine_map<(i, d) -> (d)>

// FUSED-LABEL: func @scale_and_add
// FUSED: scf.forall
// FUSED: embedding.lookup out_of_range(assume)
// FUSED: linalg.generic
// FUSED: scf.forall.in_parallel

// CHECK-LABEL: func @scale_and_add
// CHECK-SAME: %[[TABLE:.*]]: memref<?x64xf32>, %[[INDICES:.*]]: memref<128xi64>, %[[BIAS:.*]]: memref<64xf32>, %[[OUT:.*]]: memref<128x64xf32>
func.func @scale_and_add(%table: tensor<?x64xf32>, %indices: tensor<128xi64>,
                         %bias: tensor<64xf32>, %out: tensor<128x64xf32>)
    -> tensor<128x64xf32> {
  // CHECK-NOT: memref.alloc
  // CHECK: scf.forall (%[[I:.*]]) in (128)
  // CHECK: %[[TILE:.*]] = memref.subview %[[INDICES]][%[[I]]] [1] [1]
  // CHECK: %[[INDEX:.*]] = memref.load %[[TILE]]
  // CHECK: %[[K:.*]] = arith.index_cast %[[INDEX]]
  // CHECK: %[[ROW:.*]] = memref.subview %[[TABLE]][%[[K]], 0] [1, 64]
  // CHECK: %[[ROW_2D:.*]] = memref.expand_shape %[[ROW]]
  // CHECK: %[[DEST:.*]] = memref.subview %[[OUT]][%[[I]], 0] [1, 64]
  // CHECK: linalg.generic {{.*}} ins(%[[ROW_2D]], %[[BIAS]] : memref<1x64xf32, {{.*}}>, memref<64xf32>) outs(%[[DEST]] :
  // CHECK: ^bb0(%[[X:.*]]: f32, %[[B:.*]]: f32, %{{.*}}: f32):
  // CHECK: %[[SCALED:.*]] = arith.mulf %[[X]], %{{.*}} : f32
  // CHECK: arith.addf %[[SCALED]], %[[B]]
  // CHECK-NOT: memref.copy
  // CHECK-NOT: scf.forall
  %empty = tensor.empty() : tensor<128x64xf32>
  %rows = embedding.lookup out_of_range(assume)
            ins(%table, %indices : tensor<?x64xf32>, tensor<128xi64>)
            outs(%empty : tensor<128x64xf32>) -> tensor<128x64xf32>
  %scale = arith.constant 8.0 : f32
  %0 = linalg.generic {indexing_maps = [#rows, #columns, #rows],
                       iterator_types = ["parallel", "parallel"]}
         ins(%rows, %bias : tensor<128x64xf32>, tensor<64xf32>)
         outs(%out : tensor<128x64xf32>) {
  ^bb0(%row: f32, %b: f32, %o: f32):
    %1 = arith.mulf %row, %scale : f32
    %2 = arith.addf %1, %b : f32
    linalg.yield %2 : f32
  } -> tensor<128x64xf32>
  return %0 : tensor<128x64xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %consumer = transform.structured.match ops{["linalg.generic"]} in %root : (!transform.any_op) -> !transform.any_op
    %lookup = transform.structured.match ops{["embedding.lookup"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %consumer tile_sizes [1]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.structured.fuse_into_containing_op %lookup into %loop
      : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
