// RUN: embedding-opt %s -embedding-check-sizes -cse -canonicalize -split-input-file \
// RUN:   | FileCheck %s

// CHECK-LABEL: func.func @dynamic
// CHECK-SAME:    %[[TABLE:[a-z0-9]+]]: memref<?x?xf32>, %[[INDICES:[a-z0-9]+]]: memref<?xi64>, %[[INIT:[a-z0-9]+]]: memref<?x?xf32>
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[INIT0:.*]] = memref.dim %[[INIT]], %[[C0]]
// CHECK-DAG:     %[[N:.*]] = memref.dim %[[INDICES]], %[[C0]] : memref<?xi64>
// CHECK:         embedding.expect_size %[[INIT0]], %[[N]], "embedding.lookup: expected dimension 0 of init to be dimension 0 of indices,"
// CHECK-DAG:     %[[INIT1:.*]] = memref.dim %[[INIT]], %[[C1]]
// CHECK-DAG:     %[[D:.*]] = memref.dim %[[TABLE]], %[[C1]]
// CHECK:         embedding.expect_size %[[INIT1]], %[[D]], "embedding.lookup: expected dimension 1 of init to be dimension 1 of table,"
// CHECK-NEXT:    embedding.lookup
func.func @dynamic(%table: memref<?x?xf32>, %indices: memref<?xi64>,
                   %init: memref<?x?xf32>) {
  embedding.lookup ins(%table, %indices : memref<?x?xf32>, memref<?xi64>)
                   outs(%init : memref<?x?xf32>)
  return
}

// -----

// Static sizes are the verifier's.
// CHECK-LABEL: func.func @static
// CHECK-NOT:     expect_size
// CHECK:         return
func.func @static(%table: memref<?x8xf32>, %indices: memref<4xi64>,
                  %init: memref<4x8xf32>) {
  embedding.lookup ins(%table, %indices : memref<?x8xf32>, memref<4xi64>)
                   outs(%init : memref<4x8xf32>)
  return
}

// -----

// A destination that was made of the operands' sizes fits them, and so does the
// result of one that did.
// CHECK-LABEL: func.func @made_to_fit
// CHECK-NOT:     expect_size
// CHECK:         return
func.func @made_to_fit(%table: tensor<?x8xf32>, %indices: tensor<?xi64>)
    -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %indices, %c0 : tensor<?xi64>
  %init = tensor.empty(%n) : tensor<?x8xf32>
  %rows = embedding.lookup ins(%table, %indices : tensor<?x8xf32>, tensor<?xi64>)
      outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
  %sum = linalg.add ins(%rows, %rows : tensor<?x8xf32>, tensor<?x8xf32>)
      outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %sum : tensor<?x8xf32>
}

// -----

// Checks of what every call does come before the first write, if the arguments
// have the sizes.
// CHECK-LABEL: func.func @first
// CHECK-COUNT-2: embedding.expect_size %{{.*}}, "embedding.dense_grad
// CHECK:         memref.store
// CHECK:         embedding.dense_grad
func.func @first(%grad: memref<?x8xf32>, %indices: memref<?xi64>,
                 %init: memref<?x?xf32>, %n: memref<index>, %to: memref<f32>,
                 %x: f32) {
  memref.store %x, %to[] : memref<f32>
  embedding.dense_grad ins(%grad, %indices : memref<?x8xf32>, memref<?xi64>)
                       outs(%init : memref<?x?xf32>)
  return
}

// -----

// What depends on memory, a loop or a branch is checked where it is.
// CHECK-LABEL: func.func @where_it_is
// CHECK-NOT:     embedding.expect_size
// CHECK:         memref.store
// CHECK:         embedding.expect_size %{{.*}}, %{{.*}}, "embedding.lookup: expected dimension 0
// CHECK:         embedding.lookup
// CHECK:         scf.if
// CHECK:           embedding.expect_size %{{.*}}, %{{.*}}, "linalg.add: expected dimension 0 of operand 2 to be dimension 0 of operand 0,"
// CHECK-NEXT:      linalg.add
func.func @where_it_is(%table: memref<?x8xf32>, %indices: memref<?xi64>,
                       %size: memref<index>, %to: memref<f32>, %x: f32,
                       %condition: i1, %a: memref<?xf32>, %b: memref<?xf32>) {
  memref.store %x, %to[] : memref<f32>
  %n = memref.load %size[] : memref<index>
  %init = memref.alloc(%n) : memref<?x8xf32>
  embedding.lookup ins(%table, %indices : memref<?x8xf32>, memref<?xi64>)
                   outs(%init : memref<?x8xf32>)
  memref.dealloc %init : memref<?x8xf32>
  scf.if %condition {
    linalg.add ins(%a, %a : memref<?xf32>, memref<?xf32>)
               outs(%b : memref<?xf32>)
  }
  return
}

// -----

// CHECK-LABEL: func.func @group
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK:         expect_size {{.*}} "embedding.group: expected dimension 0 of rows to be the number of indices,"
// CHECK:         expect_size {{.*}} "embedding.group: expected dimension 0 of offsets to be the number of indices and 1,"
// CHECK:         expect_size {{.*}} "embedding.group: expected dimension 0 of positions to be the number of indices,"
// CHECK:         %[[MIN:.*]] = arith.minsi %[[NUM_ROWS:.*]], %[[C0]]
// CHECK:         expect_size %[[MIN]], %[[C0]], "embedding.group: expected num_rows to be at least"
// CHECK:         %[[MAX:.*]] = arith.maxsi %[[NUM_ROWS]], %[[LIMIT:.*]] : index
// CHECK:         expect_size %[[MAX]], %[[LIMIT]], "embedding.group: expected num_rows to be at most"
func.func @group(%indices: memref<?xi64>, %num_rows: index, %rows: memref<?xi64>,
                 %offsets: memref<?xi64>, %positions: memref<?xi64>,
                 %count: memref<i64>) {
  embedding.group num_rows(%num_rows) ins(%indices : memref<?xi64>)
      outs(%rows, %offsets, %positions, %count
           : memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<i64>)
  return
}

// -----

// CHECK-LABEL: func.func @promises
// CHECK-DAG:     expect_size {{.*}} "tensor.cast: expected dimension 0 of source to be"
// CHECK-DAG:     expect_size {{.*}} "memref.copy: expected dimension 0 of target to be dimension 0 of source,"
func.func @promises(%t: tensor<?xf32>, %a: memref<?xf32>, %b: memref<?xf32>)
    -> tensor<4xf32> {
  %cast = tensor.cast %t : tensor<?xf32> to tensor<4xf32>
  memref.copy %a, %b : memref<?xf32> to memref<?xf32>
  return %cast : tensor<4xf32>
}
