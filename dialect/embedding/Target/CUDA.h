//===- CUDA.h - NVIDIA GPUs to generate code for ----------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TARGET_CUDA_H
#define EMBEDDING_TARGET_CUDA_H

#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"

#include <string>

namespace mlir::embedding {

/// LLVM's features for `chip`, such as `sm_90`: the version of PTX that the
/// first release of CUDA for it reads, or the one that the kernels need, if
/// that is later. Emits an error at `loc` for a chip before sm_80, and for what
/// is no chip: LLVM would end the process.
FailureOr<std::string> getPTXFeatures(Location loc, StringRef chip);

} // namespace mlir::embedding

#endif // EMBEDDING_TARGET_CUDA_H
