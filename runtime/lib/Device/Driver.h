//===- Driver.h - CUDA's driver, if there is one ----------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Declared here and found with dlopen, so that neither building nor loading the
// runtime needs CUDA. Types and names are those of cuda.h.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_DEVICE_DRIVER_H
#define EMBEDDING_RUNTIME_LIB_DEVICE_DRIVER_H

#include "Support/Result.h"

#include <cstddef>
#include <type_traits>

namespace embedding::runtime {

using CUdevice = int;
using CUcontext = struct CUctx_st *;
using CUmodule = struct CUmod_st *;
using CUfunction = struct CUfunc_st *;
using CUstream = struct CUstream_st *;
using CUdeviceptr = unsigned long long;
/// 0 for success.
using CUresult = int;

/// Values of CUdevice_attribute.
inline constexpr int kComputeCapabilityMajor = 75;
inline constexpr int kComputeCapabilityMinor = 76;

/// FUNCTION(name, types of the parameters...)
#define EMBEDDING_DRIVER_FUNCTIONS(FUNCTION)                                   \
  FUNCTION(cuInit, unsigned)                                                   \
  FUNCTION(cuGetErrorString, CUresult, const char **)                          \
  FUNCTION(cuDeviceGet, CUdevice *, int)                                       \
  FUNCTION(cuDeviceGetAttribute, int *, int, CUdevice)                         \
  FUNCTION(cuDevicePrimaryCtxRetain, CUcontext *, CUdevice)                    \
  FUNCTION(cuDevicePrimaryCtxRelease_v2, CUdevice)                             \
  FUNCTION(cuCtxPushCurrent_v2, CUcontext)                                     \
  FUNCTION(cuCtxPopCurrent_v2, CUcontext *)                                    \
  FUNCTION(cuMemAlloc_v2, CUdeviceptr *, size_t)                               \
  FUNCTION(cuMemFree_v2, CUdeviceptr)                                          \
  FUNCTION(cuMemAllocAsync, CUdeviceptr *, size_t, CUstream)                   \
  FUNCTION(cuMemFreeAsync, CUdeviceptr, CUstream)                              \
  FUNCTION(cuMemcpyHtoDAsync_v2, CUdeviceptr, const void *, size_t, CUstream)  \
  FUNCTION(cuMemcpyDtoHAsync_v2, void *, CUdeviceptr, size_t, CUstream)        \
  FUNCTION(cuMemcpyDtoDAsync_v2, CUdeviceptr, CUdeviceptr, size_t, CUstream)   \
  FUNCTION(cuStreamSynchronize, CUstream)                                      \
  FUNCTION(cuModuleLoadData, CUmodule *, const void *)                         \
  FUNCTION(cuModuleUnload, CUmodule)                                           \
  FUNCTION(cuModuleGetFunction, CUfunction *, CUmodule, const char *)          \
  FUNCTION(cuLaunchKernel, CUfunction, /*grid*/ unsigned, unsigned, unsigned,  \
           /*block*/ unsigned, unsigned, unsigned, /*shared bytes*/ unsigned,  \
           CUstream, /*parameters*/ void **, /*extra*/ void **)

struct Driver {
#define EMBEDDING_DRIVER_FIELD(name, ...)                                      \
  std::add_pointer_t<CUresult(__VA_ARGS__)> name = nullptr;
  EMBEDDING_DRIVER_FUNCTIONS(EMBEDDING_DRIVER_FIELD)
#undef EMBEDDING_DRIVER_FIELD

  /// What the environment's EMBEDDING_CUDA_LIBRARY names, or libcuda.so.1.
  static std::string getDefaultLibrary();

  /// Loads and initialises the driver in `library`. It is never unloaded.
  static Result<Driver> load(const std::string &library);

  /// Success, or what `function` of the driver says went wrong.
  Status check(CUresult result, const char *function) const;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_DEVICE_DRIVER_H
