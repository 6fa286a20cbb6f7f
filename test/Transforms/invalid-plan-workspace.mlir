// RUN: embedding-opt %s --embedding-plan-workspace --split-input-file --verify-diagnostics

// expected-error@+1 {{expected the workspace to be a contiguous memref of rank 1 of i8, but got 'memref<?xi64>'}}
func.func @other_type(%w: memref<?xi64> {embedding.workspace}) {
  return
}

// -----

func.func @in_a_loop(%n: index, %w: memref<?xi8> {embedding.workspace}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error@+1 {{expected a buffer of a function with a workspace not to be allocated in a loop}}
  scf.for %i = %c0 to %n step %c1 {
    %a = memref.alloc() : memref<4xi64>
  }
  return
}

// -----

func.func @size_in_memory(%x: memref<index>, %w: memref<?xi8> {embedding.workspace}) {
  %n = memref.load %x[] : memref<index>
  // expected-error@+1 {{expected the size of a buffer of a function with a workspace to follow from the shapes of the arguments}}
  %a = memref.alloc(%n) : memref<?xi64>
  return
}
