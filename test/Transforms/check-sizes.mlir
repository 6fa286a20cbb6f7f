// RUN: embedding-opt %s -embedding-check-sizes -cse -canonicalize -split-input-file \
// RUN:   | FileCheck %s

// CHECK-LABEL: func.func @dynamic
// CHECK-SAME:    %[[TABLE:[a-z0-9]+]]: memref<?x?xf32>, %[[INDICES:[a-z0-9]+]]: memref<?xi64>, %[[INIT:[a-z0-9]+]]: memref<?x?xf32>
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[INIT0:.*]] = memref.dim %[[INIT]], %[[C0]]
// CHECK-DAG:     %[[N:.*]] = memref.dim %[[INDICES]], %[[C0]] : memref<?xi64>
// CHECK:         embedding.expect_size %[[INIT0]], %[[N]], "embedding.lookup: expected dimension 0 of out to be dimension 0 of indices,"
// CHECK-DAG:     %[[INIT1:.*]] = memref.dim %[[INIT]], %[[C1]]
// CHECK-DAG:     %[[D:.*]] = memref.dim %[[TABLE]], %[[C1]]
// CHECK:         embedding.expect_size %[[INIT1]], %[[D]], "embedding.lookup: expected dimension 1 of out to be dimension 1 of table,"
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
// CHECK-SAME:    %[[DY:[a-z0-9]+]]: memref<?x8xf32>, %[[INDICES:[a-z0-9]+]]: memref<?xi64>, %[[INIT:[a-z0-9]+]]: memref<?x?xf32>
// CHECK:         %[[M:.*]] = memref.dim %[[DY]], %c0
// CHECK:         %[[N:.*]] = memref.dim %[[INDICES]], %c0
// CHECK:         expect_size %[[M]], %[[N]], "embedding.dense_grad: expected dimension 0 of grad_output to be dimension 0 of indices,"
// CHECK:         %[[D:.*]] = memref.dim %[[INIT]], %c1
// CHECK:         expect_size %c8, %[[D]], "embedding.dense_grad: expected dimension 1 of grad_output to be dimension 1 of grad_table,"
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
// CHECK-SAME:    %{{.*}}, %[[INDICES:[a-z0-9]+]]: memref<?xi64>, {{.*}}, %[[X:[a-z0-9]+]]: memref<?xf32>, %[[Y:[a-z0-9]+]]: memref<?xf32>)
// CHECK-NOT:     embedding.expect_size
// CHECK:         memref.store
// CHECK:         %[[M:.*]] = memref.load
// CHECK:         %[[N:.*]] = memref.dim %[[INDICES]]
// CHECK:         expect_size %[[M]], %[[N]], "embedding.lookup: expected dimension 0
// CHECK:         embedding.lookup
// CHECK:         scf.if
// CHECK:           %[[NA:.*]] = memref.dim %[[X]]
// CHECK:           %[[NB:.*]] = memref.dim %[[Y]]
// CHECK:           expect_size %[[NB]], %[[NA]], "linalg.add: expected dimension 0 of output 0 to be dimension 0 of input 0,"
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
// CHECK-SAME:    %[[INDICES:[a-z0-9]+]]: memref<?xi64>, %[[NUM_ROWS:[a-z0-9]+]]: index, %[[ROWS:[a-z0-9]+]]: memref<?xi64>, %[[OFFSETS:[a-z0-9]+]]: memref<?xi64>, %[[POSITIONS:[a-z0-9]+]]: memref<?xi64>
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK:         %[[R:.*]] = memref.dim %[[ROWS]], %[[C0]]
// CHECK:         %[[N:.*]] = memref.dim %[[INDICES]], %[[C0]]
// CHECK:         expect_size %[[R]], %[[N]], "embedding.group: expected dimension 0 of rows to be the number of indices,"
// CHECK:         %[[O:.*]] = memref.dim %[[OFFSETS]], %[[C0]]
// CHECK:         %[[N1:.*]] = arith.addi %[[N]], %[[C1]]
// CHECK:         expect_size %[[O]], %[[N1]], "embedding.group: expected dimension 0 of offsets to be the number of indices and 1,"
// CHECK:         %[[P:.*]] = memref.dim %[[POSITIONS]], %[[C0]]
// CHECK:         expect_size %[[P]], %[[N]], "embedding.group: expected dimension 0 of positions to be the number of indices,"
// CHECK:         %[[MIN:.*]] = arith.minsi %[[NUM_ROWS]], %[[C0]]
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
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<?xf32>, %[[A:[a-z0-9]+]]: memref<?xf32>, %[[B:[a-z0-9]+]]: memref<?xf32>
// CHECK:         %[[SIZE:.*]] = tensor.dim %[[T]]
// CHECK:         expect_size %[[SIZE]], %c4, "tensor.cast: expected dimension 0 of source to be"
// CHECK:         %[[NB:.*]] = memref.dim %[[B]]
// CHECK:         %[[NA:.*]] = memref.dim %[[A]]
// CHECK:         expect_size %[[NB]], %[[NA]], "memref.copy: expected dimension 0 of target to be dimension 0 of source,"
func.func @promises(%t: tensor<?xf32>, %a: memref<?xf32>, %b: memref<?xf32>)
    -> tensor<4xf32> {
  %cast = tensor.cast %t : tensor<?xf32> to tensor<4xf32>
  memref.copy %a, %b : memref<?xf32> to memref<?xf32>
  return %cast : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @slices
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<?x?xf32>, %[[O:[a-z0-9]+]]: index, %[[N:[a-z0-9]+]]: index
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK:         %[[O_MIN:.*]] = arith.minsi %[[O]], %[[C0]]
// CHECK:         expect_size %[[O_MIN]], %[[C0]], "tensor.extract_slice: expected offset of dimension 0 to be at least"
// CHECK:         %[[N_MIN:.*]] = arith.minsi %[[N]], %[[C0]]
// CHECK:         expect_size %[[N_MIN]], %[[C0]], "tensor.extract_slice: expected size of dimension 0 to be at least"
// CHECK:         %[[D0:.*]] = tensor.dim %[[T]], %[[C0]]
// CHECK:         %[[O_MAX:.*]] = arith.maxsi %[[O]], %[[D0]]
// CHECK:         expect_size %[[O_MAX]], %[[D0]], "tensor.extract_slice: expected offset of dimension 0 to be at most"
// CHECK:         %[[LEFT:.*]] = arith.subi %[[D0]], %[[O]]
// CHECK:         %[[STEPS:.*]] = arith.ceildivui %[[LEFT]], %[[C2]]
// CHECK:         %[[N_MAX:.*]] = arith.maxsi %[[N]], %[[STEPS]]
// CHECK:         expect_size %[[N_MAX]], %[[STEPS]], "tensor.extract_slice: expected size of dimension 0 to be at most" from %[[O]] of %[[D0]]
// CHECK:         %[[D1:.*]] = tensor.dim %[[T]], %c1
// CHECK:         %[[O_MAX:.*]] = arith.maxsi %[[D1]], %c3
// CHECK:         expect_size %[[O_MAX]], %[[D1]], "tensor.extract_slice: expected offset of dimension 1 to be at most"
// CHECK:         %[[LEFT:.*]] = arith.subi %[[D1]], %c3
// CHECK:         %[[N_MAX:.*]] = arith.maxsi %[[LEFT]], %c8
// CHECK:         expect_size %[[N_MAX]], %[[LEFT]], "tensor.extract_slice: expected size of dimension 1 to be at most" from %c3 of %[[D1]]
// CHECK-NOT:     expect_size
// CHECK:         tensor.extract_slice
func.func @slices(%t: tensor<?x?xf32>, %o: index, %n: index) -> tensor<?x8xf32> {
  %slice = tensor.extract_slice %t[%o, 3] [%n, 8] [2, 1]
      : tensor<?x?xf32> to tensor<?x8xf32>
  return %slice : tensor<?x8xf32>
}

// -----

// What is inserted has the size of the slice, whose dimensions of 1 it may lack.
// CHECK-LABEL: func.func @insert
// CHECK-SAME:    %[[SOURCE:[a-z0-9]+]]: tensor<?xf32>, %{{.*}}: tensor<?x?xf32>, %{{.*}}: index, %[[N:[a-z0-9]+]]: index
// CHECK:         %[[SIZE:.*]] = tensor.dim %[[SOURCE]]
// CHECK:         expect_size %[[SIZE]], %[[N]], "tensor.insert_slice: expected dimension 0 of source to be the size of dimension 1 of the slice,"
// CHECK-NOT:     expect_size
func.func @insert(%source: tensor<?xf32>, %dest: tensor<?x?xf32>, %o: index,
                  %n: index) -> tensor<?x?xf32> {
  %0 = tensor.insert_slice %source into %dest[%o, 0] [1, %n] [1, 1]
      : tensor<?xf32> into tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// -----

// Slices that bounds of values prove to fit: tiles, in loops and threads.
// CHECK-LABEL: func.func @tiles
// CHECK-NOT:     expect_size
// CHECK:         return
func.func @tiles(%t: tensor<?xf32>, %m: memref<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %n = tensor.dim %t, %c0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %tiled = scf.forall (%i) = (0) to (%n) step (8) shared_outs(%x = %e)
      -> tensor<?xf32> {
    %s = affine.min affine_map<(d0)[s0] -> (8, s0 - d0)>(%i)[%n]
    %a = tensor.extract_slice %t[%i] [%s] [1] : tensor<?xf32> to tensor<?xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %a into %x[%i] [%s] [1]
          : tensor<?xf32> into tensor<?xf32>
    }
  }
  %k = memref.dim %m, %c0 : memref<?xf32>
  scf.for %i = %c0 to %k step %c8 {
    %left = affine.apply affine_map<(d0)[s0] -> (s0 - d0)>(%i)[%k]
    %s = arith.minsi %left, %c8 : index
    %a = memref.subview %m[%i] [%s] [1]
        : memref<?xf32> to memref<?xf32, strided<[1], offset: ?>>
  }
  return %tiled : tensor<?xf32>
}

// -----

// What a loop inserts is checked in the loop, before what inserts it.
// CHECK-LABEL: func.func @in_parallel
// CHECK-SAME:    %[[SOURCE:[a-z0-9]+]]: tensor<?xf32>, %[[DEST:[a-z0-9]+]]: tensor<?xf32>, %[[N:[a-z0-9]+]]: index
// CHECK-NOT:     expect_size
// CHECK:         scf.forall (%[[I:.*]]) in
// CHECK:           %[[SIZE:.*]] = tensor.dim %[[DEST]]
// CHECK:           %[[MAX:.*]] = arith.maxsi %[[I]], %[[SIZE]]
// CHECK:           expect_size %[[MAX]], %[[SIZE]], "tensor.parallel_insert_slice: expected offset of dimension 0 to be at most"
// CHECK:           %[[M:.*]] = tensor.dim %[[SOURCE]]
// CHECK:           expect_size %[[M]], %[[N]], "tensor.parallel_insert_slice: expected dimension 0 of source to be the size of dimension 0 of the slice,"
// CHECK-NEXT:      scf.forall.in_parallel
func.func @in_parallel(%source: tensor<?xf32>, %dest: tensor<?xf32>, %n: index)
    -> tensor<?xf32> {
  %0 = scf.forall (%i) in (%n) shared_outs(%out = %dest) -> tensor<?xf32> {
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %source into %out[%i] [%n] [1]
          : tensor<?xf32> into tensor<?xf32>
    }
  }
  return %0 : tensor<?xf32>
}

// -----

// Shapes of results follow from the operands: nothing is left to check.
// CHECK-LABEL: func.func @follows
// CHECK-NOT:     expect_size
// CHECK:         return
func.func @follows(%t: tensor<?x8xf32>)
    -> (tensor<?x4xf32>, tensor<?x10xf32>, tensor<?x2x4xf32>, tensor<?xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %t, %c0 : tensor<?x8xf32>
  %half = tensor.extract_slice %t[0, 4] [%n, 4] [1, 1]
      : tensor<?x8xf32> to tensor<?x4xf32>
  %padded = tensor.pad %t low[0, 1] high[0, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<?x8xf32> to tensor<?x10xf32>
  %doubled = linalg.add
      ins(%padded, %padded : tensor<?x10xf32>, tensor<?x10xf32>)
      outs(%padded : tensor<?x10xf32>) -> tensor<?x10xf32>
  %expanded = tensor.expand_shape %t [[0], [1, 2]] output_shape [%n, 2, 4]
      : tensor<?x8xf32> into tensor<?x2x4xf32>
  %both = tensor.concat dim(0) %t, %t
      : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %flat = tensor.collapse_shape %both [[0, 1]]
      : tensor<?x8xf32> into tensor<?xf32>
  return %half, %doubled, %expanded, %flat
      : tensor<?x4xf32>, tensor<?x10xf32>, tensor<?x2x4xf32>, tensor<?xf32>
}

// -----

// What they say is checked at the start, however many of them there are.
// CHECK-LABEL: func.func @chain
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<?x8xf32>, %[[INDICES:[a-z0-9]+]]: tensor<?xi64>
// CHECK:         %[[M:.*]] = tensor.dim %[[T]]
// CHECK:         %[[PADDED:.*]] = arith.addi %[[M]], %c1
// CHECK:         %[[BOTH:.*]] = arith.addi %[[PADDED]], %[[M]]
// CHECK:         %[[N:.*]] = tensor.dim %[[INDICES]]
// CHECK:         expect_size %[[BOTH]], %[[N]], "embedding.lookup: expected dimension 0 of out to be dimension 0 of indices,"
// CHECK:         memref.store
// CHECK-NOT:     expect_size
func.func @chain(%t: tensor<?x8xf32>, %indices: tensor<?xi64>, %to: memref<f32>,
                 %x: f32) -> tensor<?x8xf32> {
  %zero = arith.constant 0.0 : f32
  memref.store %x, %to[] : memref<f32>
  %padded = tensor.pad %t low[0, 0] high[1, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<?x8xf32> to tensor<?x8xf32>
  %both = tensor.concat dim(0) %padded, %t
      : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %rows = embedding.lookup out_of_range(assume)
      ins(%t, %indices : tensor<?x8xf32>, tensor<?xi64>)
      outs(%both : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %rows : tensor<?x8xf32>
}

// -----

// What an assertion may guard stays behind it.
// CHECK-LABEL: func.func @guarded
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<?xf32>, %[[SIZES:[a-z0-9]+]]: tensor<?xindex>, %[[N:[a-z0-9]+]]: index
// CHECK-NOT:     expect_size
// CHECK:         cf.assert
// CHECK:         %[[PART:.*]] = arith.divui %c64, %[[N]]
// CHECK:         %[[SIZE:.*]] = tensor.dim %[[T]]
// CHECK:         %[[MAX:.*]] = arith.maxsi %[[PART]], %[[SIZE]]
// CHECK:         expect_size %[[MAX]], %[[SIZE]], "tensor.extract_slice: expected size of dimension 0 to be at most"
// CHECK:         %[[READ:.*]] = tensor.extract %[[SIZES]][%[[N]]]
// CHECK:         %[[MAX:.*]] = arith.maxsi %[[READ]], %[[SIZE]]
// CHECK:         expect_size %[[MAX]], %[[SIZE]], "tensor.extract_slice: expected size of dimension 0 to be at most"
func.func @guarded(%t: tensor<?xf32>, %sizes: tensor<?xindex>, %n: index,
                   %isRight: i1) -> (tensor<?xf32>, tensor<?xf32>) {
  cf.assert %isRight, "wrong"
  %c64 = arith.constant 64 : index
  %part = arith.divui %c64, %n : index
  %0 = tensor.extract_slice %t[0] [%part] [1] : tensor<?xf32> to tensor<?xf32>
  %size = tensor.extract %sizes[%n] : tensor<?xindex>
  %1 = tensor.extract_slice %t[0] [%size] [1] : tensor<?xf32> to tensor<?xf32>
  return %0, %1 : tensor<?xf32>, tensor<?xf32>
}

// -----

// CHECK-LABEL: func.func @pad
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<?xf32>, %[[LOW:[a-z0-9]+]]: index
// CHECK:         %[[MIN:.*]] = arith.minsi %[[LOW]], %c0
// CHECK:         expect_size %[[MIN]], %c0, "tensor.pad: expected low padding of dimension 0 to be at least"
// CHECK:         %[[MAX:.*]] = arith.maxsi %[[LOW]], %[[LIMIT:c[0-9]+]]
// CHECK:         expect_size %[[MAX]], %[[LIMIT]], "tensor.pad: expected low padding of dimension 0 to be at most"
// CHECK:         %[[N:.*]] = tensor.dim %[[T]]
// CHECK:         %[[BEFORE:.*]] = arith.addi %[[N]], %[[LOW]]
// CHECK:         %[[SIZE:.*]] = arith.addi %[[BEFORE]], %c1
// CHECK:         expect_size %[[SIZE]], %c8, "tensor.pad: expected dimension 0 of source with its padding to be"
// CHECK-NOT:     expect_size
func.func @pad(%t: tensor<?xf32>, %low: index) -> tensor<8xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.pad %t low[%low] high[1] {
  ^bb0(%i: index):
    tensor.yield %zero : f32
  } : tensor<?xf32> to tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// CHECK-LABEL: func.func @concat
// CHECK-SAME:    %[[A:[a-z0-9]+]]: tensor<?x?x?xf32>, %[[B:[a-z0-9]+]]: tensor<?x?x?xf32>
// CHECK:         %[[A0:.*]] = tensor.dim %[[A]], %c0
// CHECK:         %[[B0:.*]] = tensor.dim %[[B]], %c0
// CHECK:         %[[SUM:.*]] = arith.addi %[[A0]], %[[B0]]
// CHECK:         expect_size %[[SUM]], %c8, "tensor.concat: expected dimensions 0 of all operands together to be"
// CHECK:         %[[B1:.*]] = tensor.dim %[[B]], %c1
// CHECK:         %[[A1:.*]] = tensor.dim %[[A]], %c1
// CHECK:         expect_size %[[B1]], %[[A1]], "tensor.concat: expected dimension 1 of operand 1 to be dimension 1 of operand 0,"
// CHECK:         %[[A2:.*]] = tensor.dim %[[A]], %c2
// CHECK:         expect_size %[[A2]], %c4, "tensor.concat: expected dimension 2 of operand 0 to be"
// CHECK:         %[[B2:.*]] = tensor.dim %[[B]], %c2
// CHECK:         expect_size %[[B2]], %c4, "tensor.concat: expected dimension 2 of operand 1 to be"
// CHECK-NOT:     expect_size
func.func @concat(%a: tensor<?x?x?xf32>, %b: tensor<?x?x?xf32>)
    -> tensor<8x?x4xf32> {
  %0 = tensor.concat dim(0) %a, %b
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>) -> tensor<8x?x4xf32>
  return %0 : tensor<8x?x4xf32>
}

// -----

// A product that wraps is as large as can be.
// CHECK-LABEL: func.func @reshapes
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<?xf32>, %[[SHAPE:[a-z0-9]+]]: tensor<2xi32>, %[[N:[a-z0-9]+]]: index
// CHECK:         %[[MIN:.*]] = arith.minsi %[[N]], %c0
// CHECK:         expect_size %[[MIN]], %c0, "tensor.expand_shape: expected dimension 0 of result to be at least"
// CHECK:         %[[LOW:.*]], %[[HIGH:.*]] = arith.mului_extended %[[N]], %c4
// CHECK:         %[[FITS:.*]] = arith.cmpi eq, %[[HIGH]], %c0
// CHECK:         %[[PRODUCT:.*]] = arith.select %[[FITS]], %[[LOW]], %[[MAX:.*]] : index
// CHECK:         %[[WRAPS:.*]] = arith.cmpi slt, %[[PRODUCT]], %c0
// CHECK:         %[[SATURATED:.*]] = arith.select %[[WRAPS]], %[[MAX]], %[[PRODUCT]]
// CHECK:         %[[SIZE:.*]] = tensor.dim %[[T]]
// CHECK:         expect_size %[[SATURATED]], %[[SIZE]], "tensor.expand_shape: expected the product of dimensions 0 to 1 of result to be dimension 0 of source,"
// CHECK:         %[[ELEMENT:.*]] = tensor.extract %[[SHAPE]][%c0]
// CHECK:         %[[N0:.*]] = arith.index_cast %[[ELEMENT]]
// CHECK:         %[[MIN:.*]] = arith.minsi %[[N0]], %c0
// CHECK:         expect_size %[[MIN]], %c0, "tensor.reshape: expected element 0 of shape to be at least"
// CHECK:         %[[ELEMENT:.*]] = tensor.extract %[[SHAPE]][%c1]
// CHECK:         %[[N1:.*]] = arith.index_cast %[[ELEMENT]]
// CHECK:         expect_size %[[N1]], %c3, "tensor.reshape: expected element 1 of shape to be"
// CHECK:         arith.mului_extended %[[N0]], %c3
// CHECK:         %[[SATURATED:.*]] = arith.select {{.*}}, %[[MAX]], %{{.*}} : index
// CHECK:         expect_size %[[SATURATED]], %[[SIZE]], "tensor.reshape: expected the product of shape to be the number of elements of source,"
// CHECK-NOT:     expect_size
func.func @reshapes(%t: tensor<?xf32>, %shape: tensor<2xi32>, %n: index)
    -> (tensor<?x4xf32>, tensor<?x3xf32>) {
  %0 = tensor.expand_shape %t [[0, 1]] output_shape [%n, 4]
      : tensor<?xf32> into tensor<?x4xf32>
  %1 = tensor.reshape %t(%shape)
      : (tensor<?xf32>, tensor<2xi32>) -> tensor<?x3xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x3xf32>
}

// -----

// The stride of one row, or of none, does not matter.
// CHECK-LABEL: func.func @layouts
// CHECK-SAME:    %[[M:[a-z0-9]+]]: memref<?x4xf32
// CHECK:         %[[N:.*]] = memref.dim %[[M]]
// CHECK:         %[[SOME:.*]] = arith.cmpi ne, %[[N]], %c0
// CHECK:         %[[SEVERAL:.*]] = arith.cmpi sgt, %[[N]], %c1
// CHECK:         %[[MATTERS:.*]] = arith.andi %[[SOME]], %[[SEVERAL]]
// CHECK:         %{{.*}}, %[[OFFSET:.*]], %{{.*}}:2, %[[STRIDES:.*]]:2 = memref.extract_strided_metadata %[[M]]
// CHECK:         %[[STRIDE:.*]] = arith.select %[[MATTERS]], %[[STRIDES]]#0, %c4
// CHECK:         expect_size %[[STRIDE]], %c4, "memref.collapse_shape: expected stride of dimension 0 of source to be"
// CHECK:         expect_size %[[OFFSET]], %c0, "memref.cast: expected offset of source to be"
// CHECK:         %[[STRIDE:.*]] = arith.select %[[MATTERS]], %[[STRIDES]]#0, %c4
// CHECK:         expect_size %[[STRIDE]], %c4, "memref.cast: expected stride of dimension 0 of source to be"
// CHECK-NOT:     expect_size
func.func @layouts(%m: memref<?x4xf32, strided<[?, 1], offset: ?>>)
    -> (memref<?xf32, strided<[1], offset: ?>>, memref<?x4xf32>) {
  %0 = memref.collapse_shape %m [[0, 1]]
      : memref<?x4xf32, strided<[?, 1], offset: ?>>
        into memref<?xf32, strided<[1], offset: ?>>
  %1 = memref.cast %m
      : memref<?x4xf32, strided<[?, 1], offset: ?>> to memref<?x4xf32>
  return %0, %1 : memref<?xf32, strided<[1], offset: ?>>, memref<?x4xf32>
}

// -----

// CHECK-LABEL: func.func @views
// CHECK-SAME:    %[[M:[a-z0-9]+]]: memref<?xi8>, %[[SHIFT:[a-z0-9]+]]: index, %[[N:[a-z0-9]+]]: index, %[[T:[a-z0-9]+]]: tensor<?xf32>, %[[TO:[a-z0-9]+]]: memref<?xf32>
// CHECK:         %[[MIN:.*]] = arith.minsi %[[N]], %c0
// CHECK:         expect_size %[[MIN]], %c0, "memref.view: expected size 0 to be at least"
// CHECK:         %[[SIZE:.*]] = memref.dim %[[M]]
// CHECK:         arith.mului_extended %[[N]], %c2
// CHECK:         %[[ELEMENTS:.*]] = arith.select {{.*}}, %[[LARGEST:c9223372036854775807]], %{{[0-9]+}} :
// CHECK:         arith.mului_extended %[[ELEMENTS]], %c4
// CHECK:         %[[BYTES:.*]] = arith.select {{.*}}, %[[LARGEST]], %{{[0-9]+}} :
// CHECK:         %[[LESS:.*]] = arith.minsi %[[SIZE]], %[[BYTES]]
// CHECK:         expect_size %[[LESS]], %[[BYTES]], "memref.view: expected dimension 0 of source to be at least"
// CHECK:         %[[SHIFT_MIN:.*]] = arith.minsi %[[SHIFT]], %c0
// CHECK:         expect_size %[[SHIFT_MIN]], %c0, "memref.view: expected byte_shift to be at least"
// CHECK:         %[[REST:.*]] = arith.subi %[[SIZE]], %[[BYTES]]
// CHECK:         %[[SHIFT_MAX:.*]] = arith.maxsi %[[SHIFT]], %[[REST]]
// CHECK:         expect_size %[[SHIFT_MAX]], %[[REST]], "memref.view: expected byte_shift to be at most"
// CHECK:         expect_size %[[MIN]], %c0, "memref.dim: expected index to be at least"
// CHECK:         %[[MAX:.*]] = arith.maxsi %[[N]], %c1
// CHECK:         expect_size %[[MAX]], %c1, "memref.dim: expected index to be at most"
// CHECK:         %[[DEST:.*]] = memref.dim %[[TO]]
// CHECK:         %[[SOURCE:.*]] = tensor.dim %[[T]]
// CHECK:         expect_size %[[DEST]], %[[SOURCE]], "bufferization.materialize_in_destination: expected dimension 0 of dest to be dimension 0 of source,"
// CHECK-NOT:     expect_size
func.func @views(%m: memref<?xi8>, %shift: index, %n: index, %t: tensor<?xf32>,
                 %to: memref<?xf32>) -> (memref<?x2xf32>, index) {
  %0 = memref.view %m[%shift][%n] : memref<?xi8> to memref<?x2xf32>
  %1 = memref.dim %0, %n : memref<?x2xf32>
  bufferization.materialize_in_destination %t in restrict writable %to
      : (tensor<?xf32>, memref<?xf32>) -> ()
  return %0, %1 : memref<?x2xf32>, index
}

// -----

// The values of indexing maps lie in the dimensions, if there is a turn at all.
// CHECK-LABEL: func.func @convolution
// CHECK-SAME:    %[[A:[a-z0-9]+]]: memref<?xf32>, %[[K:[a-z0-9]+]]: memref<?xf32>, %[[O:[a-z0-9]+]]: memref<?xf32>
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[NA:.*]] = memref.dim %[[A]], %[[C0]]
// CHECK-DAG:     %[[NO:.*]] = memref.dim %[[O]], %[[C0]]
// CHECK-DAG:     %[[NK:.*]] = memref.dim %[[K]], %[[C0]]
// CHECK-DAG:     %[[ANY:.*]] = arith.cmpi ne, %[[NO]], %[[C0]]
// CHECK-DAG:     %[[ANY_TAP:.*]] = arith.cmpi ne, %[[NK]], %[[C0]]
// CHECK-DAG:     %[[TURNS:.*]] = arith.andi %[[ANY]], %[[ANY_TAP]]
// CHECK-DAG:     %[[LAST_O:.*]] = arith.subi %[[NO]], %[[C1]]
// CHECK-DAG:     %[[LAST_K:.*]] = arith.subi %[[NK]], %[[C1]]
// CHECK-DAG:     %[[MAX:.*]] = arith.constant 9223372036854775807 : index
// CHECK-DAG:     %[[LAST:.*]] = arith.addi %[[LAST_O]], %[[LAST_K]]
// CHECK-DAG:     %[[NEEDED:.*]] = arith.addi %[[LAST]], %[[C1]]
// CHECK-DAG:     %[[OVERFLOWS:.*]] = arith.ori
// CHECK:         %[[SATURATED:.*]] = arith.select %[[OVERFLOWS]], %[[MAX]], %[[NEEDED]]
// CHECK:         %[[LIMIT:.*]] = arith.select %[[TURNS]], %[[SATURATED]], %[[C0]]
// CHECK:         %[[MIN:.*]] = arith.minsi %[[NA]], %[[LIMIT]]
// CHECK:         expect_size %[[MIN]], %[[LIMIT]], "linalg.conv_1d: expected dimension 0 of input 0 to be at least"
// CHECK-NOT:     expect_size
func.func @convolution(%a: memref<?xf32>, %k: memref<?xf32>, %o: memref<?xf32>) {
  linalg.conv_1d ins(%a, %k : memref<?xf32>, memref<?xf32>)
                 outs(%o : memref<?xf32>)
  return
}

// -----

// CHECK-LABEL: func.func @maps
// CHECK-SAME:    %[[A:[a-z0-9]+]]: memref<?x?xf32>, %[[O:[a-z0-9]+]]: memref<?x?xf32>
// CHECK:         %[[O0:.*]] = memref.dim %[[O]], %c0
// CHECK:         %[[ANY_ROW:.*]] = arith.cmpi ne, %[[O0]], %c0
// CHECK:         %[[O1:.*]] = memref.dim %[[O]], %c1
// CHECK:         %[[ANY_COLUMN:.*]] = arith.cmpi ne, %[[O1]], %c0
// CHECK:         %[[TURNS:.*]] = arith.andi %[[ANY_ROW]], %[[ANY_COLUMN]]
// CHECK:         %[[SMALLEST:.*]] = arith.select %[[TURNS]], %{{.*}}, %c0
// CHECK:         %[[MIN:.*]] = arith.minsi %[[SMALLEST]], %c0
// CHECK:         expect_size %[[MIN]], %c0, "linalg.generic: expected indices of dimension 0 of input 0 to be at least"
// CHECK:         %[[A0:.*]] = memref.dim %[[A]], %c0
// CHECK:         %[[LIMIT:.*]] = arith.select %[[TURNS]], %{{.*}}, %c0
// CHECK:         %[[LESS:.*]] = arith.minsi %[[A0]], %[[LIMIT]]
// CHECK:         expect_size %[[LESS]], %[[LIMIT]], "linalg.generic: expected dimension 0 of input 0 to be at least"
// CHECK:         %[[A1:.*]] = memref.dim %[[A]], %c1
// CHECK:         %[[LIMIT:.*]] = arith.select %[[TURNS]], %c4, %c0
// CHECK:         %[[LESS:.*]] = arith.minsi %[[A1]], %[[LIMIT]]
// CHECK:         expect_size %[[LESS]], %[[LIMIT]], "linalg.generic: expected dimension 1 of input 0 to be at least"
// CHECK-NOT:     expect_size
func.func @maps(%a: memref<?x?xf32>, %o: memref<?x?xf32>) {
  linalg.generic {
    indexing_maps = [affine_map<(d0, d1) -> (d0 - d1, 3)>,
                     affine_map<(d0, d1) -> (d0, d1)>],
    iterator_types = ["parallel", "parallel"]
  } ins(%a : memref<?x?xf32>) outs(%o : memref<?x?xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

// What is at most the largest integer does not wrap, and is no less than 0.
// CHECK-LABEL: func.func @just_fits
// CHECK-NOT:     to be at least
// CHECK:         return
func.func @just_fits(%m: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %m, %c0 : memref<?xf32>
  %0 = affine.apply affine_map<(d0) -> (d0 mod 4611686018427387905 + d0 floordiv 2)>(%n)
  %1 = memref.subview %m[%0] [1] [1]
      : memref<?xf32> to memref<1xf32, strided<[1], offset: ?>>
  %2 = affine.apply affine_map<(d0) -> ((d0 floordiv 2) * 2)>(%n)
  %3 = memref.subview %m[%2] [1] [1]
      : memref<?xf32> to memref<1xf32, strided<[1], offset: ?>>
  %4 = affine.apply affine_map<(d0) -> ((d0 ceildiv 4) * 3)>(%n)
  %5 = memref.subview %m[%4] [1] [1]
      : memref<?xf32> to memref<1xf32, strided<[1], offset: ?>>
  %6 = affine.apply affine_map<(d0) -> (d0 floordiv 2 + d0 ceildiv 2)>(%n)
  %7 = memref.subview %m[%6] [1] [1]
      : memref<?xf32> to memref<1xf32, strided<[1], offset: ?>>
  return
}

// -----

// One more may wrap.
// CHECK-LABEL: func.func @just_wraps
// CHECK-COUNT-4: offset of dimension 0 to be at least
// CHECK:         return
func.func @just_wraps(%m: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %m, %c0 : memref<?xf32>
  %0 = affine.apply affine_map<(d0) -> (d0 mod 4611686018427387906 + d0 floordiv 2)>(%n)
  %1 = memref.subview %m[%0] [1] [1]
      : memref<?xf32> to memref<1xf32, strided<[1], offset: ?>>
  %2 = affine.apply affine_map<(d0) -> ((d0 floordiv 2) * 3)>(%n)
  %3 = memref.subview %m[%2] [1] [1]
      : memref<?xf32> to memref<1xf32, strided<[1], offset: ?>>
  %4 = affine.apply affine_map<(d0) -> ((d0 ceildiv 2) * 2)>(%n)
  %5 = memref.subview %m[%4] [1] [1]
      : memref<?xf32> to memref<1xf32, strided<[1], offset: ?>>
  %6 = affine.apply affine_map<(d0) -> (d0 ceildiv 2 + d0 ceildiv 2)>(%n)
  %7 = memref.subview %m[%6] [1] [1]
      : memref<?xf32> to memref<1xf32, strided<[1], offset: ?>>
  return
}

// -----

// What may wrap proves nothing: neither sums and differences of any sizes, nor
// a loop that may go backwards.
// CHECK-LABEL: func.func @wrapping
// CHECK-SAME:    %[[M:[a-z0-9]+]]: memref<?xf32>
// CHECK:         %[[SUM:.*]] = arith.addi
// CHECK:         %[[MIN:.*]] = arith.minsi %[[SUM]], %c0
// CHECK:         expect_size %[[MIN]], %c0, "memref.subview: expected offset of dimension 0 to be at least"
// CHECK:         %[[N:.*]] = memref.dim %[[M]]
// CHECK:         %[[REST:.*]] = arith.subi %[[N]], %[[SUM]]
// CHECK:         %[[MAX:.*]] = arith.maxsi %[[REST]], %c1
// CHECK:         expect_size %[[MAX]], %[[REST]], "memref.subview: expected size of dimension 0 to be at most" from %[[SUM]] of %[[N]]
// CHECK:         scf.for %[[I:.*]] =
// CHECK:         %[[MIN:.*]] = arith.minsi %[[I]], %c0
// CHECK:         expect_size %[[MIN]], %c0, "memref.subview: expected offset of dimension 0 to be at least"
// CHECK:         %[[REST:.*]] = arith.subi %[[N]], %[[I]]
// CHECK:         %[[MAX:.*]] = arith.maxsi %[[REST]], %c1
// CHECK:         expect_size %[[MAX]], %[[REST]], "memref.subview: expected size of dimension 0 to be at most" from %[[I]] of %[[N]]
func.func @wrapping(%m: memref<?xf32>, %a: index, %b: index, %step: index) {
  %c0 = arith.constant 0 : index
  %x = affine.max affine_map<(d0) -> (0, d0)>(%a)
  %y = affine.max affine_map<(d0) -> (0, d0)>(%b)
  %sum = arith.addi %x, %y : index
  %0 = memref.subview %m[%sum] [1] [1]
      : memref<?xf32> to memref<1xf32, strided<[1], offset: ?>>
  %n = memref.dim %m, %c0 : memref<?xf32>
  scf.for %i = %c0 to %n step %step {
    %1 = memref.subview %m[%i] [1] [1]
        : memref<?xf32> to memref<1xf32, strided<[1], offset: ?>>
  }
  return
}

// -----

// Ranks that are not known are checked, and then the sizes.
// CHECK-LABEL: func.func @copy_of_any_rank
// CHECK-SAME:    %[[A:[a-z0-9]+]]: memref<*xf32>, %[[B:[a-z0-9]+]]: memref<*xf32>
// CHECK:         %[[RANK_B:.*]] = memref.rank %[[B]]
// CHECK:         %[[RANK_A:.*]] = memref.rank %[[A]]
// CHECK:         expect_size %[[RANK_B]], %[[RANK_A]], "memref.copy: expected rank of target to be rank of source,"
// CHECK:         scf.for %[[I:.*]] = %c0 to %[[RANK_A]]
// CHECK:           %[[NB:.*]] = memref.dim %[[B]], %[[I]]
// CHECK:           %[[NA:.*]] = memref.dim %[[A]], %[[I]]
// CHECK:           expect_size %[[NB]], %[[NA]], "memref.copy: expected dimensions of target to be those of source,"
// CHECK:         memref.copy
func.func @copy_of_any_rank(%a: memref<*xf32>, %b: memref<*xf32>) {
  memref.copy %a, %b : memref<*xf32> to memref<*xf32>
  return
}

// -----

// Moves on segments: what is summed, where to, and a weight for each position.
// CHECK-LABEL: func.func @segments
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<?x?xf32>, %[[POSITIONS:[a-z0-9]+]]: memref<?xi64>, %[[OFFSETS:[a-z0-9]+]]: memref<?xi64>, %{{.*}}: memref<i64>, %[[SUMS:[a-z0-9]+]]: memref<?x?xf32>, %[[WEIGHTS:[a-z0-9]+]]: memref<?xf32>
// CHECK:         %[[D:.*]] = memref.dim %[[X]], %c1
// CHECK:         %[[SUMS_D:.*]] = memref.dim %[[SUMS]], %c1
// CHECK:         expect_size %[[D]], %[[SUMS_D]], "embedding.reduce: expected dimension 1 of values to be dimension 1 of sums,"
// CHECK:         %[[ENDS:.*]] = memref.dim %[[OFFSETS]], %c0
// CHECK:         %[[SEGMENTS:.*]] = memref.dim %[[SUMS]], %c0
// CHECK:         %[[MORE:.*]] = arith.addi %[[SEGMENTS]], %c1
// CHECK:         expect_size %[[ENDS]], %[[MORE]], "embedding.reduce: expected dimension 0 of offsets to be dimension 0 of sums and 1,"
// CHECK:         %[[W:.*]] = memref.dim %[[WEIGHTS]], %c0
// CHECK:         %[[P:.*]] = memref.dim %[[POSITIONS]], %c0
// CHECK:         expect_size %[[W]], %[[P]], "embedding.inverse_frequencies: expected dimension 0 of weights to be dimension 0 of positions,"
// CHECK:         embedding.reduce
// CHECK:         embedding.inverse_frequencies
func.func @segments(%x: memref<?x?xf32>, %positions: memref<?xi64>, %offsets: memref<?xi64>,
                    %count: memref<i64>, %sums: memref<?x?xf32>, %weights: memref<?xf32>) {
  embedding.reduce positions(%positions : memref<?xi64>) offsets(%offsets : memref<?xi64>) count(%count : memref<i64>)
    ins(%x : memref<?x?xf32>) outs(%sums : memref<?x?xf32>)
  embedding.inverse_frequencies ins(%positions, %offsets, %count
    : memref<?xi64>, memref<?xi64>, memref<i64>) outs(%weights : memref<?xf32>)
  return
}

// CHECK-LABEL: func @bags
// CHECK-SAME: %[[T:.*]]: memref<?x?xf32>, %[[I:.*]]: memref<?xi64>, %[[O:.*]]: memref<?xi64>, %[[W:.*]]: memref<?xf32>, %[[Y:.*]]: memref<?x?xf32>
// CHECK-DAG:     %[[N:.*]] = memref.dim %[[I]], %c0
// CHECK-DAG:     %[[WEIGHTS:.*]] = memref.dim %[[W]], %c0
// CHECK-DAG:     expect_size %[[WEIGHTS]], %[[N]], "embedding.bag: expected dimension 0 of weights to be dimension 0 of indices,"
// CHECK-DAG:     %[[B:.*]] = memref.dim %[[Y]], %c0
// CHECK-DAG:     %[[OFFSETS:.*]] = memref.dim %[[O]], %c0
// CHECK-DAG:     %[[BAGS:.*]] = arith.addi %[[OFFSETS]], %c-1
// CHECK-DAG:     expect_size %[[B]], %[[BAGS]], "embedding.bag: expected dimension 0 of out to be dimension 0 of offsets less 1,"
// CHECK-DAG:     expect_size %{{.*}}, %{{.*}}, "embedding.bag: expected dimension 1 of out to be dimension 1 of table,"
// CHECK:         embedding.bag
func.func @bags(%t: memref<?x?xf32>, %i: memref<?xi64>, %o: memref<?xi64>, %w: memref<?xf32>, %y: memref<?x?xf32>) {
  embedding.bag sum include_last_offset ins(%t, %i : memref<?x?xf32>, memref<?xi64>) offsets(%o : memref<?xi64>)
    weights(%w : memref<?xf32>) outs(%y : memref<?x?xf32>)
  return
}
