//===- BagBenchmark.cpp - Sums, means and maxima of bags ------------------===//
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

#include "llvm/Support/FormatVariadic.h"

#include <optional>

using namespace embedding::bench;

namespace {

struct BagCase {
  int64_t numRows;
  int64_t rowLength;
  int64_t count;
  int64_t bagLength;
  Distribution distribution = Distribution::uniform;
};

/// One way to call the operation.
struct BagMode {
  const char *name;
  BagKind kind;
  bool isWeighted = false;
  /// A padding row, which no ceiling has: few indices name it.
  bool hasPadding = false;
};

constexpr BagMode kModes[] = {
    {"sum", BagKind::sum},
    {"mean", BagKind::mean},
    {"max", BagKind::max},
    {"weights", BagKind::sum, /*isWeighted=*/true},
    {"padding_idx", BagKind::sum, /*isWeighted=*/false, /*hasPadding=*/true}};

} // namespace

static std::string getLabel(const BagMode &mode, const BagCase &test) {
  return llvm::formatv("bag {0,-11} V={1,-8} D={2,-4} N={3,-8} L={4,-4} {5,-8}",
                       mode.name, test.numRows, test.rowLength, test.count,
                       test.bagLength, getName(test.distribution));
}

/// Functions of IR for all modes, by their names.
static std::string getFunctions(int64_t rowLength) {
  std::string text;
  for (const BagMode &mode : kModes) {
    const char *kind = mode.kind == BagKind::sum    ? "sum"
                       : mode.kind == BagKind::mean ? "mean"
                                                    : "max";
    text += llvm::formatv(
        "func.func @{0}(%t: memref<?x{1}xf32>, %i: memref<?xi64>, "
        "%o: memref<?xi64>, {2}%y: memref<?x{1}xf32>) {{\n"
        "  embedding.bag {3} {4}ins(%t, %i : memref<?x{1}xf32>, memref<?xi64>) "
        "offsets(%o : memref<?xi64>) {5}outs(%y : memref<?x{1}xf32>)\n"
        "  return\n}\n",
        mode.name, rowLength, mode.isWeighted ? "%w: memref<?xf32>, " : "",
        kind, mode.hasPadding ? "padding_idx(0) " : "",
        mode.isWeighted ? "weights(%w : memref<?xf32>) " : "");
  }
  return text;
}

static void benchmarkBag(Settings &settings, const BagCase &test,
                         const embedding::Engine &engine, Team &team) {
  int64_t numBags = test.count / test.bagLength;
  std::optional<embedding::Module> functions;
  Pages table(test.numRows * test.rowLength * 4),
      out(numBags * test.rowLength * 4), weights(test.count * 4);
  std::vector<int64_t> indices =
      draw(test.distribution, test.count, test.numRows);
  std::vector<int64_t> offsets;
  for (int64_t bag = 0; bag < numBags; ++bag)
    offsets.push_back(bag * test.bagLength);
  embedding::TensorView tableView(table.floats(),
                                  {test.numRows, test.rowLength}),
      indexView(indices.data(), {test.count}),
      offsetView(offsets.data(), {numBags}),
      weightView(weights.floats(), {test.count}),
      outView(out.floats(), {numBags, test.rowLength});
  for (const BagMode &mode : kModes) {
    std::string label = getLabel(mode, test);
    if (!settings.wants(label))
      continue;
    if (!functions)
      functions.emplace(engine, getFunctions(test.rowLength));
    std::vector<embedding::Module::Argument> arguments = {tableView, indexView,
                                                          offsetView};
    if (mode.isWeighted)
      arguments.emplace_back(weightView);
    arguments.emplace_back(outView);
    Bags bags{table.floats(), indices.data(),
              test.count,     offsets.data(),
              numBags,        mode.isWeighted ? weights.floats() : nullptr,
              test.rowLength, out.floats()};
    auto ceiling = [&](Tuning tuning) {
      return [&, tuning] {
        team.runRanges(numBags, [&](int64_t begin, int64_t end) {
          getCeilingKernels().bag(bags, begin, end, mode.kind, tuning);
        });
      };
    };
    std::vector<Tuning> tunings;
    std::vector<std::function<void()>> ceilings;
    for (int64_t rowsAhead : {0, 8, 16, 32, 64})
      for (bool intoL1 : {false, true}) {
        tunings.push_back({rowsAhead, /*streams=*/false, intoL1});
        ceilings.push_back(ceiling(tunings.back()));
      }
    const size_t best = findFastest(ceilings, /*repeats=*/5);
    std::vector<Contender> contenders = {
        {"ours", [&] { functions->call(mode.name, arguments); }},
        {"ceiling", ceilings[best]}};
    if (const TorchPeer *torch = loadTorchPeer())
      contenders.push_back({"torch", [&, torch] {
                              torch->embeddingBag(
                                  table.floats(), test.numRows, test.rowLength,
                                  indices.data(), test.count, offsets.data(),
                                  numBags, static_cast<int64_t>(mode.kind),
                                  mode.isWeighted ? weights.floats() : nullptr,
                                  mode.hasPadding ? 0 : -1);
                            }});
    measure(settings, contenders);
    std::string kernel =
        llvm::formatv("{0} ahead, {1}", tunings[best].rowsAhead,
                      tunings[best].intoL1 ? "L1" : "L2");
    double rowBytes = test.rowLength * 4.0;
    report(settings,
           llvm::json::Object{{"benchmark", "bag"},
                              {"mode", mode.name},
                              {"distribution", getName(test.distribution)},
                              {"num_rows", test.numRows},
                              {"row_length", test.rowLength},
                              {"indices", test.count},
                              {"bag_length", test.bagLength},
                              {"ceiling_kernel", kernel}},
           contenders,
           static_cast<double>(test.count + numBags) * (rowBytes + 8),
           label + llvm::formatv(" | {0,-14}", kernel).str());
  }
}

void embedding::bench::benchmarkBags(Settings &settings) {
  std::vector<BagCase> cases = {{1'000'000, 64, 327'680, 20},
                                {20'000, 64, 81'920, 20}};
  if (settings.all) {
    for (int64_t bagLength : {1, 50, 200})
      cases.push_back({1'000'000, 64, 327'600, bagLength});
    for (int64_t rowLength : {16, 128, 512})
      cases.push_back({1'000'000, rowLength, 163'840, 20});
    cases.push_back({1'000'000, 64, 327'680, 20, Distribution::zipf});
  }
  embedding::EngineOptions options;
  options.num_threads = settings.numThreads;
  embedding::Engine engine(options);
  Team team(settings.numThreads);
  for (const BagCase &test : cases)
    benchmarkBag(settings, test, engine, team);
}
