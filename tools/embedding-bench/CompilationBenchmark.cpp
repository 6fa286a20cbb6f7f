//===- CompilationBenchmark.cpp - Compilation and small calls -------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Measure.h"
#include "embedding-runtime/Runtime.hpp"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <dlfcn.h>
#include <filesystem>

using namespace embedding::bench;

/// One call of a fresh engine, and the engine's creation.
static double callFreshEngine(const std::string &cacheDir, int64_t rowLength) {
  std::vector<float> table(2 * rowLength, 1.0f), out(rowLength);
  int64_t index = 1;
  auto start = std::chrono::steady_clock::now();
  embedding::EngineOptions options;
  options.cache_dir = cacheDir.c_str();
  options.num_threads = 1;
  embedding::Engine engine(options);
  engine.lookup(embedding::TensorView(table.data(), {2, rowLength}),
                embedding::TensorView(&index, {1}),
                embedding::TensorView(out.data(), {1, rowLength}));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

static void reportSeconds(Settings &settings, const char *what,
                          const std::vector<double> &seconds, double scale,
                          const char *unit) {
  llvm::outs() << llvm::formatv("{0,-58} {1,9:F2} {2} (spread {3:F0}%)\n", what,
                                getMedian(seconds) * scale, unit,
                                100 * getSpread(seconds));
  settings.results.push_back(
      llvm::json::Object{{"benchmark", what},
                         {"seconds", getMedian(seconds)},
                         {"spread", getSpread(seconds)}});
}

/// The time of a new process from its start, as seen from here, to its end, and
/// what it says of its own from main to its first result.
static std::pair<double, double> timeNewProcess(const std::string &cacheDir) {
  Dl_info info;
  dladdr(reinterpret_cast<void *>(&timeNewProcess), &info);
  std::string program = std::filesystem::path(info.dli_fname).parent_path() /
                        "embedding-bench-first-result";
  std::string output = cacheDir + "/seconds.txt";
  auto start = std::chrono::steady_clock::now();
  int code = llvm::sys::ExecuteAndWait(program, {program, cacheDir},
                                       /*Env=*/std::nullopt,
                                       {"", llvm::StringRef(output), ""});
  double whole =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  auto text = llvm::MemoryBuffer::getFile(output);
  double own = 0;
  if (code != 0 || !text || !llvm::to_float((*text)->getBuffer().trim(), own)) {
    llvm::errs() << "embedding-bench: " << program << " failed\n";
    std::exit(1);
  }
  return {whole, own};
}

void embedding::bench::benchmarkCompilation(Settings &settings) {
  std::string directory =
      std::filesystem::temp_directory_path() / "embedding-bench-XXXXXX";
  if (!mkdtemp(directory.data())) {
    llvm::errs() << "embedding-bench: no temporary directory\n";
    std::exit(1);
  }
  std::vector<double> first, cold, cached, warm;
  first.push_back(callFreshEngine("", 1));
  for (unsigned i = 0; i < settings.repeats; ++i) {
    int64_t rowLength = 100 + i;
    cold.push_back(callFreshEngine(directory, rowLength));
    cached.push_back(callFreshEngine(directory, rowLength));
  }
  std::vector<double> processes, results;
  timeNewProcess(directory); // Compiles.
  for (unsigned i = 0; i < settings.repeats; ++i) {
    auto [process, result] = timeNewProcess(directory);
    processes.push_back(process);
    results.push_back(result);
  }
  std::filesystem::remove_all(directory);

  std::vector<float> table(2 * 64, 1.0f), out(64);
  int64_t index = 1;
  embedding::EngineOptions options;
  options.cache_dir = "";
  embedding::Engine engine(options);
  embedding::TensorView tableView(table.data(), {2, 64}),
      indexView(&index, {1}), outView(out.data(), {1, 64});
  DLTensor dlTable = tableView.get(), dlIndices = indexView.get(),
           dlOut = outView.get();
  constexpr int kCalls = 10000;
  for (unsigned i = 0; i < settings.repeats; ++i) {
    auto start = std::chrono::steady_clock::now();
    for (int call = 0; call < kCalls; ++call)
      embedding_lookup(engine.get(), &dlTable, &dlIndices, nullptr, &dlOut,
                       nullptr);
    warm.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count() /
        kCalls);
  }

  llvm::outs() << "\none lookup kernel\n";
  reportSeconds(settings, "first call, the compiler started by it", first, 1e3,
                "ms");
  reportSeconds(settings, "cold call of a fresh engine: compiled", cold, 1e3,
                "ms");
  reportSeconds(settings, "first call of a fresh engine: object from disk",
                cached, 1e3, "ms");
  reportSeconds(settings, "new process, object from disk: main to first result",
                results, 1e3, "ms");
  reportSeconds(settings, "the same, from its start to its end", processes, 1e3,
                "ms");
  reportSeconds(settings, "call of one row of 64 floats: kernel in memory",
                warm, 1e9, "ns");
}
