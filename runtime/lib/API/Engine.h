//===- Engine.h - Compiles, keeps and runs kernels --------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_API_ENGINE_H
#define EMBEDDING_RUNTIME_LIB_API_ENGINE_H

#include "Call/GeneratedCall.h"
#include "Code/CodeCache.h"
#include "Code/CompileRequest.h"
#include "Code/KernelSpec.h"
#include "Device/Device.h"
#include "Host/BufferPool.h"
#include "Host/ThreadPool.h"

#include <array>
#include <deque>
#include <set>

namespace embedding::runtime {

/// A kernel that has been loaded; never moved or removed while its engine
/// lives.
struct Kernel {
  KernelSpec spec;
  KernelFunction run;
  WorkspaceFunction getWorkspaceBytes;
  CodeCache::Pointer code;
  const Kernel *next;
};

class Engine final : public Machine {
public:
  static Result<std::unique_ptr<Engine>>
  create(const EmbeddingEngineOptions &options);
  ~Engine();

  /// The kernel of `spec`: from a table in memory without a lock, else from the
  /// cache of code.
  Result<const Kernel *> getKernel(const KernelSpec &spec);

  /// The functions of `ir` for the GPU `chip`, or the CPU if that is 0. Work on
  /// a GPU may need its code as long as the engine lives.
  CodeCache::Made getModule(std::string_view ir, int32_t chip,
                            bool atomicGradients, bool assumesSizes,
                            std::string rowLengths = "");

  void parallelFor(int64_t size, int64_t grain, EmbeddingRangeFunction function,
                   void *context) override;
  Result<void *> allocate(size_t size, const DeviceScope *onDevice) override;
  void deallocate(void *memory, size_t size,
                  const DeviceScope *onDevice) noexcept override;
  /// Has the system make the pages of what is about to be written whole, if it
  /// lies in a buffer of the pool that has none yet.
  void touch(void *memory, size_t size);
  /// As the option; the caller's allocator keeps what it likes.
  void setMaxIdleBufferBytes(uint64_t bytes);

  /// The GPU `id`, whose driver is loaded if need be.
  Result<Device *> getDevice(int32_t id) override { return devices->get(id); }

  EmbeddingLowering getLowering() const { return lowering; }
  /// Threads of the pool, or those that the caller says theirs has.
  int32_t getNumThreads() const { return numThreads; }
  /// Empty if there is no cache on disk.
  const char *getCacheDirectory() const { return codes->getDirectory(); }
  void getStatistics(EmbeddingEngineStatistics &statistics) const;

private:
  Engine() = default;

  const Kernel *findKernel(const KernelSpec &spec) const;
  Result<std::string>
  compile(std::variant<KernelSpec, ModuleSource> source) const;

  EmbeddingLowering lowering = EMBEDDING_LOWERING_OPTIMIZED;
  int32_t numThreads = 1;
  std::optional<std::string> cpu;
  std::optional<CodeCache> codes;
  std::string compilerLibrary;
  ThreadPool::Pointer pool;
  std::optional<BufferPool> buffers;
  EmbeddingParallelFor callerParallelFor = nullptr;
  void *parallelForContext = nullptr;
  EmbeddingDeviceAllocate deviceAllocate = nullptr;
  EmbeddingDeviceDeallocate deviceDeallocate = nullptr;
  void *deviceAllocatorContext = nullptr;
  std::optional<Devices> devices;
  EmbeddingAllocate allocateFunction = nullptr;
  EmbeddingDeallocate deallocateFunction = nullptr;
  void *allocatorContext = nullptr;

  /// A hash table of lists. Lists grow at the head, under the mutex, and are
  /// read without one.
  std::array<std::atomic<const Kernel *>, 256> buckets{};
  std::deque<Kernel> kernels;
  /// That of modules for GPUs.
  std::set<CodeCache::Pointer> deviceCode;
  /// Of the above; locked within a NoForkScope.
  std::mutex mutex;
};

/// Memory of a machine, until destroyed or released.
class Workspace {
public:
  static Result<Workspace> allocate(Machine &machine, size_t size,
                                    const DeviceScope *onDevice = nullptr) {
    Result<void *> memory = machine.allocate(size, onDevice);
    if (!memory)
      return memory.failure();
    return Result<Workspace>(Workspace(machine, *memory, size, onDevice));
  }
  Workspace(Machine &machine, void *memory, size_t size,
            const DeviceScope *onDevice = nullptr)
      : machine(&machine), memory(memory), size(size), onDevice(onDevice) {}
  Workspace(Workspace &&other) noexcept
      : machine(other.machine), memory(std::exchange(other.memory, nullptr)),
        size(other.size), onDevice(other.onDevice) {}
  Workspace &operator=(Workspace &&) = delete;
  ~Workspace() {
    if (memory)
      machine->deallocate(memory, size, onDevice);
  }

  char *data() const { return static_cast<char *>(memory); }
  /// Leaves the memory to the caller.
  void *release() { return std::exchange(memory, nullptr); }

  static constexpr size_t kAlignment = BufferPool::kAlignment;

private:
  Machine *machine;
  void *memory;
  size_t size;
  const DeviceScope *onDevice;
};

} // namespace embedding::runtime

struct EmbeddingEngine {
  std::unique_ptr<embedding::runtime::Engine> engine;
};

#endif // EMBEDDING_RUNTIME_LIB_API_ENGINE_H
