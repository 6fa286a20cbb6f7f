// RUN: embedding-opt %s --embedding-to-nvvm-pipeline="cubin-chip=sm_90 launch=callback" > %t.mlir
// RUN: FileCheck %s --check-prefix=HOST < %t.mlir
// RUN: %python %S/Inputs/print_ptx.py < %t.mlir | FileCheck %s --check-prefix=PTX

// Buffers come out of the workspace, whose size has a function.
// HOST-NOT:   mgpuMemAlloc
// HOST:       llvm.func @dense_grad_workspace_bytes(
// HOST:       llvm.func @dense_grad(

// Read-only rows, sums without fused multiplications.
// PTX-LABEL: .entry group_histogram(
// PTX:         atom.shared.add.u32
// PTX-LABEL: .entry group_scatter(
// PTX:         match.any.sync.b32
// PTX:         bar.warp.sync
// PTX-LABEL: .entry sum_chunks(
// PTX-NOT:     fma
// PTX:         ld.global.nc.v4.b32
// PTX:         add.rn.f32
// PTX-LABEL: .entry combine_chunks(
// PTX:         ld.global.v4.b32
// PTX-LABEL: .entry reduce(
// PTX-NOT:     fma
// PTX:         st.global.cs.v4.b32
func.func @dense_grad(%dy: memref<?x64xf32>, %indices: memref<?xi64>,
                      %dw: memref<?x64xf32>,
                      %workspace: memref<?xi8> {embedding.workspace}) {
  embedding.dense_grad scale_grad_by_freq
    ins(%dy, %indices : memref<?x64xf32>, memref<?xi64>)
    outs(%dw : memref<?x64xf32>)
  return
}
