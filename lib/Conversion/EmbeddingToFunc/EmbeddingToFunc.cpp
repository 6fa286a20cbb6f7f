//===- EmbeddingToFunc.cpp - Reports become calls -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../../Utils/Text.h"
#include "embedding/Conversion/Passes.h"
#include "embedding/IR/Embedding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_CONVERTEMBEDDINGTOFUNCPASS
#include "embedding/Conversion/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// The function `name`, which is declared if need be.
static FailureOr<func::FuncOp> getCallee(ModuleOp module, StringRef name,
                                         TypeRange arguments) {
  auto type = FunctionType::get(module.getContext(), arguments, {});
  FailureOr<func::FuncOp> callee = func::lookupFnDecl(module, name, type);
  if (failed(callee) || *callee)
    return callee;
  OpBuilder builder(module.getContext());
  return func::createFnDecl(builder, module, name, type, /*setPrivate=*/true);
}

static LogicalResult convertReports(ModuleOp module) {
  SmallVector<ReportOutOfRangeOp> reports;
  module.walk([&](ReportOutOfRangeOp op) { reports.push_back(op); });
  if (reports.empty())
    return success();
  Type i64 = IntegerType::get(module.getContext(), 64);
  FailureOr<func::FuncOp> callee =
      getCallee(module, kReportOutOfRangeFunction, {i64, i64, i64});
  if (failed(callee))
    return failure();
  OpBuilder builder(module.getContext());
  for (ReportOutOfRangeOp op : reports) {
    builder.setInsertionPoint(op);
    func::CallOp::create(builder, op.getLoc(), *callee, op->getOperands());
    op.erase();
  }
  return success();
}

static LogicalResult convertExpectations(ModuleOp module) {
  SmallVector<ExpectSizeOp> expectations;
  module.walk([&](ExpectSizeOp op) { expectations.push_back(op); });
  if (expectations.empty())
    return success();
  MLIRContext *context = module.getContext();
  Type i64 = IntegerType::get(context, 64);
  Type pointer = LLVM::LLVMPointerType::get(context);
  FailureOr<func::FuncOp> callee =
      getCallee(module, kReportMismatchFunction, {pointer, i64, i64});
  if (failed(callee))
    return failure();
  Texts texts(module, "embedding_expectation");
  for (ExpectSizeOp op : expectations) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    Value isOther = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                          op.getActual(), op.getExpected());
    auto ifOp = scf::IfOp::create(b, isOther, /*withElseRegion=*/false);
    b.setInsertionPointToStart(ifOp.thenBlock());
    Value what = LLVM::AddressOfOp::create(b, texts.get(op.getWhat()));
    Value expected = arith::IndexCastOp::create(b, i64, op.getExpected());
    Value actual = arith::IndexCastOp::create(b, i64, op.getActual());
    func::CallOp::create(b, *callee, ValueRange{what, expected, actual});
    op.erase();
  }
  return success();
}

namespace {

struct ConvertEmbeddingToFunc
    : embedding::impl::ConvertEmbeddingToFuncPassBase<ConvertEmbeddingToFunc> {
  void runOnOperation() override {
    if (failed(convertReports(getOperation())) ||
        failed(convertExpectations(getOperation())))
      signalPassFailure();
  }
};

} // namespace
