// REQUIRES: numpy
// Files: NumPy in either order, safetensors by name, and back.
// RUN: %python %S/Inputs/make_files.py %t
// RUN: embedding-run %s --function=identity --input=@%t/c.npy --output=@%t/out.npy
// RUN: %python %S/Inputs/same_array.py %t/out.npy %t/c.npy
// RUN: embedding-run %s --function=identity --input=@%t/fortran.npy --output=@%t/out.npy
// RUN: %python %S/Inputs/same_array.py %t/out.npy %t/c.npy
// RUN: embedding-run %s --function=identity --input=@%t/model.safetensors:wte.weight --output=@%t/out.npy
// RUN: %python %S/Inputs/same_array.py %t/out.npy %t/c.npy
// RUN: embedding-run %s --function=identity --input=@%t/model.safetensors:unaligned --output=@%t/out.npy
// RUN: %python %S/Inputs/same_array.py %t/out.npy %t/c.npy

// Of any rank and type, as NumPy reads it.
// RUN: embedding-run %s --function=each_rank --input="f64=7" --input="3xf64=1 2 3" --input="2xindex=5 6" --input="2xi60=5 6" --output=@%t/0.npy --output=@%t/1.npy --output=@%t/2.npy --output=@%t/3.npy
// RUN: %python -c "import numpy as np, sys; a = [np.load(f'{sys.argv[1]}/{i}.npy') for i in range(4)]; assert a[0].shape == () and a[0] == 7 and a[1].tolist() == [1, 2, 3] and a[2].dtype == 'i8' and a[2].tolist() == [5, 6] and a[3].shape == (2,) and a[3].itemsize == 8" %t
// RUN: embedding-run %s --function=signs --input="3xui8=0 255 0x80" --input="2xsi8=-128 127" --output=@%t/unsigned.npy --output=@%t/signed.npy
// RUN: %python -c "import numpy as np, sys; a, b = (np.load(f'{sys.argv[1]}/{n}.npy') for n in ('unsigned', 'signed')); assert a.tolist() == [0, 255, 128] and b.tolist() == [-128, 127]" %t

// In either order of dimensions, and parts of complex numbers.
// RUN: embedding-run %s --function=elements --input=@%t/cube.npy --input=@%t/complex.npy --input=@%t/double_complex.npy --output=- --output=- --output=- | FileCheck %s --check-prefix=OFTYPES
// OFTYPES: {{^}}2x3x2xf32={{\[\[}}0 1][2 3][4 5]]{{\[\[}}6 7][8 9][10 11]]{{$}}
// OFTYPES-NEXT: 2xcomplex<f32>=(1,2) (3,-4)
// OFTYPES-NEXT: 2xcomplex<f64>=(1,2) (3,-4)

// Elements of a file that are where no such element may be are copied.
// RUN: embedding-run %s --function=misalignment --input=@%t/model.safetensors:unaligned | FileCheck %s --check-prefix=ALIGNED
// RUN: embedding-run %s --function=misalignment --input=@%t/odd.safetensors:t | FileCheck %s --check-prefix=ALIGNED
// ALIGNED: index=0

// A function that writes to its argument leaves the file as it was.
// RUN: embedding-run %s --function=in_place --input=@%t/bytes.npy --output=- | FileCheck %s --check-prefix=INPLACE
// RUN: embedding-run %s --function=in_place --input=@%t/bytes.npy --output=- | FileCheck %s --check-prefix=INPLACE
// INPLACE: 2x2xi8=[1 2][3 9]

func.func @identity(%a: tensor<?x?xf32>) -> tensor<?x?xf32> {
  return %a : tensor<?x?xf32>
}

func.func @each_rank(%a: tensor<f64>, %b: tensor<?xf64>, %c: tensor<2xindex>, %d: tensor<2xi60>)
    -> (tensor<f64>, tensor<?xf64>, tensor<2xindex>, tensor<2xi60>) {
  return %a, %b, %c, %d : tensor<f64>, tensor<?xf64>, tensor<2xindex>, tensor<2xi60>
}

func.func @signs(%a: tensor<3xui8>, %b: tensor<2xsi8>) -> (tensor<3xui8>, tensor<2xsi8>) {
  return %a, %b : tensor<3xui8>, tensor<2xsi8>
}

func.func @elements(%a: memref<?x?x?xf32>, %b: memref<2xcomplex<f32>>,
                    %c: memref<2xcomplex<f64>>) {
  return
}

func.func @misalignment(%a: memref<?x?xf32>) -> index {
  %address = memref.extract_aligned_pointer_as_index %a : memref<?x?xf32> -> index
  %bytes = arith.constant 4 : index
  %rest = arith.remui %address, %bytes : index
  return %rest : index
}

func.func @in_place(%a: memref<2x2xi8>) {
  %c1 = arith.constant 1 : index
  %nine = arith.constant 9 : i8
  memref.store %nine, %a[%c1, %c1] : memref<2x2xi8>
  return
}
