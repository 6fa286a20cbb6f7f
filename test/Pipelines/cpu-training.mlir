// The training half down to the LLVM dialect and to code.
// RUN: embedding-opt %s --embedding-to-cpu-pipeline=parallelism=callback | FileCheck %s --check-prefix=CALLBACK
// RUN: embedding-opt %s --embedding-to-cpu-pipeline=parallelism=openmp | FileCheck %s --check-prefix=OPENMP
// RUN: embedding-run %s --emit=asm --cpu=x86-64-v4 | FileCheck %s --check-prefix=V4
// RUN: embedding-run %s --emit=asm --cpu=x86-64 | FileCheck %s --check-prefix=BASE

// Loops become calls; nothing of MLIR is left.
// CALLBACK-NOT: builtin.unrealized_conversion_cast
// CALLBACK: llvm.func @embedding_parallel_for(i64, !llvm.ptr, !llvm.ptr)
// CALLBACK: llvm.func internal @dense_grad_parallel_0_range
// CALLBACK-LABEL: llvm.func @dense_grad(
// CALLBACK: llvm.call @embedding_parallel_for

// OPENMP-NOT: builtin.unrealized_conversion_cast
// OPENMP-LABEL: llvm.func @dense_grad(
// OPENMP: omp.parallel
// OPENMP: omp.wsloop

// Sums of 64 floats are four vectors in registers, over the positions of a
// group, with the rows of later positions on their way; large gaps are streamed.
// V4-LABEL: dense_grad:
// V4-NOT: __truncsfbf2
// V4-DAG: prefetcht0
// V4-DAG: vaddps {{.*}}%zmm
// V4-DAG: vaddps {{.*}}%zmm
// V4-DAG: vaddps {{.*}}%zmm
// V4-DAG: vaddps {{.*}}%zmm
// V4-DAG: vmovnt

// No conversion of bf16 is a call.
// BASE-NOT: __truncsfbf2
func.func @dense_grad(%dy: memref<?x64xf32>, %i: memref<?xi64>, %g: memref<?x64xf32>,
                      %dy16: memref<?x7xbf16>, %g16: memref<?x7xbf16>) {
  embedding.dense_grad out_of_range(assume) ins(%dy, %i : memref<?x64xf32>, memref<?xi64>)
    outs(%g : memref<?x64xf32>)
  embedding.renorm max_norm(1.0) out_of_range(assume) ins(%i : memref<?xi64>)
    outs(%g16 : memref<?x7xbf16>)
  embedding.double_backward padding_idx(1) scale_grad_by_freq out_of_range(assume)
    ins(%g16, %i : memref<?x7xbf16>, memref<?xi64>) outs(%dy16 : memref<?x7xbf16>)
  return
}
