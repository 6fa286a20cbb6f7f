//===- CPU.h - Machine code for a CPU ---------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TARGET_CPU_H
#define EMBEDDING_TARGET_CPU_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include <memory>
#include <optional>
#include <string>

namespace llvm {
class TargetMachine;
} // namespace llvm

namespace mlir::embedding {

/// A CPU to generate code for. Not thread-safe; make one per compilation.
class CPUTarget {
public:
  /// The CPU that LLVM calls `cpu`, such as `x86-64-v3` or `znver4`, or the one
  /// of this machine with all its features if `cpu` is `native` or empty. Emits
  /// an error at `loc` if LLVM knows no such CPU for this architecture.
  static FailureOr<CPUTarget> get(Location loc, StringRef cpu);

  CPUTarget(CPUTarget &&) noexcept;
  CPUTarget &operator=(CPUTarget &&) noexcept;
  ~CPUTarget();

  /// Bytes of the widest vector register: what `vector-bytes` should be.
  int64_t getVectorBytes() const;

  /// LLVM's name of an instruction set that code for this CPU may use and the
  /// machine that this runs on does not have, if there is one.
  std::optional<std::string> findFeatureMissingHere() const;

  /// The level of x86-64, 1 to 4, that has the vectors that code for this CPU
  /// may use; 0 on other architectures.
  unsigned getX86Level() const;

  /// Whether it is one of Intel's, by its name. A level of x86-64 is nobody's.
  bool isIntel() const;

  enum class Output { object, assembly, llvmIR };

  /// Optimizes a module of the LLVM dialect at `optLevel` (0 to 3) and appends
  /// the result to `output`. Objects are position-independent. Emits an error
  /// on failure.
  LogicalResult emit(ModuleOp module, unsigned optLevel, Output kind,
                     SmallVectorImpl<char> &output) const;

private:
  explicit CPUTarget(std::unique_ptr<llvm::TargetMachine> machine);

  std::unique_ptr<llvm::TargetMachine> machine;
};

} // namespace mlir::embedding

#endif // EMBEDDING_TARGET_CPU_H
