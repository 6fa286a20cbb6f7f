// A checked lookup is fused after its check: gather, scale and add in one loop, with
// what the three in turn compute, or with a report.
// DEFINE: %{args} = --input="4x5xf32=0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19" --input="3xi64=3 0 3" --input="5xf32=0.5 1 1.5 2 2.5" --input=3x5xf32
// DEFINE: %{bad} = --input="4x5xf32=0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19" --input="3xi64=3 9 -1" --input="5xf32=0.5 1 1.5 2 2.5" --input=3x5xf32
// RUN: embedding-opt %s --embedding-split-checks=branch=false --transform-interpreter --canonicalize -o %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir --check-prefix=FUSED
// RUN: embedding-run         --function=scale_and_add %s %{args} | FileCheck %s
// RUN: embedding-run         --function=scale_and_add %t.mlir %{args} | FileCheck %s
// RUN: embedding-run --naive --function=scale_and_add %t.mlir %{args} | FileCheck %s
// RUN: not embedding-run     --function=scale_and_add %t.mlir %{bad} 2>&1 | FileCheck %s --check-prefix=BAD

// BAD: embedding.lookup: indices: expected values in [0, 4), but got 9 at flat position 1 (2 out of range in all)

// FUSED: embedding.find_out_of_range
// FUSED: embedding.report_out_of_range
// FUSED-NOT: scf.if
// FUSED: scf.forall
// FUSED: embedding.lookup out_of_range(clamp)
// FUSED: linalg.generic

// CHECK: 3x5xf32=[120.5 129 137.5 146 154.5][0.5 9 17.5 26 34.5][120.5 129 137.5 146 154.5]
func.func @scale_and_add(%table: tensor<?x5xf32>, %indices: tensor<3xi64>,
                         %bias: tensor<5xf32>, %out: tensor<3x5xf32>)
    -> tensor<3x5xf32> {
  %empty = tensor.empty() : tensor<3x5xf32>
  %rows = embedding.lookup
            ins(%table, %indices : tensor<?x5xf32>, tensor<3xi64>)
            outs(%empty : tensor<3x5xf32>) -> tensor<3x5xf32>
  %scale = arith.constant 8.0 : f32
  %0 = linalg.generic {indexing_maps = [affine_map<(i, d) -> (i, d)>, affine_map<(i, d) -> (d)>,
                                        affine_map<(i, d) -> (i, d)>],
                       iterator_types = ["parallel", "parallel"]}
         ins(%rows, %bias : tensor<3x5xf32>, tensor<5xf32>)
         outs(%out : tensor<3x5xf32>) {
  ^bb0(%row: f32, %b: f32, %o: f32):
    %1 = arith.mulf %row, %scale : f32
    %2 = arith.addf %1, %b : f32
    linalg.yield %2 : f32
  } -> tensor<3x5xf32>
  return %0 : tensor<3x5xf32>
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
