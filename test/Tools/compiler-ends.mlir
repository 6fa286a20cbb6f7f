// IR that LLVM ends a process over is an error of the tool: no signal, and nothing is written.
// DEFINE: %{check} = FileCheck %s --implicit-check-not="Stack dump"
// RUN: not embedding-run %s 2>&1 | %{check} --check-prefixes=CHECK,TOOL
// RUN: not embedding-run %s --emit=asm 2>&1 | %{check} --check-prefixes=CHECK,TOOL
// RUN: rm -rf %t && mkdir %t && echo earlier > %t/libf.so && cp %t/libf.so %t/earlier
// RUN: not embedding-compile %s -o %t/libf.so 2>&1 | %{check} --check-prefixes=CHECK,COMPILE
// RUN: cmp %t/libf.so %t/earlier
// RUN: ls -A %t | FileCheck %s --check-prefix=FILES --implicit-check-not={{.}}

// CHECK: LLVM ERROR: Cannot select
// TOOL: embedding-run: error: the compiler ended by signal 6, Aborted
// COMPILE: embedding-compile: error: the compiler ended by signal 6, Aborted
// FILES: earlier
// FILES-NEXT: libf.so

// embedding-opt ends as mlir-opt does, and its output is what it was.
// RUN: echo earlier > %t/out.mlir
// RUN: not --crash embedding-opt %s --expand-strided-metadata -o %t/out.mlir
// RUN: cmp %t/out.mlir %t/earlier
// RUN: ls -A %t | FileCheck %s --check-prefixes=FILES,OPT --implicit-check-not={{.}}
// OPT-NEXT: out.mlir

llvm.func @thread() -> i32 {
  %0 = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"() : () -> i32
  llvm.return %0 : i32
}

func.func @f() -> i64 {
  %0 = llvm.mlir.addressof @thread : !llvm.ptr
  %1 = llvm.ptrtoint %0 : !llvm.ptr to i64
  return %1 : i64
}

func.func private @expand(%a: memref<?xf32>, %n: index, %m: index) -> memref<?x?xf32> {
  %0 = memref.expand_shape %a [[0, 1]] output_shape [%n, %m]
    : memref<?xf32> into memref<?x?xf32>
  return %0 : memref<?x?xf32>
}
