//===- CallLaunchKernel.cpp - Launches through the caller -----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGCALLLAUNCHKERNELPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// A constant of `bytes` and a zero behind them, in the module.
static LLVM::GlobalOp createConstant(ModuleOp module, const Twine &name,
                                     StringRef bytes) {
  auto builder = OpBuilder::atBlockBegin(module.getBody());
  std::string text = bytes.str();
  text.push_back('\0');
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), text.size());
  return LLVM::GlobalOp::create(builder, module.getLoc(), type,
                                /*isConstant=*/true, LLVM::Linkage::Internal,
                                name.str(), builder.getStringAttr(text),
                                /*alignment=*/8);
}

/// `value`, a kernel argument, as what is stored in an i64.
static Value getStorable(ImplicitLocOpBuilder &b, Value value) {
  if (isa<MemRefType>(value.getType()))
    value = memref::ExtractAlignedPointerAsIndexOp::create(b, value);
  if (value.getType().isIndex())
    return arith::IndexCastOp::create(b, b.getI64Type(), value);
  return value;
}

namespace {

/// The binary of a module of kernels, as the host code names it.
struct Image {
  LLVM::GlobalOp bytes;
  int64_t size;
};

struct EmbeddingCallLaunchKernel
    : embedding::impl::EmbeddingCallLaunchKernelPassBase<
          EmbeddingCallLaunchKernel> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (failed(collectImages(module)))
      return signalPassFailure();
    if (!images.empty()) {
      OpBuilder builder(&getContext());
      Type pointer = LLVM::LLVMPointerType::get(&getContext());
      Type i64 = builder.getI64Type();
      FailureOr<LLVM::LLVMFuncOp> found = LLVM::lookupOrCreateFn(
          builder, module, kLaunchKernelFunction,
          {pointer, i64, pointer, i64, i64, pointer, i64},
          LLVM::LLVMVoidType::get(&getContext()));
      if (failed(found))
        return signalPassFailure();
      callee = *found;
    }
    SmallVector<gpu::LaunchFuncOp> launches;
    module.walk([&](gpu::LaunchFuncOp op) { launches.push_back(op); });
    for (gpu::LaunchFuncOp launch : launches)
      if (failed(replaceLaunch(launch)))
        return signalPassFailure();
    module->removeAttr(gpu::GPUDialect::getContainerModuleAttrName());
  }

private:
  LogicalResult collectImages(ModuleOp module) {
    SmallVector<gpu::BinaryOp> binaries(module.getOps<gpu::BinaryOp>());
    for (gpu::BinaryOp binary : binaries) {
      if (binary.getObjects().size() != 1)
        return binary.emitError("expected one object, but got ")
               << binary.getObjects().size();
      auto object = cast<gpu::ObjectAttr>(binary.getObjects()[0]);
      StringRef bytes = object.getObject().getValue();
      LLVM::GlobalOp global =
          createConstant(module, binary.getName() + "_image", bytes);
      images[binary.getName()] = {global, static_cast<int64_t>(bytes.size())};
      binary.erase();
    }
    return success();
  }

  LogicalResult replaceLaunch(gpu::LaunchFuncOp launch) {
    auto image = images.find(launch.getKernelModuleName());
    if (image == images.end())
      return launch.emitError("expected the kernel to be in a gpu.binary");
    ImplicitLocOpBuilder b(launch.getLoc(), launch);
    Type pointer = LLVM::LLVMPointerType::get(b.getContext());
    Type i64 = b.getI64Type();
    auto constant = [&](int64_t value) -> Value {
      return LLVM::ConstantOp::create(b, i64, value);
    };
    Value arguments;
    {
      // Where it takes stack once, whatever loop the launch is in.
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(
          &launch->getParentOfType<func::FuncOp>().getBody().front());
      arguments = LLVM::AllocaOp::create(
          b, pointer, i64, constant(launch.getNumKernelOperands()));
    }
    for (auto [number, value] : llvm::enumerate(launch.getKernelOperands())) {
      Value slot =
          LLVM::GEPOp::create(b, pointer, i64, arguments,
                              ArrayRef<LLVM::GEPArg>{static_cast<int>(number)});
      LLVM::StoreOp::create(b, getStorable(b, value), slot);
    }
    Value bytes = LLVM::AddressOfOp::create(b, image->second.bytes);
    Value name = LLVM::AddressOfOp::create(b, getKernelNameOf(launch));
    Value blocks = arith::IndexCastOp::create(b, i64, launch.getGridSizeX());
    Value threads = arith::IndexCastOp::create(b, i64, launch.getBlockSizeX());
    LLVM::CallOp::create(b, callee,
                         ValueRange{bytes, constant(image->second.size), name,
                                    blocks, threads, arguments,
                                    constant(launch.getNumKernelOperands())});
    launch.erase();
    return success();
  }

  LLVM::GlobalOp getKernelNameOf(gpu::LaunchFuncOp launch) {
    StringRef kernel = launch.getKernelName();
    LLVM::GlobalOp &name = names[launch.getKernelAttr()];
    if (!name)
      name = createConstant(
          getOperation(),
          launch.getKernelModuleName().getValue() + "_" + kernel, kernel);
    return name;
  }

  llvm::StringMap<Image> images;
  DenseMap<Attribute, LLVM::GlobalOp> names;
  LLVM::LLVMFuncOp callee;
};

} // namespace
