//===- EngineTest.cpp - Engines, their options and their threads ----------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <sched.h>
#include <sstream>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

using namespace embedding;
using namespace embedding::test;

namespace {

/// A lookup that nobody can get wrong by accident.
void expectWorks(Engine &engine, int64_t rows = 2) {
  std::vector<float> table = {1, 2, 3, 4, 5, 6};
  std::vector<int64_t> indices(rows, 1);
  std::vector<float> out(rows * 3);
  engine.lookup(TensorView(table.data(), {2, 3}),
                TensorView(indices.data(), {rows}),
                TensorView(out.data(), {rows, 3}));
  for (int64_t i = 0; i < rows * 3; ++i)
    ASSERT_EQ(out[i], 4 + i % 3);
}

void expectCreateFails(const EngineOptions &options, EmbeddingStatusCode code,
                       const std::string &message) {
  EmbeddingEngine *engine = reinterpret_cast<EmbeddingEngine *>(1);
  EmbeddingStatus status;
  EXPECT_EQ(embedding_engine_create(&options, &engine, &status), code);
  EXPECT_EQ(engine, nullptr);
  EXPECT_EQ(std::string(status.message), message);
}

} // namespace

TEST(Engine, Version) {
  EXPECT_EQ(embedding_runtime_version(),
            EMBEDDING_RUNTIME_VERSION_MAJOR * 10000 +
                EMBEDDING_RUNTIME_VERSION_MINOR * 100 +
                EMBEDDING_RUNTIME_VERSION_PATCH);
}

TEST(Engine, InvalidOptions) {
  EngineOptions options = uncached();
  options.num_threads = -1;
  expectCreateFails(options, EMBEDDING_INVALID_ARGUMENT,
                    "options: expected num_threads to be at least 0, but got "
                    "-1");
  options = uncached();
  options.lowering = 2;
  expectCreateFails(options, EMBEDDING_INVALID_ARGUMENT,
                    "options: expected lowering to be 0 or 1, but got 2");
  options = uncached();
  options.deallocate = [](void *, void *, size_t, size_t) {};
  expectCreateFails(options, EMBEDDING_INVALID_ARGUMENT,
                    "options: expected both of allocate and deallocate, or "
                    "none");
  options = uncached();
  options.device_deallocate = [](void *, int32_t, void *, void *, size_t) {};
  expectCreateFails(options, EMBEDDING_INVALID_ARGUMENT,
                    "options: expected both of device_allocate and "
                    "device_deallocate, or none");
  EXPECT_EQ(embedding_engine_create(nullptr, nullptr, nullptr),
            EMBEDDING_INVALID_ARGUMENT);
  embedding_engine_destroy(nullptr);
}

// Beside the one that calls; by default as many as CPUs may run them.
TEST(Engine, NumThreads) {
  auto countThreads = [] {
    return static_cast<int>(std::distance(
        std::filesystem::directory_iterator("/proc/self/task"), {}));
  };
  std::vector<float> table(1024 * 64);
  std::vector<int64_t> indices(20000, 3);
  std::vector<float> out(indices.size() * 64);
  // ThreadSanitizer adds one of its own to the first.
  std::thread([] {}).join();
  int before = countThreads();
  auto expectThreads = [&](int given, int expected) {
    SCOPED_TRACE(given);
    {
      Engine engine(uncached(given));
      engine.lookup(TensorView(table.data(), {1024, 64}),
                    TensorView(indices.data(), {20000}),
                    TensorView(out.data(), {20000, 64}));
      EXPECT_EQ(countThreads(), before + expected - 1);
    }
    // The system forgets them a little later.
    for (int i = 0; i < 1000 && countThreads() > before; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  for (int given : {1, 2, 5})
    expectThreads(given, given);
  cpu_set_t all, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  expectThreads(0, CPU_COUNT(&all));
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &all))
      CPU_SET(cpu, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  expectThreads(0, 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
}

// Where null has no meaning it does no harm.
TEST(Engine, NullArguments) {
  embedding_engine_options_init(nullptr, sizeof(EmbeddingEngineOptions));
  embedding_lookup_options_init(nullptr, sizeof(EmbeddingLookupOptions));
  embedding_renorm_options_init(nullptr, sizeof(EmbeddingRenormOptions));
  embedding_grad_options_init(nullptr, sizeof(EmbeddingGradOptions));
  embedding_coalesce_options_init(nullptr, sizeof(EmbeddingCoalesceOptions));
  embedding_module_options_init(nullptr, sizeof(EmbeddingModuleOptions));
  embedding_call_options_init(nullptr, sizeof(EmbeddingCallOptions));
  const EmbeddingFunction *functions =
      reinterpret_cast<const EmbeddingFunction *>(1);
  EXPECT_EQ(embedding_module_get_functions(nullptr, &functions), 0u);
  EXPECT_EQ(functions, nullptr);
  EXPECT_EQ(embedding_module_get_functions(nullptr, nullptr), 0u);
  EXPECT_EQ(embedding_module_call(nullptr, "f", nullptr, nullptr, nullptr),
            EMBEDDING_INVALID_ARGUMENT);
  EXPECT_EQ(embedding_engine_get_statistics(nullptr, nullptr, nullptr),
            EMBEDDING_INVALID_ARGUMENT);
  EXPECT_EQ(embedding_synchronize(nullptr, 0, nullptr, nullptr),
            EMBEDDING_INVALID_ARGUMENT);
  EXPECT_EQ(
      embedding_lookup(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr),
      EMBEDDING_INVALID_ARGUMENT);
  EXPECT_STREQ(embedding_engine_cache_dir(nullptr), "");
  embedding_buffer_deallocate(nullptr, nullptr, 0);
}

// A caller built with an earlier header has fewer fields.
TEST(Engine, ShorterOptions) {
  EngineOptions options;
  options.cache_dir = "";
  options.num_threads = -1; // Beyond the size: not read.
  options.struct_size = offsetof(EmbeddingEngineOptions, num_threads);
  Engine engine(options);
  expectWorks(engine);
}

// A struct that nobody has initialised is no struct of defaults.
TEST(Engine, ClearedStructs) {
  Engine engine(uncached());
  EmbeddingStatus status;
  auto expectRefused = [&](EmbeddingStatusCode code, const std::string &name) {
    EXPECT_EQ(code, EMBEDDING_INVALID_ARGUMENT);
    EXPECT_EQ(status.message,
              name + ": expected struct_size to be the size of the struct, but "
                     "got 0");
  };
  EmbeddingEngineOptions engineOptions = {};
  EmbeddingEngine *created = nullptr;
  expectRefused(embedding_engine_create(&engineOptions, &created, &status),
                "options");
  EmbeddingLookupOptions lookupOptions = {};
  expectRefused(embedding_lookup(engine.get(), nullptr, nullptr, &lookupOptions,
                                 nullptr, &status),
                "options");
  EmbeddingGradOptions gradOptions = {};
  expectRefused(embedding_dense_grad(engine.get(), nullptr, nullptr,
                                     &gradOptions, nullptr, &status),
                "options");
  EmbeddingModuleOptions moduleOptions = {};
  EmbeddingModule *module = nullptr;
  expectRefused(embedding_module_compile(engine.get(), "", 0, &moduleOptions,
                                         &module, &status),
                "options");
  EmbeddingEngineStatistics statistics = {};
  expectRefused(
      embedding_engine_get_statistics(engine.get(), &statistics, &status),
      "out_statistics");
}

namespace {

/// The message of a lookup that the compiler library fails; empty if it works.
std::string compilerErrorOf(const EngineOptions &options) {
  Engine engine(options);
  try {
    expectWorks(engine);
    return "";
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), EMBEDDING_COMPILER_ERROR);
    return error.what();
  }
}

std::string errorOfLibrary(const char *library) {
  EngineOptions options = uncached();
  options.compiler_library = library;
  return compilerErrorOf(options);
}

std::string errorOfCPU(const char *cpu) {
  EngineOptions options = uncached();
  options.cpu = cpu;
  return compilerErrorOf(options);
}

} // namespace

TEST(Engine, CompilerIsMissing) {
  std::string error = errorOfLibrary("/nonexistent/libembedding-compiler.so");
  EXPECT_NE(error.find("/nonexistent"), std::string::npos) << error;
}

TEST(Engine, OtherLibraryAsCompiler) {
  // One that has no entry, one that has, and no library.
  EXPECT_EQ(errorOfLibrary("libm.so.6").rfind("compiler: cannot run libm", 0),
            0u);
  EXPECT_EQ(errorOfLibrary("libc.so.6").rfind("compiler: cannot run libc", 0),
            0u);
  EXPECT_EQ(errorOfLibrary("/dev/null").rfind("compiler: cannot run /dev", 0),
            0u);
}

TEST(Engine, CPU) {
  EXPECT_EQ(errorOfCPU("x86-64"), "");
  EXPECT_EQ(errorOfCPU("imaginary")
                .rfind("compiler: no CPU named 'imaginary' for ", 0),
            0u);
}

// What LLVM would abort over, and code that would be an illegal instruction.
TEST(Engine, CPUsThatCannotRun) {
  EXPECT_EQ(errorOfCPU("i386"), "compiler: CPU 'i386' runs no 64-bit code");
  // No machine has the extensions of both.
  std::string intel = errorOfCPU("sapphirerapids"), amd = errorOfCPU("znver4");
  EXPECT_FALSE(intel.empty() && amd.empty());
  std::string error = intel.empty() ? amd : intel;
  EXPECT_EQ(error.rfind("compiler: this machine cannot run code for CPU '", 0),
            0u)
      << error;
}

// Whoever calls has a stack for calls, and not one for compilers.
TEST(Engine, SmallStack) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, size_t(96) << 10), 0);
  pthread_t thread;
  ASSERT_EQ(pthread_create(
                &thread, &attributes,
                [](void *) -> void * {
                  Engine engine(uncached(1));
                  expectWorks(engine);
                  return nullptr;
                },
                nullptr),
            0);
  EXPECT_EQ(pthread_join(thread, nullptr), 0);
  pthread_attr_destroy(&attributes);
}

TEST(Engine, ManyEnginesCompileAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      Engine engine(uncached());
      expectWorks(engine);
    });
  for (std::thread &thread : threads)
    thread.join();
}

// Code on disk is of the CPU and the lowering that it was compiled for.
TEST(Engine, CodeOnDiskIsOfOneCPU) {
  TemporaryDirectory directory;
  std::string cache = directory.str();
  // Any CPU of x86-64-v2 runs code for the last, and has a name of its own.
  std::vector<const char *> cpus = {nullptr, "x86-64", "x86-64-v2", "core2"};
  for (bool isCompiled : {true, false})
    for (const char *cpu : cpus)
      for (int lowering :
           {EMBEDDING_LOWERING_OPTIMIZED, EMBEDDING_LOWERING_NAIVE}) {
        SCOPED_TRACE((cpu ? cpu : "this machine") + std::string(", lowering ") +
                     std::to_string(lowering));
        EngineOptions options;
        options.cache_dir = cache.c_str();
        options.num_threads = 1;
        options.cpu = cpu;
        options.lowering = lowering;
        Engine engine(options);
        expectWorks(engine);
        Module module(engine, "func.func @identity(%x: i64) -> i64 {\n"
                              "  return %x : i64\n"
                              "}");
        EXPECT_EQ(engine.statistics().kernels_compiled, isCompiled ? 2 : 0);
        EXPECT_EQ(engine.statistics().kernels_loaded, isCompiled ? 0 : 2);
      }
}

/// Looks rows of `length` floats up; prints why it cannot.
static void lookUpWhileTheProcessEnds(Engine &engine, int64_t length) {
  std::vector<float> table(length), out(length);
  int64_t index = 0;
  try {
    engine.lookup(TensorView(table.data(), {1, length}),
                  TensorView(&index, {1}), TensorView(out.data(), {1, length}));
    std::fputs("works\n", stderr);
  } catch (const Error &error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
}

// It goes on to work then, as far as there is anything left to call it.
TEST(Engine, WhileTheProcessEnds) {
  // A process of its own: handlers run before those that were there before.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        alarm(60);
        static auto &engine = *new Engine(uncached());
        std::atexit([] {
          lookUpWhileTheProcessEnds(engine, 3);
          lookUpWhileTheProcessEnds(engine, 5);
        });
        lookUpWhileTheProcessEnds(engine, 3);
        std::exit(0);
      },
      testing::ExitedWithCode(0), "^works\nworks\nworks\n$");
}

TEST(Engine, Statistics) {
  Engine engine(uncached());
  EXPECT_EQ(engine.statistics().kernels_compiled, 0);
  expectWorks(engine);
  expectWorks(engine);
  EXPECT_EQ(engine.statistics().kernels_compiled, 1);
  EXPECT_EQ(engine.statistics().kernels_loaded, 0);
  EXPECT_EQ(engine.cacheDir(), "");
  // What a caller does not know is not written.
  EmbeddingEngineStatistics known;
  known.struct_size = offsetof(EmbeddingEngineStatistics, kernels_loaded);
  known.kernels_loaded = known.idle_buffer_bytes = -7;
  EXPECT_EQ(embedding_engine_get_statistics(engine.get(), &known, nullptr),
            EMBEDDING_OK);
  EXPECT_EQ(known.kernels_compiled, 1);
  EXPECT_EQ(known.kernels_loaded, -7);
  EXPECT_EQ(known.idle_buffer_bytes, -7);
}

namespace {

/// The code of a lookup of rows of `rowLength` floats, and the message.
EmbeddingStatusCode lookUp(Engine &engine, int64_t rowLength,
                           std::string *message = nullptr) {
  std::vector<float> table(2 * rowLength, 3), out(rowLength);
  int64_t index = 1;
  try {
    engine.lookup(TensorView(table.data(), {2, rowLength}),
                  TensorView(&index, {1}),
                  TensorView(out.data(), {1, rowLength}));
  } catch (const Error &error) {
    if (message)
      *message = error.what();
    return error.code();
  }
  EXPECT_EQ(out, std::vector<float>(rowLength, 3));
  return EMBEDDING_OK;
}

} // namespace

// Nobody waits for a kernel of another's, however long that takes.
TEST(Engine, KernelsAreCompiledAtOnce) {
  EngineOptions options = uncached();
  options.compiler_library = STAND_IN_COMPILER;
  options.cpu = "take time";
  Engine engine(options);
  // When compilations of several threads began and ended.
  auto compile = [&](std::initializer_list<int64_t> rowLengths) {
    std::vector<std::pair<int64_t, int64_t>> times(rowLengths.size());
    runThreads(static_cast<int>(times.size()), [&](int i) {
      std::string message;
      EXPECT_EQ(lookUp(engine, rowLengths.begin()[i], &message),
                EMBEDDING_COMPILER_ERROR);
      std::istringstream(message) >> times[i].first >> times[i].second;
    });
    std::sort(times.begin(), times.end());
    return times;
  };
  // A busy machine may start the second thread late.
  bool areAtOnce = false;
  for (int repeat = 0; repeat < 50 && !areAtOnce; ++repeat) {
    auto times = compile({3, 4});
    ASSERT_GT(times[0].first, 0);
    areAtOnce = times[1].first < times[0].second;
  }
  EXPECT_TRUE(areAtOnce);
  // Of one kernel there is one compilation at a time, whose error is all
  // theirs.
  auto times = compile({5, 5, 5, 5});
  for (size_t i = 1; i < times.size(); ++i)
    EXPECT_TRUE(times[i] == times[i - 1] ||
                times[i].first >= times[i - 1].second);
}

// A kernel whose compilation has failed is compiled when it is asked for again.
TEST(Engine, FailedKernelsAreCompiledAgain) {
  if (kIsThreadSanitized)
    GTEST_SKIP() << "ThreadSanitizer writes files";
  Engine engine(uncached());
  // Neither a request nor a linker's file may be written.
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  EmbeddingStatusCode first = lookUp(engine, 3), second = lookUp(engine, 3);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(first, EMBEDDING_COMPILER_ERROR);
  EXPECT_EQ(second, EMBEDDING_COMPILER_ERROR);
  EXPECT_EQ(engine.statistics().kernels_compiled, 0);
  EXPECT_EQ(lookUp(engine, 3), EMBEDDING_OK);
  EXPECT_EQ(engine.statistics().kernels_compiled, 1);
}

// What the caller's functions get: ranges worth a thread, and memory in lines
// of a cache.
TEST(Engine, GrainAndAlignment) {
  struct Calls {
    std::vector<std::pair<int64_t, int64_t>> loops;
    std::vector<size_t> alignments;
  } calls;
  EngineOptions options = uncached(2);
  options.parallel_for_context = options.allocator_context = &calls;
  options.parallel_for = [](void *context, int64_t size, int64_t grain,
                            EmbeddingRangeFunction function, void *range) {
    static_cast<Calls *>(context)->loops.emplace_back(size, grain);
    for (int64_t begin = 0; begin < size; begin += grain)
      function(range, begin, std::min(begin + grain, size));
  };
  options.allocate = [](void *context, size_t size, size_t alignment) {
    static_cast<Calls *>(context)->alignments.push_back(alignment);
    return std::aligned_alloc(alignment,
                              (size + alignment - 1) / alignment * alignment);
  };
  options.deallocate = [](void *context, void *memory, size_t, size_t given) {
    static_cast<Calls *>(context)->alignments.push_back(given);
    std::free(memory);
  };
  Engine engine(options);
  // Every other index, so that they are copied to memory of the allocator.
  constexpr int64_t kCount = 10001, kLength = 64;
  std::vector<float> table(2 * kLength, 3), out(kCount * kLength);
  std::vector<int64_t> indices(2 * kCount, 1);
  engine.lookup(TensorView(table.data(), {2, kLength}),
                TensorView(indices.data(), {kCount}, {2}),
                TensorView(out.data(), {kCount, kLength}));
  EXPECT_EQ(out, std::vector<float>(out.size(), 3));
  // Blocks of 128 KiB of rows of 256 bytes.
  using Loops = std::vector<std::pair<int64_t, int64_t>>;
  EXPECT_EQ(calls.loops, Loops({{(kCount + 511) / 512, 1}}));
  EXPECT_EQ(calls.alignments, std::vector<size_t>({64, 64}));
}

TEST(Engine, EachKernelIsCompiledOnce) {
  Engine engine(uncached());
  runThreads(
      8, [&](int i) { EXPECT_EQ(lookUp(engine, 3 + i % 2), EMBEDDING_OK); });
  EXPECT_EQ(engine.statistics().kernels_compiled, 2);
}
