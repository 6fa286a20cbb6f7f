// RUN: embedding-opt %s --convert-embedding-to-loops=merge-temporaries --canonicalize --cse | FileCheck %s
// RUN: embedding-opt %s --convert-embedding-to-loops --canonicalize --cse | FileCheck %s --check-prefix=OFF

// What a scatter counts with is one buffer, at multiples of a line. A sum that no
// memory has, and a negative size, are told to who allocates.
// CHECK-LABEL: func @scatter
// CHECK-DAG: %[[ALL:.*]] = arith.constant 9223372036854775807 : index
// CHECK-DAG: %[[NEGATIVE:.*]] = arith.constant -1 : index
// CHECK-DAG: %[[MAX:.*]] = arith.constant 4.6116860184273879E+18 : f64
// CHECK: %[[END:.*]] = arith.andi %{{.*}}, %c-64 : index
// CHECK: %[[TOO_LARGE:.*]] = arith.cmpf ogt, %{{.*}}, %[[MAX]] : f64
// CHECK: %[[BYTES:.*]] = arith.select %[[TOO_LARGE]], %[[ALL]], %{{.*}} : index
// CHECK: %[[SIZE:.*]] = arith.select %{{.*}}, %[[NEGATIVE]], %[[BYTES]] : index
// CHECK: %[[BUFFER:.*]] = memref.alloc(%[[SIZE]]) {alignment = 64 : i64} : memref<?xi8>
// CHECK: memref.view %[[BUFFER]][%c0][%{{.*}}] : memref<?xi8> to memref<?x4xf32>
// CHECK: memref.view %[[BUFFER]][%[[END]]][%{{.*}}] : memref<?xi8> to memref<?xi64>
// CHECK-NOT: memref.alloc(
// CHECK: memref.dealloc %[[BUFFER]]
// CHECK-NOT: memref.dealloc
// CHECK: return
// OFF-LABEL: func @scatter
// OFF-COUNT-4: memref.alloc(
func.func @scatter(%dy: memref<?x4xf32>, %i: memref<?xi64>, %g: memref<?x4xf32>) {
  embedding.dense_grad out_of_range(assume) {embedding.schedule = #embedding.schedule<grouping = scatter>}
    ins(%dy, %i : memref<?x4xf32>, memref<?xi64>) outs(%g : memref<?x4xf32>)
  return
}

// What a sort needs is gone when sums of chunks come; each way of a branch has its
// own.
// CHECK-LABEL: func @sorts
// CHECK: scf.if
// CHECK-COUNT-1: memref.alloc(
// CHECK-NOT: memref.alloc(
// CHECK: } else {
// CHECK-COUNT-1: memref.alloc(
// CHECK-NOT: memref.alloc(
// CHECK: return
func.func @sorts(%i: memref<?xi64>, %v: index, %r: memref<?xi64>, %o: memref<?xi64>, %p: memref<?xi64>, %n: memref<i64>) {
  embedding.group num_rows(%v) out_of_range(assume) ins(%i : memref<?xi64>)
    outs(%r, %o, %p, %n : memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<i64>)
  return
}

// Buffers of the program stay, and what is between them keeps those of operations
// apart.
// CHECK-LABEL: func @others
// CHECK: memref.alloc(%{{.*}}) : memref<?xf32>
// CHECK-COUNT-2: memref.alloc(%{{.*}}) {alignment = 64 : i64} : memref<?xi8>
// CHECK-NOT: memref.alloc(
// CHECK: return
func.func @others(%n: index, %dy: memref<?x4xf32>, %i: memref<?xi64>, %g: memref<?x4xf32>) {
  %own = memref.alloc(%n) : memref<?xf32>
  embedding.dense_grad out_of_range(assume) {embedding.schedule = #embedding.schedule<grouping = scatter>}
    ins(%dy, %i : memref<?x4xf32>, memref<?xi64>) outs(%g : memref<?x4xf32>)
  func.call @use(%own) : (memref<?xf32>) -> ()
  embedding.dense_grad out_of_range(assume) {embedding.schedule = #embedding.schedule<grouping = scatter>}
    ins(%dy, %i : memref<?x4xf32>, memref<?xi64>) outs(%g : memref<?x4xf32>)
  memref.dealloc %own : memref<?xf32>
  return
}
func.func private @use(memref<?xf32>)

// A workspace is divided as it was.
// CHECK-LABEL: func @workspace
// CHECK-COUNT-4: memref.alloc(
func.func @workspace(%dy: memref<?x4xf32>, %i: memref<?xi64>, %g: memref<?x4xf32>, %w: memref<?xi8> {embedding.workspace}) {
  embedding.dense_grad out_of_range(assume) {embedding.schedule = #embedding.schedule<grouping = scatter>}
    ins(%dy, %i : memref<?x4xf32>, memref<?xi64>) outs(%g : memref<?x4xf32>)
  return
}

// Buffers between moves that a branch frees may be in use after it: they stay apart.
// CHECK-LABEL: func @freed_in_a_branch
// CHECK: memref.alloc(%{{.*}}) : memref<?xi64>
// CHECK: memref.alloc(%{{.*}}) : memref<?xi64>
// CHECK: memref.dealloc %{{.*}} : memref<?xi64>
// CHECK-NEXT: memref.dealloc %{{.*}} : memref<?xi64>
// CHECK-NEXT: }
// CHECK-NEXT: return
func.func @freed_in_a_branch(%is_last: i1, %n: index, %n1: index, %v: index, %x: memref<?x4xf32>, %i: memref<?xi64>,
                             %r: memref<?xi64>, %k: memref<i64>, %s: memref<?x4xf32>) {
  %o = memref.alloc(%n1) : memref<?xi64>
  %p = memref.alloc(%n) : memref<?xi64>
  embedding.group num_rows(%v) out_of_range(assume) ins(%i : memref<?xi64>)
    outs(%r, %o, %p, %k : memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<i64>)
  embedding.reduce positions(%p : memref<?xi64>) offsets(%o : memref<?xi64>) count(%k : memref<i64>)
    ins(%x : memref<?x4xf32>)
    outs(%s : memref<?x4xf32>)
  scf.if %is_last {
    memref.dealloc %o : memref<?xi64>
    memref.dealloc %p : memref<?xi64>
  }
  return
}
