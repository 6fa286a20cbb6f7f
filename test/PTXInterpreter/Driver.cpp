//===- Driver.cpp - A CUDA driver without a GPU ---------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The functions of libcuda that the runtime calls, over the interpreter: loaded
// in its place, the runtime's own tests run without a GPU. Everything is done
// when a function returns. One device; EMBEDDING_INTERPRETER_ORDER names the
// order of threads, EMBEDDING_INTERPRETER_CAPABILITY the device's, such as 9.0.
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

using namespace embedding::ptx;

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

enum Result : int {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kInvalidImage = 200,
  kInvalidContext = 201,
  kNotFound = 500,
  kLaunchFailed = 719
};

struct Device {
  std::mutex mutex;
  Memory memory;
  Order order = Order::forward;
  uint32_t launchCount = Bytes::kHost;
  /// A failed launch leaves nothing in order behind it.
  int sticky = kSuccess;
};

} // namespace

/// Never destroyed: a process may end with calls.
static Device &getDevice() {
  static auto *device = new Device;
  return *device;
}

/// Only addresses matter.
static char context;
static thread_local std::vector<void *> contexts;

static Order getOrder() {
  const char *name = std::getenv("EMBEDDING_INTERPRETER_ORDER");
  if (name && std::strcmp(name, "reverse") == 0)
    return Order::reverse;
  if (name && std::strcmp(name, "permuted") == 0)
    return Order::permuted;
  if (name && std::strcmp(name, "interleaved") == 0)
    return Order::interleaved;
  return Order::forward;
}

EXPORT int cuInit(unsigned) { return kSuccess; }
EXPORT int cuDeviceGet(int *device, int ordinal) {
  *device = ordinal;
  return ordinal == 0 ? kSuccess : 101;
}
EXPORT int cuDeviceGetAttribute(int *value, int attribute, int) {
  const char *capability = std::getenv("EMBEDDING_INTERPRETER_CAPABILITY");
  int major = 9, minor = 0;
  if (capability)
    std::sscanf(capability, "%d.%d", &major, &minor);
  if (attribute == 75)
    *value = major;
  else if (attribute == 76)
    *value = minor;
  else
    return kInvalidValue;
  return kSuccess;
}
EXPORT int cuDevicePrimaryCtxRetain(void **out, int) {
  *out = &context;
  return kSuccess;
}
EXPORT int cuDevicePrimaryCtxRelease_v2(int) { return kSuccess; }
EXPORT int cuCtxPushCurrent_v2(void *pushed) {
  contexts.push_back(pushed);
  return kSuccess;
}
EXPORT int cuCtxPopCurrent_v2(void **out) {
  if (contexts.empty())
    return kInvalidContext;
  *out = contexts.back();
  contexts.pop_back();
  return kSuccess;
}

EXPORT int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  if (contexts.empty())
    return kInvalidContext;
  if (bytes == 0)
    return kInvalidValue;
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  *address = device.memory.allocate(bytes);
  return kSuccess;
}
EXPORT int cuMemFree_v2(uint64_t address) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  return address == 0 || device.memory.deallocate(address) ? kSuccess
                                                           : kInvalidValue;
}
EXPORT int cuMemAllocAsync(uint64_t *address, size_t bytes, void *) {
  return cuMemAlloc_v2(address, bytes);
}
EXPORT int cuMemFreeAsync(uint64_t address, void *) {
  return cuMemFree_v2(address);
}
EXPORT int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes,
                                void *) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  Bytes found = device.memory.find(to, bytes);
  if (!found.data)
    return kInvalidValue;
  std::memcpy(found.data, from, bytes);
  std::fill_n(found.writers, bytes, Bytes::kHost);
  return device.sticky;
}
EXPORT int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  Bytes found = device.memory.find(from, bytes);
  if (!found.data)
    return kInvalidValue;
  std::memcpy(to, found.data, bytes);
  return device.sticky;
}
EXPORT int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes,
                                void *) {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  Bytes target = device.memory.find(to, bytes);
  Bytes source = device.memory.find(from, bytes);
  if (!target.data || !source.data)
    return kInvalidValue;
  std::memmove(target.data, source.data, bytes);
  std::memmove(target.writers, source.writers, bytes * sizeof(*source.writers));
  return device.sticky;
}
EXPORT int cuStreamSynchronize(void *) { return getDevice().sticky; }

EXPORT int cuModuleLoadData(void **out, const void *image) {
  auto module = std::make_unique<Module>();
  try {
    *module = parse(static_cast<const char *>(image));
    for (auto &[name, kernel] : module->kernels)
      decode(kernel);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return kInvalidImage;
  }
  *out = module.release();
  return kSuccess;
}
EXPORT int cuModuleUnload(void *module) {
  delete static_cast<Module *>(module);
  return kSuccess;
}
EXPORT int cuModuleGetFunction(void **out, void *module, const char *name) {
  auto &kernels = static_cast<Module *>(module)->kernels;
  auto found = kernels.find(name);
  if (found == kernels.end())
    return kNotFound;
  *out = &found->second;
  return kSuccess;
}

EXPORT int cuLaunchKernel(void *function, unsigned gridX, unsigned gridY,
                          unsigned gridZ, unsigned blockX, unsigned blockY,
                          unsigned blockZ, unsigned, void *, void **arguments,
                          void **) {
  const auto *kernel = static_cast<const Kernel *>(function);
  if (contexts.empty())
    return kInvalidContext;
  if (gridX == 0 || gridY != 1 || gridZ != 1 || blockX == 0 || blockY != 1 ||
      blockZ != 1 || (kernel->maxThreads && blockX > kernel->maxThreads))
    return kInvalidValue;
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  if (device.sticky != kSuccess)
    return device.sticky;
  try {
    run({kernel, gridX, blockX, arguments, getOrder(), ++device.launchCount},
        device.memory);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "PTX interpreter: %s\n", error.what());
    device.sticky = kLaunchFailed;
  }
  return kSuccess;
}

EXPORT int cuGetErrorString(int result, const char **text) {
  switch (result) {
  case kSuccess:
    *text = "no error";
    return kSuccess;
  case kLaunchFailed:
    *text = "unspecified launch failure";
    return kSuccess;
  default:
    *text = "an error of the interpreter's driver";
    return kSuccess;
  }
}

/// Allocations that are live; of the interpreter's alone.
EXPORT size_t embedding_interpreter_allocation_count() {
  Device &device = getDevice();
  std::lock_guard<std::mutex> lock(device.mutex);
  return device.memory.getAllocationCount();
}
