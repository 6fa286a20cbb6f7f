// What operations are compositions of.
// RUN: embedding-opt %s --embedding-decompose-operations --canonicalize --cse --split-input-file | FileCheck %s
// RUN: embedding-opt %s --embedding-decompose-operations="scatter=in-order num-threads=1" --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=IN-ORDER
// RUN: embedding-opt %s --embedding-decompose-operations="scatter=in-order num-threads=4" --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=MANY
// RUN: embedding-opt %s --embedding-decompose-operations=scatter=atomic --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=ATOMIC

// Buffers in between have the sizes of what they hold, and are freed.
// CHECK-LABEL: func @dense_grad
// CHECK-SAME: %[[DY:[a-z0-9]*]]: memref<?x?x64xf32>, %[[I:[a-z0-9]*]]: memref<?x?xi64>, %[[G:[a-z0-9]*]]: memref<?x64xf32>, %[[PADDING:[a-z0-9]*]]: index
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[OUTER:.*]] = memref.dim %[[I]], %[[C0]]
// CHECK-DAG: %[[INNER:.*]] = memref.dim %[[I]], %[[C1]]
// CHECK: %[[N:.*]] = arith.muli %[[OUTER]], %[[INNER]]
// CHECK: %[[END:.*]] = arith.addi %[[N]], %[[C1]]
// CHECK: %[[ROWS:.*]] = memref.alloc(%[[N]]) : memref<?xi64>
// CHECK: %[[OFFSETS:.*]] = memref.alloc(%[[END]]) : memref<?xi64>
// CHECK: %[[POSITIONS:.*]] = memref.alloc(%[[N]]) : memref<?xi64>
// CHECK: %[[COUNT:.*]] = memref.alloc() : memref<i64>
// CHECK: %[[V:.*]] = memref.dim %[[G]], %[[C0]]
// CHECK: embedding.group num_rows(%[[V]]) padding_idx(%[[PADDING]]) out_of_range(clamp) ins(%[[I]] : {{.*}}) outs(%[[ROWS]], %[[OFFSETS]], %[[POSITIONS]], %[[COUNT]] :
// CHECK: embedding.reduce scale_by_length rows(%[[ROWS]] : memref<?xi64>) positions(%[[POSITIONS]] : {{.*}}) offsets(%[[OFFSETS]] : {{.*}}) count(%[[COUNT]] : {{.*}}) ins(%[[DY]] : {{.*}}) outs(%[[G]] :
// CHECK-DAG: memref.dealloc %[[ROWS]]
// CHECK-DAG: memref.dealloc %[[OFFSETS]]
// CHECK-DAG: memref.dealloc %[[POSITIONS]]
// CHECK-DAG: memref.dealloc %[[COUNT]]
// ATOMIC-LABEL: func @dense_grad
// ATOMIC: embedding.reduce
// IN-ORDER-LABEL: func @dense_grad
// IN-ORDER-NOT: scf.if
// IN-ORDER: embedding.reduce
func.func @dense_grad(%dy: memref<?x?x64xf32>, %i: memref<?x?xi64>, %g: memref<?x64xf32>, %p: index) {
  embedding.dense_grad padding_idx(%p) scale_grad_by_freq out_of_range(clamp)
    ins(%dy, %i : memref<?x?x64xf32>, memref<?x?xi64>) outs(%g : memref<?x64xf32>)
  return
}

// -----

// On tensors, and with the sort and what else the schedule says. A check is the
// group's.
// CHECK-LABEL: func @schedule
// CHECK-SAME: %{{.*}}, %{{.*}}, %[[G:[a-z0-9]*]]: tensor<?x4xf32>
// CHECK: %[[GROUPS:.*]]:4 = embedding.group num_rows(%{{.*}}) padding_idx(-1) {embedding.schedule = #embedding.schedule<grouping = radix_sort, streaming = never>} ins(
// CHECK: %[[SUMS:.*]] = embedding.reduce rows(%[[GROUPS]]#0 : tensor<?xi64>) positions(%[[GROUPS]]#2 : {{.*}}) offsets(%[[GROUPS]]#1 : {{.*}}) count(%[[GROUPS]]#3 : {{.*}}) {embedding.schedule = #embedding.schedule<streaming = never>} ins(%{{.*}} : {{.*}}) outs(%[[G]] :
// CHECK: return %[[SUMS]]
func.func @schedule(%dy: tensor<?x4xf32>, %i: tensor<?xi64>, %g: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = embedding.dense_grad padding_idx(-1)
    {embedding.schedule = #embedding.schedule<grouping = radix_sort, streaming = never>}
    ins(%dy, %i : tensor<?x4xf32>, tensor<?xi64>) outs(%g : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// Where sizes decide, they decide when the code runs.
// CHECK-LABEL: func @scatter
// CHECK-NOT: scf.if
// CHECK: embedding.reduce
// IN-ORDER-LABEL: func @scatter
// IN-ORDER-SAME: %[[DY:[a-z0-9]*]]: tensor<?x4xf32>, %[[I:[a-z0-9]*]]: tensor<?xi64>, %[[G:[a-z0-9]*]]: tensor<?x4xf32>
// IN-ORDER-DAG: %[[C0:.*]] = arith.constant 0 : index
// IN-ORDER-DAG: %[[C2:.*]] = arith.constant 2 : index
// IN-ORDER-DAG: %[[N:.*]] = tensor.dim %[[I]], %[[C0]]
// IN-ORDER-DAG: %[[V:.*]] = tensor.dim %[[G]], %[[C0]]
// IN-ORDER: %[[HALF:.*]] = arith.divui %[[V]], %[[C2]]
// IN-ORDER: %[[IS_FASTER:.*]] = arith.cmpi sle, %[[HALF]], %[[N]]
// IN-ORDER: %[[RESULT:.*]] = scf.if %[[IS_FASTER]]
// IN-ORDER:   %[[SCATTERED:.*]] = embedding.dense_grad {embedding.schedule = #embedding.schedule<grouping = scatter>} ins(%[[DY]], %[[I]] :
// IN-ORDER:   scf.yield %[[SCATTERED]]
// IN-ORDER: } else {
// IN-ORDER:   embedding.group
// IN-ORDER:   %[[REDUCED:.*]] = embedding.reduce
// IN-ORDER:   scf.yield %[[REDUCED]]
// IN-ORDER: return %[[RESULT]]
// MANY-LABEL: func @scatter
// MANY-NOT: scf.if
// MANY: embedding.reduce
// ATOMIC-LABEL: func @scatter
// ATOMIC-NOT: embedding.group
// ATOMIC: embedding.dense_grad {embedding.schedule = #embedding.schedule<grouping = scatter>}
func.func @scatter(%dy: tensor<?x4xf32>, %i: tensor<?xi64>, %g: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = embedding.dense_grad
    ins(%dy, %i : tensor<?x4xf32>, tensor<?xi64>) outs(%g : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// A schedule that asks for a scatter gets it where it is in the order of positions;
// narrow sums would be rounded by each addition.
// CHECK-LABEL: func @asked
// CHECK: embedding.reduce
// MANY-LABEL: func @asked
// MANY-NOT: embedding.group
// MANY: embedding.dense_grad out_of_range(assume) {embedding.schedule = #embedding.schedule<grouping = scatter, unroll = 2>}
// ATOMIC-LABEL: func @asked
// ATOMIC: embedding.reduce
func.func @asked(%dy: memref<?x64xbf16>, %i: memref<?xi64>, %g: memref<?x64xbf16>) {
  embedding.dense_grad out_of_range(assume)
    {embedding.schedule = #embedding.schedule<grouping = scatter, unroll = 2>}
    ins(%dy, %i : memref<?x64xbf16>, memref<?xi64>) outs(%g : memref<?x64xbf16>)
  return
}

// -----

// Rows of no static length are not scattered.
// MANY-LABEL: func @dynamic_rows
// MANY: embedding.reduce
func.func @dynamic_rows(%dy: memref<?x?xf32>, %i: memref<?xi64>, %g: memref<?x?xf32>) {
  embedding.dense_grad out_of_range(assume)
    {embedding.schedule = #embedding.schedule<grouping = scatter>}
    ins(%dy, %i : memref<?x?xf32>, memref<?xi64>) outs(%g : memref<?x?xf32>)
  return
}

// -----

// Rows and their number are those of the groups.
// CHECK-LABEL: func @coalesce
// CHECK-SAME: %[[I:[a-z0-9]*]]: tensor<?xi64>, %[[X:[a-z0-9]*]]: tensor<?x8xf32>, %[[V:[a-z0-9]*]]: index, %[[R:[a-z0-9]*]]: tensor<?xi64>, %[[S:[a-z0-9]*]]: tensor<?x8xf32>, %[[N:[a-z0-9]*]]: tensor<i64>
// CHECK: %[[GROUPS:.*]]:4 = embedding.group num_rows(%[[V]]) ins(%[[I]] : {{.*}}) outs(%[[R]], %{{.*}}, %{{.*}}, %[[N]] :
// CHECK: %[[SUMS:.*]] = embedding.reduce positions(%[[GROUPS]]#2 : {{.*}}) offsets(%[[GROUPS]]#1 : {{.*}}) count(%[[GROUPS]]#3 : {{.*}}) ins(%[[X]] : {{.*}}) outs(%[[S]] :
// CHECK: return %[[GROUPS]]#0, %[[SUMS]], %[[GROUPS]]#3
func.func @coalesce(%i: tensor<?xi64>, %x: tensor<?x8xf32>, %v: index, %r: tensor<?xi64>,
                    %s: tensor<?x8xf32>, %n: tensor<i64>) -> (tensor<?xi64>, tensor<?x8xf32>, tensor<i64>) {
  %0:3 = embedding.coalesce num_rows(%v) ins(%i, %x : tensor<?xi64>, tensor<?x8xf32>)
    outs(%r, %s, %n : tensor<?xi64>, tensor<?x8xf32>, tensor<i64>)
    -> tensor<?xi64>, tensor<?x8xf32>, tensor<i64>
  return %0#0, %0#1, %0#2 : tensor<?xi64>, tensor<?x8xf32>, tensor<i64>
}

// -----

// What a frequency divides by are weights, of the type of sums; the move itself
// checks.
// CHECK-LABEL: func @double_backward
// CHECK: %[[GROUPS:.*]]:4 = embedding.group num_rows(%{{.*}}) padding_idx(0) out_of_range(zero) ins(%[[I:.*]] : tensor<3xi64>)
// CHECK: %[[INIT:.*]] = tensor.empty() : tensor<3xf32>
// CHECK: %[[W:.*]] = embedding.inverse_frequencies ins(%[[GROUPS]]#2, %[[GROUPS]]#1, %[[GROUPS]]#3 : {{.*}}) outs(%[[INIT]] :
// CHECK: embedding.double_backward padding_idx(0) weights(%[[W]] : tensor<3xf32>) ins(%{{.*}}, %[[I]] :
func.func @double_backward(%t: tensor<9x8xf16>, %i: tensor<3xi64>, %o: tensor<3x8xf16>) -> tensor<3x8xf16> {
  %0 = embedding.double_backward padding_idx(0) scale_grad_by_freq
    ins(%t, %i : tensor<9x8xf16>, tensor<3xi64>) outs(%o : tensor<3x8xf16>) -> tensor<3x8xf16>
  return %0 : tensor<3x8xf16>
}

// -----

// CHECK-LABEL: func @sparse_grad
// CHECK: embedding.group num_rows(%[[V:.*]]) out_of_range(assume)
// CHECK: embedding.inverse_frequencies {{.*}} outs(%[[W:.*]] : memref<?xf64>)
// CHECK: embedding.sparse_grad num_rows(%[[V]]) weights(%[[W]] : memref<?xf64>) out_of_range(assume)
// CHECK: memref.dealloc %[[W]]
func.func @sparse_grad(%dy: memref<?x8xf64>, %i: memref<?xi64>, %v: index, %r: memref<?xi64>,
                       %x: memref<?x8xf64>, %n: memref<i64>) {
  embedding.sparse_grad num_rows(%v) scale_grad_by_freq out_of_range(assume)
    ins(%dy, %i : memref<?x8xf64>, memref<?xi64>)
    outs(%r, %x, %n : memref<?xi64>, memref<?x8xf64>, memref<i64>)
  return
}

// -----

// These are moves.
// CHECK-LABEL: func @moves
// CHECK-NEXT: embedding.lookup
// CHECK-NEXT: embedding.renorm_lookup
// CHECK-NEXT: embedding.double_backward
// CHECK-NEXT: return
func.func @moves(%t: memref<9x8xf32>, %i: memref<3xi64>, %o: memref<3x8xf32>) {
  embedding.lookup ins(%t, %i : memref<9x8xf32>, memref<3xi64>) outs(%o : memref<3x8xf32>)
  embedding.renorm_lookup max_norm(1.0) ins(%i : memref<3xi64>) outs(%t, %o : memref<9x8xf32>, memref<3x8xf32>)
  embedding.double_backward padding_idx(0) ins(%t, %i : memref<9x8xf32>, memref<3xi64>) outs(%o : memref<3x8xf32>)
  return
}

// -----

// A table without elements has no gradient.
// CHECK-LABEL: func @empty
// CHECK-NEXT: return
func.func @empty(%dy: memref<3x0xf32>, %i: memref<3xi64>, %g: memref<5x0xf32>) {
  embedding.dense_grad out_of_range(assume) ins(%dy, %i : memref<3x0xf32>, memref<3xi64>)
    outs(%g : memref<5x0xf32>)
  return
}

// -----

// Compositions of other dialects are not this pass's.
// CHECK-LABEL: func @other_dialect
// CHECK-NEXT: linalg.softmax
// CHECK-NEXT: return
func.func @other_dialect(%x: memref<?x?xf32>, %o: memref<?x?xf32>) {
  linalg.softmax dimension(1) ins(%x : memref<?x?xf32>) outs(%o : memref<?x?xf32>)
  return
}

// Bags of sums and means are reductions of lists of indices; of the greatest
// elements, or with a check, they stay.
// CHECK-LABEL: func @bags
// CHECK-SAME: %[[T:[a-z0-9]*]]: memref<?x4xf16>, %[[I:[a-z0-9]*]]: memref<?xi64>, %[[ROWS:[a-z0-9]*]]: memref<?x3xi64>, %[[O:[a-z0-9]*]]: memref<?xi32>, %[[W:[a-z0-9]*]]: memref<?xf16>, %[[Y:[a-z0-9]*]]: memref<?x4xf16>
func.func @bags(%t: memref<?x4xf16>, %i: memref<?xi64>, %rows: memref<?x3xi64>, %o: memref<?xi32>,
                %w: memref<?xf16>, %y: memref<?x4xf16>) {
  // CHECK: embedding.reduce exclude_last_offset indices(%[[I]] : {{.*}}) weights(%[[W]] : {{.*}}) offsets(%[[O]] : {{.*}}) ins(%[[T]] : {{.*}}) outs(%[[Y]] :
  embedding.bag sum assume_offsets out_of_range(assume) ins(%t, %i : memref<?x4xf16>, memref<?xi64>)
    offsets(%o : memref<?xi32>) weights(%w : memref<?xf16>) outs(%y : memref<?x4xf16>)
  // CHECK-NEXT: embedding.reduce mean out_of_range(zero) indices(%[[I]] : {{.*}}) offsets(%[[O]] : {{.*}}) {embedding.schedule = #embedding.schedule<streaming = never>} ins(%[[T]] : {{.*}}) outs(%[[Y]] :
  embedding.bag mean include_last_offset assume_offsets out_of_range(zero)
    {embedding.schedule = #embedding.schedule<streaming = never>}
    ins(%t, %i : memref<?x4xf16>, memref<?xi64>) offsets(%o : memref<?xi32>) outs(%y : memref<?x4xf16>)
  // CHECK: %[[ROW:.*]] = arith.addi %{{.*}}, %c-1
  // CHECK-NEXT: embedding.reduce out_of_range(clamp) padding_row(%[[ROW]]) indices(%[[ROWS]] : {{.*}}) ins(%[[T]] :
  embedding.bag sum padding_idx(-1) out_of_range(clamp) ins(%t, %rows : memref<?x4xf16>, memref<?x3xi64>) outs(%y : memref<?x4xf16>)
  // CHECK-NEXT: embedding.bag max out_of_range(assume)
  embedding.bag max out_of_range(assume) ins(%t, %rows : memref<?x4xf16>, memref<?x3xi64>) outs(%y : memref<?x4xf16>)
  // CHECK-NEXT: embedding.bag sum ins
  embedding.bag sum ins(%t, %rows : memref<?x4xf16>, memref<?x3xi64>) outs(%y : memref<?x4xf16>)
  // CHECK-NEXT: embedding.bag sum out_of_range(zero) ins
  embedding.bag sum out_of_range(zero) ins(%t, %i : memref<?x4xf16>, memref<?xi64>)
    offsets(%o : memref<?xi32>) outs(%y : memref<?x4xf16>)
  return
}
