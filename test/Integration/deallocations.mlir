// A function that frees some of its memory itself, before it allocates the next,
// and leaves the rest to the pipeline. Through the optimized and the naive lowering
// for the CPU, and on an interpreted GPU.
// DEFINE: %{run} = embedding-run %s
// DEFINE: %{cuda} = env EMBEDDING_CUDA_LIBRARY=%interpreted_cuda embedding-run %s --target=cuda
// DEFINE: %{inputs} = --input="3x2xf32=1 2 3 4 5 6" --input="2xi64=2 0" --input="2xi64=1 0"

// RUN: embedding-opt %s --embedding-to-cpu-pipeline | FileCheck %s --check-prefix=CPU
// RUN: %{run}         --function=again %{inputs} | FileCheck %s
// RUN: %{run} --naive --function=again %{inputs} | FileCheck %s
// RUN: %{cuda}        --function=again %{inputs} | FileCheck %s
// CHECK: 2x2xf32=[5 6][1 2]

// CPU-LABEL: llvm.func @again
// CPU-COUNT-2: llvm.call @malloc
// CPU: llvm.call @free
// CPU: llvm.call @malloc
// CPU-NOT: @malloc
// CPU: llvm.call @free
// CPU-NOT: @free
// CPU: llvm.return
func.func @again(%table: memref<?x2xf32>, %input: memref<?xi64>, %order: memref<?xi64>)
    -> memref<?x2xf32> {
  %c0 = arith.constant 0 : index
  %n = memref.dim %input, %c0 : memref<?xi64>
  %freed = memref.alloc(%n) : memref<?x2xf32>
  embedding.lookup ins(%table, %input : memref<?x2xf32>, memref<?xi64>) outs(%freed : memref<?x2xf32>)
  %kept = memref.alloc(%n) : memref<?x2xf32>
  embedding.lookup ins(%freed, %order : memref<?x2xf32>, memref<?xi64>) outs(%kept : memref<?x2xf32>)
  memref.dealloc %freed : memref<?x2xf32>
  %out = memref.alloc(%n) : memref<?x2xf32>
  embedding.lookup ins(%kept, %order : memref<?x2xf32>, memref<?xi64>) outs(%out : memref<?x2xf32>)
  return %out : memref<?x2xf32>
}
