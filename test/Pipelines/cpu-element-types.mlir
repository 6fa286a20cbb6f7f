// Any element type of a fixed width that LLVM can hold goes all the way, in every
// mode, and so does a table that is known to have no rows.
// RUN: embedding-opt %s --embedding-to-cpu-pipeline | FileCheck %s --implicit-check-not=unrealized_conversion_cast --implicit-check-not="{{(^ *|= )embedding[.]}}"
// RUN: embedding-opt %s --embedding-to-cpu-pipeline="vectorize=false prefetch=false" | FileCheck %s --implicit-check-not=unrealized_conversion_cast --implicit-check-not="{{(^ *|= )embedding[.]}}"

// CHECK: llvm.func @vector_4xf32_dynamic
func.func @vector_4xf32_dynamic(%table: memref<?x5xvector<4xf32>>, %indices: memref<3xi64>, %out: memref<3x5xvector<4xf32>>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<?x5xvector<4xf32>>, memref<3xi64>)
    outs(%out : memref<3x5xvector<4xf32>>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<?x5xvector<4xf32>>, memref<3xi64>)
    outs(%out : memref<3x5xvector<4xf32>>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<?x5xvector<4xf32>>, memref<3xi64>)
    outs(%out : memref<3x5xvector<4xf32>>)
  return
}
// CHECK: llvm.func @vector_4xf32_empty
func.func @vector_4xf32_empty(%table: memref<0x5xvector<4xf32>>, %indices: memref<3xi64>, %out: memref<3x5xvector<4xf32>>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<0x5xvector<4xf32>>, memref<3xi64>)
    outs(%out : memref<3x5xvector<4xf32>>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<0x5xvector<4xf32>>, memref<3xi64>)
    outs(%out : memref<3x5xvector<4xf32>>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<0x5xvector<4xf32>>, memref<3xi64>)
    outs(%out : memref<3x5xvector<4xf32>>)
  return
}
// CHECK: llvm.func @complex_f32_dynamic
func.func @complex_f32_dynamic(%table: memref<?x5xcomplex<f32>>, %indices: memref<3xi64>, %out: memref<3x5xcomplex<f32>>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<?x5xcomplex<f32>>, memref<3xi64>)
    outs(%out : memref<3x5xcomplex<f32>>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<?x5xcomplex<f32>>, memref<3xi64>)
    outs(%out : memref<3x5xcomplex<f32>>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<?x5xcomplex<f32>>, memref<3xi64>)
    outs(%out : memref<3x5xcomplex<f32>>)
  return
}
// CHECK: llvm.func @complex_f32_empty
func.func @complex_f32_empty(%table: memref<0x5xcomplex<f32>>, %indices: memref<3xi64>, %out: memref<3x5xcomplex<f32>>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<0x5xcomplex<f32>>, memref<3xi64>)
    outs(%out : memref<3x5xcomplex<f32>>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<0x5xcomplex<f32>>, memref<3xi64>)
    outs(%out : memref<3x5xcomplex<f32>>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<0x5xcomplex<f32>>, memref<3xi64>)
    outs(%out : memref<3x5xcomplex<f32>>)
  return
}
// CHECK: llvm.func @complex_bf16_dynamic
func.func @complex_bf16_dynamic(%table: memref<?x5xcomplex<bf16>>, %indices: memref<3xi64>, %out: memref<3x5xcomplex<bf16>>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<?x5xcomplex<bf16>>, memref<3xi64>)
    outs(%out : memref<3x5xcomplex<bf16>>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<?x5xcomplex<bf16>>, memref<3xi64>)
    outs(%out : memref<3x5xcomplex<bf16>>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<?x5xcomplex<bf16>>, memref<3xi64>)
    outs(%out : memref<3x5xcomplex<bf16>>)
  return
}
// CHECK: llvm.func @complex_bf16_empty
func.func @complex_bf16_empty(%table: memref<0x5xcomplex<bf16>>, %indices: memref<3xi64>, %out: memref<3x5xcomplex<bf16>>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<0x5xcomplex<bf16>>, memref<3xi64>)
    outs(%out : memref<3x5xcomplex<bf16>>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<0x5xcomplex<bf16>>, memref<3xi64>)
    outs(%out : memref<3x5xcomplex<bf16>>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<0x5xcomplex<bf16>>, memref<3xi64>)
    outs(%out : memref<3x5xcomplex<bf16>>)
  return
}
// CHECK: llvm.func @f8E4M3FN_dynamic
func.func @f8E4M3FN_dynamic(%table: memref<?x5xf8E4M3FN>, %indices: memref<3xi64>, %out: memref<3x5xf8E4M3FN>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<?x5xf8E4M3FN>, memref<3xi64>)
    outs(%out : memref<3x5xf8E4M3FN>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<?x5xf8E4M3FN>, memref<3xi64>)
    outs(%out : memref<3x5xf8E4M3FN>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<?x5xf8E4M3FN>, memref<3xi64>)
    outs(%out : memref<3x5xf8E4M3FN>)
  return
}
// CHECK: llvm.func @f8E4M3FN_empty
func.func @f8E4M3FN_empty(%table: memref<0x5xf8E4M3FN>, %indices: memref<3xi64>, %out: memref<3x5xf8E4M3FN>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<0x5xf8E4M3FN>, memref<3xi64>)
    outs(%out : memref<3x5xf8E4M3FN>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<0x5xf8E4M3FN>, memref<3xi64>)
    outs(%out : memref<3x5xf8E4M3FN>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<0x5xf8E4M3FN>, memref<3xi64>)
    outs(%out : memref<3x5xf8E4M3FN>)
  return
}
// CHECK: llvm.func @i4_dynamic
func.func @i4_dynamic(%table: memref<?x5xi4>, %indices: memref<3xi64>, %out: memref<3x5xi4>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<?x5xi4>, memref<3xi64>)
    outs(%out : memref<3x5xi4>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<?x5xi4>, memref<3xi64>)
    outs(%out : memref<3x5xi4>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<?x5xi4>, memref<3xi64>)
    outs(%out : memref<3x5xi4>)
  return
}
// CHECK: llvm.func @i4_empty
func.func @i4_empty(%table: memref<0x5xi4>, %indices: memref<3xi64>, %out: memref<3x5xi4>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<0x5xi4>, memref<3xi64>)
    outs(%out : memref<3x5xi4>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<0x5xi4>, memref<3xi64>)
    outs(%out : memref<3x5xi4>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<0x5xi4>, memref<3xi64>)
    outs(%out : memref<3x5xi4>)
  return
}
// CHECK: llvm.func @i24_dynamic
func.func @i24_dynamic(%table: memref<?x5xi24>, %indices: memref<3xi64>, %out: memref<3x5xi24>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<?x5xi24>, memref<3xi64>)
    outs(%out : memref<3x5xi24>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<?x5xi24>, memref<3xi64>)
    outs(%out : memref<3x5xi24>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<?x5xi24>, memref<3xi64>)
    outs(%out : memref<3x5xi24>)
  return
}
// CHECK: llvm.func @i24_empty
func.func @i24_empty(%table: memref<0x5xi24>, %indices: memref<3xi64>, %out: memref<3x5xi24>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<0x5xi24>, memref<3xi64>)
    outs(%out : memref<3x5xi24>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<0x5xi24>, memref<3xi64>)
    outs(%out : memref<3x5xi24>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<0x5xi24>, memref<3xi64>)
    outs(%out : memref<3x5xi24>)
  return
}
// CHECK: llvm.func @f80_dynamic
func.func @f80_dynamic(%table: memref<?x5xf80>, %indices: memref<3xi64>, %out: memref<3x5xf80>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<?x5xf80>, memref<3xi64>)
    outs(%out : memref<3x5xf80>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<?x5xf80>, memref<3xi64>)
    outs(%out : memref<3x5xf80>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<?x5xf80>, memref<3xi64>)
    outs(%out : memref<3x5xf80>)
  return
}
// CHECK: llvm.func @f80_empty
func.func @f80_empty(%table: memref<0x5xf80>, %indices: memref<3xi64>, %out: memref<3x5xf80>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<0x5xf80>, memref<3xi64>)
    outs(%out : memref<3x5xf80>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<0x5xf80>, memref<3xi64>)
    outs(%out : memref<3x5xf80>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<0x5xf80>, memref<3xi64>)
    outs(%out : memref<3x5xf80>)
  return
}
// CHECK: llvm.func @i128_dynamic
func.func @i128_dynamic(%table: memref<?x5xi128>, %indices: memref<3xi64>, %out: memref<3x5xi128>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<?x5xi128>, memref<3xi64>)
    outs(%out : memref<3x5xi128>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<?x5xi128>, memref<3xi64>)
    outs(%out : memref<3x5xi128>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<?x5xi128>, memref<3xi64>)
    outs(%out : memref<3x5xi128>)
  return
}
// CHECK: llvm.func @i128_empty
func.func @i128_empty(%table: memref<0x5xi128>, %indices: memref<3xi64>, %out: memref<3x5xi128>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<0x5xi128>, memref<3xi64>)
    outs(%out : memref<3x5xi128>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<0x5xi128>, memref<3xi64>)
    outs(%out : memref<3x5xi128>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<0x5xi128>, memref<3xi64>)
    outs(%out : memref<3x5xi128>)
  return
}
// CHECK: llvm.func @i1_dynamic
func.func @i1_dynamic(%table: memref<?x5xi1>, %indices: memref<3xi64>, %out: memref<3x5xi1>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<?x5xi1>, memref<3xi64>)
    outs(%out : memref<3x5xi1>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<?x5xi1>, memref<3xi64>)
    outs(%out : memref<3x5xi1>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<?x5xi1>, memref<3xi64>)
    outs(%out : memref<3x5xi1>)
  return
}
// CHECK: llvm.func @i1_empty
func.func @i1_empty(%table: memref<0x5xi1>, %indices: memref<3xi64>, %out: memref<3x5xi1>) {
  embedding.lookup out_of_range(check) ins(%table, %indices : memref<0x5xi1>, memref<3xi64>)
    outs(%out : memref<3x5xi1>)
  embedding.lookup out_of_range(clamp) ins(%table, %indices : memref<0x5xi1>, memref<3xi64>)
    outs(%out : memref<3x5xi1>)
  embedding.lookup out_of_range(zero) ins(%table, %indices : memref<0x5xi1>, memref<3xi64>)
    outs(%out : memref<3x5xi1>)
  return
}
