//===- Device.cpp - A GPU, and calls that run on it -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device.h"

#include <algorithm>
#include <limits>
#include <numeric>

using namespace embedding::runtime;

//===----------------------------------------------------------------------===//
// Device
//===----------------------------------------------------------------------===//

/// The chips that there is code for, in ascending order. One that is not among
/// them runs the code of the one before.
static constexpr int32_t kChips[] = {80, 86, 87, 89, 90, 100, 103, 120};

/// What a report says before anything is reported.
static constexpr int64_t kNothing[4] = {std::numeric_limits<int64_t>::max(), 0,
                                        0, 0};

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
  return driver.check(driver.cuDevicePrimaryCtxRetain(&context, device),
                      "cuDevicePrimaryCtxRetain");
}

Device::~Device() {
  if (!context)
    return;
  // Whatever fails here, at the end of the process above all, is gone anyway.
  if (driver.cuCtxPushCurrent_v2(context) == 0) {
    for (auto [image, module] : modules)
      driver.cuModuleUnload(module);
    for (auto [stream, report] : reports)
      driver.cuMemFree_v2(report);
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
  CUmodule &module = modules[image];
  if (!module)
    if (Status loaded = driver.check(driver.cuModuleLoadData(&module, image),
                                     "cuModuleLoadData");
        !loaded)
      return loaded.failure();
  if (Status found =
          driver.check(driver.cuModuleGetFunction(&kernel, module, name),
                       "cuModuleGetFunction");
      !found)
    return found.failure();
  return kernel;
}

Status Device::clearReport(CUdeviceptr report, CUstream stream) {
  return driver.check(
      driver.cuMemcpyHtoDAsync_v2(report, kNothing, sizeof(kNothing), stream),
      "cuMemcpyHtoDAsync");
}

Result<CUdeviceptr> Device::getReport(CUstream stream) {
  std::lock_guard<std::mutex> lock(mutex);
  auto found = reports.find(stream);
  if (found != reports.end())
    return found->second;
  CUdeviceptr report = 0;
  if (Status allocated = driver.check(
          driver.cuMemAlloc_v2(&report, sizeof(kNothing)), "cuMemAlloc");
      !allocated)
    return allocated.failure();
  reports[stream] = report;
  if (Status cleared = clearReport(report, stream); !cleared)
    return cleared.failure();
  return report;
}

Status Device::synchronize(CUstream stream) {
  DeviceCall call(*this, stream);
  if (Status ready = call.getStatus(); !ready)
    return ready;
  CUdeviceptr report = 0;
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (auto found = reports.find(stream); found != reports.end())
      report = found->second;
  }
  int64_t fields[4];
  std::copy(std::begin(kNothing), std::end(kNothing), fields);
  if (report)
    if (Status copied = driver.check(
            driver.cuMemcpyDtoHAsync_v2(fields, report, sizeof(fields), stream),
            "cuMemcpyDtoHAsync");
        !copied)
      return copied;
  if (Status waited = driver.check(driver.cuStreamSynchronize(stream),
                                   "cuStreamSynchronize");
      !waited)
    return waited;
  int64_t position = fields[0], index = fields[1], count = fields[2];
  if (count == 0)
    return success();
  if (Status cleared = clearReport(report, stream); !cleared)
    return cleared;
  return Failure{EMBEDDING_OUT_OF_RANGE,
                 "indices: expected rows of the table, but got " +
                     std::to_string(index) + " at flat position " +
                     std::to_string(position) + " (" + std::to_string(count) +
                     " out of range in all)",
                 position, index, count};
}

//===----------------------------------------------------------------------===//
// DeviceCall
//===----------------------------------------------------------------------===//

/// The innermost one of this thread.
static thread_local DeviceCall *currentCall = nullptr;

DeviceCall::DeviceCall(Device &device, CUstream stream)
    : device(device), stream(stream), outer(std::exchange(currentCall, this)) {
  const Driver &driver = device.getDriver();
  status = driver.check(driver.cuCtxPushCurrent_v2(device.context),
                        "cuCtxPushCurrent");
  isPushed = bool(status);
}

DeviceCall::~DeviceCall() {
  currentCall = outer;
  CUcontext popped;
  if (isPushed)
    device.getDriver().cuCtxPopCurrent_v2(&popped);
}

void DeviceCall::launch(const char *image, int64_t, const char *name,
                        int64_t blocks, int64_t threads, int64_t *arguments,
                        int64_t argumentCount) {
  DeviceCall &call = *currentCall;
  if (!call.status)
    return;
  Result<CUfunction> kernel = call.device.getKernel(image, name);
  if (!kernel) {
    call.status = kernel.failure();
    return;
  }
  if (blocks > std::numeric_limits<int32_t>::max()) {
    call.status = Failure{EMBEDDING_UNSUPPORTED,
                          "cuda: more blocks of threads than a GPU takes: " +
                              std::to_string(blocks)};
    return;
  }
  // Each value is at the start of its i64.
  std::vector<void *> parameters(argumentCount);
  for (int64_t i = 0; i < argumentCount; ++i)
    parameters[i] = &arguments[i];
  const Driver &driver = call.device.getDriver();
  call.status = driver.check(
      driver.cuLaunchKernel(*kernel, static_cast<unsigned>(blocks), 1, 1,
                            static_cast<unsigned>(threads), 1, 1,
                            /*sharedBytes=*/0, call.stream, parameters.data(),
                            nullptr),
      "cuLaunchKernel");
}

void *DeviceCall::getReport() {
  DeviceCall &call = *currentCall;
  Result<CUdeviceptr> report = call.device.getReport(call.stream);
  if (report)
    return reinterpret_cast<void *>(*report);
  call.status = report.failure();
  return nullptr;
}

Status embedding::runtime::runOnDevice(
    Engine &engine, int32_t id, void *stream, KernelSpec &spec,
    size_t *outWorkspaceBytes,
    const std::function<int64_t(void *, AnyMemRef *)> &getBytes,
    const std::function<void(void *, AnyMemRef *)> &run) {
  Result<Device *> device = engine.getDevice(id);
  if (!device)
    return device.failure();
  spec.chip = (*device)->getChip();
  Result<const Kernel *> kernel = engine.getKernel(spec);
  if (!kernel)
    return kernel.failure();
  MemRef<1> workspace;
  workspace.strides[0] = 1;
  auto bytes =
      static_cast<size_t>(getBytes((*kernel)->workspaceBytes, &workspace));
  if (outWorkspaceBytes) {
    *outWorkspaceBytes = bytes;
    return success();
  }
  DeviceCall call(**device, static_cast<CUstream>(stream));
  if (Status ready = call.getStatus(); !ready)
    return ready;
  if (bytes > 0) {
    Result<void *> memory = engine.allocateOnDevice(**device, stream, bytes);
    if (!memory)
      return memory.failure();
    workspace.aligned = *memory;
    workspace.sizes[0] = static_cast<int64_t>(bytes);
  }
  run((*kernel)->function, &workspace);
  if (bytes > 0)
    engine.deallocateOnDevice(**device, stream, workspace.aligned, bytes);
  return call.getStatus();
}

//===----------------------------------------------------------------------===//
// DeviceOperands
//===----------------------------------------------------------------------===//

AnyMemRef *DeviceOperands::add(const Tensor &tensor) {
  tensors[count] = &tensor;
  return &refs[count++];
}

/// Makes one dimension of those that lie at one stride in every tensor.
Status DeviceOperands::collapseDims() {
  strideDims.fill(-1);
  sizes.fill(1);
  sizes[0] = indices.numElements();
  if (sizes[0] <= 1)
    return success();
  sizes[0] = 1;
  int last = -1;
  auto liesAtOneStride = [&](const Tensor &tensor, int dim) {
    return tensor.stride(dim) == tensor.stride(strideDims[last]) * sizes[last];
  };
  for (int dim = indices.rank() - 1; dim >= 0; --dim) {
    if (indices.size(dim) == 1)
      continue;
    bool continues = last >= 0 && liesAtOneStride(indices, dim);
    for (int i = 0; i < count && continues; ++i)
      if (isShapedLikeIndices(*tensors[i]))
        continues = liesAtOneStride(*tensors[i], dim);
    if (!continues && ++last == KernelSpec::kManyDims)
      return Failure{EMBEDDING_UNSUPPORTED,
                     "indices: on a GPU, expected tensors whose dimensions lie "
                     "at " +
                         std::to_string(KernelSpec::kManyDims) +
                         " strides at most"};
    if (!continues)
      strideDims[last] = dim;
    sizes[last] *= indices.size(dim);
  }
  rank = last == 0 ? 1 : KernelSpec::kManyDims;
  return success();
}

/// The bytes that all rows are aligned to, a power of two of 16 at most.
int64_t DeviceOperands::getAlignment(const Tensor &tensor) const {
  int64_t alignment = std::gcd(
      int64_t(16),
      static_cast<int64_t>(reinterpret_cast<uintptr_t>(tensor.data())));
  for (int dim = 0; dim < tensor.rank() - 1; ++dim)
    if (tensor.numElements() > 0 && tensor.size(dim) > 1)
      alignment = std::gcd(alignment, std::abs(tensor.stride(dim)) *
                                          tensor.elementBytes());
  return alignment;
}

void DeviceOperands::describe(const Tensor &tensor, bool hasRows,
                              int64_t unitBytes, Descriptor &to) const {
  to.aligned = tensor.data();
  bool isTable = hasRows && !isShapedLikeIndices(tensor);
  int dims = (isTable ? 1 : rank) + hasRows;
  int64_t bytes = tensor.elementBytes();
  int64_t *memrefSizes = to.sizesAndStrides, *strides = memrefSizes + dims;
  for (int i = 0; i < dims - hasRows; ++i) {
    int number = dims - hasRows - 1 - i;
    memrefSizes[i] = isTable ? tensor.size(0) : sizes[number];
    int dim = isTable ? 0 : strideDims[number];
    strides[i] = dim < 0 ? 0 : tensor.stride(dim) * bytes / unitBytes;
  }
  if (!hasRows)
    return;
  int row = tensor.rank() - 1;
  memrefSizes[dims - 1] = tensor.size(row) * bytes / unitBytes;
  strides[dims - 1] = hasContiguousRows(tensor) ? 1 : tensor.stride(row);
}

Status DeviceOperands::finish(KernelSpec &spec, bool asBytes) {
  if (!indices.isAligned())
    return invalidArgument("indices: on a GPU, expected data aligned to its "
                           "elements of " +
                           std::to_string(indices.elementBytes()) + " bytes");
  if (Status collapsed = collapseDims(); !collapsed)
    return collapsed;
  const Tensor &first = *tensors[0];
  int64_t alignment = 16;
  spec.isContiguous = true;
  for (int i = 0; i < count; ++i) {
    alignment = std::gcd(alignment, getAlignment(*tensors[i]));
    spec.isContiguous &= hasContiguousRows(*tensors[i]);
  }
  int64_t rowBytes = first.size(first.rank() - 1) * first.elementBytes();
  int64_t unitBytes = first.elementBytes();
  if (asBytes && spec.isContiguous) {
    // As words, if rows are made of them.
    unitBytes = std::gcd(std::gcd(alignment, int64_t(4)), rowBytes);
  } else if (asBytes) {
    if (unitBytes > 8 || (unitBytes & (unitBytes - 1)) != 0)
      return Failure{EMBEDDING_UNSUPPORTED,
                     "table: on a GPU, rows that are not contiguous need "
                     "elements of 1, 2, 4 or 8 bytes, but got " +
                         std::to_string(unitBytes)};
    if (alignment % unitBytes != 0)
      return invalidArgument("table: expected rows that are not contiguous to "
                             "be aligned to their element of " +
                             std::to_string(unitBytes) + " bytes");
  }
  spec.elementCode =
      asBytes ? kDLInt : static_cast<DLDataTypeCode>(first.dtype().code);
  spec.elementBytes = static_cast<int32_t>(unitBytes);
  spec.rowLength = rowBytes > 0 && rowBytes <= kMaxStaticRowBytes
                       ? rowBytes / unitBytes
                       : KernelSpec::kDynamic;
  spec.rowAlignment = static_cast<int32_t>(alignment);
  spec.indexRank = rank;
  spec.indexBits = indices.dtype().bits;
  for (int i = 0; i < count; ++i)
    describe(*tensors[i], /*hasRows=*/true, unitBytes, refs[i]);
  describe(indices, /*hasRows=*/false, indices.elementBytes(), indexRef);
  return success();
}
