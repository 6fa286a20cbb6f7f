//===- Conversion.cpp - Conversions that leave nothing --------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Conversion.h"

#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;

namespace {

/// Remembers why patterns did not match, by location.
struct Reasons : RewriterBase::Listener {
  void notifyMatchFailure(Location loc,
                          function_ref<void(Diagnostic &)> addReason) override {
    Diagnostic reason(loc, DiagnosticSeverity::Note);
    addReason(reason);
    reasons[loc] = reason.str();
  }

  DenseMap<Location, std::string> reasons;
};

} // namespace

LogicalResult embedding::convert(Operation *root,
                                 MutableArrayRef<RewritePatternSet> sets,
                                 const ConversionTarget &target) {
  Reasons listener;
  for (RewritePatternSet &patterns : sets)
    walkAndApplyPatterns(root, std::move(patterns), &listener);
  auto result = root->walk([&](Operation *op) {
    if (!target.isIllegal(op))
      return WalkResult::advance();
    InFlightDiagnostic error = op->emitOpError("cannot be converted");
    auto reason = listener.reasons.find(op->getLoc());
    if (reason != listener.reasons.end())
      error << ": " << reason->second;
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}
