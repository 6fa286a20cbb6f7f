//===- embedding-opt.cpp - Runs passes on an IR file ----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OutputFiles.h"
#include "Tool.h"
#include "embedding/InitAll.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"

using ::embedding::tools::OutputFiles;

/// As MlirOptMain does, but it empties the output before it has read the input,
/// which may be the same file, and removes it if a pass fails.
static llvm::Error writeFile(llvm::StringRef inputFile,
                             llvm::StringRef outputFile,
                             mlir::DialectRegistry &registry,
                             const mlir::MlirOptMainConfig &config) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> input =
      mlir::openInputFile(inputFile, &message);
  if (!input)
    return llvm::createStringError(message);
  OutputFiles files;
  if (llvm::Error error = files.add(outputFile))
    return error;
  return files.commit([&](size_t, llvm::raw_ostream &os) -> llvm::Error {
    if (failed(mlir::MlirOptMain(os, std::move(input), registry, config)))
      return llvm::createStringError("nothing is written");
    return llvm::Error::success();
  });
}

int main(int argc, char **argv) {
  ::embedding::tools::setVersionPrinter();
  mlir::registerAllPasses();
  mlir::embedding::registerPassesAndPipelines();
  mlir::DialectRegistry registry;
  mlir::embedding::registerAllDialects(registry);
  auto [inputFile, outputFile] = mlir::registerAndParseCLIOptions(
      argc, argv, "embedding-mlir optimizer driver\n", registry);
  auto config = mlir::MlirOptMainConfig::createFromCLOptions();
  if (outputFile == "-" || config.shouldShowDialects() ||
      config.shouldListPasses())
    return mlir::asMainReturnCode(
        mlir::MlirOptMain(argc, argv, inputFile, outputFile, registry));

  llvm::InitLLVM init(argc, argv);
  llvm::Error error = writeFile(inputFile, outputFile, registry, config);
  if (!error)
    return EXIT_SUCCESS;
  llvm::errs() << "embedding-opt: error: " << llvm::toString(std::move(error))
               << "\n";
  return EXIT_FAILURE;
}
