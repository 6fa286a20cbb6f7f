// RUN: embedding-opt %s --convert-embedding-to-linalg | FileCheck %s

// CHECK-LABEL: func @assume
// CHECK-SAME: %[[TABLE:.*]]: tensor<?x64xf32>, %[[INDICES:.*]]: tensor<8x?xi64>, %[[INIT:.*]]: tensor<8x?x64xf32>
func.func @assume(%table: tensor<?x64xf32>, %indices: tensor<8x?xi64>,
                  %init: tensor<8x?x64xf32>) -> tensor<8x?x64xf32> {
  // CHECK: %[[N:.*]] = tensor.dim %[[INDICES]]
  // CHECK: %[[RESULT:.*]] = scf.forall (%[[I:.*]], %[[J:.*]]) in (8, %[[N]]) shared_outs(%[[OUT:.*]] = %[[INIT]])
  // CHECK-DAG: %[[DEST:.*]] = tensor.extract_slice %[[OUT]][%[[I]], %[[J]], 0] [1, 1, 64] [1, 1, 1] : tensor<8x?x64xf32> to tensor<64xf32>
  // CHECK-DAG: %[[INDEX:.*]] = tensor.extract %[[INDICES]][%[[I]], %[[J]]]
  // CHECK-DAG: %[[K:.*]] = arith.index_cast %[[INDEX]]
  // CHECK-DAG: %[[ROW:.*]] = tensor.extract_slice %[[TABLE]][%[[K]], 0] [1, 64] [1, 1] : tensor<?x64xf32> to tensor<64xf32>
  // CHECK: %[[COPY:.*]] = linalg.copy ins(%[[ROW]] : tensor<64xf32>) outs(%[[DEST]] : tensor<64xf32>)
  // CHECK: scf.forall.in_parallel
  // CHECK: tensor.parallel_insert_slice %[[COPY]] into %[[OUT]][%[[I]], %[[J]], 0] [1, 1, 64] [1, 1, 1]
  // CHECK: return %[[RESULT]]
  %0 = embedding.lookup out_of_range(assume)
         ins(%table, %indices : tensor<?x64xf32>, tensor<8x?xi64>)
         outs(%init : tensor<8x?x64xf32>) -> tensor<8x?x64xf32>
  return %0 : tensor<8x?x64xf32>
}

// CHECK-LABEL: func @memref
// CHECK-SAME: %[[TABLE:.*]]: memref<?x64xf32>, %[[INDICES:.*]]: memref<?xi32>, %[[OUT:.*]]: memref<?x64xf32>
func.func @memref(%table: memref<?x64xf32>, %indices: memref<?xi32>,
                  %out: memref<?x64xf32>) {
  // CHECK: scf.forall (%[[I:.*]]) in
  // CHECK-DAG: %[[DEST:.*]] = memref.subview %[[OUT]][%[[I]], 0] [1, 64] [1, 1]
  // CHECK-DAG: %[[INDEX:.*]] = memref.load %[[INDICES]][%[[I]]]
  // CHECK-DAG: %[[K:.*]] = arith.index_cast %[[INDEX]] : i32 to index
  // CHECK-DAG: %[[ROW:.*]] = memref.subview %[[TABLE]][%[[K]], 0] [1, 64] [1, 1]
  // CHECK: linalg.copy ins(%[[ROW]] : {{.*}}) outs(%[[DEST]] : {{.*}})
  embedding.lookup out_of_range(assume)
    ins(%table, %indices : memref<?x64xf32>, memref<?xi32>)
    outs(%out : memref<?x64xf32>)
  return
}

// A row is as static as the better known of table and destination.
// CHECK-LABEL: func @row_length_of_init
// CHECK-SAME: %[[TABLE:.*]]: memref<?x?xf32>, %[[INDICES:.*]]: memref<?xi32>, %[[OUT:.*]]: memref<?x64xf32>
func.func @row_length_of_init(%table: memref<?x?xf32>, %indices: memref<?xi32>,
                              %out: memref<?x64xf32>) {
  // CHECK-DAG: %[[DEST:.*]] = memref.subview %[[OUT]][%{{.*}}, 0] [1, 64] [1, 1]
  // CHECK-DAG: %[[ROW:.*]] = memref.subview %[[TABLE]][%{{.*}}, 0] [1, 64] [1, 1]
  // CHECK: linalg.copy ins(%[[ROW]] : memref<64xf32, {{.*}}>) outs(%[[DEST]] : memref<64xf32, {{.*}}>)
  embedding.lookup out_of_range(assume)
    ins(%table, %indices : memref<?x?xf32>, memref<?xi32>)
    outs(%out : memref<?x64xf32>)
  return
}

// CHECK-LABEL: func @clamp_static
// CHECK-SAME: %[[TABLE:.*]]: memref<10x3xf32>, %[[INDICES:.*]]: memref<4xi64>
func.func @clamp_static(%table: memref<10x3xf32>, %indices: memref<4xi64>,
                        %out: memref<4x3xf32>) {
  // CHECK-NOT: scf.if
  // CHECK: %[[INDEX:.*]] = memref.load %[[INDICES]]
  // CHECK: %[[ANY:.*]] = arith.index_cast %[[INDEX]]
  // CHECK-DAG: %[[TEN:.*]] = arith.constant 10 : index
  // CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : index
  // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : index
  // CHECK: %[[LAST:.*]] = arith.subi %[[TEN]], %[[ONE]]
  // CHECK: %[[MIN:.*]] = arith.minsi %[[ANY]], %[[LAST]]
  // CHECK: %[[K:.*]] = arith.maxsi %[[MIN]], %[[ZERO]]
  // CHECK-NOT: scf.if
  // CHECK: memref.subview %[[TABLE]][%[[K]], 0]
  embedding.lookup out_of_range(clamp)
    ins(%table, %indices : memref<10x3xf32>, memref<4xi64>)
    outs(%out : memref<4x3xf32>)
  return
}

// A table that may be empty has no nearest row.
// CHECK-LABEL: func @clamp_dynamic
// CHECK-SAME: %[[TABLE:.*]]: memref<?x3xf32>, %{{.*}}: memref<4xi64>, %[[OUT:.*]]: memref<4x3xf32>
func.func @clamp_dynamic(%table: memref<?x3xf32>, %indices: memref<4xi64>,
                         %out: memref<4x3xf32>) {
  // CHECK: %[[DEST:.*]] = memref.subview %[[OUT]]
  // CHECK: %[[NUM_ROWS:.*]] = memref.dim %[[TABLE]]
  // CHECK: %[[ZERO:.*]] = arith.constant 0 : index
  // CHECK: %[[MIN:.*]] = arith.minsi
  // CHECK: %[[K:.*]] = arith.maxsi %[[MIN]], %[[ZERO]]
  // CHECK: %[[EXISTS:.*]] = arith.cmpi ne, %[[NUM_ROWS]], %[[ZERO]]
  // CHECK: scf.if %[[EXISTS]]
  // CHECK: %[[ROW:.*]] = memref.subview %[[TABLE]][%[[K]], 0]
  // CHECK: linalg.copy ins(%[[ROW]] : {{.*}}) outs(%[[DEST]] :
  // CHECK: else
  // CHECK: %[[NOTHING:.*]] = arith.constant 0.0
  // CHECK: linalg.fill ins(%[[NOTHING]] : f32) outs(%[[DEST]] :
  embedding.lookup out_of_range(clamp)
    ins(%table, %indices : memref<?x3xf32>, memref<4xi64>)
    outs(%out : memref<4x3xf32>)
  return
}

// CHECK-LABEL: func @zero
// CHECK-SAME: %[[TABLE:.*]]: tensor<10x3xf32>, %[[INDICES:.*]]: tensor<4xi64>
func.func @zero(%table: tensor<10x3xf32>, %indices: tensor<4xi64>,
                %init: tensor<4x3xf32>) -> tensor<4x3xf32> {
  // CHECK: scf.forall (%[[I:.*]]) in (4) shared_outs(%[[OUT:.*]] =
  // CHECK: %[[DEST:.*]] = tensor.extract_slice %[[OUT]][%[[I]], 0]
  // CHECK: %[[INDEX:.*]] = tensor.extract %[[INDICES]][%[[I]]]
  // CHECK: %[[K:.*]] = arith.index_cast %[[INDEX]]
  // CHECK: %[[TEN:.*]] = arith.constant 10 : index
  // CHECK: %[[IN_RANGE:.*]] = arith.cmpi ult, %[[K]], %[[TEN]]
  // CHECK: %[[RESULT:.*]] = scf.if %[[IN_RANGE]]
  // CHECK: %[[ROW:.*]] = tensor.extract_slice %[[TABLE]][%[[K]], 0]
  // CHECK: %[[COPY:.*]] = linalg.copy ins(%[[ROW]] : {{.*}}) outs(%[[DEST]] :
  // CHECK: scf.yield %[[COPY]]
  // CHECK: else
  // CHECK: %[[ZERO:.*]] = arith.constant 0.0
  // CHECK: %[[FILL:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%[[DEST]] :
  // CHECK: scf.yield %[[FILL]]
  // CHECK: tensor.parallel_insert_slice %[[RESULT]] into %[[OUT]][%[[I]], 0]
  %0 = embedding.lookup out_of_range(zero)
         ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// CHECK-LABEL: func @zero_complex
func.func @zero_complex(%table: memref<10x3xcomplex<f32>>, %indices: memref<4xi64>,
                        %out: memref<4x3xcomplex<f32>>) {
  // CHECK: %[[ZERO:.*]] = complex.constant [0.000000e+00 : f32, 0.000000e+00 : f32]
  // CHECK: linalg.fill ins(%[[ZERO]] : complex<f32>)
  embedding.lookup out_of_range(zero)
    ins(%table, %indices : memref<10x3xcomplex<f32>>, memref<4xi64>)
    outs(%out : memref<4x3xcomplex<f32>>)
  return
}

// No row to take a slice of.
// CHECK-LABEL: func @no_rows
func.func @no_rows(%table: memref<0x3xf32>, %indices: memref<4xi64>, %out: memref<4x3xf32>) {
  // CHECK: scf.forall
  // CHECK: linalg.fill
  // CHECK-NOT: linalg.copy
  embedding.lookup out_of_range(clamp)
    ins(%table, %indices : memref<0x3xf32>, memref<4xi64>)
    outs(%out : memref<4x3xf32>)
  return
}

// CHECK-LABEL: func @rank_0
// CHECK-SAME: %[[TABLE:.*]]: tensor<10x3xf32>, %[[INDICES:.*]]: tensor<i64>, %[[INIT:.*]]: tensor<3xf32>
func.func @rank_0(%table: tensor<10x3xf32>, %indices: tensor<i64>,
                  %init: tensor<3xf32>) -> tensor<3xf32> {
  // CHECK-NOT: scf.forall
  // CHECK: %[[INDEX:.*]] = tensor.extract %[[INDICES]][]
  // CHECK: %[[K:.*]] = arith.index_cast %[[INDEX]]
  // CHECK: %[[ROW:.*]] = tensor.extract_slice %[[TABLE]][%[[K]], 0]
  // CHECK: %[[COPY:.*]] = linalg.copy ins(%[[ROW]] :
  // CHECK: %[[RESULT:.*]] = tensor.insert_slice %[[COPY]] into %[[INIT]]
  // CHECK: return %[[RESULT]]
  %0 = embedding.lookup out_of_range(assume)
         ins(%table, %indices : tensor<10x3xf32>, tensor<i64>)
         outs(%init : tensor<3xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// CHECK-LABEL: func @one_row_into_empty
// CHECK-SAME: %[[TABLE:.*]]: tensor<10x3xf32>, %[[INDICES:.*]]: tensor<1x1xi64>
func.func @one_row_into_empty(%table: tensor<10x3xf32>, %indices: tensor<1x1xi64>)
    -> tensor<1x1x3xf32> {
  // CHECK-NOT: linalg.copy
  // CHECK: %[[INDEX:.*]] = tensor.extract %[[INDICES]]
  // CHECK: %[[K:.*]] = arith.index_cast %[[INDEX]]
  // CHECK: %[[ROW:.*]] = tensor.extract_slice %[[TABLE]][%[[K]], 0] [1, 3] [1, 1] : tensor<10x3xf32> to tensor<3xf32>
  // CHECK: %[[RESULT:.*]] = tensor.expand_shape %[[ROW]]
  // CHECK: return %[[RESULT]]
  %init = tensor.empty() : tensor<1x1x3xf32>
  %0 = embedding.lookup out_of_range(assume)
         ins(%table, %indices : tensor<10x3xf32>, tensor<1x1xi64>)
         outs(%init : tensor<1x1x3xf32>) -> tensor<1x1x3xf32>
  return %0 : tensor<1x1x3xf32>
}

// The nearest row of a table that has one is a slice too.
// CHECK-LABEL: func @one_row_clamped
// CHECK-SAME: %[[TABLE:.*]]: tensor<10x3xf32>, %[[ANY:.*]]: tensor<?x3xf32>, %[[INDICES:.*]]: tensor<1xi64>
func.func @one_row_clamped(%table: tensor<10x3xf32>, %any: tensor<?x3xf32>,
                           %indices: tensor<1xi64>) -> (tensor<1x3xf32>, tensor<1x3xf32>) {
  // CHECK: %[[INDEX:.*]] = tensor.extract %[[INDICES]]
  // CHECK: %[[K:.*]] = arith.index_cast %[[INDEX]]
  // CHECK-DAG: %[[TEN:.*]] = arith.constant 10 : index
  // CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : index
  // CHECK: %[[LAST:.*]] = arith.subi %[[TEN]], %[[ONE]]
  // CHECK: %[[LOW:.*]] = arith.minsi %[[K]], %[[LAST]]
  // CHECK: %[[NEAREST:.*]] = arith.maxsi %[[LOW]]
  // CHECK-NOT: linalg.copy
  // CHECK: %[[ROW:.*]] = tensor.extract_slice %[[TABLE]][%[[NEAREST]], 0] [1, 3] [1, 1]
  // CHECK: %[[SLICE:.*]] = tensor.expand_shape %[[ROW]]
  // CHECK: %[[LOOKED_UP:.*]] = scf.forall
  // CHECK: scf.if
  // CHECK: %[[ANY_ROW:.*]] = tensor.extract_slice %[[ANY]]
  // CHECK: linalg.copy ins(%[[ANY_ROW]] :
  // CHECK: else
  // CHECK: linalg.fill
  // CHECK: return %[[SLICE]], %[[LOOKED_UP]]
  %init = tensor.empty() : tensor<1x3xf32>
  %0 = embedding.lookup out_of_range(clamp)
         ins(%table, %indices : tensor<10x3xf32>, tensor<1xi64>)
         outs(%init : tensor<1x3xf32>) -> tensor<1x3xf32>
  %1 = embedding.lookup out_of_range(clamp)
         ins(%any, %indices : tensor<?x3xf32>, tensor<1xi64>)
         outs(%init : tensor<1x3xf32>) -> tensor<1x3xf32>
  return %0, %1 : tensor<1x3xf32>, tensor<1x3xf32>
}

// A dimension of 0 anywhere among those of the indices: nothing to copy, and
// nothing out of range.
// CHECK-LABEL: func @no_indices
func.func @no_indices(%table: memref<10x3xf32>, %none: memref<?x0xi64>, %some: memref<?x?xi64>,
                      %out: memref<?x?x3xf32>, %no_out: memref<0x?x3xf32>, %n: index)
    -> (i64, i64, i64) {
  // CHECK-NOT: scf.for
  // CHECK-DAG: %[[MINUS_ONE:.*]] = arith.constant -1 : i64
  // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i64
  // CHECK: return %[[MINUS_ONE]], %[[ZERO]], %[[ZERO]]
  embedding.lookup out_of_range(assume)
    ins(%table, %none : memref<10x3xf32>, memref<?x0xi64>) outs(%out : memref<?x?x3xf32>)
  embedding.lookup out_of_range(assume)
    ins(%table, %some : memref<10x3xf32>, memref<?x?xi64>) outs(%no_out : memref<0x?x3xf32>)
  %0:3 = embedding.find_out_of_range %none, %n : memref<?x0xi64>
  return %0#0, %0#1, %0#2 : i64, i64, i64
}

// CHECK-LABEL: func @find
// CHECK-SAME: %[[INDICES:.*]]: memref<?x5xi32>, %[[NUM_ROWS:.*]]: index
func.func @find(%indices: memref<?x5xi32>, %num_rows: index) -> (i64, i64, i64) {
  // No index of 32 bits names more than 2^31 rows.
  // CHECK: %[[SIZE:.*]] = arith.maxsi %[[NUM_ROWS]], %{{c0.*}} : index
  // CHECK: %[[MAX:.*]] = arith.constant 2147483648 : index
  // CHECK: %[[MIN:.*]] = arith.minui %[[SIZE]], %[[MAX]]
  // CHECK: %[[LIMIT:.*]] = arith.index_cast %[[MIN]] : index to i32
  // Of an index in range the first is negative and the index is not.
  // CHECK: %[[MINUS_ONE:.*]] = arith.constant -1 : i32
  // CHECK: %[[SIGNS:.*]] = scf.for %[[I:.*]] = {{.*}} iter_args({{.*}} = %[[MINUS_ONE]])
  // CHECK: scf.for %[[J:.*]] = {{.*}} iter_args(%[[BEFORE:.*]] = {{.*}})
  // CHECK: %[[INDEX:.*]] = memref.load %[[INDICES]][%[[I]], %[[J]]]
  // CHECK: %[[REST:.*]] = arith.subi %[[INDEX]], %[[LIMIT]] : i32
  // CHECK: %[[FLIPPED:.*]] = arith.xori %[[INDEX]], %[[MINUS_ONE]]
  // CHECK: %[[IS_GOOD:.*]] = arith.andi %[[REST]], %[[FLIPPED]]
  // CHECK: arith.andi %[[BEFORE]], %[[IS_GOOD]]
  // CHECK: %[[FOUND:.*]] = arith.cmpi sge, %[[SIGNS]]
  // CHECK: %[[RESULTS:.*]]:3 = scf.if %[[FOUND]]
  // Position, index and count are those so far; the last is what is next.
  // CHECK: %[[SEARCH:.*]]:4 = scf.for %[[K:[^ ]*]] = {{.*}} iter_args(%{{.*}} = %c-1_i64{{.*}}, %{{.*}} = %[[ZERO:.*]], %{{.*}} = %[[ZERO]], %{{.*}} = %[[ZERO]])
  // CHECK: scf.for %[[L:.*]] = {{.*}} iter_args(%[[POSITION:.*]] = {{.*}}, %[[VALUE:.*]] = {{.*}}, %[[COUNT:.*]] = {{.*}}, %[[HERE:.*]] = {{.*}})
  // CHECK: %[[NEXT:.*]] = memref.load %[[INDICES]][%[[K]], %[[L]]]
  // CHECK: %[[IS_OUT:.*]] = arith.cmpi uge, %[[NEXT]], %[[LIMIT]]
  // CHECK: %[[NONE_YET:.*]] = arith.cmpi eq, %[[COUNT]], %[[ZERO]]
  // CHECK: %[[IS_FIRST:.*]] = arith.andi %[[IS_OUT]], %[[NONE_YET]]
  // CHECK-DAG: %[[WIDE:.*]] = arith.extsi %[[NEXT]]
  // CHECK-DAG: %[[MORE:.*]] = arith.extui %[[IS_OUT]]
  // CHECK-DAG: %[[POSITION_NOW:.*]] = arith.select %[[IS_FIRST]], %[[HERE]], %[[POSITION]]
  // CHECK-DAG: %[[VALUE_NOW:.*]] = arith.select %[[IS_FIRST]], %[[WIDE]], %[[VALUE]]
  // CHECK-DAG: %[[COUNT_NOW:.*]] = arith.addi %[[COUNT]], %[[MORE]]
  // CHECK-DAG: %[[AFTER:.*]] = arith.addi %[[HERE]], %c1_i64
  // CHECK: scf.yield %[[POSITION_NOW]], %[[VALUE_NOW]], %[[COUNT_NOW]], %[[AFTER]]
  // CHECK: scf.yield %[[SEARCH]]#0, %[[SEARCH]]#1, %[[SEARCH]]#2
  // CHECK: return %[[RESULTS]]#0, %[[RESULTS]]#1, %[[RESULTS]]#2
  %0:3 = embedding.find_out_of_range %indices, %num_rows : memref<?x5xi32>
  return %0#0, %0#1, %0#2 : i64, i64, i64
}

// A list in memory is looked at in blocks of 128 KiB, on several threads.
// CHECK-LABEL: func @find_in_blocks
// CHECK-SAME: %[[INDICES:.*]]: memref<?xi64>, %[[NUM_ROWS:.*]]: index
func.func @find_in_blocks(%indices: memref<?xi64>, %num_rows: index) -> (i64, i64, i64) {
  // CHECK: %[[FLAG:.*]] = memref.alloca() : memref<i64>
  // CHECK: memref.store %c0_i64{{.*}}, %[[FLAG]][]
  // CHECK: %[[BLOCK:.*]] = arith.constant 16384 : index
  // CHECK: %[[BLOCKS:.*]] = arith.ceildivui %{{.*}}, %[[BLOCK]]
  // CHECK: scf.forall (%[[NUMBER:.*]]) in (%[[BLOCKS]])
  // CHECK:   %[[BEGIN:.*]] = arith.muli %[[NUMBER]], %[[BLOCK]]
  // CHECK:   %[[PART:.*]] = memref.subview %[[INDICES]][%[[BEGIN]]]
  // CHECK:   memref.load %[[PART]]
  // CHECK:   memref.atomic_rmw ori %c1_i64{{.*}}, %[[FLAG]][]
  // CHECK: %[[SET:.*]] = memref.load %[[FLAG]][]
  // CHECK: %[[IS_SET:.*]] = arith.cmpi ne, %[[SET]]
  // All are searched.
  // CHECK: %[[RESULTS:.*]]:3 = scf.if %[[IS_SET]]
  // CHECK:   %[[SEARCH:.*]]:4 = scf.for %[[I:[^ ]*]] =
  // CHECK:     memref.load %[[INDICES]][%[[I]]]
  // CHECK:   scf.yield %[[SEARCH]]#0, %[[SEARCH]]#1, %[[SEARCH]]#2
  // CHECK: return %[[RESULTS]]#0, %[[RESULTS]]#1, %[[RESULTS]]#2
  %0:3 = embedding.find_out_of_range %indices, %num_rows : memref<?xi64>
  return %0#0, %0#1, %0#2 : i64, i64, i64
}

// A few are not, nor are those of a thread.
// CHECK-LABEL: func @find_in_one_block
func.func @find_in_one_block(%indices: memref<100xi64>, %num_rows: index) -> (i64, i64, i64) {
  // CHECK-NOT: scf.forall
  %0:3 = embedding.find_out_of_range %indices, %num_rows : memref<100xi64>
  return %0#0, %0#1, %0#2 : i64, i64, i64
}
