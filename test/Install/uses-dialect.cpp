//===- uses-dialect.cpp - Our dialect in somebody else's compiler ---------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/IR/Embedding.h"
#include "embedding/InitAll.h"
#include "embedding/Pipelines/Passes.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;

int main() {
  DialectRegistry registry;
  embedding::registerAllDialects(registry);
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(
      R"mlir(
        func.func @f(%t: memref<10x3xf32>, %i: memref<4xi64>, %o: memref<4x3xf32>) {
          embedding.lookup ins(%t, %i : memref<10x3xf32>, memref<4xi64>)
            outs(%o : memref<4x3xf32>)
          return
        })mlir",
      &context);
  if (!module)
    return 1;
  int lookups = 0;
  module->walk([&](embedding::LookupOp) { ++lookups; });
  PassManager pm(&context);
  embedding::buildEmbeddingToCPUPipeline(pm, embedding::CPUPipelineOptions());
  return lookups == 1 && succeeded(pm.run(*module)) ? 0 : 1;
}
