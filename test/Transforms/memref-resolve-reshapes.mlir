// RUN: embedding-opt %s -memref-resolve-reshapes -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @several
// CHECK-SAME:    %[[A:.*]]: memref<?x?xf32, strided<[?, 2], offset: ?>>, %[[N:.*]]: index, %[[M:.*]]: index
// CHECK:         %[[K:.*]] = memref.dim %[[A]]
// CHECK:         %[[BASE:.*]], %[[OFFSET:.*]], %{{.*}}:2, %[[STRIDES:.*]]:2 = memref.extract_strided_metadata %[[A]]
// CHECK:         %[[INNER:.*]] = arith.muli %[[STRIDES]]#0, %[[M]]
// CHECK:         %[[OUTER:.*]] = arith.muli %[[INNER]], %c4
// CHECK:         memref.reinterpret_cast %[[BASE]] to offset: [%[[OFFSET]]], sizes: [%[[N]], 4, %[[M]], %[[K]]], strides: [%[[OUTER]], %[[INNER]], %[[STRIDES]]#0, 2]
// CHECK-NOT:     memref.expand_shape
func.func @several(%a: memref<?x?xf32, strided<[?, 2], offset: ?>>, %n: index, %m: index)
    -> memref<?x4x?x?xf32, strided<[?, ?, ?, 2], offset: ?>> {
  %c1 = arith.constant 1 : index
  %k = memref.dim %a, %c1 : memref<?x?xf32, strided<[?, 2], offset: ?>>
  %0 = memref.expand_shape %a [[0, 1, 2], [3]] output_shape [%n, 4, %m, %k]
    : memref<?x?xf32, strided<[?, 2], offset: ?>>
      into memref<?x4x?x?xf32, strided<[?, ?, ?, 2], offset: ?>>
  return %0 : memref<?x4x?x?xf32, strided<[?, ?, ?, 2], offset: ?>>
}

// -----

// Upstream's lowering knows what to do.
// CHECK-LABEL: func.func @one
// CHECK:         memref.expand_shape
func.func @one(%a: memref<?xf32>, %n: index) -> memref<?x4xf32> {
  %0 = memref.expand_shape %a [[0, 1]] output_shape [%n, 4] : memref<?xf32> into memref<?x4xf32>
  return %0 : memref<?x4xf32>
}

// -----

// CHECK-LABEL: func.func @narrow
// CHECK-SAME:    %[[A:.*]]: memref<?xf32>, %[[SHAPE:.*]]: memref<2xi32>
// CHECK:         %[[COPY:.*]] = memref.alloca() : memref<2xi64>
// CHECK:         scf.for %[[I:.*]] = %c0 to %c2
// CHECK:           %[[SIZE:.*]] = memref.load %[[SHAPE]][%[[I]]]
// CHECK:           %[[INDEX:.*]] = arith.index_cast %[[SIZE]] : i32 to index
// CHECK:           %[[I64:.*]] = arith.index_cast %[[INDEX]] : index to i64
// CHECK:           memref.store %[[I64]], %[[COPY]][%[[I]]]
// CHECK:         memref.reshape %[[A]](%[[COPY]]) : (memref<?xf32>, memref<2xi64>) -> memref<?x?xf32>
func.func @narrow(%a: memref<?xf32>, %shape: memref<2xi32>) -> memref<?x?xf32> {
  %0 = memref.reshape %a(%shape) : (memref<?xf32>, memref<2xi32>) -> memref<?x?xf32>
  return %0 : memref<?x?xf32>
}

// -----

// CHECK-LABEL: func.func @any_rank
// CHECK-SAME:    %[[A:.*]]: memref<?xf32>, %[[SHAPE:.*]]: memref<2xi64>, %[[STRIDED:.*]]: memref<?xi64, strided<[2], offset: 1>>
// CHECK:         %[[TWO:.*]] = memref.alloca() : memref<2xi64>
// CHECK:         scf.for %[[I:.*]] = %c0 to %c2
// CHECK:           %[[SIZE:.*]] = memref.load %[[SHAPE]][%[[I]]]
// CHECK:           %[[INDEX:.*]] = arith.index_cast %[[SIZE]]
// CHECK:           %[[I64:.*]] = arith.index_cast %[[INDEX]]
// CHECK:           memref.store %[[I64]], %[[TWO]][%[[I]]]
// CHECK:         %[[CAST:.*]] = memref.cast %[[TWO]] : memref<2xi64> to memref<?xi64>
// CHECK:         memref.reshape %[[A]](%[[CAST]])
// CHECK:         %[[RANK:.*]] = memref.dim %[[STRIDED]]
// CHECK:         %[[ANY:.*]] = memref.alloca(%[[RANK]]) : memref<?xi64>
// CHECK:         scf.for %[[I:.*]] = %c0{{.*}} to %[[RANK]]
// CHECK:           %[[SIZE:.*]] = memref.load %[[STRIDED]][%[[I]]]
// CHECK:           %[[INDEX:.*]] = arith.index_cast %[[SIZE]]
// CHECK:           %[[I64:.*]] = arith.index_cast %[[INDEX]]
// CHECK:           memref.store %[[I64]], %[[ANY]][%[[I]]]
// CHECK:         memref.reshape %[[A]](%[[ANY]])
func.func @any_rank(%a: memref<?xf32>, %shape: memref<2xi64>,
                    %strided: memref<?xi64, strided<[2], offset: 1>>)
    -> (memref<*xf32>, memref<*xf32>) {
  %0 = memref.reshape %a(%shape) : (memref<?xf32>, memref<2xi64>) -> memref<*xf32>
  %1 = memref.reshape %a(%strided)
      : (memref<?xf32>, memref<?xi64, strided<[2], offset: 1>>) -> memref<*xf32>
  return %0, %1 : memref<*xf32>, memref<*xf32>
}

// -----

// CHECK-LABEL: func.func @plain
// CHECK-NOT:     memref.alloca
func.func @plain(%a: memref<?xf32>, %two: memref<2xi64>, %any: memref<?xi64>)
    -> (memref<?x2xf32>, memref<*xf32>) {
  %0 = memref.reshape %a(%two) : (memref<?xf32>, memref<2xi64>) -> memref<?x2xf32>
  %1 = memref.reshape %a(%any) : (memref<?xf32>, memref<?xi64>) -> memref<*xf32>
  return %0, %1 : memref<?x2xf32>, memref<*xf32>
}
