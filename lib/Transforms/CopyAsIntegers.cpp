//===- CopyAsIntegers.cpp - Copy floats as integers -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/TypeUtilities.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_COPYASINTEGERSPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

/// `type` with an integer of the same width for every float.
static Type getIntegerType(Type type) {
  if (isa<FloatType>(type))
    return IntegerType::get(type.getContext(), type.getIntOrFloatBitWidth());
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(getIntegerType(vector.getElementType()));
  if (auto complex = dyn_cast<LLVM::LLVMStructType>(type);
      complex && !complex.isIdentified()) {
    SmallVector<Type> body =
        llvm::map_to_vector(complex.getBody(), getIntegerType);
    return LLVM::LLVMStructType::getLiteral(type.getContext(), body,
                                            complex.isPacked());
  }
  return type;
}

namespace {

struct CopyAsIntegers
    : embedding::impl::CopyAsIntegersPassBase<CopyAsIntegers> {
  void runOnOperation() override {
    getOperation()->walk([](LLVM::LoadOp load) {
      bool onlyCopied = llvm::all_of(load->getUses(), [](OpOperand &use) {
        auto store = dyn_cast<LLVM::StoreOp>(use.getOwner());
        return store && &use == &store.getValueMutable();
      });
      if (onlyCopied)
        load.getResult().setType(getIntegerType(load.getType()));
      else if (getElementTypeOrSelf(load.getType()).isBF16())
        convertUses(load);
    });
    getOperation()->walk([](LLVM::StoreOp store) {
      Value value = store.getValue();
      if (!getElementTypeOrSelf(value.getType()).isBF16())
        return;
      OpBuilder builder(store);
      store.getValueMutable().assign(LLVM::BitcastOp::create(
          builder, store.getLoc(), getIntegerType(value.getType()), value));
    });
  }

private:
  /// Makes `load` one of integers, and of floats again for its users.
  static void convertUses(LLVM::LoadOp load) {
    OpBuilder builder(load->getContext());
    builder.setInsertionPointAfter(load);
    Type type = load.getType();
    load.getResult().setType(getIntegerType(type));
    auto floats =
        LLVM::BitcastOp::create(builder, load.getLoc(), type, load.getResult());
    load.getResult().replaceAllUsesExcept(floats, floats);
  }
};

} // namespace
