// REQUIRES: numpy
// Errors in files say which file, and what about it.
// RUN: %python %S/Inputs/make_files.py %t
// DEFINE: %{arguments} =
// DEFINE: %{fail} = not embedding-run %s --function=f %{arguments} 2>&1 | FileCheck %s --check-prefix

// REDEFINE: %{arguments} = --input=@%t/big_endian.npy
// RUN: %{fail}=ENDIAN
// ENDIAN: error: --input 0: {{.*}}big_endian.npy: descr: big-endian type '>f4' at byte {{[0-9]+}} is not supported
// REDEFINE: %{arguments} = --input=@%t/bytes.npy
// RUN: %{fail}=FILETYPE
// FILETYPE: error: --input 0: {{.*}}bytes.npy: expected elements of f32, but got i8
// REDEFINE: %{arguments} = --input=@%t/halves.npy
// RUN: %{fail}=HALVES
// HALVES: error: --input 0: {{.*}}halves.npy: expected elements of f32, but got V2
// REDEFINE: %{arguments} = --input=@%t/model.safetensors:other
// RUN: %{fail}=TENSOR
// TENSOR: error: --input 0: {{.*}}model.safetensors: other: no tensor of this name; there are: gap, unaligned, wte.weight

func.func @f(%a: tensor<?x3xf32>) -> tensor<?x3xf32> {
  return %a : tensor<?x3xf32>
}
