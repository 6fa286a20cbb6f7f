//===- RowLanes.cpp - How the threads of a group share a row --------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowLanes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::embedding;

//===----------------------------------------------------------------------===//
// Addresses
//===----------------------------------------------------------------------===//

/// Elements before flat position `position` of the first `rank` dimensions.
static Value getOffset(KernelBuilder &k, const Buffer &buffer, unsigned rank,
                       Value position) {
  if (rank == 0)
    return k.index(0);
  // Without gaps all of them are one dimension.
  if (rank == 1 || buffer.isDense)
    return k.mul(position, buffer.strides[rank - 1]);
  Value offset = k.index(0), rest = position;
  for (unsigned dim = rank; dim-- > 0;) {
    Value coordinate = rest;
    if (dim > 0) {
      Value quotient = k.div(rest, buffer.sizes[dim]);
      coordinate = k.sub(rest, k.mul(quotient, buffer.sizes[dim]));
      rest = quotient;
    }
    offset = k.add(offset, k.mul(coordinate, buffer.strides[dim]));
  }
  return offset;
}

RowAddress embedding::getRow(KernelBuilder &k, const Buffer &buffer,
                             Value position) {
  return {buffer, getOffset(k, buffer, buffer.strides.size() - 1, position)};
}

Value embedding::loadFlat(KernelBuilder &k, const Buffer &buffer,
                          Value position) {
  return k.load(buffer.elements,
                getOffset(k, buffer, buffer.strides.size(), position));
}

void embedding::storeFlat(KernelBuilder &k, Value value, const Buffer &buffer,
                          Value position) {
  k.store(value, buffer.elements,
          getOffset(k, buffer, buffer.strides.size(), position));
}

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

/// The bytes that rows of `type` are aligned to, if its base is to those of the
/// widest lane.
static int64_t getRowAlignment(MemRefType type, int64_t elementBytes) {
  auto [strides, offset] = type.getStridesAndOffset();
  if (strides.back() != 1)
    return elementBytes;
  int64_t alignment = kMaxLaneBytes;
  auto restrict = [&](int64_t elements) {
    alignment = ShapedType::isStatic(elements)
                    ? std::gcd(alignment, elements * elementBytes)
                    : elementBytes;
  };
  restrict(offset);
  for (int64_t stride : ArrayRef(strides).drop_back())
    restrict(stride);
  return alignment;
}

RowLanes::RowLanes(LoopBuilder &host, ValueRange memrefs, int64_t alignment,
                   std::optional<int64_t> givenGroupThreads)
    : element(cast<MemRefType>(memrefs.back().getType()).getElementType()) {
  int64_t lastDim = cast<MemRefType>(memrefs.back().getType()).getRank() - 1;
  rowLength =
      embedding::getMixedSize(host, host.getLoc(), memrefs.back(), lastDim);
  ScheduleAttr schedule = host.getSchedule();
  lanesInFlight =
      std::min(schedule.getUnroll().value_or(cost::gpu::kLanesInFlight),
               cost::gpu::kMaxLanesInFlight);
  isStreamed = schedule.getStreaming() != Streaming::never;
  int64_t elementBytes = getElementBytes(element);
  int64_t bytes = std::min(alignment ? alignment : kMaxLaneBytes,
                           schedule.getVectorBytes().value_or(kMaxLaneBytes));
  bytes = std::min(bytes, kMaxLaneBytes);
  for (Value memref : memrefs) {
    auto type = cast<MemRefType>(memref.getType());
    if (!alignment)
      bytes = std::gcd(bytes, getRowAlignment(type, elementBytes));
    else if (type.getStridesAndOffset().first.back() != 1)
      bytes = elementBytes;
  }
  // A vector of elements that do not fill their bytes is laid out otherwise
  // than memory is.
  bool isVectorizable = element.getIntOrFloatBitWidth() == 8 * elementBytes &&
                        llvm::isPowerOf2_64(elementBytes);
  width = isVectorizable ? std::max<int64_t>(bytes / elementBytes, 1) : 1;
  groupThreads = kWarpThreads;
  if (auto length = getConstantIntValue(rowLength)) {
    if (*length < width)
      width =
          llvm::bit_floor(static_cast<uint64_t>(std::max<int64_t>(*length, 1)));
    int64_t lanes = std::max<int64_t>(llvm::divideCeil(*length, width), 1);
    groupThreads = std::min<int64_t>(
        llvm::bit_ceil(static_cast<uint64_t>(lanes)), kWarpThreads);
  }
  groupThreads = givenGroupThreads.value_or(groupThreads);
}

int64_t RowLanes::getRowsInFlight() const {
  auto length = getConstantIntValue(rowLength);
  if (!length)
    return 1;
  int64_t lanes = llvm::divideCeil(*length, width * groupThreads);
  return std::max<int64_t>(lanesInFlight / std::max<int64_t>(lanes, 1), 1);
}

Value RowLanes::getGroup(KernelBuilder &k) const {
  return k.div(k.getThread(), k.index(groupThreads));
}

Value RowLanes::getMember(KernelBuilder &k) const {
  return k.bitAnd(k.getThread(), k.index(groupThreads - 1));
}

Value RowLanes::isFirst(KernelBuilder &k) const {
  return k.equal(getMember(k), k.index(0));
}

void RowLanes::forEach(KernelBuilder &k, int64_t maxLanes,
                       llvm::function_ref<void(ArrayRef<Lane>)> body) const {
  Value member = getMember(k);
  Value first = k.mul(member, k.index(width));
  int64_t step = width * groupThreads;
  auto length = getConstantIntValue(rowLength);
  if (!length) {
    Value end = k.use(cast<Value>(rowLength));
    Value whole = k.bitAnd(end, k.index(-width));
    k.loop(first, whole, k.index(step),
           [&](Value column) { body(Lane{column, width, nullptr}); });
    if (width > 1)
      k.loop(k.add(whole, member), end, k.index(groupThreads),
             [&](Value column) { body(Lane{column, 1, nullptr}); });
    return;
  }
  if (*length == 0)
    return;

  int64_t whole = *length / step * step;
  int64_t looped = whole / (step * maxLanes) * (step * maxLanes);
  // One turn is no loop.
  if (looped == step * maxLanes)
    looped = 0;
  auto lanesAt = [&](Value begin, int64_t count) {
    SmallVector<Lane> lanes;
    for (int64_t i = 0; i < count; ++i)
      lanes.push_back(
          {k.add(k.add(begin, first), k.index(i * step)), width, nullptr});
    return lanes;
  };
  if (looped > 0)
    k.loop(k.index(0), k.index(looped), k.index(step * maxLanes),
           [&](Value begin) { body(lanesAt(begin, maxLanes)); });
  SmallVector<Lane> rest = lanesAt(k.index(looped), (whole - looped) / step);
  /// Lanes of which some threads have none.
  auto addPartial = [&](int64_t begin, int64_t count, int64_t laneWidth) {
    for (int64_t i = 0; i < count; i += groupThreads) {
      Value number = k.add(member, k.index(i));
      Value isOwned;
      if (i + groupThreads > count) {
        isOwned = k.less(number, k.index(count));
        number = k.min(number, k.index(count - 1));
      }
      rest.push_back({k.add(k.index(begin), k.mul(number, k.index(laneWidth))),
                      laneWidth, isOwned});
    }
  };
  int64_t wide = (*length - whole) / width;
  addPartial(whole, wide, width);
  addPartial(whole + wide * width, *length - whole - wide * width, 1);
  for (size_t i = 0; i < rest.size(); i += maxLanes)
    body(ArrayRef(rest).slice(i, std::min<size_t>(maxLanes, rest.size() - i)));
}

//===----------------------------------------------------------------------===//
// Loads and stores
//===----------------------------------------------------------------------===//

static Value getElement(KernelBuilder &k, RowAddress row, Value column) {
  return k.add(row.offset, k.mul(column, row.buffer.strides.back()));
}

Value RowLanes::load(KernelBuilder &k, RowAddress row, const Lane &lane) const {
  auto type = VectorType::get({lane.width}, element);
  Value at = getElement(k, row, lane.column);
  if (lane.width == 1)
    return vector::FromElementsOp::create(k, type,
                                          k.load(row.buffer.elements, at));
  return vector::LoadOp::create(
      k, type, row.buffer.elements, ValueRange{at}, /*nontemporal=*/false,
      llvm::MaybeAlign(lane.width * getElementBytes(element)));
}

/// A pointer to element `at` of `buffer`, which is in global memory.
static Value getGlobalPointer(KernelBuilder &k, const Buffer &buffer,
                              Value at) {
  Type element = cast<MemRefType>(buffer.elements.getType()).getElementType();
  Value base =
      memref::ExtractAlignedPointerAsIndexOp::create(k, buffer.elements);
  auto metadata = memref::ExtractStridedMetadataOp::create(k, buffer.elements);
  Value number = k.add(metadata.getOffset(), at);
  Value address = k.add(base, k.mul(number, k.index(getElementBytes(element))));
  Value generic = LLVM::IntToPtrOp::create(
      k, LLVM::LLVMPointerType::get(k.getContext()), k.toI64(address));
  return LLVM::AddrSpaceCastOp::create(
      k,
      LLVM::LLVMPointerType::get(
          k.getContext(), static_cast<unsigned>(NVVM::NVVMMemorySpace::Global)),
      generic);
}

/// `mnemonic` with a pointer and the elements of `vector`, of 32 bits each: its
/// suffix says how many they are.
static void createVectorAsm(KernelBuilder &k, StringRef mnemonic,
                            StringRef type, char constraint, Value pointer,
                            Value vector) {
  int64_t count = cast<VectorType>(vector.getType()).getNumElements();
  SmallVector<Value> operands = {pointer};
  std::string list, constraints = "l";
  for (int64_t i = 0; i < count; ++i) {
    operands.push_back(vector::ExtractOp::create(k, vector, i));
    list += (i ? ", $" : "$") + std::to_string(i + 1);
    constraints += std::string(",") + constraint;
  }
  std::string suffix = count == 1 ? "" : ".v" + std::to_string(count);
  std::string text = (mnemonic + suffix + type + " [$0], ").str() +
                     (count == 1 ? list : "{" + list + "}") + ";";
  LLVM::InlineAsmOp::create(
      k, LLVM::LLVMVoidType::get(k.getContext()), operands, text,
      constraints + ",~{memory}",
      /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::TailCallKind::None,
      LLVM::AsmDialectAttr::get(k.getContext(), LLVM::AsmDialect::AD_ATT),
      /*operand_attrs=*/ArrayAttr());
}

/// `st.global.cs`: LLVM has no such hint of its own for NVIDIA's GPUs.
static bool storeStreamed(KernelBuilder &k, Value vector, RowAddress row,
                          Value at) {
  auto type = cast<VectorType>(vector.getType());
  int64_t bytes =
      type.getNumElements() * getElementBytes(type.getElementType());
  if (bytes < 4)
    return false;
  Value words = vector::BitCastOp::create(
      k, VectorType::get({bytes / 4}, k.getI32Type()), vector);
  createVectorAsm(k, "st.global.cs", ".b32", 'r',
                  getGlobalPointer(k, row.buffer, at), words);
  return true;
}

void RowLanes::store(KernelBuilder &k, Value vector, RowAddress row,
                     const Lane &lane) const {
  auto storeOwned = [&] {
    Value at = getElement(k, row, lane.column);
    if (isStreamed && storeStreamed(k, vector, row, at))
      return;
    if (lane.width == 1)
      return k.store(vector::ExtractOp::create(k, vector, 0),
                     row.buffer.elements, at);
    vector::StoreOp::create(
        k, vector, row.buffer.elements, ValueRange{at}, /*nontemporal=*/false,
        llvm::MaybeAlign(lane.width * getElementBytes(element)));
  };
  if (lane.isOwned)
    k.ifTrue(lane.isOwned, storeOwned);
  else
    storeOwned();
}

void RowLanes::addAtomically(KernelBuilder &k, Value vector, RowAddress row,
                             const Lane &lane, bool asVector) const {
  auto add = [&] {
    Value at = getElement(k, row, lane.column);
    if (asVector && lane.width > 1 && element.isF32())
      return createVectorAsm(k, "red.global.add", ".f32", 'f',
                             getGlobalPointer(k, row.buffer, at), vector);
    for (int64_t i = 0; i < lane.width; ++i)
      memref::AtomicRMWOp::create(
          k, arith::AtomicRMWKind::addf,
          vector::ExtractOp::create(k, vector, i), row.buffer.elements,
          k.add(at, k.mul(k.index(i), row.buffer.strides.back())));
  };
  if (lane.isOwned)
    k.ifTrue(lane.isOwned, add);
  else
    add();
}

void RowLanes::copy(KernelBuilder &k, RowAddress from, RowAddress to,
                    Value scale) const {
  forEach(k, [&](ArrayRef<Lane> lanes) {
    SmallVector<Value> loaded;
    for (const Lane &lane : lanes)
      loaded.push_back(load(k, from, lane));
    for (auto [value, lane] : llvm::zip(loaded, lanes))
      store(k, scale ? k.scale(value, scale) : value, to, lane);
  });
}

void RowLanes::clear(KernelBuilder &k, RowAddress row) const {
  forEach(k, [&](ArrayRef<Lane> lanes) {
    for (const Lane &lane : lanes) {
      auto type = VectorType::get({lane.width}, element);
      store(k, arith::ConstantOp::create(k, k.getZeroAttr(type)), row, lane);
    }
  });
}

void embedding::launchForRows(
    LoopBuilder &host, StringRef name, Value size, const RowLanes &lanes,
    llvm::function_ref<void(KernelBuilder &, Value)> body) {
  int64_t perBlock = lanes.getGroupsPerBlock();
  launchKernel(host, name, host.divUp(size, host.index(perBlock)),
               [&](KernelBuilder &k) {
                 Value row = k.add(k.mul(k.getBlock(), k.index(perBlock)),
                                   lanes.getGroup(k));
                 k.ifTrue(k.less(row, k.use(size)), [&] { body(k, row); });
               });
}
