//===- KernelBuilder.cpp - Kernels and their launches ---------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "embedding/Conversion/Passes.h"

#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::embedding;

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

KernelBuilder::KernelBuilder(LoopBuilder &host, gpu::GPUFuncOp function)
    : LoopBuilder(host.getLoc(), host), host(host), function(function) {
  setInsertionPoint(function.getBody().front().getTerminator());
  thread = gpu::ThreadIdOp::create(*this, gpu::Dimension::x);
  block = gpu::BlockIdOp::create(*this, gpu::Dimension::x);
}

Value KernelBuilder::addArgument(Value hostValue, Type type,
                                 ArrayRef<NamedAttribute> attributes) {
  unsigned position = function.getNumArguments();
  (void)function.insertArgument(position, type, getDictionaryAttr(attributes),
                                getLoc());
  operands.push_back(hostValue);
  return function.getArgument(position);
}

Value KernelBuilder::use(Value value) {
  Value &known = scalars[value];
  if (known)
    return known;
  Attribute constant;
  if (!matchPattern(value, m_Constant(&constant)))
    return known = addArgument(value, value.getType(), {});
  InsertionGuard guard(*this);
  setInsertionPointToStart(&function.getBody().front());
  return known = arith::ConstantOp::create(*this, cast<TypedAttr>(constant));
}

Buffer KernelBuilder::use(Value memref, Access access) {
  auto found = buffers.find(memref);
  if (found != buffers.end())
    return found->second;

  auto type = cast<MemRefType>(memref.getType());
  Type element = type.getElementType();
  auto metadata = memref::ExtractStridedMetadataOp::create(host, memref);
  auto [staticStrides, staticOffset] = type.getStridesAndOffset();
  InsertionGuard guard(*this);
  setInsertionPointToStart(&function.getBody().front());
  auto useSize = [&](int64_t known, Value dynamic) {
    return ShapedType::isStatic(known) ? index(known) : use(dynamic);
  };
  // A pointer alone, of which LLVM sees that nothing else leads to what is read
  // through it: such loads take the path of read-only data.
  SmallVector<NamedAttribute> attributes = {
      getNamedAttr(LLVM::LLVMDialect::getNoAliasAttrName(), getUnitAttr())};
  if (access == Access::read)
    attributes.push_back(
        getNamedAttr(LLVM::LLVMDialect::getReadonlyAttrName(), getUnitAttr()));
  Value pointer = addArgument(metadata.getBaseBuffer(),
                              MemRefType::get({}, element), attributes);
  Buffer buffer;
  buffer.isDense = type.getLayout().isIdentity();
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    // Positions in dense memrefs need no sizes.
    if (!buffer.isDense)
      buffer.sizes.push_back(
          useSize(type.getDimSize(dim), metadata.getSizes()[dim]));
    buffer.strides.push_back(
        useSize(staticStrides[dim], metadata.getStrides()[dim]));
  }
  auto layout = StridedLayoutAttr::get(
      getContext(), staticOffset == 0 ? 0 : ShapedType::kDynamic, {1});
  OpFoldResult offset = getIndexAttr(0);
  if (staticOffset != 0)
    offset = useSize(staticOffset, metadata.getOffset());
  // Nobody asks for the size.
  buffer.elements = memref::ReinterpretCastOp::create(
      *this, MemRefType::get({ShapedType::kDynamic}, element, layout), pointer,
      offset, ArrayRef<OpFoldResult>{index(1)},
      ArrayRef<OpFoldResult>{getIndexAttr(1)});
  return buffers[memref] = buffer;
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

/// The module of all kernels, at the start of `module`.
static gpu::GPUModuleOp getKernelModule(ModuleOp module) {
  if (auto found = module.lookupSymbol<gpu::GPUModuleOp>(kKernelModuleName))
    return found;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto kernels = gpu::GPUModuleOp::create(builder, module.getLoc(),
                                          kKernelModuleName.str());
  module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                  builder.getUnitAttr());
  // Without it LLVM takes an i64 to be aligned to 4 bytes, and loads its
  // halves.
  auto i64Alignment = DataLayoutEntryAttr::get(
      builder.getI64Type(),
      DenseIntElementsAttr::get(VectorType::get({2}, builder.getI64Type()),
                                ArrayRef<int64_t>{64, 64}));
  kernels->setAttr(
      DLTIDialect::kDataLayoutAttrName,
      DataLayoutSpecAttr::get(builder.getContext(), {i64Alignment}));
  return kernels;
}

void embedding::launchKernel(LoopBuilder &host, StringRef name,
                             Value blockCount,
                             llvm::function_ref<void(KernelBuilder &)> body) {
  Operation *parent = host.getInsertionBlock()->getParentOp();
  auto module = parent->getParentOfType<ModuleOp>();
  gpu::GPUModuleOp kernels = getKernelModule(module);
  std::string unique = name.str();
  for (unsigned number = 1; kernels.lookupSymbol(unique); ++number)
    unique = (name + "_" + Twine(number)).str();

  gpu::GPUFuncOp function;
  {
    OpBuilder::InsertionGuard guard(host);
    host.setInsertionPointToEnd(kernels.getBody());
    function =
        gpu::GPUFuncOp::create(host, unique, host.getFunctionType({}, {}));
    function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                      host.getUnitAttr());
    function.setKnownBlockSize(ArrayRef<int32_t>{kBlockThreads, 1, 1});
    host.setInsertionPointToEnd(&function.getBody().front());
    gpu::ReturnOp::create(host);
  }
  host.ifTrue(host.less(host.index(0), blockCount), [&] {
    KernelBuilder kernel(host, function);
    body(kernel);
    gpu::KernelDim3 grid{blockCount, host.index(1), host.index(1)};
    gpu::KernelDim3 threads{host.index(kBlockThreads), host.index(1),
                            host.index(1)};
    gpu::LaunchFuncOp::create(host, function, grid, threads,
                              /*dynamicSharedMemorySize=*/Value(),
                              kernel.operands);
  });
}
