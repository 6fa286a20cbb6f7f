// REQUIRES: numpy
// Libraries for the CPU and for (interpreted) GPUs, called and compared.
// RUN: rm -rf %t && mkdir -p %t/gpu && split-file %s %t
// RUN: cat %t/any.mlir %t/cpu.mlir > %t/all.mlir
// There need be no other program.
// RUN: env PATH=/nowhere %obj_root/bin/embedding-compile %t/all.mlir -o %t/libcompiled.so
// RUN: %python %S/Inputs/call_compiled.py %t/libcompiled.so
// RUN: env EMBEDDING_NUM_THREADS=3 %python %S/Inputs/call_compiled.py %t/libcompiled.so
// RUN: FileCheck %s --check-prefix=HEADER --input-file=%t/compiled.h

// What is compiled for some GPUs serves those between them and later ones.
// RUN: embedding-compile %t/any.mlir --chips=sm_90,sm_80,sm_90 -o %t/gpu/libcompiled.so
// RUN: FileCheck %s --check-prefix=CHIPS --input-file=%t/gpu/compiled.h
// CHIPS: There is code for sm_80, sm_90.
// RUN: env EMBEDDING_CUDA_LIBRARY=%interpreted_cuda EMBEDDING_INTERPRETER_CAPABILITY=8.9 %python %S/Inputs/call_compiled.py %t/gpu/libcompiled.so %interpreted_cuda
// RUN: env EMBEDDING_CUDA_LIBRARY=%interpreted_cuda EMBEDDING_INTERPRETER_CAPABILITY=9.0 %python %S/Inputs/call_compiled.py %t/gpu/libcompiled.so %interpreted_cuda
// Of what serves one, it is the latest that runs.
// RUN: mkdir %t/latest && cp %t/gpu/compiled.h %t/latest && sed 's/\.target sm_80/.nothing sm80/' %t/gpu/libcompiled.so > %t/latest/libcompiled.so
// RUN: env EMBEDDING_CUDA_LIBRARY=%interpreted_cuda EMBEDDING_INTERPRETER_CAPABILITY=9.0 %python %S/Inputs/call_compiled.py %t/latest/libcompiled.so %interpreted_cuda
// RUN: env EMBEDDING_CUDA_LIBRARY=%interpreted_cuda EMBEDDING_INTERPRETER_CAPABILITY=8.9 not %python %S/Inputs/call_compiled.py %t/latest/libcompiled.so %interpreted_cuda

// Sizes that the caller answers for are not looked at.
// RUN: mkdir %t/assumed && embedding-compile %t/any.mlir --assume-sizes -o %t/assumed/libcompiled.so
// RUN: %python %S/Inputs/call_assuming_sizes.py %t/assumed/libcompiled.so

// Nothing else is exported, and nothing else is needed.
// RUN: llvm-nm -D --defined-only -j %t/libcompiled.so | FileCheck %s --check-prefix=EXPORTS --implicit-check-not={{.}}
// RUN: llvm-nm -D --defined-only -j %t/gpu/libcompiled.so | FileCheck %s --check-prefix=GPU-EXPORTS --implicit-check-not={{.}}
// RUN: llvm-readelf -d %t/libcompiled.so | FileCheck %s --check-prefix=NEEDED

// EXPORTS: {{^}}beyond_alignment{{$}}
// EXPORTS-NEXT: {{^}}dense_grad{{$}}
// EXPORTS-NEXT: {{^}}lookup{{$}}
// EXPORTS-NEXT: {{^}}part{{$}}
// EXPORTS-NEXT: {{^}}positive{{$}}
// EXPORTS-NEXT: {{^}}result{{$}}
// EXPORTS-NEXT: {{^}}scalars{{$}}
// EXPORTS-NEXT: {{^}}strided{{$}}

// GPU-EXPORTS: {{^}}compiled_synchronize{{$}}
// GPU-EXPORTS-NEXT: {{^}}dense_grad{{$}}
// GPU-EXPORTS-NEXT: {{^}}lookup{{$}}
// GPU-EXPORTS-NEXT: {{^}}result{{$}}

// NEEDED-NOT: libstdc++
// NEEDED-NOT: LLVM
// NEEDED-NOT: libcuda

// The header is C and C++; an object is linked to the launcher by its user.
// RUN: cc -std=c99 -pedantic -Wall -Wextra -Werror -I%t %S/Inputs/compiled.c -L%t -lcompiled -Wl,-rpath,%t -o %t/program
// RUN: %t/program | FileCheck %s --check-prefix=PROGRAM
// RUN: c++ -x c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only %t/compiled.h
// RUN: c++ -x c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only %t/gpu/compiled.h
// RUN: embedding-compile %t/all.mlir -o %t/compiled.o
// RUN: cc -c -I%t %S/Inputs/compiled.c -o %t/main.o
// RUN: c++ %t/main.o %t/compiled.o %obj_root/lib/libembedding-launcher.a -pthread -o %t/linked
// RUN: %t/linked | FileCheck %s --check-prefix=PROGRAM
// PROGRAM: 1 8

//--- any.mlir
// HEADER-LABEL: EmbeddingStatusCode lookup(
// HEADER-SAME:    const DLTensor *table,
// HEADER-NEXT:    const DLTensor *indices,
// HEADER-NEXT:    const DLTensor *out,
// HEADER-NEXT:    EmbeddingStatus *out_status);
func.func @lookup(%table: memref<?x8xf32>, %indices: memref<?xi64>,
                  %out: memref<?x8xf32>) {
  embedding.lookup ins(%table, %indices : memref<?x8xf32>, memref<?xi64>)
    outs(%out : memref<?x8xf32>)
  return
}

// HEADER:      * padding: index
// HEADER-LABEL: EmbeddingStatusCode dense_grad(
// HEADER-SAME:    const DLTensor *grad_output,
// HEADER-NEXT:    const DLTensor *indices,
// HEADER-NEXT:    int64_t padding,
func.func @dense_grad(%grad-output: memref<?x8xf32>, %indices: memref<?xi64>,
                      %padding: index, %grad_table: memref<?x8xf32>) {
  embedding.dense_grad padding_idx(%padding)
    ins(%grad-output, %indices : memref<?x8xf32>, memref<?xi64>)
    outs(%grad_table : memref<?x8xf32>)
  return
}

// HEADER:      * -> out: tensor<?x?x8xf32>
// HEADER-LABEL: EmbeddingStatusCode result(
// HEADER-SAME:    const DLTensor *table,
// HEADER-NEXT:    const DLTensor *register_,
// HEADER-NEXT:    const DLTensor *out,
func.func @result(%table: tensor<?x8xf32>, %register: tensor<?x?xi32>)
    -> tensor<?x?x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %register, %c0 : tensor<?x?xi32>
  %n = tensor.dim %register, %c1 : tensor<?x?xi32>
  %init = tensor.empty(%m, %n) : tensor<?x?x8xf32>
  %0 = embedding.lookup ins(%table, %register : tensor<?x8xf32>, tensor<?x?xi32>)
         outs(%init : tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  return %0 : tensor<?x?x8xf32>
}

//--- cpu.mlir
// HEADER-LABEL: EmbeddingStatusCode scalars(
// HEADER-SAME:    const DLTensor *values,
// HEADER-NEXT:    double a,
// HEADER-NEXT:    float b,
// HEADER-NEXT:    int8_t c,
// HEADER-NEXT:    int64_t d,
// HEADER-NEXT:    const DLTensor *out0,
// HEADER-NEXT:    const DLTensor *out1,
func.func @scalars(%values: tensor<2xf64>, %a: f64, %b: f32, %c: i8, %d: i64)
    -> (tensor<2xf64>, i64) {
  %wide_b = arith.extf %b : f32 to f64
  %init = tensor.empty() : tensor<2xf64>
  %0 = linalg.map ins(%values : tensor<2xf64>) outs(%init : tensor<2xf64>)
    (%value: f64, %before: f64) {
      %scaled = arith.mulf %value, %a : f64
      %moved = arith.addf %scaled, %wide_b : f64
      linalg.yield %moved : f64
    }
  %wide_c = arith.extsi %c : i8 to i64
  %product = arith.muli %wide_c, %d : i64
  return %0, %product : tensor<2xf64>, i64
}

func.func @strided(%table: memref<?x2xf32, strided<[?, 1]>>, %indices: memref<?xi64>,
                   %out: memref<?x2xf32>) {
  embedding.lookup
    ins(%table, %indices : memref<?x2xf32, strided<[?, 1]>>, memref<?xi64>)
    outs(%out : memref<?x2xf32>)
  return
}

func.func @positive(%x: i64) {
  %zero = arith.constant 0 : i64
  %is_positive = arith.cmpi sgt, %x, %zero : i64
  cf.assert %is_positive, "expected a positive number"
  return
}

// Names that C does not tell apart get numbers, and those that begin with one are
// the operands' own.
// HEADER-LABEL: EmbeddingStatusCode part(
// HEADER-SAME:    const DLTensor *arg0,
// HEADER-NEXT:    int64_t from_x,
// HEADER-NEXT:    int64_t from_x_1,
// HEADER-NEXT:    const DLTensor *out,
func.func @part(%0: memref<?xf32>, %from-x: index, %from.x: index)
    -> memref<2xf32, strided<[1], offset: ?>> {
  %from = arith.addi %from-x, %from.x : index
  %part = memref.subview %0[%from] [2] [1]
      : memref<?xf32> to memref<2xf32, strided<[1], offset: ?>>
  return %part : memref<2xf32, strided<[1], offset: ?>>
}

// How far buffers begin beyond the alignment that they ask for.
func.func @beyond_alignment(%n: index) -> (index, index) {
  %c64 = arith.constant 64 : index
  %c4096 = arith.constant 4096 : index
  %line = memref.alloc(%n) {alignment = 64} : memref<?xi8>
  %page = memref.alloc(%n) {alignment = 4096} : memref<?xi8>
  %line_begin = memref.extract_aligned_pointer_as_index %line
      : memref<?xi8> -> index
  %page_begin = memref.extract_aligned_pointer_as_index %page
      : memref<?xi8> -> index
  %beyond_line = arith.remui %line_begin, %c64 : index
  %beyond_page = arith.remui %page_begin, %c4096 : index
  return %beyond_line, %beyond_page : index, index
}

func.func private @hidden() {
  return
}
