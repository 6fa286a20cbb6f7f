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

/// Does nothing if there is no thread to be had.
static void runOnLargeStack(llvm::function_ref<void()> body) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0)
    return;
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
  if (isStarted)
    pthread_join(thread, nullptr);
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
          return mlir::success();
        // What is inlined has its caller's place too.
        if (auto place =
                diagnostic.getLocation()->findInstanceOf<FileLineColLoc>())
          error = "line " + std::to_string(place.getLine()) + ", column " +
                  std::to_string(place.getColumn()) + ": ";
        error += diagnostic.str();
        return mlir::success();
      }) {}

FailureOr<mlir::embedding::CPUTarget> Compilation::getTarget(StringRef cpu) {
  Location unknown = UnknownLoc::get(&context);
  FailureOr<mlir::embedding::CPUTarget> target =
      mlir::embedding::CPUTarget::get(unknown, cpu);
  if (failed(target))
    return failure();
  if (std::optional<std::string> missing = target->findFeatureMissingHere())
    return emitError(unknown) << "this machine cannot run code for CPU '" << cpu
                              << "': it has no " << *missing;
  return target;
}

namespace embedding::runtime {

void prepareCompilation() { (void)Compilation().getTarget(""); }

Result<std::string> compileAndLink(
    llvm::function_ref<LogicalResult(Compilation &, SmallVectorImpl<char> &,
                                     std::vector<ModuleCode::Function> &)>
        compile) {
  Result<std::string> made =
      Failure{EMBEDDING_COMPILER_ERROR, "cannot start a thread"};
  runOnLargeStack([&] {
    Compilation compilation;
    mlir::embedding::ObjectFile object, linked;
    ModuleCode code;
    if (failed(compile(compilation, object, code.functions)) ||
        failed(mlir::embedding::linkToHost(
            UnknownLoc::get(&compilation.getContext()), object, linked))) {
      made.failure().message = compilation.getError();
      return;
    }
    code.object.assign(linked.data(), linked.size());
    made = code.write();
  });
  return made;
}

} // namespace embedding::runtime
