// RUN: embedding-opt %s --embedding-split-checks | FileCheck %s
// RUN: embedding-opt %s --embedding-split-checks=branch=false | FileCheck %s --check-prefix=FLAT

// CHECK-LABEL: func @tensor
// CHECK-SAME: %[[TABLE:.*]]: tensor<?x64xf32>, %[[INDICES:.*]]: tensor<8x?xi64>, %[[INIT:.*]]: tensor<8x?x64xf32>
func.func @tensor(%table: tensor<?x64xf32>, %indices: tensor<8x?xi64>,
                  %init: tensor<8x?x64xf32>) -> tensor<8x?x64xf32> {
  // CHECK: %[[NUM_ROWS:.*]] = tensor.dim %[[TABLE]]
  // CHECK: %[[POSITION:.*]], %[[INDEX:.*]], %[[COUNT:.*]] = embedding.find_out_of_range %[[INDICES]], %[[NUM_ROWS]]
  // CHECK: embedding.report_out_of_range %[[POSITION]], %[[INDEX]], %[[COUNT]] of %[[NUM_ROWS]], "embedding.lookup: indices"
  // CHECK: %[[NONE:.*]] = arith.constant 0 : i64
  // CHECK: %[[IN_RANGE:.*]] = arith.cmpi eq, %[[COUNT]], %[[NONE]]
  // CHECK: %[[RESULT:.*]] = scf.if %[[IN_RANGE]]
  // CHECK: %[[ROWS:.*]] = embedding.lookup padding_idx(3) out_of_range(assume) {tag = "x"} ins(%[[TABLE]], %[[INDICES]] : {{.*}}) outs(%[[INIT]]
  // CHECK: scf.yield %[[ROWS]]
  // CHECK: else
  // CHECK: scf.yield %[[INIT]]
  // CHECK: return %[[RESULT]]
  // Without a branch the result of a failed check is some row or other.
  // FLAT-LABEL: func @tensor
  // FLAT: embedding.report_out_of_range
  // FLAT-NOT: scf.if
  // FLAT: %[[ROWS:.*]] = embedding.lookup padding_idx(3) out_of_range(clamp) {tag = "x"}
  // FLAT-NEXT: return %[[ROWS]]
  %0 = embedding.lookup padding_idx(3) {tag = "x"}
         ins(%table, %indices : tensor<?x64xf32>, tensor<8x?xi64>)
         outs(%init : tensor<8x?x64xf32>) -> tensor<8x?x64xf32>
  return %0 : tensor<8x?x64xf32>
}

// CHECK-LABEL: func @memref
// CHECK-SAME: %[[TABLE:.*]]: memref<10x64xf32>, %[[INDICES:.*]]: memref<?xi64>, %[[OUT:.*]]: memref<?x64xf32>
func.func @memref(%table: memref<10x64xf32>, %indices: memref<?xi64>,
                  %out: memref<?x64xf32>) {
  // CHECK: %[[NUM_ROWS:.*]] = arith.constant 10 : index
  // CHECK: %[[POSITION:.*]], %[[INDEX:.*]], %[[COUNT:.*]] = embedding.find_out_of_range %[[INDICES]], %[[NUM_ROWS]]
  // CHECK: %[[NONE:.*]] = arith.constant 0 : i64
  // CHECK: %[[IN_RANGE:.*]] = arith.cmpi eq, %[[COUNT]], %[[NONE]]
  // CHECK: scf.if %[[IN_RANGE]]
  // CHECK: embedding.lookup out_of_range(assume) ins(%[[TABLE]], %[[INDICES]] : {{.*}}) outs(%[[OUT]] :
  // CHECK-NOT: else
  embedding.lookup ins(%table, %indices : memref<10x64xf32>, memref<?xi64>)
    outs(%out : memref<?x64xf32>)
  return
}

// CHECK-LABEL: func @others
func.func @others(%table: memref<10x64xf32>, %indices: memref<?xi64>,
                  %out: memref<?x64xf32>) {
  // CHECK-NOT: embedding.find_out_of_range
  embedding.lookup out_of_range(clamp)
    ins(%table, %indices : memref<10x64xf32>, memref<?xi64>)
    outs(%out : memref<?x64xf32>)
  return
}

// Every operation with indices has its check taken out, before it writes.
// CHECK-LABEL: func @training
// CHECK-SAME: %{{.*}}: memref<5x3xf32>, %[[I:[a-z0-9]*]]: memref<2xi64>, {{.*}}, %[[N:[a-z0-9]*]]: index)
func.func @training(%t: memref<5x3xf32>, %i: memref<2xi64>, %dy: memref<2x3xf32>,
                    %r: memref<2xi64>, %c: memref<i64>, %n: index) {
  // CHECK: %{{.*}}, %{{.*}}, %[[COUNT:.*]] = embedding.find_out_of_range %[[I]], %c5
  // CHECK: embedding.report_out_of_range
  // CHECK: %[[IN_RANGE:.*]] = arith.cmpi eq, %[[COUNT]]
  // CHECK: scf.if %[[IN_RANGE]] {
  // CHECK:   embedding.renorm max_norm(1.000000e+00) norm_type(1.000000e+00) out_of_range(assume)
  // A table keeps what it was, so that its update keeps the branch.
  // FLAT-LABEL: func @training
  // FLAT: embedding.report_out_of_range
  // FLAT: scf.if
  // FLAT-NEXT: embedding.renorm {{.*}} out_of_range(assume)
  // FLAT: embedding.report_out_of_range
  // FLAT-NOT: scf.if
  // FLAT: embedding.sparse_grad {{.*}} out_of_range(clamp)
  // FLAT: scf.if
  // FLAT-NEXT: embedding.renorm_lookup {{.*}} out_of_range(assume)
  embedding.renorm max_norm(1.0) norm_type(1.0) ins(%i : memref<2xi64>)
    outs(%t : memref<5x3xf32>)
  // CHECK: %{{.*}}, %{{.*}}, %[[COUNT:.*]] = embedding.find_out_of_range %[[I]], %[[N]]
  // CHECK: %[[IN_RANGE:.*]] = arith.cmpi eq, %[[COUNT]]
  // CHECK: scf.if %[[IN_RANGE]]
  // CHECK:   embedding.sparse_grad num_rows(%[[N]]) padding_idx(1) scale_grad_by_freq out_of_range(assume)
  embedding.sparse_grad num_rows(%n) padding_idx(1) scale_grad_by_freq
    ins(%dy, %i : memref<2x3xf32>, memref<2xi64>)
    outs(%r, %dy, %c : memref<2xi64>, memref<2x3xf32>, memref<i64>)
  return
}

// CHECK-LABEL: func @results_of_several
// CHECK-SAME: %[[T:.*]]: tensor<5x3xf32>, %{{.*}}: tensor<2xi64>, %[[O:.*]]: tensor<2x3xf32>
func.func @results_of_several(%t: tensor<5x3xf32>, %i: tensor<2xi64>, %o: tensor<2x3xf32>)
    -> (tensor<5x3xf32>, tensor<2x3xf32>) {
  // CHECK: %{{.*}}, %{{.*}}, %[[COUNT:.*]] = embedding.find_out_of_range
  // CHECK: %[[IN_RANGE:.*]] = arith.cmpi eq, %[[COUNT]]
  // CHECK: %[[IF:.*]]:2 = scf.if %[[IN_RANGE]] -> (tensor<5x3xf32>, tensor<2x3xf32>)
  // CHECK:   %[[BOTH:.*]]:2 = embedding.renorm_lookup
  // CHECK:   scf.yield %[[BOTH]]#0, %[[BOTH]]#1
  // CHECK: } else {
  // CHECK:   scf.yield %[[T]], %[[O]]
  // CHECK: return %[[IF]]#0, %[[IF]]#1
  %0:2 = embedding.renorm_lookup max_norm(1.0) ins(%i : tensor<2xi64>)
           outs(%t, %o : tensor<5x3xf32>, tensor<2x3xf32>)
           -> tensor<5x3xf32>, tensor<2x3xf32>
  return %0#0, %0#1 : tensor<5x3xf32>, tensor<2x3xf32>
}

// What is bad is in no group, with a branch or without.
// CHECK-LABEL: func @group
// FLAT-LABEL: func @group
// FLAT: embedding.group num_rows(%{{.*}}) out_of_range(zero)
// CHECK: embedding.find_out_of_range
// CHECK: embedding.report_out_of_range
// CHECK-NOT: scf.if
// CHECK: embedding.group num_rows(%{{.*}}) out_of_range(zero)
func.func @group(%i: memref<?xi64>, %n: index, %r: memref<?xi64>, %o: memref<?xi64>,
                 %p: memref<?xi64>, %c: memref<i64>) {
  embedding.group num_rows(%n) ins(%i : memref<?xi64>)
    outs(%r, %o, %p, %c : memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<i64>)
  return
}

// Offsets of bags are checked first, and then the indices that are in bags.
// CHECK-LABEL: func @bag
// CHECK-SAME: %[[T:[a-z0-9]*]]: tensor<?x4xf32>, %[[I:[a-z0-9]*]]: tensor<?xi64>, %[[O:[a-z0-9]*]]: tensor<?xi32>, %[[W:[a-z0-9]*]]: tensor<?xf32>, %[[Y:[a-z0-9]*]]: tensor<?x4xf32>
func.func @bag(%t: tensor<?x4xf32>, %i: tensor<?xi64>, %o: tensor<?xi32>, %w: tensor<?xf32>,
               %y: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK: %[[N:.*]] = tensor.dim %[[I]]
  // CHECK: %[[POSITION:.*]], %[[OFFSET:.*]], %[[COUNT:.*]] = embedding.find_invalid_offset %[[O]], %[[N]]
  // CHECK: %[[LIMIT:.*]] = arith.addi %[[N]], %
  // CHECK: embedding.report_out_of_range %[[POSITION]], %[[OFFSET]], %[[COUNT]] of %[[LIMIT]], "embedding.bag: offsets, which begin with 0 and never decrease"
  // CHECK: %[[VALID:.*]] = arith.cmpi eq, %[[COUNT]],
  // CHECK: %[[RESULT:.*]] = scf.if %[[VALID]]
  // CHECK:   %[[LAST:.*]] = arith.subi
  // CHECK:   %[[END:.*]] = tensor.extract %[[O]][%[[LAST]]]
  // CHECK:   %[[SIZE:.*]] = arith.index_cast %[[END]]
  // CHECK:   %[[INDICES:.*]] = tensor.extract_slice %[[I]][0] [%[[SIZE]]] [1]
  // CHECK:   %[[WEIGHTS:.*]] = tensor.extract_slice %[[W]][0] [%[[SIZE]]] [1]
  // CHECK:   embedding.find_out_of_range %[[INDICES]],
  // CHECK:   "embedding.bag: indices"
  // CHECK:   %[[ROWS:.*]] = scf.if
  // CHECK:     %[[BAGS:.*]] = embedding.bag sum include_last_offset assume_offsets padding_idx(1) out_of_range(assume) ins(%[[T]], %[[INDICES]] : {{.*}}) offsets(%[[O]] : {{.*}}) weights(%[[WEIGHTS]] : {{.*}}) outs(%[[Y]] :
  // CHECK:     scf.yield %[[BAGS]]
  // CHECK:     scf.yield %[[Y]]
  // CHECK:   scf.yield %[[ROWS]]
  // CHECK:   scf.yield %[[Y]]
  // CHECK: return %[[RESULT]]
  %0 = embedding.bag sum include_last_offset padding_idx(1) ins(%t, %i : tensor<?x4xf32>, tensor<?xi64>)
         offsets(%o : tensor<?xi32>) weights(%w : tensor<?xf32>) outs(%y : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// In the other modes it is offsets alone; nothing where they are assumed.
// CHECK-LABEL: func @bags_in_other_modes
func.func @bags_in_other_modes(%t: memref<?x4xf32>, %i: memref<?xi64>, %rows: memref<?x3xi64>, %o: memref<?xi64>,
                               %y: memref<?x4xf32>) {
  // CHECK-NOT: embedding.find_out_of_range
  // CHECK: embedding.find_invalid_offset
  // CHECK: scf.if
  // CHECK: embedding.bag mean assume_offsets out_of_range(zero)
  embedding.bag mean out_of_range(zero) ins(%t, %i : memref<?x4xf32>, memref<?xi64>) offsets(%o : memref<?xi64>)
    outs(%y : memref<?x4xf32>)
  // CHECK-NOT: embedding.find_invalid_offset
  // CHECK: embedding.find_out_of_range
  // CHECK: scf.if
  // CHECK: embedding.bag max out_of_range(assume) ins(%{{.*}} : memref<?x4xf32>, memref<?x3xi64>)
  embedding.bag max ins(%t, %rows : memref<?x4xf32>, memref<?x3xi64>) outs(%y : memref<?x4xf32>)
  // CHECK-NOT: find
  // CHECK: embedding.bag sum assume_offsets out_of_range(clamp)
  embedding.bag sum assume_offsets out_of_range(clamp) ins(%t, %i : memref<?x4xf32>, memref<?xi64>)
    offsets(%o : memref<?xi64>) outs(%y : memref<?x4xf32>)
  return
}
