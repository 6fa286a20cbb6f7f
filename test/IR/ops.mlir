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
func.func @out_of_range(%t: tensor<8x?xi64>, %m: memref<4xi32>, %num_rows: index) {
  // CHECK: %[[POSITION:.*]], %[[INDEX:.*]], %[[COUNT:.*]] = embedding.find_out_of_range %{{.*}}, %{{.*}} : tensor<8x?xi64>
  %position, %index, %count =
    embedding.find_out_of_range %t, %num_rows : tensor<8x?xi64>
  // CHECK: embedding.find_out_of_range %{{.*}}, %{{.*}} : memref<4xi32>
  %0:3 = embedding.find_out_of_range %m, %num_rows : memref<4xi32>
  // CHECK: embedding.report_out_of_range %[[POSITION]], %[[INDEX]], %[[COUNT]]
  embedding.report_out_of_range %position, %index, %count
  return
}
