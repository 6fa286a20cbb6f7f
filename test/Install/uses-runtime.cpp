//===- uses-runtime.cpp - The runtime in somebody else's program ----------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include <embedding-runtime/Runtime.hpp>

#include <cstdio>
#include <vector>

int main() {
  try {
    embedding::EngineOptions options;
    options.cache_dir = "";
    embedding::Engine engine(options);
    std::vector<float> table = {1, 2, 3, 4, 5, 6}, out(4);
    std::vector<int32_t> indices = {2, 0};
    engine.lookup(embedding::TensorView(table.data(), {3, 2}),
                  embedding::TensorView(indices.data(), {2}),
                  embedding::TensorView(out.data(), {2, 2}));
    return out == std::vector<float>{5, 6, 1, 2} ? 0 : 1;
  } catch (const embedding::Error &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
