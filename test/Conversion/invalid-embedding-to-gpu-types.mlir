// RUN: embedding-opt %s -convert-embedding-to-gpu -split-input-file -verify-diagnostics

func.func @complex(%t: memref<5x8xcomplex<f32>>, %i: memref<3xi64>, %o: memref<3x8xcomplex<f32>>) {
  // expected-error @below {{'embedding.lookup' op cannot be converted: expected elements to be integers or floats on a GPU, but got 'complex<f32>'}}
  embedding.lookup ins(%t, %i : memref<5x8xcomplex<f32>>, memref<3xi64>)
    outs(%o : memref<3x8xcomplex<f32>>)
  return
}

// -----

func.func @vector(%t: memref<5x8xvector<4xf32>>, %i: memref<3xi64>, %o: memref<3x8xvector<4xf32>>) {
  // expected-error @below {{expected elements to be integers or floats on a GPU, but got 'vector<4xf32>'}}
  embedding.lookup ins(%t, %i : memref<5x8xvector<4xf32>>, memref<3xi64>)
    outs(%o : memref<3x8xvector<4xf32>>)
  return
}

// -----

func.func @tensor(%t: tensor<5x8xf32>, %i: tensor<3xi64>) -> tensor<5x8xf32> {
  // expected-error @below {{'embedding.renorm' op cannot be converted: it is on tensors; run 'one-shot-bufferize' first}}
  %0 = embedding.renorm max_norm(1.0) ins(%i : tensor<3xi64>) outs(%t : tensor<5x8xf32>)
         -> tensor<5x8xf32>
  return %0 : tensor<5x8xf32>
}

// -----

func.func @report(%p: i64, %n: index) {
  // expected-error @below {{'embedding.report_out_of_range' op cannot be converted: expected the results of 'embedding.find_out_of_range' on a memref}}
  embedding.report_out_of_range %p, %p, %p of %n, "indices"
  return
}

// -----

func.func @found(%i: memref<3xi64>, %n: index) -> i64 {
  // expected-error @below {{'embedding.find_out_of_range' op cannot be converted}}
  %0:3 = embedding.find_out_of_range %i, %n : memref<3xi64>
  return %0#2 : i64
}

// -----

func.func @dense_grad(%dy: memref<3x8xf32>, %i: memref<3xi64>, %g: memref<5x8xf32>) {
  // expected-error @below {{'embedding.dense_grad' op cannot be converted: run 'embedding-decompose-operations' first}}
  embedding.dense_grad ins(%dy, %i : memref<3x8xf32>, memref<3xi64>) outs(%g : memref<5x8xf32>)
  return
}

// -----

// Atomic additions would round narrow sums each time.
func.func @narrow(%dy: memref<3x8xf16>, %i: memref<3xi64>, %g: memref<5x8xf16>) {
  // expected-error @below {{'embedding.dense_grad' op cannot be converted: run 'embedding-decompose-operations' first}}
  embedding.dense_grad {embedding.schedule = #embedding.schedule<grouping = scatter>}
    ins(%dy, %i : memref<3x8xf16>, memref<3xi64>) outs(%g : memref<5x8xf16>)
  return
}

// -----

// Nor is a gradient scattered that divides by frequencies, which are known after the last position.
func.func @scatter_by_frequency(%dy: memref<3x8xf32>, %i: memref<3xi64>, %g: memref<5x8xf32>) {
  // expected-error @below {{'embedding.dense_grad' op cannot be converted: run 'embedding-decompose-operations' first}}
  embedding.dense_grad scale_grad_by_freq {embedding.schedule = #embedding.schedule<grouping = scatter>}
    ins(%dy, %i : memref<3x8xf32>, memref<3xi64>) outs(%g : memref<5x8xf32>)
  return
}

// -----

func.func @by_frequency(%t: memref<5x8xf32>, %i: memref<3xi64>, %o: memref<3x8xf32>) {
  // expected-error @below {{'embedding.double_backward' op cannot be converted: run 'embedding-decompose-operations' first}}
  embedding.double_backward scale_grad_by_freq
    ins(%t, %i : memref<5x8xf32>, memref<3xi64>) outs(%o : memref<3x8xf32>)
  return
}
