//===- SizeRelations.cpp - Sizes that agree -------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SizeRelations.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::embedding;

namespace {

/// The relations of one operation.
class Relations {
public:
  Relations(Value indices, SmallVectorImpl<SizeRelation> &relations)
      : indices(indices), relations(relations) {}

  /// `rows` has the shape of the indices and a row, as long as that of `table`.
  void addRowsOf(const char *name, Value rows, const char *tableName,
                 Value table) {
    int64_t rank = cast<ShapedType>(indices.getType()).getRank();
    for (int64_t dim = 0; dim < rank; ++dim)
      relations.push_back({name, rows, dim, "indices", indices, dim});
    addRowLength(name, rows, tableName, table);
  }
  void addRowLength(const char *name, Value rows, const char *otherName,
                    Value other) {
    int64_t last = cast<ShapedType>(rows.getType()).getRank() - 1;
    relations.push_back({name, rows, last, otherName, other, 1});
  }
  /// `value` has an element or a row for each index, and `more`.
  void addPerIndex(const char *name, Value value, int64_t more = 0) {
    relations.push_back(
        {name, value, 0, "indices", indices, std::nullopt, more});
  }

private:
  Value indices;
  SmallVectorImpl<SizeRelation> &relations;
};

} // namespace

void embedding::getSizeRelations(RowIndexingOpInterface op,
                                 SmallVectorImpl<SizeRelation> &relations) {
  Relations of(op.getIndices(), relations);
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](LookupOp op) {
        // C4, C5
        of.addRowsOf("init", op.getInit(), "table", op.getTable());
      })
      .Case([&](RenormOp) {})
      .Case([&](RenormLookupOp op) {
        // C5
        of.addRowsOf("init", op.getInit(), "table", op.getTable());
      })
      .Case([&](DenseGradOp op) {
        // C4
        of.addRowsOf("grad_output", op.getGradOutput(), "init", op.getInit());
      })
      .Case([&](SparseGradOp op) {
        // C4, C5
        of.addRowsOf("grad_output", op.getGradOutput(), "values",
                     op.getValues());
        of.addPerIndex("rows", op.getRows());
        of.addPerIndex("values", op.getValues());
      })
      .Case([&](CoalesceOp op) {
        // C4, C5
        of.addPerIndex("values", op.getValues());
        of.addPerIndex("rows", op.getRows());
        of.addPerIndex("sums", op.getSums());
        of.addRowLength("sums", op.getSums(), "values", op.getValues());
      })
      .Case([&](DoubleBackwardOp op) {
        // C4
        of.addRowsOf("init", op.getInit(), "grad_grad_table",
                     op.getGradGradTable());
      })
      .Case([&](GroupOp op) {
        // C3
        of.addPerIndex("rows", op.getRows());
        of.addPerIndex("offsets", op.getOffsets(), /*more=*/1);
        of.addPerIndex("positions", op.getPositions());
      })
      .DefaultUnreachable("an operation whose relations are not known");
}
