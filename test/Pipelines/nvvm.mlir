// RUN: embedding-opt %s --embedding-to-nvvm-pipeline="cubin-chip=sm_90 launch=callback" > %t.mlir
// RUN: FileCheck %s --check-prefix=HOST < %t.mlir
// RUN: %python %S/Inputs/print_ptx.py < %t.mlir | FileCheck %s --check-prefix=PTX
// RUN: embedding-opt %s --embedding-to-nvvm-pipeline | FileCheck %s --check-prefix=MGPU

// HOST-LABEL: llvm.func @lookup(
// HOST:         llvm.call @embedding_launch_kernel

// Upstream's wrappers: one stream for all launches of a call.
// MGPU-LABEL: llvm.func @lookup(
// MGPU:         llvm.call @mgpuMemAlloc
// MGPU:         llvm.call @mgpuStreamCreate
// MGPU:         gpu.launch_func <{{.*}} : !llvm.ptr> @embedding_kernels::@lookup

// Indices are loaded whole, rows in 16 bytes as read-only data, and all loads of
// a thread come before its first store; ptxas is free in the order of loads.
// PTX:       .target sm_90
// PTX:       .entry lookup(
// PTX:       .maxntid 256, 1, 1
// PTX-DAG:   ld.global.nc.b64
// PTX-DAG:   ld.global.nc.b64
// PTX-DAG:   ld.global.nc.b64
// PTX-DAG:   ld.global.nc.b64
// PTX-DAG:   ld.global.nc.v4.b32
// PTX-DAG:   ld.global.nc.v4.b32
// PTX-DAG:   ld.global.nc.v4.b32
// PTX-DAG:   ld.global.nc.v4.b32
// PTX-COUNT-4: st.global.cs.v4.b32
// PTX:       fence.acq_rel.gpu
func.func @lookup(%table: tensor<?x64xf32>, %indices: tensor<?xi64>)
    -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %indices, %c0 : tensor<?xi64>
  %init = tensor.empty(%n) : tensor<?x64xf32>
  %out = embedding.lookup ins(%table, %indices : tensor<?x64xf32>, tensor<?xi64>)
    outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}
