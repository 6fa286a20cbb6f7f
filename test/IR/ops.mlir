// Every form of every operation, custom and generic, prints as it parses.
// RUN: embedding-opt %s | embedding-opt | FileCheck %s
// RUN: embedding-opt %s --mlir-print-op-generic | embedding-opt | FileCheck %s
// RUN: embedding-opt %s --emit-bytecode | embedding-opt | FileCheck %s

// CHECK-LABEL: func @lookup_tensor
func.func @lookup_tensor(%table: tensor<?x64xf32>, %indices: tensor<8x?xi64>,
                         %init: tensor<8x?x64xf32>) -> tensor<8x?x64xf32> {
  // CHECK: embedding.lookup ins(%{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<8x?xi64>) outs(%{{.*}} : tensor<8x?x64xf32>) -> tensor<8x?x64xf32>
  %0 = embedding.lookup ins(%table, %indices : tensor<?x64xf32>, tensor<8x?xi64>)
         outs(%init : tensor<8x?x64xf32>) -> tensor<8x?x64xf32>
  return %0 : tensor<8x?x64xf32>
}

// CHECK-LABEL: func @lookup_memref
func.func @lookup_memref(%table: memref<10x3xbf16>, %indices: memref<4xi32>,
                         %out: memref<4x3xbf16>) {
  // CHECK: embedding.lookup ins(%{{.*}}, %{{.*}} : memref<10x3xbf16>, memref<4xi32>) outs(%{{.*}} : memref<4x3xbf16>)
  embedding.lookup ins(%table, %indices : memref<10x3xbf16>, memref<4xi32>)
    outs(%out : memref<4x3xbf16>)
  return
}

// CHECK-LABEL: func @lookup_attributes
func.func @lookup_attributes(%table: tensor<10x3xf32>, %indices: tensor<i64>,
                             %init: tensor<3xf32>) {
  // CHECK: embedding.lookup padding_idx(-10) out_of_range(assume) {tag = "x"} ins
  %0 = embedding.lookup padding_idx(-10) out_of_range(assume) {tag = "x"}
         ins(%table, %indices : tensor<10x3xf32>, tensor<i64>)
         outs(%init : tensor<3xf32>) -> tensor<3xf32>
  // CHECK: embedding.lookup padding_idx(9) out_of_range(clamp) ins
  %1 = embedding.lookup padding_idx(9) out_of_range(clamp)
         ins(%table, %indices : tensor<10x3xf32>, tensor<i64>)
         outs(%init : tensor<3xf32>) -> tensor<3xf32>
  // CHECK: embedding.lookup out_of_range(zero) ins
  %2 = embedding.lookup out_of_range(zero)
         ins(%table, %indices : tensor<10x3xf32>, tensor<i64>)
         outs(%init : tensor<3xf32>) -> tensor<3xf32>
  // The default is not printed.
  // CHECK: embedding.lookup ins
  %3 = embedding.lookup out_of_range(check)
         ins(%table, %indices : tensor<10x3xf32>, tensor<i64>)
         outs(%init : tensor<3xf32>) -> tensor<3xf32>
  return
}

// Any element of a fixed width.
// CHECK-LABEL: func @lookup_element_types
func.func @lookup_element_types(
    %indices: tensor<4xi64>,
    %t0: tensor<2x3xf64>, %o0: tensor<4x3xf64>,
    %t1: tensor<2x3xi1>, %o1: tensor<4x3xi1>,
    %t2: tensor<2x3xcomplex<f32>>, %o2: tensor<4x3xcomplex<f32>>,
    %t3: tensor<2x3xf8E4M3FN>, %o3: tensor<4x3xf8E4M3FN>,
    %t4: tensor<2x3xvector<4xf32>>, %o4: tensor<4x3xvector<4xf32>>) {
  // CHECK-COUNT-5: embedding.lookup
  %0 = embedding.lookup ins(%t0, %indices : tensor<2x3xf64>, tensor<4xi64>)
         outs(%o0 : tensor<4x3xf64>) -> tensor<4x3xf64>
  %1 = embedding.lookup ins(%t1, %indices : tensor<2x3xi1>, tensor<4xi64>)
         outs(%o1 : tensor<4x3xi1>) -> tensor<4x3xi1>
  %2 = embedding.lookup ins(%t2, %indices : tensor<2x3xcomplex<f32>>, tensor<4xi64>)
         outs(%o2 : tensor<4x3xcomplex<f32>>) -> tensor<4x3xcomplex<f32>>
  %3 = embedding.lookup ins(%t3, %indices : tensor<2x3xf8E4M3FN>, tensor<4xi64>)
         outs(%o3 : tensor<4x3xf8E4M3FN>) -> tensor<4x3xf8E4M3FN>
  %4 = embedding.lookup ins(%t4, %indices : tensor<2x3xvector<4xf32>>, tensor<4xi64>)
         outs(%o4 : tensor<4x3xvector<4xf32>>) -> tensor<4x3xvector<4xf32>>
  return
}

// CHECK-LABEL: func @out_of_range
func.func @out_of_range(%t: tensor<8x?xi64>, %m: memref<4xi32>, %num_rows: index,
                        %other: index) {
  // CHECK: %[[POSITION:.*]], %[[INDEX:.*]], %[[COUNT:.*]] = embedding.find_out_of_range %{{.*}}, %{{.*}} : tensor<8x?xi64>
  %position, %index, %count =
    embedding.find_out_of_range %t, %num_rows : tensor<8x?xi64>
  // CHECK: embedding.find_out_of_range %{{.*}}, %{{.*}} : memref<4xi32>
  %0:3 = embedding.find_out_of_range %m, %num_rows : memref<4xi32>
  // CHECK: embedding.report_out_of_range %[[POSITION]], %[[INDEX]], %[[COUNT]] of %{{.*}}, "indices"
  embedding.report_out_of_range %position, %index, %count of %num_rows, "indices"
  // CHECK: embedding.expect_size %{{.*}}, %{{.*}}, "expected a size to be"
  embedding.expect_size %num_rows, %num_rows, "expected a size to be"
  // CHECK: embedding.expect_size %[[A:.*]], %[[B:.*]], "expected a size to be" from %[[B]] of %[[A]]
  embedding.expect_size %num_rows, %other, "expected a size to be" from %other of %num_rows
  return
}

// CHECK-LABEL: func @training_on_tensors
func.func @training_on_tensors(
    %t: tensor<?x64xf32>, %i: tensor<8x?xi32>, %y: tensor<8x?x64xf32>,
    %flat: tensor<?xi64>, %v: tensor<?x64xf32>, %r: tensor<?xi64>,
    %o: tensor<?xi64>, %p: tensor<?xi64>, %c: tensor<i64>, %m: f64, %n: index,
    %k: index) {
  // CHECK: embedding.renorm max_norm(1.500000e+00) norm_type(0x7FF0000000000000) ins(%{{.*}} : tensor<8x?xi32>) outs(%{{.*}} : tensor<?x64xf32>) -> tensor<?x64xf32>
  %0 = embedding.renorm max_norm(1.5) norm_type(0x7FF0000000000000)
         ins(%i : tensor<8x?xi32>) outs(%t : tensor<?x64xf32>) -> tensor<?x64xf32>
  // CHECK: embedding.renorm_lookup max_norm(%{{.*}}) out_of_range(zero) ins(%{{.*}} : tensor<8x?xi32>) outs(%{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<8x?x64xf32>) -> tensor<?x64xf32>, tensor<8x?x64xf32>
  %1:2 = embedding.renorm_lookup max_norm(%m) out_of_range(zero)
           ins(%i : tensor<8x?xi32>) outs(%t, %y : tensor<?x64xf32>, tensor<8x?x64xf32>)
           -> tensor<?x64xf32>, tensor<8x?x64xf32>
  // CHECK: embedding.dense_grad padding_idx(-1) scale_grad_by_freq out_of_range(clamp) {tag} ins(%{{.*}}, %{{.*}} : tensor<8x?x64xf32>, tensor<8x?xi32>) outs(%{{.*}} : tensor<?x64xf32>) -> tensor<?x64xf32>
  %2 = embedding.dense_grad padding_idx(-1) scale_grad_by_freq out_of_range(clamp) {tag}
         ins(%y, %i : tensor<8x?x64xf32>, tensor<8x?xi32>)
         outs(%t : tensor<?x64xf32>) -> tensor<?x64xf32>
  // CHECK: embedding.sparse_grad num_rows(%{{.*}}) padding_idx(%{{.*}}) ins({{.*}}) outs({{.*}}) -> tensor<?xi64>, tensor<?x64xf32>, tensor<i64>
  %3:3 = embedding.sparse_grad num_rows(%n) padding_idx(%k)
           ins(%y, %i : tensor<8x?x64xf32>, tensor<8x?xi32>)
           outs(%r, %v, %c : tensor<?xi64>, tensor<?x64xf32>, tensor<i64>)
           -> tensor<?xi64>, tensor<?x64xf32>, tensor<i64>
  // CHECK: embedding.coalesce num_rows(%{{.*}}) ins({{.*}}) outs({{.*}}) -> tensor<?xi64>, tensor<?x64xf32>, tensor<i64>
  %4:3 = embedding.coalesce num_rows(%n)
           ins(%flat, %v : tensor<?xi64>, tensor<?x64xf32>)
           outs(%r, %v, %c : tensor<?xi64>, tensor<?x64xf32>, tensor<i64>)
           -> tensor<?xi64>, tensor<?x64xf32>, tensor<i64>
  // CHECK: embedding.double_backward padding_idx(3) ins({{.*}}) outs({{.*}}) -> tensor<8x?x64xf32>
  %5 = embedding.double_backward padding_idx(3)
         ins(%t, %i : tensor<?x64xf32>, tensor<8x?xi32>)
         outs(%y : tensor<8x?x64xf32>) -> tensor<8x?x64xf32>
  // CHECK: embedding.group num_rows(%{{.*}}) padding_idx(3) ins({{.*}}) outs({{.*}}) -> tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, tensor<i64>
  %6:4 = embedding.group num_rows(%n) padding_idx(3) ins(%i : tensor<8x?xi32>)
           outs(%r, %o, %p, %c : tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, tensor<i64>)
           -> tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, tensor<i64>
  return
}

// CHECK-LABEL: func @training_on_memrefs
func.func @training_on_memrefs(
    %t: memref<9x4xbf16>, %i: memref<i64>, %y: memref<4xbf16>,
    %flat: memref<2xi64>, %v: memref<2x4xbf16>, %r: memref<2xi64>,
    %r1: memref<1xi64>, %v1: memref<1x4xbf16>, %o: memref<3xi64>,
    %p: memref<2xi64>, %c: memref<i64>, %n: index) {
  // CHECK: embedding.renorm max_norm(0.000000e+00) ins(%{{.*}} : memref<i64>) outs(%{{.*}} : memref<9x4xbf16>){{$}}
  embedding.renorm max_norm(0.0) ins(%i : memref<i64>) outs(%t : memref<9x4xbf16>)
  // CHECK: embedding.renorm_lookup
  embedding.renorm_lookup max_norm(1.0) ins(%i : memref<i64>)
    outs(%t, %y : memref<9x4xbf16>, memref<4xbf16>)
  // CHECK: embedding.dense_grad
  embedding.dense_grad ins(%y, %i : memref<4xbf16>, memref<i64>)
    outs(%t : memref<9x4xbf16>)
  // CHECK: embedding.sparse_grad
  embedding.sparse_grad num_rows(%n) ins(%y, %i : memref<4xbf16>, memref<i64>)
    outs(%r1, %v1, %c : memref<1xi64>, memref<1x4xbf16>, memref<i64>)
  // CHECK: embedding.coalesce
  embedding.coalesce num_rows(%n) ins(%flat, %v : memref<2xi64>, memref<2x4xbf16>)
    outs(%r, %v, %c : memref<2xi64>, memref<2x4xbf16>, memref<i64>)
  // CHECK: embedding.double_backward
  embedding.double_backward ins(%t, %i : memref<9x4xbf16>, memref<i64>)
    outs(%y : memref<4xbf16>)
  // CHECK: embedding.group
  embedding.group num_rows(%n) ins(%flat : memref<2xi64>)
    outs(%r, %o, %p, %c : memref<2xi64>, memref<3xi64>, memref<2xi64>, memref<i64>)
  return
}

// CHECK-LABEL: func @bags
func.func @bags(%t: tensor<?x64xf16>, %list: tensor<?xi64>, %rows: tensor<8x?xi32>, %o: tensor<?xi32>,
                %w: tensor<?xf16>, %y: tensor<?x64xf16>, %z: tensor<8x64xf16>, %n: tensor<8x64xi64>, %p: index) {
  // CHECK: embedding.bag sum include_last_offset padding_idx(3) out_of_range(zero) {tag} ins(%{{.*}}, %{{.*}} : tensor<?x64xf16>, tensor<?xi64>) offsets(%{{.*}} : tensor<?xi32>) weights(%{{.*}} : tensor<?xf16>) outs(%{{.*}} : tensor<?x64xf16>) -> tensor<?x64xf16>
  %0 = embedding.bag sum include_last_offset padding_idx(3) out_of_range(zero) {tag}
         ins(%t, %list : tensor<?x64xf16>, tensor<?xi64>) offsets(%o : tensor<?xi32>)
         weights(%w : tensor<?xf16>) outs(%y : tensor<?x64xf16>) -> tensor<?x64xf16>
  // CHECK: embedding.bag mean assume_offsets padding_idx(%{{.*}}) ins(%{{.*}}, %{{.*}} : {{.*}}) offsets(%{{.*}} : tensor<?xi32>) outs(
  %1 = embedding.bag mean assume_offsets padding_idx(%p) ins(%t, %list : tensor<?x64xf16>, tensor<?xi64>)
         offsets(%o : tensor<?xi32>) outs(%y : tensor<?x64xf16>) -> tensor<?x64xf16>
  // CHECK: embedding.bag max ins(%{{.*}}, %{{.*}} : tensor<?x64xf16>, tensor<8x?xi32>) outs(%{{.*}} : tensor<8x64xf16>) winners(%{{.*}} : tensor<8x64xi64>) -> tensor<8x64xf16>, tensor<8x64xi64>
  %2:2 = embedding.bag max ins(%t, %rows : tensor<?x64xf16>, tensor<8x?xi32>)
           outs(%z : tensor<8x64xf16>) winners(%n : tensor<8x64xi64>) -> tensor<8x64xf16>, tensor<8x64xi64>
  return
}

// CHECK-LABEL: func @bags_on_memrefs
func.func @bags_on_memrefs(%t: memref<?x64xf32>, %list: memref<?xi64>, %o: memref<?xi64>, %y: memref<?x64xf32>, %n: index) {
  // CHECK: embedding.bag sum ins(%{{.*}}, %{{.*}} : memref<?x64xf32>, memref<?xi64>) offsets(%{{.*}} : memref<?xi64>) outs(%{{.*}} : memref<?x64xf32>)
  embedding.bag sum ins(%t, %list : memref<?x64xf32>, memref<?xi64>) offsets(%o : memref<?xi64>) outs(%y : memref<?x64xf32>)
  // CHECK: embedding.find_invalid_offset %{{.*}}, %{{.*}} : memref<?xi64>
  %0:3 = embedding.find_invalid_offset %o, %n : memref<?xi64>
  return
}
