// RUN: embedding-opt %s --memref-mark-deallocations --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: @own
// CHECK: %[[FREED:.*]] = memref.alloc(%{{.*}}) {bufferization.manual_deallocation}
// CHECK: %[[KEPT:.*]] = memref.alloc(%{{.*}}) : memref<?xf32>
// CHECK: memref.dealloc %[[FREED]] {bufferization.manual_deallocation}
// CHECK-NOT: manual_deallocation
// CHECK: return %[[KEPT]]
func.func @own(%n: index, %x: f32) -> memref<?xf32> {
  %c0 = arith.constant 0 : index
  %freed = memref.alloc(%n) : memref<?xf32>
  %kept = memref.alloc(%n) : memref<?xf32>
  %view = memref.subview %freed[0] [%n] [1] : memref<?xf32> to memref<?xf32, strided<[1]>>
  scf.for %i = %c0 to %n step %n {
    memref.store %x, %view[%i] : memref<?xf32, strided<[1]>>
  }
  memref.copy %view, %kept : memref<?xf32, strided<[1]>> to memref<?xf32>
  memref.dealloc %freed : memref<?xf32>
  return %kept : memref<?xf32>
}

// CHECK-LABEL: @in_each_iteration
// CHECK: scf.for
// CHECK: memref.alloc() {bufferization.manual_deallocation}
// CHECK: memref.dealloc %{{.*}} {bufferization.manual_deallocation}
func.func @in_each_iteration(%n: index, %to: memref<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %0 = memref.alloc() : memref<4xf32>
    memref.copy %to, %0 : memref<4xf32> to memref<4xf32>
    memref.copy %0, %to : memref<4xf32> to memref<4xf32>
    memref.dealloc %0 : memref<4xf32>
  }
  return
}

// -----

func.func @argument(%a: memref<?xf32>) {
  // expected-error @below {{expected to deallocate what a 'memref.alloc' of the same block allocates}}
  memref.dealloc %a : memref<?xf32>
  return
}

// -----

func.func @view(%n: index) {
  %0 = memref.alloc(%n) : memref<?xf32>
  %1 = memref.subview %0[0] [1] [1] : memref<?xf32> to memref<1xf32, strided<[1]>>
  // expected-error @below {{expected to deallocate what a 'memref.alloc' of the same block allocates}}
  memref.dealloc %1 : memref<1xf32, strided<[1]>>
  return
}

// -----

func.func private @make() -> memref<4xf32>
func.func @of_a_call() {
  %0 = func.call @make() : () -> memref<4xf32>
  // expected-error @below {{expected to deallocate what a 'memref.alloc' of the same block allocates}}
  memref.dealloc %0 : memref<4xf32>
  return
}

// -----

func.func @on_the_stack() {
  %0 = memref.alloca() : memref<4xf32>
  // expected-error @below {{expected to deallocate what a 'memref.alloc' of the same block allocates}}
  memref.dealloc %0 : memref<4xf32>
  return
}

// -----

func.func @sometimes(%c: i1) {
  %0 = memref.alloc() : memref<4xf32>
  scf.if %c {
    // expected-error @below {{expected to deallocate what a 'memref.alloc' of the same block allocates}}
    memref.dealloc %0 : memref<4xf32>
  }
  return
}

// -----

func.func @twice() {
  %0 = memref.alloc() : memref<4xf32>
  // expected-error @below {{expected no use of memory after its deallocation}}
  memref.dealloc %0 : memref<4xf32>
  // expected-note @below {{used here}}
  memref.dealloc %0 : memref<4xf32>
  return
}

// -----

func.func @result() -> memref<4xf32> {
  %0 = memref.alloc() : memref<4xf32>
  // expected-error @below {{expected no use of memory after its deallocation}}
  memref.dealloc %0 : memref<4xf32>
  // expected-note @below {{used here}}
  return %0 : memref<4xf32>
}

// -----

func.func @view_used_later(%n: index, %i: index, %x: f32) {
  %0 = memref.alloc(%n) : memref<?xf32>
  %1 = memref.cast %0 : memref<?xf32> to memref<4xf32>
  // expected-error @below {{expected no use of memory after its deallocation}}
  memref.dealloc %0 : memref<?xf32>
  scf.for %j = %i to %n step %n {
    // expected-note @below {{used here}}
    memref.store %x, %1[%j] : memref<4xf32>
  }
  return
}

// -----

func.func @used_in_another_block(%i: index, %x: f32) {
  %0 = memref.alloc() : memref<4xf32>
  // expected-error @below {{expected no use of memory after its deallocation}}
  memref.dealloc %0 : memref<4xf32>
  cf.br ^next
^next:
  // expected-note @below {{used here}}
  memref.store %x, %0[%i] : memref<4xf32>
  return
}

// -----

func.func @selected(%c: i1, %a: memref<4xf32>, %i: index) -> f32 {
  %0 = memref.alloc() : memref<4xf32>
  // expected-note @below {{passed on here}}
  %1 = arith.select %c, %a, %0 : memref<4xf32>
  %2 = memref.load %1[%i] : memref<4xf32>
  // expected-error @below {{expected to deallocate memory that only views are other names of}}
  memref.dealloc %0 : memref<4xf32>
  return %2 : f32
}

// -----

func.func @yielded(%c: i1, %a: memref<4xf32>, %i: index) -> f32 {
  %0 = memref.alloc() : memref<4xf32>
  %1 = scf.if %c -> memref<4xf32> {
    // expected-note @below {{passed on here}}
    scf.yield %0 : memref<4xf32>
  } else {
    scf.yield %a : memref<4xf32>
  }
  %2 = memref.load %1[%i] : memref<4xf32>
  // expected-error @below {{expected to deallocate memory that only views are other names of}}
  memref.dealloc %0 : memref<4xf32>
  return %2 : f32
}

// -----

func.func @tensor(%i: index) -> f32 {
  %0 = memref.alloc() : memref<4xf32>
  // expected-note @below {{passed on here}}
  %1 = bufferization.to_tensor %0 restrict : memref<4xf32> to tensor<4xf32>
  %2 = tensor.extract %1[%i] : tensor<4xf32>
  // expected-error @below {{expected to deallocate memory that only views are other names of}}
  memref.dealloc %0 : memref<4xf32>
  return %2 : f32
}
