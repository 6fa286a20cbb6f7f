// What moves of rows on segments print as, and that they read and write as they say.
// RUN: embedding-opt %s | embedding-opt | FileCheck %s
// RUN: embedding-opt %s --mlir-print-op-generic | embedding-opt | FileCheck %s
// RUN: embedding-opt %s --cse --canonicalize | FileCheck %s --check-prefix=LIVE

// CHECK-LABEL: func @tensors
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<8x?x64xf32>, %[[P:[a-z0-9]*]]: tensor<?xi64>, %[[O:[a-z0-9]*]]: tensor<?xi64>, %[[N:[a-z0-9]*]]: tensor<i64>, %[[R:[a-z0-9]*]]: tensor<?xi64>
func.func @tensors(%x: tensor<8x?x64xf32>, %p: tensor<?xi64>, %o: tensor<?xi64>, %n: tensor<i64>,
                   %r: tensor<?xi64>, %t: tensor<100x64xf32>, %l: tensor<?x64xf32>, %w: tensor<?xf64>)
    -> (tensor<100x64xf32>, tensor<?x64xf32>, tensor<?xf64>) {
  // CHECK: embedding.reduce scale_by_length rows(%[[R]] : tensor<?xi64>) positions(%[[P]] : tensor<?xi64>) offsets(%[[O]] : tensor<?xi64>) count(%[[N]] : tensor<i64>) ins(%[[X]] : tensor<8x?x64xf32>) outs(%{{.*}} : tensor<100x64xf32>) -> tensor<100x64xf32>
  %0 = embedding.reduce scale_by_length rows(%r : tensor<?xi64>) positions(%p : tensor<?xi64>) offsets(%o : tensor<?xi64>) count(%n : tensor<i64>)
    ins(%x : tensor<8x?x64xf32>)
         outs(%t : tensor<100x64xf32>) -> tensor<100x64xf32>
  // CHECK: embedding.reduce positions(%[[P]] : {{.*}}) offsets(%[[O]] : {{.*}}) count(%[[N]] : {{.*}}) ins(%[[X]] : {{.*}}) outs(%{{.*}} : tensor<?x64xf32>) -> tensor<?x64xf32>
  %1 = embedding.reduce positions(%p : tensor<?xi64>) offsets(%o : tensor<?xi64>) count(%n : tensor<i64>)
    ins(%x : tensor<8x?x64xf32>)
         outs(%l : tensor<?x64xf32>) -> tensor<?x64xf32>
  // CHECK: embedding.inverse_frequencies ins(%[[P]], %[[O]], %[[N]] : tensor<?xi64>, tensor<?xi64>, tensor<i64>) outs(%{{.*}} : tensor<?xf64>) -> tensor<?xf64>
  %2 = embedding.inverse_frequencies
         ins(%p, %o, %n : tensor<?xi64>, tensor<?xi64>, tensor<i64>)
         outs(%w : tensor<?xf64>) -> tensor<?xf64>
  return %0, %1, %2 : tensor<100x64xf32>, tensor<?x64xf32>, tensor<?xf64>
}

// CHECK-LABEL: func @weights
func.func @weights(%t: memref<?x4xf16>, %i: memref<?x?xi64>, %w: memref<?xf32>, %o: memref<?x?x4xf16>,
                   %n: index, %r: memref<?xi64>, %v: memref<?x4xf16>, %c: memref<i64>, %p: index) {
  // CHECK: embedding.double_backward padding_idx(%{{.*}}) weights(%[[W:.*]] : memref<?xf32>) ins(
  embedding.double_backward padding_idx(%p) weights(%w : memref<?xf32>)
    ins(%t, %i : memref<?x4xf16>, memref<?x?xi64>) outs(%o : memref<?x?x4xf16>)
  // CHECK: embedding.sparse_grad num_rows(%{{.*}}) weights(%[[W]] : memref<?xf32>) ins(
  embedding.sparse_grad num_rows(%n) weights(%w : memref<?xf32>)
    ins(%o, %i : memref<?x?x4xf16>, memref<?x?xi64>)
    outs(%r, %v, %c : memref<?xi64>, memref<?x4xf16>, memref<i64>)
  return
}

// A move whose result nobody reads goes on tensors. On memrefs it stays, and what it
// writes is loaded again.
// LIVE-LABEL: func @dead
// LIVE-NOT: embedding.
// LIVE: return
func.func @dead(%x: tensor<?x64xf32>, %p: tensor<?xi64>, %o: tensor<?xi64>, %n: tensor<i64>,
                %l: tensor<?x64xf32>) {
  %0 = embedding.reduce positions(%p : tensor<?xi64>) offsets(%o : tensor<?xi64>) count(%n : tensor<i64>)
    ins(%x : tensor<?x64xf32>)
         outs(%l : tensor<?x64xf32>) -> tensor<?x64xf32>
  return
}

// LIVE-LABEL: func @effects
// LIVE-SAME: %{{.*}}, %[[P:[a-z0-9]*]]: memref<4xi64>, %{{.*}}, %{{.*}}, %[[L:[a-z0-9]*]]: memref<?x64xf32>)
// LIVE: %[[BEFORE:.*]] = memref.load %[[L]]
// The cast is folded.
// LIVE: embedding.reduce positions(%[[P]] : memref<4xi64>)
// LIVE: %[[AFTER:.*]] = memref.load %[[L]]
// LIVE: return %[[BEFORE]], %[[AFTER]]
func.func @effects(%x: memref<?x64xf32>, %p: memref<4xi64>, %o: memref<?xi64>, %n: memref<i64>,
                   %l: memref<?x64xf32>) -> (f32, f32) {
  %c0 = arith.constant 0 : index
  %any = memref.cast %p : memref<4xi64> to memref<?xi64>
  %before = memref.load %l[%c0, %c0] : memref<?x64xf32>
  embedding.reduce positions(%any : memref<?xi64>) offsets(%o : memref<?xi64>) count(%n : memref<i64>)
    ins(%x : memref<?x64xf32>)
    outs(%l : memref<?x64xf32>)
  %after = memref.load %l[%c0, %c0] : memref<?x64xf32>
  return %before, %after : f32, f32
}

// Lists of indices, as bags have them.
// CHECK-LABEL: func @lists
func.func @lists(%t: memref<?x64xf16>, %i: memref<?xi32>, %rows: memref<8x?xi64>, %w: memref<?xf32>, %o: memref<?xi32>,
                 %p: memref<?xi64>, %n: memref<i64>, %r: memref<?xi64>, %k: index, %y: memref<?x64xf16>) {
  // CHECK: embedding.reduce mean exclude_last_offset out_of_range(clamp) padding_row(%{{.*}}) indices(%{{.*}} : memref<?xi32>) weights(%{{.*}} : memref<?xf32>) offsets(%{{.*}} : memref<?xi32>) ins(%{{.*}} : memref<?x64xf16>) outs(
  embedding.reduce mean exclude_last_offset out_of_range(clamp) padding_row(%k) indices(%i : memref<?xi32>)
    weights(%w : memref<?xf32>) offsets(%o : memref<?xi32>) ins(%t : memref<?x64xf16>) outs(%y : memref<?x64xf16>)
  // CHECK: embedding.reduce indices(%{{.*}} : memref<8x?xi64>) ins(
  embedding.reduce indices(%rows : memref<8x?xi64>) ins(%t : memref<?x64xf16>) outs(%y : memref<?x64xf16>)
  // CHECK: embedding.reduce rows(%{{.*}} : {{.*}}) positions(%{{.*}} : {{.*}}) indices(%{{.*}} : {{.*}}) weights(%{{.*}} : {{.*}}) offsets(%{{.*}} : {{.*}}) count(%{{.*}} : {{.*}}) ins(
  embedding.reduce rows(%r : memref<?xi64>) positions(%p : memref<?xi64>) indices(%i : memref<?xi32>)
    weights(%w : memref<?xf32>) offsets(%o : memref<?xi32>) count(%n : memref<i64>)
    ins(%t : memref<?x64xf16>) outs(%y : memref<?x64xf16>)
  return
}
