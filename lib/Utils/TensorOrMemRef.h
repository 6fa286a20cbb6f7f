//===- TensorOrMemRef.h - One code path for both forms ----------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every operation of the dialect works on tensors and on memrefs. These helpers
// create the access that fits the operand, so that a pattern is written once.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_UTILS_TENSORORMEMREF_H
#define EMBEDDING_LIB_UTILS_TENSORORMEMREF_H

#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace mlir::embedding {

inline ShapedType getShapedType(Value shaped) {
  return cast<ShapedType>(shaped.getType());
}

/// The size of dimension `dim` of `shaped`, a constant if it is static.
inline OpFoldResult getMixedSize(OpBuilder &builder, Location loc, Value shaped,
                                 int64_t dim) {
  return linalg::createFoldedDimOp(builder, loc, shaped, dim);
}

/// The shape of `shaped`.
inline SmallVector<OpFoldResult> getMixedSizes(OpBuilder &builder, Location loc,
                                               Value shaped) {
  SmallVector<OpFoldResult> sizes;
  for (int64_t dim = 0; dim < getShapedType(shaped).getRank(); ++dim)
    sizes.push_back(getMixedSize(builder, loc, shaped, dim));
  return sizes;
}

/// The element of `shaped` at `position`.
inline Value loadElement(OpBuilder &builder, Location loc, Value shaped,
                         ValueRange position) {
  if (isa<MemRefType>(shaped.getType()))
    return memref::LoadOp::create(builder, loc, shaped, position);
  return tensor::ExtractOp::create(builder, loc, shaped, position);
}

/// The part of `shaped` of `sizes` from `offsets` on, of the same rank.
inline Operation *takeSlice(OpBuilder &builder, Location loc, Value shaped,
                            ArrayRef<OpFoldResult> offsets,
                            ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  if (isa<MemRefType>(shaped.getType()))
    return memref::SubViewOp::create(builder, loc, shaped, offsets, sizes,
                                     strides);
  return tensor::ExtractSliceOp::create(builder, loc, shaped, offsets, sizes,
                                        strides);
}

/// `width` elements from `column` on of the row of `shaped` at `position`,
/// which names all dimensions but the last, as a value of rank 1.
inline Value takeColumns(OpBuilder &builder, Location loc, Value shaped,
                         ArrayRef<OpFoldResult> position, OpFoldResult column,
                         OpFoldResult width) {
  SmallVector<OpFoldResult> offsets(position), strides, sizes;
  offsets.push_back(column);
  strides.assign(offsets.size(), builder.getIndexAttr(1));
  sizes.assign(position.size(), builder.getIndexAttr(1));
  sizes.push_back(width);
  int64_t staticWidth =
      getConstantIntValue(width).value_or(ShapedType::kDynamic);
  if (auto memref = dyn_cast<MemRefType>(shaped.getType())) {
    auto type = memref::SubViewOp::inferRankReducedResultType(
        {staticWidth}, memref, offsets, sizes, strides);
    return memref::SubViewOp::create(builder, loc, cast<MemRefType>(type),
                                     shaped, offsets, sizes, strides);
  }
  auto type = RankedTensorType::get({staticWidth},
                                    getShapedType(shaped).getElementType());
  return tensor::ExtractSliceOp::create(builder, loc, type, shaped, offsets,
                                        sizes, strides);
}

/// The whole row of `rowLength` elements.
inline Value takeRow(OpBuilder &builder, Location loc, Value shaped,
                     ArrayRef<OpFoldResult> position, OpFoldResult rowLength) {
  return takeColumns(builder, loc, shaped, position, builder.getIndexAttr(0),
                     rowLength);
}

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_UTILS_TENSORORMEMREF_H
