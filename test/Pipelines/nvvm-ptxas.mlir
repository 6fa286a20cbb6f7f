// REQUIRES: ptxas
// RUN: embedding-opt %s --embedding-to-nvvm-pipeline="cubin-chip=sm_80 launch=callback" | %python %S/Inputs/print_ptx.py > %t80.ptx
// RUN: embedding-opt %s --embedding-to-nvvm-pipeline="cubin-chip=sm_90 launch=callback" | %python %S/Inputs/print_ptx.py > %t90.ptx
// RUN: embedding-opt %s --embedding-to-nvvm-pipeline="cubin-chip=sm_100 launch=callback" | %python %S/Inputs/print_ptx.py > %t100.ptx
// RUN: ptxas -v -arch=sm_80 %t80.ptx -o %t80.cubin 2>&1 | FileCheck %s
// RUN: ptxas -v -arch=sm_90 %t90.ptx -o %t90.cubin 2>&1 | FileCheck %s
// RUN: ptxas -v -arch=sm_100 %t100.ptx -o %t100.cubin 2>&1 | FileCheck %s

// No spills.

// CHECK-COUNT-4: 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
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
