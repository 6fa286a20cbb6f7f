// RUN: embedding-opt %s --embedding-plan-workspace --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func @two_buffers_workspace_bytes
// CHECK-SAME: %[[X:.*]]: memref<?xf32>, %{{.*}}: memref<?xi8>) -> i64
// n * 8 and (n + 1) * 6 bytes, each rounded up to 64.
// CHECK: %[[N:.*]] = memref.dim %[[X]]
// CHECK: %[[BYTES:.*]] = arith.muli %[[N]], %c8
// CHECK: %[[MORE:.*]] = arith.addi %[[BYTES]], %c63
// CHECK: arith.andi %[[MORE]], %c-64
// CHECK: %[[N1:.*]] = arith.addi %[[N]], %c1
// CHECK: arith.muli %[[N1]], %c6
// CHECK: return %{{.*}} : i64

// CHECK-LABEL: func @two_buffers(
// CHECK-SAME: %[[X:.*]]: memref<?xf32>, %[[W:.*]]: memref<?xi8>) {
func.func @two_buffers(%x: memref<?xf32>, %w: memref<?xi8> {embedding.workspace}) {
  // CHECK-NOT: memref.alloc
  // CHECK: %[[A:.*]] = memref.view %[[W]][%c0][%[[N:.*]]] : memref<?xi8> to memref<?xi64>
  // CHECK: %[[OFFSET:.*]] = arith.andi
  // CHECK: %[[B:.*]] = memref.view %[[W]][%[[OFFSET]]][%{{.*}}] : memref<?xi8> to memref<?x3xf16>
  // CHECK: call @use(%[[A]], %[[B]])
  // CHECK-NOT: memref.dealloc
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %a = memref.alloc(%n) : memref<?xi64>
  %n1 = arith.addi %n, %c1 : index
  %b = memref.alloc(%n1) : memref<?x3xf16>
  func.call @use(%a, %b) : (memref<?xi64>, memref<?x3xf16>) -> ()
  memref.dealloc %a : memref<?xi64>
  memref.dealloc %b : memref<?x3xf16>
  return
}

// CHECK-LABEL: func @no_workspace
func.func @no_workspace(%n: index) {
  // CHECK: memref.alloc
  %a = memref.alloc(%n) : memref<?xi64>
  %b = memref.alloc(%n) : memref<?x3xf16>
  func.call @use(%a, %b) : (memref<?xi64>, memref<?x3xf16>) -> ()
  return
}

func.func private @use(memref<?xi64>, memref<?x3xf16>)
