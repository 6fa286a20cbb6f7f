// RUN: embedding-opt %s -split-input-file -convert-embedding-to-gpu -canonicalize -cse | FileCheck %s
// RUN: embedding-opt %s -split-input-file -convert-embedding-to-gpu=row-alignment=4 -canonicalize -cse | FileCheck %s --check-prefix=ALIGN4

// 16 threads share a row of 256 bytes, and have 4 rows in flight: a block takes
// 64. All loads come before the first store.

// CHECK-LABEL: gpu.func @lookup(
// CHECK-SAME:    memref<i64> {llvm.noalias, llvm.readonly}
// CHECK-SAME:    memref<f32> {llvm.noalias, llvm.readonly}
// CHECK-SAME:    memref<f32> {llvm.noalias})
// CHECK-COUNT-4: vector.load {{.*}} {alignment = 16 : i64} : {{.*}}, vector<4xf32>
// CHECK-COUNT-4: llvm.inline_asm {{.*}} "st.global.cs.v4.b32
// CHECK:       } else {
// CHECK:         scf.for
// CHECK-NOT:   atomicrmw
// CHECK:       gpu.return

// CHECK-LABEL: func.func @assume
// CHECK-SAME:    %{{.*}}: memref<?x64xf32>, %[[INDICES:.*]]: memref<?xi64>
// CHECK:         %[[N:.*]] = memref.dim %[[INDICES]]
// CHECK:         %[[BLOCKS:.*]] = arith.ceildivui %[[N]], %c64
// CHECK:         gpu.launch_func @embedding_kernels::@lookup blocks in (%[[BLOCKS]], %c1, %c1) threads in (%c256, %c1, %c1)

// ALIGN4-LABEL: gpu.func @lookup(
// ALIGN4-NOT:     vector.load
// ALIGN4:         memref.load {{.*}} : memref<{{.*}}xf32
// ALIGN4:         "st.global.cs.b32
func.func @assume(%table: memref<?x64xf32>, %indices: memref<?xi64>,
                  %out: memref<?x64xf32>) {
  embedding.lookup out_of_range(assume)
    ins(%table, %indices : memref<?x64xf32>, memref<?xi64>)
    outs(%out : memref<?x64xf32>)
  return
}

// -----

// A bad index is counted, and written under a lock.

// CHECK-LABEL: gpu.func @lookup(
// CHECK:         llvm.atomicrmw add
// CHECK:         scf.while
// CHECK:           llvm.atomicrmw xchg
// CHECK:         llvm.fence syncscope("device") acq_rel
// CHECK:         llvm.store volatile
// CHECK:         llvm.fence syncscope("device") acq_rel
// CHECK:         llvm.atomicrmw xchg
// CHECK:       func.func private @embedding_get_out_of_range_report() -> !llvm.ptr
// CHECK-LABEL: func.func @check
// CHECK:         %[[REPORT:.*]] = call @embedding_get_out_of_range_report
// CHECK:         gpu.launch_func {{.*}} args({{.*}}%[[REPORT]] : !llvm.ptr)
func.func @check(%table: memref<100x8xf16>, %indices: memref<4x5xi32>,
                 %out: memref<4x5x8xf16>) {
  embedding.lookup ins(%table, %indices : memref<100x8xf16>, memref<4x5xi32>)
    outs(%out : memref<4x5x8xf16>)
  return
}

// -----

// Nothing to launch.

// CHECK-LABEL: func.func @empty
// CHECK-NOT:     gpu.launch_func
// CHECK:         return
func.func @empty(%table: memref<100x8xf32>, %indices: memref<0xi32>,
                 %out: memref<0x8xf32>) {
  embedding.lookup out_of_range(zero)
    ins(%table, %indices : memref<100x8xf32>, memref<0xi32>)
    outs(%out : memref<0x8xf32>)
  return
}

// -----

// CHECK-LABEL: gpu.func @check(
// CHECK:         llvm.atomicrmw add
// CHECK-LABEL: func.func @report
// CHECK-NOT:     embedding.
// CHECK:         gpu.launch_func @embedding_kernels::@check
func.func @report(%indices: memref<?xi64>, %num_rows: index) {
  %position, %index, %count =
    embedding.find_out_of_range %indices, %num_rows : memref<?xi64>
  embedding.report_out_of_range %position, %index, %count
  return
}

// -----

// Not yet: it stays what it is.

// CHECK-LABEL: func.func @renorm
// CHECK:         embedding.renorm
func.func @renorm(%indices: memref<?xi64>, %table: memref<?x64xf32>) {
  embedding.renorm max_norm(1.0) ins(%indices : memref<?xi64>)
    outs(%table : memref<?x64xf32>)
  return
}
