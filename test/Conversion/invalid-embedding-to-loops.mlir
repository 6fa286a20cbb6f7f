// RUN: embedding-opt %s -convert-embedding-to-loops -split-input-file -verify-diagnostics

func.func @tensor(%t: tensor<5x8xf32>, %i: tensor<3xi64>) -> tensor<5x8xf32> {
  // expected-error @below {{'embedding.renorm' op cannot be converted: it is on tensors; run 'one-shot-bufferize' first}}
  %0 = embedding.renorm max_norm(1.0) out_of_range(assume)
         ins(%i : tensor<3xi64>) outs(%t : tensor<5x8xf32>) -> tensor<5x8xf32>
  return %0 : tensor<5x8xf32>
}

// -----

func.func @check(%m: memref<5x8xf32>, %i: memref<3xi64>) {
  // expected-error @below {{'embedding.renorm' op cannot be converted: run 'embedding-split-checks' first, which takes its check out}}
  embedding.renorm max_norm(1.0) ins(%i : memref<3xi64>) outs(%m : memref<5x8xf32>)
  return
}

// -----

func.func @lookup(%m: memref<5x8xf32>, %i: memref<3xi64>, %o: memref<3x8xf32>) {
  // expected-error @below {{'embedding.lookup' op cannot be converted: run 'embedding-split-checks' first}}
  embedding.lookup ins(%m, %i : memref<5x8xf32>, memref<3xi64>) outs(%o : memref<3x8xf32>)
  return
}

// -----

// A report is convert-embedding-to-func's.
func.func @report(%p: i64, %n: index) {
  embedding.report_out_of_range %p, %p, %p of %n, "indices"
  return
}

// -----

func.func @dense_grad(%dy: memref<3x8xf32>, %i: memref<3xi64>, %g: memref<5x8xf32>) {
  // expected-error @below {{'embedding.dense_grad' op cannot be converted: run 'embedding-decompose-operations' first}}
  embedding.dense_grad out_of_range(assume) ins(%dy, %i : memref<3x8xf32>, memref<3xi64>) outs(%g : memref<5x8xf32>)
  return
}

// -----

// One whose rows have no static length is not scattered.
func.func @dynamic_rows(%dy: memref<3x?xf32>, %i: memref<3xi64>, %g: memref<5x?xf32>) {
  // expected-error @below {{'embedding.dense_grad' op cannot be converted: run 'embedding-decompose-operations' first}}
  embedding.dense_grad out_of_range(assume) {embedding.schedule = #embedding.schedule<grouping = scatter>}
    ins(%dy, %i : memref<3x?xf32>, memref<3xi64>) outs(%g : memref<5x?xf32>)
  return
}

// -----

// Nor is one that divides by frequencies, which are known after the last position.
func.func @scatter_by_frequency(%dy: memref<3x8xf32>, %i: memref<3xi64>, %g: memref<5x8xf32>) {
  // expected-error @below {{'embedding.dense_grad' op cannot be converted: run 'embedding-decompose-operations' first}}
  embedding.dense_grad scale_grad_by_freq out_of_range(assume) {embedding.schedule = #embedding.schedule<grouping = scatter>}
    ins(%dy, %i : memref<3x8xf32>, memref<3xi64>) outs(%g : memref<5x8xf32>)
  return
}

// -----

func.func @by_frequency(%t: memref<5x8xf32>, %i: memref<3xi64>, %o: memref<3x8xf32>) {
  // expected-error @below {{'embedding.double_backward' op cannot be converted: run 'embedding-decompose-operations' first}}
  embedding.double_backward scale_grad_by_freq out_of_range(assume)
    ins(%t, %i : memref<5x8xf32>, memref<3xi64>) outs(%o : memref<3x8xf32>)
  return
}

// -----

func.func @reduce(%x: tensor<4x2xf32>, %p: tensor<4xi64>, %o: tensor<5xi64>, %n: tensor<i64>,
                  %s: tensor<4x2xf32>) -> tensor<4x2xf32> {
  // expected-error @below {{'embedding.reduce' op cannot be converted: it is on tensors; run 'one-shot-bufferize' first}}
  %0 = embedding.reduce positions(%p : tensor<4xi64>) offsets(%o : tensor<5xi64>) count(%n : tensor<i64>)
    ins(%x : tensor<4x2xf32>)
    outs(%s : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}
