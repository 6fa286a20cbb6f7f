// RUN: embedding-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{expected prefetch_rows to be at least 0, but got -1}}
func.func private @prefetch_rows() attributes {x = #embedding.schedule<prefetch_rows = -1>}

// -----

// expected-error@+1 {{expected prefetch_locality to be in [0, 3], but got 4}}
func.func private @prefetch_locality() attributes {x = #embedding.schedule<prefetch_locality = 4>}

// -----

// expected-error@+1 {{expected vector_bytes to be a power of two, but got 48}}
func.func private @vector_bytes() attributes {x = #embedding.schedule<vector_bytes = 48>}

// -----

// expected-error@+1 {{expected unroll to be at least 1, but got 0}}
func.func private @unroll() attributes {x = #embedding.schedule<unroll = 0>}

// -----

func.func @no_schedule(%t: memref<?x64xf32>, %i: memref<?xi64>, %o: memref<?x64xf32>) {
  // expected-error@+1 {{expected embedding.schedule to be an #embedding.schedule, but got 8}}
  embedding.lookup {embedding.schedule = 8}
    ins(%t, %i : memref<?x64xf32>, memref<?xi64>) outs(%o : memref<?x64xf32>)
  return
}

// -----

func.func @renorm_scatters(%t: memref<?x64xf32>, %i: memref<?xi64>) {
  // expected-error@+1 {{expected another grouping than scatter}}
  embedding.renorm max_norm(1.0) {embedding.schedule = #embedding.schedule<grouping = scatter>}
    ins(%i : memref<?xi64>) outs(%t : memref<?x64xf32>)
  return
}

// -----

func.func @dense_grad_bitmap(%dy: memref<?x64xf32>, %i: memref<?xi64>, %g: memref<?x64xf32>) {
  // expected-error@+1 {{expected another grouping than bitmap}}
  embedding.dense_grad {embedding.schedule = #embedding.schedule<grouping = bitmap>}
    ins(%dy, %i : memref<?x64xf32>, memref<?xi64>) outs(%g : memref<?x64xf32>)
  return
}
