// Every error says which input, and what about it.
// DEFINE: %{arguments} =
// DEFINE: %{fail} = not embedding-run %s --function=f %{arguments} 2>&1 | FileCheck %s --check-prefix

// RUN: not embedding-run %s 2>&1 | FileCheck %s --check-prefix=SEVERAL
// SEVERAL: error: name one of the functions with --function: f, unsupported
// RUN: not embedding-run %s --function=g 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: no function named 'g'
// RUN: not embedding-run %t/nothing.mlir 2>&1 | FileCheck %s --check-prefix=NOFILE
// NOFILE: error: cannot open input file
// RUN: %{fail}=COUNT
// COUNT: error: expected 1 --input, one for each argument of 'f', but got 0
// RUN: not embedding-run %s --function=f --input=1x3xf32 --input=1x3xf32 2>&1 | FileCheck %s --check-prefix=MORE
// MORE: error: expected 1 --input, one for each argument of 'f', but got 2
// RUN: not embedding-run %s --function=f --emit=mlir --output=@%t/x.npy 2>&1 | FileCheck %s --check-prefix=EMIT
// EMIT: error: --output: nothing runs with --emit
// RUN: not embedding-run %s --function=unsupported --input=f32 2>&1 | FileCheck %s --check-prefix=TYPE
// TYPE: error: cannot be run, because of values of type 'tensor<*xf32>'
// RUN: not embedding-run %s --function=vector --input=f32 2>&1 | FileCheck %s --check-prefix=RESULTTYPE
// RESULTTYPE: error: cannot be run, because of values of type 'vector<2xf32>'

// RUN: env EMBEDDING_CUDA_LIBRARY=/nowhere/libcuda.so.1 not embedding-run %s --function=f --target=cuda --input=1x3xf32 2>&1 | FileCheck %s --check-prefix=NODRIVER
// NODRIVER: error: cuda: no driver: /nowhere/libcuda.so.1: cannot open
// RUN: not embedding-run %src_root/docs/examples/batch.mlir --target=cuda --emit=ptx --chip=sm_70 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: embedding-run %src_root/docs/examples/batch.mlir --target=cuda --emit=ptx | FileCheck %s --check-prefix=ANYCHIP
// ANYCHIP: .target sm_80
// CHIP: error: --chip: expected sm_80 or later, but got 'sm_70'
// RUN: not embedding-run %s --function=f --emit=ptx 2>&1 | FileCheck %s --check-prefix=NOKERNELS
// NOKERNELS: error: there are no kernels; is --target=cuda missing?

// REDEFINE: %{arguments} = --input=2x3xf16
// RUN: %{fail}=ELEMENT
// ELEMENT: error: --input 0: '2x3xf16': expected elements of f32, but got 'f16'
// REDEFINE: %{arguments} = --input=2x3x4xf32
// RUN: %{fail}=RANK
// RANK: error: --input 0: '2x3x4xf32': expected a shape that fits tensor<?x3xf32>, but got [2, 3, 4]
// REDEFINE: %{arguments} = --input=2x4xf32
// RUN: %{fail}=SIZE
// SIZE: error: --input 0: '2x4xf32': expected a shape that fits tensor<?x3xf32>, but got [2, 4]
// REDEFINE: %{arguments} = --input="2x3xf32=1 2 3"
// RUN: %{fail}=ELEMENTS
// ELEMENTS: error: --input 0: '2x3xf32': expected 1 or 6 elements, but got 3
// REDEFINE: %{arguments} = --input=2x3xf32=
// RUN: %{fail}=NOELEMENTS
// NOELEMENTS: error: --input 0: '2x3xf32': expected 1 or 6 elements, but got 0
// REDEFINE: %{arguments} = --input="1x3xf32=1 2 x"
// RUN: %{fail}=LITERAL
// LITERAL: error: --input 0: '1x3xf32': element 2, 'x', is not of type f32
// REDEFINE: %{arguments} = --input=4611686018427387904x3xf32
// RUN: %{fail}=LARGE
// LARGE: error: --input 0: '4611686018427387904x3xf32': more bytes than 64 bits count
// REDEFINE: %{arguments} = --input=@%t/none.npy
// RUN: %{fail}=MISSING
// MISSING: error: --input 0: {{.*}}none.npy: No such file or directory
// REDEFINE: %{arguments} = --input=@%t/
// RUN: %{fail}=EXTENSION
// REDEFINE: %{arguments} = --input=@%t/file.txt
// RUN: %{fail}=EXTENSION
// EXTENSION: error: --input 0: {{.*}}: expected FILE.npy or FILE.safetensors:TENSOR
// REDEFINE: %{arguments} = --input=w.npy
// RUN: %{fail}=SIGN
// REDEFINE: %{arguments} = --input=model.safetensors:w
// RUN: %{fail}=SIGN
// SIGN: error: --input 0: '[[NAME:.*]]': expected a value; @[[NAME]] names a file
// What is no file is not waited for.
// RUN: mkdir -p %t/folder.npy && rm -f %t/fifo.npy %t/fifo.safetensors && mkfifo %t/fifo.npy %t/fifo.safetensors
// REDEFINE: %{arguments} = --input=@%t/folder.npy
// RUN: %{fail}=NOREGULAR
// REDEFINE: %{arguments} = --input=@%t/fifo.npy
// RUN: %{fail}=NOREGULAR
// REDEFINE: %{arguments} = --input=@%t/fifo.safetensors:x
// RUN: %{fail}=NOREGULAR
// NOREGULAR: error: --input 0: {{.*}}/f{{.*}}: expected a regular file
// REDEFINE: %{arguments} = --input=1x3xf32 --output=@%t/x.txt
// RUN: %{fail}=OUTPUT
// OUTPUT: error: --output 0: expected @FILE.npy or -, but got
// RUN: embedding-run %s --function=f --input=1x3xf32 --output=@/dev/null | count 0
// REDEFINE: %{arguments} = --input=1x3xf32 --output=- --output=-
// RUN: %{fail}=OUTPUTS
// OUTPUTS: error: expected at most 1 --output, for the results and the memref arguments of 'f', but got 2
// REDEFINE: %{arguments} = --input=1x3xf32 --output=@%t/none/x.npy
// RUN: %{fail}=SAVE
// SAVE: error: --output 0: {{.*}}/none/x.npy: No such file or directory
// REDEFINE: %{arguments} = --input=1x3xf32 --cpu=imaginary
// RUN: %{fail}=CPU
// CPU: error: no CPU named 'imaginary'
// REDEFINE: %{arguments} = --input=1x3xf32 --cpu=i386
// RUN: %if x86_64 %{ %{fail}=CPU32 %}
// CPU32: error: CPU 'i386' runs no 64-bit code

func.func @f(%a: tensor<?x3xf32>) -> tensor<?x3xf32> {
  return %a : tensor<?x3xf32>
}
func.func private @vector(%a: f32) -> vector<2xf32> {
  %0 = vector.broadcast %a : f32 to vector<2xf32>
  return %0 : vector<2xf32>
}
func.func @unsupported(%a: tensor<*xf32>) {
  return
}
