//===- EmbeddingToLinalg.cpp - Loops over rows with linalg ----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../../Utils/FoundIndices.h"
#include "../Conversion.h"
#include "embedding/Conversion/Passes.h"
#include "embedding/IR/Embedding.h"
#include "embedding/Target/CostModel.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::embedding {
#define GEN_PASS_DEF_CONVERTEMBEDDINGTOLINALGPASS
#include "embedding/Conversion/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

namespace {

//===----------------------------------------------------------------------===//
// LookupOp
//===----------------------------------------------------------------------===//

/// The row of the table that an index names, and where not every index names
/// one, whether this one does.
struct NamedRow {
  Value row;
  Value exists;
};

} // namespace

static Value createZero(OpBuilder &builder, Location loc, Type type) {
  if (auto complexType = dyn_cast<ComplexType>(type)) {
    Attribute zero = builder.getZeroAttr(complexType.getElementType());
    return complex::ConstantOp::create(builder, loc, complexType,
                                       builder.getArrayAttr({zero, zero}));
  }
  return arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
}

/// The row that `index` names under the op's treatment of indices out of range.
static NamedRow nameRow(OpBuilder &builder, LookupOp op, Value index) {
  Location loc = op.getLoc();
  Value row =
      arith::IndexCastOp::create(builder, loc, builder.getIndexType(), index);
  if (op.getOutOfRange() == OutOfRange::assume)
    return {row, nullptr};

  Value numRows = getValueOrCreateConstantIndexOp(
      builder, loc, embedding::getMixedSize(builder, loc, op.getTable(), 0));
  if (op.getOutOfRange() == OutOfRange::zero) {
    // One unsigned comparison covers the negative indices.
    Value exists = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::ult, row, numRows);
    return {row, exists};
  }
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value last = arith::SubIOp::create(builder, loc, numRows, one);
  Value clamped = arith::MaxSIOp::create(
      builder, loc, arith::MinSIOp::create(builder, loc, row, last), zero);
  if (ShapedType::isStatic(getShapedType(op.getTable()).getDimSize(0)))
    return {clamped, nullptr};
  // There is no nearest row in a table of none.
  Value exists = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                       numRows, zero);
  return {clamped, exists};
}

/// The length of a row, a constant if the table or the destination has it so.
static OpFoldResult getRowLength(OpBuilder &builder, LookupOp op) {
  Value shaped =
      ShapedType::isStatic(getShapedType(op.getTable()).getDimSize(1))
          ? op.getTable()
          : op.getOut();
  return embedding::getMixedSize(builder, op.getLoc(), shaped,
                                 cast<ShapedType>(shaped.getType()).getRank() -
                                     1);
}

/// Writes the row that the index at `position` names to `dest`; returns the new
/// value of `dest` on tensors and null on memrefs.
static Value copyNamedRow(OpBuilder &builder, LookupOp op, ValueRange position,
                          OpFoldResult rowLength, Value dest) {
  Location loc = op.getLoc();
  bool onTensors = isa<TensorType>(dest.getType());
  auto fillWithZeros = [&](OpBuilder &b) {
    Value zero =
        createZero(b, loc, getShapedType(op.getTable()).getElementType());
    auto fill = linalg::FillOp::create(b, loc, zero, dest);
    copySchedule(op, fill);
    return onTensors ? fill.getResult(0) : Value();
  };
  // IR knows no slice of one row of a table of none.
  if (getShapedType(op.getTable()).getDimSize(0) == 0)
    return fillWithZeros(builder);

  Value index = loadElement(builder, loc, op.getIndices(), position);
  NamedRow named = nameRow(builder, op, index);
  auto copy = [&](OpBuilder &b) {
    Value row = takeRow(b, loc, op.getTable(),
                        ArrayRef<OpFoldResult>{named.row}, rowLength);
    auto copyOp = linalg::CopyOp::create(b, loc, row, dest);
    copySchedule(op, copyOp);
    return onTensors ? copyOp.getResult(0) : Value();
  };
  if (!named.exists)
    return copy(builder);

  auto yield = [&](OpBuilder &b, Value value) {
    scf::YieldOp::create(b, loc, value ? ValueRange(value) : ValueRange());
  };
  auto ifOp = scf::IfOp::create(
      builder, loc, named.exists,
      [&](OpBuilder &b, Location) { yield(b, copy(b)); },
      [&](OpBuilder &b, Location) { yield(b, fillWithZeros(b)); });
  return onTensors ? ifOp.getResult(0) : Value();
}

/// Whether `value` is a tensor whose contents do not matter: tensor.empty or a
/// slice of one.
static bool isUninitialized(Value value) {
  while (auto slice = value.getDefiningOp<tensor::ExtractSliceOp>())
    value = slice.getSource();
  return value.getDefiningOp<tensor::EmptyOp>() != nullptr;
}

namespace {

/// A lookup of one row into a tensor of undefined contents is a slice of the
/// table: no copy until somebody needs one.
struct LookupOfOneRowToSlice : OpRewritePattern<LookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookupOp op,
                                PatternRewriter &rewriter) const override {
    // The nearest row exists, if the table is known to have one.
    bool isTotal =
        op.getOutOfRange() == OutOfRange::assume ||
        (op.getOutOfRange() == OutOfRange::clamp &&
         ShapedType::isStatic(getShapedType(op.getTable()).getDimSize(0)));
    if (!isTotal || op->getNumResults() == 0 ||
        getShapedType(op.getTable()).getDimSize(0) == 0 ||
        !isUninitialized(op.getOut()) ||
        !llvm::all_of(getShapedType(op.getIndices()).getShape(),
                      [](int64_t size) { return size == 1; }))
      return failure();
    Location loc = op.getLoc();
    int64_t rank = getShapedType(op.getIndices()).getRank();
    Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
    Value index = loadElement(rewriter, loc, op.getIndices(),
                              SmallVector<Value>(rank, zero));
    NamedRow named = nameRow(rewriter, op, index);
    auto resultType = cast<RankedTensorType>(op->getResult(0).getType());
    Value row =
        takeRow(rewriter, loc, op.getTable(), ArrayRef<OpFoldResult>{named.row},
                embedding::getMixedSize(rewriter, loc, op.getOut(), rank));
    if (rank > 0) {
      ReassociationIndices all = llvm::to_vector(llvm::seq<int64_t>(rank + 1));
      row = tensor::ExpandShapeOp::create(rewriter, loc, resultType, row,
                                          ArrayRef<ReassociationIndices>{all});
    }
    rewriter.replaceOp(op, row);
    return success();
  }
};

/// Any other lookup is a loop over its indices that copies a row in each
/// iteration.
struct LookupToRowLoop : OpRewritePattern<LookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookupOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getOutOfRange() == OutOfRange::check)
      return rewriter.notifyMatchFailure(
          op, "run 'embedding-split-checks' first, which takes its check out");
    Location loc = op.getLoc();
    bool onTensors = op->getNumResults() > 0;

    OpFoldResult rowLength = getRowLength(rewriter, op);
    auto isEmpty = [](ShapedType type) {
      return llvm::is_contained(type.getShape(), 0);
    };
    if (isZeroInteger(rowLength) || isEmpty(getShapedType(op.getIndices())) ||
        isEmpty(getShapedType(op.getOut()))) {
      // Nothing to copy, and no slice of a dimension of size 0.
      if (onTensors)
        rewriter.replaceOp(op, op.getOut());
      else
        rewriter.eraseOp(op);
      return success();
    }

    if (getShapedType(op.getIndices()).getRank() == 0) {
      Value dest = takeRow(rewriter, loc, op.getOut(), {}, rowLength);
      Value result = copyNamedRow(rewriter, op, {}, rowLength, dest);
      if (onTensors)
        rewriter.replaceOpWithNewOp<tensor::InsertSliceOp>(
            op, result, op.getOut(), OpFoldResult(rewriter.getIndexAttr(0)),
            rowLength, OpFoldResult(rewriter.getIndexAttr(1)));
      else
        rewriter.eraseOp(op);
      return success();
    }

    auto forall = scf::ForallOp::create(
        rewriter, loc, getMixedSizes(rewriter, loc, op.getIndices()),
        onTensors ? ValueRange(op.getOut()) : ValueRange(),
        /*mapping=*/std::nullopt);
    rewriter.setInsertionPoint(forall.getTerminator());
    SmallVector<Value> position = forall.getInductionVars();
    SmallVector<OpFoldResult> mixedPosition = getAsOpFoldResult(position);
    Value out =
        onTensors ? Value(forall.getRegionIterArgs().front()) : op.getOut();
    Value dest = takeRow(rewriter, loc, out, mixedPosition, rowLength);
    Value result = copyNamedRow(rewriter, op, position, rowLength, dest);
    if (!onTensors) {
      rewriter.eraseOp(op);
      return success();
    }

    SmallVector<OpFoldResult> offsets(mixedPosition);
    offsets.push_back(rewriter.getIndexAttr(0));
    SmallVector<OpFoldResult> sizes(position.size(), rewriter.getIndexAttr(1));
    sizes.push_back(rowLength);
    SmallVector<OpFoldResult> strides(sizes.size(), rewriter.getIndexAttr(1));
    rewriter.setInsertionPointToStart(forall.getTerminator().getBody());
    tensor::ParallelInsertSliceOp::create(rewriter, loc, result, out, offsets,
                                          sizes, strides);
    rewriter.replaceOp(op, forall);
    return success();
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// FindOutOfRangeOp
//===----------------------------------------------------------------------===//

/// A loop that tells whether there is one, of a shape that LLVM vectorizes with
/// two operations on a vector; and only if there is, a loop that counts and a
/// search for the first one.
static SmallVector<Value> find(OpBuilder &builder, Location loc, Value indices,
                               Value numRows) {
  Type i64 = builder.getI64Type();
  Value none = arith::ConstantIntOp::create(builder, loc, 0, 64);
  Value minusOne = arith::ConstantIntOp::create(builder, loc, -1, 64);
  auto type = cast<ShapedType>(indices.getType());
  // A position of none has no coordinates.
  if (llvm::is_contained(type.getShape(), 0)) {
    return {minusOne, none, none};
  }
  Type element = type.getElementType();
  SmallVector<Value> sizes = getValueOrCreateConstantIndexOp(
      builder, loc, getMixedSizes(builder, loc, indices));
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  SmallVector<Value> lowerBounds(sizes.size(), zero);
  SmallVector<Value> steps(sizes.size(), one);

  // Of a negative number of rows there is none.
  Value limit = arith::MaxSIOp::create(builder, loc, numRows, zero);
  // No index of 32 bits names more than 2^31 rows.
  if (element.isInteger(32)) {
    Value max = arith::ConstantIndexOp::create(builder, loc, int64_t(1) << 31);
    limit = arith::MinUIOp::create(builder, loc, limit, max);
  }
  limit = arith::IndexCastOp::create(builder, loc, element, limit);
  // Unsigned, a negative index is not less than the limit.
  auto isOutOfRange = [&](OpBuilder &b, Value index) -> Value {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, index,
                                 limit);
  };

  // An index in range has no sign, and its difference to the limit has one.
  // (In 32 bits 2^31 is -2^31, and every difference of an index to it has a
  // sign.) The intersection of all such words has it if all are in range.
  Value ones = arith::ConstantIntOp::create(builder, loc, element, -1);
  scf::LoopNest looking = scf::buildLoopNest(
      builder, loc, lowerBounds, sizes, steps, ones,
      [&](OpBuilder &b, Location, ValueRange ivs, ValueRange args) {
        Value index = loadElement(b, loc, indices, ivs);
        Value difference = arith::SubIOp::create(b, loc, index, limit);
        Value inverse = arith::XOrIOp::create(b, loc, index, ones);
        Value signs = arith::AndIOp::create(b, loc, difference, inverse);
        return scf::ValueVector{arith::AndIOp::create(b, loc, args[0], signs)};
      });
  Value noSign = arith::ConstantIntOp::create(builder, loc, element, 0);
  Value found = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                                      looking.results.front(), noSign);

  auto count = [&](OpBuilder &b) -> Value {
    return scf::buildLoopNest(
               b, loc, lowerBounds, sizes, steps, none,
               [&](OpBuilder &b, Location, ValueRange ivs, ValueRange args) {
                 Value index = loadElement(b, loc, indices, ivs);
                 Value increment = arith::ExtUIOp::create(
                     b, loc, i64, isOutOfRange(b, index));
                 return scf::ValueVector{
                     arith::AddIOp::create(b, loc, args[0], increment)};
               })
        .results.front();
  };

  auto loadAt = [&](OpBuilder &b, Value flat) {
    SmallVector<Value> position;
    if (sizes.size() == 1)
      position.push_back(flat);
    else if (sizes.size() > 1)
      llvm::append_range(position, affine::AffineDelinearizeIndexOp::create(
                                       b, loc, flat, sizes)
                                       .getResults());
    return loadElement(b, loc, indices, position);
  };
  auto search = [&](OpBuilder &b, Location) {
    Value total = count(b);
    // There is one, so the loop ends.
    auto loop = scf::WhileOp::create(
        b, loc, TypeRange{b.getIndexType(), element}, zero,
        [&](OpBuilder &b, Location, ValueRange args) {
          Value index = loadAt(b, args[0]);
          Value inRange = arith::CmpIOp::create(
              b, loc, arith::CmpIPredicate::ult, index, limit);
          scf::ConditionOp::create(b, loc, inRange, ValueRange{args[0], index});
        },
        [&](OpBuilder &b, Location, ValueRange args) {
          Value next = arith::AddIOp::create(b, loc, args[0], one);
          scf::YieldOp::create(b, loc, next);
        });
    Value position = arith::IndexCastOp::create(b, loc, i64, loop.getResult(0));
    Value index = loop.getResult(1);
    if (element != i64)
      index = arith::ExtSIOp::create(b, loc, i64, index);
    scf::YieldOp::create(b, loc, ValueRange{position, index, total});
  };
  return scf::IfOp::create(builder, loc, found, search,
                           [&](OpBuilder &b, Location) {
                             scf::YieldOp::create(
                                 b, loc, ValueRange{minusOne, none, none});
                           })
      .getResults();
}

namespace {

struct FindOutOfRangeToLoops : OpRewritePattern<FindOutOfRangeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(FindOutOfRangeOp op,
                                PatternRewriter &rewriter) const override {
    rewriter.replaceOp(
        op, find(rewriter, op.getLoc(), op.getIndices(), op.getNumRows()));
    return success();
  }
};

/// A check of many indices in memory is one of blocks, which are worth a thread
/// each. The parts of what is itself in parallel are not cut.
struct FindOutOfRangeInBlocks : OpRewritePattern<FindOutOfRangeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(FindOutOfRangeOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<MemRefType>(op.getIndices().getType());
    if (!type || type.getRank() != 1 || op->getParentOfType<scf::ForallOp>())
      return failure();
    int64_t blockSize = 8 * cost::kGrainBytes / type.getElementTypeBitWidth();
    if (!type.isDynamicDim(0) && type.getDimSize(0) <= blockSize)
      return failure();
    LoopBuilder b(op, rewriter);
    FoundIndices found(b);
    Value block = b.index(blockSize);
    Value size = b.value(
        embedding::getMixedSize(rewriter, op.getLoc(), op.getIndices(), 0));
    b.parallelLoop(b.divUp(size, block), [&](Value number) {
      Value begin = b.mul(number, block);
      auto part = memref::SubViewOp::create(
          b, op.getIndices(), ArrayRef<OpFoldResult>{begin},
          ArrayRef<OpFoldResult>{b.min(block, b.sub(size, begin))},
          ArrayRef<OpFoldResult>{b.getIndexAttr(1)});
      SmallVector<Value> outside = find(b, op.getLoc(), part, op.getNumRows());
      b.ifTrue(b.cmp(arith::CmpIPredicate::ne, outside[2], b.i64(0)), [&] {
        found.add(b, b.add(outside[0], b.toI64(begin)), outside[2]);
      });
    });
    Value count = found.getCount(b);
    rewriter.replaceOp(
        op,
        b.choose(
            b.cmp(arith::CmpIPredicate::ne, count, b.i64(0)),
            [&] {
              auto [position, index] = found.getFirst(b, op.getIndices());
              return SmallVector<Value>{position, index, count};
            },
            [&] { return SmallVector<Value>{b.i64(-1), b.i64(0), b.i64(0)}; }));
    return success();
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {

struct ConvertEmbeddingToLinalg
    : embedding::impl::ConvertEmbeddingToLinalgPassBase<
          ConvertEmbeddingToLinalg> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateEmbeddingToLinalgPatterns(patterns);
    ConversionTarget target(getContext());
    target.addIllegalOp<LookupOp, FindOutOfRangeOp>();
    if (failed(convert(getOperation(), patterns, target)))
      signalPassFailure();
  }
};

} // namespace

void embedding::populateEmbeddingToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<LookupOfOneRowToSlice, FindOutOfRangeInBlocks>(
      patterns.getContext(), /*benefit=*/2);
  patterns.add<LookupToRowLoop, FindOutOfRangeToLoops>(patterns.getContext());
}
