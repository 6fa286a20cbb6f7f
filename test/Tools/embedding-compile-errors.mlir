// Every error says what is wrong with what, and leaves no library behind.
// RUN: rm -rf %t && mkdir -p %t
// DEFINE: %{fail} = not embedding-compile -o %t/libx.so

// RUN: %{fail} 2>&1 | FileCheck %s --check-prefix=INPUT
// RUN: %{fail} %s --op=lookup 2>&1 | FileCheck %s --check-prefix=INPUT
// INPUT: error: expected a file or --op, and not both
// RUN: %{fail} %t/nothing.mlir 2>&1 | FileCheck %s --check-prefix=NOFILE
// NOFILE: error: cannot open input file
// RUN: %{fail} --op=gather 2>&1 | FileCheck %s --check-prefix=OP
// OP: error: --op: no operation named 'gather'
// RUN: %{fail} '--op=lookup padding(0)' 2>&1 | FileCheck %s --check-prefix=ATTRIBUTE
// ATTRIBUTE: --op:{{.*}}: error: custom op 'embedding.lookup' expected 'ins'
// RUN: %{fail} --op=lookup --chips=sm_70 2>&1 | FileCheck %s --check-prefix=CHIP
// CHIP: error: --chips: expected sm_80 or later, but got 'sm_70'
// RUN: %{fail} --op=lookup --cpu=z80 2>&1 | FileCheck %s --check-prefix=CPU
// CPU: error: no CPU named 'z80'
// RUN: %{fail} --op=lookup --linker=no-such-linker 2>&1 | FileCheck %s --check-prefix=LINKER
// LINKER: error: --linker: no program named 'no-such-linker'
// RUN: %{fail} --op=lookup --linker=false 2>&1 | FileCheck %s --check-prefix=FAILED
// FAILED: error: 'false' failed
// RUN: not embedding-compile --op=lookup -o %t/nowhere/libx.so 2>&1 | FileCheck %s --check-prefix=FOLDER
// FOLDER: error: cannot write '{{.*}}/nowhere/libx.so'

// RUN: split-file %s %t
// RUN: %{fail} %t/type.mlir 2>&1 | FileCheck %s --check-prefix=TYPE
// TYPE: type.mlir:1:1: error: cannot be called from outside, because of values of type 'tensor<*xf32>'
// RUN: %{fail} %t/half.mlir 2>&1 | FileCheck %s --check-prefix=HALF
// HALF: error: cannot be called from outside, because of values of type 'f16'
// RUN: %{fail} %t/name.mlir 2>&1 | FileCheck %s --check-prefix=NAME
// NAME: error: cannot be a function of C, because of its name
// RUN: %{fail} %t/empty.mlir 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY: error: the file has no public function
// RUN: not ls %t/libx.so

//--- type.mlir
func.func @f(%x: tensor<*xf32>) {
  return
}
//--- half.mlir
func.func @f(%x: f16) {
  return
}
//--- name.mlir
func.func @"a.b"(%x: f32) {
  return
}
//--- empty.mlir
func.func private @f() {
  return
}
