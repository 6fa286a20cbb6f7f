//===- EmbeddingToFunc.cpp - Reports become calls -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Conversion/Passes.h"
#include "embedding/IR/Embedding.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Utils/Utils.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_CONVERTEMBEDDINGTOFUNCPASS
#include "embedding/Conversion/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

namespace {

struct ConvertEmbeddingToFunc
    : embedding::impl::ConvertEmbeddingToFuncPassBase<ConvertEmbeddingToFunc> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<ReportOutOfRangeOp> reports;
    module.walk([&](ReportOutOfRangeOp op) { reports.push_back(op); });
    if (reports.empty())
      return;

    Type i64 = IntegerType::get(&getContext(), 64);
    auto type = FunctionType::get(&getContext(), {i64, i64, i64}, {});
    OpBuilder builder(&getContext());
    FailureOr<func::FuncOp> callee =
        func::lookupFnDecl(module, kReportOutOfRangeFunction, type);
    if (failed(callee))
      return signalPassFailure();
    if (!*callee)
      callee = func::createFnDecl(builder, module, kReportOutOfRangeFunction,
                                  type, /*setPrivate=*/true);

    for (ReportOutOfRangeOp op : reports) {
      builder.setInsertionPoint(op);
      func::CallOp::create(builder, op.getLoc(), *callee, op->getOperands());
      op.erase();
    }
  }
};

} // namespace
