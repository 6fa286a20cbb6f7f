// RUN: embedding-opt %s --embedding-plan-workspace --canonicalize --allow-unregistered-dialect --cse | FileCheck %s

// CHECK-LABEL: func @two_buffers_workspace_bytes
// CHECK-SAME: %[[X:.*]]: memref<?xf32>, %{{.*}}: memref<?xi8>) -> i64
// n * 8 and (n + 1) * 6 bytes, each rounded up to 64.
// CHECK: %[[N:.*]] = memref.dim %[[X]]
// CHECK: %[[BYTES:.*]] = arith.muli %[[N]], %c8
// CHECK: %[[MORE:.*]] = arith.addi %[[BYTES]], %c63
// CHECK: %[[FIRST:.*]] = arith.andi %[[MORE]], %c-64
// CHECK: %[[N1:.*]] = arith.addi %[[N]], %c1
// CHECK: %[[BYTES:.*]] = arith.muli %[[N1]], %c6
// CHECK: %[[MORE:.*]] = arith.addi %[[BYTES]], %c63
// CHECK: %[[SECOND:.*]] = arith.andi %[[MORE]], %c-64
// CHECK: %[[END:.*]] = arith.addi %[[FIRST]], %[[SECOND]]
// CHECK: %[[RESULT:.*]] = arith.index_cast %[[END]]
// CHECK: return %[[RESULT]] : i64

// CHECK-LABEL: func @two_buffers(
// CHECK-SAME: %[[X:.*]]: memref<?xf32>, %[[W:.*]]: memref<?xi8>) {
func.func @two_buffers(%x: memref<?xf32>, %w: memref<?xi8> {embedding.workspace}) {
  // CHECK-NOT: memref.alloc
  // CHECK: %[[N:.*]] = memref.dim %[[X]]
  // CHECK: %[[OFFSET:.*]] = arith.andi
  // CHECK: %[[A:.*]] = memref.view %[[W]][%c0][%[[N]]] : memref<?xi8> to memref<?xi64>
  // CHECK: %[[N1:.*]] = arith.addi %[[N]], %c1
  // CHECK: %[[B:.*]] = memref.view %[[W]][%[[OFFSET]]][%[[N1]]] : memref<?xi8> to memref<?x3xf16>
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

// CHECK-LABEL: func @ways_share_workspace_bytes
// CHECK-SAME: %[[X:.*]]: memref<?xf32>, %{{.*}}: i1, %{{.*}}: memref<?xi8>) -> i64
// CHECK: %[[N:.*]] = memref.dim %[[X]]
// CHECK: arith.muli %[[N]], %c8
// CHECK: %[[BEFORE:.*]] = arith.andi
// CHECK: arith.muli %[[N]], %c4
// CHECK: %[[SIZE:.*]] = arith.andi
// CHECK: %[[THEN:.*]] = arith.addi %[[BEFORE]], %[[SIZE]]
// CHECK: %[[LONGER:.*]] = arith.maxsi %[[BEFORE]], %[[THEN]]
// CHECK: arith.muli %[[N]], %c2
// CHECK: %[[SIZE:.*]] = arith.andi
// CHECK: %[[ELSE:.*]] = arith.addi %[[BEFORE]], %[[SIZE]]
// CHECK: %[[LONGEST:.*]] = arith.maxsi %[[LONGER]], %[[ELSE]]
// CHECK: %[[END:.*]] = arith.addi %[[LONGEST]], %c64
// CHECK: %[[RESULT:.*]] = arith.index_cast %[[END]]
// CHECK: return %[[RESULT]]

// CHECK-LABEL: func @ways_share(
// CHECK-SAME: %[[X:.*]]: memref<?xf32>, %[[IS_FIRST:.*]]: i1, %[[W:.*]]: memref<?xi8>) {
func.func @ways_share(%x: memref<?xf32>, %is_first: i1, %w: memref<?xi8> {embedding.workspace}) {
  // CHECK: %[[N:.*]] = memref.dim %[[X]]
  // CHECK: %[[BEFORE:.*]] = arith.andi
  // CHECK: %[[LONGER:.*]] = arith.maxsi %[[BEFORE]]
  // CHECK: %[[LONGEST:.*]] = arith.maxsi %[[LONGER]]
  // CHECK: %[[A:.*]] = memref.view %[[W]][%c0][%[[N]]]
  // CHECK: "test.use"(%[[A]])
  // CHECK: scf.if %[[IS_FIRST]] {
  // CHECK: %[[B:.*]] = memref.view %[[W]][%[[BEFORE]]][%[[N]]] : memref<?xi8> to memref<?xf32>
  // CHECK: "test.use"(%[[B]])
  // CHECK: } else {
  // CHECK: %[[B:.*]] = memref.view %[[W]][%[[BEFORE]]][%[[N]]] : memref<?xi8> to memref<?xf16>
  // CHECK: "test.use"(%[[B]])
  // CHECK: }
  // CHECK: %[[C:.*]] = memref.view %[[W]][%[[LONGEST]]][] : memref<?xi8> to memref<16xi32>
  // CHECK: "test.use"(%[[C]])
  // CHECK-NOT: memref.dealloc
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %a = memref.alloc(%n) : memref<?xi64>
  "test.use"(%a) : (memref<?xi64>) -> ()
  scf.if %is_first {
    %b = memref.alloc(%n) : memref<?xf32>
    "test.use"(%b) : (memref<?xf32>) -> ()
    memref.dealloc %b : memref<?xf32>
  } else {
    %b = memref.alloc(%n) : memref<?xf16>
    "test.use"(%b) : (memref<?xf16>) -> ()
    memref.dealloc %b : memref<?xf16>
  }
  %c = memref.alloc() : memref<16xi32>
  "test.use"(%c) : (memref<16xi32>) -> ()
  return
}

// Both are called in one way: what the function says of itself, it says of its size.
// CHECK-LABEL: func @attributes_workspace_bytes
// CHECK-SAME: attributes {llvm.emit_c_interface}
// CHECK-LABEL: func @attributes(
// CHECK-SAME: attributes {llvm.emit_c_interface}
func.func @attributes(%w: memref<?xi8> {embedding.workspace})
    attributes {llvm.emit_c_interface} {
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
