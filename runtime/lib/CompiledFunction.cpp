//===- CompiledFunction.cpp - Calls of compiled functions -----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompiledFunction.h"

#include <cstring>
#include <optional>

using namespace embedding::runtime;

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// What code that was compiled for a GPU takes for granted.
static constexpr uintptr_t kDeviceAlignment = 16;

Result<Tensor> CompiledCall::getTensor(const DLTensor *dlTensor,
                                       const Operand &operand,
                                       bool isForDevice) {
  Result<Tensor> tensor = Tensor::get(dlTensor, operand.name);
  if (!tensor)
    return tensor;
  auto fail = [&](const std::string &what) {
    return invalidArgument(std::string(operand.name) + ": " + what);
  };
  if (tensor->isOnDevice() != isForDevice)
    return fail(isForDevice ? "expected memory of a GPU"
                            : "expected memory of the CPU");
  if (!operand.hasType(tensor->dtype()))
    return fail("expected " + getName(operand.dtype()) + ", but got " +
                getName(tensor->dtype()));
  if (!operand.hasShape(*tensor))
    return fail("expected shape " + operand.shape() + ", but got " +
                formatShape(dlTensor->shape, tensor->rank()));
  if (tensor->numElements() == 0)
    return tensor;
  if (!tensor->isAligned())
    return fail("expected data aligned to its elements");
  if (isForDevice &&
      reinterpret_cast<uintptr_t>(tensor->data()) % kDeviceAlignment != 0)
    return fail("on a GPU, expected data aligned to " +
                std::to_string(kDeviceAlignment) + " bytes");
  int64_t compact = 1;
  for (int dim = tensor->rank() - 1; dim >= 0; --dim) {
    int64_t expected = operand.strides[dim] == signature::kCompact
                           ? compact
                           : operand.strides[dim];
    if (expected != signature::kAny && tensor->size(dim) > 1 &&
        tensor->stride(dim) != expected)
      return fail("expected a stride of " + std::to_string(expected) +
                  " in dimension " + std::to_string(dim) + ", but got " +
                  std::to_string(tensor->stride(dim)));
    compact *= tensor->size(dim);
  }
  return tensor;
}

/// A memref of `rank` as compiled code takes it: two pointers, the offset,
/// sizes and strides.
static std::vector<int64_t> makeMemRef(const Tensor &tensor) {
  auto address = reinterpret_cast<int64_t>(tensor.data());
  std::vector<int64_t> fields = {address, address, 0};
  for (int dim = 0; dim < tensor.rank(); ++dim)
    fields.push_back(tensor.size(dim));
  // Of what has no second element a stride says nothing, but code that was told
  // that memory is compact may ask.
  int64_t compact = 1;
  size_t strides = fields.size();
  fields.resize(strides + tensor.rank());
  for (int dim = tensor.rank() - 1; dim >= 0; --dim) {
    fields[strides + dim] = tensor.size(dim) > 1 ? tensor.stride(dim) : compact;
    compact *= tensor.size(dim);
  }
  return fields;
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
  for (const Operand &operand : signature.results) {
    Result<Tensor> tensor =
        CompiledCall::getTensor(static_cast<const DLTensor *>(*given++),
                                operand, !signature.chips.empty());
    if (!tensor)
      return tensor.failure();
    if (Status added = device.add(*tensor, operand.name); !added)
      return added;
    tensors.push_back(*tensor);
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

thread_local CompiledCall *CompiledCall::current = nullptr;

void CompiledCall::fail(Failure failure) {
  std::lock_guard<std::mutex> lock(mutex);
  if (status)
    status = std::move(failure);
}

Status CompiledCall::getStatus() {
  std::lock_guard<std::mutex> lock(mutex);
  return status;
}

Result<void *> CompiledCall::chooseFunction(void *const *functions,
                                            int32_t deviceId) {
  if (!isForDevice())
    return functions[0];
  Result<Device *> found = machine.getDevice(deviceId);
  if (!found)
    return found.failure();
  device = *found;
  for (size_t i = signature.chips.size(); i > 0; --i)
    if (signature.chips[i - 1] <= device->getChip())
      return functions[i - 1];
  return Failure{EMBEDDING_UNSUPPORTED,
                 "this library needs a GPU of sm_" +
                     std::to_string(signature.chips.front()) +
                     " or later, but got sm_" +
                     std::to_string(device->getChip())};
}

Status CompiledCall::callFunction(void *function,
                                  std::vector<void *> &pointers) {
  std::optional<DeviceCall> onDevice;
  if (device) {
    onDevice.emplace(*device, stream);
    deviceCall = &*onDevice;
    if (Status ready = onDevice->getStatus(); !ready)
      return ready;
  }
  reinterpret_cast<void (*)(void **)>(function)(pointers.data());
  if (Status done = getStatus(); !done)
    return done;
  return onDevice ? onDevice->getStatus() : success();
}

Status CompiledCall::run(void *const *functions, const void *const *arguments,
                         CallDevice callDevice) {
  if (Status supported = checkX86Level(signature.x86Level); !supported)
    return supported;
  std::vector<std::vector<int64_t>> memrefs;
  std::vector<void *> pointers;
  memrefs.reserve(signature.arguments.size());
  for (const Operand &argument : signature.arguments) {
    const void *given = *arguments++;
    if (argument.isScalar()) {
      pointers.push_back(const_cast<void *>(given));
      continue;
    }
    Result<Tensor> tensor = getTensor(static_cast<const DLTensor *>(given),
                                      argument, isForDevice());
    if (!tensor)
      return tensor.failure();
    if (Status added = callDevice.add(*tensor, argument.name); !added)
      return added;
    memrefs.push_back(makeMemRef(*tensor));
    pointers.push_back(memrefs.back().data());
  }
  Result<void *> function = chooseFunction(functions, callDevice.id);
  if (!function)
    return function.failure();
  return callFunction(*function, pointers);
}

//===----------------------------------------------------------------------===//
// What compiled code calls
//===----------------------------------------------------------------------===//

void CompiledCall::reportOutOfRange(int64_t position, int64_t index,
                                    int64_t count) {
  if (count != 0)
    current->fail({EMBEDDING_OUT_OF_RANGE,
                   "index " + std::to_string(index) + " at flat position " +
                       std::to_string(position) + " is out of range (" +
                       std::to_string(count) + " in all)",
                   position, index, count});
}

Status CompiledCall::take(int64_t number, const int64_t *memref) {
  const Operand &operand = signature.results[number];
  DLTensor like{};
  like.device = {device ? kDLCUDA : kDLCPU, device ? device->getId() : 0};
  like.ndim = static_cast<int32_t>(operand.rank);
  like.dtype = operand.dtype();
  like.shape = const_cast<int64_t *>(memref + 3);
  Result<Tensor> to = results.getTensor(number, like);
  if (!to)
    return to.failure();
  size_t bytes = to->numElements() * to->elementBytes();
  if (bytes == 0)
    return success();
  const char *from = reinterpret_cast<const char *>(memref[1]) +
                     memref[2] * to->elementBytes();
  if (!device) {
    std::memcpy(to->data(), from, bytes);
    return success();
  }
  const Driver &driver = device->getDriver();
  return driver.check(driver.cuMemcpyDtoDAsync_v2(
                          reinterpret_cast<CUdeviceptr>(to->data()),
                          reinterpret_cast<CUdeviceptr>(from), bytes, stream),
                      "cuMemcpyDtoDAsync");
}

void CompiledCall::takeResult(int64_t number, const int64_t *memref) {
  // Code has gone on behind a failure, and has no result that counts.
  if (!current->getStatus())
    return;
  if (Status taken = current->take(number, memref); !taken)
    current->fail(taken.failure());
}

void CompiledCall::parallelFor(int64_t size, EmbeddingRangeFunction function,
                               void *context) {
  struct Range {
    CompiledCall *call;
    EmbeddingRangeFunction function;
    void *context;
  } range = {current, function, context};
  current->machine.parallelFor(
      size,
      [](void *data, int64_t begin, int64_t end) {
        auto *range = static_cast<Range *>(data);
        CompiledCall *const before = std::exchange(current, range->call);
        range->function(range->context, begin, end);
        current = before;
      },
      &range);
}

void *CompiledCall::allocate(uint64_t bytes, void *, bool) {
  CompiledCall &call = *current;
  size_t size = std::max<uint64_t>(bytes, 1);
  Result<void *> memory =
      call.machine.allocate(*call.device, call.stream, size);
  if (!memory) {
    // No kernel may run now.
    call.deviceCall->fail(memory.failure());
    return nullptr;
  }
  call.allocated[*memory] = size;
  return *memory;
}

void CompiledCall::deallocate(void *memory, void *) {
  if (!memory)
    return;
  CompiledCall &call = *current;
  auto found = call.allocated.find(memory);
  call.machine.deallocate(*call.device, call.stream, memory, found->second);
  call.allocated.erase(found);
}

void embedding::runtime::copyMemRef(int64_t elementBytes, UnrankedMemRef *from,
                                    UnrankedMemRef *to) {
  int64_t rank = from->rank;
  auto base = [&](const int64_t *memref) {
    return reinterpret_cast<char *>(memref[1]) + memref[2] * elementBytes;
  };
  const int64_t *sizes = from->memref + 3;
  const int64_t *fromStrides = sizes + rank;
  const int64_t *toStrides = to->memref + 3 + rank;
  const char *source = base(from->memref);
  char *destination = base(to->memref);
  for (int64_t dim = 0; dim < rank; ++dim)
    if (sizes[dim] == 0)
      return;
  std::vector<int64_t> index(rank, 0);
  while (true) {
    std::memcpy(destination, source, elementBytes);
    int64_t dim = rank - 1;
    for (; dim >= 0; --dim) {
      source += fromStrides[dim] * elementBytes;
      destination += toStrides[dim] * elementBytes;
      if (++index[dim] < sizes[dim])
        break;
      source -= sizes[dim] * fromStrides[dim] * elementBytes;
      destination -= sizes[dim] * toStrides[dim] * elementBytes;
      index[dim] = 0;
    }
    if (dim < 0)
      return;
  }
}
