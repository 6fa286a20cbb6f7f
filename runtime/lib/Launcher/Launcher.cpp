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

#include "Launcher.h"

#include "Call/CompiledFunction.h"
#include "Host/ThreadPool.h"

#include <charconv>
#include <cstdlib>
#include <cstring>

using namespace embedding::runtime;

//===----------------------------------------------------------------------===//
// The machine
//===----------------------------------------------------------------------===//

namespace {

/// Threads and GPUs of this library. They live as long as the process: what
/// would end them may already be gone at its end.
class ProcessMachine final : public Machine {
public:
  static ProcessMachine &get() {
    static auto *const machine = new ProcessMachine;
    return *machine;
  }

  void parallelFor(int64_t size, int64_t grain, EmbeddingRangeFunction function,
                   void *context) override {
    pool->parallelFor(size, grain, function, context);
  }
  Result<void *> allocate(size_t size, const DeviceScope *onDevice) override {
    void *memory = nullptr;
    if (onDevice) {
      const Driver &driver = onDevice->device.getDriver();
      CUdeviceptr address = 0;
      if (Status allocated = driver.check(
              driver.cuMemAllocAsync(&address, size, onDevice->stream),
              "cuMemAllocAsync");
          !allocated)
        return allocated.failure();
      return reinterpret_cast<void *>(address);
    }
    if (size <= PTRDIFF_MAX && posix_memalign(&memory, 64, size) == 0)
      return memory;
    return Failure{EMBEDDING_OUT_OF_MEMORY,
                   "no " + std::to_string(size) + " bytes of memory"};
  }
  void deallocate(void *memory, size_t,
                  const DeviceScope *onDevice) noexcept override {
    if (onDevice)
      onDevice->device.getDriver().cuMemFreeAsync(
          reinterpret_cast<CUdeviceptr>(memory), onDevice->stream);
    else
      std::free(memory);
  }
  Result<Device *> getDevice(int32_t id) override { return devices.get(id); }

private:
  static int getNumThreads() {
    const char *named = std::getenv("EMBEDDING_NUM_THREADS");
    int number = 0;
    if (named)
      std::from_chars(named, named + std::strlen(named), number);
    return number > 0 ? number : getNumCPUs();
  }

  Devices devices{Driver::getDefaultLibrary()};
  ThreadPool::Pointer pool = ThreadPool::create(getNumThreads());
};

} // namespace

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
    GivenResults results(parsed);
    CallDevice device;
    if (Status taken =
            results.take(arguments + parsed.arguments.size(), device);
        !taken)
      return taken;
    CompiledCall call(ProcessMachine::get(), parsed, results,
                      static_cast<CUstream>(stream));
    if (Status taken = call.take(arguments, device); !taken)
      return taken;
    return call.run(functions);
  });
}

extern "C" EmbeddingStatusCode
embedding_synchronize_compiled(int32_t deviceId, void *stream,
                               EmbeddingStatus *outStatus) {
  return callAtBoundary(outStatus, [&]() -> Status {
    Result<Device *> device = ProcessMachine::get().getDevice(deviceId);
    if (!device)
      return device.failure();
    return (*device)->synchronize(static_cast<CUstream>(stream));
  });
}

//===----------------------------------------------------------------------===//
// What compiled functions call
//===----------------------------------------------------------------------===//

extern "C" void embedding_report_out_of_range(const char *what,
                                              int64_t position, int64_t index,
                                              int64_t count, int64_t numRows) {
  CompiledCall::reportOutOfRange(what, position, index, count, numRows);
}

extern "C" void embedding_report_mismatch(const char *what, int64_t expected,
                                          int64_t actual, int64_t offset,
                                          int64_t whole) {
  CompiledCall::reportMismatch(what, expected, actual, offset, whole);
}

extern "C" void embedding_report_assertion(const char *message) {
  CompiledCall::reportAssertion(message);
}

extern "C" void *embedding_allocate(int64_t elementBytes, int64_t alignment,
                                    int64_t rank, const int64_t *sizes) {
  return CompiledCall::allocate(elementBytes, alignment, rank, sizes);
}

extern "C" void *embedding_allocate_result(int64_t number, int64_t elementBytes,
                                           int64_t alignment, int64_t rank,
                                           const int64_t *sizes) {
  return CompiledCall::allocateResult(number, elementBytes, alignment, rank,
                                      sizes);
}

extern "C" void embedding_deallocate(void *memory) {
  CompiledCall::deallocate(memory);
}

extern "C" void embedding_take_result(int64_t number, const int64_t *memref) {
  CompiledCall::takeResult(number, memref);
}

extern "C" void embedding_parallel_for(int64_t size,
                                       EmbeddingRangeFunction function,
                                       void *context) {
  CompiledCall::parallelFor(size, function, context);
}

extern "C" void embedding_launch_kernel(const char *image, int64_t imageBytes,
                                        const char *name, int64_t blocks,
                                        int64_t threads, int64_t *arguments,
                                        int64_t argumentCount) {
  CompiledCall::launchKernel(image, imageBytes, name, blocks, threads,
                             arguments, argumentCount);
}

extern "C" void *embedding_get_out_of_range_report() {
  return CompiledCall::getOutOfRangeReport();
}

extern "C" void memrefCopy(int64_t elementBytes, const UnrankedMemRef *from,
                           const UnrankedMemRef *to) {
  CompiledCall::copyMemRef(elementBytes, from, to);
}
