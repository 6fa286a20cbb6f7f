//===- CallParallelFor.cpp - Outlined loops run on the caller's threads ---===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGCALLPARALLELFORPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// What an outlined loop is called with, apart from the range.
static LLVM::LLVMStructType getContextType(LLVM::LLVMFuncOp body) {
  ArrayRef<Type> types = body.getArgumentTypes();
  return LLVM::LLVMStructType::getLiteral(body.getContext(),
                                          types.drop_front(2));
}

static Value getField(ImplicitLocOpBuilder &b, LLVM::LLVMStructType type,
                      Value context, int32_t field) {
  return LLVM::GEPOp::create(b, context.getType(), type, context,
                             ArrayRef<LLVM::GEPArg>{0, field});
}

/// A function of (context, begin, end) that calls `body` with what the context
/// holds.
static LLVM::LLVMFuncOp createRangeFunction(LLVM::LLVMFuncOp body) {
  // At once, or LLVM would optimize it twice: before it is inlined and after.
  body.setAlwaysInline(true);
  ImplicitLocOpBuilder b(body.getLoc(), body);
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type i64 = b.getI64Type();
  auto function = LLVM::LLVMFuncOp::create(
      b, (body.getName() + "_range").str(),
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                  {pointer, i64, i64}),
      LLVM::Linkage::Internal);
  b.setInsertionPointToStart(function.addEntryBlock(b));
  LLVM::LLVMStructType type = getContextType(body);
  SmallVector<Value> arguments = {function.getArgument(1),
                                  function.getArgument(2)};
  for (auto [field, fieldType] : llvm::enumerate(type.getBody()))
    arguments.push_back(LLVM::LoadOp::create(
        b, fieldType, getField(b, type, function.getArgument(0), field)));
  LLVM::CallOp::create(b, body, arguments);
  LLVM::ReturnOp::create(b, ValueRange());
  return function;
}

/// Calls `callee(size, range, context)` in place of `call`.
static void replaceCall(LLVM::CallOp call, LLVM::LLVMFuncOp range,
                        LLVM::LLVMStructType type, LLVM::LLVMFuncOp callee) {
  ImplicitLocOpBuilder b(call.getLoc(), call);
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value context;
  {
    // Where it takes stack once, whatever loop the call is in.
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(
        &call->getParentOfType<LLVM::LLVMFuncOp>().getBody().front());
    Value one = LLVM::ConstantOp::create(b, b.getI64Type(), 1);
    context = LLVM::AllocaOp::create(b, pointer, type, one);
  }
  for (auto [field, value] :
       llvm::enumerate(call.getArgOperands().drop_front(2)))
    LLVM::StoreOp::create(b, value, getField(b, type, context, field));
  Value address = LLVM::AddressOfOp::create(b, range);
  LLVM::CallOp::create(b, callee,
                       ValueRange{call.getArgOperands()[1], address, context});
  call.erase();
}

namespace {

struct EmbeddingCallParallelFor
    : embedding::impl::EmbeddingCallParallelForPassBase<
          EmbeddingCallParallelFor> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<LLVM::LLVMFuncOp> bodies;
    for (auto function : module.getOps<LLVM::LLVMFuncOp>())
      if (function->hasAttr(kParallelBodyAttrName))
        bodies.push_back(function);
    if (bodies.empty())
      return;

    OpBuilder builder(&getContext());
    Type pointer = LLVM::LLVMPointerType::get(&getContext());
    FailureOr<LLVM::LLVMFuncOp> callee =
        LLVM::lookupOrCreateFn(builder, module, kParallelForFunction,
                               {builder.getI64Type(), pointer, pointer},
                               LLVM::LLVMVoidType::get(&getContext()));
    if (failed(callee))
      return signalPassFailure();
    for (LLVM::LLVMFuncOp body : bodies) {
      body->removeAttr(kParallelBodyAttrName);
      SmallVector<LLVM::CallOp> calls;
      module.walk([&](LLVM::CallOp call) {
        if (call.getCallee() == body.getName())
          calls.push_back(call);
      });
      LLVM::LLVMFuncOp range = createRangeFunction(body);
      for (LLVM::CallOp call : calls)
        replaceCall(call, range, getContextType(body), *callee);
    }
  }
};

} // namespace
