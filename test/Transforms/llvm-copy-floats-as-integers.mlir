// RUN: embedding-opt %s --llvm-copy-floats-as-integers | FileCheck %s

// CHECK-LABEL: llvm.func @copied
// CHECK-SAME: %[[FROM:.*]]: !llvm.ptr, %[[TO:.*]]: !llvm.ptr
llvm.func @copied(%from: !llvm.ptr, %to: !llvm.ptr) {
  // CHECK: %[[SCALAR:.*]] = llvm.load %[[FROM]] : !llvm.ptr -> i16
  // CHECK: llvm.store %[[SCALAR]], %[[TO]] : i16, !llvm.ptr
  %0 = llvm.load %from : !llvm.ptr -> bf16
  llvm.store %0, %to : bf16, !llvm.ptr
  // CHECK: %[[VECTOR:.*]] = llvm.load %[[FROM]] {alignment = 4 : i64} : !llvm.ptr -> vector<16xi32>
  // CHECK: llvm.store %[[VECTOR]], %[[TO]] {alignment = 4 : i64} : vector<16xi32>, !llvm.ptr
  %1 = llvm.load %from {alignment = 4} : !llvm.ptr -> vector<16xf32>
  llvm.store %1, %to {alignment = 4} : vector<16xf32>, !llvm.ptr
  // CHECK: %[[STRUCT:.*]] = llvm.load %[[FROM]] : !llvm.ptr -> !llvm.struct<(i32, i32)>
  // CHECK: llvm.store %[[STRUCT]], %[[TO]] : !llvm.struct<(i32, i32)>, !llvm.ptr
  %2 = llvm.load %from : !llvm.ptr -> !llvm.struct<(f32, f32)>
  llvm.store %2, %to : !llvm.struct<(f32, f32)>, !llvm.ptr
  // CHECK: %[[PACKED:.*]] = llvm.load %[[FROM]] : !llvm.ptr -> !llvm.struct<packed (i8, i32)>
  // CHECK: llvm.store %[[PACKED]], %[[TO]] : !llvm.struct<packed (i8, i32)>, !llvm.ptr
  %3 = llvm.load %from : !llvm.ptr -> !llvm.struct<packed (i8, f32)>
  llvm.store %3, %to : !llvm.struct<packed (i8, f32)>, !llvm.ptr
  llvm.return
}

// CHECK-LABEL: llvm.func @computed
llvm.func @computed(%from: !llvm.ptr, %to: !llvm.ptr) {
  // CHECK: %[[VALUE:.*]] = llvm.load {{.*}} : !llvm.ptr -> f32
  // CHECK: %[[SUM:.*]] = llvm.fadd %[[VALUE]], %[[VALUE]]
  // CHECK: llvm.store %[[VALUE]], {{.*}} : f32, !llvm.ptr
  // CHECK: llvm.store %[[SUM]], {{.*}} : f32, !llvm.ptr
  %0 = llvm.load %from : !llvm.ptr -> f32
  %1 = llvm.fadd %0, %0 : f32
  llvm.store %0, %to : f32, !llvm.ptr
  llvm.store %1, %to : f32, !llvm.ptr
  llvm.return
}

// CHECK-LABEL: llvm.func @bf16_computed
// CHECK-SAME: %[[FROM:.*]]: !llvm.ptr, %[[TO:.*]]: !llvm.ptr
llvm.func @bf16_computed(%from: !llvm.ptr, %to: !llvm.ptr) {
  // CHECK: %[[BITS:.*]] = llvm.load %[[FROM]] : !llvm.ptr -> vector<4xi16>
  // CHECK: %[[FLOATS:.*]] = llvm.bitcast %[[BITS]] : vector<4xi16> to vector<4xbf16>
  // CHECK: %[[SUM:.*]] = llvm.fadd %[[FLOATS]], %[[FLOATS]]
  // CHECK: %[[SUM_BITS:.*]] = llvm.bitcast %[[SUM]] : vector<4xbf16> to vector<4xi16>
  // CHECK: llvm.store %[[SUM_BITS]], %[[TO]] : vector<4xi16>, !llvm.ptr
  %0 = llvm.load %from : !llvm.ptr -> vector<4xbf16>
  %1 = llvm.fadd %0, %0 : vector<4xbf16>
  llvm.store %1, %to : vector<4xbf16>, !llvm.ptr
  llvm.return
}
