//===- Device.h - A GPU, and calls that run on it ---------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_DEVICE_DEVICE_H
#define EMBEDDING_RUNTIME_LIB_DEVICE_DEVICE_H

#include "Device/Driver.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace embedding::runtime {

/// A GPU, in its primary context, which this process shares with other users of
/// CUDA. May be used by several threads at once.
class Device {
public:
  static Result<std::unique_ptr<Device>> create(const Driver &driver,
                                                int32_t id);
  ~Device();

  int32_t getId() const { return id; }
  /// What to compile for, such as 90 for sm_90.
  int32_t getChip() const { return chip; }
  const Driver &getDriver() const { return driver; }

  /// The kernel `name` of the module `image`, which is loaded if need be. Both
  /// are kept by address, and must outlive the device.
  Result<CUfunction> getKernel(const char *image, const char *name);
  /// Where kernels in `stream` report indices out of range: four int64.
  Result<CUdeviceptr> getReport(CUstream stream);
  /// Waits for `stream`, and fails if calls in it have reported.
  Status synchronize(CUstream stream);

private:
  friend class DeviceScope;

  Device(const Driver &driver, int32_t id) : driver(driver), id(id) {}
  Status initialize();
  /// Makes room for the reports of more streams, and waits until they are
  /// clear.
  Status allocateReports();

  const Driver &driver;
  int32_t id;
  CUdevice device = 0;
  CUcontext context = nullptr;
  int32_t chip = 0;
  std::mutex mutex;
  std::unordered_map<const char *, CUmodule> modules;
  std::unordered_map<const char *, CUfunction> kernels;
  std::unordered_map<CUstream, CUdeviceptr> reports;
  std::vector<CUdeviceptr> reportBlocks;
};

/// The GPUs of one user, whose driver is loaded when the first is asked for.
/// May be used by several threads at once.
class Devices {
public:
  explicit Devices(std::string driverLibrary)
      : driverLibrary(std::move(driverLibrary)) {}

  Result<Device *> get(int32_t id);

private:
  std::string driverLibrary;
  std::mutex mutex;
  std::unique_ptr<Driver> driver;
  std::map<int32_t, std::unique_ptr<Device>> devices;
};

/// While one lives, the device's context is current on this thread.
class DeviceScope {
public:
  /// What is launched goes to `stream`.
  DeviceScope(Device &device, CUstream stream);
  ~DeviceScope();
  DeviceScope(const DeviceScope &) = delete;
  DeviceScope &operator=(const DeviceScope &) = delete;

  /// Whether the context is current.
  Status getStatus() const { return status; }

  Status launch(const char *image, const char *name, int64_t blocks,
                int64_t threads, int64_t *arguments,
                int64_t argumentCount) const;
  /// Where kernels report indices out of range.
  Result<CUdeviceptr> getReport() const { return device.getReport(stream); }

  Device &device;
  const CUstream stream;

private:
  Status status;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_DEVICE_DEVICE_H
