// Rows of 128 bytes are prefetched into the second-level cache on CPUs of Intel's.
// REQUIRES: x86_64
// RUN: embedding-run %s --emit=asm --cpu=sapphirerapids | FileCheck %s --check-prefix=SECOND
// RUN: embedding-run %s --emit=asm --cpu=skylake | FileCheck %s --check-prefix=SECOND
// RUN: embedding-run %s --emit=asm --cpu=znver4 | FileCheck %s --check-prefix=FIRST
// RUN: embedding-run %s --emit=asm --cpu=btver2 | FileCheck %s --check-prefix=FIRST
// RUN: embedding-run %s --emit=asm --cpu=x86-64-v4 | FileCheck %s --check-prefix=FIRST

// SECOND-NOT: prefetcht0
// SECOND: prefetcht1
// SECOND-NOT: prefetcht0
// FIRST-NOT: prefetcht1
// FIRST: prefetcht0
// FIRST-NOT: prefetcht1
func.func @f(%table: memref<100000x32xf32>, %indices: memref<?xi64>, %rows: memref<?x32xf32>) {
  embedding.lookup ins(%table, %indices : memref<100000x32xf32>, memref<?xi64>) outs(%rows : memref<?x32xf32>)
  return
}
