// RUN: embedding-opt %s --embedding-to-nvvm-pipeline=launch=callback -split-input-file -verify-diagnostics
// RUN: embedding-opt %s --embedding-to-nvvm-pipeline -split-input-file -verify-diagnostics

// Memory is the device's, and this the host's code.
func.func @lookup_and_scale(%t: memref<?x8xf32>, %i: memref<?xi64>, %o: memref<?x8xf32>) {
  embedding.lookup ins(%t, %i : memref<?x8xf32>, memref<?xi64>) outs(%o : memref<?x8xf32>)
  // expected-error @below {{expected nothing but kernels to read or write memory, which is on the device, but got 'linalg.generic': only operations of the dialect run on a GPU}}
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>],
                  iterator_types = ["parallel", "parallel"]} outs(%o : memref<?x8xf32>) {
  ^bb0(%x: f32):
    %0 = arith.addf %x, %x : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

func.func @complex(%t: memref<?x8xcomplex<f64>>, %i: memref<?xi64>, %o: memref<?x8xcomplex<f64>>) {
  // expected-error @below {{expected elements to be integers or floats on a GPU, but got 'complex<f64>'}}
  embedding.lookup ins(%t, %i : memref<?x8xcomplex<f64>>, memref<?xi64>)
    outs(%o : memref<?x8xcomplex<f64>>)
  return
}

// -----

func.func @foreign() -> index {
  // expected-error @below {{'gpu.thread_id' op is left by the pipeline: no conversion to the LLVM dialect takes it}}
  %0 = gpu.thread_id x
  return %0 : index
}

// -----

func.func @arithmetic(%t: tensor<?x8xf32>, %i: tensor<4xi64>, %o: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // expected-error @below {{but got 'linalg.generic': only operations of the dialect run on a GPU}}
  %j = arith.addi %i, %i : tensor<4xi64>
  %0 = embedding.lookup ins(%t, %j : tensor<?x8xf32>, tensor<4xi64>) outs(%o : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
