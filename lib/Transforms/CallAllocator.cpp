//===- CallAllocator.cpp - Memory from the caller -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Utils/Results.h"
#include "embedding/Target/CostModel.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Analysis/DataLayoutAnalysis.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGCALLALLOCATORPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// Whether `op` takes so much stack that there may be none, or may take it.
static bool mayExhaustStack(memref::AllocaOp op, const DataLayout &layout) {
  MemRefType type = op.getType();
  if (!type.hasStaticShape())
    return true;
  int64_t bytes = layout.getTypeSize(type.getElementType());
  for (int64_t size : type.getShape())
    if (llvm::MulOverflow(bytes, size, bytes) || bytes > cost::kMaxStackBytes)
      return !llvm::is_contained(type.getShape(), 0);
  return false;
}

/// Whether the caller can give memory of `type`.
static bool isOfCaller(BaseMemRefType type) {
  auto memref = dyn_cast<MemRefType>(type);
  return memref && !memref.getMemorySpace() && memref.getLayout().isIdentity();
}

namespace {

/// The functions that allocate, and for what.
struct Callees {
  LLVM::LLVMFuncOp allocate, allocateResult;
  DenseMap<Operation *, int64_t> results;
};

template <typename OpTy> struct CallAllocate : ConvertOpToLLVMPattern<OpTy> {
  CallAllocate(const LLVMTypeConverter &converter, const Callees &callees)
      : ConvertOpToLLVMPattern<OpTy>(converter), callees(callees) {}

  LogicalResult
  matchAndRewrite(OpTy op, typename OpTy::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    MemRefType type = op.getType();
    SmallVector<Value> sizes, strides;
    Value numElements;
    this->getMemRefDescriptorSizes(loc, type, adaptor.getDynamicSizes(),
                                   rewriter, sizes, strides, numElements,
                                   /*sizeInBytes=*/false);
    Type index = this->getIndexType();
    auto constant = [&](int64_t value) {
      return this->createIndexAttrConstant(rewriter, loc, index, value);
    };
    Value array;
    {
      // Where it takes stack once, whatever loop the allocation is in.
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(
          &op->template getParentOfType<FunctionOpInterface>()
               .getFunctionBody()
               .front());
      array = LLVM::AllocaOp::create(
          rewriter, loc, this->getPtrType(), index,
          constant(std::max<int64_t>(type.getRank(), 1)));
    }
    for (auto [dim, size] : llvm::enumerate(sizes)) {
      Value slot = LLVM::GEPOp::create(
          rewriter, loc, this->getPtrType(), index, array,
          ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(dim)});
      LLVM::StoreOp::create(rewriter, loc, size, slot);
    }
    SmallVector<Value> arguments = {
        this->getSizeInBytes(loc, type.getElementType(), rewriter),
        constant(getAlignment(op)), constant(type.getRank()), array};
    LLVM::LLVMFuncOp callee = callees.allocate;
    if (auto result = callees.results.find(op);
        result != callees.results.end()) {
      callee = callees.allocateResult;
      arguments.insert(arguments.begin(), constant(result->second));
    }
    Value memory =
        LLVM::CallOp::create(rewriter, loc, callee, arguments).getResult();
    rewriter.replaceOp(
        op, Value(this->createMemRefDescriptor(loc, type, memory, memory, sizes,
                                               strides, rewriter)));
    return success();
  }

private:
  static int64_t getAlignment(OpTy op) {
    if constexpr (std::is_same_v<OpTy, gpu::AllocOp>)
      return 1;
    else
      return op.getAlignment().value_or(1);
  }

  const Callees &callees;
};

template <typename OpTy> struct CallDeallocate : ConvertOpToLLVMPattern<OpTy> {
  CallDeallocate(const LLVMTypeConverter &converter, LLVM::LLVMFuncOp callee)
      : ConvertOpToLLVMPattern<OpTy>(converter), callee(callee) {}

  LogicalResult
  matchAndRewrite(OpTy op, typename OpTy::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    MemRefDescriptor descriptor(adaptor.getMemref());
    LLVM::CallOp::create(rewriter, op.getLoc(), callee,
                         descriptor.allocatedPtr(rewriter, op.getLoc()));
    rewriter.eraseOp(op);
    return success();
  }

private:
  LLVM::LLVMFuncOp callee;
};

struct EmbeddingCallAllocator
    : embedding::impl::EmbeddingCallAllocatorPassBase<EmbeddingCallAllocator> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    const DataLayout &layout =
        getAnalysis<DataLayoutAnalysis>().getAtOrAbove(module);
    auto isToCall = [&](Operation *op) -> bool {
      if (auto alloca = dyn_cast<memref::AllocaOp>(op))
        return isOfCaller(alloca.getType()) && mayExhaustStack(alloca, layout);
      if (isa<memref::AllocOp, gpu::AllocOp>(op))
        return isOfCaller(cast<MemRefType>(op->getResultTypes()[0]));
      // A gpu.dealloc names what it waits for first.
      if (isa<memref::DeallocOp, gpu::DeallocOp>(op))
        return isOfCaller(
            cast<BaseMemRefType>(op->getOperands().back().getType()));
      return false;
    };
    bool isFound = false;
    Callees callees;
    module.walk([&](Operation *op) {
      if (!isToCall(op))
        return;
      isFound = true;
      if (isa<memref::AllocOp, gpu::AllocOp>(op))
        if (std::optional<int64_t> number = getResultNumber(op))
          callees.results[op] = *number;
    });
    if (!isFound)
      return;

    OpBuilder builder(&getContext());
    Type pointer = LLVM::LLVMPointerType::get(&getContext());
    Type i64 = builder.getI64Type();
    auto declare = [&](StringRef name, ArrayRef<Type> arguments,
                       LLVM::LLVMFuncOp &function) {
      FailureOr<LLVM::LLVMFuncOp> declared =
          LLVM::lookupOrCreateFn(builder, module, name, arguments, pointer);
      if (failed(declared))
        return failure();
      function = *declared;
      // As of malloc's result.
      function.setResultAttr(0, LLVM::LLVMDialect::getNoAliasAttrName(),
                             builder.getUnitAttr());
      return success();
    };
    FailureOr<LLVM::LLVMFuncOp> deallocate =
        LLVM::lookupOrCreateFn(builder, module, kDeallocateFunction, {pointer},
                               LLVM::LLVMVoidType::get(&getContext()));
    if (failed(deallocate) ||
        failed(declare(kAllocateFunction, {i64, i64, i64, pointer},
                       callees.allocate)))
      return signalPassFailure();
    if (!callees.results.empty() &&
        failed(declare(kAllocateResultFunction, {i64, i64, i64, i64, pointer},
                       callees.allocateResult)))
      return signalPassFailure();

    LLVMTypeConverter converter(&getContext());
    RewritePatternSet patterns(&getContext());
    patterns.add<CallAllocate<memref::AllocOp>, CallAllocate<memref::AllocaOp>,
                 CallAllocate<gpu::AllocOp>>(converter, callees);
    patterns
        .add<CallDeallocate<memref::DeallocOp>, CallDeallocate<gpu::DeallocOp>>(
            converter, *deallocate);
    ConversionTarget target(getContext());
    target.markUnknownOpDynamicallyLegal(
        [&](Operation *op) -> std::optional<bool> { return !isToCall(op); });
    if (failed(applyPartialConversion(module, target, std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
