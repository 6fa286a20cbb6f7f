//===- CachedLookup.cpp - One lookup in a process of its own --------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Prints "compiled C loaded L rejected R compiler P", where P is whether
// libLLVM is in this process after the lookup: never.
//
//===----------------------------------------------------------------------===//

#include "embedding-runtime/Runtime.hpp"

#include <cstdio>
#include <fstream>
#include <iostream>

int main() {
  try {
    embedding::Engine engine;
    float table[] = {1, 2, 3, 4, 5, 6};
    int64_t index = 1;
    float out[3] = {};
    engine.lookup(embedding::TensorView(table, {2, 3}),
                  embedding::TensorView(&index, {1}),
                  embedding::TensorView(out, {1, 3}));
    if (out[0] != 4 || out[1] != 5 || out[2] != 6)
      return 2;
    bool hasCompiler = false;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
      hasCompiler |= line.find("libLLVM") != std::string::npos;
    EmbeddingEngineStatistics statistics = engine.statistics();
    std::cout << "compiled " << statistics.kernels_compiled << " loaded "
              << statistics.kernels_loaded << " rejected "
              << statistics.objects_rejected << " compiler " << hasCompiler
              << "\n";
    return 0;
  } catch (const embedding::Error &error) {
    std::cout << error.what() << "\n";
    return 1;
  }
}
