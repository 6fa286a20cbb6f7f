// What each operation is composed of. That it computes the right thing is tested
// by running it.
// RUN: embedding-opt %s --embedding-decompose-operations=scatter=in-order --convert-embedding-to-loops --canonicalize --split-input-file | FileCheck %s
// RUN: embedding-opt %s --embedding-decompose-operations=scatter=in-order --convert-embedding-to-loops=prefetch=false --split-input-file | FileCheck %s --check-prefix=PLAIN --implicit-check-not=memref.prefetch
// RUN: embedding-opt %s --embedding-decompose-operations=scatter=in-order --convert-embedding-to-loops=prefetch-rows-ahead=3 --canonicalize --split-input-file | FileCheck %s --check-prefix=THREE
// RUN: embedding-opt %s --embedding-decompose-operations="scatter=in-order num-threads=1" --convert-embedding-to-loops --canonicalize --split-input-file | FileCheck %s --check-prefix=SINGLE
// RUN: embedding-opt %s --embedding-decompose-operations="scatter=in-order num-threads=2" --convert-embedding-to-loops --canonicalize --split-input-file | FileCheck %s --check-prefix=PAIR

// A radix sort: pairs, then for each digit counts, their sums and the moves.
// CHECK-LABEL: func @group
// CHECK-SAME: %[[INDICES:.*]]: memref<?xi32>, %{{.*}}: index, %[[ROWS:.*]]: memref<?xi64>, %[[OFFSETS:.*]]: memref<?xi64>, %[[POSITIONS:.*]]: memref<?xi64>, %[[COUNT:.*]]: memref<i64>
func.func @group(%i: memref<?xi32>, %n: index, %r: memref<?xi64>, %o: memref<?xi64>,
                 %p: memref<?xi64>, %c: memref<i64>) {
  // CHECK-NOT: embedding.group
  // CHECK: %[[N:.*]] = memref.dim %[[INDICES]]
  // CHECK: %[[FROM:.*]] = memref.alloc(%[[N]]) : memref<?xi64>
  // CHECK: %[[TO:.*]] = memref.alloc(%[[N]]) : memref<?xi64>
  // CHECK: %[[COUNTERS:.*]] = memref.alloc(%[[BLOCKS:.*]]) : memref<?x1024xi64>
  // CHECK: scf.forall {{.*}} in (%[[BLOCKS]])
  // CHECK:   scf.for %[[P:[a-z0-9]*]] =
  // CHECK:     memref.load %[[INDICES]][%[[P]]]
  // CHECK:     %[[HIGH:.*]] = arith.shli
  // CHECK:     %[[LOW:.*]] = arith.index_cast %[[P]]
  // CHECK:     %[[KEY:.*]] = arith.ori %[[HIGH]], %[[LOW]]
  // CHECK:     memref.store %[[KEY]], %[[FROM]][%[[P]]]
  // CHECK: %[[SORTED:.*]]:2 = scf.for {{.*}} iter_args(%[[IN:.*]] = %[[FROM]], %[[OUT:.*]] = %[[TO]])
  // CHECK:   scf.forall (%[[BLOCK:.*]]) in (%[[BLOCKS]])
  // CHECK:     memref.load %[[IN]]
  // CHECK:     %[[BEFORE:.*]] = memref.load %[[COUNTERS]][%[[BLOCK]], %[[DIGIT:.*]]]
  // CHECK:     %[[AFTER:.*]] = arith.addi %[[BEFORE]], %{{c1.*}}
  // CHECK:     memref.store %[[AFTER]], %[[COUNTERS]][%[[BLOCK]], %[[DIGIT]]]
  // CHECK:   scf.for %[[DIGIT:[a-z0-9]*]] =
  // CHECK:     scf.for %[[BLOCK:[a-z0-9]*]] = {{.*}} iter_args(%[[BEFORE:[a-z0-9]*]] =
  // CHECK:       %[[SIZE:.*]] = memref.load %[[COUNTERS]][%[[BLOCK]], %[[DIGIT]]]
  // CHECK:       memref.store %[[BEFORE]], %[[COUNTERS]][%[[BLOCK]], %[[DIGIT]]]
  // CHECK:       %[[SUM:.*]] = arith.addi %[[BEFORE]], %[[SIZE]]
  // CHECK:       scf.yield %[[SUM]]
  // CHECK:   scf.forall
  // CHECK:     %[[MOVED:.*]] = memref.load %[[IN]]
  // CHECK:     memref.store %[[MOVED]], %[[OUT]]
  // CHECK:   scf.yield %[[OUT]], %[[IN]]
  // CHECK: scf.forall
  // CHECK:   memref.load %[[SORTED]]#0
  // CHECK: %[[TOTALS:.*]]:2 = scf.for
  // CHECK: memref.store %[[TOTALS]]#0, %[[COUNT]][]
  // CHECK: scf.forall
  // CHECK:   scf.for %[[P:[a-z0-9]*]] = {{.*}} iter_args(%[[GROUP:[a-z0-9]*]] =
  // CHECK:     %[[KEY:.*]] = memref.load %[[SORTED]]#0[%[[P]]]
  // CHECK:     %[[POSITION:.*]] = arith.andi %[[KEY]]
  // CHECK:     memref.store %[[POSITION]], %[[POSITIONS]][%[[P]]]
  // CHECK:     %[[ROW:.*]] = arith.shrui
  // CHECK:     memref.store %[[ROW]], %[[ROWS]][%[[GROUP]]]
  // CHECK:     %[[BEGIN:.*]] = arith.index_cast %[[P]]
  // CHECK:     memref.store %[[BEGIN]], %[[OFFSETS]][%[[GROUP]]]
  // CHECK-DAG: memref.dealloc %[[FROM]]
  // CHECK-DAG: memref.dealloc %[[TO]]
  // CHECK-DAG: memref.dealloc %[[COUNTERS]]
  embedding.group num_rows(%n) out_of_range(assume) ins(%i : memref<?xi32>)
    outs(%r, %o, %p, %c : memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<i64>)
  return
}

// -----

// A counting sort: counts of each block, what they say of groups, and moves.
// CHECK-LABEL: func @counting_sort
// CHECK-SAME: %[[INDICES:.*]]: memref<?xi32>, %[[V:.*]]: index, %[[ROWS:.*]]: memref<?xi64>, %[[OFFSETS:.*]]: memref<?xi64>, %[[POSITIONS:.*]]: memref<?xi64>, %[[COUNT:.*]]: memref<i64>
func.func @counting_sort(%i: memref<?xi32>, %n: index, %r: memref<?xi64>, %o: memref<?xi64>,
                         %p: memref<?xi64>, %c: memref<i64>) {
  // CHECK: %[[WIDTH:.*]] = arith.addi %[[V]], %{{c1.*}} : index
  // CHECK: %[[COUNTERS:.*]] = memref.alloc(%[[BLOCKS:.*]], %[[WIDTH]]) : memref<?x?xi64>
  // CHECK: scf.forall (%[[BLOCK:.*]]) in (%[[BLOCKS]])
  // CHECK:   %[[INDEX:.*]] = memref.load %[[INDICES]]
  // CHECK:   %[[ROW:.*]] = arith.index_cast %[[INDEX]]
  // CHECK:   %[[BEFORE:.*]] = memref.load %[[COUNTERS]][%[[BLOCK]], %[[ROW]]]
  // CHECK:   %[[AFTER:.*]] = arith.addi %[[BEFORE]], %{{c1.*}}
  // CHECK:   memref.store %[[AFTER]], %[[COUNTERS]][%[[BLOCK]], %[[ROW]]]
  // CHECK: scf.forall
  // CHECK:   %{{.*}}:2 = scf.for
  // CHECK: %[[TOTALS:.*]]:2 = scf.for
  // CHECK: memref.store %[[TOTALS]]#0, %[[COUNT]][]
  // CHECK: scf.forall
  // CHECK:   scf.for %[[ROW:[a-z0-9]*]] = {{.*}} iter_args(%[[GROUP:[a-z0-9]*]] = {{.*}}, %[[BEGIN:.*]] =
  // CHECK:   %[[NAME:.*]] = arith.index_cast %[[ROW]]
  // CHECK:   memref.store %[[NAME]], %[[ROWS]][%[[GROUP]]]
  // CHECK:   memref.store %[[BEGIN]], %[[OFFSETS]][%[[GROUP]]]
  // CHECK: scf.forall (%[[BLOCK:.*]]) in (%[[BLOCKS]])
  // CHECK:   scf.for %[[P:[a-z0-9]*]] =
  // CHECK:   %[[INDEX:.*]] = memref.load %[[INDICES]][%[[P]]]
  // CHECK:   %[[ROW:.*]] = arith.index_cast %[[INDEX]]
  // CHECK:   %[[NEXT:.*]] = memref.load %[[COUNTERS]][%[[BLOCK]], %[[ROW]]]
  // CHECK-DAG: %[[POSITION:.*]] = arith.index_cast %[[P]]
  // CHECK-DAG: %[[TO:.*]] = arith.index_cast %[[NEXT]]
  // CHECK:   memref.store %[[POSITION]], %[[POSITIONS]][%[[TO]]]
  embedding.group num_rows(%n) out_of_range(assume)
    {embedding.schedule = #embedding.schedule<grouping = counting_sort>}
    ins(%i : memref<?xi32>)
    outs(%r, %o, %p, %c : memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<i64>)
  return
}

// -----

// Of static sizes the cheaper sort: a counting sort for few rows.
// CHECK-LABEL: func @static_sizes
func.func @static_sizes(%i: memref<1000xi32>, %r: memref<1000xi64>, %o: memref<1001xi64>,
                        %p: memref<1000xi64>, %c: memref<i64>) {
  // CHECK: memref.alloc() : memref<1x11xi64>
  %few = arith.constant 10 : index
  embedding.group num_rows(%few) out_of_range(assume) ins(%i : memref<1000xi32>)
    outs(%r, %o, %p, %c : memref<1000xi64>, memref<1001xi64>, memref<1000xi64>, memref<i64>)
  // CHECK: memref.alloc() : memref<1x1024xi64>
  %many = arith.constant 100000 : index
  embedding.group num_rows(%many) out_of_range(assume) ins(%i : memref<1000xi32>)
    outs(%r, %o, %p, %c : memref<1000xi64>, memref<1001xi64>, memref<1000xi64>, memref<i64>)
  return
}

// -----

// The distinct rows, then a norm and a scaled row for each of them.
// CHECK-LABEL: func @renorm
// CHECK-SAME: %[[TABLE:.*]]: memref<?x40xf16>
func.func @renorm(%t: memref<?x40xf16>, %i: memref<?xi64>) {
  // CHECK: %[[MAX_NORM:.*]] = arith.constant 1.0{{.*}} : f64
  // CHECK: scf.forall
  // CHECK:   %[[SUMS:.*]] = memref.alloca() : memref<16xf64>
  // CHECK:   %[[INDEX:.*]] = memref.load
  // CHECK:   %[[K:.*]] = arith.index_cast %[[INDEX]]
  // Two whole pieces in a loop, and the 8 elements that are left.
  // CHECK:   scf.for %[[BEGIN:.*]] = %c0 to %c32 step %c16
  // CHECK:     %[[PIECE:.*]] = memref.subview %[[TABLE]][%[[K]], %[[BEGIN]]] [1, 16] [1, 1]
  // CHECK:     linalg.generic {{.*}} ins(%[[PIECE]] : {{.*}}) outs(%[[SUMS]] :
  // CHECK:     ^bb0(%[[ELEMENT:.*]]: f16, %[[SUM:.*]]: f64):
  // CHECK:       %[[WIDE:.*]] = arith.extf %[[ELEMENT]]
  // CHECK:       %[[SQUARE:.*]] = arith.mulf %[[WIDE]], %[[WIDE]]
  // CHECK:       arith.addf %[[SUM]], %[[SQUARE]]
  // CHECK:   %[[REST:.*]] = memref.subview %[[TABLE]][%[[K]], 32] [1, 8] [1, 1]
  // CHECK:   %[[SOME_SUMS:.*]] = memref.subview %[[SUMS]][0] [8] [1]
  // CHECK:   linalg.generic {{.*}} ins(%[[REST]] : {{.*}}) outs(%[[SOME_SUMS]] :
  // CHECK:   %[[TOTAL:.*]] = memref.load %[[SUMS]][%c0]
  // CHECK:   math.sqrt %[[TOTAL]]
  // CHECK:   %[[NORM:.*]] = arith.extf {{.*}} : f16 to f64
  // CHECK:   %[[IS_LONG:.*]] = arith.cmpf ogt, %[[NORM]], %[[MAX_NORM]] : f64
  // CHECK:   scf.if %[[IS_LONG]]
  // CHECK:     arith.divf
  // CHECK:     %[[ROW:.*]] = memref.subview %[[TABLE]][%[[K]], 0] [1, 40] [1, 1]
  // CHECK:     linalg.generic {{.*}} outs(%[[ROW]] :
  embedding.renorm max_norm(1.0) out_of_range(assume)
    ins(%i : memref<?xi64>) outs(%t : memref<?x40xf16>)
  return
}

// -----

// A bit for each row says which are distinct, and one for naming none, so that there
// is a word more than V / 64 even where 64 divides V; no sort.
// CHECK-LABEL: func @bitmap
// CHECK-SAME: %[[TABLE:[a-z0-9]*]]: memref<?x16xf32>, %[[INDICES:[a-z0-9]*]]: memref<?xi64>
func.func @bitmap(%t: memref<?x16xf32>, %i: memref<?xi64>) {
  // CHECK-NOT: memref<?x1024xi64>
  // CHECK-DAG: %[[NO_ROW:.*]] = arith.constant 0 : i64
  // CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
  // CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : index
  // CHECK-DAG: %[[FIRST:.*]] = arith.constant 0 : index
  // CHECK: %[[V:.*]] = memref.dim %[[TABLE]], %[[FIRST]]
  // CHECK: %[[WHOLE:.*]] = arith.divui %[[V]], %[[C64]]
  // CHECK: %[[WORDS:.*]] = arith.addi %[[WHOLE]], %[[ONE]]
  // CHECK: %[[BITMAP:.*]] = memref.alloc(%[[WORDS]]) : memref<?xi64>
  // CHECK: linalg.fill {{.*}}ins(%[[NO_ROW]] : i64) outs(%[[BITMAP]] : memref<?xi64>)
  // CHECK: %[[DISTINCT:.*]]:2 = scf.for %[[P:[a-z0-9]*]] = {{.*}} iter_args(%[[NEXT:[a-z0-9]*]] =
  // CHECK:   %[[INDEX:.*]] = memref.load %[[INDICES]][%[[P]]]
  // CHECK:   %[[K:.*]] = arith.index_cast %[[INDEX]]
  // CHECK:   %[[WORD:.*]] = arith.divui %[[K]], %[[C64]]
  // CHECK:   %[[BIT:.*]] = arith.shli
  // CHECK:   %[[BEFORE:.*]] = memref.load %[[BITMAP]][%[[WORD]]]
  // CHECK:   %[[AFTER:.*]] = arith.ori %[[BEFORE]], %[[BIT]] : i64
  // CHECK:   memref.store %[[AFTER]], %[[BITMAP]][%[[WORD]]]
  // CHECK:   %[[WAS:.*]] = arith.andi %[[BEFORE]], %[[BIT]]
  // CHECK:   %[[IS_NEW:.*]] = arith.cmpi eq, %[[WAS]], %[[NO_ROW]]
  // CHECK:   memref.store %[[INDEX]], %[[ROWS:.*]][%[[NEXT]]]
  // CHECK:   %[[STEP:.*]] = arith.index_castui %[[IS_NEW]]
  // CHECK:   arith.addi %[[NEXT]], %[[STEP]]
  // CHECK: scf.forall
  // CHECK:   memref.load %[[ROWS]]
  // CHECK:   math.sqrt
  embedding.renorm max_norm(1.0) out_of_range(assume)
    {embedding.schedule = #embedding.schedule<grouping = bitmap>}
    ins(%i : memref<?xi64>) outs(%t : memref<?x16xf32>)
  return
}

// -----

// No square root where there is no square, and powers without a library.
// CHECK-LABEL: func @norm_types
func.func @norm_types(%t: memref<?x16xf32>, %i: memref<?xi64>) {
  // CHECK-NOT: math.sqrt
  // CHECK: arith.maximumf
  // CHECK-NOT: math.fma
  embedding.renorm max_norm(1.0) norm_type(0x7FF0000000000000) out_of_range(assume)
    ins(%i : memref<?xi64>) outs(%t : memref<?x16xf32>)
  // CHECK: math.fma
  embedding.renorm max_norm(1.0) norm_type(3.0) out_of_range(assume)
    ins(%i : memref<?xi64>) outs(%t : memref<?x16xf32>)
  return
}

// -----

// Group, sums of the chunks of long groups, then gaps and sums in one walk.
// CHECK-LABEL: func @dense_grad
// CHECK-SAME: %[[DY:.*]]: memref<?x64xbf16>, %{{.*}}: memref<?xi64>, %[[GRAD:.*]]: memref<?x64xbf16>
func.func @dense_grad(%dy: memref<?x64xbf16>, %i: memref<?xi64>, %g: memref<?x64xbf16>) {
  // CHECK: %[[PARTIALS:.*]] = memref.alloc(%{{.*}}) : memref<?x64xf32>
  // CHECK: scf.forall
  // CHECK:   %[[SUM:.*]] = memref.alloca() : memref<64xf32>
  // CHECK:   linalg.fill {{.*}} outs(%[[SUM]] :
  // CHECK:   %[[DY_ROW:.*]] = memref.subview %[[DY]]
  // CHECK:   linalg.generic {{.*}} ins(%[[DY_ROW]] : {{.*}}) outs(%[[SUM]] :
  // CHECK:   ^bb0(%[[GRADIENT:.*]]: bf16, %[[BEFORE:.*]]: f32):
  // CHECK:     %[[WIDE:.*]] = arith.extf %[[GRADIENT]] : bf16 to f32
  // CHECK:     arith.addf %[[BEFORE]], %[[WIDE]] : f32
  // CHECK:   %[[PARTIAL:.*]] = memref.subview %[[PARTIALS]]
  // CHECK:   linalg.copy ins(%[[SUM]] : {{.*}}) outs(%[[PARTIAL]] :
  // CHECK: scf.forall
  // CHECK:   %[[SUM:.*]] = memref.alloca() : memref<64xf32>
  // CHECK:   scf.for {{.*}} iter_args(%[[BEGIN:[a-z0-9]*]] = {{.*}}) -> (index)
  // CHECK:     %[[ROW_INDEX:.*]] = memref.load
  // CHECK:     %[[ROW:.*]] = arith.index_cast %[[ROW_INDEX]]
  // The gap before a row, which embedding-stream-stores may stream.
  // CHECK:     %[[LENGTH:.*]] = arith.subi %[[ROW]], %[[BEGIN]]
  // CHECK:     %[[GAP:.*]] = memref.subview %[[GRAD]][%[[BEGIN]], 0] [%[[LENGTH]], 64] [1, 1]
  // CHECK:     linalg.fill {{.*}} outs(%[[GAP]]
  // CHECK:     %[[GRAD_ROW:.*]] = memref.subview %[[GRAD]][%[[ROW]], 0] [1, 64] [1, 1]
  // CHECK:     linalg.generic {{.*}} ins(%[[SUM]] : {{.*}}) outs(%[[GRAD_ROW]] :
  // CHECK:       arith.truncf {{.*}} : f32 to bf16
  // CHECK-NOT: nontemporal
  // CHECK-NOT: memref.prefetch
  // CHECK-NOT: llvm.fence
  // CHECK: return
  embedding.dense_grad out_of_range(assume) ins(%dy, %i : memref<?x64xbf16>, memref<?xi64>)
    outs(%g : memref<?x64xbf16>)
  return
}

// -----

// Gradients are added in the order of positions, to sums that are where they
// belong or in slots behind; rows without any are cleared at the end.
// PLAIN-LABEL: func @scatter
// THREE-LABEL: func @scatter
// THREE-SAME: %{{.*}}, %[[INDICES:.*]]: memref<?xi64>, %[[GRAD:.*]]: memref<?x64xf32>
// THREE: %[[AHEAD:.*]] = arith.constant 3 : index
// THREE: scf.for %[[P:[a-z0-9]*]] = {{.*}} iter_args
// THREE: %[[LATER:.*]] = arith.addi %[[P]], %[[AHEAD]] : index
// THREE: %[[NO_LATER:.*]] = arith.minsi %[[LATER]]
// THREE: %[[INDEX:.*]] = memref.load %[[INDICES]][%[[NO_LATER]]]
// THREE: %[[ROW:.*]] = arith.index_cast %[[INDEX]]
// THREE: memref.prefetch %[[GRAD]][%[[ROW]],
// CHECK-LABEL: func @scatter
// CHECK-SAME: %[[DY:.*]]: memref<?x64xf32>, %[[INDICES:.*]]: memref<?xi64>, %[[GRAD:.*]]: memref<?x64xf32>
func.func @scatter(%dy: memref<?x64xf32>, %i: memref<?xi64>, %g: memref<?x64xf32>) {
  // CHECK-NOT: scf.forall
  // CHECK: %[[LATER:.*]] = memref.alloc({{.*}}) : memref<?x64xf32>
  // CHECK: scf.for %[[P:[a-z0-9]*]] = {{.*}} iter_args
  // CHECK:   memref.prefetch %[[GRAD]]{{.*}}, write
  // CHECK:   memref.load %[[INDICES]][%[[P]]]
  // CHECK:   %[[DY_ROW:.*]] = memref.subview %[[DY]][%[[P]], 0]
  // CHECK:   %[[SLOT:.*]] = memref.subview %[[LATER]]
  // CHECK:   %[[GRAD_ROW:.*]] = memref.subview %[[GRAD]]
  // CHECK:   %[[SUM:.*]] = arith.select {{.*}}, %[[GRAD_ROW]], %[[SLOT]] : memref<64xf32
  // CHECK:   linalg.generic {{.*}} ins(%[[DY_ROW]] : {{.*}}) outs(%[[SUM]] :
  // CHECK:     arith.addf
  // CHECK: scf.for %[[ROW:[a-z0-9]*]] =
  // CHECK:   %[[GRAD_ROW:.*]] = memref.subview %[[GRAD]][%[[ROW]], 0]
  // CHECK:   linalg.fill {{.*}} outs(%[[GRAD_ROW]] :
  // CHECK-NOT: scf.forall
  // CHECK: memref.dealloc %[[LATER]]
  // CHECK-COUNT-3: memref.dealloc
  // CHECK-NOT: scf.forall
  // CHECK: return
  embedding.dense_grad out_of_range(assume)
    {embedding.schedule = #embedding.schedule<grouping = scatter>}
    ins(%dy, %i : memref<?x64xf32>, memref<?xi64>) outs(%g : memref<?x64xf32>)
  return
}

// -----

// The row is copied out where it was shortened.
// CHECK-LABEL: func @renorm_lookup
// CHECK-SAME: %[[TABLE:[a-z0-9]*]]: memref<?x8xf32>, %{{.*}}: memref<?xi64>, %[[OUT:[a-z0-9]*]]: memref<?x8xf32>
func.func @renorm_lookup(%t: memref<?x8xf32>, %i: memref<?xi64>, %o: memref<?x8xf32>) {
  // CHECK: math.sqrt
  // CHECK: scf.if
  // CHECK:   %[[SHORTENED:.*]] = memref.subview %[[TABLE]][%[[K:.*]], 0] [1, 8] [1, 1]
  // CHECK:   linalg.generic {{.*}} outs(%[[SHORTENED]] :
  // CHECK: %[[ROW:.*]] = memref.subview %[[TABLE]][%[[K]], 0] [1, 8] [1, 1]
  // CHECK: %[[DEST:.*]] = memref.subview %[[OUT]]
  // CHECK: linalg.copy ins(%[[ROW]] : {{.*}}) outs(%[[DEST]] :
  embedding.renorm_lookup max_norm(1.0) out_of_range(assume) ins(%i : memref<?xi64>)
    outs(%t, %o : memref<?x8xf32>, memref<?x8xf32>)
  return
}

// -----

// Tables without rows or with empty ones.
// CHECK-LABEL: func @empty
// CHECK-SAME: %{{.*}}, %{{.*}}, %{{.*}}, %[[OUT:.*]]: memref<3x8xf32>, %{{.*}})
func.func @empty(%none: memref<0x8xf32>, %narrow: memref<5x0xf32>, %i: memref<3xi64>,
                 %o: memref<3x8xf32>, %dy: memref<3x8xf32>) {
  // CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.0
  // CHECK-NEXT: scf.forall
  // CHECK: %[[ROW:.*]] = memref.subview %[[OUT]]
  // CHECK: linalg.fill ins(%[[ZERO]] : f32) outs(%[[ROW]] :
  // CHECK-NOT: memref.alloc
  // CHECK: return
  embedding.renorm max_norm(1.0) out_of_range(zero)
    ins(%i : memref<3xi64>) outs(%none : memref<0x8xf32>)
  embedding.renorm max_norm(1.0) out_of_range(zero)
    ins(%i : memref<3xi64>) outs(%narrow : memref<5x0xf32>)
  embedding.renorm_lookup max_norm(1.0) out_of_range(zero) ins(%i : memref<3xi64>)
    outs(%none, %o : memref<0x8xf32>, memref<3x8xf32>)
  embedding.dense_grad out_of_range(zero) ins(%dy, %i : memref<3x8xf32>, memref<3xi64>)
    outs(%none : memref<0x8xf32>)
  return
}

// -----

// A dimension of 0 among those of the indices, or of what has a row for each:
// gradients are zeros, counts are 0, and tables stay what they are.
// CHECK-LABEL: func @no_indices
// CHECK-SAME: %[[GRAD:[a-z0-9]*]]: memref<?x8xf32>
// CHECK-SAME: %[[OFFSETS:[a-z0-9]*]]: memref<?xi64>, %[[COUNT:[a-z0-9]*]]: memref<i64>
func.func @no_indices(%t: memref<?x8xf32>, %n: index, %i: memref<?x0xi64>, %j: memref<0x5xi32>,
                      %k: memref<?x?xi64>, %dy: memref<?x0x8xf32>, %out: memref<?x?x8xf32>,
                      %rows: memref<?xi64>, %values: memref<?x8xf32>,
                      %offsets: memref<?xi64>, %count: memref<i64>,
                      %no_values: memref<0x8xf32>, %l: memref<0xi64>) {
  // CHECK-DAG: %[[NONE:.*]] = arith.constant 0 : i64
  // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.0
  // CHECK-NOT: scf
  // CHECK: linalg.fill ins(%[[ZERO]] : f32) outs(%[[GRAD]]
  // CHECK-NEXT: memref.store %[[NONE]], %[[COUNT]]
  // CHECK-NEXT: memref.store %[[NONE]], %[[COUNT]]
  // CHECK-NEXT: memref.store %[[NONE]], %[[COUNT]]
  // CHECK-NEXT: memref.store %[[NONE]], %[[OFFSETS]]
  // CHECK-NEXT: return
  embedding.dense_grad out_of_range(assume) ins(%dy, %i : memref<?x0x8xf32>, memref<?x0xi64>)
    outs(%t : memref<?x8xf32>)
  embedding.renorm max_norm(1.0) out_of_range(assume) ins(%j : memref<0x5xi32>)
    outs(%t : memref<?x8xf32>)
  embedding.renorm_lookup max_norm(1.0) out_of_range(assume) ins(%i : memref<?x0xi64>)
    outs(%t, %out : memref<?x8xf32>, memref<?x?x8xf32>)
  embedding.renorm_lookup max_norm(1.0) out_of_range(assume) ins(%k : memref<?x?xi64>)
    outs(%t, %dy : memref<?x8xf32>, memref<?x0x8xf32>)
  embedding.double_backward padding_idx(0) out_of_range(assume)
    ins(%t, %k : memref<?x8xf32>, memref<?x?xi64>) outs(%dy : memref<?x0x8xf32>)
  embedding.double_backward padding_idx(0) out_of_range(assume)
    ins(%t, %j : memref<?x8xf32>, memref<0x5xi32>) outs(%out : memref<?x?x8xf32>)
  embedding.sparse_grad num_rows(%n) out_of_range(assume)
    ins(%dy, %k : memref<?x0x8xf32>, memref<?x?xi64>)
    outs(%rows, %values, %count : memref<?xi64>, memref<?x8xf32>, memref<i64>)
  embedding.coalesce num_rows(%n) out_of_range(assume)
    ins(%l, %no_values : memref<0xi64>, memref<0x8xf32>)
    outs(%rows, %values, %count : memref<?xi64>, memref<?x8xf32>, memref<i64>)
  embedding.group num_rows(%n) out_of_range(assume) ins(%i : memref<?x0xi64>)
    outs(%rows, %offsets, %rows, %count : memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<i64>)
  return
}

// -----

// Of sizes that are not known the sort is chosen when the code runs.
// CHECK-LABEL: func @dynamic_sizes
// CHECK-SAME: %[[INDICES:.*]]: memref<?xi32>, %[[V:[a-z0-9]*]]: index,
func.func @dynamic_sizes(%i: memref<?xi32>, %n: index, %r: memref<?xi64>, %o: memref<?xi64>,
                         %p: memref<?xi64>, %c: memref<i64>) {
  // CHECK-DAG: %[[LARGEST:.*]] = arith.constant 262144 : index
  // CHECK: %[[N:.*]] = memref.dim %[[INDICES]]
  // CHECK: %[[IS_SMALL:.*]] = arith.cmpi sle, %[[V]], %[[N]]
  // CHECK: %[[FITS:.*]] = arith.cmpi sle, %[[V]], %[[LARGEST]]
  // CHECK: %[[COUNTS:.*]] = arith.andi %[[IS_SMALL]], %[[FITS]]
  // CHECK: scf.if %[[COUNTS]] {
  // CHECK:   memref.alloc(%{{.*}}) : memref<?x?xi64>
  // CHECK: } else {
  // CHECK:   memref.alloc(%{{.*}}) : memref<?x1024xi64>
  // CHECK: return
  embedding.group num_rows(%n) out_of_range(assume) ins(%i : memref<?xi32>)
    outs(%r, %o, %p, %c : memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<i64>)
  return
}

// -----

// CHECK-LABEL: func @dynamic_distinct
// CHECK-SAME: %[[TABLE:[a-z0-9]*]]: memref<?x8xf32>, %[[INDICES:[a-z0-9]*]]: memref<?xi64>
func.func @dynamic_distinct(%t: memref<?x8xf32>, %i: memref<?xi64>) {
  // CHECK-DAG: %[[ROWS_OF_A_POSITION:.*]] = arith.constant 2048 : index
  // CHECK-DAG: %[[V:.*]] = memref.dim %[[TABLE]]
  // CHECK-DAG: %[[N:.*]] = memref.dim %[[INDICES]]
  // CHECK: %[[SHARE:.*]] = arith.divui %[[V]], %[[ROWS_OF_A_POSITION]]
  // CHECK: %[[IS_BITMAP:.*]] = arith.cmpi sle, %[[SHARE]], %[[N]]
  // CHECK: %[[SIZE:.*]] = scf.if %[[IS_BITMAP]] -> (index) {
  // CHECK:   arith.ori {{.*}} : i64
  // CHECK: } else {
  // CHECK:   memref<?x1024xi64>
  // CHECK: }
  // CHECK: math.sqrt
  embedding.renorm max_norm(1.0) out_of_range(assume)
    ins(%i : memref<?xi64>) outs(%t : memref<?x8xf32>)
  return
}

// -----

// A scatter of so short rows is faster on one thread; how many there are is not
// known, unless an option says it.
// CHECK-LABEL: func @dynamic_reduction
// CHECK-NOT: arith.divui {{.*}} : index
// CHECK: memref<?x1024xi64>
// SINGLE-LABEL: func @dynamic_reduction
// SINGLE-SAME: %{{.*}}: memref<?x64xf32>, %[[INDICES:[a-z0-9]*]]: memref<?xi64>, %[[GRAD:[a-z0-9]*]]: memref<?x64xf32>
func.func @dynamic_reduction(%dy: memref<?x64xf32>, %i: memref<?xi64>, %g: memref<?x64xf32>) {
  // SINGLE-DAG: %[[TWO:.*]] = arith.constant 2 : index
  // SINGLE-DAG: %[[V:.*]] = memref.dim %[[GRAD]]
  // SINGLE-DAG: %[[N:.*]] = memref.dim %[[INDICES]]
  // SINGLE: %[[HALF:.*]] = arith.divui %[[V]], %[[TWO]]
  // SINGLE: %[[SCATTERS:.*]] = arith.cmpi sle, %[[HALF]], %[[N]]
  // SINGLE: scf.if %[[SCATTERS]] {
  // SINGLE-NOT: memref<?x1024xi64>
  // SINGLE: } else {
  // SINGLE: memref<?x1024xi64>
  embedding.dense_grad out_of_range(assume)
    ins(%dy, %i : memref<?x64xf32>, memref<?xi64>) outs(%g : memref<?x64xf32>)
  return
}

// -----

// Rows that one thread would scatter, and two would not.
// SINGLE-LABEL: func @longer_rows
// SINGLE: memref.prefetch
// SINGLE-LABEL: func @too_long_rows
// SINGLE-NOT: memref.prefetch
// PAIR-LABEL: func @longer_rows
// PAIR-NOT: memref.prefetch
func.func @longer_rows(%dy: memref<?x64xf32>, %i: memref<?xi64>, %g: memref<?x64xf32>) {
  embedding.dense_grad out_of_range(assume)
    ins(%dy, %i : memref<?x64xf32>, memref<?xi64>) outs(%g : memref<?x64xf32>)
  return
}
func.func @too_long_rows(%dy: memref<?x65xf32>, %i: memref<?xi64>, %g: memref<?x65xf32>) {
  embedding.dense_grad out_of_range(assume)
    ins(%dy, %i : memref<?x65xf32>, memref<?xi64>) outs(%g : memref<?x65xf32>)
  return
}
