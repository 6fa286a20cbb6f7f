//===- embedding-bench.cpp - Measures against what is possible ------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every case runs ours and what it is compared with in turn, in one process, on
// the same data, and reports medians and the median of the ratios: machines are
// shared, and only what was measured side by side compares. Tables and outputs
// are written before they are timed, so that no zero page and no page fault is.
//
//===----------------------------------------------------------------------===//

#include "TorchPeer.h"
#include "embedding-runtime/Runtime.hpp"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <functional>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

namespace cl = llvm::cl;

static cl::OptionCategory category("embedding-bench options");
static cl::opt<bool> all("all", cl::desc("Every case, not a quick subset"),
                         cl::cat(category));
static cl::opt<unsigned>
    repeats("repeats", cl::desc("Timings of each contender, interleaved"),
            cl::init(11), cl::cat(category));
static cl::opt<unsigned> numThreads("num-threads",
                                    cl::desc("Threads of the engine"),
                                    cl::init(1), cl::cat(category));
static cl::opt<std::string>
    filter("filter",
           cl::desc("Only the benchmarks whose name holds this: lookup, "
                    "dense_grad, renorm, coalesce, compilation"),
           cl::cat(category));
static cl::opt<std::string> jsonFile("json",
                                     cl::desc("Write the results to this file"),
                                     cl::cat(category));

//===----------------------------------------------------------------------===//
// Measuring
//===----------------------------------------------------------------------===//

namespace {

struct Contender {
  std::string name;
  std::function<void()> run;
  std::vector<double> seconds;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// (75th percentile - 25th) / median
double spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[values.size() * 3 / 4] - values[values.size() / 4]) /
         values[values.size() / 2];
}

/// Runs the contenders in turn, after one round that does not count.
void measure(std::vector<Contender> &contenders) {
  using Clock = std::chrono::steady_clock;
  for (unsigned round = 0; round <= repeats; ++round)
    for (Contender &contender : contenders) {
      auto start = Clock::now();
      contender.run();
      double elapsed =
          std::chrono::duration<double>(Clock::now() - start).count();
      if (round > 0)
        contender.seconds.push_back(elapsed);
    }
}

/// Median over the rounds of other's time by ours: above 1 we are faster.
double medianRatio(const Contender &ours, const Contender &other) {
  std::vector<double> ratios;
  for (size_t i = 0; i < ours.seconds.size(); ++i)
    ratios.push_back(other.seconds[i] / ours.seconds[i]);
  return median(ratios);
}

/// Memory on pages of 4 KiB, written once.
class Pages {
public:
  explicit Pages(size_t size) : size(size) {
    void *mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
      llvm::errs() << "embedding-bench: no memory for " << size << " bytes\n";
      std::exit(1);
    }
    madvise(mapped, size, MADV_NOHUGEPAGE);
    memory = static_cast<char *>(mapped);
    auto *words = reinterpret_cast<uint64_t *>(memory);
    for (size_t i = 0; i < size / 8; ++i)
      words[i] = i * 0x9e3779b97f4a7c15;
  }
  Pages(const Pages &) = delete;
  Pages &operator=(const Pages &) = delete;
  ~Pages() { munmap(memory, size); }

  char *data() const { return memory; }

private:
  char *memory;
  size_t size;
};

llvm::json::Array results;

} // namespace

//===----------------------------------------------------------------------===//
// Lookup
//===----------------------------------------------------------------------===//

namespace {

struct LookupCase {
  int64_t rowLength;
  int64_t tableBytes;
  int64_t outputBytes;
};

} // namespace

static std::vector<int64_t> drawUniform(int64_t count, int64_t numRows) {
  std::mt19937_64 random(1);
  std::vector<int64_t> indices(count);
  for (int64_t &index : indices)
    index = static_cast<int64_t>(random() % static_cast<uint64_t>(numRows));
  return indices;
}

static void benchmarkLookups() {
  llvm::outs() << "lookup, f32, uniform i64 indices, 4 KiB pages, "
               << numThreads
               << " thread(s) of ours, 1 of memcpy; GB/s read + written\n"
               << llvm::formatv(
                      "{0,6} {1,10} {2,10} {3,9} {4,9} {5,8} {6,8} {7,8}\n",
                      "D", "table MiB", "out MiB", "ours", "memcpy", "spread",
                      "ratio", "check");
  constexpr int64_t MiB = 1 << 20;
  std::vector<LookupCase> cases = {
      {128, 1, 1}, {128, 1024, 256}, {768, 1024, 256}};
  if (all) {
    cases.clear();
    for (int64_t rowLength : {8, 16, 32, 64, 100, 128, 256, 768, 1024, 4096})
      for (auto [table, output] : std::vector<std::pair<int64_t, int64_t>>{
               {1, 1}, {32, 64}, {2048, 256}})
        cases.push_back({rowLength, table, output});
  }
  embedding::EngineOptions options;
  options.num_threads = static_cast<int32_t>(unsigned(numThreads));
  embedding::Engine engine(options);
  for (const LookupCase &benchmark : cases) {
    int64_t rowBytes = benchmark.rowLength * 4;
    int64_t numRows = benchmark.tableBytes * MiB / rowBytes;
    int64_t count = benchmark.outputBytes * MiB / rowBytes;
    Pages table(numRows * rowBytes), out(count * rowBytes);
    std::vector<int64_t> indices = drawUniform(count, numRows);
    embedding::TensorView tableView(reinterpret_cast<float *>(table.data()),
                                    {numRows, benchmark.rowLength}),
        indexView(indices.data(), {count}),
        outView(reinterpret_cast<float *>(out.data()),
                {count, benchmark.rowLength});
    // Small cases are run often enough for the clock.
    int64_t inner = std::max<int64_t>(1, 16 * MiB / (count * rowBytes));
    std::vector<Contender> contenders(3);
    contenders[0].name = "embedding-mlir";
    contenders[0].run = [&] {
      for (int64_t i = 0; i < inner; ++i)
        engine.lookup(tableView, indexView, outView);
    };
    contenders[1].name = "memcpy per row";
    contenders[1].run = [&] {
      for (int64_t i = 0; i < inner; ++i)
        for (int64_t row = 0; row < count; ++row)
          std::memcpy(out.data() + row * rowBytes,
                      table.data() + indices[row] * rowBytes, rowBytes);
    };
    contenders[2].name = "embedding-mlir, unchecked";
    contenders[2].run = [&] {
      embedding::LookupOptions unchecked;
      unchecked.out_of_range = EMBEDDING_OUT_OF_RANGE_ASSUME;
      for (int64_t i = 0; i < inner; ++i)
        engine.lookup(tableView, indexView, outView, unchecked);
    };
    measure(contenders);
    double bytes = 2.0 * count * rowBytes * inner;
    double ours = bytes / median(contenders[0].seconds) * 1e-9;
    double memcpy = bytes / median(contenders[1].seconds) * 1e-9;
    double ratio = medianRatio(contenders[0], contenders[1]);
    // What the check adds to the time of a lookup without it.
    double check = medianRatio(contenders[2], contenders[0]) - 1;
    llvm::outs() << llvm::formatv(
        "{0,6} {1,10} {2,10} {3,9:F1} {4,9:F1} {5,7:F0}% {6,8:F2} {7,7:F1}%\n",
        benchmark.rowLength, benchmark.tableBytes, benchmark.outputBytes, ours,
        memcpy, 100 * spread(contenders[0].seconds), ratio, 100 * check);
    llvm::outs().flush();
    results.push_back(
        llvm::json::Object{{"benchmark", "lookup"},
                           {"element", "f32"},
                           {"distribution", "uniform"},
                           {"row_length", benchmark.rowLength},
                           {"table_bytes", benchmark.tableBytes * MiB},
                           {"output_bytes", benchmark.outputBytes * MiB},
                           {"threads", int64_t(unsigned(numThreads))},
                           {"gigabytes_per_second", ours},
                           {"memcpy_gigabytes_per_second", memcpy},
                           {"ratio_to_memcpy", ratio},
                           {"check_overhead", check}});
  }
}

//===----------------------------------------------------------------------===//
// Training
//===----------------------------------------------------------------------===//

/// PyTorch, if its library was there to build with and is there to load.
static const embedding::bench::TorchPeer *loadTorchPeer() {
  Dl_info info;
  std::string path;
  if (dladdr(reinterpret_cast<void *>(&loadTorchPeer), &info))
    path = std::filesystem::path(info.dli_fname).parent_path().string() +
           "/../lib/libembedding-bench-torch.so";
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return nullptr;
  auto get = reinterpret_cast<embedding::bench::GetTorchPeer>(
      dlsym(library, embedding::bench::kGetTorchPeerName));
  const embedding::bench::TorchPeer *peer = get ? get() : nullptr;
  if (peer)
    peer->setNumThreads(static_cast<int32_t>(unsigned(numThreads)));
  return peer;
}

namespace {

enum class Distribution { uniform, distinct, zipf, oneTakesHalf };

struct TrainingCase {
  int64_t numRows;
  int64_t rowLength;
  int64_t count;
  Distribution distribution;
};

const char *getName(Distribution distribution) {
  switch (distribution) {
  case Distribution::uniform:
    return "uniform";
  case Distribution::distinct:
    return "distinct";
  case Distribution::zipf:
    return "zipf 1.05";
  case Distribution::oneTakesHalf:
    return "one half";
  }
  return "";
}

std::vector<int64_t> draw(const TrainingCase &test) {
  std::vector<int64_t> indices = drawUniform(test.count, test.numRows);
  std::mt19937_64 random(2);
  if (test.distribution == Distribution::distinct) {
    std::vector<int64_t> rows(test.numRows);
    for (int64_t row = 0; row < test.numRows; ++row)
      rows[row] = row;
    std::shuffle(rows.begin(), rows.end(), random);
    std::copy_n(rows.begin(), std::min(test.count, test.numRows),
                indices.begin());
  } else if (test.distribution == Distribution::oneTakesHalf) {
    for (int64_t &index : indices)
      if (random() % 2)
        index = test.numRows / 2;
  } else if (test.distribution == Distribution::zipf) {
    // By the inverse of the distribution function, over ranks that are shuffled
    // by a multiplication.
    std::vector<double> sums(test.numRows);
    double sum = 0;
    for (int64_t row = 0; row < test.numRows; ++row)
      sums[row] = sum += std::pow(row + 1.0, -1.05);
    std::uniform_real_distribution<double> uniform(0, sum);
    for (int64_t &index : indices) {
      auto rank = std::lower_bound(sums.begin(), sums.end(), uniform(random)) -
                  sums.begin();
      index = static_cast<int64_t>(static_cast<uint64_t>(rank) * 2654435761u %
                                   static_cast<uint64_t>(test.numRows));
    }
  }
  return indices;
}

/// Floats of ordinary size: sums of denormals would time something else.
void fillFloats(const Pages &pages, int64_t count) {
  auto *floats = reinterpret_cast<float *>(pages.data());
  for (int64_t i = 0; i < count; ++i)
    floats[i] = static_cast<float>(i % 977) / 977.0f - 0.5f;
}

/// Reports the medians of `contenders`, ours first, in milliseconds.
void reportTraining(const char *name, const TrainingCase &test,
                    const std::vector<Contender> &contenders, double bytes) {
  double ours = median(contenders[0].seconds);
  llvm::outs() << llvm::formatv("{0,-10} {1,9} {2,6} {3,9} {4,-10} {5,9:F3}",
                                name, test.numRows, test.rowLength, test.count,
                                getName(test.distribution), ours * 1e3);
  llvm::json::Object result{{"benchmark", name},
                            {"element", "f32"},
                            {"distribution", getName(test.distribution)},
                            {"num_rows", test.numRows},
                            {"row_length", test.rowLength},
                            {"indices", test.count},
                            {"threads", int64_t(unsigned(numThreads))},
                            {"seconds", ours},
                            {"spread", spread(contenders[0].seconds)},
                            {"bytes", int64_t(bytes)}};
  for (size_t i = 1; i < contenders.size(); ++i) {
    double ratio = medianRatio(contenders[0], contenders[i]);
    llvm::outs() << llvm::formatv("  {0} {1:F3} ({2:F2}x)", contenders[i].name,
                                  median(contenders[i].seconds) * 1e3, ratio);
    result[contenders[i].name + "_seconds"] = median(contenders[i].seconds);
    result["ratio_to_" + contenders[i].name] = ratio;
  }
  llvm::outs() << llvm::formatv("  {0:F1} GB/s\n", bytes / ours * 1e-9);
  llvm::outs().flush();
  results.push_back(std::move(result));
}

} // namespace

static embedding::EngineOptions trainingOptions(unsigned threads) {
  embedding::EngineOptions options;
  options.num_threads = static_cast<int32_t>(threads);
  return options;
}

static void benchmarkDenseGrads(const embedding::bench::TorchPeer *torch) {
  std::vector<TrainingCase> cases = {{500'000, 64, 8192, Distribution::uniform},
                                     {1000, 64, 100'000, Distribution::uniform},
                                     {50'000, 128, 65'536, Distribution::zipf}};
  if (all)
    for (int64_t rowLength : {16, 64, 128, 768})
      for (int64_t numRows : {50'000, 1'000'000})
        for (int64_t count : {65'536, 1'000'000})
          for (Distribution distribution :
               {Distribution::uniform, Distribution::zipf,
                Distribution::oneTakesHalf})
            if (rowLength * std::max(numRows, count) <= 200'000'000)
              cases.push_back({numRows, rowLength, count, distribution});
  embedding::Engine engine(trainingOptions(numThreads));
  for (const TrainingCase &test : cases) {
    int64_t outBytes = test.numRows * test.rowLength * 4;
    int64_t inBytes = test.count * test.rowLength * 4;
    Pages gradOutput(inBytes), gradTable(outBytes);
    fillFloats(gradOutput, inBytes / 4);
    std::vector<int64_t> indices = draw(test);
    auto *in = reinterpret_cast<float *>(gradOutput.data());
    auto *out = reinterpret_cast<float *>(gradTable.data());
    embedding::TensorView inView(in, {test.count, test.rowLength}),
        indexView(indices.data(), {test.count}),
        outView(out, {test.numRows, test.rowLength});
    std::vector<Contender> contenders = {
        {"ours", [&] { engine.denseGrad(inView, indexView, outView); }, {}},
        {"memset", [&] { std::memset(out, 0, outBytes); }, {}}};
    if (torch)
      contenders.push_back({"torch",
                            [&] {
                              torch->denseGrad(in, indices.data(), test.count,
                                               test.rowLength, test.numRows);
                            },
                            {}});
    measure(contenders);
    reportTraining("dense_grad", test, contenders,
                   static_cast<double>(inBytes + outBytes + 8 * test.count));
  }
}

static void benchmarkRenorms(const embedding::bench::TorchPeer *torch) {
  std::vector<TrainingCase> cases = {
      {65'536, 64, 65'536, Distribution::distinct},
      {1'000'000, 64, 1'000'000, Distribution::distinct}};
  if (all) {
    cases.push_back({65'536, 768, 65'536, Distribution::distinct});
    cases.push_back({1'000'000, 64, 65'536, Distribution::zipf});
  }
  embedding::Engine engine(trainingOptions(numThreads)),
      oneThread(trainingOptions(1));
  for (const TrainingCase &test : cases) {
    int64_t tableBytes = test.numRows * test.rowLength * 4;
    Pages table(tableBytes);
    fillFloats(table, tableBytes / 4);
    std::vector<int64_t> indices = draw(test);
    auto *data = reinterpret_cast<float *>(table.data());
    embedding::TensorView tableView(data, {test.numRows, test.rowLength}),
        indexView(indices.data(), {test.count});
    // A bound that halves with every call, so that every call writes.
    double maxNorm = 1e6;
    auto next = [&] { return maxNorm = maxNorm < 1e-6 ? 1e6 : maxNorm / 1.1; };
    std::vector<Contender> contenders = {
        {"ours", [&] { engine.renorm(tableView, indexView, next()); }, {}}};
    if (numThreads > 1)
      contenders.push_back(
          {"one_thread",
           [&] { oneThread.renorm(tableView, indexView, next()); },
           {}});
    // 1.7 us a row, so not for the long ones.
    if (torch && test.count <= 100'000)
      contenders.push_back({"torch",
                            [&] {
                              torch->renorm(data, test.numRows, test.rowLength,
                                            indices.data(), test.count, next());
                            },
                            {}});
    // Until the bound is below the norms.
    while (maxNorm > 1.0)
      next();
    measure(contenders);
    std::sort(indices.begin(), indices.end());
    auto distinct =
        std::unique(indices.begin(), indices.end()) - indices.begin();
    reportTraining("renorm", test, contenders,
                   2.0 * distinct * test.rowLength * 4 + 8.0 * test.count);
  }
}

static void benchmarkCoalesces(const embedding::bench::TorchPeer *torch) {
  std::vector<TrainingCase> cases = {
      {50'000, 64, 65'536, Distribution::uniform}};
  if (all)
    cases.push_back({1'000'000, 128, 1'000'000, Distribution::zipf});
  embedding::Engine engine(trainingOptions(numThreads));
  for (const TrainingCase &test : cases) {
    int64_t bytes = test.count * test.rowLength * 4;
    Pages values(bytes), sums(bytes);
    fillFloats(values, bytes / 4);
    std::vector<int64_t> indices = draw(test), rows(test.count);
    auto *in = reinterpret_cast<float *>(values.data());
    embedding::TensorView inView(in, {test.count, test.rowLength}),
        indexView(indices.data(), {test.count}),
        rowsView(rows.data(), {test.count}),
        sumsView(reinterpret_cast<float *>(sums.data()),
                 {test.count, test.rowLength});
    std::vector<Contender> contenders = {
        {"ours",
         [&] {
           engine.coalesce(indexView, inView, test.numRows, rowsView, sumsView);
         },
         {}}};
    if (torch)
      contenders.push_back({"torch",
                            [&] {
                              torch->coalesce(indices.data(), in, test.count,
                                              test.rowLength, test.numRows);
                            },
                            {}});
    measure(contenders);
    reportTraining("coalesce", test, contenders,
                   1.5 * static_cast<double>(bytes));
  }
}

static void benchmarkTraining() {
  const embedding::bench::TorchPeer *torch = loadTorchPeer();
  llvm::outs() << "\ntraining, f32, i64 indices, 4 KiB pages, " << numThreads
               << " thread(s); ms; peer: "
               << (torch ? std::string("torch ") + torch->version
                         : "none found")
               << "\n"
               << llvm::formatv("{0,-10} {1,9} {2,6} {3,9} {4,-10} {5,9}\n",
                                "op", "V", "D", "N", "indices", "ours");
  auto wants = [](const char *name) {
    return std::string(name).find(filter) != std::string::npos;
  };
  if (wants("dense_grad"))
    benchmarkDenseGrads(torch);
  if (wants("renorm"))
    benchmarkRenorms(torch);
  if (wants("coalesce"))
    benchmarkCoalesces(torch);
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

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

static void report(const char *what, const std::vector<double> &seconds,
                   double scale, const char *unit) {
  llvm::outs() << llvm::formatv("{0,-58} {1,9:F2} {2} (spread {3:F0}%)\n", what,
                                median(seconds) * scale, unit,
                                100 * spread(seconds));
  results.push_back(llvm::json::Object{{"benchmark", what},
                                       {"seconds", median(seconds)},
                                       {"spread", spread(seconds)}});
}

static void benchmarkCompilation() {
  std::string directory =
      std::filesystem::temp_directory_path() / "embedding-bench-XXXXXX";
  if (!mkdtemp(directory.data())) {
    llvm::errs() << "embedding-bench: no temporary directory\n";
    std::exit(1);
  }
  std::vector<double> first, cold, cached, warm;
  first.push_back(callFreshEngine("", 1));
  for (unsigned i = 0; i < repeats; ++i) {
    int64_t rowLength = 100 + i;
    cold.push_back(callFreshEngine(directory, rowLength));
    cached.push_back(callFreshEngine(directory, rowLength));
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
  for (unsigned i = 0; i < repeats; ++i) {
    auto start = std::chrono::steady_clock::now();
    for (int call = 0; call < kCalls; ++call)
      embedding_lookup(engine.get(), &dlTable, &dlIndices, nullptr, &dlOut,
                       nullptr);
    warm.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count() /
        kCalls);
  }

  llvm::outs() << "\none lookup kernel, in process\n";
  report("first call, the compiler library loaded with it", first, 1e3, "ms");
  report("cold call of a fresh engine: compiled", cold, 1e3, "ms");
  report("first call of a fresh engine: object from disk", cached, 1e3, "ms");
  report("call of one row of 64 floats: kernel in memory", warm, 1e9, "ns");
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv, "Measures the runtime\n");
  try {
    if (std::string("lookup").find(filter) != std::string::npos)
      benchmarkLookups();
    benchmarkTraining();
    if (std::string("compilation").find(filter) != std::string::npos)
      benchmarkCompilation();
  } catch (const embedding::Error &error) {
    llvm::errs() << "embedding-bench: error: " << error.what() << "\n";
    return 1;
  }
  if (!jsonFile.empty()) {
    std::error_code error;
    llvm::raw_fd_ostream os(jsonFile, error);
    if (error) {
      llvm::errs() << "embedding-bench: error: " << jsonFile << ": "
                   << error.message() << "\n";
      return 1;
    }
    os << llvm::formatv("{0:2}", llvm::json::Value(std::move(results))) << "\n";
  }
  return 0;
}
