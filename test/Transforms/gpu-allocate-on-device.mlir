// RUN: embedding-opt %s -gpu-allocate-on-device -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @buffer
// CHECK-SAME:    %[[N:.*]]: index
// CHECK:         %[[BUFFER:.*]] = gpu.alloc (%[[N]]) : memref<?xi64>
// CHECK:         gpu.dealloc %[[BUFFER]]
func.func @buffer(%n: index) {
  %buffer = memref.alloc(%n) : memref<?xi64>
  memref.dealloc %buffer : memref<?xi64>
  return
}

// -----

func.func @host_access(%buffer: memref<?xi64>, %i: index) -> i64 {
  // expected-error @below {{expected nothing but kernels to read or write memory, which is on the device, but got 'memref.load': only operations of the dialect run on a GPU}}
  %value = memref.load %buffer[%i] : memref<?xi64>
  return %value : i64
}

// -----

func.func @copy(%from: memref<?xf32>, %to: memref<?xf32>) {
  // expected-error @below {{expected no copy of a buffer, which is on the device; update a memref in place of a tensor that is needed as it was}}
  memref.copy %from, %to : memref<?xf32> to memref<?xf32>
  return
}

// -----

func.func @no_kernel_yet(%indices: memref<?xi64>, %table: memref<?x64xf32>) {
  // expected-error @below {{but got 'embedding.renorm'}}
  embedding.renorm max_norm(1.0) ins(%indices : memref<?xi64>)
    outs(%table : memref<?x64xf32>)
  return
}

// -----

memref.global "private" constant @indices : memref<2xi64> = dense<[0, 1]>
func.func @constant() -> memref<2xi64> {
  // expected-error @below {{expected no constants in memory, which would be the host's; pass them as arguments}}
  %indices = memref.get_global @indices : memref<2xi64>
  return %indices : memref<2xi64>
}

// -----

// Effects of its own, though those of its body count too.
func.func @linalg(%buffer: memref<4xf32>) {
  // expected-error @below {{but got 'linalg.generic': only operations of the dialect run on a GPU}}
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
    outs(%buffer : memref<4xf32>) {
  ^bb0(%x: f32):
    %0 = arith.addf %x, %x : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

func.func @in_loop(%buffer: memref<4xf32>, %x: f32, %n: index) {
  scf.for %i = %n to %n step %n {
    // expected-error @below {{but got 'linalg.fill'}}
    linalg.fill ins(%x : f32) outs(%buffer : memref<4xf32>)
  }
  return
}

// -----

func.func @stack() {
  // expected-error @below {{expected no buffer on the stack, which is the host's; allocate it with 'memref.alloc'}}
  %buffer = memref.alloca() : memref<4xf32>
  return
}
