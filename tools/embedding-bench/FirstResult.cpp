//===- FirstResult.cpp - From main to a row -------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A process of which embedding-bench starts many: prints the seconds from main
// to the first result of a lookup whose kernel is in the directory that the
// argument names.
//
//===----------------------------------------------------------------------===//

#include "embedding-runtime/Runtime.hpp"

#include <chrono>
#include <cstdio>
#include <exception>

int main(int argc, char **argv) {
  auto start = std::chrono::steady_clock::now();
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CACHE_DIR\n", argv[0]);
    return 1;
  }
  try {
    embedding::EngineOptions options;
    options.cache_dir = argv[1];
    embedding::Engine engine(options);
    constexpr int64_t kRowLength = 64;
    float table[2 * kRowLength] = {}, out[kRowLength];
    int64_t index = 1;
    engine.lookup(embedding::TensorView(table, {2, kRowLength}),
                  embedding::TensorView(&index, {1}),
                  embedding::TensorView(out, {1, kRowLength}));
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s: error: %s\n", argv[0], error.what());
    return 1;
  }
  std::printf("%.9f\n", std::chrono::duration<double>(
                            std::chrono::steady_clock::now() - start)
                            .count());
}
