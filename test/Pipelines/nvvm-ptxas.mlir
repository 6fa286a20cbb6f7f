// REQUIRES: ptxas
// RUN: embedding-opt %s --embedding-to-nvvm-pipeline="cubin-chip=sm_80 launch=callback" | %python %S/Inputs/print_ptx.py > %t80.ptx
// RUN: embedding-opt %s --embedding-to-nvvm-pipeline="cubin-chip=sm_90 launch=callback" | %python %S/Inputs/print_ptx.py > %t90.ptx
// RUN: embedding-opt %s --embedding-to-nvvm-pipeline="cubin-chip=sm_100 launch=callback" | %python %S/Inputs/print_ptx.py > %t100.ptx
// RUN: ptxas -v -arch=sm_80 %t80.ptx -o %t80.cubin 2>&1 | FileCheck %s --implicit-check-not="{{[1-9][0-9]* bytes spill}}"
// RUN: ptxas -v -arch=sm_90 %t90.ptx -o %t90.cubin 2>&1 | FileCheck %s --implicit-check-not="{{[1-9][0-9]* bytes spill}}"
// RUN: ptxas -v -arch=sm_100 %t100.ptx -o %t100.cubin 2>&1 | FileCheck %s --implicit-check-not="{{[1-9][0-9]* bytes spill}}"

// Atomic additions: of vectors, where the chip has them.
// RUN: embedding-opt %s --embedding-to-nvvm-pipeline="cubin-chip=sm_80 launch=callback atomic-gradients" | %python %S/Inputs/print_ptx.py > %t80.ptx
// RUN: embedding-opt %s --embedding-to-nvvm-pipeline="cubin-chip=sm_90 launch=callback atomic-gradients" | %python %S/Inputs/print_ptx.py > %t90.ptx
// RUN: embedding-opt %s --embedding-to-nvvm-pipeline="cubin-chip=sm_100 launch=callback atomic-gradients" | %python %S/Inputs/print_ptx.py > %t100.ptx
// RUN: FileCheck %s --check-prefix=SCALAR < %t80.ptx
// RUN: FileCheck %s --check-prefix=VECTOR < %t90.ptx
// RUN: FileCheck %s --check-prefix=VECTOR < %t100.ptx
// RUN: ptxas -v -arch=sm_80 %t80.ptx -o %t80.cubin 2>&1 | FileCheck %s --implicit-check-not="{{[1-9][0-9]* bytes spill}}"
// RUN: ptxas -v -arch=sm_90 %t90.ptx -o %t90.cubin 2>&1 | FileCheck %s --implicit-check-not="{{[1-9][0-9]* bytes spill}}"
// RUN: ptxas -v -arch=sm_100 %t100.ptx -o %t100.cubin 2>&1 | FileCheck %s --implicit-check-not="{{[1-9][0-9]* bytes spill}}"
// SCALAR-LABEL: .entry add_grad(
// SCALAR-COUNT-4: {{(red|atom)}}.{{.*}}add.f32
// VECTOR-LABEL: .entry add_grad(
// VECTOR: red.global.add.v4.f32

// No spills.

// CHECK-COUNT-40: 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
func.func @lookups(%t64: memref<?x64xf32>, %o64: memref<?x64xf32>,
                   %t101: memref<?x101xf32>, %o101: memref<?x101xf32>,
                   %t4096: memref<?x4096xbf16>, %o4096: memref<?x4096xbf16>,
                   %t: memref<?x?xf64>, %o: memref<?x?xf64>,
                   %i: memref<?xi64>) {
  embedding.lookup ins(%t64, %i : memref<?x64xf32>, memref<?xi64>)
    outs(%o64 : memref<?x64xf32>)
  embedding.lookup ins(%t101, %i : memref<?x101xf32>, memref<?xi64>)
    outs(%o101 : memref<?x101xf32>)
  embedding.lookup ins(%t4096, %i : memref<?x4096xbf16>, memref<?xi64>)
    outs(%o4096 : memref<?x4096xbf16>)
  embedding.lookup ins(%t, %i : memref<?x?xf64>, memref<?xi64>)
    outs(%o : memref<?x?xf64>)
  return
}

func.func @training(%t64: memref<?x64xf32>, %o64: memref<?x64xf32>,
                    %t101: memref<?x101xf16>, %o101: memref<?x101xf16>,
                    %t: memref<?x?xf64>, %o: memref<?x?xf64>,
                    %i: memref<?xi64>, %r: memref<?xi64>, %n: memref<i64>,
                    %v: index) {
  embedding.dense_grad scale_grad_by_freq
    ins(%t64, %i : memref<?x64xf32>, memref<?xi64>)
    outs(%o64 : memref<?x64xf32>)
  embedding.dense_grad ins(%t64, %i : memref<?x64xf32>, memref<?xi64>)
    outs(%o64 : memref<?x64xf32>)
  embedding.dense_grad ins(%t101, %i : memref<?x101xf16>, memref<?xi64>)
    outs(%o101 : memref<?x101xf16>)
  embedding.coalesce num_rows(%v)
    ins(%i, %t : memref<?xi64>, memref<?x?xf64>)
    outs(%r, %o, %n : memref<?xi64>, memref<?x?xf64>, memref<i64>)
  embedding.sparse_grad num_rows(%v) padding_idx(0)
    ins(%t64, %i : memref<?x64xf32>, memref<?xi64>)
    outs(%r, %o64, %n : memref<?xi64>, memref<?x64xf32>, memref<i64>)
  embedding.double_backward scale_grad_by_freq
    ins(%t64, %i : memref<?x64xf32>, memref<?xi64>)
    outs(%o64 : memref<?x64xf32>)
  embedding.renorm max_norm(1.0) norm_type(3.0)
    ins(%i : memref<?xi64>) outs(%t101 : memref<?x101xf16>)
  embedding.renorm_lookup max_norm(1.0) ins(%i : memref<?xi64>)
    outs(%t64, %o64 : memref<?x64xf32>, memref<?x64xf32>)
  return
}
