// RUN: embedding-opt %s -split-input-file -embedding-decompose-operations -convert-embedding-to-gpu -canonicalize -cse | FileCheck %s
// RUN: embedding-opt %s -split-input-file -embedding-decompose-operations -convert-embedding-to-gpu=row-alignment=4 -canonicalize -cse | FileCheck %s --check-prefix=ALIGN4
// RUN: embedding-opt %s -split-input-file -embedding-decompose-operations=scatter=atomic -convert-embedding-to-gpu=vector-atomics -canonicalize -cse | FileCheck %s --check-prefix=ATOMIC
// RUN: embedding-opt %s -split-input-file -embedding-decompose-operations=scatter=atomic -convert-embedding-to-gpu -canonicalize -cse | FileCheck %s --check-prefix=SCALAR

// 16 threads share a row of 256 bytes, and have 4 rows in flight: a block takes
// 64. All loads come before the first store.

// CHECK-LABEL: gpu.func @lookup(
// CHECK-SAME:    %[[INDICES:[a-z0-9]*]]: memref<i64> {llvm.noalias, llvm.readonly}
// CHECK-SAME:    %[[TABLE:[a-z0-9]*]]: memref<f32> {llvm.noalias, llvm.readonly}
// CHECK-SAME:    %[[OUT:[a-z0-9]*]]: memref<f32> {llvm.noalias})
// CHECK-DAG:     %[[ROWS:.*]] = memref.reinterpret_cast %[[TABLE]]
// CHECK-DAG:     %[[K:.*]] = memref.reinterpret_cast %[[INDICES]]
// CHECK-DAG:     %[[WHOLE_OUT:.*]] = memref.reinterpret_cast %[[OUT]]
// CHECK-DAG:     %[[COPIES:.*]] = memref.cast %[[WHOLE_OUT]]
// CHECK:         %[[INDEX:.*]] = memref.load %[[K]]
// CHECK:         %[[ROW:.*]] = arith.index_cast %[[INDEX]]
// CHECK:         %[[BEGIN:.*]] = arith.muli %[[ROW]], %c64
// CHECK:         %[[PLACE:.*]] = arith.addi %[[BEGIN]]
// CHECK-NOT:     llvm.inline_asm
// CHECK:         %[[A:.*]] = vector.load %[[ROWS]][%[[PLACE]]] {alignment = 16 : i64} : {{.*}}, vector<4xf32>
// CHECK-NOT:     llvm.inline_asm
// CHECK:         %[[B:.*]] = vector.load %[[ROWS]]{{.*}} {alignment = 16 : i64} : {{.*}}, vector<4xf32>
// CHECK-NOT:     llvm.inline_asm
// CHECK:         %[[C:.*]] = vector.load %[[ROWS]]{{.*}} {alignment = 16 : i64} : {{.*}}, vector<4xf32>
// CHECK-NOT:     llvm.inline_asm
// CHECK:         %[[D:.*]] = vector.load %[[ROWS]]{{.*}} {alignment = 16 : i64} : {{.*}}, vector<4xf32>
// CHECK:         %[[BITS:.*]] = vector.bitcast %[[A]] : vector<4xf32> to vector<4xi32>
// CHECK:         memref.extract_aligned_pointer_as_index %[[COPIES]]
// CHECK:         %[[X:.*]] = vector.extract %[[BITS]][0]
// CHECK:         %[[Y:.*]] = vector.extract %[[BITS]][1]
// CHECK:         %[[Z:.*]] = vector.extract %[[BITS]][2]
// CHECK:         %[[W:.*]] = vector.extract %[[BITS]][3]
// CHECK:         llvm.inline_asm {{.*}} "st.global.cs.v4.b32 {{.*}}, %[[X]], %[[Y]], %[[Z]], %[[W]] :
// CHECK:         vector.bitcast %[[B]]
// CHECK:         llvm.inline_asm {{.*}} "st.global.cs.v4.b32
// CHECK:         vector.bitcast %[[C]]
// CHECK:         llvm.inline_asm {{.*}} "st.global.cs.v4.b32
// CHECK:         vector.bitcast %[[D]]
// CHECK:         llvm.inline_asm {{.*}} "st.global.cs.v4.b32
// CHECK:       } else {
// CHECK:         scf.for
// CHECK-NOT:   atomicrmw
// CHECK:       gpu.return

// CHECK-LABEL: func.func @assume
// CHECK-SAME:    %{{.*}}: memref<?x64xf32>, %[[INDICES:.*]]: memref<?xi64>
// CHECK:         %[[N:.*]] = memref.dim %[[INDICES]]
// CHECK:         %[[BLOCKS:.*]] = arith.ceildivui %[[N]], %c64
// CHECK:         %[[GRID:.*]] = arith.maxsi %[[BLOCKS]], %c1
// CHECK:         gpu.launch_func @embedding_kernels::@lookup blocks in (%[[GRID]], %c1, %c1) threads in (%c256, %c1, %c1)

// ALIGN4-LABEL: gpu.func @lookup(
// ALIGN4-NOT:     vector.load
// ALIGN4:         memref.load {{.*}} : memref<{{.*}}xf32
// ALIGN4:         "st.global.cs.b32
func.func @assume(%table: memref<?x64xf32>, %indices: memref<?xi64>,
                  %out: memref<?x64xf32>) {
  embedding.lookup out_of_range(assume)
    ins(%table, %indices : memref<?x64xf32>, memref<?xi64>)
    outs(%out : memref<?x64xf32>)
  return
}

// -----

// A bad index is counted, and written under a lock.

// CHECK-LABEL: gpu.func @lookup(
// CHECK-SAME:    %[[REPORT:[a-z0-9]*]]: !llvm.ptr)
// CHECK:         %[[IS_BAD:.*]] = arith.cmpi uge, %[[K:.*]], %c100
// CHECK:         scf.if %[[IS_BAD]]
// CHECK:         %[[POSITION:.*]] = arith.index_cast
// CHECK:         %[[VALUE:.*]] = arith.index_cast %[[K]]
// CHECK:         %[[COUNT:.*]] = llvm.getelementptr %[[REPORT]][2]
// CHECK:         llvm.atomicrmw add %[[COUNT]], %c1_i64 syncscope("device")
// CHECK:         scf.while
// CHECK:           %[[LOCK:.*]] = llvm.getelementptr %[[REPORT]][3]
// CHECK:           %[[HELD:.*]] = llvm.atomicrmw xchg %[[LOCK]], %c1_i64 syncscope("device")
// CHECK:           %[[WAITS:.*]] = arith.cmpi ne, %[[HELD]], %c0_i64
// CHECK:           scf.condition(%[[WAITS]])
// CHECK:         llvm.fence syncscope("device") acq_rel
// CHECK:         %[[FIRST:.*]] = llvm.load volatile %[[REPORT]]
// CHECK:         %[[IS_BEFORE:.*]] = arith.cmpi slt, %[[POSITION]], %[[FIRST]]
// CHECK:         scf.if %[[IS_BEFORE]]
// CHECK:           %[[INDEX:.*]] = llvm.getelementptr %[[REPORT]][1]
// CHECK:           llvm.store volatile %[[VALUE]], %[[INDEX]]
// CHECK:           llvm.store volatile %[[POSITION]], %[[REPORT]]
// CHECK:         llvm.fence syncscope("device") acq_rel
// CHECK:         %[[LOCK:.*]] = llvm.getelementptr %[[REPORT]][3]
// CHECK:         llvm.atomicrmw xchg %[[LOCK]], %c0_i64 syncscope("device")
// CHECK:       func.func private @embedding_get_out_of_range_report() -> !llvm.ptr
// CHECK-LABEL: func.func @check
// CHECK:         %[[REPORT:.*]] = call @embedding_get_out_of_range_report
// CHECK:         gpu.launch_func {{.*}} args({{.*}}%[[REPORT]] : !llvm.ptr)
func.func @check(%table: memref<100x8xf16>, %indices: memref<4x5xi32>,
                 %out: memref<4x5x8xf16>) {
  embedding.lookup ins(%table, %indices : memref<100x8xf16>, memref<4x5xi32>)
    outs(%out : memref<4x5x8xf16>)
  return
}

// -----

// Rows begin at multiples of 8 bytes, as the offset of the table has it.

// CHECK-LABEL: gpu.func @lookup(
// CHECK-SAME:    %[[TABLE:[a-z0-9]*]]: memref<f32> {llvm.noalias, llvm.readonly}
// CHECK:         %[[ROWS:.*]] = memref.reinterpret_cast %[[TABLE]]
// CHECK:         vector.load %[[ROWS]]{{.*}} {alignment = 8 : i64} {{.*}} vector<2xf32>
// CHECK-NOT:     vector<4xf32>
// CHECK-LABEL: func.func @offset
func.func @offset(%table: memref<?x64xf32, strided<[64, 1], offset: 2>>,
                  %indices: memref<?xi64>, %out: memref<?x64xf32>) {
  embedding.lookup out_of_range(assume)
    ins(%table, %indices
        : memref<?x64xf32, strided<[64, 1], offset: 2>>, memref<?xi64>)
    outs(%out : memref<?x64xf32>)
  return
}

// -----

// No grid is of size 0: one block is launched that does nothing.

// CHECK-LABEL: gpu.func @lookup(
// CHECK-SAME:    %[[BLOCKS:.*]]: index, %{{.*}}: memref<i32>
// CHECK:         %[[BLOCK:.*]] = gpu.block_id x
// CHECK-NEXT:    %[[HAS_WORK:.*]] = arith.cmpi slt, %[[BLOCK]], %[[BLOCKS]]
// CHECK-NEXT:    scf.if %[[HAS_WORK]] {
// CHECK-LABEL: func.func @empty
// CHECK:         gpu.launch_func {{.*}} blocks in (%c1, %c1, %c1) {{.*}} args(%c0 : index,
func.func @empty(%table: memref<100x8xf32>, %indices: memref<0xi32>,
                 %out: memref<0x8xf32>) {
  embedding.lookup out_of_range(zero)
    ins(%table, %indices : memref<100x8xf32>, memref<0xi32>)
    outs(%out : memref<0x8xf32>)
  return
}

// -----

// CHECK-LABEL: gpu.func @check(
// CHECK:         llvm.atomicrmw add
// CHECK-LABEL: func.func @report
// CHECK-SAME:    %[[INDICES:.*]]: memref<?xi64>, %[[NUM_ROWS:.*]]: index
// CHECK-NOT:     embedding.
// CHECK:         %[[REPORT:.*]] = call @embedding_get_out_of_range_report
// CHECK:         %[[BUFFER:[a-z0-9_]*]], %{{.*}} = memref.extract_strided_metadata %[[INDICES]]
// CHECK:         gpu.launch_func @embedding_kernels::@check {{.*}}, %[[BUFFER]] : memref<i64>, %[[NUM_ROWS]] : index, %[[REPORT]] : !llvm.ptr)
func.func @report(%indices: memref<?xi64>, %num_rows: index) {
  %position, %index, %count =
    embedding.find_out_of_range %indices, %num_rows : memref<?xi64>
  embedding.report_out_of_range %position, %index, %count of %num_rows, "indices"
  return
}

// -----

// A sort by digits, each in three kernels; then groups are cut out. Nothing that
// the host does depends on what the device finds.

// CHECK-LABEL: gpu.func @group_keys(
// CHECK-LABEL: gpu.func @group_histogram(
// CHECK-SAME:    workgroup({{.*}} : memref<256xi32, #gpu.address_space<workgroup>>)
// CHECK:         memref.atomic_rmw addi
// CHECK-LABEL: gpu.func @group_scan(
// CHECK:         gpu.shuffle up
// CHECK-LABEL: gpu.func @group_scatter(
// CHECK-COUNT-8: nvvm.match.sync any
// CHECK-LABEL: gpu.func @group_starts_count(
// CHECK-COUNT-8: nvvm.vote.sync ballot
// CHECK-LABEL: gpu.func @group_cut(

// CHECK-LABEL: func.func @group
// CHECK-SAME:    %[[INDICES:[a-z0-9]*]]: memref<?xi64>
// CHECK:         memref.extract_strided_metadata %[[INDICES]]
// CHECK:         %[[KEYS:[a-z0-9_]*]], %{{.*}} = memref.extract_strided_metadata %[[FROM:.*]] : memref<?xi64>
// CHECK:         gpu.launch_func @embedding_kernels::@group_keys {{.*}}, %[[KEYS]] : memref<i64>)
// CHECK:         %[[SORTED:.*]]:2 = scf.for {{.*}} iter_args(%[[IN:.*]] = %[[FROM]], %[[OUT:.*]] = {{.*}}) -> (memref<?xi64>, memref<?xi64>)
// CHECK:           %[[PAIRS:[a-z0-9_]*]], %{{.*}} = memref.extract_strided_metadata %[[IN]]
// CHECK:           %[[COUNTS:[a-z0-9_]*]], %{{.*}} = memref.extract_strided_metadata
// CHECK:           gpu.launch_func @embedding_kernels::@group_histogram {{.*}}, %[[PAIRS]] : memref<i64>, {{.*}}, %[[COUNTS]] : memref<i64>)
// CHECK:           %[[SUMS:[a-z0-9_]*]], %{{.*}} = memref.extract_strided_metadata
// CHECK:           gpu.launch_func @embedding_kernels::@group_scan {{.*}} args(%[[COUNTS]] : memref<i64>, {{.*}}, %[[SUMS]] : memref<i64>)
// CHECK:           %[[MOVED:[a-z0-9_]*]], %{{.*}} = memref.extract_strided_metadata %[[OUT]]
// CHECK:           gpu.launch_func @embedding_kernels::@group_scatter {{.*}}, %[[PAIRS]] : memref<i64>, {{.*}}, %[[SUMS]] : memref<i64>, %[[COUNTS]] : memref<i64>, %[[MOVED]] : memref<i64>)
// CHECK:           scf.yield %[[OUT]], %[[IN]]
// CHECK:         %[[PAIRS:[a-z0-9_]*]], %{{.*}} = memref.extract_strided_metadata %[[SORTED]]#0
// CHECK:         gpu.launch_func @embedding_kernels::@group_cut {{.*}}, %[[PAIRS]] : memref<i64>
func.func @group(%indices: memref<?xi64>, %num_rows: index,
                 %rows: memref<?xi64>, %offsets: memref<?xi64>,
                 %positions: memref<?xi64>, %count: memref<i64>) {
  embedding.group num_rows(%num_rows) ins(%indices : memref<?xi64>)
    outs(%rows, %offsets, %positions, %count :
         memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<i64>)
  return
}

// -----

// Sums in the type that they are taken in, 4 rows in flight; of chunks first,
// which then are combined 16 at a time.

// CHECK-LABEL: gpu.func @sum_chunks(
// CHECK:         %[[SUM:.*]]:5 = scf.for {{.*}} iter_args(%[[BEFORE:[a-z0-9]*]] = {{.*}} -> (vector<8xf32>, index, index, index, index)
// CHECK:           %[[A:.*]] = vector.load %[[DY:.*]][{{.*}} {alignment = 16 : i64} {{.*}} vector<8xbf16>
// CHECK-COUNT-3:   vector.load %[[DY]][{{.*}} {alignment = 16 : i64} {{.*}} vector<8xbf16>
// CHECK:           %[[WIDE:.*]] = arith.extf %[[A]]
// CHECK:           arith.addf %[[BEFORE]], %[[WIDE]] : vector<8xf32>
// CHECK:         vector.store %[[SUM]]#0, {{.*}} {alignment = 16 : i64} {{.*}} vector<8xf32>
// CHECK-LABEL: gpu.func @combine_chunks(
// CHECK-COUNT-16:  vector.load {{.*}} {alignment = 16 : i64} {{.*}} vector<8xf32>
// CHECK-COUNT-15:  arith.addf {{.*}} : vector<8xf32>
// CHECK:         vector.store {{.*}} {alignment = 16 : i64} {{.*}} vector<8xf32>
// CHECK:         gpu.return
// CHECK-LABEL: gpu.func @reduce(
// CHECK:         arith.truncf {{.*}} : vector<8xf32> to vector<8xbf16>

// CHECK-LABEL: func.func @dense_grad
// CHECK:         gpu.launch_func @embedding_kernels::@sum_chunks
// CHECK:         scf.for
// CHECK:           gpu.launch_func @embedding_kernels::@combine_chunks
// CHECK:         gpu.launch_func @embedding_kernels::@reduce
func.func @dense_grad(%dy: memref<?x64xbf16>, %indices: memref<?xi64>,
                      %dw: memref<?x64xbf16>) {
  embedding.dense_grad ins(%dy, %indices : memref<?x64xbf16>, memref<?xi64>)
    outs(%dw : memref<?x64xbf16>)
  return
}

// -----

// Rows of sums begin at whole lanes: 9 floats take the room of 16, in two slots for
// each chunk.

// CHECK-LABEL: func.func @dense_grad_of_odd_rows
// CHECK-SAME:    %{{.*}}: memref<?x9xf32>, %[[INDICES:.*]]: memref<?xi64>
// CHECK:         %[[N:.*]] = memref.dim %[[INDICES]]
// CHECK:         %[[CHUNKS:.*]] = arith.ceildivui %[[N]], %c128
// CHECK:         %[[SOME:.*]] = arith.maxsi %[[CHUNKS]], %c1
// CHECK:         %[[SIZE:.*]] = arith.muli %[[SOME]], %c32
// CHECK-NEXT:    %[[ROOM:.*]] = arith.maxsi %[[SIZE]], %c1
// CHECK-NEXT:    memref.alloc(%[[ROOM]]) : memref<?xf32>
func.func @dense_grad_of_odd_rows(%dy: memref<?x9xf32>, %indices: memref<?xi64>,
                                  %dw: memref<?x9xf32>) {
  embedding.dense_grad ins(%dy, %indices : memref<?x9xf32>, memref<?xi64>)
    outs(%dw : memref<?x9xf32>)
  return
}

// -----

// CHECK-LABEL: func.func @coalesce
// CHECK:         gpu.launch_func @embedding_kernels::@group_cut
// CHECK:         gpu.launch_func @embedding_kernels::@reduce
// CHECK-NOT:     gpu.launch_func
func.func @coalesce(%indices: memref<?xi64>, %values: memref<?x8xf32>,
                    %num_rows: index, %rows: memref<?xi64>,
                    %sums: memref<?x8xf32>, %count: memref<i64>) {
  embedding.coalesce num_rows(%num_rows)
    ins(%indices, %values : memref<?xi64>, memref<?x8xf32>)
    outs(%rows, %sums, %count : memref<?xi64>, memref<?x8xf32>, memref<i64>)
  return
}

// -----

// Where all positions are kept they need no numbers.

// CHECK-LABEL: func.func @sparse_grad
// CHECK-NOT:     sparse_grad_entries
// CHECK:         gpu.launch_func @embedding_kernels::@sparse_grad
// CHECK-LABEL: func.func @sparse_grad_of_some
// CHECK:         gpu.launch_func @embedding_kernels::@sparse_grad_entries
// CHECK:         gpu.launch_func @embedding_kernels::@sparse_grad
func.func @sparse_grad(%dy: memref<?x8xf32>, %indices: memref<?xi64>,
                       %num_rows: index, %rows: memref<?xi64>,
                       %values: memref<?x8xf32>, %count: memref<i64>) {
  embedding.sparse_grad num_rows(%num_rows)
    ins(%dy, %indices : memref<?x8xf32>, memref<?xi64>)
    outs(%rows, %values, %count : memref<?xi64>, memref<?x8xf32>, memref<i64>)
  return
}
func.func @sparse_grad_of_some(%dy: memref<?x8xf32>, %indices: memref<?xi64>,
                               %num_rows: index, %rows: memref<?xi64>,
                               %values: memref<?x8xf32>, %count: memref<i64>) {
  embedding.sparse_grad num_rows(%num_rows) out_of_range(zero)
    ins(%dy, %indices : memref<?x8xf32>, memref<?xi64>)
    outs(%rows, %values, %count : memref<?xi64>, memref<?x8xf32>, memref<i64>)
  return
}

// -----

// CHECK-LABEL: func.func @double_backward
// CHECK-NOT:     gpu.launch_func @embedding_kernels::@group
// CHECK:         gpu.launch_func @embedding_kernels::@double_backward
// CHECK-LABEL: func.func @double_backward_by_frequency
// CHECK:         gpu.launch_func @embedding_kernels::@inverse_frequencies
// CHECK:         gpu.launch_func @embedding_kernels::@double_backward
func.func @double_backward(%table: memref<?x8xf32>, %indices: memref<?xi64>,
                           %out: memref<?x8xf32>) {
  embedding.double_backward padding_idx(0)
    ins(%table, %indices : memref<?x8xf32>, memref<?xi64>)
    outs(%out : memref<?x8xf32>)
  return
}
func.func @double_backward_by_frequency(%table: memref<?x8xf32>,
                                        %indices: memref<?xi64>,
                                        %out: memref<?x8xf32>) {
  embedding.double_backward scale_grad_by_freq
    ins(%table, %indices : memref<?x8xf32>, memref<?xi64>)
    outs(%out : memref<?x8xf32>)
  return
}

// -----

// All indices are checked before a row is written. Rows are copied as they will
// be, and those that are long have their bit cleared; one of those who name such
// a row sets it again and shortens the row. A norm is a tree over 16 threads.

// CHECK-LABEL: gpu.func @renorm_check(
// CHECK-LABEL: gpu.func @renorm_lookup(
// CHECK:         math.sqrt
// CHECK:         memref.atomic_rmw andi
// CHECK:         arith.mulf {{.*}} : vector<4xf32>
// CHECK:         st.global.cs.v4.b32
// CHECK-LABEL: gpu.func @renorm(
// CHECK:         %[[WORD:.*]] = memref.atomic_rmw ori %[[BIT:.*]], %
// CHECK-NEXT:    %[[BEFORE:.*]] = arith.andi %[[WORD]], %[[BIT]]
// CHECK-NEXT:    %[[IS_FIRST:.*]] = arith.cmpi eq, %[[BEFORE]], %c0_i32
// CHECK-NEXT:    scf.yield %[[IS_FIRST]]
// CHECK:         gpu.shuffle idx
// CHECK:         arith.mulf {{.*}} : f64
// CHECK-COUNT-8: gpu.shuffle xor
// CHECK:         math.sqrt

// CHECK-LABEL: func.func @renorm_lookup
// CHECK:         gpu.launch_func @embedding_kernels::@renorm_clear
// CHECK:         gpu.launch_func @embedding_kernels::@renorm_check
// CHECK:         gpu.launch_func @embedding_kernels::@renorm_lookup
// CHECK:         gpu.launch_func @embedding_kernels::@renorm
// CHECK-NOT:     gpu.launch_func @embedding_kernels::@lookup
func.func @renorm_lookup(%indices: memref<?xi64>, %table: memref<?x64xf32>,
                         %out: memref<?x64xf32>) {
  embedding.renorm_lookup max_norm(1.0) ins(%indices : memref<?xi64>)
    outs(%table, %out : memref<?x64xf32>, memref<?x64xf32>)
  return
}

// -----

// Without checks there is nothing to wait for.

// CHECK-LABEL: func.func @renorm
// CHECK-NOT:     renorm_check
// CHECK:         return
func.func @renorm(%indices: memref<?xi64>, %table: memref<?x64xf16>,
                  %max_norm: f64) {
  embedding.renorm max_norm(%max_norm) out_of_range(assume)
    ins(%indices : memref<?xi64>) outs(%table : memref<?x64xf16>)
  return
}

// -----

// In no order, if that is asked for: two kernels, and no sort.

// CHECK-LABEL: func.func @atomic
// CHECK:         gpu.launch_func @embedding_kernels::@group_keys
// ATOMIC-LABEL: gpu.func @add_grad(
// ATOMIC:         "red.global.add.v4.f32 [$0], {$1, $2, $3, $4};"
// ATOMIC-LABEL: func.func @atomic
// ATOMIC-NOT:     group_keys
// ATOMIC:         gpu.launch_func @embedding_kernels::@clear_grad
// ATOMIC:         gpu.launch_func @embedding_kernels::@add_grad
// SCALAR-LABEL: gpu.func @add_grad(
// SCALAR-COUNT-4: memref.atomic_rmw addf
// SCALAR-LABEL: func.func @atomic
func.func @atomic(%dy: memref<?x64xf32>, %indices: memref<?xi64>,
                  %dw: memref<?x64xf32>) {
  embedding.dense_grad ins(%dy, %indices : memref<?x64xf32>, memref<?xi64>)
    outs(%dw : memref<?x64xf32>)
  return
}

// -----

// Narrow sums would be rounded at each addition.

// ATOMIC-LABEL: func.func @not_atomic
// ATOMIC:         gpu.launch_func @embedding_kernels::@group_keys
func.func @not_atomic(%dy: memref<?x64xf16>, %indices: memref<?xi64>,
                      %dw: memref<?x64xf16>) {
  embedding.dense_grad ins(%dy, %indices : memref<?x64xf16>, memref<?xi64>)
    outs(%dw : memref<?x64xf16>)
  return
}

// -----

// A schedule has the last word on how positions are grouped.

// ATOMIC-LABEL: func.func @sorted_by_schedule
// ATOMIC:         gpu.launch_func @embedding_kernels::@group_keys
func.func @sorted_by_schedule(%dy: memref<?x64xf32>, %indices: memref<?xi64>,
                              %dw: memref<?x64xf32>) {
  embedding.dense_grad
    {embedding.schedule = #embedding.schedule<grouping = radix_sort>}
    ins(%dy, %indices : memref<?x64xf32>, memref<?xi64>)
    outs(%dw : memref<?x64xf32>)
  return
}

// -----

// Lanes of 8 bytes: a warp shares a row of 256 bytes and has 2 rows in flight, so
// that a block takes 16.

// CHECK-LABEL: gpu.func @lookup(
// CHECK-COUNT-2: vector.load {{.*}} {alignment = 8 : i64} : {{.*}}, vector<2xf32>
// CHECK-NOT:     vector.load
// CHECK-NOT:     llvm.inline_asm
// CHECK:         vector.store {{.*}}, vector<2xf32>
// CHECK:         vector.store {{.*}}, vector<2xf32>
// CHECK:       gpu.return
// CHECK-LABEL: func.func @scheduled_lookup
// CHECK:         arith.ceildivui %{{.*}}, %c16
func.func @scheduled_lookup(%table: memref<?x64xf32>, %indices: memref<?xi64>,
                            %out: memref<?x64xf32>) {
  embedding.lookup out_of_range(assume)
    {embedding.schedule = #embedding.schedule<streaming = never,
                                              vector_bytes = 8, unroll = 2>}
    ins(%table, %indices : memref<?x64xf32>, memref<?xi64>)
    outs(%out : memref<?x64xf32>)
  return
}

// -----

// No more lanes are in flight than a thread has registers for.

// CHECK-LABEL: gpu.func @lookup(
// CHECK-COUNT-32: vector.load {{.*}} {alignment = 16 : i64} : {{.*}}, vector<4xf32>
// CHECK-NOT:     vector.load
// CHECK:         inline_asm
// CHECK-LABEL: func.func @lookup_with_many_lanes
// CHECK:         arith.ceildivui %{{.*}}, %c512
func.func @lookup_with_many_lanes(%table: memref<?x64xf32>,
                                  %indices: memref<?xi64>,
                                  %out: memref<?x64xf32>) {
  embedding.lookup out_of_range(assume)
    {embedding.schedule = #embedding.schedule<unroll = 1000>}
    ins(%table, %indices : memref<?x64xf32>, memref<?xi64>)
    outs(%out : memref<?x64xf32>)
  return
}

// -----

// The moves of an operation have its schedule.

// CHECK-LABEL: gpu.func @reduce(
// CHECK-NOT:     vector<4xf32>
// CHECK:         vector.load {{.*}} {alignment = 8 : i64} : {{.*}}, vector<2xf32>
// CHECK-LABEL: func.func @scheduled_dense_grad
func.func @scheduled_dense_grad(%dy: memref<?x64xf32>, %indices: memref<?xi64>,
                                %dw: memref<?x64xf32>) {
  embedding.dense_grad
    {embedding.schedule = #embedding.schedule<vector_bytes = 8>}
    ins(%dy, %indices : memref<?x64xf32>, memref<?xi64>)
    outs(%dw : memref<?x64xf32>)
  return
}
