//===- ModuleCompiler.cpp - Compiles functions of IR ----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Compilation.h"

#include "embedding/Target/Function.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace ::embedding::runtime;
using mlir::embedding::FunctionInterface;

static LogicalResult compile(Compilation &compilation, StringRef ir,
                             const ModuleTarget &moduleTarget,
                             SmallVectorImpl<char> &object,
                             std::vector<ModuleCode::Function> &compiled) {
  FailureOr<mlir::embedding::CPUTarget> target =
      compilation.getTarget(moduleTarget.cpu);
  if (failed(target))
    return failure();
  llvm::SourceMgr sources;
  // The parser wants a null behind the text.
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(ir, "module"),
                             llvm::SMLoc());
  AsmParserState names;
  OwningOpRef<ModuleOp> module =
      mlir::embedding::parseModule(sources, compilation.getContext(), names);
  if (!module)
    return failure();

  SmallVector<FunctionInterface> functions;
  for (func::FuncOp function : mlir::embedding::getPublicFunctions(*module)) {
    FailureOr<FunctionInterface> interface =
        FunctionInterface::get(function, &names);
    if (failed(interface))
      return failure();
    functions.push_back(*interface);
  }
  if (functions.empty())
    return emitError(UnknownLoc::get(&compilation.getContext()),
                     "there is no public function");

  mlir::embedding::CompileOptions options;
  options.chip = moduleTarget.chip;
  options.isNaive = moduleTarget.isNaive;
  options.atomicGradients = moduleTarget.atomicGradients;
  options.checksSizes = !moduleTarget.assumesSizes;
  options.numThreads = moduleTarget.numThreads;
  SmallVector<int> chips;
  if (options.chip != 0)
    chips.push_back(options.chip);
  for (const FunctionInterface &function : functions) {
    SmallVector<int64_t> fields;
    std::string operandNames;
    function.appendSignature(target->getX86Level(), chips, fields,
                             operandNames);
    compiled.push_back({{fields.begin(), fields.end()},
                        operandNames,
                        function.getEntryName(options.chip)});
  }
  return mlir::embedding::compileFunctions(*module, functions, *target, options,
                                           /*areExported=*/true, object);
}

void ::embedding::runtime::compileModule(StringRef ir,
                                         const ModuleTarget &target,
                                         const CompilerOutput &output) {
  compileTo(output, [&](Compilation &compilation, SmallVectorImpl<char> &object,
                        std::vector<ModuleCode::Function> &functions) {
    return compile(compilation, ir, target, object, functions);
  });
}
