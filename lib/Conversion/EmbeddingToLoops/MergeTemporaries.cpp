//===- MergeTemporaries.cpp - One allocation for several buffers ----------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MergeTemporaries.h"

#include "../../Utils/CloneComputation.h"
#include "../../Utils/LoopBuilder.h"

#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <deque>

using namespace mlir;
using namespace mlir::embedding;

/// The most bytes that a buffer may have.
static constexpr double kMaxBytes = 0x1p62;

/// The one deallocation of `buffer`, if that is in the block that it is
/// allocated in.
static memref::DeallocOp getDealloc(memref::AllocOp buffer) {
  memref::DeallocOp found;
  for (Operation *user : buffer->getUsers())
    if (auto dealloc = dyn_cast<memref::DeallocOp>(user)) {
      if (found || dealloc->getBlock() != buffer->getBlock())
        return nullptr;
      found = dealloc;
    }
  return found;
}

namespace {

/// Buffers that are all there when the last of them is allocated: what holds
/// them together is no more memory then.
class Group {
public:
  explicit Group(memref::AllocOp first)
      : b(first.getLoc(), first), block(first->getBlock()), end(b.index(0)),
        bytesAsFloat(b.constant(b.getF64Type(), 0.0)),
        isNegative(b.flag(false)) {}

  /// Whether the size of `buffer` is known where the first one is allocated.
  bool add(memref::AllocOp buffer) {
    SmallVector<Value> sizes;
    for (Value size : buffer.getDynamicSizes()) {
      mapWhatIsThere(size);
      if (failed(cloneComputation(b, size, mapping, isPure)))
        return false;
      sizes.push_back(mapping.lookup(size));
    }
    buffers.emplace_back(buffer, end);
    addBytes(buffer.getType(), sizes);
    return true;
  }

  /// Makes views of one buffer of all of them, if there are several.
  void merge() {
    if (buffers.size() < 2)
      return;
    Value isTooLarge =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, bytesAsFloat,
                              b.constant(b.getF64Type(), kMaxBytes));
    Value bytes = b.select(isTooLarge, b.index(INT64_MAX), end);
    bytes = b.select(isNegative, b.index(-1), bytes);
    Value whole = memref::AllocOp::create(
        b, MemRefType::get({ShapedType::kDynamic}, b.getI8Type()), bytes,
        b.getI64IntegerAttr(kBufferAlignment));
    memref::DeallocOp last;
    for (auto [buffer, offset] : buffers) {
      memref::DeallocOp dealloc = getDealloc(buffer);
      if (last && dealloc->isBeforeInBlock(last)) {
        dealloc.erase();
      } else {
        if (last)
          last.erase();
        last = dealloc;
      }
      LoopBuilder atBuffer(buffer.getLoc(), buffer);
      auto view = memref::ViewOp::create(atBuffer, buffer.getType(), whole,
                                         offset, buffer.getDynamicSizes());
      buffer.replaceAllUsesWith(view.getResult());
      buffer.erase();
    }
    last.getMemrefMutable().assign(whole);
  }

private:
  /// Has `mapping` know what `value` is computed of and is there already.
  void mapWhatIsThere(Value value) {
    if (mapping.contains(value))
      return;
    Operation *op = value.getDefiningOp();
    Operation *inBlock = op ? block->findAncestorOpInBlock(*op) : nullptr;
    Operation *next = &*b.getInsertionPoint();
    if (!inBlock || inBlock->isBeforeInBlock(next)) {
      mapping.map(value, value);
      return;
    }
    for (Value operand : op->getOperands())
      mapWhatIsThere(operand);
  }

  void addBytes(MemRefType type, ValueRange sizes) {
    int64_t elementBytes = type.getElementType().isIndex()
                               ? 8
                               : getElementBytes(type.getElementType());
    Value asFloat = b.constant(b.getF64Type(), elementBytes);
    auto multiply = [&](Value size) {
      asFloat = arith::MulFOp::create(
          b, asFloat,
          arith::SIToFPOp::create(b, b.getF64Type(), b.toI64(size)));
    };
    for (int64_t size : type.getShape())
      if (ShapedType::isStatic(size))
        multiply(b.index(size));
    for (Value size : sizes) {
      multiply(size);
      isNegative = b.bitOr(isNegative, b.less(size, b.index(0)));
    }
    end = b.add(end, b.alignedBytes(type, sizes));
    bytesAsFloat = arith::AddFOp::create(b, bytesAsFloat, asFloat);
  }

  /// Before the first buffer.
  LoopBuilder b;
  Block *block;
  IRMapping mapping;
  SmallVector<std::pair<memref::AllocOp, Value>> buffers;
  /// Of the buffers so far: the bytes, which may overflow and then are wrong,
  /// and about the bytes; and whether a size is negative.
  Value end, bytesAsFloat, isNegative;
};

} // namespace

void embedding::mergeTemporaries(
    Block &block, llvm::function_ref<bool(Operation *)> isTemporary) {
  std::deque<Group> groups;
  bool isOpen = false;
  for (Operation &op : block) {
    auto buffer = dyn_cast<memref::AllocOp>(op);
    if (buffer && isTemporary(buffer) && getDealloc(buffer)) {
      if (!isOpen || !groups.back().add(buffer)) {
        groups.emplace_back(buffer).add(buffer);
        isOpen = true;
      }
      continue;
    }
    // What is allocated or freed in between would change what is there.
    op.walk([&](Operation *inner) {
      isOpen &=
          !isa<memref::AllocOp, memref::DeallocOp, CallOpInterface>(inner);
    });
  }
  for (Group &group : groups)
    group.merge();
}
