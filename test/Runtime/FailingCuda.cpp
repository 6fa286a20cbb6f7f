//===- FailingCuda.cpp - A driver of which each call may fail -------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The interpreter, but for one call.
//
//===----------------------------------------------------------------------===//

#include "Device/Driver.h"

#include <cstring>
#include <dlfcn.h>
#include <string_view>

using namespace embedding::runtime;

namespace {

/// CUDA_ERROR_UNKNOWN.
constexpr CUresult kError = 999;

int numCalls = 0, failingCall = 0, balance = 0;
const char *failed = nullptr;

/// How many things more there are after a call of `function`. Whoever tries to
/// give one back has done what can be done.
int getChange(std::string_view function, bool isDone) {
  for (const char *taking :
       {"cuDevicePrimaryCtxRetain", "cuCtxPushCurrent_v2", "cuMemAlloc_v2",
        "cuMemAllocAsync", "cuModuleLoadData"})
    if (function == taking)
      return isDone ? 1 : 0;
  for (const char *giving :
       {"cuDevicePrimaryCtxRelease_v2", "cuCtxPopCurrent_v2", "cuMemFree_v2",
        "cuMemFreeAsync", "cuModuleUnload"})
    if (function == giving)
      return -1;
  return 0;
}

template <typename... Parameters>
CUresult call(const char *name, CUresult (*)(Parameters...),
              Parameters... arguments) {
  static void *const interpreter = dlopen(INTERPRETED_CUDA, RTLD_NOW);
  CUresult result = kError;
  if (++numCalls == failingCall)
    failed = name;
  else
    result = reinterpret_cast<CUresult (*)(Parameters...)>(
        dlsym(interpreter, name))(arguments...);
  balance += getChange(name, result == 0);
  return result;
}

} // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

/// Call `number` from now on fails, counted from 1.
EXPORT void embedding_failing_cuda_start(int number) {
  numCalls = 0;
  failingCall = number;
  failed = nullptr;
}
/// The function that has failed, or null.
EXPORT const char *embedding_failing_cuda_failed() { return failed; }
/// What was taken and not given back, of all kinds.
EXPORT int embedding_failing_cuda_balance() { return balance; }

#define FORWARD(name, parameters, ...)                                         \
  EXPORT CUresult name parameters { return call(#name, &name, __VA_ARGS__); }

FORWARD(cuInit, (unsigned a), a)
FORWARD(cuDeviceGet, (CUdevice * a, int b), a, b)
FORWARD(cuDeviceGetAttribute, (int *a, int b, CUdevice c), a, b, c)
FORWARD(cuDevicePrimaryCtxRetain, (CUcontext * a, CUdevice b), a, b)
FORWARD(cuDevicePrimaryCtxRelease_v2, (CUdevice a), a)
FORWARD(cuCtxPushCurrent_v2, (CUcontext a), a)
FORWARD(cuCtxPopCurrent_v2, (CUcontext * a), a)
FORWARD(cuMemAlloc_v2, (CUdeviceptr * a, size_t b), a, b)
FORWARD(cuMemFree_v2, (CUdeviceptr a), a)
FORWARD(cuMemAllocAsync, (CUdeviceptr * a, size_t b, CUstream c), a, b, c)
FORWARD(cuMemFreeAsync, (CUdeviceptr a, CUstream b), a, b)
FORWARD(cuMemcpyHtoDAsync_v2,
        (CUdeviceptr a, const void *b, size_t c, CUstream d), a, b, c, d)
FORWARD(cuMemcpyDtoHAsync_v2, (void *a, CUdeviceptr b, size_t c, CUstream d), a,
        b, c, d)
FORWARD(cuMemcpyDtoDAsync_v2,
        (CUdeviceptr a, CUdeviceptr b, size_t c, CUstream d), a, b, c, d)
FORWARD(cuStreamSynchronize, (CUstream a), a)
FORWARD(cuModuleLoadData, (CUmodule * a, const void *b), a, b)
FORWARD(cuModuleUnload, (CUmodule a), a)
FORWARD(cuModuleGetFunction, (CUfunction * a, CUmodule b, const char *c), a, b,
        c)
FORWARD(cuLaunchKernel,
        (CUfunction a, unsigned b, unsigned c, unsigned d, unsigned e,
         unsigned f, unsigned g, unsigned h, CUstream i, void **j, void **k),
        a, b, c, d, e, f, g, h, i, j, k)

EXPORT CUresult cuGetErrorString(CUresult, const char **text) {
  *text = "as was asked for";
  return 0;
}
