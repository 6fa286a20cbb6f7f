//===- TrainingBenchmark.cpp - Gradients and renorm -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CeilingKernels.h"
#include "Measure.h"
#include "TorchPeer.h"
#include "embedding-runtime/Runtime.hpp"

#include "llvm/ADT/bit.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cstring>

using namespace embedding::bench;

namespace {

struct TrainingCase {
  int64_t numRows;
  int64_t rowLength;
  int64_t count;
  Distribution distribution;
};

} // namespace

static std::string getLabel(const char *name, const TrainingCase &test) {
  return llvm::formatv("{0,-13} V={1,-8} D={2,-4} N={3,-8} {4,-9}", name,
                       test.numRows, test.rowLength, test.count,
                       getName(test.distribution));
}

static void reportTraining(Settings &settings, const char *name,
                           const TrainingCase &test,
                           const std::vector<Contender> &contenders,
                           double bytes, const std::string &ceiling) {
  report(settings,
         llvm::json::Object{{"benchmark", name},
                            {"element", "f32"},
                            {"distribution", getName(test.distribution)},
                            {"num_rows", test.numRows},
                            {"row_length", test.rowLength},
                            {"indices", test.count},
                            {"ceiling_kernel", ceiling}},
         contenders, bytes,
         getLabel(name, test) + llvm::formatv(" | {0,-14}", ceiling).str());
}

static embedding::EngineOptions withThreads(int32_t numThreads) {
  embedding::EngineOptions options;
  options.num_threads = numThreads;
  return options;
}

//===----------------------------------------------------------------------===//
// Hand-written algorithms
//===----------------------------------------------------------------------===//

namespace {

/// Positions sorted by row: by counting all rows.
class CountingSort {
public:
  CountingSort(Team &team, const std::vector<int64_t> &indices, int64_t numRows)
      : team(team), indices(indices), numRows(numRows),
        counts(static_cast<size_t>(team.size()) * numRows),
        positions(indices.size()) {}

  void run() {
    auto count = static_cast<int64_t>(indices.size());
    auto begin = [&](int32_t member) { return count * member / team.size(); };
    team.run([&](int32_t member) {
      int32_t *own = countsOf(member);
      std::memset(own, 0, numRows * sizeof(int32_t));
      kernels.countRows(indices.data() + begin(member),
                        begin(member + 1) - begin(member), own);
    });
    int32_t sum = 0;
    for (int64_t row = 0; row < numRows; ++row)
      for (int32_t member = 0; member < team.size(); ++member) {
        int32_t size = countsOf(member)[row];
        countsOf(member)[row] = sum;
        sum += size;
      }
    team.run([&](int32_t member) {
      kernels.placePositions(indices.data(), begin(member), begin(member + 1),
                             countsOf(member), positions.data());
    });
  }

  const int32_t *getPositions() const { return positions.data(); }
  const int32_t *getEnds() { return countsOf(team.size() - 1); }
  /// Where the rows of `member` begin: equal shares of rows and positions.
  int64_t getFirstRow(int32_t member) {
    auto count = static_cast<int64_t>(indices.size());
    int64_t share = (count + numRows) * member / team.size();
    int64_t low = 0, high = numRows;
    while (low < high) {
      int64_t middle = (low + high) / 2;
      if (getEnds()[middle] + middle < share)
        low = middle + 1;
      else
        high = middle;
    }
    return member == team.size() ? numRows : low;
  }

private:
  int32_t *countsOf(int32_t member) {
    return counts.data() + static_cast<int64_t>(member) * numRows;
  }

  const CeilingKernels &kernels = getCeilingKernels();
  Team &team;
  const std::vector<int64_t> &indices;
  int64_t numRows;
  std::vector<int32_t> counts;
  std::vector<int32_t> positions;
};

/// Pairs of row and position sorted by row, digit by digit.
class RadixSort {
public:
  RadixSort(Team &team, const std::vector<int64_t> &indices, int64_t numRows)
      : team(team), indices(indices),
        rowBits(llvm::bit_width(static_cast<uint64_t>(numRows - 1))),
        buffers(2 * indices.size()) {}

  void run() {
    auto count = static_cast<int64_t>(indices.size());
    uint64_t *pairs = buffers.data();
    for (int64_t i = 0; i < count; ++i)
      pairs[i] =
          static_cast<uint64_t>(indices[i]) << 32 | static_cast<uint64_t>(i);
    sorted =
        getCeilingKernels().radixSort(pairs, pairs + count, count, rowBits);
  }

  const uint64_t *getPairs() const { return sorted; }
  /// Where the pairs of `member` begin: at the start of a run of equal rows.
  int64_t getFirst(int32_t member) const {
    auto count = static_cast<int64_t>(indices.size());
    int64_t first = count * member / team.size();
    while (first > 0 && first < count &&
           sorted[first] >> 32 == sorted[first - 1] >> 32)
      ++first;
    return first;
  }

private:
  Team &team;
  const std::vector<int64_t> &indices;
  int32_t rowBits;
  std::vector<uint64_t> buffers;
  const uint64_t *sorted = nullptr;
};

/// Bytes from which on streaming fills memory faster than memset.
constexpr int64_t kMinStreamedBytes = 8 << 20;

} // namespace

//===----------------------------------------------------------------------===//
// Dense gradient
//===----------------------------------------------------------------------===//

static void benchmarkDenseGrad(Settings &settings, const TrainingCase &test,
                               embedding::Engine &engine, Team &team) {
  if (!settings.wants(getLabel("dense_grad", test)))
    return;
  const CeilingKernels &kernels = getCeilingKernels();
  int64_t outBytes = test.numRows * test.rowLength * 4;
  int64_t inBytes = test.count * test.rowLength * 4;
  Pages gradOutput(inBytes), gradTable(outBytes);
  std::vector<int64_t> indices =
      draw(test.distribution, test.count, test.numRows);
  float *in = gradOutput.floats(), *out = gradTable.floats();
  embedding::TensorView inView(in, {test.count, test.rowLength}),
      indexView(indices.data(), {test.count}),
      outView(out, {test.numRows, test.rowLength});

  CountingSort countingSort(team, indices, test.numRows);
  RadixSort radixSort(team, indices, test.numRows);
  auto withCountingSort = [&](bool streams) {
    return [&, streams] {
      countingSort.run();
      team.run([&](int32_t member) {
        kernels.sumRows(in, countingSort.getPositions(), countingSort.getEnds(),
                        countingSort.getFirstRow(member),
                        countingSort.getFirstRow(member + 1), test.rowLength,
                        out, streams);
      });
    };
  };
  auto withRadixSort = [&](bool streams) {
    return [&, streams] {
      radixSort.run();
      team.run([&](int32_t member) {
        int64_t first = radixSort.getFirst(member),
                last = radixSort.getFirst(member + 1);
        auto rowOf = [&](int64_t pair) {
          return static_cast<int64_t>(radixSort.getPairs()[pair] >> 32);
        };
        kernels.sumPairs(in, radixSort.getPairs(), first, last,
                         member == 0           ? 0
                         : first == test.count ? test.numRows
                                               : rowOf(first),
                         last == test.count ? test.numRows : rowOf(last),
                         test.rowLength, out, streams);
      });
    };
  };
  auto withScatter = [&] {
    std::memset(out, 0, outBytes);
    kernels.scatter(in, indices.data(), test.count, test.rowLength, out);
  };
  std::vector<std::pair<std::string, std::function<void()>>> algorithms = {
      {"scatter", withScatter},
      {"counting", withCountingSort(false)},
      {"counting, NT", withCountingSort(true)},
      {"radix", withRadixSort(false)},
      {"radix, NT", withRadixSort(true)}};
  std::vector<std::function<void()>> tuned;
  for (auto &[name, run] : algorithms)
    tuned.push_back(run);
  auto &[ceilingName, ceiling] = algorithms[findFastest(tuned, 3)];

  std::vector<Contender> contenders = {
      {"ours", [&] { engine.denseGrad(inView, indexView, outView); }},
      {"ceiling", ceiling},
      {"fill", [&] {
         team.runRanges(outBytes / 64, [&](int64_t begin, int64_t end) {
           char *bytes = gradTable.data() + begin * 64;
           if (outBytes >= kMinStreamedBytes)
             kernels.streamZeros(bytes, (end - begin) * 64);
           else
             std::memset(bytes, 0, (end - begin) * 64);
         });
       }}};
  if (const TorchPeer *torch = loadTorchPeer()) {
    contenders.push_back({"torch", [&, torch] {
                            torch->denseGrad(in, indices.data(), test.count,
                                             test.rowLength, test.numRows);
                          }});
  }
  measure(settings, contenders);
  reportTraining(settings, "dense_grad", test, contenders,
                 static_cast<double>(inBytes + outBytes + 8 * test.count),
                 ceilingName);
}

void embedding::bench::benchmarkDenseGrads(Settings &settings) {
  std::vector<TrainingCase> cases = {{500'000, 64, 8192, Distribution::uniform},
                                     {1000, 64, 100'000, Distribution::uniform},
                                     {50'000, 128, 65'536, Distribution::zipf}};
  if (settings.all)
    for (int64_t rowLength : {16, 64, 128, 768})
      for (int64_t numRows : {50'000, 1'000'000})
        for (int64_t count : {65'536, 1'000'000})
          for (Distribution distribution :
               {Distribution::uniform, Distribution::zipf,
                Distribution::oneTakesHalf})
            if (rowLength * (numRows + count) <= 1'000'000'000)
              cases.push_back({numRows, rowLength, count, distribution});
  embedding::Engine engine(withThreads(settings.numThreads));
  Team team(settings.numThreads);
  for (const TrainingCase &test : cases)
    benchmarkDenseGrad(settings, test, engine, team);
}

//===----------------------------------------------------------------------===//
// Renorm
//===----------------------------------------------------------------------===//

static void benchmarkRenorm(Settings &settings, const TrainingCase &test,
                            embedding::Engine &engine, Team &team) {
  if (!settings.wants(getLabel("renorm", test)))
    return;
  const CeilingKernels &kernels = getCeilingKernels();
  int64_t tableBytes = test.numRows * test.rowLength * 4;
  int64_t outBytes = test.count * test.rowLength * 4;
  Pages table(tableBytes), out(outBytes);
  std::vector<int64_t> indices =
      draw(test.distribution, test.count, test.numRows);
  embedding::TensorView tableView(table.floats(),
                                  {test.numRows, test.rowLength}),
      indexView(indices.data(), {test.count}),
      outView(out.floats(), {test.count, test.rowLength});
  // A bound that shrinks with every call, so that every call writes.
  double maxNorm = 1.0;
  auto next = [&] {
    if (maxNorm < 1e-6) {
      maxNorm = 1.0;
      for (int64_t i = 0; i < tableBytes / 4; ++i)
        table.floats()[i] = 0.5f;
    }
    return maxNorm /= 1.02;
  };

  std::vector<uint64_t> bitmap(test.numRows / 64 + 1);
  std::vector<int64_t> rows(test.count + 1);
  std::vector<Contender> contenders = {
      {"ours", [&] { engine.renorm(tableView, indexView, next()); }},
      {"ceiling", [&] {
         double bound = next();
         int64_t distinct = kernels.findDistinct(indices.data(), test.count,
                                                 bitmap.data(), rows.data());
         team.runRanges(distinct, [&](int64_t begin, int64_t end) {
           kernels.renorm(table.floats(), rows.data() + begin, end - begin,
                          test.rowLength, bound);
         });
       }}};
  // 1.7 us a row, so not for the long ones.
  const TorchPeer *torch = loadTorchPeer();
  if (torch && test.count <= 100'000) {
    contenders.push_back({"torch", [&, torch] {
                            torch->renorm(table.floats(), test.numRows,
                                          test.rowLength, indices.data(),
                                          test.count, next());
                          }});
  }
  measure(settings, contenders);
  std::vector<int64_t> sorted(indices);
  std::sort(sorted.begin(), sorted.end());
  auto distinct = std::unique(sorted.begin(), sorted.end()) - sorted.begin();
  double bytes = 2.0 * distinct * test.rowLength * 4 + 8.0 * test.count;
  reportTraining(settings, "renorm", test, contenders, bytes, "bitmap");

  contenders = {{"ours",
                 [&] {
                   embedding::LookupOptions options;
                   options.has_max_norm = true;
                   options.max_norm = next();
                   engine.lookup(tableView, indexView, outView, options);
                 }},
                {"in turn", [&] {
                   engine.renorm(tableView, indexView, next());
                   engine.lookup(tableView, indexView, outView);
                 }}};
  if (torch && test.count <= 100'000)
    contenders.push_back(
        {"torch", [&] {
           torch->renorm(table.floats(), test.numRows, test.rowLength,
                         indices.data(), test.count, next());
           torch->embedding(table.data(), test.numRows, test.rowLength, 4,
                            indices.data(), test.count);
         }});
  measure(settings, contenders);
  reportTraining(settings, "renorm_lookup", test, contenders, bytes + outBytes,
                 "");
}

void embedding::bench::benchmarkRenorms(Settings &settings) {
  std::vector<TrainingCase> cases = {
      {65'536, 64, 65'536, Distribution::distinct},
      {1'000'000, 64, 1'000'000, Distribution::distinct}};
  if (settings.all) {
    cases.push_back({65'536, 768, 65'536, Distribution::distinct});
    cases.push_back({1'000'000, 64, 65'536, Distribution::uniform});
    cases.push_back({1'000'000, 64, 65'536, Distribution::zipf});
    cases.push_back({50'000, 128, 65'536, Distribution::oneTakesHalf});
  }
  embedding::Engine engine(withThreads(settings.numThreads));
  Team team(settings.numThreads);
  for (const TrainingCase &test : cases)
    benchmarkRenorm(settings, test, engine, team);
}

//===----------------------------------------------------------------------===//
// Sparse gradients
//===----------------------------------------------------------------------===//

static void benchmarkCoalesce(Settings &settings, const TrainingCase &test,
                              embedding::Engine &engine, Team &team) {
  if (!settings.wants(getLabel("coalesce", test)))
    return;
  const CeilingKernels &kernels = getCeilingKernels();
  int64_t bytes = test.count * test.rowLength * 4;
  Pages values(bytes), sums(bytes);
  std::vector<int64_t> indices =
                           draw(test.distribution, test.count, test.numRows),
                       rows(test.count);
  embedding::TensorView inView(values.floats(), {test.count, test.rowLength}),
      indexView(indices.data(), {test.count}),
      rowsView(rows.data(), {test.count}),
      sumsView(sums.floats(), {test.count, test.rowLength});
  RadixSort radixSort(team, indices, test.numRows);
  std::vector<int64_t> groups(team.size());
  int64_t numGroups = 0;
  std::vector<Contender> contenders = {
      {"ours",
       [&] {
         numGroups = engine.coalesce(indexView, inView, test.numRows, rowsView,
                                     sumsView);
       }},
      {"ceiling", [&] {
         radixSort.run();
         const uint64_t *pairs = radixSort.getPairs();
         // The groups of each member first, to know where its sums go.
         team.run([&](int32_t member) {
           int64_t begin = radixSort.getFirst(member),
                   end = radixSort.getFirst(member + 1), count = 0;
           for (int64_t i = begin; i < end; ++i)
             count += i == begin || pairs[i] >> 32 != pairs[i - 1] >> 32;
           groups[member] = count;
         });
         team.run([&](int32_t member) {
           int64_t group = 0;
           for (int32_t before = 0; before < member; ++before)
             group += groups[before];
           kernels.coalescePairs(values.floats(), pairs,
                                 radixSort.getFirst(member),
                                 radixSort.getFirst(member + 1), group,
                                 test.rowLength, rows.data(), sums.floats());
         });
       }}};
  if (const TorchPeer *torch = loadTorchPeer()) {
    contenders.push_back({"torch", [&, torch] {
                            torch->coalesce(indices.data(), values.floats(),
                                            test.count, test.rowLength,
                                            test.numRows);
                          }});
  }
  measure(settings, contenders);
  reportTraining(settings, "coalesce", test, contenders,
                 static_cast<double>(bytes + 8 * test.count +
                                     numGroups * (test.rowLength * 4 + 8)),
                 "radix, NT");
}

static void benchmarkSparseGrad(Settings &settings, const TrainingCase &test,
                                embedding::Engine &engine, Team &team) {
  if (!settings.wants(getLabel("sparse_grad", test)))
    return;
  int64_t bytes = test.count * test.rowLength * 4;
  Pages gradOutput(bytes), values(bytes);
  std::vector<int64_t> indices =
                           draw(test.distribution, test.count, test.numRows),
                       rows(test.count);
  embedding::TensorView inView(gradOutput.floats(),
                               {test.count, test.rowLength}),
      indexView(indices.data(), {test.count}),
      rowsView(rows.data(), {test.count}),
      valuesView(values.floats(), {test.count, test.rowLength});
  // Without a padding row it is a copy.
  std::vector<Contender> contenders = {
      {"ours",
       [&] {
         engine.sparseGrad(inView, indexView, test.numRows, rowsView,
                           valuesView);
       }},
      {"ceiling", [&] {
         team.runRanges(test.count, [&](int64_t begin, int64_t end) {
           std::memcpy(rows.data() + begin, indices.data() + begin,
                       (end - begin) * sizeof(int64_t));
           getCeilingKernels().streamCopy(
               gradOutput.data() + begin * test.rowLength * 4,
               values.data() + begin * test.rowLength * 4,
               (end - begin) * test.rowLength * 4);
         });
       }}};
  measure(settings, contenders);
  reportTraining(settings, "sparse_grad", test, contenders,
                 2.0 * static_cast<double>(bytes + 8 * test.count), "copy, NT");
}

void embedding::bench::benchmarkSparseGrads(Settings &settings) {
  std::vector<TrainingCase> cases = {
      {50'000, 64, 65'536, Distribution::uniform}};
  if (settings.all) {
    cases.push_back({50'000, 64, 65'536, Distribution::zipf});
    cases.push_back({50'000, 768, 65'536, Distribution::uniform});
    cases.push_back({1'000'000, 128, 1'000'000, Distribution::uniform});
    cases.push_back({1'000'000, 128, 1'000'000, Distribution::zipf});
  }
  embedding::Engine engine(withThreads(settings.numThreads));
  Team team(settings.numThreads);
  for (const TrainingCase &test : cases) {
    benchmarkSparseGrad(settings, test, engine, team);
    benchmarkCoalesce(settings, test, engine, team);
  }
}
