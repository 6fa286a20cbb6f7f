// RUN: embedding-opt %s --scf-unswitch-loops | FileCheck %s
// RUN: embedding-opt %s --scf-unswitch-loops=max-operations=3 | FileCheck %s --check-prefix=LARGE

// Two branches on what the loop does not change: four loops without any.
// CHECK-LABEL: func @two
// CHECK-SAME: %[[A:[a-z0-9]*]]: i1, %[[B:[a-z0-9]*]]: i1
// LARGE-LABEL: func @two
func.func @two(%x: memref<?xi64>, %a: i1, %b: i1, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant 1 : i64
  %two = arith.constant 2 : i64
  %three = arith.constant 3 : i64
  // CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i64
  // CHECK-DAG: %[[TWO:.*]] = arith.constant 2 : i64
  // CHECK-DAG: %[[THREE:.*]] = arith.constant 3 : i64
  // CHECK: scf.if %[[A]] {
  // CHECK-NEXT: scf.if %[[B]] {
  // CHECK-NEXT:   scf.for %[[I:.*]] =
  // CHECK-NEXT:     memref.store %[[ONE]]
  // CHECK-NEXT:     memref.store %[[TWO]]
  // CHECK-NEXT:   }
  // CHECK-NEXT: } else {
  // CHECK-NEXT:   scf.for %[[I:.*]] =
  // CHECK-NEXT:     memref.store %[[ONE]]
  // CHECK-NEXT:     memref.store %[[THREE]]
  // CHECK-NEXT:   }
  // CHECK-NEXT: }
  // CHECK-NEXT: } else {
  // CHECK-NEXT: scf.if %[[B]] {
  // CHECK-NEXT:   scf.for %[[I:.*]] =
  // CHECK-NEXT:     memref.store %[[TWO]]
  // CHECK-NEXT:   }
  // CHECK-NEXT: } else {
  // CHECK-NEXT:   scf.for %[[I:.*]] =
  // CHECK-NEXT:     memref.store %[[THREE]]
  // A loop with more operations keeps them.
  // LARGE: scf.for
  // LARGE: scf.if
  // LARGE: scf.if
  scf.for %i = %c0 to %n step %c1 {
    scf.if %a {
      memref.store %one, %x[%i] : memref<?xi64>
    }
    scf.if %b {
      memref.store %two, %x[%i] : memref<?xi64>
    } else {
      memref.store %three, %x[%i] : memref<?xi64>
    }
  }
  return
}

// Values that are carried and yielded come out of either side.
// CHECK-LABEL: func @values
// CHECK-SAME: %[[A:[a-z0-9]*]]: i1
func.func @values(%a: i1, %n: index) -> index {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  // CHECK: %[[RESULT:.*]] = scf.if %[[A]] -> (index) {
  // CHECK:   %[[FIRST:.*]] = scf.for {{.*}} iter_args(%[[SUM:.*]] = %c0)
  // CHECK-NEXT: %[[NEXT:.*]] = arith.addi %[[SUM]], %c1 : index
  // CHECK-NEXT: scf.yield %[[NEXT]]
  // CHECK:   scf.yield %[[FIRST]]
  // CHECK: } else {
  // CHECK:   %[[SECOND:.*]] = scf.for {{.*}} iter_args(%[[SUM:.*]] = %c0)
  // CHECK-NEXT: %[[NEXT:.*]] = arith.addi %[[SUM]], %c2 : index
  // CHECK-NEXT: scf.yield %[[NEXT]]
  // CHECK:   scf.yield %[[SECOND]]
  // CHECK: return %[[RESULT]]
  %sum = scf.for %i = %c0 to %n step %c1 iter_args(%s = %c0) -> index {
    %step = scf.if %a -> index {
      scf.yield %c1 : index
    } else {
      scf.yield %c2 : index
    }
    %next = arith.addi %s, %step : index
    scf.yield %next : index
  }
  return %sum : index
}

// A branch on the data stays, and so does one around which there are loops.
// CHECK-LABEL: func @left_alone
func.func @left_alone(%x: memref<?xi1>, %a: i1, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %true = arith.constant true
  // CHECK: scf.for
  // CHECK-NEXT: memref.load
  // CHECK-NEXT: scf.if
  scf.for %i = %c0 to %n step %c1 {
    %flag = memref.load %x[%i] : memref<?xi1>
    scf.if %flag {
      memref.store %true, %x[%c0] : memref<?xi1>
    }
  }
  // CHECK: scf.for
  // CHECK-NEXT: scf.if
  // CHECK: scf.for
  // CHECK: return
  scf.for %i = %c0 to %n step %c1 {
    scf.if %a {
      memref.store %true, %x[%c0] : memref<?xi1>
    }
    scf.for %j = %c0 to %n step %c1 {
      memref.store %true, %x[%j] : memref<?xi1>
    }
  }
  return
}
