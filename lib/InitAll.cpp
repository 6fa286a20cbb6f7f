//===- InitAll.cpp - Registration of everything in embedding --------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/InitAll.h"

#include "embedding/Conversion/Passes.h"
#include "embedding/IR/Embedding.h"
#include "embedding/Pipelines/Passes.h"
#include "embedding/Transforms/BufferizableOpInterfaceImpl.h"
#include "embedding/Transforms/Passes.h"
#include "embedding/Transforms/TilingInterfaceImpl.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"

using namespace mlir;

void embedding::registerDialect(DialectRegistry &registry) {
  registry.insert<EmbeddingDialect>();
  registerBufferizableOpInterfaceExternalModels(registry);
  registerTilingInterfaceExternalModels(registry);
}

void embedding::registerPassesAndPipelines() {
  registerEmbeddingConversionPasses();
  registerEmbeddingTransformsPasses();
  registerPipelines();
}

void embedding::registerAllDialects(DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registerAllGPUToLLVMIRTranslations(registry);
  registerDialect(registry);
}
