// RUN: embedding-opt %s -embedding-call-allocator -cse -split-input-file | FileCheck %s

// CHECK-DAG:   llvm.func @embedding_allocate(i64, i64, i64, !llvm.ptr) -> (!llvm.ptr {llvm.noalias})
// CHECK-DAG:   llvm.func @embedding_deallocate(!llvm.ptr)
// CHECK-LABEL: func.func @host
// CHECK-SAME:    %[[SIZE:.*]]: index
// CHECK-DAG:     %[[TWO:.*]] = llvm.mlir.constant(2 : index) : i64
// CHECK-DAG:     %[[THREE:.*]] = llvm.mlir.constant(3 : index) : i64
// CHECK-DAG:     %[[ALIGNMENT:.*]] = llvm.mlir.constant(64 : index) : i64
// CHECK-DAG:     %[[N:.*]] = builtin.unrealized_conversion_cast %[[SIZE]] : index to i64
// CHECK-DAG:     %[[SIZES:.*]] = llvm.alloca %[[TWO]] x i64
// CHECK-DAG:     %[[FIRST:.*]] = llvm.getelementptr %[[SIZES]][0]
// CHECK-DAG:     llvm.store %[[THREE]], %[[FIRST]]
// CHECK-DAG:     %[[SECOND:.*]] = llvm.getelementptr %[[SIZES]][1]
// CHECK-DAG:     llvm.store %[[N]], %[[SECOND]]
// CHECK-DAG:     %[[NULL:.*]] = llvm.mlir.zero
// CHECK-DAG:     %[[NEXT:.*]] = llvm.getelementptr %[[NULL]][1] : (!llvm.ptr) -> !llvm.ptr, f32
// CHECK-DAG:     %[[ELEMENT:.*]] = llvm.ptrtoint %[[NEXT]]
// CHECK:         %[[MEMORY:.*]] = llvm.call @embedding_allocate(%[[ELEMENT]], %[[ALIGNMENT]], %[[TWO]], %[[SIZES]])
// CHECK:         %[[ALLOCATED:.*]] = llvm.insertvalue %[[MEMORY]], %{{.*}}[0]
// CHECK:         llvm.insertvalue %[[MEMORY]], %[[ALLOCATED]][1]
// CHECK:         %[[BUFFER:.*]] = llvm.insertvalue %{{.*}}[4, 1]
// CHECK:         %[[FREED:.*]] = llvm.extractvalue %[[BUFFER]][0]
// CHECK:         llvm.call @embedding_deallocate(%[[FREED]])
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.dealloc
func.func @host(%n: index) {
  %buffer = memref.alloc(%n) {alignment = 64} : memref<3x?xf32>
  memref.dealloc %buffer : memref<3x?xf32>
  return
}

// -----

// CHECK-LABEL: func.func @device
// CHECK:         %[[MEMORY:.*]] = llvm.call @embedding_allocate
// CHECK:         llvm.insertvalue %[[MEMORY]], %{{.*}}[0]
// CHECK:         %[[BUFFER:.*]] = llvm.insertvalue %{{.*}}[4, 0]
// CHECK:         %[[FREED:.*]] = llvm.extractvalue %[[BUFFER]][0]
// CHECK:         llvm.call @embedding_deallocate(%[[FREED]])
// CHECK-NOT:     gpu.alloc
func.func @device(%n: index) {
  %buffer = gpu.alloc (%n) : memref<?xf32>
  gpu.dealloc %buffer : memref<?xf32>
  return
}

// -----

// Stack is for what is small.
// CHECK-LABEL: func.func @stack
// CHECK:         memref.alloca() : memref<16384xf32>
// CHECK-COUNT-2: llvm.call @embedding_allocate
// CHECK-NOT:     embedding_allocate
// CHECK-NOT:     memref.alloca
func.func @stack(%n: index) -> memref<16384xf32> {
  %small = memref.alloca() : memref<16384xf32>
  %large = memref.alloca() : memref<16385xf32>
  %unknown = memref.alloca(%n) : memref<?xf32>
  return %small : memref<16384xf32>
}

// -----

// Memory of other spaces is nothing that the caller has.
// CHECK-LABEL: func.func @space
// CHECK:         memref.alloc() : memref<4xf32, 3>
// CHECK-NOT:     embedding_allocate
// CHECK:         return
func.func @space() -> memref<4xf32, 3> {
  %buffer = memref.alloc() : memref<4xf32, 3>
  return %buffer : memref<4xf32, 3>
}

// -----

// What becomes a result may be in its memory from the start: the only buffer that
// does, allocated once.
// CHECK-LABEL: func.func @result(
// CHECK-SAME:    %{{.*}}: index, %[[AGAIN:.*]]: i1)
// CHECK:         %[[NUMBER:.*]] = llvm.mlir.constant(3 : index) : i64
// CHECK:         %[[RESULT:.*]] = llvm.call @embedding_allocate_result(%[[NUMBER]], {{.*}}) : (i64, i64, i64, i64, !llvm.ptr) -> !llvm.ptr
// CHECK:         llvm.insertvalue %[[RESULT]], %{{.*}}[0]
// CHECK:         %[[BUFFER:.*]] = builtin.unrealized_conversion_cast {{.*}} to memref<?xf32>
// CHECK:         %[[OTHER:.*]] = llvm.call @embedding_allocate(
// CHECK:         llvm.insertvalue %[[OTHER]], %{{.*}}[0]
// CHECK:         %[[USED:.*]] = builtin.unrealized_conversion_cast {{.*}} to memref<?xf32>
// CHECK-NOT:     embedding_allocate
// CHECK:         call @use(%[[USED]])
// CHECK:         call @take(%{{.*}}, %[[BUFFER]])
func.func private @take(i64, memref<?xf32>) attributes {embedding.result = 3 : i64}
func.func private @use(memref<?xf32>)
func.func @result(%n: index, %again: i1) {
  %c3 = arith.constant 3 : i64
  %buffer = memref.alloc(%n) : memref<?xf32>
  %other = memref.alloc(%n) : memref<?xf32>
  call @use(%other) : (memref<?xf32>) -> ()
  call @take(%c3, %buffer) : (i64, memref<?xf32>) -> ()
  memref.dealloc %buffer : memref<?xf32>
  memref.dealloc %other : memref<?xf32>
  return
}

// -----

// CHECK-LABEL: func.func @cast
// CHECK:         %[[RESULT:.*]] = llvm.call @embedding_allocate_result
// CHECK:         llvm.insertvalue %[[RESULT]], %{{.*}}[0]
// CHECK:         %[[BUFFER:.*]] = builtin.unrealized_conversion_cast {{.*}} to memref<4xf32>
// CHECK:         %[[CAST:.*]] = memref.cast %[[BUFFER]]
// CHECK:         call @take(%{{.*}}, %[[CAST]])
func.func private @take(i64, memref<?xf32>) attributes {embedding.result = 0 : i64}
func.func @cast() {
  %c0 = arith.constant 0 : i64
  %buffer = memref.alloc() : memref<4xf32>
  %cast = memref.cast %buffer : memref<4xf32> to memref<?xf32>
  call @take(%c0, %cast) : (i64, memref<?xf32>) -> ()
  memref.dealloc %buffer : memref<4xf32>
  return
}

// -----

// A buffer of each iteration, and one of either way.
// CHECK-NOT:     embedding_allocate_result
func.func private @take(i64, memref<?xf32>) attributes {embedding.result = 0 : i64}
func.func @repeated(%n: index, %again: i1) {
  %c0 = arith.constant 0 : i64
  cf.br ^loop
^loop:
  %buffer = memref.alloc(%n) : memref<?xf32>
  cf.cond_br %again, ^loop, ^end
^end:
  call @take(%c0, %buffer) : (i64, memref<?xf32>) -> ()
  return
}
func.func @either(%n: index, %first: i1) {
  %c0 = arith.constant 0 : i64
  cf.cond_br %first, ^a, ^b
^a:
  %a = memref.alloc(%n) : memref<?xf32>
  cf.br ^end(%a : memref<?xf32>)
^b:
  %b = memref.alloc(%n) : memref<?xf32>
  cf.br ^end(%b : memref<?xf32>)
^end(%buffer: memref<?xf32>):
  call @take(%c0, %buffer) : (i64, memref<?xf32>) -> ()
  return
}
