// A bf16 NaN keeps its payload on a CPU that has no registers for bf16, and no
// support function is called.
// REQUIRES: x86_64, avx2, numpy
// RUN: %python -c "import numpy as np; np.save(r'%t.npy', np.array([[0x7f81, 0x8000, 0xffc1]], dtype='<u2').view('<V2'))"
// RUN: embedding-run %s --cpu=x86-64    --input=@%t.npy --input="2xi64=0 1" --output=@%t.out.npy
// RUN: %python -c "import numpy as np; print([hex(x) for x in np.load(r'%t.out.npy').view('<u2').ravel()])" | FileCheck %s
// RUN: embedding-run %s --cpu=x86-64-v3 --input=@%t.npy --input="2xi64=0 1" --output=@%t.out.npy
// RUN: %python -c "import numpy as np; print([hex(x) for x in np.load(r'%t.out.npy').view('<u2').ravel()])" | FileCheck %s
// RUN: embedding-run %s --cpu=x86-64-v3 --emit=asm | FileCheck %s --check-prefix=ASM

// CHECK: ['0x7f81', '0x8000', '0xffc1', '0x0', '0x0', '0x0']
// ASM-LABEL: lookup:
// ASM-NOT: __truncsfbf2
func.func @lookup(%table: tensor<?x?xbf16>, %indices: tensor<2xi64>) -> tensor<2x?xbf16> {
  %c1 = arith.constant 1 : index
  %d = tensor.dim %table, %c1 : tensor<?x?xbf16>
  %init = tensor.empty(%d) : tensor<2x?xbf16>
  %0 = embedding.lookup out_of_range(zero)
         ins(%table, %indices : tensor<?x?xbf16>, tensor<2xi64>)
         outs(%init : tensor<2x?xbf16>) -> tensor<2x?xbf16>
  return %0 : tensor<2x?xbf16>
}
