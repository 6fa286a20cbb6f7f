//===- CallReportAssertion.cpp - Assertions end a call --------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Utils/Text.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGCALLREPORTASSERTIONPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

namespace {

struct EmbeddingCallReportAssertion
    : embedding::impl::EmbeddingCallReportAssertionPassBase<
          EmbeddingCallReportAssertion> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<cf::AssertOp> assertions;
    module.walk([&](cf::AssertOp op) { assertions.push_back(op); });
    if (assertions.empty())
      return;
    OpBuilder builder(&getContext());
    FailureOr<LLVM::LLVMFuncOp> callee =
        LLVM::lookupOrCreateFn(builder, module, kReportAssertionFunction,
                               LLVM::LLVMPointerType::get(&getContext()),
                               LLVM::LLVMVoidType::get(&getContext()));
    if (failed(callee))
      return signalPassFailure();
    Texts texts(module, "embedding_assertion");
    for (cf::AssertOp op : assertions) {
      ImplicitLocOpBuilder b(op.getLoc(), op);
      Value isFalse = arith::XOrIOp::create(
          b, op.getArg(), arith::ConstantIntOp::create(b, 1, 1));
      auto ifOp = scf::IfOp::create(b, isFalse, /*withElseRegion=*/false);
      b.setInsertionPointToStart(ifOp.thenBlock());
      Value text = LLVM::AddressOfOp::create(b, texts.get(op.getMsg()));
      LLVM::CallOp::create(b, *callee, text);
      op.erase();
    }
  }
};

} // namespace
