//===- CheckSizes.cpp - Sizes are checked when a program runs -------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../IR/SizeRelations.h"
#include "../Utils/CloneComputation.h"
#include "../Utils/LoopBuilder.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/CheckedArithmetic.h"

#include <numeric>

namespace mlir::embedding {
#define GEN_PASS_DEF_EMBEDDINGCHECKSIZESPASS
#include "embedding/Transforms/Passes.h.inc"
} // namespace mlir::embedding

using namespace mlir;
using namespace mlir::embedding;

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// What a call may pad a dimension by: sums of such and of sizes are negative
/// where they have no 63 bits.
static constexpr int64_t kMaxPadding = int64_t(1) << 61;
static constexpr int64_t kMaxIndex = std::numeric_limits<int64_t>::max();

/// A product of numbers that are not negative, or the largest index.
static Value mulSaturating(LoopBuilder &b, Value lhs, Value rhs) {
  auto product = arith::MulUIExtendedOp::create(b, lhs, rhs);
  Value zero = b.index(0);
  Value fits = b.equal(product.getHigh(), zero);
  Value low = b.select(fits, product.getLow(), b.index(kMaxIndex));
  return b.select(b.less(low, zero), b.index(kMaxIndex), low);
}

static Value getProduct(LoopBuilder &b, ValueRange sizes) {
  if (sizes.empty())
    return b.index(1);
  Value product = sizes.front();
  for (Value size : sizes.drop_front())
    product = mulSaturating(b, product, size);
  return product;
}

namespace {

/// Builds the checks of one operation, all of them in one place.
struct CheckBuilder : LoopBuilder {
  using LoopBuilder::LoopBuilder;

  /// The sizes that have been built.
  DenseMap<std::pair<Value, int64_t>, Value> sizes;
};

} // namespace

static Value getSize(CheckBuilder &b, Value value, int64_t dim);

static Value createDim(CheckBuilder &b, Value value, Value dim) {
  if (isa<BaseMemRefType>(value.getType()))
    return memref::DimOp::create(b, value, dim);
  return tensor::DimOp::create(b, value, dim);
}

/// The size of dimension `dim` of the result of `op`, if what `op` was given
/// says it.
static Value getResultSize(CheckBuilder &b, Operation *op, int64_t dim) {
  auto getSliceSize = [&](auto slice) {
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    for (auto [sliceDim, size] : llvm::enumerate(slice.getMixedSizes()))
      if (!dropped.test(sliceDim) && dim-- == 0)
        return b.value(size);
    return Value();
  };
  auto getExpandedSize = [&](auto expand) {
    return b.value(expand.getMixedOutputShape()[dim]);
  };
  auto getCollapsedSize = [&](auto collapse) {
    SmallVector<Value> sizes;
    for (int64_t sourceDim : collapse.getReassociationIndices()[dim])
      sizes.push_back(getSize(b, collapse.getSrc(), sourceDim));
    return getProduct(b, sizes);
  };
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](tensor::EmptyOp op) { return op.getDynamicSize(dim); })
      .Case([&](memref::AllocOp op) {
        return op.getDynamicSizes()[op.getType().getDynamicDimIndex(dim)];
      })
      .Case<tensor::ExtractSliceOp, memref::SubViewOp>(getSliceSize)
      .Case<tensor::ExpandShapeOp, memref::ExpandShapeOp>(getExpandedSize)
      .Case<tensor::CollapseShapeOp, memref::CollapseShapeOp>(getCollapsedSize)
      .Case([&](tensor::PadOp op) {
        Value size = getSize(b, op.getSource(), dim);
        size = b.add(size, b.value(op.getMixedLowPad()[dim]));
        return b.add(size, b.value(op.getMixedHighPad()[dim]));
      })
      .Case([&](tensor::ConcatOp op) {
        Value size = getSize(b, op.getInputs()[0], dim);
        if (dim == static_cast<int64_t>(op.getDim()))
          for (Value input : op.getInputs().drop_front())
            size = b.add(size, getSize(b, input, dim));
        return size;
      })
      .Default(Value());
}

/// What has the shape of `value` and was there before it, or nothing.
static Value getSameShape(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto forall =
        dyn_cast_or_null<scf::ForallOp>(argument.getOwner()->getParentOp());
    return forall ? forall.getTiedOpOperand(argument)->get() : Value();
  }
  Operation *op = value.getDefiningOp();
  if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
    return destination.getTiedOpOperand(cast<OpResult>(value))->get();
  if (auto forall = dyn_cast<scf::ForallOp>(op))
    return forall.getTiedOpOperand(cast<OpResult>(value))->get();
  if (isa<tensor::CastOp, memref::CastOp, bufferization::ToTensorOp,
          bufferization::ToBufferOp>(op) &&
      getShapedType(op->getOperand(0)).hasRank())
    return op->getOperand(0);
  return Value();
}

static Value findSize(CheckBuilder &b, Value value, int64_t dim) {
  if (!getShapedType(value).hasRank())
    return createDim(b, value, b.index(dim));
  while (true) {
    int64_t size = getShapedType(value).getDimSize(dim);
    if (ShapedType::isStatic(size))
      return b.index(size);
    Value same = getSameShape(value);
    if (!same)
      break;
    value = same;
  }
  if (Operation *op = value.getDefiningOp())
    if (Value size = getResultSize(b, op, dim))
      return size;
  return b.value(getMixedSize(b, b.getLoc(), value, dim));
}

/// The size of dimension `dim` of `value`, by way of what it was made from as
/// far as that is simple.
static Value getSize(CheckBuilder &b, Value value, int64_t dim) {
  if (Value known = b.sizes.lookup({value, dim}))
    return known;
  Value size = findSize(b, value, dim);
  b.sizes[{value, dim}] = size;
  return size;
}

static SmallVector<Value> getSizes(CheckBuilder &b, Value value) {
  SmallVector<Value> sizes;
  for (int64_t dim = 0; dim < getShapedType(value).getRank(); ++dim)
    sizes.push_back(getSize(b, value, dim));
  return sizes;
}

static Value getRank(CheckBuilder &b, Value value) {
  if (getShapedType(value).hasRank())
    return b.index(getShapedType(value).getRank());
  if (isa<BaseMemRefType>(value.getType()))
    return memref::RankOp::create(b, value);
  return tensor::RankOp::create(b, value);
}

static Value getNumElements(CheckBuilder &b, Value value) {
  if (getShapedType(value).hasRank()) {
    if (getShapedType(value).hasStaticShape())
      return b.index(getShapedType(value).getNumElements());
    return getProduct(b, getSizes(b, value));
  }
  return b.loop(b.index(0), getRank(b, value), b.index(1),
                [&](Value dim, ValueRange count) -> SmallVector<Value> {
                  return {mulSaturating(b, count[0], createDim(b, value, dim))};
                })[0];
}

/// Whether none of `sizes` is 0.
static Value hasElements(LoopBuilder &b, ArrayRef<Value> sizes) {
  Value zero = b.index(0);
  Value result = arith::ConstantIntOp::create(b, 1, 1);
  for (Value size : sizes)
    result = b.bitAnd(result, b.cmp(arith::CmpIPredicate::ne, size, zero));
  return result;
}

/// How many elements there are from `offset` on, in [0, `size`], in steps of
/// `stride`.
static Value countSteps(LoopBuilder &b, Value offset, OpFoldResult stride,
                        Value size) {
  Value left = b.sub(size, offset);
  Value step = b.value(stride);
  std::optional<int64_t> known = getConstantIntValue(stride);
  if (known && *known > 0)
    return b.divUp(left, step);
  // Back to the first, or any number of times the same one.
  Value zero = b.index(0), one = b.index(1);
  Value isBack = b.less(step, zero);
  left = b.select(isBack, b.add(offset, one), left);
  Value distance = b.select(isBack, b.sub(zero, step), step);
  Value count =
      b.divUp(left, arith::MaxUIOp::create(b, distance, one).getResult());
  count = b.select(b.equal(step, zero), b.index(kMaxIndex), count);
  return b.select(b.less(offset, size), count, zero);
}

//===----------------------------------------------------------------------===//
// Indexing maps
//===----------------------------------------------------------------------===//

namespace {

struct IndexRange {
  Value first;
  Value last;
};

/// Builds the values of indexing maps, and whether any has more than 64 bits.
class IndexRanges {
public:
  /// Dimension i is in [0, `sizes`[i]), none of which is 0.
  IndexRanges(LoopBuilder &b, ArrayRef<Value> sizes)
      : b(b), sizes(sizes), overflows(b.flag(false)) {}

  /// The values of `expr`. They are exact where each dimension is met once, as
  /// in all linear expressions.
  IndexRange get(AffineExpr expr);
  /// The first value of `expr`, and the size that its last one needs: the
  /// largest index where there is an overflow.
  std::pair<Value, Value> getFirstAndNeeded(AffineExpr expr) {
    auto [first, last] = get(expr);
    Value needed = add(last, b.index(1));
    return {b.select(overflows, b.index(0), first),
            b.select(overflows, b.index(kMaxIndex), needed)};
  }

private:
  void note(Value overflow) { overflows = b.bitOr(overflows, overflow); }
  Value add(Value lhs, Value rhs);
  Value mul(Value lhs, Value rhs);

  LoopBuilder &b;
  ArrayRef<Value> sizes;
  Value overflows;
};

} // namespace

Value IndexRanges::add(Value lhs, Value rhs) {
  Value sum = b.add(lhs, rhs);
  // The sign is neither one's.
  Value changed = b.bitAnd(arith::XOrIOp::create(b, lhs, sum),
                           arith::XOrIOp::create(b, rhs, sum));
  note(b.less(changed, b.index(0)));
  return sum;
}

Value IndexRanges::mul(Value lhs, Value rhs) {
  auto product = arith::MulSIExtendedOp::create(b, lhs, rhs);
  Value isNegative = b.less(product.getLow(), b.index(0));
  Value sign = b.select(isNegative, b.index(-1), b.index(0));
  note(b.cmp(arith::CmpIPredicate::ne, product.getHigh(), sign));
  return product.getLow();
}

IndexRange IndexRanges::get(AffineExpr expr) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return {b.index(0), b.sub(sizes[dim.getPosition()], b.index(1))};
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    Value value = b.index(constant.getValue());
    return {value, value};
  }
  auto binary = cast<AffineBinaryOpExpr>(expr);
  IndexRange lhs = get(binary.getLHS());
  IndexRange rhs = get(binary.getRHS());
  auto ofBoth = [&](llvm::function_ref<Value(Value)> map) -> IndexRange {
    return {map(lhs.first), map(lhs.last)};
  };
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return {add(lhs.first, rhs.first), add(lhs.last, rhs.last)};
  case AffineExprKind::Mul: {
    IndexRange range = ofBoth([&](Value x) { return mul(x, rhs.first); });
    auto factor = dyn_cast<AffineConstantExpr>(binary.getRHS());
    if (factor && factor.getValue() < 0)
      std::swap(range.first, range.last);
    return range;
  }
  case AffineExprKind::FloorDiv:
    return ofBoth([&](Value x) -> Value {
      return arith::FloorDivSIOp::create(b, x, rhs.first);
    });
  case AffineExprKind::CeilDiv:
    return ofBoth([&](Value x) -> Value {
      return arith::CeilDivSIOp::create(b, x, rhs.first);
    });
  case AffineExprKind::Mod: {
    // All remainders, unless the values have one quotient.
    IndexRange quotient = ofBoth([&](Value x) -> Value {
      return arith::FloorDivSIOp::create(b, x, rhs.first);
    });
    Value isOne = b.equal(quotient.first, quotient.last);
    Value base = b.mul(quotient.first, rhs.first);
    return {
        b.select(isOne, b.sub(lhs.first, base), b.index(0)),
        b.select(isOne, b.sub(lhs.last, base), b.sub(rhs.first, b.index(1)))};
  }
  default:
    llvm_unreachable("not a binary expression");
  }
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

static std::string getDimText(int64_t dim, const Twine &name) {
  return ("dimension " + Twine(dim) + " of " + name).str();
}

namespace {

/// The integers from `first` to `last`.
struct Interval {
  int64_t first = std::numeric_limits<int64_t>::min();
  int64_t last = kMaxIndex;
};

/// What an index is computed by.
struct Arithmetic {
  AffineMap map;
  ValueRange operands;
};

} // namespace

/// Of operations that may wrap.
static std::optional<Arithmetic> getArithmetic(Operation *op) {
  AffineExpr lhs = getAffineDimExpr(0, op->getContext());
  AffineExpr rhs = getAffineDimExpr(1, op->getContext());
  using Result = std::optional<Arithmetic>;
  auto ofBoth = [&](AffineExpr expr) -> Result {
    return Arithmetic{AffineMap::get(2, 0, expr), op->getOperands()};
  };
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](arith::AddIOp) { return ofBoth(lhs + rhs); })
      .Case([&](arith::SubIOp) { return ofBoth(lhs - rhs); })
      .Case([&](arith::MulIOp) { return ofBoth(lhs * rhs); })
      .Case<affine::AffineApplyOp, affine::AffineMinOp, affine::AffineMaxOp>(
          [](auto op) -> Result {
            return Arithmetic{op.getMap(), op.getOperands()};
          })
      .Default(Result());
}

/// The values of `expr`, unless an integer of 64 bits may wrap on the way.
static std::optional<Interval> getInterval(AffineExpr expr, unsigned numDims,
                                           ArrayRef<Interval> operands) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return operands[dim.getPosition()];
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return operands[numDims + symbol.getPosition()];
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return Interval{constant.getValue(), constant.getValue()};
  auto binary = cast<AffineBinaryOpExpr>(expr);
  auto lhs = getInterval(binary.getLHS(), numDims, operands);
  auto rhs = getInterval(binary.getRHS(), numDims, operands);
  if (!lhs || !rhs)
    return std::nullopt;
  if (expr.getKind() == AffineExprKind::Add) {
    std::optional<int64_t> first = llvm::checkedAdd(lhs->first, rhs->first);
    std::optional<int64_t> last = llvm::checkedAdd(lhs->last, rhs->last);
    return first && last ? std::optional(Interval{*first, *last})
                         : std::nullopt;
  }
  if (expr.getKind() == AffineExprKind::Mul) {
    Interval result{kMaxIndex, std::numeric_limits<int64_t>::min()};
    for (int64_t x : {lhs->first, lhs->last})
      for (int64_t y : {rhs->first, rhs->last}) {
        std::optional<int64_t> product = llvm::checkedMul(x, y);
        if (!product)
          return std::nullopt;
        result.first = std::min(result.first, *product);
        result.last = std::max(result.last, *product);
      }
    return result;
  }
  // Divisions are lowered to those of absolute values.
  int64_t divisor = rhs->first;
  if (divisor != rhs->last || divisor <= 0 ||
      lhs->first == std::numeric_limits<int64_t>::min())
    return std::nullopt;
  switch (expr.getKind()) {
  case AffineExprKind::FloorDiv:
    return Interval{llvm::divideFloorSigned(lhs->first, divisor),
                    llvm::divideFloorSigned(lhs->last, divisor)};
  case AffineExprKind::CeilDiv:
    return Interval{llvm::divideCeilSigned(lhs->first, divisor),
                    llvm::divideCeilSigned(lhs->last, divisor)};
  default:
    return Interval{0, divisor - 1};
  }
}

/// As far as the few operations behind `value` tell.
static Interval getInterval(Value value, int maxDepth = 4);

/// The values of each result of `arithmetic`, or nothing if it may wrap.
static std::optional<SmallVector<Interval>>
getIntervals(const Arithmetic &arithmetic, int maxDepth = 4) {
  SmallVector<Interval> operands =
      llvm::map_to_vector(arithmetic.operands, [&](Value operand) {
        return getInterval(operand, maxDepth);
      });
  SmallVector<Interval> results;
  for (AffineExpr expr : arithmetic.map.getResults()) {
    std::optional<Interval> result =
        getInterval(expr, arithmetic.map.getNumDims(), operands);
    if (!result)
      return std::nullopt;
    results.push_back(*result);
  }
  return results;
}

static Interval getMin(Interval a, Interval b) {
  return {std::min(a.first, b.first), std::min(a.last, b.last)};
}
static Interval getMax(Interval a, Interval b) {
  return {std::max(a.first, b.first), std::max(a.last, b.last)};
}

/// The values of an induction variable that stays between its bounds.
static std::optional<Interval> getLoopInterval(BlockArgument variable,
                                               int maxDepth) {
  Operation *op = variable.getOwner()->getParentOp();
  auto loop = dyn_cast_or_null<LoopLikeOpInterface>(op);
  auto forOp = dyn_cast_or_null<scf::ForOp>(op);
  if (!isa_and_nonnull<scf::ForOp, scf::ForallOp, scf::ParallelOp>(op) ||
      (forOp && forOp.getUnsignedCmp()))
    return std::nullopt;
  auto variables = loop.getLoopInductionVars();
  auto *found = llvm::find(*variables, variable);
  if (found == variables->end())
    return std::nullopt;
  int64_t number = found - variables->begin();
  auto getBound = [&](const std::optional<SmallVector<OpFoldResult>> &bounds) {
    OpFoldResult bound = (*bounds)[number];
    if (std::optional<int64_t> known = getConstantIntValue(bound))
      return Interval{*known, *known};
    return getInterval(cast<Value>(bound), maxDepth - 1);
  };
  Interval lower = getBound(loop.getLoopLowerBounds());
  Interval upper = getBound(loop.getLoopUpperBounds());
  Interval step = getBound(loop.getLoopSteps());
  if (step.first < 1 || upper.last < 0)
    return std::nullopt;
  // Behind the last value, after fewer turns than take days.
  bool canWrap = step.last - 1 > kMaxIndex - upper.last &&
                 (step.last > (1 << 12) || lower.last > kMaxIndex / 2);
  if (canWrap)
    return std::nullopt;
  return Interval{lower.first, upper.last - 1};
}

static Interval getInterval(Value value, int maxDepth) {
  if (std::optional<int64_t> known = getConstantIntValue(value))
    return {*known, *known};
  if (maxDepth == 0)
    return {};
  if (auto argument = dyn_cast<BlockArgument>(value))
    return getLoopInterval(argument, maxDepth).value_or(Interval());
  Operation *op = value.getDefiningOp();
  if (isa<tensor::DimOp, memref::DimOp>(op))
    return {0, kMaxIndex};
  if (isa<arith::MinSIOp, arith::MaxSIOp>(op)) {
    Interval lhs = getInterval(op->getOperand(0), maxDepth - 1);
    Interval rhs = getInterval(op->getOperand(1), maxDepth - 1);
    return isa<arith::MinSIOp>(op) ? getMin(lhs, rhs) : getMax(lhs, rhs);
  }
  std::optional<Arithmetic> arithmetic = getArithmetic(op);
  if (!arithmetic)
    return {};
  auto results = getIntervals(*arithmetic, maxDepth - 1);
  if (!results)
    return {};
  return std::accumulate(results->begin() + 1, results->end(), results->front(),
                         isa<affine::AffineMinOp>(op) ? getMin : getMax);
}

/// Whether `value`, or its dimension `dim`, is the integer that its bounds are
/// computed for: they know no wrapping.
static bool isExact(Value value, std::optional<int64_t> dim) {
  Operation *op = value.getDefiningOp();
  if (dim)
    return !op || isa<DestinationStyleOpInterface, CastOpInterface,
                      LoopLikeOpInterface, OffsetSizeAndStrideOpInterface,
                      tensor::EmptyOp, memref::AllocOp, memref::AllocaOp>(op);
  if (!value.getType().isIndex())
    return false;
  if (!op)
    return getLoopInterval(cast<BlockArgument>(value), /*maxDepth=*/4)
        .has_value();
  if (std::optional<Arithmetic> arithmetic = getArithmetic(op))
    return getIntervals(*arithmetic).has_value();
  return isa<arith::ConstantOp, tensor::DimOp, memref::DimOp, arith::MinSIOp,
             arith::MaxSIOp>(op);
}

namespace {

/// Bounds of values, by way of a few of the operations that they come from:
/// what it takes to compare grows fast.
class ValueBounds : public ValueBoundsConstraintSet {
public:
  static bool compare(const Variable &lhs, ComparisonOperator is,
                      const Variable &rhs) {
    return ValueBounds(lhs.getContext()).populateAndCompare(lhs, is, rhs);
  }

private:
  static constexpr int kMaxValues = 16;

  explicit ValueBounds(MLIRContext *context)
      : ValueBoundsConstraintSet(
            context,
            [left = kMaxValues](Value value, std::optional<int64_t> dim,
                                ValueBoundsConstraintSet &) mutable {
              return left-- <= 0 || !isExact(value, dim);
            },
            /*addConservativeSemiAffineBounds=*/false) {}
};

} // namespace

static bool isAtLeast(Value value, Value limit) {
  if (auto min = value.getDefiningOp<arith::MinSIOp>())
    return isAtLeast(min.getLhs(), limit) && isAtLeast(min.getRhs(), limit);
  // What bounds a minimum from below is not convex: each alternative counts.
  if (auto min = value.getDefiningOp<affine::AffineMinOp>())
    return isExact(value, /*dim=*/std::nullopt) &&
           llvm::all_of(llvm::seq(min.getMap().getNumResults()),
                        [&](unsigned i) {
                          ValueBounds::Variable alternative(
                              min.getMap().getSubMap(i), min.getOperands());
                          return ValueBounds::compare(alternative,
                                                      ValueBounds::GE, limit);
                        });
  return ValueBounds::compare(value, ValueBounds::GE, limit);
}

static bool isAtMost(Value value, Value limit) {
  return value == limit || ValueBounds::compare(value, ValueBounds::LE, limit);
}

/// Whether the last of `size` elements from `offset` on, in steps of `stride`,
/// comes before `end`.
static bool endsBefore(Value offset, Value size, int64_t stride, Value end) {
  if (auto min = size.getDefiningOp<arith::MinSIOp>())
    return endsBefore(offset, min.getLhs(), stride, end) ||
           endsBefore(offset, min.getRhs(), stride, end);
  MLIRContext *context = size.getContext();
  AffineExpr last = getAffineDimExpr(0, context) +
                    (getAffineDimExpr(1, context) - 1) * stride;
  ValueBounds::Variable index(AffineMap::get(2, 0, last),
                              ValueRange{offset, size});
  return ValueBounds::compare(index, ValueBounds::LT, end);
}

/// Where operations can stand before `op`.
static Operation *getPlace(Operation *op) {
  return isa<ParallelCombiningOpInterface>(op) ? op->getParentOp() : op;
}

namespace {

/// Creates the checks of one operation before it.
class Checks {
public:
  explicit Checks(Operation *op) : op(op), b(op->getLoc(), getPlace(op)) {}

  void create() {
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](RowIndexingOpInterface op) {
          ofRelations();
          ofNumRows(op);
        })
        .Case<ReduceOp, InverseFrequenciesOp>([&](auto) { ofRelations(); })
        .Case([&](linalg::LinalgOp op) { ofLoops(op); })
        .Case<tensor::ExtractSliceOp, memref::SubViewOp>(
            [&](auto op) { ofSlice(op, op.getSource()); })
        .Case<tensor::InsertSliceOp, tensor::ParallelInsertSliceOp>(
            [&](auto op) {
              ofSlice(op, op.getDest());
              ofInserted(op);
            })
        .Case([&](tensor::PadOp op) { ofPad(op); })
        .Case([&](tensor::ConcatOp op) { ofConcat(op); })
        .Case<tensor::ExpandShapeOp, memref::ExpandShapeOp>(
            [&](auto op) { ofExpandShape(op); })
        .Case([&](memref::CollapseShapeOp op) { ofCollapseShape(op); })
        .Case<tensor::ReshapeOp, memref::ReshapeOp>(
            [&](auto op) { ofReshape(op.getSource(), op.getShape()); })
        .Case<tensor::CastOp, memref::CastOp>(
            [&](auto op) { ofCast(op.getSource()); })
        .Case([&](memref::CopyOp op) {
          ofCopy(op.getSource(), op.getTarget(), "target");
        })
        .Case([&](bufferization::MaterializeInDestinationOp op) {
          ofCopy(op.getSource(), op.getDest(), "dest");
        })
        .Case([&](memref::ViewOp op) { ofView(op); })
        .Case<tensor::DimOp, memref::DimOp>(
            [&](auto op) { ofDim(op.getSource(), op.getIndex()); });
  }

private:
  void expect(Value actual, Value expected, const Twine &what,
              const Twine &other = "", Value offset = {}, Value whole = {}) {
    ExpectSizeOp::create(b, actual, expected,
                         op->getName().getStringRef() + ": expected " + what +
                             " to be" + (other.isTriviallyEmpty() ? "" : " ") +
                             other,
                         offset, whole);
  }
  void expectAtLeast(Value actual, Value limit, const Twine &what) {
    if (!isAtLeast(actual, limit))
      expect(b.min(actual, limit), limit, what, "at least");
  }
  void expectAtMost(Value actual, Value limit, const Twine &what,
                    Value offset = {}, Value whole = {}) {
    if (!isAtMost(actual, limit))
      expect(b.max(actual, limit), limit, what, "at most", offset, whole);
  }
  void expectInRange(Value actual, Value last, const Twine &what) {
    expectAtLeast(actual, b.index(0), what);
    expectAtMost(actual, last, what);
  }

  void ofRelations();
  void ofNumRows(RowIndexingOpInterface op);
  void ofLoops(linalg::LinalgOp op);
  void ofSlice(OffsetSizeAndStrideOpInterface op, Value whole);
  template <typename OpTy> void ofInserted(OpTy op);
  void ofPad(tensor::PadOp op);
  void ofConcat(tensor::ConcatOp op);
  template <typename OpTy> void ofExpandShape(OpTy op);
  void ofCollapseShape(memref::CollapseShapeOp op);
  void ofReshape(Value source, Value shape);
  void ofCast(Value source);
  void ofLayout(Value source, MemRefType result);
  void ofCopy(Value source, Value target, StringRef targetName);
  void ofView(memref::ViewOp op);
  void ofDim(Value source, Value number);

  Operation *op;
  CheckBuilder b;
};

} // namespace

void Checks::ofRelations() {
  for (const SizeRelation &relation : getSizeRelations(op)) {
    bool isDim = relation.otherDim.has_value();
    Value expected = isDim ? getSize(b, relation.other, *relation.otherDim)
                           : getNumElements(b, relation.other);
    std::string other = isDim
                            ? getDimText(*relation.otherDim, relation.otherName)
                            : "the number of indices";
    if (relation.more != 0) {
      expected = b.add(expected, b.index(relation.more));
      other += (relation.more > 0 ? " and " : " less ") +
               std::to_string(std::abs(relation.more));
    }
    expect(getSize(b, relation.operand, relation.dim), expected,
           getDimText(relation.dim, relation.name), other + ",");
  }
}

/// Positions and rows are sorted as one number of 64 bits.
void Checks::ofNumRows(RowIndexingOpInterface op) {
  Value numRows = op.getTableOrNumRows();
  if (!numRows.getType().isIndex())
    return;
  Value zero = b.index(0), one = b.index(1);
  Value last = b.max(b.sub(getNumElements(b, op.getIndices()), one), zero);
  Value positionBits = b.toIndex(b.bitWidth(b.toI64(last)));
  // The largest index has 63 bits.
  Value numBits = b.min(b.sub(b.index(64), positionBits), b.index(63));
  Value limit = b.shiftRight(b.index(kMaxIndex), b.sub(b.index(63), numBits));
  expectInRange(numRows, limit, "num_rows");
}

/// Dimensions of operands that one loop walks have one size, and other indices
/// lie in theirs.
void Checks::ofLoops(linalg::LinalgOp op) {
  struct Dim {
    OpOperand *operand = nullptr;
    int64_t number = 0;
    AffineExpr index;

    /// As `ins` and `outs` have them.
    std::string getText() const {
      auto op = cast<DestinationStyleOpInterface>(operand->getOwner());
      int64_t position = operand->getOperandNumber();
      bool isOutput = op.isDpsInit(operand);
      if (isOutput)
        position -= op.getNumDpsInputs();
      return getDimText(number,
                        (isOutput ? "output " : "input ") + Twine(position));
    }
  };
  SmallVector<Dim> loops(op.getNumLoops());
  SmallVector<Dim> others;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [number, index] : llvm::enumerate(map.getResults())) {
      Dim dim{&operand, static_cast<int64_t>(number), index};
      auto loop = dyn_cast<AffineDimExpr>(index);
      if (!loop) {
        others.push_back(dim);
        continue;
      }
      Dim &first = loops[loop.getPosition()];
      if (!first.operand)
        first = dim;
      else
        expect(getSize(b, operand.get(), dim.number),
               getSize(b, first.operand->get(), first.number), dim.getText(),
               first.getText() + ",");
    }
  }
  if (others.empty())
    return;
  SmallVector<Value> sizes = llvm::map_to_vector(loops, [&](const Dim &first) {
    return getSize(b, first.operand->get(), first.number);
  });
  // Without a turn nothing is indexed.
  Value hasTurns = hasElements(b, sizes), zero = b.index(0);
  for (const Dim &dim : others) {
    auto [first, needed] = IndexRanges(b, sizes).getFirstAndNeeded(dim.index);
    expectAtLeast(b.select(hasTurns, first, zero), zero,
                  "indices of " + dim.getText());
    expectAtLeast(getSize(b, dim.operand->get(), dim.number),
                  b.select(hasTurns, needed, zero), dim.getText());
  }
}

/// A slice lies in `whole`.
void Checks::ofSlice(OffsetSizeAndStrideOpInterface op, Value whole) {
  SmallVector<OpFoldResult> strides = op.getMixedStrides();
  for (auto [dim, mixedOffset, mixedSize] :
       llvm::enumerate(op.getMixedOffsets(), op.getMixedSizes())) {
    Value offset = b.value(mixedOffset), size = b.value(mixedSize);
    Value wholeSize = getSize(b, whole, dim);
    std::string offsetName = ("offset of dimension " + Twine(dim)).str();
    std::string sizeName = ("size of dimension " + Twine(dim)).str();
    expectAtLeast(offset, b.index(0), offsetName);
    expectAtLeast(size, b.index(0), sizeName);
    std::optional<int64_t> stride = getConstantIntValue(strides[dim]);
    if (stride && *stride > 0 && endsBefore(offset, size, *stride, wholeSize))
      continue;
    expectAtMost(offset, wholeSize, offsetName);
    expectAtMost(size, countSteps(b, offset, strides[dim], wholeSize), sizeName,
                 offset, wholeSize);
  }
}

/// What is inserted has the sizes of the slice.
template <typename OpTy> void Checks::ofInserted(OpTy op) {
  llvm::SmallBitVector dropped = op.getDroppedDims();
  int64_t sourceDim = 0;
  for (auto [dim, size] : llvm::enumerate(op.getMixedSizes()))
    if (!dropped.test(dim)) {
      expect(getSize(b, op.getSource(), sourceDim), b.value(size),
             getDimText(sourceDim, "source"),
             "the size of dimension " + Twine(dim) + " of the slice,");
      ++sourceDim;
    }
}

void Checks::ofPad(tensor::PadOp op) {
  SmallVector<OpFoldResult> low = op.getMixedLowPad(),
                            high = op.getMixedHighPad();
  for (int64_t dim = 0; dim < op.getResultType().getRank(); ++dim) {
    Value limit = b.index(kMaxPadding);
    expectInRange(b.value(low[dim]), limit,
                  "low padding of dimension " + Twine(dim));
    expectInRange(b.value(high[dim]), limit,
                  "high padding of dimension " + Twine(dim));
    if (!op.getResultType().isDynamicDim(dim))
      expect(getResultSize(b, op, dim),
             b.index(op.getResultType().getDimSize(dim)),
             getDimText(dim, "source") + " with its padding");
  }
}

void Checks::ofConcat(tensor::ConcatOp op) {
  for (int64_t dim = 0; dim < op.getRank(); ++dim) {
    int64_t resultSize = op.getResultType().getDimSize(dim);
    bool isStatic = ShapedType::isStatic(resultSize);
    if (dim == static_cast<int64_t>(op.getDim())) {
      if (isStatic)
        expect(getResultSize(b, op, dim), b.index(resultSize),
               "dimensions " + Twine(dim) + " of all operands together");
      continue;
    }
    for (auto [number, input] : llvm::enumerate(op.getInputs())) {
      std::string name = getDimText(dim, "operand " + Twine(number));
      if (isStatic)
        expect(getSize(b, input, dim), b.index(resultSize), name);
      else if (number != 0)
        expect(getSize(b, input, dim), getSize(b, op.getInputs()[0], dim), name,
               getDimText(dim, "operand 0") + ",");
    }
  }
}

template <typename OpTy> void Checks::ofExpandShape(OpTy op) {
  SmallVector<OpFoldResult> shape = op.getMixedOutputShape();
  for (auto [dim, group] : llvm::enumerate(op.getReassociationIndices())) {
    SmallVector<Value> sizes;
    for (int64_t resultDim : group) {
      sizes.push_back(b.value(shape[resultDim]));
      expectAtLeast(sizes.back(), b.index(0), getDimText(resultDim, "result"));
    }
    std::string name = getDimText(group.front(), "result");
    if (group.size() > 1)
      name = ("the product of dimensions " + Twine(group.front()) + " to " +
              Twine(group.back()) + " of result")
                 .str();
    expect(getProduct(b, sizes), getSize(b, op.getSrc(), dim), name,
           getDimText(dim, "source") + ",");
  }
}

/// Of dimensions that become one, each begins where the next one ends.
void Checks::ofCollapseShape(memref::CollapseShapeOp op) {
  MemRefType type = op.getSrcType();
  if (type.getLayout().isIdentity())
    return;
  auto metadata = memref::ExtractStridedMetadataOp::create(b, op.getSrc());
  SmallVector<Value> sizes = getSizes(b, op.getSrc());
  Value hasAny = hasElements(b, sizes);
  SmallVector<int64_t> strides = type.getStridesAndOffset().first;
  auto getStride = [&](int64_t dim) -> Value {
    return ShapedType::isStatic(strides[dim]) ? b.index(strides[dim])
                                              : metadata.getStrides()[dim];
  };
  for (const ReassociationIndices &group : op.getReassociationIndices())
    for (int64_t dim : ArrayRef<int64_t>(group).drop_back()) {
      Value expected = b.mul(getStride(dim + 1), sizes[dim + 1]);
      Value matters = b.bitAnd(hasAny, b.less(b.index(1), sizes[dim]));
      expect(b.select(matters, getStride(dim), expected), expected,
             "stride of " + getDimText(dim, "source"));
    }
}

/// A shape of the result that has the elements of `source`.
void Checks::ofReshape(Value source, Value shape) {
  auto getElement = [&](Value number) {
    Value size = loadElement(b, b.getLoc(), shape, number);
    return size.getType().isIndex() ? size : b.toIndex(size);
  };
  auto type = cast<ShapedType>(op->getResultTypes()[0]);
  Value count;
  if (type.hasRank()) {
    SmallVector<Value> sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      Value size = getElement(b.index(dim));
      std::string name = ("element " + Twine(dim) + " of shape").str();
      if (type.isDynamicDim(dim)) {
        expectAtLeast(size, b.index(0), name);
        sizes.push_back(size);
      } else {
        sizes.push_back(b.index(type.getDimSize(dim)));
        expect(size, sizes.back(), name);
      }
    }
    count = getProduct(b, sizes);
  } else {
    count = b.loop(b.index(0), getSize(b, shape, 0), b.index(1),
                   [&](Value number, ValueRange product) -> SmallVector<Value> {
                     Value size = getElement(number);
                     expectAtLeast(size, b.index(0), "elements of shape");
                     return {mulSaturating(b, product[0], size)};
                   })[0];
  }
  expect(count, getNumElements(b, source), "the product of shape",
         "the number of elements of source,");
}

/// A cast that makes sizes static promises them.
void Checks::ofCast(Value source) {
  ShapedType from = getShapedType(source);
  auto to = cast<ShapedType>(op->getResultTypes()[0]);
  if (!to.hasRank())
    return;
  if (!from.hasRank())
    expect(getRank(b, source), b.index(to.getRank()), "rank of source");
  for (int64_t dim = 0; dim < to.getRank(); ++dim)
    if (!to.isDynamicDim(dim) && (!from.hasRank() || from.isDynamicDim(dim)))
      expect(getSize(b, source, dim), b.index(to.getDimSize(dim)),
             getDimText(dim, "source"));
  if (auto memref = dyn_cast<MemRefType>(to))
    ofLayout(source, memref);
}

/// A cast that makes an offset or strides static promises them, too.
void Checks::ofLayout(Value source, MemRefType result) {
  int64_t rank = result.getRank();
  SmallVector<int64_t> strides, knownStrides(rank, ShapedType::kDynamic);
  int64_t offset, knownOffset = ShapedType::kDynamic;
  if (failed(result.getStridesAndOffset(strides, offset)))
    return;
  auto from = dyn_cast<MemRefType>(source.getType());
  if (from && failed(from.getStridesAndOffset(knownStrides, knownOffset)))
    return;
  auto isPromise = [](int64_t known, int64_t promised) {
    return ShapedType::isDynamic(known) && ShapedType::isStatic(promised);
  };
  if (!isPromise(knownOffset, offset) &&
      llvm::none_of(llvm::zip_equal(knownStrides, strides), [&](auto pair) {
        return isPromise(std::get<0>(pair), std::get<1>(pair));
      }))
    return;
  if (!from) {
    auto layout = StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic,
                                         knownStrides);
    SmallVector<int64_t> shape(rank, ShapedType::kDynamic);
    source =
        memref::CastOp::create(b,
                               MemRefType::get(shape, result.getElementType(),
                                               layout, result.getMemorySpace()),
                               source);
  }
  auto metadata = memref::ExtractStridedMetadataOp::create(b, source);
  if (isPromise(knownOffset, offset))
    expect(metadata.getOffset(), b.index(offset), "offset of source");
  SmallVector<Value> sizes = getSizes(b, source);
  Value hasAny = hasElements(b, sizes);
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (!isPromise(knownStrides[dim], strides[dim]))
      continue;
    // The stride of one element is no one's.
    Value expected = b.index(strides[dim]);
    Value matters = b.bitAnd(hasAny, b.less(b.index(1), sizes[dim]));
    expect(b.select(matters, metadata.getStrides()[dim], expected), expected,
           "stride of " + getDimText(dim, "source"));
  }
}

void Checks::ofCopy(Value source, Value target, StringRef targetName) {
  if (!getShapedType(source).hasRank() || !getShapedType(target).hasRank()) {
    Value rank = getRank(b, source);
    expect(getRank(b, target), rank, "rank of " + targetName,
           "rank of source,");
    b.loop(b.index(0), rank, [&](Value dim) {
      expect(createDim(b, target, dim), createDim(b, source, dim),
             "dimensions of " + targetName, "those of source,");
    });
    return;
  }
  for (int64_t dim = 0; dim < getShapedType(source).getRank(); ++dim)
    expect(getSize(b, target, dim), getSize(b, source, dim),
           getDimText(dim, targetName), getDimText(dim, "source") + ",");
}

void Checks::ofView(memref::ViewOp op) {
  MemRefType type = op.getType();
  SmallVector<Value> factors;
  for (auto [number, size] : llvm::enumerate(op.getSizes())) {
    expectAtLeast(size, b.index(0), "size " + Twine(number));
    factors.push_back(size);
  }
  int64_t bytes = DataLayout::closest(op).getTypeSize(type.getElementType());
  for (int64_t size : type.getShape())
    if (ShapedType::isStatic(size))
      factors.push_back(b.index(size));
  factors.push_back(b.index(bytes));
  Value needed = getProduct(b, factors), size = getSize(b, op.getSource(), 0);
  expectAtLeast(size, needed, getDimText(0, "source"));
  expectInRange(op.getByteShift(), b.sub(size, needed), "byte_shift");
}

void Checks::ofDim(Value source, Value number) {
  ShapedType type = getShapedType(source);
  std::optional<int64_t> known = getConstantIntValue(number);
  if (known && type.hasRank() && *known >= 0 && *known < type.getRank())
    return;
  expectInRange(number, b.sub(getRank(b, source), b.index(1)), "index");
}

//===----------------------------------------------------------------------===//
// Where they run
//===----------------------------------------------------------------------===//

/// Whether `op` may be computed before what comes before it: an assertion may
/// guard a division, or the position of an element.
static bool canMove(Operation *op) {
  return isPure(op) && !isa<tensor::ExtractOp>(op);
}

/// Moves the checks of what every call does to the start of `function`, as far
/// as its arguments determine the sizes: a call that fails has written nothing.
static void moveToStart(func::FuncOp function) {
  Block &entry = function.getBody().front();
  OpBuilder b(function);
  b.setInsertionPointToStart(&entry);
  IRMapping mapping;
  mapping.map(function.getArguments(), function.getArguments());
  for (auto check : llvm::make_early_inc_range(entry.getOps<ExpectSizeOp>())) {
    if (!llvm::all_of(check->getOperands(), [&](Value value) {
          return succeeded(cloneComputation(b, value, mapping, canMove));
        }))
      continue;
    b.clone(*check, mapping);
    check.erase();
  }
}

namespace {

struct EmbeddingCheckSizes
    : embedding::impl::EmbeddingCheckSizesPassBase<EmbeddingCheckSizes> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    SmallVector<Operation *> ops;
    function.walk([&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops)
      Checks(op).create();
    moveToStart(function);
  }
};

} // namespace
