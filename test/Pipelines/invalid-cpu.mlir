// RUN: embedding-opt %s --embedding-to-cpu-pipeline -split-input-file -verify-diagnostics

// What is left is an error, and not an exit status of 0.
func.func @foreign() -> index {
  // expected-error @below {{'gpu.thread_id' op is left by the pipeline: no conversion to the LLVM dialect takes it}}
  %0 = gpu.thread_id x
  return %0 : index
}

// -----

// expected-error @below {{expected types with fewer than 2^63 bytes}}
func.func @row_bytes(%t: memref<?x4611686018427387904xf32>) { return }

// -----

func.func @scalable() -> index {
  // expected-error @below {{expected no scalable vectors, but got 'vector.vscale'}}
  %0 = vector.vscale
  return %0 : index
}
