//===- Compilation.cpp - Where code is compiled ---------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Compilation.h"

#include "Linker.h"

#include "embedding/InitAll.h"

#include <pthread.h>

using namespace mlir;
using namespace ::embedding::runtime;

/// Of a thread that compiles. A page of it takes memory when it is used.
static constexpr size_t kStackBytes = size_t(64) << 20;

/// Fails if there is no thread to be had.
static bool runOnLargeStack(llvm::function_ref<void()> body) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0)
    return false;
  pthread_t thread;
  bool isStarted = pthread_attr_setstacksize(&attributes, kStackBytes) == 0 &&
                   pthread_create(
                       &thread, &attributes,
                       [](void *body) -> void * {
                         (*static_cast<llvm::function_ref<void()> *>(body))();
                         return nullptr;
                       },
                       &body) == 0;
  pthread_attr_destroy(&attributes);
  return isStarted && pthread_join(thread, nullptr) == 0;
}

/// The dialects are registered once; a context for each compilation is cheap.
static const DialectRegistry &getRegistry() {
  static const DialectRegistry registry = [] {
    DialectRegistry registry;
    mlir::embedding::registerAllDialects(registry);
    return registry;
  }();
  return registry;
}

Compilation::Compilation()
    : context(getRegistry(), MLIRContext::Threading::DISABLED),
      diagnostics(&context, [&](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error ||
            !error.empty())
          return success();
        if (auto place = dyn_cast<FileLineColLoc>(diagnostic.getLocation()))
          error = "line " + std::to_string(place.getLine()) + ", column " +
                  std::to_string(place.getColumn()) + ": ";
        error += diagnostic.str();
        return success();
      }) {}

FailureOr<mlir::embedding::CPUTarget> Compilation::getTarget(const char *cpu) {
  Location unknown = UnknownLoc::get(&context);
  FailureOr<mlir::embedding::CPUTarget> target =
      mlir::embedding::CPUTarget::get(unknown, cpu ? cpu : "");
  if (failed(target))
    return failure();
  if (std::optional<std::string> missing = target->findFeatureMissingHere())
    return emitError(unknown) << "this machine cannot run code for CPU '" << cpu
                              << "': it has no " << *missing;
  return target;
}

void ::embedding::runtime::compileTo(
    const CompilerOutput &output,
    llvm::function_ref<LogicalResult(Compilation &, SmallVectorImpl<char> &,
                                     std::vector<ModuleCode::Function> &)>
        compile) {
  bool isRun = runOnLargeStack([&] {
    Compilation compilation;
    mlir::embedding::ObjectFile object, linked;
    ModuleCode code;
    if (failed(compile(compilation, object, code.functions)) ||
        failed(mlir::embedding::linkToHost(
            UnknownLoc::get(&compilation.getContext()), object, linked)))
      return output.setError(output.context, compilation.getError());
    code.object.assign(linked.data(), linked.size());
    std::string bytes = code.write();
    output.setCode(output.context, bytes.data(), bytes.size());
  });
  if (!isRun)
    output.setError(output.context, "cannot start a thread");
}
