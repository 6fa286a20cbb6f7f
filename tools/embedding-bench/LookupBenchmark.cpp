//===- LookupBenchmark.cpp - Lookups --------------------------------------===//
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
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cstring>

using namespace embedding::bench;

static constexpr int64_t MiB = 1 << 20;

namespace {

struct LookupCase {
  const char *element;
  int64_t rowLength;
  int64_t tableBytes;
  int64_t count;
  Distribution distribution = Distribution::uniform;
  Pages::Size pageSize = Pages::Size::small;

  int32_t elementBytes() const { return element[1] == '3' ? 4 : 2; }
  int64_t rowBytes() const { return rowLength * elementBytes(); }
  int64_t numRows() const { return tableBytes / rowBytes(); }
  int64_t outputBytes() const { return count * rowBytes(); }
};

} // namespace

static LookupCase getCase(const char *element, int64_t rowLength,
                          int64_t tableBytes, int64_t outputBytes) {
  LookupCase test{element, rowLength, tableBytes, 0};
  test.count = outputBytes / test.rowBytes();
  return test;
}

static std::string getLabel(const LookupCase &test) {
  return llvm::formatv("lookup {0,4} D={1,-4} table {2,5:F1} MiB N={3,-8} "
                       "{4,-9} {5}",
                       test.element, test.rowLength,
                       static_cast<double>(test.tableBytes) / MiB, test.count,
                       getName(test.distribution),
                       test.pageSize == Pages::Size::huge ? "2M" : "4K");
}

static std::vector<LookupCase> getCases(bool all) {
  // Table and output: in the second-level cache, in the third, in memory.
  struct Sizes {
    int64_t table, output;
  };
  constexpr Sizes kInL2{MiB / 2, MiB / 2}, kInL3{32 * MiB, 64 * MiB},
      kInMemory{2048 * MiB, 256 * MiB};
  if (!all)
    return {getCase("f32", 64, kInL2.table, kInL2.output),
            getCase("f32", 128, kInL3.table, kInL3.output),
            getCase("f32", 128, kInMemory.table, kInMemory.output)};
  std::vector<LookupCase> cases;
  for (Pages::Size pageSize : {Pages::Size::small, Pages::Size::huge})
    for (Distribution distribution : {Distribution::uniform, Distribution::zipf,
                                      Distribution::oneTakesHalf})
      for (const char *element : {"f32", "f16", "bf16"})
        for (Sizes sizes : {kInL2, kInL3, kInMemory})
          for (int64_t rowLength :
               {8, 16, 32, 64, 100, 128, 256, 768, 1024, 4096}) {
            // Skew for f32 and small pages; narrow elements where they differ.
            bool isHuge = pageSize == Pages::Size::huge;
            if (distribution != Distribution::uniform &&
                (isHuge || element[1] != '3'))
              continue;
            if (isHuge && element[0] == 'b')
              continue;
            LookupCase test =
                getCase(element, rowLength, sizes.table, sizes.output);
            test.distribution = distribution;
            test.pageSize = pageSize;
            cases.push_back(test);
          }
  for (int64_t count : {1, 16, 256, 4096, 65'536, 1 << 20, 1 << 22})
    cases.push_back({"f32", 64, 2048 * MiB, count});
  return cases;
}

namespace {

/// The table and the output of all cases of one page size, each of which uses
/// the first bytes.
struct LookupMemory {
  Pages table, out;
};

} // namespace

static void benchmarkLookup(Settings &settings, const LookupCase &test,
                            embedding::Engine &engine, Team &team,
                            const LookupMemory &memory) {
  std::string label = getLabel(test);
  if (!settings.wants(label))
    return;
  int64_t rowBytes = test.rowBytes(), numRows = test.numRows(),
          count = test.count;
  char *table = memory.table.data(), *out = memory.out.data();
  std::vector<int64_t> indices = draw(test.distribution, count, numRows);
  DLDataType type = {
      static_cast<uint8_t>(test.element[0] == 'b' ? kDLBfloat : kDLFloat),
      static_cast<uint8_t>(8 * test.elementBytes()), 1};
  embedding::TensorView tableView(table, type, {numRows, test.rowLength}),
      indexView(indices.data(), {count}),
      outView(out, type, {count, test.rowLength});

  // Small cases are run often enough for the clock.
  int64_t calls = std::max<int64_t>(1, 8 * MiB / (test.outputBytes() + 4096));
  const CeilingKernels &kernels = getCeilingKernels();
  auto ceiling = [&](Tuning tuning) {
    return [&, tuning] {
      team.runRanges(count, [&](int64_t begin, int64_t end) {
        kernels.lookup(table, indices.data() + begin, end - begin, rowBytes,
                       out + begin * rowBytes, tuning);
      });
    };
  };
  std::vector<Tuning> tunings;
  std::vector<std::function<void()>> tuned;
  auto tune = [&](Tuning tuning) {
    tunings.push_back(tuning);
    tuned.push_back(ceiling(tuning));
  };
  for (bool streams : {false, true}) {
    tune({0, streams});
    for (int64_t rowsAhead : {2, 8, 16, 32, 64})
      for (bool intoL1 : {false, true})
        for (bool readsIndicesFirst : {false, true})
          tune({rowsAhead, streams, intoL1, readsIndicesFirst});
  }
  Tuning best = tunings[findFastest(tuned, 3, calls)];

  std::vector<Contender> contenders;
  contenders.push_back(
      {"ours", [&] { engine.lookup(tableView, indexView, outView); }});
  contenders.push_back({"ceiling", ceiling(best)});
  contenders.push_back(
      {"pooled", [&] { engine.lookup(tableView, indexView); }});
  contenders.push_back(
      {"memcpy", [&] {
         team.runRanges(count, [&](int64_t begin, int64_t end) {
           for (int64_t row = begin; row < end; ++row)
             std::memcpy(out + row * rowBytes, table + indices[row] * rowBytes,
                         rowBytes);
         });
       }});
  contenders.push_back(
      {"unchecked", [&] {
         embedding::LookupOptions unchecked;
         unchecked.out_of_range = EMBEDDING_OUT_OF_RANGE_ASSUME;
         engine.lookup(tableView, indexView, outView, unchecked);
       }});
  // bf16 moves the same bytes as f16.
  if (const TorchPeer *torch = loadTorchPeer();
      torch && type.code == kDLFloat) {
    contenders.push_back({"index_select", [&, torch] {
                            torch->indexSelect(table, numRows, test.rowLength,
                                               test.elementBytes(),
                                               indices.data(), count, out);
                          }});
    contenders.push_back({"F.embedding", [&, torch] {
                            torch->embedding(table, numRows, test.rowLength,
                                             test.elementBytes(),
                                             indices.data(), count);
                          }});
  }
  measure(settings, contenders, calls);

  bool isHuge = test.pageSize == Pages::Size::huge;
  llvm::json::Object result{
      {"benchmark", "lookup"},
      {"element", test.element},
      {"distribution", getName(test.distribution)},
      {"page_bytes", isHuge ? 2 * MiB : int64_t(4096)},
      {"row_length", test.rowLength},
      {"table_bytes", test.tableBytes},
      {"indices", count},
      {"calls", calls},
      {"ceiling_rows_ahead", best.rowsAhead},
      {"ceiling_streams", best.streams},
      {"ceiling_into_l1", best.intoL1},
      {"ceiling_reads_indices_first", best.readsIndicesFirst}};
  report(
      settings, std::move(result), contenders, 2.0 * test.outputBytes() * calls,
      label + llvm::formatv(" | ceiling {0,2}{1}{2}{3}", best.rowsAhead,
                            best.streams ? "s" : " ", best.intoL1 ? "1" : " ",
                            best.readsIndicesFirst ? "i" : " ")
                  .str());
}

void embedding::bench::benchmarkLookups(Settings &settings) {
  llvm::outs()
      << "lookups, i64 indices; GB/s read + written; the ceiling's rows "
         "ahead, whether it streams (s),\n  prefetches into the first-level "
         "cache (1), reads a stretch of indices first (i);\n  pooled: into a "
         "new output from the engine's buffers\n";
  embedding::EngineOptions options;
  options.num_threads = settings.numThreads;
  embedding::Engine engine(options);
  Team team(settings.numThreads);
  std::vector<LookupCase> cases = getCases(settings.all);
  for (Pages::Size pageSize : {Pages::Size::small, Pages::Size::huge}) {
    int64_t tableBytes = 0, outputBytes = 0;
    for (const LookupCase &test : cases)
      if (test.pageSize == pageSize) {
        tableBytes = std::max(tableBytes, test.tableBytes);
        outputBytes = std::max(outputBytes, test.outputBytes());
      }
    if (tableBytes == 0)
      continue;
    LookupMemory memory{Pages(tableBytes, pageSize),
                        Pages(outputBytes, pageSize)};
    for (const LookupCase &test : cases)
      if (test.pageSize == pageSize)
        benchmarkLookup(settings, test, engine, team, memory);
  }
}
