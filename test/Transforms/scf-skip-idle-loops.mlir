// RUN: embedding-opt %s -scf-skip-idle-loops -canonicalize -split-input-file | FileCheck %s

// Without columns there is nothing to do in the rows.
// CHECK-LABEL: func @rows
// CHECK-SAME:    %[[N:.*]]: index, %[[M:.*]]: index,
// CHECK:         %[[ANY:.*]] = arith.cmpi sgt, %[[M]], %c0
// CHECK:         %[[END:.*]] = arith.select %[[ANY]], %[[N]], %c0
// CHECK:         scf.for %{{.*}} = %c0 to %[[END]] step %c1
// CHECK:           scf.for %{{.*}} = %c0 to %[[M]] step %c1
func.func @rows(%n: index, %m: index, %out: memref<?x?xf32>, %x: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    scf.for %j = %c0 to %m step %c1 {
      memref.store %x, %out[%i, %j] : memref<?x?xf32>
    }
  }
  return
}

// -----

// What is computed in the loop is computed before it, if it can be: here the loop
// over whole vectors and the branch of the tail.
// CHECK-LABEL: func @tail
// CHECK-SAME:    %[[N:.*]]: index, %[[M:.*]]: index,
// CHECK-DAG:     %[[WHOLE:.*]] = arith.andi %[[M]], %c-8
// CHECK-DAG:     %[[HAS_WHOLE:.*]] = arith.cmpi sgt, %[[WHOLE]], %c0
// CHECK-DAG:     %[[REST:.*]] = arith.andi %[[M]], %c4
// CHECK-DAG:     %[[HAS_REST:.*]] = arith.cmpi ne, %[[REST]], %c0
// CHECK:         %[[ANY:.*]] = arith.ori %[[HAS_WHOLE]], %[[HAS_REST]]
// CHECK:         %[[END:.*]] = arith.select %[[ANY]], %[[N]], %c0
// CHECK:         scf.for %{{.*}} = %c0 to %[[END]]
func.func @tail(%n: index, %m: index, %out: memref<?x?xf32>, %x: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c8 = arith.constant 8 : index
  %c-8 = arith.constant -8 : index
  scf.for %i = %c0 to %n step %c1 {
    %whole = arith.andi %m, %c-8 : index
    scf.for %j = %c0 to %whole step %c8 {
      memref.store %x, %out[%i, %j] : memref<?x?xf32>
    }
    %rest = arith.andi %m, %c4 : index
    %has_rest = arith.cmpi ne, %rest, %c0 : index
    scf.if %has_rest {
      memref.store %x, %out[%i, %whole] : memref<?x?xf32>
    }
  }
  return
}

// -----

// A sum over nothing is what it began with.
// CHECK-LABEL: func @sum
// CHECK-SAME:    %[[N:.*]]: index, %[[M:.*]]: index,
// CHECK:         %[[ANY:.*]] = arith.cmpi sgt, %[[M]], %c0
// CHECK:         %[[END:.*]] = arith.select %[[ANY]], %[[N]], %c0
// CHECK:         scf.for %{{.*}} = %c0 to %[[END]] step %c1 iter_args
func.func @sum(%n: index, %m: index, %in: memref<?x?xf32>, %x: f32) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %sum = scf.for %i = %c0 to %n step %c1 iter_args(%row = %x) -> f32 {
    %row_sum = scf.for %j = %c0 to %m step %c1 iter_args(%s = %row) -> f32 {
      %y = memref.load %in[%i, %j] : memref<?x?xf32>
      %z = arith.addf %s, %y : f32
      scf.yield %z : f32
    }
    scf.yield %row_sum : f32
  }
  return %sum : f32
}

// -----

// Nor is it if each row counts.
// CHECK-LABEL: func @count
// CHECK-NOT:     arith.select
// CHECK:         scf.for %{{.*}} = %c0 to %arg0
func.func @count(%n: index, %m: index, %out: memref<?x?xf32>, %x: f32) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %sum = scf.for %i = %c0 to %n step %c1 iter_args(%row = %x) -> f32 {
    scf.for %j = %c0 to %m step %c1 {
      memref.store %x, %out[%i, %j] : memref<?x?xf32>
    }
    %z = arith.addf %row, %row : f32
    scf.yield %z : f32
  }
  return %sum : f32
}

// -----

// Work that is not in a loop, or in one whose length another loop determines.
// CHECK-LABEL: func @works
// CHECK-NOT:     arith.select
func.func @works(%n: index, %m: index, %out: memref<?x?xf32>, %lengths: memref<?xindex>,
                 %x: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    memref.store %x, %out[%i, %c0] : memref<?x?xf32>
    scf.for %j = %c0 to %m step %c1 {
      memref.store %x, %out[%i, %j] : memref<?x?xf32>
    }
  }
  scf.for %i = %c0 to %n step %c1 {
    %length = memref.load %lengths[%i] : memref<?xindex>
    scf.for %j = %c0 to %length step %c1 {
      memref.store %x, %out[%i, %j] : memref<?x?xf32>
    }
  }
  return
}

// -----

// Loops of no elements that a type has are gone.
// CHECK-LABEL: func @static
// CHECK-NEXT:    return
func.func @static(%n: index, %out: memref<?x0xf32>, %x: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    scf.for %j = %c0 to %c0 step %c1 {
      memref.store %x, %out[%i, %j] : memref<?x0xf32>
    }
  }
  return
}

// -----

// Which branch runs is known in the loop only: the work of either counts.
// CHECK-LABEL: func @branches
// CHECK-SAME:    %[[N:.*]]: index, %[[M:.*]]: index, %[[K:.*]]: index,
// CHECK-DAG:     %[[HAS_M:.*]] = arith.cmpi sgt, %[[M]], %c0
// CHECK-DAG:     %[[HAS_K:.*]] = arith.cmpi sgt, %[[K]], %c0
// CHECK:         %[[ANY:.*]] = arith.ori %[[HAS_M]], %[[HAS_K]]
// CHECK:         %[[END:.*]] = arith.select %[[ANY]], %[[N]], %c0
// CHECK:         scf.for %{{.*}} = %c0 to %[[END]] step %c1
func.func @branches(%n: index, %m: index, %k: index, %flags: memref<?xi1>,
                    %out: memref<?x?xf32>, %x: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %flag = memref.load %flags[%i] : memref<?xi1>
    scf.if %flag {
      scf.for %j = %c0 to %m step %c1 {
        memref.store %x, %out[%i, %j] : memref<?x?xf32>
      }
    } else {
      scf.for %j = %c0 to %k step %c1 {
        memref.store %x, %out[%i, %j] : memref<?x?xf32>
      }
    }
  }
  return
}

// -----

// Both dimensions have to have turns, of reductions too; and so has what is inside.
// CHECK-LABEL: func @parallel
// CHECK-SAME:    %[[N:.*]]: index, %[[M:.*]]: index, %[[K:.*]]: index,
// CHECK-DAG:     %[[HAS_N:.*]] = arith.cmpi sgt, %[[N]], %c0
// CHECK-DAG:     %[[HAS_M:.*]] = arith.cmpi sgt, %[[M]], %c0
// CHECK:         %[[ANY:.*]] = arith.andi %[[HAS_N]], %[[HAS_M]]
// CHECK:         %[[END:.*]] = arith.select %[[ANY]], %[[N]], %c0
// CHECK:         scf.parallel ({{.*}}) = (%c0, %c0) to (%[[END]], %[[M]])
// CHECK-DAG:     %[[HAS_N:.*]] = arith.cmpi sgt, %[[N]], %c0
// CHECK-DAG:     %[[HAS_K:.*]] = arith.cmpi sgt, %[[K]], %c0
// CHECK:         %[[ANY:.*]] = arith.andi %[[HAS_N]], %[[HAS_K]]
// CHECK:         %[[END:.*]] = arith.select %[[ANY]], %[[N]], %c0
// CHECK:         scf.parallel ({{.*}}) = (%c0) to (%[[END]])
func.func @parallel(%n: index, %m: index, %k: index, %x: f32, %out: memref<?x?xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.parallel (%i, %j) = (%c0, %c0) to (%n, %m) step (%c1, %c1) init (%x) -> f32 {
    scf.reduce(%x : f32) {
    ^bb0(%a: f32, %b: f32):
      %1 = arith.addf %a, %b : f32
      scf.reduce.return %1 : f32
    }
  }
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    scf.for %j = %c0 to %k step %c1 {
      memref.store %x, %out[%i, %j] : memref<?x?xf32>
    }
  }
  return %0 : f32
}
