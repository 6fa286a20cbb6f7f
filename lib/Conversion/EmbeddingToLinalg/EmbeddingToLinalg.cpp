//===- EmbeddingToLinalg.cpp - Loops over rows with linalg ----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../../Utils/OutOfRange.h"
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

/// Position, index and count of no index.
static SmallVector<Value> findNone(LoopBuilder &b) {
  return {b.i64(-1), b.i64(0), b.i64(0)};
}

namespace {

/// A loop that tells whether there is one, and a search only if there is.
struct FindOutOfRangeToLoops : OpRewritePattern<FindOutOfRangeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(FindOutOfRangeOp op,
                                PatternRewriter &rewriter) const override {
    LoopBuilder b(op, rewriter);
    // A loop over none would be a type of none.
    if (llvm::is_contained(getShapedType(op.getIndices()).getShape(), 0)) {
      rewriter.replaceOp(op, findNone(b));
      return success();
    }
    OutOfRangeSearch search(b, op.getIndices(), op.getNumRows());
    rewriter.replaceOp(op, b.choose(
                               search.isAny(), [&] { return search.find(); },
                               [&] { return findNone(b); }));
    return success();
  }
};

/// Many indices in memory are looked at in blocks, which are worth a thread
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
    OutOfRangeFlag flag(b);
    Value block = b.index(blockSize);
    Value size = b.value(
        embedding::getMixedSize(rewriter, op.getLoc(), op.getIndices(), 0));
    b.parallelLoop(b.divUp(size, block), [&](Value number) {
      Value begin = b.mul(number, block);
      auto part = memref::SubViewOp::create(
          b, op.getIndices(), ArrayRef<OpFoldResult>{begin},
          ArrayRef<OpFoldResult>{b.min(block, b.sub(size, begin))},
          ArrayRef<OpFoldResult>{b.getIndexAttr(1)});
      OutOfRangeSearch search(b, part, op.getNumRows());
      b.ifTrue(search.isAny(), [&] { flag.set(b); });
    });
    rewriter.replaceOp(op, b.choose(
                               flag.isSet(b),
                               [&] {
                                 return OutOfRangeSearch(b, op.getIndices(),
                                                         op.getNumRows())
                                     .find();
                               },
                               [&] { return findNone(b); }));
    return success();
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// FindInvalidOffsetOp
//===----------------------------------------------------------------------===//

namespace {

/// A loop that counts, and only if there is something to find a search.
struct FindInvalidOffsetToLoops : OpRewritePattern<FindInvalidOffsetOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(FindInvalidOffsetOp op,
                                PatternRewriter &rewriter) const override {
    LoopBuilder b(op, rewriter);
    SmallVector<Value> none = findNone(b);
    auto type = cast<ShapedType>(op.getOffsets().getType());
    if (type.getShape().front() == 0) {
      rewriter.replaceOp(op, none);
      return success();
    }
    Type element = type.getElementType();
    Value size = b.value(getMixedSize(b, b.getLoc(), op.getOffsets(), 0));
    Value limit = op.getNumIndices();
    if (element.isInteger(32))
      limit = b.min(limit, b.index(std::numeric_limits<int32_t>::max()));
    limit = arith::IndexCastOp::create(b, element, limit);
    auto load = [&](Value at) {
      return loadElement(b, b.getLoc(), op.getOffsets(), at);
    };
    auto isOutside = [&](Value offset, Value least) -> Value {
      return arith::OrIOp::create(
          b, b.cmp(arith::CmpIPredicate::slt, offset, least),
          b.cmp(arith::CmpIPredicate::sgt, offset, limit));
    };
    auto toI64 = [&](Value value) -> Value {
      if (element.isInteger(64))
        return value;
      return arith::ExtSIOp::create(b, b.getI64Type(), value);
    };
    auto count = [&](Value flag) -> Value {
      return arith::ExtUIOp::create(b, b.getI64Type(), flag);
    };

    Value zero = arith::ConstantIntOp::create(b, element, 0);
    auto find = [&]() -> SmallVector<Value> {
      Value first = load(b.index(0));
      // It is 0, and so not greater than the limit.
      Value isFirst = b.cmp(arith::CmpIPredicate::ne, first, zero);
      auto isInvalid = [&](Value at) {
        return isOutside(load(at), load(b.sub(at, b.index(1))));
      };
      Value total = b.loop(b.index(1), size, count(isFirst),
                           [&](Value at, ValueRange sum) -> SmallVector<Value> {
                             return {b.add(sum[0], count(isInvalid(at)))};
                           })[0];
      return b.choose(
          b.equal(total, b.i64(0)), [&] { return none; },
          [&]() -> SmallVector<Value> {
            Value at = b.choose(
                isFirst, [&]() -> SmallVector<Value> { return {b.index(0)}; },
                [&]() -> SmallVector<Value> {
                  return {b.findFirst(b.index(1), size, isInvalid)};
                })[0];
            return {b.toI64(at), toI64(load(at)), total};
          });
    };
    rewriter.replaceOp(
        op, b.choose(b.less(b.index(0), size), find, [&] { return none; }));
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
    target.addIllegalOp<LookupOp, FindOutOfRangeOp, FindInvalidOffsetOp>();
    if (failed(convert(getOperation(), patterns, target)))
      signalPassFailure();
  }
};

} // namespace

void embedding::populateEmbeddingToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<LookupOfOneRowToSlice, FindOutOfRangeInBlocks>(
      patterns.getContext(), /*benefit=*/2);
  patterns
      .add<LookupToRowLoop, FindOutOfRangeToLoops, FindInvalidOffsetToLoops>(
          patterns.getContext());
}
