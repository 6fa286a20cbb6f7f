//===- AttachNVVMTarget.cpp - NVIDIA GPUs to generate code for ------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_ATTACHNVVMTARGETPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;

/// LLVM's features for `chip`, such as `sm_90`: the version of PTX that the
/// first release of CUDA for it reads, or 8.0, if that is later. Emits an error
/// at `loc` for a chip before sm_80, and for what is no chip: LLVM would end
/// the process.
static FailureOr<std::string> getPTXFeatures(Location loc, StringRef chip) {
  struct Generation {
    StringLiteral chip;
    StringLiteral features;
  };
  // PTX 8.0 comes with CUDA 12.0, 8.6 with 12.7, 8.7 with 12.8,
  // 8.8 with 12.9.
  static constexpr Generation kGenerations[] = {
      {"sm_80", "+ptx80"},  {"sm_86", "+ptx80"},   {"sm_87", "+ptx80"},
      {"sm_89", "+ptx80"},  {"sm_90", "+ptx80"},   {"sm_90a", "+ptx80"},
      {"sm_100", "+ptx86"}, {"sm_100a", "+ptx86"}, {"sm_103", "+ptx88"},
      {"sm_120", "+ptx87"}, {"sm_120a", "+ptx87"}};
  for (const Generation &generation : kGenerations)
    if (generation.chip == chip)
      return generation.features.str();
  auto diagnostic = emitError(loc, "expected a chip from sm_80 on, one of");
  const char *separator = " ";
  for (const Generation &generation : kGenerations) {
    diagnostic << separator << generation.chip;
    separator = ", ";
  }
  diagnostic << ", but got '" << chip << "'";
  return failure();
}

namespace {

struct AttachNVVMTarget
    : embedding::impl::AttachNVVMTargetPassBase<AttachNVVMTarget> {
  using AttachNVVMTargetPassBase::AttachNVVMTargetPassBase;

  void runOnOperation() override {
    gpu::GPUModuleOp kernels = getOperation();
    FailureOr<std::string> known = getPTXFeatures(kernels.getLoc(), chip);
    if (failed(known))
      return signalPassFailure();
    OpBuilder builder(&getContext());
    auto target = NVVM::NVVMTargetAttr::get(
        &getContext(), optLevel, "nvptx64-nvidia-cuda", chip.getValue(),
        features.empty() ? *known : features.getValue());
    kernels.setTargetsAttr(builder.getArrayAttr(target));
  }
};

} // namespace
