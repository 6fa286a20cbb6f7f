//===- CompiledFunction.cpp - Calls of compiled functions -----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Call/CompiledFunction.h"

#include <cstring>
#include <optional>

using namespace embedding::runtime;

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// What code that was compiled for a GPU takes for granted.
static constexpr uintptr_t kDeviceAlignment = 16;

Status CompiledCall::takeTensor(const DLTensor *dlTensor,
                                const Operand &operand, bool isForDevice,
                                Tensor &tensor) {
  if (Status valid = tensor.set(dlTensor, operand.name); !valid)
    return valid;
  auto fail = [&](const std::string &what) {
    return invalidArgument(std::string(operand.name) + ": " + what);
  };
  if (tensor.isOnDevice() != isForDevice)
    return fail(isForDevice ? "expected memory of a GPU"
                            : "expected memory of the CPU");
  if (!operand.hasType(tensor.dtype()))
    return fail("expected " + getName(operand.dtype()) + ", but got " +
                getName(tensor.dtype()));
  if (!operand.hasShape(tensor))
    return fail("expected shape " + operand.shape() + ", but got " +
                formatShape(dlTensor->shape, tensor.rank()));
  if (tensor.numElements() == 0)
    return success();
  if (!tensor.isAligned())
    return fail("expected data aligned to its elements");
  if (isForDevice &&
      reinterpret_cast<uintptr_t>(tensor.data()) % kDeviceAlignment != 0)
    return fail("on a GPU, expected data aligned to " +
                std::to_string(kDeviceAlignment) + " bytes");
  int64_t compact = 1;
  for (int dim = tensor.rank() - 1; dim >= 0; --dim) {
    int64_t expected = operand.strides[dim] == signature::kCompact
                           ? compact
                           : operand.strides[dim];
    if (expected != signature::kAny && tensor.size(dim) > 1 &&
        tensor.stride(dim) != expected)
      return fail("expected a stride of " + std::to_string(expected) +
                  " in dimension " + std::to_string(dim) + ", but got " +
                  std::to_string(tensor.stride(dim)));
    compact *= tensor.size(dim);
  }
  return success();
}

/// Writes the memref of `tensor`; returns where it ends.
static int64_t *writeMemRef(const Tensor &tensor, int64_t *to) {
  *to++ = reinterpret_cast<int64_t>(tensor.data());
  *to++ = reinterpret_cast<int64_t>(tensor.data());
  *to++ = 0;
  for (int dim = 0; dim < tensor.rank(); ++dim)
    *to++ = tensor.size(dim);
  for (int dim = 0; dim < tensor.rank(); ++dim)
    *to++ = tensor.stride(dim);
  return to;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

Status CallDevice::add(const Tensor &tensor, const char *name) {
  if (!tensor.isOnDevice())
    return success();
  if (id >= 0 && tensor.device() != id)
    return invalidArgument(std::string(name) + ": expected GPU " +
                           std::to_string(id) +
                           (operand ? std::string(", as of ") + operand : "") +
                           ", but got GPU " + std::to_string(tensor.device()));
  id = tensor.device();
  operand = name;
  return success();
}

Status GivenResults::take(const void *const *given, CallDevice &device) {
  for (size_t number = 0; number < tensors.size(); ++number) {
    const Operand &operand = signature.results[number];
    if (Status taken = CompiledCall::takeTensor(
            static_cast<const DLTensor *>(given[number]), operand,
            !signature.chips.empty(), tensors[number]);
        !taken)
      return taken;
    if (Status added = device.add(tensors[number], operand.name); !added)
      return added;
  }
  return success();
}

Result<Tensor> GivenResults::getTensor(int64_t number, const DLTensor &like) {
  const Tensor &to = tensors[number];
  std::vector<int64_t> shape;
  for (int dim = 0; dim < to.rank(); ++dim)
    shape.push_back(to.size(dim));
  std::string expected = formatShape(like.shape, like.ndim);
  std::string got = formatShape(shape.data(), to.rank());
  if (expected != got)
    return invalidArgument(std::string(signature.results[number].name) +
                           ": expected shape " + expected + ", but got " + got);
  return to;
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

static Status checkX86Level(int64_t level) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool isSupported = true;
  if (level == 2)
    isSupported = __builtin_cpu_supports("x86-64-v2");
  else if (level == 3)
    isSupported = __builtin_cpu_supports("x86-64-v3");
  else if (level == 4)
    isSupported = __builtin_cpu_supports("x86-64-v4");
  if (!isSupported)
    return Failure{EMBEDDING_UNSUPPORTED,
                   "this library needs a CPU of x86-64-v" +
                       std::to_string(level)};
#endif
  return success();
}

Result<void *> CompiledCall::chooseFunction(void *const *functions,
                                            Device *device) const {
  if (!device)
    return functions[0];
  for (size_t i = signature.chips.size(); i > 0; --i)
    if (signature.chips[i - 1] <= device->getChip())
      return functions[i - 1];
  return Failure{EMBEDDING_UNSUPPORTED,
                 "this library needs a GPU of sm_" +
                     std::to_string(signature.chips.front()) +
                     " or later, but got sm_" +
                     std::to_string(device->getChip())};
}

Status CompiledCall::checkApart(int64_t number, const Tensor &result) {
  auto fail = [&](const Operand &other) {
    return invalidArgument(std::string(signature.results[number].name) +
                           ": expected memory apart from that of " +
                           other.name);
  };
  for (size_t i = 0; i < arguments.size(); ++i)
    if (!signature.arguments[i].isScalar() && overlap(result, arguments[i]))
      return fail(signature.arguments[i]);
  // Results are compact.
  auto [begin, end] = result.extent();
  for (size_t i = 0; i < placed.size() && begin != end; ++i)
    if (begin < placed[i].extent.second && placed[i].extent.first < end)
      return fail(signature.results[i]);
  placed[number].extent = {begin, end};
  return success();
}

Status CompiledCall::take(const void *const *given, CallDevice callDevice) {
  if (Status supported = checkX86Level(signature.x86Level); !supported)
    return supported;
  int64_t *memref = memrefs.data();
  for (size_t number = 0; number < arguments.size(); ++number) {
    const Operand &argument = signature.arguments[number];
    const void *value = given[number];
    if (argument.isScalar()) {
      if (!value)
        return invalidArgument(std::string(argument.name) +
                               ": expected a value, but got null");
      pointers[number] = const_cast<void *>(value);
      continue;
    }
    Tensor &tensor = arguments[number];
    if (Status taken = takeTensor(static_cast<const DLTensor *>(value),
                                  argument, isForDevice(), tensor);
        !taken)
      return taken;
    if (Status added = callDevice.add(tensor, argument.name); !added)
      return added;
    pointers[number] = memref;
    memref = writeMemRef(tensor, memref);
  }
  for (size_t number = 0; number < placed.size(); ++number)
    if (const Tensor *known = results.getKnown(number))
      if (Status apart = checkApart(number, *known); !apart)
        return apart;
  deviceId = callDevice.id;
  return success();
}

Status CompiledCall::run(void *const *functions) {
  Device *device = nullptr;
  std::optional<DeviceScope> scope;
  if (isForDevice()) {
    Result<Device *> found = machine.getDevice(deviceId);
    if (!found)
      return found.failure();
    device = *found;
  }
  Result<void *> function = chooseFunction(functions, device);
  if (!function)
    return function.failure();
  if (device) {
    onDevice = &scope.emplace(*device, stream);
    if (Status ready = scope->getStatus(); !ready)
      return ready;
  }
  return GeneratedCall::run(
      [&] { reinterpret_cast<void (*)(void **)>(*function)(pointers.data()); });
}

//===----------------------------------------------------------------------===//
// What compiled code calls
//===----------------------------------------------------------------------===//

Result<char *> CompiledCall::getDestination(int64_t number,
                                            const int64_t *sizes) {
  char *&destination = placed[number].destination;
  if (destination)
    return destination;
  const Operand &operand = signature.results[number];
  DLTensor like{};
  like.device = {kDLCPU, 0};
  if (onDevice)
    like.device = {kDLCUDA, onDevice->device.getId()};
  like.ndim = static_cast<int32_t>(operand.rank);
  like.dtype = operand.dtype();
  like.shape = const_cast<int64_t *>(sizes);
  Result<Tensor> tensor = results.getTensor(number, like);
  if (!tensor)
    return tensor.failure();
  if (!results.getKnown(number))
    if (Status apart = checkApart(number, *tensor); !apart)
      return apart.failure();
  destination = tensor->data();
  return destination;
}

Result<void *> CompiledCall::placeResult(int64_t number, int64_t alignment,
                                         const int64_t *sizes) {
  // Code that has yet to find out that a size is another than its type says.
  const Operand &operand = signature.results[number];
  for (int64_t dim = 0; dim < operand.rank; ++dim)
    if (operand.sizes[dim] != signature::kAny &&
        operand.sizes[dim] != sizes[dim])
      return nullptr;
  Result<char *> destination = getDestination(number, sizes);
  if (!destination)
    return destination.failure();
  bool isAligned = reinterpret_cast<uintptr_t>(*destination) % alignment == 0;
  return isAligned ? *destination : nullptr;
}

Status CompiledCall::take(int64_t number, const int64_t *memref) {
  // Code has gone on after a report, and has no result that counts.
  if (Status before = getStatus(); !before)
    return before;
  const Operand &operand = signature.results[number];
  const int64_t *sizes = memref + 3;
  Result<char *> to = getDestination(number, sizes);
  if (!to)
    return to.failure();
  int64_t elementBytes = operand.bits / 8;
  int64_t bytes = elementBytes;
  for (int64_t dim = 0; dim < operand.rank; ++dim)
    bytes *= sizes[dim];
  const char *from =
      reinterpret_cast<const char *>(memref[1]) + memref[2] * elementBytes;
  if (bytes == 0 || from == *to)
    return success();
  if (!onDevice) {
    std::memcpy(*to, from, bytes);
    return success();
  }
  const Driver &driver = onDevice->device.getDriver();
  return driver.check(driver.cuMemcpyDtoDAsync_v2(
                          reinterpret_cast<CUdeviceptr>(*to),
                          reinterpret_cast<CUdeviceptr>(from), bytes, stream),
                      "cuMemcpyDtoDAsync");
}
