//===- Engine.cpp - Compiles, keeps and runs kernels ----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "API/Engine.h"

#include "Call/HostFunctions.h"
#include "Code/CompilerProcess.h"
#include "CompilerFingerprint.h"
#include "Device/Device.h"
#include "Host/Fork.h"
#include "Host/HugePages.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

using namespace embedding::runtime;

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

static constexpr uint64_t kDefaultCacheMaxBytes = uint64_t(256) << 20;

static uint64_t getMaxIdleBytes(uint64_t option) {
  return option ? option : uint64_t(1) << 30;
}

static void *allocateFromPool(void *pool, size_t size, size_t) {
  return static_cast<BufferPool *>(pool)->allocate(size);
}
static void deallocateToPool(void *pool, void *memory, size_t size, size_t) {
  static_cast<BufferPool *>(pool)->deallocate(memory, size);
}

/// What code for this machine depends on: the CPU's own description, which
/// needs no compiler to read.
static std::string describeMachine() {
  std::string text = "machine";
#if defined(__x86_64__)
  auto append = [&](unsigned leaf, unsigned subleaf, bool onlyFeatures) {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    __get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx);
    if (leaf == 1) {
      ebx = 0;            // The number of the core that runs this.
      ecx &= ~(1u << 27); // OSXSAVE is what the next leaf is about.
    }
    char buffer[48];
    std::snprintf(buffer, sizeof(buffer), " %x.%x:%x-%x-%x-%x", leaf, subleaf,
                  onlyFeatures ? 0 : eax, ebx, ecx, edx);
    text += buffer;
  };
  append(0, 0, false);
  append(1, 0, false);
  append(7, 0, false);
  append(7, 1, false);
  append(0x80000001, 0, false);
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  __get_cpuid(1, &eax, &ebx, &ecx, &edx);
  if (ecx & (1u << 27)) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    text += " xcr0:" + std::to_string(low);
  }
#endif
  return text;
}

/// Whether `cpu` is a level of x86-64 that this machine reaches. Kernels for it
/// run on any other that does, and may be carried there.
static bool isSupportedLevel(const std::string &cpu) {
#if defined(__x86_64__)
  return cpu == "x86-64" ||
         (cpu == "x86-64-v2" && __builtin_cpu_supports("x86-64-v2")) ||
         (cpu == "x86-64-v3" && __builtin_cpu_supports("x86-64-v3")) ||
         (cpu == "x86-64-v4" && __builtin_cpu_supports("x86-64-v4"));
#else
  return false;
#endif
}

/// The directory of this library, with a slash at its end.
static std::string getLibraryDirectory() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void *>(&getLibraryDirectory), &info) ||
      !info.dli_fname)
    return "";
  std::string path = info.dli_fname;
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

Result<std::unique_ptr<Engine>>
Engine::create(const EmbeddingEngineOptions &options) {
  std::unique_ptr<Engine> engine(new Engine);

  if (options.lowering != EMBEDDING_LOWERING_OPTIMIZED &&
      options.lowering != EMBEDDING_LOWERING_NAIVE)
    return invalidArgument("options: expected lowering to be 0 or 1, but got " +
                           std::to_string(options.lowering));
  engine->lowering = static_cast<EmbeddingLowering>(options.lowering);
  std::string machine = std::string(kCompilerFingerprint) + "\n";
  if (const char *cpu = options.cpu)
    engine->cpu = cpu;
  if (engine->cpu && isSupportedLevel(*engine->cpu))
    machine += *engine->cpu;
  else
    // With a name too: what is compiled for it was found to run on this
    // machine.
    machine += (engine->cpu ? *engine->cpu + " on " : "") + describeMachine();
  engine->codes.emplace(std::move(machine), getHostFunctions());
  engine->compilerLibrary = options.compiler_library
                                ? options.compiler_library
                                : getLibraryDirectory() + kCompilerLibraryName;

  int32_t numThreads = options.num_threads;
  if (numThreads < 0)
    return invalidArgument(
        "options: expected num_threads to be at least 0, but got " +
        std::to_string(numThreads));
  engine->numThreads = numThreads ? numThreads : getNumCPUs();
  engine->pool = ThreadPool::create(engine->numThreads);
  engine->callerParallelFor = options.parallel_for;
  engine->parallelForContext = options.parallel_for_context;

  engine->allocateFunction = options.allocate;
  engine->deallocateFunction = options.deallocate;
  engine->allocatorContext = options.allocator_context;
  if (!engine->allocateFunction != !engine->deallocateFunction)
    return invalidArgument(
        "options: expected both of allocate and deallocate, or none");
  if (!engine->allocateFunction) {
    engine->buffers.emplace(getMaxIdleBytes(options.max_idle_buffer_bytes));
    engine->allocateFunction = allocateFromPool;
    engine->deallocateFunction = deallocateToPool;
    engine->allocatorContext = &*engine->buffers;
  }

  engine->devices.emplace(options.cuda_library ? options.cuda_library
                                               : Driver::getDefaultLibrary());
  engine->deviceAllocate = options.device_allocate;
  engine->deviceDeallocate = options.device_deallocate;
  engine->deviceAllocatorContext = options.device_allocator_context;
  if (!engine->deviceAllocate != !engine->deviceDeallocate)
    return invalidArgument("options: expected both of device_allocate and "
                           "device_deallocate, or none");

  const char *named = options.cache_dir;
  if (!named)
    named = std::getenv("EMBEDDING_CACHE_DIR");
  std::string directory = named ? named : getDefaultCacheDirectory();
  if (!directory.empty()) {
    uint64_t maxBytes = options.cache_max_bytes;
    Result<ObjectCache> cache = ObjectCache::open(
        directory, maxBytes ? maxBytes : kDefaultCacheMaxBytes);
    if (cache)
      engine->codes->setFiles(std::move(*cache));
    else if (named)
      return cache.failure();
  }
  return Result<std::unique_ptr<Engine>>(std::move(engine));
}

Engine::~Engine() = default;

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

const Kernel *Engine::findKernel(const KernelSpec &spec) const {
  const Kernel *kernel =
      buckets[spec.hash() % buckets.size()].load(std::memory_order_acquire);
  while (kernel && !(kernel->spec == spec))
    kernel = kernel->next;
  return kernel;
}

Result<const Kernel *> Engine::getKernel(const KernelSpec &spec) {
  if (const Kernel *kernel = findKernel(spec))
    return kernel;
  CodeCache::Made code = codes->get(spec.str(), [&] { return compile(spec); });
  if (!code)
    return code.failure();
  NoForkScope noFork;
  std::lock_guard<std::mutex> lock(mutex);
  if (const Kernel *kernel = findKernel(spec))
    return kernel;
  const auto &[functions, object] = **code;
  auto run = reinterpret_cast<KernelFunction>(object.find(functions[0].entry));
  auto getWorkspaceBytes =
      reinterpret_cast<WorkspaceFunction>(object.find(functions[1].entry));
  auto &bucket = buckets[spec.hash() % buckets.size()];
  kernels.push_back({spec, run, getWorkspaceBytes, std::move(*code),
                     bucket.load(std::memory_order_relaxed)});
  bucket.store(&kernels.back(), std::memory_order_release);
  return &kernels.back();
}

Result<std::string>
Engine::compile(std::variant<KernelSpec, ModuleSource> source) const {
  return compileInProcess(compilerLibrary,
                          {cpu.value_or(""), std::move(source)});
}

CodeCache::Made Engine::getModule(std::string_view ir, int32_t chip,
                                  bool atomicGradients, bool assumesSizes,
                                  std::string rowLengths) {
  ModuleTarget target = {chip, lowering == EMBEDDING_LOWERING_NAIVE,
                         atomicGradients, assumesSizes,
                         // Those of the CPU do not matter to a GPU.
                         chip != 0 ? 0
                                   : static_cast<int32_t>(std::min<int64_t>(
                                         getNumThreads(), cost::kManyThreads)),
                         std::move(rowLengths)};
  CodeCache::Made code = codes->get(target.str() + "\n" + std::string(ir), [&] {
    return compile(ModuleSource{target, ir});
  });
  if (code && chip != 0) {
    NoForkScope noFork;
    std::lock_guard<std::mutex> lock(mutex);
    deviceCode.insert(*code);
  }
  return code;
}

//===----------------------------------------------------------------------===//
// Services
//===----------------------------------------------------------------------===//

void Engine::parallelFor(int64_t size, int64_t grain,
                         EmbeddingRangeFunction function, void *context) {
  if (size <= grain) {
    if (size > 0)
      function(context, 0, size);
  } else if (callerParallelFor) {
    callerParallelFor(parallelForContext, size, grain, function, context);
  } else {
    pool->parallelFor(size, grain, function, context);
  }
}

Result<void *> Engine::allocate(size_t size, const DeviceScope *onDevice) {
  if (onDevice) {
    auto [device, stream] =
        std::pair<Device &, CUstream>(onDevice->device, onDevice->stream);
    void *memory = nullptr;
    CUdeviceptr address = 0;
    if (deviceAllocate)
      memory =
          deviceAllocate(deviceAllocatorContext, device.getId(), stream, size);
    else if (device.getDriver().cuMemAllocAsync(&address, size, stream) == 0)
      memory = reinterpret_cast<void *>(address);
    if (!memory)
      return Failure{EMBEDDING_OUT_OF_MEMORY,
                     "cuda: no " + std::to_string(size) +
                         " bytes of memory on GPU " +
                         std::to_string(device.getId())};
    return memory;
  }
  void *memory =
      allocateFunction(allocatorContext, size, Workspace::kAlignment);
  if (!memory)
    return Failure{EMBEDDING_OUT_OF_MEMORY,
                   "the allocator has no " + std::to_string(size) + " bytes"};
  return memory;
}

void Engine::deallocate(void *memory, size_t size,
                        const DeviceScope *onDevice) noexcept {
  try {
    if (!onDevice)
      deallocateFunction(allocatorContext, memory, size, Workspace::kAlignment);
    else if (deviceDeallocate)
      deviceDeallocate(deviceAllocatorContext, onDevice->device.getId(),
                       onDevice->stream, memory, size);
    else
      onDevice->device.getDriver().cuMemFreeAsync(
          reinterpret_cast<CUdeviceptr>(memory), onDevice->stream);
  } catch (...) {
    // What a caller's function throws here ends nothing: the result is there.
  }
}

void Engine::touch(void *memory, size_t size) {
  if (size < kHugePageBytes || !buffers || !buffers->takeFresh(memory))
    return;
  parallelFor(
      static_cast<int64_t>(size), kHugePageBytes,
      [](void *begin, int64_t from, int64_t to) {
        populatePages(static_cast<char *>(begin) + from, to - from);
      },
      memory);
}

void Engine::setMaxIdleBufferBytes(uint64_t bytes) {
  if (buffers)
    buffers->setMaxIdleBytes(getMaxIdleBytes(bytes));
}

void Engine::getStatistics(EmbeddingEngineStatistics &statistics) const {
  EmbeddingEngineStatistics current;
  current.struct_size = statistics.struct_size;
  current.kernels_compiled = codes->numCompiled;
  current.kernels_loaded = codes->numLoaded;
  current.objects_rejected = codes->numRejected;
  current.idle_buffer_bytes = buffers ? buffers->getIdleBytes() : 0;
  std::memcpy(&statistics, &current,
              std::min(statistics.struct_size, sizeof(current)));
}

//===----------------------------------------------------------------------===//
// C API
//===----------------------------------------------------------------------===//

int32_t embedding_runtime_version(void) {
  return EMBEDDING_RUNTIME_VERSION_MAJOR * 10000 +
         EMBEDDING_RUNTIME_VERSION_MINOR * 100 +
         EMBEDDING_RUNTIME_VERSION_PATCH;
}

void embedding_engine_options_init(EmbeddingEngineOptions *options,
                                   size_t struct_size) {
  initOptions(options, struct_size, EmbeddingEngineOptions());
}

EmbeddingStatusCode
embedding_engine_create(const EmbeddingEngineOptions *options,
                        EmbeddingEngine **out_engine,
                        EmbeddingStatus *out_status) {
  return callAtBoundary(out_status, [&]() -> Status {
    if (!out_engine)
      return invalidArgument("expected out_engine not to be null");
    *out_engine = nullptr;
    EmbeddingEngineOptions given;
    embedding_engine_options_init(&given, sizeof(given));
    if (Status copied = copyOptions(options, given); !copied)
      return copied;
    Result<std::unique_ptr<Engine>> engine = Engine::create(given);
    if (!engine)
      return engine.failure();
    *out_engine = new EmbeddingEngine{std::move(*engine)};
    return success();
  });
}

void embedding_engine_destroy(EmbeddingEngine *engine) { delete engine; }

EmbeddingStatusCode
embedding_engine_get_statistics(const EmbeddingEngine *engine,
                                EmbeddingEngineStatistics *out_statistics,
                                EmbeddingStatus *out_status) {
  return callAtBoundary(out_status, [&]() -> Status {
    if (!engine || !out_statistics)
      return invalidArgument(
          "expected engine and out_statistics not to be null");
    if (Status isSet = checkStructSize(*out_statistics, "out_statistics");
        !isSet)
      return isSet;
    engine->engine->getStatistics(*out_statistics);
    return success();
  });
}

EmbeddingStatusCode embedding_synchronize(EmbeddingEngine *engine,
                                          int32_t device_id, void *stream,
                                          EmbeddingStatus *out_status) {
  return callAtBoundary(out_status, [&]() -> Status {
    if (!engine)
      return invalidArgument("expected engine not to be null");
    Result<Device *> device = engine->engine->getDevice(device_id);
    if (!device)
      return device.failure();
    return (*device)->synchronize(static_cast<CUstream>(stream));
  });
}

const char *embedding_engine_cache_dir(const EmbeddingEngine *engine) {
  return engine ? engine->engine->getCacheDirectory() : "";
}
