// RUN: embedding-opt %s -embedding-resolve-expand-shape -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @several
// CHECK-SAME:    %[[A:.*]]: memref<?x?xf32, strided<[?, 2], offset: ?>>, %[[N:.*]]: index, %[[M:.*]]: index
// CHECK:         %[[BASE:.*]], %[[OFFSET:.*]], %{{.*}}:2, %[[STRIDES:.*]]:2 = memref.extract_strided_metadata %[[A]]
// CHECK:         %[[INNER:.*]] = arith.muli %[[STRIDES]]#0, %[[M]]
// CHECK:         memref.reinterpret_cast %[[BASE]] to offset: [%[[OFFSET]]], sizes: [%[[N]], 4, %[[M]], %{{.*}}], strides: [%{{.*}}, %[[INNER]], %[[STRIDES]]#0, 2]
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
