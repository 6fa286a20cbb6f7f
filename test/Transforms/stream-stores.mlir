// RUN: embedding-opt %s --embedding-stream-stores --split-input-file | FileCheck %s
// RUN: embedding-opt %s --embedding-stream-stores=min-bytes=4096 --split-input-file | FileCheck %s --check-prefix=SMALL

#row = strided<[1], offset: ?>

// A row of 400 bytes: 16 divides it. The condition: large, and base and stride
// aligned.
// CHECK-LABEL: func @argument
// CHECK-SAME: %[[OUT:[a-z0-9]*]]: memref<?x100xf32, {{.*}}>, %[[ROW:[a-z0-9]*]]: memref<100xf32>
// CHECK: %[[BYTES:.*]] = arith.constant 4 : index
// CHECK: %{{.*}}, %[[START:.*]], %{{.*}}:2, %[[STRIDES:.*]]:2 = memref.extract_strided_metadata %[[OUT]]
// CHECK: %[[MIN:.*]] = arith.constant 8388608 : index
// CHECK: %[[NUM_ROWS:.*]] = memref.dim %[[OUT]]
// CHECK: %[[ELEMENTS:.*]] = arith.muli %[[NUM_ROWS]], %c100
// CHECK: %[[ALL_BYTES:.*]] = arith.muli %c4{{.*}}, %[[ELEMENTS]]
// CHECK: %[[LARGE:.*]] = arith.cmpi sle, %[[MIN]], %[[ALL_BYTES]]
// CHECK: %[[POINTER:.*]] = memref.extract_aligned_pointer_as_index %[[OUT]]
// CHECK: %[[OFFSET:.*]] = arith.muli %[[START]], %[[BYTES]]
// CHECK: %[[BITS:.*]] = arith.ori %[[POINTER]], %[[OFFSET]]
// CHECK: %[[STRIDE:.*]] = arith.muli %[[STRIDES]]#0, %[[BYTES]]
// CHECK: %[[ALL:.*]] = arith.ori %[[BITS]], %[[STRIDE]]
// CHECK: %[[MASK:.*]] = arith.constant 15 : index
// CHECK: %[[BELOW:.*]] = arith.andi %[[ALL]], %[[MASK]]
// CHECK: %[[NONE:.*]] = arith.constant 0 : index
// CHECK: %[[ALIGNED:.*]] = arith.cmpi eq, %[[BELOW]], %[[NONE]]
// CHECK: %[[STREAMED:.*]] = arith.andi %[[LARGE]], %[[ALIGNED]] : i1
// CHECK: scf.for %[[I:.*]] =
// CHECK: %[[DEST:.*]] = memref.subview %[[OUT]][%[[I]], 0]
// CHECK: scf.if %[[STREAMED]] {
// CHECK-NEXT: linalg.copy {embedding.streamed = 16 : i64} ins(%[[ROW]] : {{.*}}) outs(%[[DEST]] :
// CHECK-NEXT: } else {
// CHECK-NEXT: linalg.copy ins(%[[ROW]] : {{.*}}) outs(%[[DEST]] :
// CHECK: scf.if %[[STREAMED]] {
// CHECK-NEXT: llvm.fence seq_cst
// CHECK-NOT: llvm.fence
// SMALL-LABEL: func @argument
// SMALL: arith.constant 4096 : index
func.func @argument(%out: memref<?x100xf32, strided<[?, 1], offset: ?>>,
                    %row: memref<100xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %dest = memref.subview %out[%i, 0] [1, 100] [1, 1] : memref<?x100xf32, strided<[?, 1], offset: ?>> to memref<100xf32, #row>
    linalg.copy ins(%row : memref<100xf32>) outs(%dest : memref<100xf32, #row>)
  }
  return
}

// -----

#row = strided<[1], offset: ?>

// Columns at multiples of 64 bytes, in an iteration that has loops of its own:
// the thread that runs it has to fence.
// CHECK-LABEL: func @blocks
// CHECK-SAME: %[[OUT:[a-z0-9]*]]: memref<?x768xf32>
// CHECK: %[[STREAMED:.*]] = arith.andi {{.*}} : i1
// CHECK: scf.forall
// CHECK: scf.for %[[I:.*]] =
// CHECK: scf.for %[[J:.*]] =
// CHECK: %[[DEST:.*]] = memref.subview %[[OUT]][%[[I]], %[[J]]]
// CHECK: scf.if %[[STREAMED]] {
// CHECK-NEXT: linalg.fill {embedding.streamed = 64 : i64} ins({{.*}}) outs(%[[DEST]] :
// CHECK: scf.if %[[STREAMED]] {
// CHECK-NEXT: llvm.fence seq_cst
// CHECK-NEXT: }
// CHECK-NEXT: }
// CHECK-NEXT: return
func.func @blocks(%out: memref<?x768xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c256 = arith.constant 256 : index
  %c768 = arith.constant 768 : index
  %zero = arith.constant 0.0 : f32
  scf.forall (%block) in (%n) {
    scf.for %i = %c0 to %n step %c1 {
      scf.for %column = %c0 to %c768 step %c256 {
        %dest = memref.subview %out[%i, %column] [1, 256] [1, 1] : memref<?x768xf32> to memref<256xf32, #row>
        linalg.fill ins(%zero : f32) outs(%dest : memref<256xf32, #row>)
      }
    }
  }
  return
}

// -----

#row = strided<[1], offset: ?>

// An iteration that is a row: one fence behind the loop. An allocation that
// nobody frees is an output.
// CHECK-LABEL: func @rows
// CHECK: %[[OUT:.*]] = memref.alloc
// CHECK: %[[STREAMED:.*]] = arith.andi {{.*}} : i1
// CHECK: scf.forall (%[[I:.*]]) in
// CHECK: %[[DEST:.*]] = memref.subview %[[OUT]][%[[I]], 0]
// CHECK: scf.if %[[STREAMED]] {
// CHECK: linalg.copy {embedding.streamed = 64 : i64} ins({{.*}}) outs(%[[DEST]] :
// CHECK-NOT: llvm.fence
// CHECK: } else {
// CHECK: linalg.copy ins({{.*}}) outs(%[[DEST]] :
// CHECK: scf.if %[[STREAMED]] {
// CHECK-NEXT: llvm.fence seq_cst
func.func @rows(%row: memref<16xf32>, %n: index) -> memref<?x16xf32> {
  %out = memref.alloc(%n) : memref<?x16xf32>
  scf.forall (%i) in (%n) {
    %dest = memref.subview %out[%i, 0] [1, 16] [1, 1] : memref<?x16xf32> to memref<16xf32, #row>
    linalg.copy ins(%row : memref<16xf32>) outs(%dest : memref<16xf32, #row>)
  }
  return %out : memref<?x16xf32>
}

// -----

#row = strided<[1], offset: ?>
#strided = strided<[2], offset: ?>

// Rows that are freed here, read before they are written, of dynamic length, not
// of whole vectors, at an unknown column, with gaps between elements, or not in a
// loop stay as they are.
// CHECK-LABEL: func @others
// CHECK-NOT: embedding.streamed
func.func @others(%out: memref<?x128xf32>, %dynamic: memref<?x?xf32>,
                  %odd: memref<?x25xf32>, %row: memref<128xf32>,
                  %oddRow: memref<25xf32>, %n: index, %column: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %temporary = memref.alloc(%n) : memref<?x128xf32>
  scf.for %i = %c0 to %n step %c1 {
    %0 = memref.subview %temporary[%i, 0] [1, 128] [1, 1] : memref<?x128xf32> to memref<128xf32, #row>
    linalg.copy ins(%row : memref<128xf32>) outs(%0 : memref<128xf32, #row>)
    %1 = memref.subview %out[%i, 0] [1, 128] [1, 1] : memref<?x128xf32> to memref<128xf32, #row>
    linalg.add ins(%row, %1 : memref<128xf32>, memref<128xf32, #row>) outs(%1 : memref<128xf32, #row>)
    linalg.generic {
      indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
      iterator_types = ["parallel"]
    } ins(%row : memref<128xf32>) outs(%1 : memref<128xf32, #row>) {
    ^bb0(%a: f32, %b: f32):
      %sum = arith.addf %a, %b : f32
      linalg.yield %sum : f32
    }
    %2 = memref.subview %dynamic[%i, 0] [1, %n] [1, 1] : memref<?x?xf32> to memref<?xf32, #row>
    linalg.fill ins(%zero : f32) outs(%2 : memref<?xf32, #row>)
    %3 = memref.subview %odd[%i, 0] [1, 25] [1, 1] : memref<?x25xf32> to memref<25xf32, #row>
    linalg.copy ins(%oddRow : memref<25xf32>) outs(%3 : memref<25xf32, #row>)
    %4 = memref.subview %out[%i, %column] [1, 16] [1, 1] : memref<?x128xf32> to memref<16xf32, #row>
    linalg.fill ins(%zero : f32) outs(%4 : memref<16xf32, #row>)
    %5 = memref.subview %out[%i, 0] [1, 64] [1, 2] : memref<?x128xf32> to memref<64xf32, #strided>
    linalg.fill ins(%zero : f32) outs(%5 : memref<64xf32, #strided>)
  }
  %6 = memref.subview %out[%n, 0] [1, 128] [1, 1] : memref<?x128xf32> to memref<128xf32, #row>
  linalg.copy ins(%row : memref<128xf32>) outs(%6 : memref<128xf32, #row>)
  memref.dealloc %temporary : memref<?x128xf32>
  return
}

// -----

#row = strided<[1], offset: ?>

// An output of each iteration: its fence is in the iteration too.
// CHECK-LABEL: func @inner_output
// CHECK: scf.for
// CHECK: memref.alloc
// CHECK: scf.for
// CHECK: linalg.copy {embedding.streamed = 64 : i64}
// CHECK: llvm.fence seq_cst
// CHECK: memref.store
func.func @inner_output(%outs: memref<?xmemref<?x16xf32>>, %row: memref<16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %k = %c0 to %n step %c1 {
    %out = memref.alloc(%n) : memref<?x16xf32>
    scf.for %i = %c0 to %n step %c1 {
      %dest = memref.subview %out[%i, 0] [1, 16] [1, 1] : memref<?x16xf32> to memref<16xf32, #row>
      linalg.copy ins(%row : memref<16xf32>) outs(%dest : memref<16xf32, #row>)
    }
    memref.store %out, %outs[%k] : memref<?xmemref<?x16xf32>>
  }
  return
}

// -----

#row = strided<[1], offset: ?>

// What the schedule says: small outputs too, or none.
// CHECK-LABEL: func @scheduled
func.func @scheduled(%out: memref<?x64xf32>, %row: memref<64xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: %[[NONE:.*]] = arith.constant 0 : index
  // CHECK: %[[LARGE:.*]] = arith.cmpi sle, %[[NONE]]
  // CHECK: %[[STREAMED:.*]] = arith.andi %[[LARGE]], {{.*}} : i1
  // CHECK: scf.if %[[STREAMED]] {
  // CHECK: linalg.copy {embedding.schedule = {{.*}}, embedding.streamed = 64 : i64}
  // CHECK: linalg.copy
  // CHECK: scf.if %[[STREAMED]] {
  // CHECK: llvm.fence
  // CHECK-NOT: embedding.streamed
  // CHECK: return
  scf.for %i = %c0 to %n step %c1 {
    %dest = memref.subview %out[%i, 0] [1, 64] [1, 1] : memref<?x64xf32> to memref<64xf32, #row>
    linalg.copy {embedding.schedule = #embedding.schedule<streaming = always>}
      ins(%row : memref<64xf32>) outs(%dest : memref<64xf32, #row>)
  }
  scf.for %i = %c0 to %n step %c1 {
    %dest = memref.subview %out[%i, 0] [1, 64] [1, 1] : memref<?x64xf32> to memref<64xf32, #row>
    linalg.copy {embedding.schedule = #embedding.schedule<streaming = never>}
      ins(%row : memref<64xf32>) outs(%dest : memref<64xf32, #row>)
  }
  return
}

// -----

#rows = strided<[?, 1], offset: ?>

// Rows that are filled together, of any length: streamed if they follow each
// other, which a wider table's columns do not. The thread that does it fences.
// CHECK-LABEL: func @gap
// CHECK-SAME: %[[OUT:[a-z0-9]*]]: memref<?x17xf32, {{.*}}>, %[[BEGIN:[a-z0-9]*]]: index, %[[NUM_ROWS:[a-z0-9]*]]: index
// CHECK: %{{.*}}, %[[START:.*]], %{{.*}}:2, %[[STRIDES:.*]]:2 = memref.extract_strided_metadata %[[OUT]]
// CHECK: %[[MIN:.*]] = arith.constant 8388608 : index
// CHECK: %[[BYTES:.*]] = arith.muli %c4{{.*}}, %{{.*}}
// CHECK: %[[LARGE:.*]] = arith.cmpi sle, %[[MIN]], %[[BYTES]]
// CHECK: %[[LENGTH:.*]] = arith.constant 17 : index
// CHECK: %[[DENSE:.*]] = arith.cmpi eq, %[[STRIDES]]#0, %[[LENGTH]]
// CHECK: %[[STREAMED:.*]] = arith.andi %[[LARGE]], %[[DENSE]]
// CHECK: %[[ZERO:.*]] = arith.constant 0.0
// CHECK: scf.forall
// CHECK: %[[ROWS:.*]] = memref.subview %[[OUT]][%[[BEGIN]], 0] [%[[NUM_ROWS]], 17]
// CHECK: scf.if %[[STREAMED]] {
// Up to a line that is whole, lines, and the rest.
// CHECK: %[[BASE:[a-z0-9_]*]], %[[OFFSET:.*]], %{{.*}}:2, %{{.*}}:2 = memref.extract_strided_metadata %[[ROWS]]
// CHECK: %[[ELEMENTS:.*]] = memref.reinterpret_cast %[[BASE]] to offset: [%[[OFFSET]]], sizes: [%[[COUNT:.*]]], strides
// CHECK: %[[POINTER:.*]] = memref.extract_aligned_pointer_as_index %[[BASE]]
// CHECK: %[[OFFSET_BYTES:.*]] = arith.muli %[[OFFSET]], %c4
// CHECK: %[[ADDRESS:.*]] = arith.addi %[[POINTER]], %[[OFFSET_BYTES]]
// CHECK: %[[NEGATED:.*]] = arith.subi %c0{{.*}}, %[[ADDRESS]]
// CHECK: %[[LINE:.*]] = arith.constant 63 : index
// CHECK: %[[TO_LINE:.*]] = arith.andi %[[NEGATED]], %[[LINE]]
// CHECK: %[[SIZE:.*]] = arith.constant 4 : index
// CHECK: %[[BEFORE:.*]] = arith.divui %[[TO_LINE]], %[[SIZE]]
// CHECK: %[[HEAD:.*]] = arith.minsi %[[BEFORE]], %[[COUNT]] : index
// CHECK: %[[REST:.*]] = arith.subi %[[COUNT]], %[[HEAD]]
// CHECK: %[[LINES:.*]] = arith.divui %[[REST]], %c16
// CHECK: %[[WHOLE:.*]] = arith.muli %[[LINES]], %c16
// CHECK: %[[TAIL:.*]] = arith.addi %[[HEAD]], %[[WHOLE]]
// CHECK: scf.for %[[I:.*]] = %c0{{.*}} to %[[HEAD]] step
// CHECK-NEXT: memref.store %[[ZERO]], %[[ELEMENTS]][%[[I]]]
// CHECK: %[[ZEROS:.*]] = vector.broadcast %[[ZERO]] : f32 to vector<16xf32>
// CHECK: scf.for %[[I:.*]] = %[[HEAD]] to %[[TAIL]] step %c16
// CHECK-NEXT: vector.store %[[ZEROS]], %[[ELEMENTS]][%[[I]]] {alignment = 64 : i64, nontemporal = true} : {{.*}}, vector<16xf32>
// CHECK: scf.for %[[I:.*]] = %[[TAIL]] to %[[COUNT]] step
// CHECK-NEXT: memref.store %[[ZERO]], %[[ELEMENTS]][%[[I]]]
// CHECK: } else {
// CHECK-NEXT: linalg.fill ins(%[[ZERO]] : f32) outs(%[[ROWS]] :
// CHECK-NEXT: }
// CHECK-NEXT: scf.if %[[STREAMED]] {
// CHECK-NEXT: llvm.fence seq_cst
// CHECK-NEXT: }
// CHECK-NEXT: }
// CHECK-NEXT: return
func.func @gap(%out: memref<?x17xf32, #rows>, %begin: index, %size: index) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%block) in (4) {
    %rows = memref.subview %out[%begin, 0] [%size, 17] [1, 1] : memref<?x17xf32, #rows> to memref<?x17xf32, #rows>
    linalg.fill ins(%zero : f32) outs(%rows : memref<?x17xf32, #rows>)
  }
  return
}

// -----

// Of dynamic length too, if it is that of the output.
// CHECK-LABEL: func @dynamic_gap
// CHECK: vector.store {{.*}} nontemporal = true
// CHECK-NOT: nontemporal
func.func @dynamic_gap(%out: memref<?x?xf32>, %n: index, %d: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %length = memref.dim %out, %c1 : memref<?x?xf32>
  scf.for %i = %c0 to %n step %c1 {
    %0 = memref.subview %out[%i, 0] [%i, %length] [1, 1] : memref<?x?xf32> to memref<?x?xf32, strided<[?, 1], offset: ?>>
    linalg.fill ins(%zero : f32) outs(%0 : memref<?x?xf32, strided<[?, 1], offset: ?>>)
    %1 = memref.subview %out[%i, 0] [%i, %d] [1, 1] : memref<?x?xf32> to memref<?x?xf32, strided<[?, 1], offset: ?>>
    linalg.fill ins(%zero : f32) outs(%1 : memref<?x?xf32, strided<[?, 1], offset: ?>>)
    %2 = memref.subview %out[%i, 1] [%i, %length] [1, 1] : memref<?x?xf32> to memref<?x?xf32, strided<[?, 1], offset: ?>>
    linalg.fill ins(%zero : f32) outs(%2 : memref<?x?xf32, strided<[?, 1], offset: ?>>)
    %3 = memref.subview %out[%i, 0] [%i, %length] [2, 1] : memref<?x?xf32> to memref<?x?xf32, strided<[?, 1], offset: ?>>
    linalg.fill ins(%zero : f32) outs(%3 : memref<?x?xf32, strided<[?, 1], offset: ?>>)
    %4 = memref.subview %out[%i, 0] [%i, %length] [1, 1] : memref<?x?xf32> to memref<?x?xf32, strided<[?, 1], offset: ?>>
    linalg.fill {embedding.schedule = #embedding.schedule<streaming = never>} ins(%zero : f32) outs(%4 : memref<?x?xf32, strided<[?, 1], offset: ?>>)
  }
  return
}

// -----

// What becomes a result is not read here either, though its buffer is freed.
// CHECK-LABEL: func @results
// CHECK: vector.store {{.*}} nontemporal = true
// CHECK: embedding.streamed = 64
// CHECK-NOT: nontemporal
// CHECK-NOT: embedding.streamed
func.func private @take(i64, memref<?x?xf32>) attributes {embedding.result = 0 : i64}
func.func private @take_static(i64, memref<?x64xf32>) attributes {embedding.result = 1 : i64}
func.func @results(%n: index, %d: index, %row: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %first = arith.constant 0 : i64
  %second = arith.constant 1 : i64
  %zero = arith.constant 0.0 : f32
  %taken = memref.alloc(%n, %d) : memref<?x?xf32>
  %taken_static = memref.alloc(%n) : memref<?x64xf32>
  %temporary = memref.alloc(%n, %d) : memref<?x?xf32>
  scf.for %i = %c0 to %n step %c1 {
    %0 = memref.subview %taken[%i, 0] [%i, %d] [1, 1] : memref<?x?xf32> to memref<?x?xf32, strided<[?, 1], offset: ?>>
    linalg.fill ins(%zero : f32) outs(%0 : memref<?x?xf32, strided<[?, 1], offset: ?>>)
    %1 = memref.subview %taken_static[%i, 0] [1, 64] [1, 1] : memref<?x64xf32> to memref<64xf32, strided<[1], offset: ?>>
    linalg.copy ins(%row : memref<64xf32>) outs(%1 : memref<64xf32, strided<[1], offset: ?>>)
    %2 = memref.subview %temporary[%i, 0] [%i, %d] [1, 1] : memref<?x?xf32> to memref<?x?xf32, strided<[?, 1], offset: ?>>
    linalg.fill ins(%zero : f32) outs(%2 : memref<?x?xf32, strided<[?, 1], offset: ?>>)
  }
  func.call @take(%first, %taken) : (i64, memref<?x?xf32>) -> ()
  func.call @take_static(%second, %taken_static) : (i64, memref<?x64xf32>) -> ()
  memref.dealloc %taken : memref<?x?xf32>
  memref.dealloc %taken_static : memref<?x64xf32>
  memref.dealloc %temporary : memref<?x?xf32>
  return
}
