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
// ATTRIBUTE-NOT: --op:{{[0-9]}}
// ATTRIBUTE: error: --op: 'lookup padding(0)': the attributes of 'lookup' are, in this order, as in 'lookup padding_idx(0) out_of_range(clamp)'
// RUN: %{fail} '--op=dense_grad padding(0)' 2>&1 | FileCheck %s --check-prefix=ATTRIBUTES
// ATTRIBUTES: error: --op: 'dense_grad padding(0)': the attributes of 'dense_grad' are, in this order, as in 'dense_grad padding_idx(0) scale_grad_by_freq out_of_range(clamp)'
// RUN: %{fail} --op=lookup --chips=sm_70 2>&1 | FileCheck %s --check-prefix=CHIP
// CHIP: error: --chips: expected sm_80 or later, but got 'sm_70'
// RUN: %{fail} --op=lookup --cpu=z80 2>&1 | FileCheck %s --check-prefix=CPU
// CPU: embedding-compile: error: --cpu: no CPU named 'z80'
// RUN: not embedding-compile --op=lookup -o %t/nowhere/libx.so 2>&1 | FileCheck %s --check-prefix=FOLDER
// FOLDER: error: -o: {{.*}}/nowhere/libx.so: No such file or directory
// RUN: %{fail} --op=lookup --header=%t/nowhere/x.h 2>&1 | FileCheck %s --check-prefix=HEADER
// HEADER: error: --header: {{.*}}/nowhere/x.h: No such file or directory
// RUN: not embedding-compile --op=lookup 2>&1 | FileCheck %s --check-prefix=NOOUTPUT
// NOOUTPUT: for the -o option: must be specified at least once!
// RUN: not embedding-compile --op=lookup -o "" 2>&1 | FileCheck %s --check-prefix=NONAME
// NONAME: error: -o: expected the name of a file, but got ''
// RUN: not embedding-compile --op=lookup -o - 2>&1 | FileCheck %s --check-prefix=STDOUT
// STDOUT: error: --header: expected a file for the header of a library that goes to standard output

// RUN: %{fail} --op=lookup --chips=sm_80,90 2>&1 | FileCheck %s --check-prefix=CHIPNAME
// CHIPNAME: error: --chips: expected sm_80 or later, but got '90'
// RUN: %{fail} --op=lookup --row-length=-5 2>&1 | FileCheck %s --check-prefix=LENGTH
// LENGTH: error: --row-length: expected at least 0, but got -5
// RUN: %{fail} --op=lookup --index-rank=64 2>&1 | FileCheck %s --check-prefix=INDEXRANK
// INDEXRANK: error: --index-rank: expected at most 63, but got 64
// RUN: %{fail} --op=lookup --index-type=i8 2>&1 | FileCheck %s --check-prefix=INDEXTYPE
// INDEXTYPE: error: 'embedding.lookup' op operand #1 must be {{.*}}, but got 'memref<?xi8>'
// RUN: %{fail} --op=lookup --element-type=f33 2>&1 | FileCheck %s --check-prefix=ELEMENTTYPE
// ELEMENTTYPE: embedding-compile: error: --element-type: expected a type of elements, but got 'f33'
// RUN: %{fail} --op=lookup '--element-type=f32>' 2>&1 | FileCheck %s --check-prefix=BRACKET
// BRACKET: embedding-compile: error: --element-type: expected a type of elements, but got 'f32>'
// RUN: %{fail} --op=lookup '--element-type=tensor<f32>' 2>&1 | FileCheck %s --check-prefix=TENSORS
// TENSORS: embedding-compile: error: --element-type: expected a type of elements, but got 'tensor<f32>'
// RUN: %{fail} --op=lookup --index-type=long 2>&1 | FileCheck %s --check-prefix=INDEXNAME
// INDEXNAME: embedding-compile: error: --index-type: expected a type of elements, but got 'long'
// RUN: %{fail} --op=lookup '--element-type=complex<f32>' 2>&1 | FileCheck %s --check-prefix=COMPLEX
// COMPLEX: error: cannot be called from outside, because of values of type 'memref<?x?xcomplex<f32>>'
// RUN: %{fail} --op=lookup --op=lookup 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: error: redefinition of symbol named 'lookup'

// RUN: split-file %s %t
// RUN: %{fail} %t/type.mlir 2>&1 | FileCheck %s --check-prefix=TYPE
// TYPE: .mlir:1:1: error: cannot be called from outside, because of values of type 'tensor<*xf32>'; expected tensors and memrefs of a rank
// TYPE-NOT: see current operation
// One such function is enough: its neighbours are not compiled without it.
// RUN: %{fail} %t/neighbours.mlir 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: %{fail} %t/half.mlir 2>&1 | FileCheck %s --check-prefix=HALF
// HALF: error: cannot be called from outside, because of values of type 'f16'; expected numbers to be f32, f64, index, or integers of 8, 16, 32 or 64 bits
// RUN: %{fail} %t/flag.mlir 2>&1 | FileCheck %s --check-prefix=FLAG
// FLAG: error: cannot be called from outside, because of values of type 'i1'; expected numbers to be f32, f64, index, or integers of 8, 16, 32 or 64 bits (i8 in place of i1)
// RUN: %{fail} %t/name.mlir 2>&1 | FileCheck %s --check-prefix=NAME
// NAME: error: cannot be a function of C, because of its name
// RUN: %{fail} %t/digit.mlir 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: %{fail} %t/word.mlir 2>&1 | FileCheck %s --check-prefix=NAME
// A report of the runtime's is one by its type too.
// RUN: %{fail} %t/reserved.mlir 2>&1 | FileCheck %s --check-prefix=RESERVED
// RESERVED: reserved.mlir:1:1: error: expected no declaration of 'embedding_report_mismatch', since names that begin with 'embedding_' are the runtime's
// RUN: %{fail} %t/empty.mlir 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY: error: the file has no public function
// RUN: %{fail} %t/syntax.mlir 2>&1 | FileCheck %s --check-prefix=SYNTAX
// SYNTAX: syntax.mlir:{{[12]}}:{{[0-9]+}}: error: expected operation name in quotes
// Each function that is nowhere to be found.
// RUN: %{fail} %t/undefined.mlir 2>&1 | FileCheck %s --check-prefix=UNDEFINED
// UNDEFINED: error: cannot link: undefined symbol: nowhere; undefined symbol: nowhere_else
// RUN: ls -A %t | FileCheck %s --check-prefix=LEFT --implicit-check-not={{.}}
// LEFT:      digit.mlir
// LEFT-NEXT: empty.mlir
// LEFT-NEXT: flag.mlir
// LEFT-NEXT: half.mlir
// LEFT-NEXT: name.mlir
// LEFT-NEXT: neighbours.mlir
// LEFT-NEXT: reserved.mlir
// LEFT-NEXT: syntax.mlir
// LEFT-NEXT: type.mlir
// LEFT-NEXT: undefined.mlir
// LEFT-NEXT: word.mlir

//--- type.mlir
func.func @f(%x: tensor<*xf32>) {
  return
}
//--- neighbours.mlir
func.func @f(%x: tensor<*xf32>) {
  return
}
func.func @g(%x: tensor<4xf32>) {
  return
}
//--- reserved.mlir
func.func private @embedding_report_mismatch(i64)
func.func @f(%x: i64) {
  func.call @embedding_report_mismatch(%x) : (i64) -> ()
  return
}
//--- syntax.mlir
func.func @f(%a: f32) {
//--- half.mlir
func.func @f(%x: f16) {
  return
}
//--- flag.mlir
func.func @f(%x: i1) {
  return
}
//--- name.mlir
func.func @"a.b"(%x: f32) {
  return
}
//--- digit.mlir
func.func @"2d"(%x: f32) {
  return
}
//--- word.mlir
func.func @virtual(%x: f32) {
  return
}
//--- undefined.mlir
func.func private @nowhere(i64) -> i64
func.func private @nowhere_else(i64) -> i64
func.func @f(%x: i64) -> i64 {
  %y = func.call @nowhere(%x) : (i64) -> i64
  %z = func.call @nowhere_else(%y) : (i64) -> i64
  return %z : i64
}
//--- empty.mlir
func.func private @f() {
  return
}
