//===- embedding-bench.cpp - Measures against what is possible ------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CeilingKernels.h"
#include "Measure.h"
#include "OutputFiles.h"
#include "Tool.h"
#include "TorchPeer.h"
#include "embedding-runtime/Runtime.hpp"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"

#include <fstream>

using namespace embedding::bench;
namespace cl = llvm::cl;

static cl::OptionCategory category("embedding-bench options");
static cl::opt<bool> all("all", cl::desc("Every case, not a quick subset"),
                         cl::cat(category));
static cl::opt<unsigned>
    repeats("repeats", cl::desc("Timings of each contender, interleaved"),
            cl::init(11), cl::cat(category));
static cl::list<int> numThreads("num-threads", cl::CommaSeparated,
                                cl::desc("Threads of every contender: one "
                                         "number, or several in turn"),
                                cl::cat(category));
static cl::opt<std::string>
    filter("filter",
           cl::desc("Only the benchmarks whose name holds this: lookup, bag, "
                    "dense_grad, renorm, sparse_grad, compilation"),
           cl::cat(category));
static cl::opt<std::string>
    onlyCase("case",
             cl::desc("Only the cases whose line, as printed, holds this, such "
                      "as 'D=64 '"),
             cl::cat(category));
static cl::opt<std::string> jsonFile("json",
                                     cl::desc("Write the results to this file"),
                                     cl::cat(category));

/// The processor as Linux names it.
static std::string getProcessorName() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);)
    if (llvm::StringRef(line).starts_with("model name"))
      return llvm::StringRef(line).split(": ").second.str();
  return "unknown";
}

static int fail(llvm::Twine message) {
  llvm::errs() << "embedding-bench: error: " << message << "\n";
  return 1;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  embedding::tools::setVersionPrinter();
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv, "Measures the runtime\n");
  // Before half an hour of measurements.
  embedding::tools::OutputFiles files;
  if (!jsonFile.empty())
    if (llvm::Error error = files.add(jsonFile))
      return fail("--json: " + llvm::toString(std::move(error)));
  std::vector<int> threads(numThreads.begin(), numThreads.end());
  if (threads.empty())
    threads = {1};

  using Benchmark = void (*)(Settings &);
  const std::pair<llvm::StringRef, Benchmark> benchmarks[] = {
      {"lookup", benchmarkLookups},
      {"bag", benchmarkBags},
      {"dense_grad", benchmarkDenseGrads},
      {"renorm", benchmarkRenorms},
      {"sparse_grad", benchmarkSparseGrads},
      {"compilation", benchmarkCompilation}};
  const TorchPeer *torch = loadTorchPeer();
  Settings settings{all, std::max(1u, unsigned(repeats)), 1, onlyCase, {}};
  llvm::outs() << "on " << getProcessorName() << "; ceiling kernels for "
               << getCeilingKernels().name << "; torch "
               << (torch ? torch->version : "not found")
               << "; of each contender, its time by ours\n";
  try {
    for (int count : threads) {
      settings.numThreads = count;
      if (torch)
        torch->setNumThreads(count);
      llvm::outs() << "\n" << count << " thread(s)\n";
      for (auto [name, benchmark] : benchmarks)
        if (name.contains(filter))
          benchmark(settings);
    }
  } catch (const embedding::Error &error) {
    return fail(error.what());
  }
  llvm::json::Object document{{"processor", getProcessorName()},
                              {"ceiling", getCeilingKernels().name},
                              {"torch", torch ? torch->version : ""},
                              {"repeats", int64_t(settings.repeats)},
                              {"results", std::move(settings.results)}};
  auto write = [&](size_t, llvm::raw_ostream &os) {
    os << llvm::formatv("{0:2}", llvm::json::Value(std::move(document)))
       << "\n";
    return llvm::Error::success();
  };
  if (llvm::Error error = files.commit(write))
    return fail(llvm::toString(std::move(error)));
  if (llvm::Error error = embedding::tools::flushStandardOutput())
    return fail(llvm::toString(std::move(error)));
  return 0;
}
