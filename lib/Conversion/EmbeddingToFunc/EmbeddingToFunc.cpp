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

FunctionType embedding::getReportType(MLIRContext *context) {
  Type pointer = LLVM::LLVMPointerType::get(context);
  Type i64 = IntegerType::get(context, 64);
  return FunctionType::get(context, {pointer, i64, i64, i64, i64}, {});
}

namespace {

/// What is told if `actual` is not `expected`.
struct Report {
  Value actual, expected;
  std::array<Value, 4> numbers;
};

} // namespace

static Report getReport(ReportOutOfRangeOp op, ImplicitLocOpBuilder &b) {
  return {op.getCount(),
          arith::ConstantIntOp::create(b, 0, 64),
          {op.getPosition(), op.getIndex(), op.getCount(), op.getNumRows()}};
}

static Report getReport(ExpectSizeOp op, ImplicitLocOpBuilder &b) {
  Value offset = op.getOffset(), whole = op.getWhole();
  if (!whole)
    offset = whole = arith::ConstantIntOp::create(b, -1, 64);
  return {op.getActual(),
          op.getExpected(),
          {op.getExpected(), op.getActual(), offset, whole}};
}

/// Makes operations of a kind calls of `name`, which is declared if need be.
template <typename OpTy>
static LogicalResult convert(ModuleOp module, StringRef name) {
  SmallVector<OpTy> ops;
  module.walk([&](OpTy op) { ops.push_back(op); });
  if (ops.empty())
    return success();
  FunctionType type = getReportType(module.getContext());
  FailureOr<func::FuncOp> callee = func::lookupFnDecl(module, name, type);
  if (failed(callee))
    return failure();
  if (!*callee) {
    OpBuilder builder(module.getContext());
    callee = func::createFnDecl(builder, module, name, type,
                                /*setPrivate=*/true);
  }
  Texts texts(module, "embedding_what");
  for (OpTy op : ops) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    Report report = getReport(op, b);
    Value isOther = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                          report.actual, report.expected);
    auto ifOp = scf::IfOp::create(b, isOther, /*withElseRegion=*/false);
    b.setInsertionPointToStart(ifOp.thenBlock());
    LLVM::GlobalOp what =
        texts.get(getLocationText(op.getLoc()) + op.getWhat().str());
    SmallVector<Value> arguments = {LLVM::AddressOfOp::create(b, what)};
    for (Value number : report.numbers) {
      if (number.getType().isIndex())
        number = arith::IndexCastOp::create(b, b.getI64Type(), number);
      arguments.push_back(number);
    }
    func::CallOp::create(b, *callee, arguments);
    op.erase();
  }
  return success();
}

namespace {

struct ConvertEmbeddingToFunc
    : embedding::impl::ConvertEmbeddingToFuncPassBase<ConvertEmbeddingToFunc> {
  void runOnOperation() override {
    if (failed(convert<ReportOutOfRangeOp>(getOperation(),
                                           kReportOutOfRangeFunction)) ||
        failed(convert<ExpectSizeOp>(getOperation(), kReportMismatchFunction)))
      signalPassFailure();
  }
};

} // namespace
