//===- Measure.h - Data, contenders and medians -----------------*- C++ -*-===//
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
// are written before they are timed, so that no zero page and no page fault is,
// unless the contender is one that allocates.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TOOLS_EMBEDDINGBENCH_MEASURE_H
#define EMBEDDING_TOOLS_EMBEDDINGBENCH_MEASURE_H

#include "llvm/Support/JSON.h"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace embedding::bench {

/// What the command line says.
struct Settings {
  /// Every case, not a quick subset.
  bool all;
  unsigned repeats;
  int32_t numThreads;
  /// Of the cases, those whose line holds this.
  std::string onlyCase;
  /// The measurements so far.
  llvm::json::Array results;

  bool wants(const std::string &label) const {
    return label.find(onlyCase) != std::string::npos;
  }
};

void benchmarkLookups(Settings &settings);
void benchmarkBags(Settings &settings);
void benchmarkDenseGrads(Settings &settings);
void benchmarkRenorms(Settings &settings);
void benchmarkSparseGrads(Settings &settings);
void benchmarkCompilation(Settings &settings);

/// Something that is timed.
struct Contender {
  std::string name;
  std::function<void()> run;
  std::vector<double> seconds = {};

  double getMedian() const;
  /// (75th percentile - 25th) / median
  double getSpread() const;
};

double getMedian(std::vector<double> values);
double getSpread(std::vector<double> values);

/// Runs the contenders in turn `repeats` times, after one round that does not
/// count; each round in another order, since each finds the caches as the one
/// before left them. With several threads there is a pause in between, since
/// OpenMP's look for work for some milliseconds on a core that the next one
/// needs; and a call that does not count, which wakes its own. What is too
/// short for the clock is called `calls` times.
void measure(const Settings &settings, std::vector<Contender> &contenders,
             int64_t calls = 1);

/// The index of the fastest contender, each at its best of `repeats` runs.
size_t findFastest(const std::vector<std::function<void()>> &contenders,
                   unsigned repeats, int64_t calls = 1);

/// Median over the rounds of other's time by ours: above 1 we are faster.
double getRatio(const Contender &ours, const Contender &other);

/// Adds the times of all contenders, and their ratios to the first, to
/// `result`, and prints them.
void report(Settings &settings, llvm::json::Object result,
            const std::vector<Contender> &contenders, double bytes,
            const std::string &label);

/// Memory on pages of 4 KiB or of 2 MiB, written once with floats of ordinary
/// size: sums of denormals would time something else.
class Pages {
public:
  enum class Size { small, huge };

  Pages(size_t bytes, Size pageSize = Size::small);
  Pages(const Pages &) = delete;
  Pages &operator=(const Pages &) = delete;
  ~Pages();

  char *data() const { return memory; }
  float *floats() const { return reinterpret_cast<float *>(memory); }

private:
  char *mapped;
  size_t mappedBytes;
  char *memory;
};

enum class Distribution { uniform, distinct, zipf, oneTakesHalf };

const char *getName(Distribution distribution);

/// `count` indices in [0, numRows); `distinct` wants count <= numRows.
std::vector<int64_t> draw(Distribution distribution, int64_t count,
                          int64_t numRows);

/// Threads for the hand-written kernels.
class Team {
public:
  explicit Team(int32_t size);
  ~Team();

  int32_t size() const { return static_cast<int32_t>(threads.size()) + 1; }
  /// Runs `share` for each member at once.
  void run(const std::function<void(int32_t member)> &share);
  /// Runs `share` for the ranges of [0, count) that are each member's.
  void runRanges(int64_t count,
                 const std::function<void(int64_t begin, int64_t end)> &share);

private:
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable wake, done;
  const std::function<void(int32_t)> *current = nullptr;
  uint64_t turn = 0;
  int32_t active = 0;
  bool isStopping = false;
};

} // namespace embedding::bench

#endif // EMBEDDING_TOOLS_EMBEDDINGBENCH_MEASURE_H
