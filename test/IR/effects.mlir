// What may be hoisted out of a loop that may not run, and what may not.
// RUN: embedding-opt %s --loop-invariant-code-motion | FileCheck %s
// RUN: embedding-opt %s --cse | FileCheck %s --check-prefix=CSE
// RUN: embedding-opt %s --affine-scalrep | FileCheck %s --check-prefix=STORES

// CHECK-LABEL: func @hoist
func.func @hoist(%table: tensor<10x3xf32>, %indices: tensor<4xi64>,
                 %init: tensor<4x3xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: embedding.lookup out_of_range(clamp)
  // CHECK: scf.for
  // CHECK: embedding.lookup out_of_range(assume)
  // CHECK: embedding.lookup ins
  scf.for %i = %c0 to %n step %c1 {
    %0 = embedding.lookup out_of_range(clamp)
           ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
           outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
    %1 = embedding.lookup out_of_range(assume)
           ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
           outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
    %2 = embedding.lookup ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
           outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
    func.call @use(%0, %1, %2) : (tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>) -> ()
  }
  return
}

// CSE-LABEL: func @same
func.func @same(%table: tensor<10x3xf32>, %indices: tensor<4xi64>,
                %init: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>) {
  // CSE: %[[ROWS:.*]] = embedding.lookup
  // CSE-NOT: embedding.lookup
  // CSE: return %[[ROWS]], %[[ROWS]]
  %0 = embedding.lookup out_of_range(assume)
         ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  %1 = embedding.lookup out_of_range(assume)
         ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %0, %1 : tensor<4x3xf32>, tensor<4x3xf32>
}

// A renorm reads the table that it writes: what was stored before it stays. (That
// the indices are another buffer is known.)
// STORES-LABEL: func @reads_and_writes
// STORES: affine.store
// STORES: embedding.renorm
// STORES: affine.store
// STORES: embedding.renorm_lookup
// STORES: affine.store
func.func @reads_and_writes(%t: memref<10x3xf32>, %x: f32) {
  %i = memref.alloc() : memref<4xi64>
  %o = memref.alloc() : memref<4x3xf32>
  affine.store %x, %t[0, 0] : memref<10x3xf32>
  embedding.renorm max_norm(1.0) out_of_range(assume) ins(%i : memref<4xi64>)
    outs(%t : memref<10x3xf32>)
  affine.store %x, %t[0, 0] : memref<10x3xf32>
  embedding.renorm_lookup max_norm(1.0) out_of_range(assume) ins(%i : memref<4xi64>)
    outs(%t, %o : memref<10x3xf32>, memref<4x3xf32>)
  affine.store %x, %t[0, 0] : memref<10x3xf32>
  return
}

// A gradient overwrites its destination, and does not read it: the first of two
// stores around it is dead.
// STORES-LABEL: func @overwrites
// STORES-SAME: %[[X:[a-z0-9]*]]: f32, %[[Y:[a-z0-9]*]]: f32
// STORES-NOT: affine.store
// STORES: embedding.dense_grad
// STORES-NEXT: affine.store %[[Y]]
func.func @overwrites(%g: memref<10x3xf32>, %x: f32, %y: f32) {
  %i = memref.alloc() : memref<4xi64>
  %dy = memref.alloc() : memref<4x3xf32>
  affine.store %x, %g[0, 0] : memref<10x3xf32>
  embedding.dense_grad out_of_range(assume)
    ins(%dy, %i : memref<4x3xf32>, memref<4xi64>) outs(%g : memref<10x3xf32>)
  affine.store %y, %g[0, 0] : memref<10x3xf32>
  return
}

// On tensors it has no effect but its check.
// CSE-LABEL: func @same_group
func.func @same_group(%i: tensor<4xi64>, %n: index, %r: tensor<4xi64>, %o: tensor<5xi64>,
                      %p: tensor<4xi64>, %c: tensor<i64>) -> (tensor<4xi64>, tensor<4xi64>) {
  // CSE: %[[GROUP:.*]]:4 = embedding.group
  // CSE-NOT: embedding.group
  // CSE: return %[[GROUP]]#0, %[[GROUP]]#2
  %0:4 = embedding.group num_rows(%n) out_of_range(clamp) ins(%i : tensor<4xi64>)
           outs(%r, %o, %p, %c : tensor<4xi64>, tensor<5xi64>, tensor<4xi64>, tensor<i64>)
           -> tensor<4xi64>, tensor<5xi64>, tensor<4xi64>, tensor<i64>
  %1:4 = embedding.group num_rows(%n) out_of_range(clamp) ins(%i : tensor<4xi64>)
           outs(%r, %o, %p, %c : tensor<4xi64>, tensor<5xi64>, tensor<4xi64>, tensor<i64>)
           -> tensor<4xi64>, tensor<5xi64>, tensor<4xi64>, tensor<i64>
  return %0#0, %1#2 : tensor<4xi64>, tensor<4xi64>
}

func.func private @use(tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>)
