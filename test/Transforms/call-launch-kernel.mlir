// RUN: embedding-opt %s -embedding-call-launch-kernel -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-DAG: llvm.mlir.global internal constant @kernels_image("text\00")
// CHECK-DAG: llvm.mlir.global internal constant @kernels_fill("fill\00")

// CHECK-LABEL: func.func @launch
// CHECK-SAME:    %[[BUFFER:.*]]: memref<i64>, %[[N:.*]]: index, %[[X:.*]]: f64
// CHECK:         %[[TWO:.*]] = llvm.mlir.constant(2 : i64)
// CHECK:         %[[ARGUMENTS:.*]] = llvm.alloca %[[TWO]] x i64
// CHECK:         %[[FIRST:.*]] = llvm.getelementptr %[[ARGUMENTS]][0]
// CHECK:         %[[POINTER:.*]] = memref.extract_aligned_pointer_as_index %[[BUFFER]]
// CHECK:         %[[ADDRESS:.*]] = arith.index_cast %[[POINTER]]
// CHECK:         llvm.store %[[ADDRESS]], %[[FIRST]]
// CHECK:         %[[SECOND:.*]] = llvm.getelementptr %[[ARGUMENTS]][1]
// CHECK:         llvm.store %[[X]], %[[SECOND]]
// CHECK-DAG:     %[[IMAGE:.*]] = llvm.mlir.addressof @kernels_image
// CHECK-DAG:     %[[NAME:.*]] = llvm.mlir.addressof @kernels_fill
// CHECK-DAG:     %[[BLOCKS:.*]] = arith.index_cast %[[N]]
// CHECK-DAG:     %[[THREADS:.*]] = arith.index_cast %c256
// CHECK-DAG:     %[[IMAGE_BYTES:.*]] = llvm.mlir.constant(4 : i64)
// CHECK-DAG:     %[[COUNT:.*]] = llvm.mlir.constant(2 : i64)
// CHECK:         llvm.call @embedding_launch_kernel(%[[IMAGE]], %[[IMAGE_BYTES]], %[[NAME]], %[[BLOCKS]], %[[THREADS]], %[[ARGUMENTS]], %[[COUNT]])
module attributes {gpu.container_module} {
  gpu.binary @kernels [#gpu.object<#nvvm.target<chip = "sm_90">, assembly = "text">]
  func.func @launch(%buffer: memref<i64>, %n: index, %x: f64) {
    %c1 = arith.constant 1 : index
    %c256 = arith.constant 256 : index
    gpu.launch_func @kernels::@fill blocks in (%n, %c1, %c1)
      threads in (%c256, %c1, %c1) args(%buffer : memref<i64>, %x : f64)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  // expected-error @below {{expected one object, but got 2}}
  gpu.binary @kernels [#gpu.object<#nvvm.target<chip = "sm_80">, assembly = "a">, #gpu.object<#nvvm.target<chip = "sm_90">, assembly = "b">]
}

// -----

module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @fill() kernel { gpu.return }
  }
  func.func @not_serialized(%n: index) {
    // expected-error @below {{expected the kernel to be in a gpu.binary}}
    gpu.launch_func @kernels::@fill blocks in (%n, %n, %n) threads in (%n, %n, %n)
    return
  }
}
