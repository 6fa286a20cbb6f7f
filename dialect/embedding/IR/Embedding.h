//===- Embedding.h - Embedding dialect --------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_IR_EMBEDDING_H
#define EMBEDDING_IR_EMBEDDING_H

#include "embedding/ABI/Operations.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "embedding/IR/EmbeddingDialect.h.inc"
#include "embedding/IR/EmbeddingEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "embedding/IR/EmbeddingAttrs.h.inc"

namespace mlir::embedding {

/// The attribute that overrides how an operation is carried out, a
/// `ScheduleAttr`. The lowering hands it on to the linalg operations on rows.
inline constexpr llvm::StringLiteral kScheduleAttrName("embedding.schedule");

/// The schedule that `op` is to be carried out with, or one without choices.
ScheduleAttr getSchedule(Operation *op);

/// Gives the schedule of `from`, if it has one, to `to`.
void copySchedule(Operation *from, Operation *to);

/// The number of rows of `tableOrNumRows`, a table or a value of type index, if
/// it is known.
std::optional<int64_t> getStaticNumRows(Value tableOrNumRows);
/// The same as a value where it is not known.
OpFoldResult getMixedNumRows(OpBuilder &builder, Location loc,
                             Value tableOrNumRows);

/// The type that sums of `element`, a float, are taken in.
Type getAccumulatorType(Type element);

/// Why a value of `type` could have no memory: its bytes, or those that its
/// strides span, are 2^63 or more, or its elements have none. Empty if it
/// could.
std::string getObstacleToAddressing(Type type);

namespace detail {
LogicalResult verifyAddressableOperands(Operation *op);
/// The operands that an operation with indices writes: the last ones.
MutableOperandRange getDestinations(Operation *op);
} // namespace detail

/// Operands of operations of the dialect are memory, or can become it.
template <typename ConcreteOp>
struct AddressableOperands
    : OpTrait::TraitBase<ConcreteOp, AddressableOperands> {
  static LogicalResult verifyTrait(Operation *op) {
    return detail::verifyAddressableOperands(op);
  }
};

} // namespace mlir::embedding

#include "embedding/IR/EmbeddingInterfaces.h.inc"

#define GET_OP_CLASSES
#include "embedding/IR/EmbeddingOps.h.inc"

namespace mlir::embedding {

/// What `embedding.report_out_of_range` writes to: a resource of its own, so
/// that reports keep their order but do not order anything else.
struct OutOfRangeReport : public SideEffects::Resource::Base<OutOfRangeReport> {
  StringRef getName() final { return "<OutOfRangeReport>"; }
};

} // namespace mlir::embedding

#endif // EMBEDDING_IR_EMBEDDING_H
