//===- Launcher.cpp - libembedding-launcher -------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What embedding-compile links to the code that it generates: the boundary to C
// of each function, and what compiled code calls.
//
//===----------------------------------------------------------------------===//

#include "CompiledFunction.h"

#include "Device.h"
#include "Tensor.h"
#include "ThreadPool.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

using namespace embedding::runtime;

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

namespace {

/// An argument or a result, as its function declares it.
struct Operand {
  const char *name = nullptr;
  int64_t rank = 0, code = 0, bits = 0;
  const int64_t *sizes = nullptr, *strides = nullptr;

  bool isScalar() const { return rank == kScalar; }

  std::string typeName() const {
    if (code == kAnyInteger)
      return "int" + std::to_string(bits);
    return getName({static_cast<uint8_t>(code), static_cast<uint8_t>(bits), 1});
  }

  std::string shape() const {
    std::string text = "[";
    for (int64_t dim = 0; dim < rank; ++dim)
      text += (dim ? ", " : "") +
              (sizes[dim] == kAny ? "?" : std::to_string(sizes[dim]));
    return text + "]";
  }

  bool hasType(DLDataType type) const {
    bool isSameKind = code == kAnyInteger
                          ? type.code == kDLInt || type.code == kDLUInt
                          : type.code == code;
    return isSameKind && type.bits == bits && type.lanes == 1;
  }

  bool hasShape(const Tensor &tensor) const {
    bool isSame = tensor.rank() == rank;
    for (int dim = 0; dim < rank && isSame; ++dim)
      isSame = sizes[dim] == kAny || sizes[dim] == tensor.size(dim);
    return isSame;
  }
};

/// Reads a signature and the names that come with it.
class Signature {
public:
  Signature(const int64_t *fields, const char *names)
      : at(fields), nextName(names) {
    x86Level = next();
    chips.resize(next());
    for (int64_t &chip : chips)
      chip = next();
    int64_t numArguments = next(), numResults = next();
    takeName();
    for (int64_t i = 0; i < numArguments; ++i)
      arguments.push_back(takeOperand());
    for (int64_t i = 0; i < numResults; ++i)
      results.push_back(takeOperand());
  }

  int64_t x86Level;
  /// In ascending order.
  std::vector<int64_t> chips;
  std::vector<Operand> arguments, results;

private:
  int64_t next() { return *at++; }
  const char *takeName() {
    const char *name = nextName;
    nextName += std::strlen(name) + 1;
    return name;
  }
  Operand takeOperand() {
    Operand operand;
    operand.name = takeName();
    operand.rank = next();
    operand.code = next();
    operand.bits = next();
    if (operand.isScalar())
      return operand;
    operand.sizes = at;
    operand.strides = at += operand.rank;
    at += operand.rank;
    return operand;
  }

  const int64_t *at;
  const char *nextName;
};

} // namespace

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// What code that was compiled for a GPU takes for granted.
static constexpr uintptr_t kDeviceAlignment = 16;

static Result<Tensor> getTensor(const DLTensor *dlTensor,
                                const Operand &operand, bool isForDevice) {
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
    return fail("expected " + operand.typeName() + ", but got " +
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
    int64_t expected =
        operand.strides[dim] == kCompact ? compact : operand.strides[dim];
    if (expected != kAny && tensor->size(dim) > 1 &&
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
// The machine
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

namespace {

/// Threads and GPUs of this library. They live as long as the process: what
/// would end them may already be gone at its end.
struct Machine {
  static Machine &get() {
    static Machine *const machine = new Machine;
    return *machine;
  }

  Devices devices{Driver::getDefaultLibrary()};
  ThreadPool::Pointer pool = ThreadPool::create(getNumThreads());

private:
  static int getNumThreads() {
    const char *named = std::getenv("EMBEDDING_NUM_THREADS");
    int number = 0;
    if (named)
      std::from_chars(named, named + std::strlen(named), number);
    return number > 0 ? number : getNumCPUs();
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

namespace {

/// A call of a compiled function, which what it calls finds by its thread.
class Call {
public:
  Call(const Signature &signature, void *const *arguments)
      : signature(signature), values(arguments), outer(current) {
    current = this;
  }
  ~Call() { current = outer; }
  Call(const Call &) = delete;
  Call &operator=(const Call &) = delete;

  static Call &get() { return *current; }

  Status run(void *const *functions, void *stream);

  void reportOutOfRange(int64_t position, int64_t index, int64_t count);
  void takeResult(int64_t number, const int64_t *memref);
  void parallelFor(int64_t size, EmbeddingRangeFunction function,
                   void *context);
  void *allocate(uint64_t bytes);
  void deallocate(void *memory);

private:
  void fail(Failure failure) {
    std::lock_guard<std::mutex> lock(mutex);
    if (status)
      status = std::move(failure);
  }
  Status getStatus() {
    std::lock_guard<std::mutex> lock(mutex);
    return status;
  }
  bool isForDevice() const { return !signature.chips.empty(); }
  Result<void *> chooseFunction(void *const *functions, int32_t deviceId);
  Status callFunction(void *function, std::vector<void *> &pointers,
                      void *stream);

  static thread_local Call *current;

  const Signature &signature;
  void *const *values;
  Call *outer;
  Device *device = nullptr;
  DeviceCall *deviceCall = nullptr;
  CUstream stream = nullptr;
  std::vector<Tensor> results;
  std::mutex mutex;
  Status status = success();
};

thread_local Call *Call::current = nullptr;

} // namespace

Result<void *> Call::chooseFunction(void *const *functions, int32_t deviceId) {
  if (!isForDevice())
    return functions[0];
  Result<Device *> found = Machine::get().devices.get(deviceId);
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

Status Call::callFunction(void *function, std::vector<void *> &pointers,
                          void *caller) {
  std::optional<DeviceCall> onDevice;
  if (device) {
    stream = static_cast<CUstream>(caller);
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

Status Call::run(void *const *functions, void *caller) {
  if (Status supported = checkX86Level(signature.x86Level); !supported)
    return supported;
  std::vector<std::vector<int64_t>> memrefs;
  std::vector<void *> pointers;
  int32_t deviceId = -1;
  const char *firstOnDevice = nullptr;
  auto take = [&](const Operand &operand, void *value) -> Result<Tensor> {
    Result<Tensor> tensor =
        getTensor(static_cast<const DLTensor *>(value), operand, isForDevice());
    if (!tensor || !tensor->isOnDevice())
      return tensor;
    if (firstOnDevice && tensor->device() != deviceId)
      return invalidArgument(std::string(operand.name) + ": expected GPU " +
                             std::to_string(deviceId) + ", as of " +
                             firstOnDevice + ", but got GPU " +
                             std::to_string(tensor->device()));
    deviceId = tensor->device();
    firstOnDevice = operand.name;
    return tensor;
  };
  memrefs.reserve(signature.arguments.size());
  void *const *value = values;
  for (const Operand &argument : signature.arguments) {
    void *given = *value++;
    if (argument.isScalar()) {
      pointers.push_back(given);
      continue;
    }
    Result<Tensor> tensor = take(argument, given);
    if (!tensor)
      return tensor.failure();
    memrefs.push_back(makeMemRef(*tensor));
    pointers.push_back(memrefs.back().data());
  }
  for (const Operand &result : signature.results) {
    Result<Tensor> tensor = take(result, *value++);
    if (!tensor)
      return tensor.failure();
    results.push_back(*tensor);
  }
  Result<void *> function = chooseFunction(functions, deviceId);
  if (!function)
    return function.failure();
  return callFunction(*function, pointers, caller);
}

void Call::reportOutOfRange(int64_t position, int64_t index, int64_t count) {
  if (count != 0)
    fail({EMBEDDING_OUT_OF_RANGE,
          "index " + std::to_string(index) + " at flat position " +
              std::to_string(position) + " is out of range (" +
              std::to_string(count) + " in all)",
          position, index, count});
}

void Call::takeResult(int64_t number, const int64_t *memref) {
  if (!getStatus())
    return;
  const Tensor &to = results[number];
  const char *from =
      reinterpret_cast<const char *>(memref[1]) + memref[2] * to.elementBytes();
  const int64_t *sizes = memref + 3;
  std::string expected = formatShape(sizes, to.rank());
  std::vector<int64_t> shape;
  for (int dim = 0; dim < to.rank(); ++dim)
    shape.push_back(to.size(dim));
  std::string got = formatShape(shape.data(), to.rank());
  if (expected != got)
    return fail(invalidArgument(std::string(signature.results[number].name) +
                                ": expected shape " + expected + ", but got " +
                                got));
  size_t bytes = to.numElements() * to.elementBytes();
  if (bytes == 0)
    return;
  if (!device) {
    std::memcpy(to.data(), from, bytes);
    return;
  }
  const Driver &driver = device->getDriver();
  if (Status copied =
          driver.check(driver.cuMemcpyDtoDAsync_v2(
                           reinterpret_cast<CUdeviceptr>(to.data()),
                           reinterpret_cast<CUdeviceptr>(from), bytes, stream),
                       "cuMemcpyDtoDAsync");
      !copied)
    fail(copied.failure());
}

void Call::parallelFor(int64_t size, EmbeddingRangeFunction function,
                       void *context) {
  struct Range {
    Call *call;
    EmbeddingRangeFunction function;
    void *context;
  } range = {this, function, context};
  Machine::get().pool->parallelFor(
      size, /*grain=*/1,
      [](void *data, int64_t begin, int64_t end) {
        auto *range = static_cast<Range *>(data);
        Call *const before = std::exchange(current, range->call);
        range->function(range->context, begin, end);
        current = before;
      },
      &range);
}

void *Call::allocate(uint64_t bytes) {
  const Driver &driver = device->getDriver();
  CUdeviceptr memory = 0;
  Status allocated = driver.check(
      driver.cuMemAllocAsync(&memory, std::max<uint64_t>(bytes, 1), stream),
      "cuMemAllocAsync");
  if (!allocated)
    // No kernel may run now.
    deviceCall->fail(allocated.failure());
  return reinterpret_cast<void *>(memory);
}

void Call::deallocate(void *memory) {
  if (memory)
    device->getDriver().cuMemFreeAsync(reinterpret_cast<CUdeviceptr>(memory),
                                       stream);
}

//===----------------------------------------------------------------------===//
// What exported functions call
//===----------------------------------------------------------------------===//

/// `functions` has one for each GPU, or one for the CPU. `arguments` point to
/// DLTensors and to values of scalars, and then to the DLTensors of results.
extern "C" EmbeddingStatusCode
embedding_call_compiled(const int64_t *signature, const char *names,
                        void *const *functions, void *const *arguments,
                        void *stream, EmbeddingStatus *outStatus) {
  return callAtBoundary(outStatus, [&]() -> Status {
    Signature parsed(signature, names);
    return Call(parsed, arguments).run(functions, stream);
  });
}

extern "C" EmbeddingStatusCode
embedding_synchronize_compiled(int32_t deviceId, void *stream,
                               EmbeddingStatus *outStatus) {
  return callAtBoundary(outStatus, [&]() -> Status {
    Result<Device *> device = Machine::get().devices.get(deviceId);
    if (!device)
      return device.failure();
    return (*device)->synchronize(static_cast<CUstream>(stream));
  });
}

//===----------------------------------------------------------------------===//
// What compiled functions call
//===----------------------------------------------------------------------===//

extern "C" void embedding_report_out_of_range(int64_t position, int64_t index,
                                              int64_t count) {
  Call::get().reportOutOfRange(position, index, count);
}

extern "C" void embedding_take_result(int64_t number, const int64_t *memref) {
  Call::get().takeResult(number, memref);
}

extern "C" void embedding_parallel_for(int64_t size,
                                       EmbeddingRangeFunction function,
                                       void *context) {
  Call::get().parallelFor(size, function, context);
}

extern "C" void embedding_launch_kernel(const char *image, int64_t imageBytes,
                                        const char *name, int64_t blocks,
                                        int64_t threads, int64_t *arguments,
                                        int64_t argumentCount) {
  DeviceCall::launch(image, imageBytes, name, blocks, threads, arguments,
                     argumentCount);
}

extern "C" void *embedding_get_out_of_range_report() {
  return DeviceCall::getReport();
}

// As upstream's GPU wrappers and runner utilities have them.

extern "C" void *mgpuMemAlloc(uint64_t bytes, void *, bool) {
  return Call::get().allocate(bytes);
}
extern "C" void mgpuMemFree(void *memory, void *) {
  Call::get().deallocate(memory);
}

namespace {
struct UnrankedMemRef {
  int64_t rank;
  const int64_t *memref;
};
} // namespace

extern "C" void memrefCopy(int64_t elementBytes, UnrankedMemRef *from,
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
