//===- Driver.cpp - CUDA's driver, if there is one ------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device/Driver.h"

#include <cstdlib>
#include <dlfcn.h>

using namespace embedding::runtime;

std::string Driver::getDefaultLibrary() {
  const char *named = std::getenv("EMBEDDING_CUDA_LIBRARY");
  return named ? named : "libcuda.so.1";
}

Result<Driver> Driver::load(const std::string &library) {
  void *handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return Failure{EMBEDDING_UNSUPPORTED,
                   std::string("cuda: no driver: ") + dlerror()};
  Driver driver;
#define EMBEDDING_DRIVER_LOAD(name, ...)                                       \
  driver.name = reinterpret_cast<decltype(driver.name)>(dlsym(handle, #name)); \
  if (!driver.name)                                                            \
    return Failure{EMBEDDING_UNSUPPORTED,                                      \
                   "cuda: " + library + " has no function " #name};
  EMBEDDING_DRIVER_FUNCTIONS(EMBEDDING_DRIVER_LOAD)
#undef EMBEDDING_DRIVER_LOAD
  if (Status ready = driver.check(driver.cuInit(0), "cuInit"); !ready)
    return Failure{EMBEDDING_UNSUPPORTED, ready.failure().message};
  return driver;
}

Status Driver::check(CUresult result, const char *function) const {
  if (result == 0)
    return success();
  const char *text = nullptr;
  if (cuGetErrorString(result, &text) != 0 || !text)
    text = "unknown error";
  return Failure{EMBEDDING_DEVICE_ERROR, std::string("cuda: ") + function +
                                             ": " + text + " (" +
                                             std::to_string(result) + ")"};
}
