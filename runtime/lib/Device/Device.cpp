//===- Device.cpp - A GPU, and calls that run on it -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device/Device.h"

#include <limits>

using namespace embedding::runtime;

//===----------------------------------------------------------------------===//
// Device
//===----------------------------------------------------------------------===//

/// The chips that there is code for, in ascending order. One that is not among
/// them runs the code of the one before.
static constexpr int32_t kChips[] = {80, 86, 87, 89, 90, 100, 103, 120};

/// Where kernels report indices out of range.
struct Report {
  int64_t position;
  int64_t index;
  int64_t count;
  int64_t lock;
};

/// What a report says before anything is reported.
static constexpr Report kNothing = {std::numeric_limits<int64_t>::max(), 0, 0,
                                    0};

/// How many streams share an allocation of reports.
static constexpr size_t kReportsOfBlock = 512;

Result<std::unique_ptr<Device>> Device::create(const Driver &driver,
                                               int32_t id) {
  std::unique_ptr<Device> device(new Device(driver, id));
  if (Status ready = device->initialize(); !ready)
    return ready.failure();
  return Result<std::unique_ptr<Device>>(std::move(device));
}

Status Device::initialize() {
  if (Status found =
          driver.check(driver.cuDeviceGet(&device, id), "cuDeviceGet");
      !found)
    return found;
  int major = 0, minor = 0;
  for (auto [value, attribute] : {std::pair(&major, kComputeCapabilityMajor),
                                  {&minor, kComputeCapabilityMinor}})
    if (Status known =
            driver.check(driver.cuDeviceGetAttribute(value, attribute, device),
                         "cuDeviceGetAttribute");
        !known)
      return known;
  for (int32_t known : kChips)
    if (known <= 10 * major + minor)
      chip = known;
  if (chip == 0)
    return Failure{EMBEDDING_UNSUPPORTED,
                   "cuda: expected a GPU of compute capability 8.0 or later, "
                   "but got " +
                       std::to_string(major) + "." + std::to_string(minor)};
  if (Status retained =
          driver.check(driver.cuDevicePrimaryCtxRetain(&context, device),
                       "cuDevicePrimaryCtxRetain");
      !retained)
    return retained;
  DeviceScope scope(*this, /*stream=*/nullptr);
  if (Status ready = scope.getStatus(); !ready)
    return ready;
  return allocateReports();
}

Device::~Device() {
  if (!context)
    return;
  // Whatever fails here, at the end of the process above all, is gone anyway.
  if (driver.cuCtxPushCurrent_v2(context) == 0) {
    for (auto [image, module] : modules)
      driver.cuModuleUnload(module);
    for (CUdeviceptr block : reportBlocks)
      driver.cuMemFree_v2(block);
    CUcontext popped;
    driver.cuCtxPopCurrent_v2(&popped);
  }
  driver.cuDevicePrimaryCtxRelease_v2(device);
}

Result<CUfunction> Device::getKernel(const char *image, const char *name) {
  std::lock_guard<std::mutex> lock(mutex);
  CUfunction &kernel = kernels[name];
  if (kernel)
    return kernel;
  auto module = modules.find(image);
  if (module == modules.end()) {
    CUmodule made = nullptr;
    if (Status loaded = driver.check(driver.cuModuleLoadData(&made, image),
                                     "cuModuleLoadData");
        !loaded)
      return loaded.failure();
    module = modules.emplace(image, made).first;
  }
  if (Status found = driver.check(
          driver.cuModuleGetFunction(&kernel, module->second, name),
          "cuModuleGetFunction");
      !found)
    return found.failure();
  return kernel;
}

Status Device::allocateReports() {
  std::vector<Report> clear(kReportsOfBlock, kNothing);
  size_t bytes = clear.size() * sizeof(Report);
  reportBlocks.reserve(reportBlocks.size() + 1);
  CUdeviceptr block = 0;
  if (Status allocated =
          driver.check(driver.cuMemAlloc_v2(&block, bytes), "cuMemAlloc");
      !allocated)
    return allocated;
  reportBlocks.push_back(block);
  if (Status copied = driver.check(
          driver.cuMemcpyHtoDAsync_v2(block, clear.data(), bytes, nullptr),
          "cuMemcpyHtoDAsync");
      !copied)
    return copied;
  return driver.check(driver.cuStreamSynchronize(nullptr),
                      "cuStreamSynchronize");
}

Result<CUdeviceptr> Device::getReport(CUstream stream) {
  std::lock_guard<std::mutex> lock(mutex);
  auto found = reports.find(stream);
  if (found != reports.end())
    return found->second;
  // A stream that is being captured allows no allocation, and takes one that is
  // there.
  size_t count = reports.size();
  if (count == reportBlocks.size() * kReportsOfBlock)
    if (Status allocated = allocateReports(); !allocated)
      return allocated.failure();
  CUdeviceptr report =
      reportBlocks.back() + count % kReportsOfBlock * sizeof(Report);
  reports[stream] = report;
  return report;
}

Status Device::synchronize(CUstream stream) {
  DeviceScope scope(*this, stream);
  if (Status ready = scope.getStatus(); !ready)
    return ready;
  CUdeviceptr report = 0;
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (auto known = reports.find(stream); known != reports.end())
      report = known->second;
  }
  Report found = kNothing;
  if (report)
    if (Status copied = driver.check(
            driver.cuMemcpyDtoHAsync_v2(&found, report, sizeof(found), stream),
            "cuMemcpyDtoHAsync");
        !copied)
      return copied;
  if (Status waited = driver.check(driver.cuStreamSynchronize(stream),
                                   "cuStreamSynchronize");
      !waited)
    return waited;
  if (found.count == 0)
    return success();
  if (Status cleared =
          driver.check(driver.cuMemcpyHtoDAsync_v2(report, &kNothing,
                                                   sizeof(kNothing), stream),
                       "cuMemcpyHtoDAsync");
      !cleared)
    return cleared;
  return outOfRange("indices: expected rows of the table", found.position,
                    found.index, found.count);
}

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

Result<Device *> Devices::get(int32_t id) {
  std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<Device> &device = devices[id];
  if (device)
    return device.get();
  if (!driver) {
    Result<Driver> loaded = Driver::load(driverLibrary);
    if (!loaded)
      return loaded.failure();
    driver = std::make_unique<Driver>(*loaded);
  }
  Result<std::unique_ptr<Device>> created = Device::create(*driver, id);
  if (!created)
    return created.failure();
  device = std::move(*created);
  return device.get();
}

//===----------------------------------------------------------------------===//
// DeviceScope
//===----------------------------------------------------------------------===//

DeviceScope::DeviceScope(Device &device, CUstream stream)
    : device(device), stream(stream),
      status(
          device.driver.check(device.driver.cuCtxPushCurrent_v2(device.context),
                              "cuCtxPushCurrent")) {}

DeviceScope::~DeviceScope() {
  CUcontext popped;
  if (status)
    device.driver.cuCtxPopCurrent_v2(&popped);
}

Status DeviceScope::launch(const char *image, const char *name, int64_t blocks,
                           int64_t threads, int64_t *arguments,
                           int64_t argumentCount) const {
  Result<CUfunction> kernel = device.getKernel(image, name);
  if (!kernel)
    return kernel.failure();
  if (blocks > std::numeric_limits<int32_t>::max())
    return Failure{EMBEDDING_UNSUPPORTED,
                   "cuda: more blocks of threads than a GPU takes: " +
                       std::to_string(blocks)};
  // Each value is at the start of its i64.
  std::vector<void *> parameters(argumentCount);
  for (int64_t i = 0; i < argumentCount; ++i)
    parameters[i] = &arguments[i];
  const Driver &driver = device.getDriver();
  return driver.check(
      driver.cuLaunchKernel(*kernel, static_cast<unsigned>(blocks), 1, 1,
                            static_cast<unsigned>(threads), 1, 1,
                            /*sharedBytes=*/0, stream, parameters.data(),
                            nullptr),
      "cuLaunchKernel");
}
