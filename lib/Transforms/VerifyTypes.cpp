//===- VerifyTypes.cpp - Refuse what no code can be made for --------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/IR/Embedding.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/AttrTypeSubElements.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_VERIFYTYPESPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// LLVM's.
static constexpr unsigned kMaxIntegerBits = 1 << 23;
/// LLVM's time grows with the square of the number.
static constexpr int64_t kMaxVectorElements = 4096;
/// Constants are in the object, and LLVM holds each of their elements.
static constexpr int64_t kMaxConstantBytes = int64_t(1) << 30;

/// The product may have more than 64 bits.
static bool hasMoreElements(VectorType vector, int64_t limit) {
  int64_t count = 1;
  for (int64_t size : vector.getShape()) {
    if (size > limit / count)
      return true;
    count *= size;
  }
  return false;
}

/// What `type` would have to be, or an empty text.
static std::string getExpected(Type type) {
  if (auto vector = dyn_cast<VectorType>(type)) {
    if (vector.isScalable())
      return "no scalable vectors";
    if (hasMoreElements(vector, kMaxVectorElements))
      return "vectors of at most " + std::to_string(kMaxVectorElements) +
             " elements";
  }
  if (auto integer = dyn_cast<IntegerType>(type))
    if (integer.getWidth() > kMaxIntegerBits)
      return "integers of at most 2^23 bits";
  std::string obstacle = getObstacleToAddressing(type);
  return obstacle.empty() ? "" : "types with " + obstacle;
}

/// The bytes of a constant that is one value throughout.
static int64_t getConstantBytes(DenseElementsAttr constant) {
  Type element = constant.getElementType();
  int64_t bytes = element.isIntOrFloat()
                      ? llvm::divideCeil(element.getIntOrFloatBitWidth(), 8)
                      : 16;
  return constant.getNumElements() > kMaxConstantBytes
             ? kMaxConstantBytes + 1
             : constant.getNumElements() * bytes;
}

namespace {

struct VerifyTypes : embedding::impl::VerifyTypesPassBase<VerifyTypes> {
  void runOnOperation() override {
    // Of what is under way: each type is seen once.
    Operation *current = nullptr;
    AttrTypeWalker walker;
    walker.addWalk([&](Type type) {
      std::string expected = getExpected(type);
      if (expected.empty())
        return WalkResult::advance();
      current->emitError("expected ") << expected << ", but got " << type;
      return WalkResult::interrupt();
    });
    walker.addWalk([&](DenseElementsAttr constant) {
      if (!constant.isSplat() ||
          getConstantBytes(constant) <= kMaxConstantBytes)
        return WalkResult::advance();
      current->emitError(
          "expected a constant of at most 1 GiB, but got one of ")
          << constant.getType();
      return WalkResult::interrupt();
    });
    auto result = getOperation()->walk([&](Operation *op) {
      current = op;
      return verify(op, walker);
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

  static WalkResult verify(Operation *op, AttrTypeWalker &walker) {
    if (isa<vector::VectorScaleOp>(op))
      return op->emitError("expected no scalable vectors, but got '")
                 << op->getName() << "'",
             WalkResult::interrupt();
    if (walker.walk(op->getAttrDictionary()).wasInterrupted())
      return WalkResult::interrupt();
    for (Type type : op->getResultTypes())
      if (walker.walk(type).wasInterrupted())
        return WalkResult::interrupt();
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (Type type : block.getArgumentTypes())
          if (walker.walk(type).wasInterrupted())
            return WalkResult::interrupt();
    return WalkResult::advance();
  }
};

} // namespace
