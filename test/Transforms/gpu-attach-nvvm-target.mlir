// RUN: embedding-opt %s -pass-pipeline="builtin.module(gpu.module(gpu-attach-nvvm-target{chip=sm_100}))" | FileCheck %s
// RUN: embedding-opt %s -pass-pipeline="builtin.module(gpu.module(gpu-attach-nvvm-target{chip=sm_90 features=+ptx85 O=2}))" | FileCheck %s --check-prefix=GIVEN
// RUN: not embedding-opt %s -pass-pipeline="builtin.module(gpu.module(gpu-attach-nvvm-target{chip=sm_70}))" 2>&1 | FileCheck %s --check-prefix=OLD

// CHECK: gpu.module @kernels [#nvvm.target<O = 3, chip = "sm_100", features = "+ptx86">]
// GIVEN: gpu.module @kernels [#nvvm.target<chip = "sm_90", features = "+ptx85">]
// OLD: error: expected a chip from sm_80 on, one of sm_80, {{.*}}, but got 'sm_70'
gpu.module @kernels {
}
