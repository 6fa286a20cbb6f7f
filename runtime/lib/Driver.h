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

#ifndef EMBEDDING_RUNTIME_LIB_DRIVER_H
#define EMBEDDING_RUNTIME_LIB_DRIVER_H

#include "Result.h"

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

#define EMBEDDING_DRIVER_FUNCTIONS(FUNCTION)                                   \
  FUNCTION(cuInit, (unsigned flags))                                           \
  FUNCTION(cuGetErrorString, (CUresult error, const char **text))              \
  FUNCTION(cuDeviceGet, (CUdevice * device, int ordinal))                      \
  FUNCTION(cuDeviceGetAttribute, (int *value, int attribute, CUdevice device)) \
  FUNCTION(cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device))   \
  FUNCTION(cuDevicePrimaryCtxRelease_v2, (CUdevice device))                    \
  FUNCTION(cuCtxPushCurrent_v2, (CUcontext context))                           \
  FUNCTION(cuCtxPopCurrent_v2, (CUcontext * context))                          \
  FUNCTION(cuMemAlloc_v2, (CUdeviceptr * address, size_t bytes))               \
  FUNCTION(cuMemFree_v2, (CUdeviceptr address))                                \
  FUNCTION(cuMemAllocAsync,                                                    \
           (CUdeviceptr * address, size_t bytes, CUstream stream))             \
  FUNCTION(cuMemFreeAsync, (CUdeviceptr address, CUstream stream))             \
  FUNCTION(cuMemcpyHtoDAsync_v2,                                               \
           (CUdeviceptr to, const void *from, size_t bytes, CUstream stream))  \
  FUNCTION(cuMemcpyDtoHAsync_v2,                                               \
           (void *to, CUdeviceptr from, size_t bytes, CUstream stream))        \
  FUNCTION(cuStreamSynchronize, (CUstream stream))                             \
  FUNCTION(cuModuleLoadData, (CUmodule * module, const void *image))           \
  FUNCTION(cuModuleUnload, (CUmodule module))                                  \
  FUNCTION(cuModuleGetFunction,                                                \
           (CUfunction * function, CUmodule module, const char *name))         \
  FUNCTION(cuLaunchKernel,                                                     \
           (CUfunction function, unsigned gridX, unsigned gridY,               \
            unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ, \
            unsigned sharedBytes, CUstream stream, void **parameters,          \
            void **extra))

struct Driver {
#define EMBEDDING_DRIVER_FIELD(name, parameters) CUresult(*name) parameters;
  EMBEDDING_DRIVER_FUNCTIONS(EMBEDDING_DRIVER_FIELD)
#undef EMBEDDING_DRIVER_FIELD

  /// Loads and initialises the driver in `library`. It is never unloaded.
  static Result<Driver> load(const std::string &library);

  /// Success, or what `function` of the driver says went wrong.
  Status check(CUresult result, const char *function) const;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_DRIVER_H
