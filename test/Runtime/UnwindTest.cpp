//===- UnwindTest.cpp - Stacks with generated code in them ----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <dlfcn.h>
#include <unwind.h>

using namespace embedding;
using namespace embedding::test;

namespace {

/// The addresses in the frames of the stack, from the caller's on.
__attribute__((noinline)) std::vector<uintptr_t> getFrames() {
  std::vector<uintptr_t> frames;
  _Unwind_Backtrace(
      [](_Unwind_Context *context, void *frames) {
        static_cast<std::vector<uintptr_t> *>(frames)->push_back(
            _Unwind_GetIP(context));
        return _URC_NO_REASON;
      },
      &frames);
  frames.erase(frames.begin());
  return frames;
}

/// What an engine's threads are when the caller has none to offer.
struct Watcher {
  std::vector<uintptr_t> frames;

  EngineOptions options(const char *cacheDir, EmbeddingLowering lowering) {
    EngineOptions options;
    options.cache_dir = cacheDir;
    options.lowering = lowering;
    options.num_threads = 2;
    options.parallel_for_context = this;
    options.parallel_for = [](void *context, int64_t size, int64_t,
                              EmbeddingRangeFunction function, void *data) {
      static_cast<Watcher *>(context)->frames = getFrames();
      function(data, 0, size);
    };
    return options;
  }

  /// The number of the first frame of generated code whose name holds `name`,
  /// or 0.
  size_t findGenerated(const std::string &name) const {
    for (size_t i = 0; i < frames.size(); ++i) {
      Dl_info info;
      if (dladdr(reinterpret_cast<void *>(frames[i]), &info) &&
          info.dli_sname &&
          std::string(info.dli_sname).find(name) != std::string::npos &&
          std::string(info.dli_fname).find("libembedding") == std::string::npos)
        return i;
    }
    return 0;
  }
};

/// Calls `body`, and returns the addresses before and after it.
template <typename Body>
__attribute__((noinline)) std::pair<uintptr_t, uintptr_t>
callFrom(const Body &body) {
  uintptr_t frame = getFrames().at(0);
  body();
  return {frame, getFrames().at(0)};
}

class Unwind : public testing::TestWithParam<EmbeddingLowering> {};

} // namespace

// A profiler or a debugger sees what has called a kernel, and which kernel.
TEST_P(Unwind, ThroughAKernel) {
  TemporaryDirectory directory;
  std::string cache = directory.str();
  for (const char *cacheDir : {"", cache.c_str(), cache.c_str()}) {
    Watcher watcher;
    Engine engine(watcher.options(cacheDir, GetParam()));
    constexpr int64_t kCount = 20000, kRowLength = 32;
    std::vector<float> gradOutput(kCount * kRowLength, 1), grad(3 * kRowLength);
    std::vector<int64_t> indices(kCount, 2);
    auto [begin, end] = callFrom([&] {
      engine.denseGrad(TensorView(gradOutput.data(), {kCount, kRowLength}),
                       TensorView(indices.data(), {kCount}),
                       TensorView(grad.data(), {3, kRowLength}));
    });
    ASSERT_EQ(grad.back(), kCount);
    size_t kernel = watcher.findGenerated("dense_grad_32xf32_i64");
    ASSERT_GT(kernel, 0u);
    bool isFound = false;
    for (size_t i = kernel + 1; i < watcher.frames.size(); ++i)
      isFound |= watcher.frames[i] > begin && watcher.frames[i] < end;
    EXPECT_TRUE(isFound);
  }
}

TEST_P(Unwind, ThroughAModule) {
  Watcher watcher;
  Engine engine(watcher.options("", GetParam()));
  Module module(engine, R"mlir(
    func.func @look_up(%table: memref<?x4xf32>, %indices: memref<?xi64>,
                       %out: memref<?x4xf32>) {
      embedding.lookup ins(%table, %indices : memref<?x4xf32>, memref<?xi64>)
        outs(%out : memref<?x4xf32>)
      return
    })mlir");
  constexpr int64_t kCount = 100000;
  std::vector<float> table(8, 3), out(4 * kCount);
  std::vector<int64_t> indices(kCount, 1);
  auto [begin, end] = callFrom([&] {
    module.call("look_up", {TensorView(table.data(), {2, 4}),
                            TensorView(indices.data(), {kCount}),
                            TensorView(out.data(), {kCount, 4})});
  });
  ASSERT_EQ(out.back(), 3);
  size_t entry = watcher.findGenerated("look_up");
  ASSERT_GT(entry, 0u);
  bool isFound = false;
  for (size_t i = entry + 1; i < watcher.frames.size(); ++i)
    isFound |= watcher.frames[i] > begin && watcher.frames[i] < end;
  EXPECT_TRUE(isFound);
}

struct dwarf_eh_bases {
  void *text, *data, *function;
};
/// Of the unwinder's library: where the frames of code at `address` are
/// described, or null.
extern "C" const void *_Unwind_Find_FDE(void *address, dwarf_eh_bases *bases);

// Also one that calls nothing, where a profiler may stop it.
TEST_P(Unwind, FromWithinAKernel) {
  TemporaryDirectory directory;
  std::string cache = directory.str();
  Watcher watcher;
  Engine engine(watcher.options(cache.c_str(), GetParam()));
  std::vector<float> table(6, 3.0f), out(3);
  int64_t index = 1;
  engine.lookup(TensorView(table.data(), {2, 3}), TensorView(&index, {1}),
                TensorView(out.data(), {1, 3}));
  std::string file;
  for (const auto &entry : std::filesystem::directory_iterator(cache))
    if (entry.path().extension() == ".embobj")
      file = entry.path();
  void *object = dlopen(file.c_str(), RTLD_NOW | RTLD_NOLOAD);
  ASSERT_TRUE(object) << file << ": " << dlerror();
  auto *kernel =
      static_cast<char *>(dlsym(object, "embedding_kernel_lookup_12xi8_i64"));
  ASSERT_TRUE(kernel);
  dwarf_eh_bases bases;
  EXPECT_TRUE(_Unwind_Find_FDE(kernel + 1, &bases));
  EXPECT_EQ(bases.function, kernel);
  dlclose(object);
}

INSTANTIATE_TEST_SUITE_P(Lowerings, Unwind,
                         testing::Values(EMBEDDING_LOWERING_OPTIMIZED,
                                         EMBEDDING_LOWERING_NAIVE));
