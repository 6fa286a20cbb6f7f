//===- KernelBuilder.cpp - Kernels and their launches ---------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "../../Utils/RowMath.h"
#include "embedding/Conversion/Passes.h"

#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
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
  if (found != buffers.end()) {
    assert(accesses[memref] == access && "a memref is read or written");
    return found->second;
  }
  accesses[memref] = access;

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

Value KernelBuilder::share(int64_t size, Type element) {
  auto space =
      gpu::AddressSpaceAttr::get(getContext(), gpu::AddressSpace::Workgroup);
  return function.addWorkgroupAttribution(
      MemRefType::get({size}, element, MemRefLayoutAttrInterface(), space),
      getLoc());
}

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

Value KernelBuilder::resize(Value integer, Type type) {
  Type from = integer.getType();
  if (from == type)
    return integer;
  if (from.isIndex() || type.isIndex())
    return arith::IndexCastUIOp::create(*this, type, integer);
  if (from.getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    return arith::ExtUIOp::create(*this, type, integer);
  return arith::TruncIOp::create(*this, type, integer);
}

/// `vector` with elements of `element`, a float type.
static Value convertElements(KernelBuilder &k, Value vector, Type element) {
  auto type = cast<VectorType>(vector.getType());
  Type to = type.clone(element);
  unsigned fromBits = type.getElementTypeBitWidth();
  unsigned toBits = element.getIntOrFloatBitWidth();
  if (fromBits < toBits)
    return arith::ExtFOp::create(k, to, vector);
  if (fromBits > toBits)
    return arith::TruncFOp::create(k, to, vector);
  return vector;
}

Value KernelBuilder::widen(Value vector) {
  Type element = cast<VectorType>(vector.getType()).getElementType();
  return convertElements(*this, vector, getAccumulatorType(element));
}

Value KernelBuilder::narrow(Value vector, Type element) {
  return convertElements(*this, vector, element);
}

Value KernelBuilder::scale(Value vector, Value scale) {
  auto type = cast<VectorType>(vector.getType());
  Value wide = widen(vector);
  Value factor = vector::BroadcastOp::create(
      *this, cast<VectorType>(wide.getType()), scale);
  return narrow(arith::MulFOp::create(*this, wide, factor),
                type.getElementType());
}

//===----------------------------------------------------------------------===//
// What threads do together
//===----------------------------------------------------------------------===//

void KernelBuilder::warpBarrier() { NVVM::SyncWarpOp::create(*this, i32(-1)); }

Value KernelBuilder::shuffle(Value value, Value by, gpu::ShuffleMode mode) {
  Type type = value.getType();
  auto shuffleWord = [&](Value word) -> Value {
    return gpu::ShuffleOp::create(*this, word, by, i32(kWarpThreads), mode)
        .getShuffleResult();
  };
  if (type.getIntOrFloatBitWidth() == 32)
    return shuffleWord(value);
  // Registers that are moved between threads have 32 bits.
  auto words = VectorType::get({2}, getI32Type());
  auto whole = VectorType::get({1}, type);
  Value bits = vector::BitCastOp::create(
      *this, words, vector::FromElementsOp::create(*this, whole, value));
  Value low = vector::ExtractOp::create(*this, bits, 0);
  Value high = vector::ExtractOp::create(*this, bits, 1);
  Value moved = vector::FromElementsOp::create(
      *this, words, ValueRange{shuffleWord(low), shuffleWord(high)});
  return vector::ExtractOp::create(
      *this, vector::BitCastOp::create(*this, whole, moved), 0);
}

Value KernelBuilder::shuffleXor(Value value, int64_t mask) {
  return shuffle(value, i32(mask), gpu::ShuffleMode::XOR);
}

Value KernelBuilder::shuffleUp(Value value, int64_t distance) {
  return shuffle(value, i32(distance), gpu::ShuffleMode::UP);
}

Value KernelBuilder::broadcast(Value value, Value lane) {
  return shuffle(value, lane, gpu::ShuffleMode::IDX);
}

Value KernelBuilder::ballot(Value condition) {
  return NVVM::VoteSyncOp::create(*this, getI32Type(), i32(-1), condition,
                                  NVVM::VoteSyncKind::ballot);
}

Value KernelBuilder::matchAny(Value value) {
  return NVVM::MatchSyncOp::create(*this, getI32Type(), i32(-1), value,
                                   NVVM::MatchSyncKind::any);
}

Value KernelBuilder::countBefore(Value threads) {
  Value before = NVVM::LaneMaskLtOp::create(*this, getI32Type());
  return count(bitAnd(threads, before));
}

Value KernelBuilder::count(Value threads) {
  return math::CtPopOp::create(*this, threads);
}

Value KernelBuilder::first(Value threads) {
  return math::CountTrailingZerosOp::create(*this, threads);
}

KernelBuilder::Scan KernelBuilder::scanBlock(Value value, Value scratch) {
  Value lane = bitAnd(thread, index(kWarpThreads - 1));
  Value warp = div(thread, index(kWarpThreads));
  Value upToHere = value;
  for (int64_t distance = 1; distance < kWarpThreads; distance *= 2) {
    Value sum = add(upToHere, shuffleUp(upToHere, distance));
    upToHere = select(less(lane, index(distance)), upToHere, sum);
  }
  ifTrue(equal(lane, index(kWarpThreads - 1)),
         [&] { store(upToHere, scratch, warp); });
  barrier();
  Value before = sub(upToHere, value), total = i64(0);
  for (int64_t i = 0; i < kBlockWarps; ++i) {
    Value sum = load(scratch, index(i));
    Value isBefore = less(index(i), warp);
    before = add(before, select(isBefore, sum, i64(0)));
    total = add(total, sum);
  }
  barrier();
  return {before, total};
}

void KernelBuilder::atomicAdd(Value value, Value memref, Value at) {
  memref::AtomicRMWOp::create(*this, arith::AtomicRMWKind::addi, value, memref,
                              at);
}

void KernelBuilder::atomicAnd(Value value, Value memref, Value at) {
  memref::AtomicRMWOp::create(*this, arith::AtomicRMWKind::andi, value, memref,
                              at);
}

Value KernelBuilder::atomicOr(Value value, Value memref, Value at) {
  return memref::AtomicRMWOp::create(*this, arith::AtomicRMWKind::ori, value,
                                     memref, at);
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
    function.setKnownBlockSize(
        ArrayRef<int32_t>{cost::gpu::kBlockThreads, 1, 1});
    host.setInsertionPointToEnd(&function.getBody().front());
    gpu::ReturnOp::create(host);
  }
  // No launch has a grid of size 0, and a branch around the launch would be a
  // region that upstream's asynchronous launches wait for: so one block is
  // launched that does nothing.
  KernelBuilder kernel(host, function);
  kernel.ifTrue(kernel.less(kernel.getBlock(), kernel.use(blockCount)),
                [&] { body(kernel); });
  Value one = host.index(1);
  gpu::KernelDim3 grid{host.max(blockCount, one), one, one};
  gpu::KernelDim3 threads{host.index(cost::gpu::kBlockThreads), one, one};
  gpu::LaunchFuncOp::create(host, function, grid, threads,
                            /*dynamicSharedMemorySize=*/Value(),
                            kernel.operands);
}

void embedding::launchForEach(
    LoopBuilder &host, StringRef name, Value size,
    llvm::function_ref<void(KernelBuilder &, Value)> body) {
  launchKernel(
      host, name, host.divUp(size, host.index(cost::gpu::kBlockThreads)),
      [&](KernelBuilder &k) {
        Value i = k.add(k.mul(k.getBlock(), k.index(cost::gpu::kBlockThreads)),
                        k.getThread());
        k.ifTrue(k.less(i, k.use(size)), [&] { body(k, i); });
      });
}

Value embedding::allocateBuffer(LoopBuilder &host, Type element, Value size) {
  return host.allocate(MemRefType::get({ShapedType::kDynamic}, element),
                       host.max(size, host.index(1)));
}
