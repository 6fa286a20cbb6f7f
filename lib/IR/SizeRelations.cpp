//===- SizeRelations.cpp - Sizes that agree -------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SizeRelations.h"

#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::embedding;

static ShapedType getShapedType(Value value) {
  return cast<ShapedType>(value.getType());
}

//===----------------------------------------------------------------------===//
// Constraints
//===----------------------------------------------------------------------===//

namespace {

/// What an operation requires of the sizes of one operand.
struct SizeConstraint {
  enum class Kind {
    /// The shape of the indices and a row, as long as that of `other`.
    rows,
    /// Rows that are as long as those of `other`.
    rowLength,
    /// An element or a row for each element of `other`, and `more`.
    perIndex
  };
  Kind kind;
  const char *name;
  Value operand;
  const char *otherName;
  Value other;
  int64_t more = 0;
};

/// Collects the constraints of one operation.
class Constraints {
public:
  explicit Constraints(Value indices) : indices(indices) {}

  void rowsOf(const char *name, Value rows, const char *tableName,
              Value table) {
    all.push_back({SizeConstraint::Kind::rows, name, rows, tableName, table});
  }
  void rowLength(const char *name, Value rows, const char *otherName,
                 Value other) {
    all.push_back(
        {SizeConstraint::Kind::rowLength, name, rows, otherName, other});
  }
  void perIndex(const char *name, Value value, int64_t more = 0) {
    all.push_back({SizeConstraint::Kind::perIndex, name, value, "indices",
                   indices, more});
  }

  SmallVector<SizeConstraint> all;

private:
  Value indices;
};

} // namespace

static SmallVector<SizeConstraint>
getSizeConstraints(RowIndexingOpInterface op) {
  Constraints of(op.getIndices());
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](LookupOp op) {
        // C4, C5
        of.rowsOf("init", op.getInit(), "table", op.getTable());
      })
      .Case([&](RenormOp) {})
      .Case([&](RenormLookupOp op) {
        // C5
        of.rowsOf("init", op.getInit(), "table", op.getTable());
      })
      .Case([&](DenseGradOp op) {
        // C4
        of.rowsOf("grad_output", op.getGradOutput(), "init", op.getInit());
      })
      .Case([&](SparseGradOp op) {
        // C4, C5
        of.rowsOf("grad_output", op.getGradOutput(), "values", op.getValues());
        of.perIndex("rows", op.getRows());
        of.perIndex("values", op.getValues());
      })
      .Case([&](CoalesceOp op) {
        // C4, C5
        of.perIndex("values", op.getValues());
        of.perIndex("rows", op.getRows());
        of.perIndex("sums", op.getSums());
        of.rowLength("sums", op.getSums(), "values", op.getValues());
      })
      .Case([&](DoubleBackwardOp op) {
        // C4
        of.rowsOf("init", op.getInit(), "grad_grad_table",
                  op.getGradGradTable());
      })
      .Case([&](GroupOp op) {
        // C3
        of.perIndex("rows", op.getRows());
        of.perIndex("offsets", op.getOffsets(), /*more=*/1);
        of.perIndex("positions", op.getPositions());
      })
      .DefaultUnreachable("an operation whose relations are not known");
  return std::move(of.all);
}

//===----------------------------------------------------------------------===//
// Relations
//===----------------------------------------------------------------------===//

int64_t SizeRelation::getStaticSize() const {
  return getShapedType(operand).getDimSize(dim);
}

int64_t SizeRelation::getStaticExpected() const {
  ShapedType type = getShapedType(other);
  if (otherDim)
    return type.getDimSize(*otherDim);
  return type.hasStaticShape() ? type.getNumElements() + more
                               : ShapedType::kDynamic;
}

bool SizeRelation::isPossible() const {
  return succeeded(
      verifyCompatibleShape({getStaticSize()}, {getStaticExpected()}));
}

static void appendRelations(const SizeConstraint &constraint, Value indices,
                            SmallVectorImpl<SizeRelation> &relations) {
  const auto &[kind, name, operand, otherName, other, more] = constraint;
  if (kind == SizeConstraint::Kind::perIndex) {
    relations.push_back({name, operand, 0, otherName, other, {}, more});
    return;
  }
  if (kind == SizeConstraint::Kind::rows)
    for (int64_t dim = 0; dim < getShapedType(indices).getRank(); ++dim)
      relations.push_back({name, operand, dim, "indices", indices, dim});
  int64_t last = getShapedType(operand).getRank() - 1;
  relations.push_back({name, operand, last, otherName, other, 1});
}

SmallVector<SizeRelation>
embedding::getSizeRelations(RowIndexingOpInterface op) {
  SmallVector<SizeRelation> relations;
  for (const SizeConstraint &constraint : getSizeConstraints(op))
    appendRelations(constraint, op.getIndices(), relations);
  return relations;
}

/// Says that the operand of `constraint` has not the shape that it needs.
static LogicalResult reportShape(RowIndexingOpInterface op,
                                 const SizeConstraint &constraint) {
  SmallVector<int64_t> expected(getShapedType(op.getIndices()).getShape());
  expected.push_back(getShapedType(constraint.other).getDimSize(1));
  Type elements = getElementTypeOrSelf(constraint.operand);
  return op->emitOpError("expected ")
         << constraint.name << " to have the shape of indices and a row, as "
         << RankedTensorType::get(expected, elements) << " has, but got "
         << constraint.operand.getType();
}

LogicalResult embedding::verifySizes(RowIndexingOpInterface op) {
  for (const SizeConstraint &constraint : getSizeConstraints(op)) {
    bool isRows = constraint.kind == SizeConstraint::Kind::rows;
    if (isRows && getShapedType(constraint.operand).getRank() !=
                      getShapedType(op.getIndices()).getRank() + 1)
      return reportShape(op, constraint);
    SmallVector<SizeRelation> relations;
    appendRelations(constraint, op.getIndices(), relations);
    const auto *broken = llvm::find_if_not(
        relations, [](const SizeRelation &r) { return r.isPossible(); });
    if (broken == relations.end())
      continue;
    if (isRows)
      return reportShape(op, constraint);
    return op->emitOpError("expected dimension ")
           << broken->dim << " of " << broken->name << " to be "
           << broken->getStaticExpected() << ", but got "
           << broken->getStaticSize();
  }
  return success();
}
