//===- VerifyLowered.cpp - Check that nothing is left to lower ------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include "llvm/ADT/StringSet.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_VERIFYLOWEREDPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// Whether LLVM IR can be made of `op`.
static bool isLowered(Operation *op) {
  StringRef dialect = op->getName().getDialectNamespace();
  return isa<ModuleOp, gpu::BinaryOp, gpu::LaunchFuncOp>(op) ||
         dialect == "llvm" || dialect == "omp";
}

/// Why no conversion took `op`, as far as it shows.
static std::string getReason(Operation *op) {
  if (!op->isRegistered())
    return "no dialect here has it";
  if (auto cast = dyn_cast<UnrealizedConversionCastOp>(op)) {
    std::string types;
    llvm::raw_string_ostream(types)
        << cast.getOperandTypes() << " to " << cast.getResultTypes();
    return "nothing converts " + types;
  }
  auto hasType = [op](auto isOne) {
    return llvm::any_of(op->getOperandTypes(), isOne) ||
           llvm::any_of(op->getResultTypes(), isOne);
  };
  if (hasType([](Type type) { return isa<TensorType>(type); }))
    return "it is on tensors";
  if (hasType([](Type type) { return isa<UnrankedMemRefType>(type); }))
    return "it is on memrefs of unknown rank";
  return "no conversion to the LLVM dialect takes it";
}

namespace {

struct VerifyLowered : embedding::impl::VerifyLoweredPassBase<VerifyLowered> {
  void runOnOperation() override {
    SmallVector<Operation *> left, casts;
    getOperation()->walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op->getName().getDialectNamespace() == "transform")
        return WalkResult::skip();
      if (isa<UnrealizedConversionCastOp>(op))
        casts.push_back(op);
      else if (!isLowered(op))
        left.push_back(op);
      return WalkResult::advance();
    });
    // Casts stand where lowered operations meet others: they are the reason
    // only if there is no other.
    llvm::StringSet<> reported;
    for (Operation *op : left.empty() ? casts : left)
      if (reported.insert(op->getName().getStringRef()).second)
        op->emitOpError("is left by the pipeline: ") << getReason(op);
    if (!reported.empty())
      signalPassFailure();
  }
};

} // namespace
