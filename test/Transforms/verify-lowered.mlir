// RUN: embedding-opt %s --verify-lowered --split-input-file --verify-diagnostics --allow-unregistered-dialect

// What translates to LLVM IR, and a script, are fine.
module {
  gpu.binary @kernels [#gpu.object<#nvvm.target<chip = "sm_90">, assembly = "text">]
  llvm.func @lowered(%x: i64) -> i64 {
    omp.barrier
    %0 = llvm.add %x, %x : i64
    llvm.return %0 : i64
  }
  module attributes {transform.with_named_sequence} {
    transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
      transform.yield
    }
  }
}

// -----

// Each kind of operation once.
llvm.func @left() {
  // expected-error @below {{'vector.step' op is left by the pipeline: no conversion to the LLVM dialect takes it}}
  %0 = vector.step : vector<4xindex>
  %1 = vector.step : vector<8xindex>
  // expected-error @below {{'test.unknown' op is left by the pipeline: no dialect here has it}}
  "test.unknown"() : () -> ()
  llvm.return
}

// -----

// expected-error @below {{'func.func' op is left by the pipeline}}
// expected-error @below {{'func.return' op is left}}
// expected-error @below {{'tensor.rank' op is left by the pipeline: it is on tensors}}
func.func @tensor(%t: tensor<*xf32>) { %0 = tensor.rank %t : tensor<*xf32> return }

// -----

llvm.func @unranked(%p: !llvm.ptr) {
  // A cast stands where the other operation is, which is what to report.
  %0 = builtin.unrealized_conversion_cast %p : !llvm.ptr to memref<*xf32>
  // expected-error @below {{'memref.rank' op is left by the pipeline: it is on memrefs of unknown rank}}
  %1 = memref.rank %0 : memref<*xf32>
  llvm.return
}

// -----

llvm.func @cast(%p: !llvm.ptr) {
  // expected-error @below {{'builtin.unrealized_conversion_cast' op is left by the pipeline: nothing converts !llvm.ptr to index}}
  %0 = builtin.unrealized_conversion_cast %p : !llvm.ptr to index
  llvm.return
}
