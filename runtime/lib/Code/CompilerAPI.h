//===- CompilerAPI.h - Between the runtime and its compiler -----*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What libembedding-compiler exports. The runtime loads that library when it
// must compile, and only then: libMLIR and libLLVM take longer to load than a
// cached kernel takes to run.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CODE_COMPILERAPI_H
#define EMBEDDING_RUNTIME_LIB_CODE_COMPILERAPI_H

#include "Code/KernelSpec.h"

#include <string_view>
#include <vector>

namespace embedding::runtime {

struct CompilerOutput {
  void *context;
  /// Take what ModuleCode::write has made, or the reason why there is none.
  void (*setCode)(void *context, const char *bytes, size_t size);
  void (*setError)(void *context, const char *message);
};

/// Compiles the kernel of `spec` for `cpu`, null for the one of this machine.
using CompileKernel = void (*)(const KernelSpec *spec, const char *cpu,
                               const CompilerOutput *output);
inline constexpr char kCompileKernelName[] = "embedding_compile_kernel";

/// What functions of IR are compiled for, by compileInProcess.
struct ModuleTarget {
  /// As of CompileKernel.
  const char *cpu;
  /// The GPU, such as 90 for sm_90; 0 is the CPU.
  int32_t chip;
  bool isNaive;
  bool atomicGradients;
  bool assumesSizes;
  /// At most cost::kManyThreads.
  int32_t numThreads;
  /// If not empty, `describeRowLengths` of the one function that is wanted.
  std::string rowLengths;

  /// The target as one line, its part of the key of a cached module: all but
  /// the CPU, which the engine describes.
  std::string str() const {
    return "module " + std::to_string(chip) + (isNaive ? " naive" : "") +
           (atomicGradients ? " atomic" : "") +
           (assumesSizes ? " assumed" : "") + " threads " +
           std::to_string(numThreads) +
           (rowLengths.empty() ? "" : " rows " + rowLengths);
  }
};

/// Names a function whose arguments that are rows have rows of `lengths`, in
/// the order of ModuleCode::Function::rowArguments.
inline std::string describeRowLengths(std::string_view function,
                                      const std::vector<int64_t> &lengths) {
  std::string text = std::to_string(lengths.size());
  for (int64_t length : lengths)
    text += " " + std::to_string(length);
  return text + " " + std::string(function);
}

/// Names the sources of the compiler and its LLVM: the library must have been
/// built from the same as the runtime, whose cache it fills.
using CompilerFingerprint = const char *(*)();
inline constexpr char kCompilerFingerprintName[] =
    "embedding_compiler_fingerprint";

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CODE_COMPILERAPI_H
