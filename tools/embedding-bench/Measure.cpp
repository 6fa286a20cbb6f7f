//===- Measure.cpp - Data, contenders and medians -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Measure.h"
#include "CeilingKernels.h"
#include "TorchPeer.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <dlfcn.h>
#include <filesystem>
#include <numeric>
#include <random>
#include <sys/mman.h>

using namespace embedding::bench;

//===----------------------------------------------------------------------===//
// Contenders
//===----------------------------------------------------------------------===//

double embedding::bench::getMedian(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double embedding::bench::getSpread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[values.size() * 3 / 4] - values[values.size() / 4]) /
         values[values.size() / 2];
}

double Contender::getMedian() const { return bench::getMedian(seconds); }
double Contender::getSpread() const { return bench::getSpread(seconds); }

/// Seconds of `calls` calls of `run`.
static double time(const std::function<void()> &run, int64_t calls) {
  auto start = std::chrono::steady_clock::now();
  for (int64_t call = 0; call < calls; ++call)
    run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

/// Waits without sleeping: this core stays awake.
static void wait(double seconds) {
  auto start = std::chrono::steady_clock::now();
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
             .count() < seconds)
    continue;
}

void embedding::bench::measure(const Settings &settings,
                               std::vector<Contender> &contenders,
                               int64_t calls) {
  std::vector<size_t> order(contenders.size());
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random(1);
  for (unsigned round = 0; round <= settings.repeats; ++round) {
    for (size_t i : order) {
      if (settings.numThreads > 1) {
        wait(0.005);
        contenders[i].run();
      }
      double elapsed = time(contenders[i].run, calls);
      if (round > 0)
        contenders[i].seconds.push_back(elapsed);
    }
    std::shuffle(order.begin(), order.end(), random);
  }
}

size_t embedding::bench::findFastest(
    const std::vector<std::function<void()>> &contenders, unsigned repeats,
    int64_t calls) {
  std::vector<double> best(contenders.size(), HUGE_VAL);
  for (unsigned round = 0; round < repeats; ++round)
    for (size_t i = 0; i < contenders.size(); ++i)
      best[i] = std::min(best[i], time(contenders[i], calls));
  return std::min_element(best.begin(), best.end()) - best.begin();
}

double embedding::bench::getRatio(const Contender &ours,
                                  const Contender &other) {
  std::vector<double> ratios;
  for (size_t i = 0; i < ours.seconds.size(); ++i)
    ratios.push_back(other.seconds[i] / ours.seconds[i]);
  return getMedian(ratios);
}

void embedding::bench::report(Settings &settings, llvm::json::Object result,
                              const std::vector<Contender> &contenders,
                              double bytes, const std::string &label) {
  const Contender &ours = contenders.front();
  double seconds = ours.getMedian();
  llvm::outs() << label
               << llvm::formatv(" {0,10:F3} ms {1,6:F1} GB/s", seconds * 1e3,
                                bytes / seconds * 1e-9);
  result["threads"] = settings.numThreads;
  result["bytes"] = bytes;
  result["seconds"] = seconds;
  result["spread"] = ours.getSpread();
  for (size_t i = 1; i < contenders.size(); ++i) {
    const Contender &other = contenders[i];
    double ratio = getRatio(ours, other);
    llvm::outs() << llvm::formatv("  {0} {1,5:F2}", other.name, ratio);
    std::string key = other.name;
    std::replace(key.begin(), key.end(), ' ', '_');
    result[key + "_seconds"] = other.getMedian();
    result["ratio_to_" + key] = ratio;
  }
  llvm::outs() << "\n";
  llvm::outs().flush();
  settings.results.push_back(std::move(result));
}

//===----------------------------------------------------------------------===//
// Data
//===----------------------------------------------------------------------===//

static constexpr size_t kHugePageBytes = size_t(2) << 20;

Pages::Pages(size_t bytes, Size pageSize) {
  mappedBytes = bytes + kHugePageBytes;
  void *address = mmap(nullptr, mappedBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    llvm::errs() << "embedding-bench: no memory for " << bytes << " bytes\n";
    std::exit(1);
  }
  madvise(address, mappedBytes,
          pageSize == Size::huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  mapped = static_cast<char *>(address);
  memory = reinterpret_cast<char *>(
      (reinterpret_cast<uintptr_t>(mapped) + kHugePageBytes - 1) &
      ~(kHugePageBytes - 1));
  for (size_t i = 0; i < bytes / sizeof(float); ++i)
    floats()[i] = static_cast<float>(i % 977) / 977.0f - 0.5f;
}

Pages::~Pages() { munmap(mapped, mappedBytes); }

const char *embedding::bench::getName(Distribution distribution) {
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

std::vector<int64_t> embedding::bench::draw(Distribution distribution,
                                            int64_t count, int64_t numRows) {
  std::mt19937_64 random(1);
  std::vector<int64_t> indices(count);
  if (distribution == Distribution::distinct) {
    std::vector<int64_t> rows(numRows);
    for (int64_t row = 0; row < numRows; ++row)
      rows[row] = row;
    std::shuffle(rows.begin(), rows.end(), random);
    std::copy_n(rows.begin(), count, indices.begin());
    return indices;
  }
  if (distribution == Distribution::zipf) {
    // By the inverse of the distribution function, over ranks that are shuffled
    // by a multiplication.
    std::vector<double> sums(numRows);
    double sum = 0;
    for (int64_t row = 0; row < numRows; ++row)
      sums[row] = sum += std::pow(row + 1.0, -1.05);
    std::uniform_real_distribution<double> uniform(0, sum);
    for (int64_t &index : indices) {
      auto rank = std::lower_bound(sums.begin(), sums.end(), uniform(random)) -
                  sums.begin();
      index = static_cast<int64_t>(static_cast<uint64_t>(rank) * 2654435761u %
                                   static_cast<uint64_t>(numRows));
    }
    return indices;
  }
  for (int64_t &index : indices)
    index = static_cast<int64_t>(random() % static_cast<uint64_t>(numRows));
  if (distribution == Distribution::oneTakesHalf)
    for (int64_t &index : indices)
      if (random() % 2)
        index = numRows / 2;
  return indices;
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

Team::Team(int32_t size) {
  for (int32_t member = 1; member < size; ++member)
    threads.emplace_back([this, member] {
      uint64_t seen = 0;
      std::unique_lock<std::mutex> lock(mutex);
      while (true) {
        wake.wait(lock, [&] { return isStopping || turn != seen; });
        if (isStopping)
          return;
        seen = turn;
        const auto &share = *current;
        lock.unlock();
        share(member);
        lock.lock();
        if (--active == 0)
          done.notify_one();
      }
    });
}

Team::~Team() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    isStopping = true;
  }
  wake.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

void Team::run(const std::function<void(int32_t)> &share) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    current = &share;
    active = static_cast<int32_t>(threads.size());
    ++turn;
  }
  wake.notify_all();
  share(0);
  std::unique_lock<std::mutex> lock(mutex);
  done.wait(lock, [&] { return active == 0; });
}

void Team::runRanges(int64_t count,
                     const std::function<void(int64_t, int64_t)> &share) {
  run([&](int32_t member) {
    share(count * member / size(), count * (member + 1) / size());
  });
}

//===----------------------------------------------------------------------===//
// Peers
//===----------------------------------------------------------------------===//

const TorchPeer *embedding::bench::loadTorchPeer() {
  static const TorchPeer *peer = []() -> const TorchPeer * {
    Dl_info info;
    std::string path;
    if (dladdr(reinterpret_cast<void *>(&loadTorchPeer), &info))
      path = std::filesystem::path(info.dli_fname).parent_path().string() +
             "/../lib/libembedding-bench-torch.so";
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library)
      return nullptr;
    auto get =
        reinterpret_cast<GetTorchPeer>(dlsym(library, kGetTorchPeerName));
    return get ? get() : nullptr;
  }();
  return peer;
}

// The builds of CeilingKernels.cpp.
namespace embedding::bench {
namespace baseline {
extern const CeilingKernels kernels;
} // namespace baseline
#ifdef __x86_64__
namespace avx2 {
extern const CeilingKernels kernels;
} // namespace avx2
namespace avx512 {
extern const CeilingKernels kernels;
} // namespace avx512
#endif
} // namespace embedding::bench

const CeilingKernels &embedding::bench::getCeilingKernels() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
    return avx512::kernels;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return avx2::kernels;
#endif
  return baseline::kernels;
}
