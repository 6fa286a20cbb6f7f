//===- EmbeddingDialect.cpp - Embedding dialect ---------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowIndexing.h"
#include "SizeRelations.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Transforms/InliningUtils.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace mlir;
using namespace mlir::embedding;

//===----------------------------------------------------------------------===//
// Custom assembly: a number or a value
//===----------------------------------------------------------------------===//

using UnresolvedOperand = OpAsmParser::UnresolvedOperand;

/// Parses a value if there is one, and tells whether there was.
static ParseResult parseDynamic(OpAsmParser &parser,
                                std::optional<UnresolvedOperand> &operand,
                                bool &isDynamic) {
  UnresolvedOperand parsed;
  OptionalParseResult result = parser.parseOptionalOperand(parsed);
  isDynamic = result.has_value();
  if (!isDynamic)
    return success();
  operand = parsed;
  return *result;
}

static ParseResult parseStaticOrDynamicF64(OpAsmParser &parser,
                                           std::optional<UnresolvedOperand> &op,
                                           FloatAttr &attribute) {
  bool isDynamic = false;
  if (failed(parseDynamic(parser, op, isDynamic)))
    return failure();
  if (isDynamic)
    return success();
  return parser.parseAttribute(attribute, parser.getBuilder().getF64Type());
}

static void printStaticOrDynamicF64(OpAsmPrinter &printer, Operation *,
                                    Value value, FloatAttr attribute) {
  if (value)
    printer << value;
  else
    printer.printAttributeWithoutType(attribute);
}

static ParseResult
parseStaticOrDynamicIndex(OpAsmParser &parser,
                          std::optional<UnresolvedOperand> &op,
                          std::optional<int64_t> &number) {
  bool isDynamic = false;
  if (failed(parseDynamic(parser, op, isDynamic)))
    return failure();
  if (isDynamic)
    return success();
  return parser.parseInteger(number.emplace());
}

static void printStaticOrDynamicIndex(OpAsmPrinter &printer, Operation *,
                                      Value value,
                                      std::optional<int64_t> number) {
  if (value)
    printer << value;
  else
    printer << *number;
}

//===----------------------------------------------------------------------===//
// Dialect
//===----------------------------------------------------------------------===//

#include "embedding/IR/EmbeddingDialect.cpp.inc"
#include "embedding/IR/EmbeddingEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "embedding/IR/EmbeddingAttrs.cpp.inc"
#include "embedding/IR/EmbeddingInterfaces.cpp.inc"

#define GET_OP_CLASSES
#include "embedding/IR/EmbeddingOps.cpp.inc"

namespace {

/// Operations have no regions and stand wherever their operands do.
struct EmbeddingInlinerInterface : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;

  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final {
    return true;
  }
};

} // namespace

void EmbeddingDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "embedding/IR/EmbeddingOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "embedding/IR/EmbeddingAttrs.cpp.inc"
      >();
  addInterfaces<EmbeddingInlinerInterface>();
}

//===----------------------------------------------------------------------===//
// Schedules
//===----------------------------------------------------------------------===//

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   std::optional<Grouping>,
                                   std::optional<int64_t> prefetchRows,
                                   std::optional<int64_t> prefetchLocality,
                                   std::optional<Streaming>,
                                   std::optional<int64_t> vectorBytes,
                                   std::optional<int64_t> unroll) {
  if (prefetchRows && *prefetchRows < 0)
    return emitError() << "expected prefetch_rows to be at least 0, but got "
                       << *prefetchRows;
  if (prefetchLocality && (*prefetchLocality < 0 || *prefetchLocality > 3))
    return emitError() << "expected prefetch_locality to be in [0, 3], but got "
                       << *prefetchLocality;
  if (vectorBytes && (*vectorBytes < 1 || !llvm::isPowerOf2_64(*vectorBytes)))
    return emitError() << "expected vector_bytes to be a power of two, but got "
                       << *vectorBytes;
  if (unroll && *unroll < 1)
    return emitError() << "expected unroll to be at least 1, but got "
                       << *unroll;
  return success();
}

ScheduleAttr embedding::getSchedule(Operation *op) {
  if (auto schedule = op->getAttrOfType<ScheduleAttr>(kScheduleAttrName))
    return schedule;
  return ScheduleAttr::get(op->getContext(), {}, {}, {}, {}, {}, {});
}

void embedding::copySchedule(Operation *from, Operation *to) {
  if (Attribute schedule = from->getAttr(kScheduleAttrName))
    to->setAttr(kScheduleAttrName, schedule);
}

/// Whether `op` can group positions as `grouping` has it.
static bool supports(Operation *op, Grouping grouping) {
  switch (grouping) {
  case Grouping::radix_sort:
  case Grouping::counting_sort:
    return true;
  case Grouping::scatter:
    return isa<DenseGradOp>(op);
  case Grouping::bitmap:
    return isa<RenormOp, RenormLookupOp>(op);
  }
  llvm_unreachable("no such grouping");
}

LogicalResult
EmbeddingDialect::verifyOperationAttribute(Operation *op,
                                           NamedAttribute attribute) {
  if (attribute.getName() != kScheduleAttrName)
    return success();
  auto schedule = dyn_cast<ScheduleAttr>(attribute.getValue());
  if (!schedule)
    return op->emitOpError("expected ")
           << kScheduleAttrName << " to be an #embedding.schedule, but got "
           << attribute.getValue();
  if (isa<RowIndexingOpInterface>(op) && schedule.getGrouping() &&
      !supports(op, *schedule.getGrouping()))
    return op->emitOpError("expected another grouping than ")
           << stringifyGrouping(*schedule.getGrouping());
  return success();
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

Operation *EmbeddingDialect::materializeConstant(OpBuilder &builder,
                                                 Attribute value, Type type,
                                                 Location loc) {
  return arith::ConstantOp::materialize(builder, value, type, loc);
}

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

/// Whether a value of `type` occupies the same number of bits on every target.
static bool hasFixedWidth(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return hasFixedWidth(complex.getElementType());
  if (auto vector = dyn_cast<VectorType>(type))
    return !vector.isScalable() && hasFixedWidth(vector.getElementType());
  return type.isIntOrFloat();
}

/// The bits of a value of `type`, or nothing if there are 2^63 or more. Index
/// and what has no fixed width counts as 64 bits.
static std::optional<int64_t> getBits(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type)) {
    std::optional<int64_t> part = getBits(complex.getElementType());
    return part ? llvm::checkedMul<int64_t>(*part, 2) : std::nullopt;
  }
  if (auto vector = dyn_cast<VectorType>(type)) {
    std::optional<int64_t> bits = getBits(vector.getElementType());
    for (int64_t size : vector.getShape())
      bits = bits ? llvm::checkedMul(*bits, size) : std::nullopt;
    return bits;
  }
  return type.isIntOrFloat() ? type.getIntOrFloatBitWidth() : 64;
}

/// The bytes that a shape spans with `strides` in elements, dynamic ones and
/// sizes being 1; or nothing if there are 2^63 or more.
static std::optional<int64_t> getSpan(ArrayRef<int64_t> shape,
                                      ArrayRef<int64_t> strides, int64_t offset,
                                      int64_t elementBytes) {
  auto known = [](int64_t value) {
    return ShapedType::isDynamic(value) ? int64_t(1) : value;
  };
  std::optional<int64_t> last = known(offset);
  for (auto [size, stride] : llvm::zip_equal(shape, strides)) {
    // The pitch is multiplied by bytes whether there are several or not.
    auto reach = llvm::checkedMul(std::max<int64_t>(known(size), 1),
                                  std::abs(known(stride)));
    last = last && reach ? llvm::checkedAdd(*last, *reach) : std::nullopt;
  }
  return last ? llvm::checkedMul(*last, elementBytes) : std::nullopt;
}

std::string embedding::getObstacleToAddressing(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped || !shaped.hasRank())
    return "";
  std::optional<int64_t> bits = getBits(shaped.getElementType());
  if (bits == 0)
    return "elements of at least 1 bit";
  std::optional<int64_t> bytes;
  if (bits)
    bytes = llvm::divideCeil(*bits, 8);
  std::optional<int64_t> total = bytes;
  // A row of a table of none is still a row.
  for (int64_t size : shaped.getShape())
    if (total && !ShapedType::isDynamic(size))
      total = llvm::checkedMul(*total, std::max<int64_t>(size, 1));
  auto memref = dyn_cast<MemRefType>(type);
  SmallVector<int64_t> strides;
  int64_t offset = 0;
  if (memref && total && succeeded(memref.getStridesAndOffset(strides, offset)))
    total = getSpan(memref.getShape(), strides, offset, *bytes);
  return total ? "" : "fewer than 2^63 bytes";
}

LogicalResult embedding::detail::verifyAddressableOperands(Operation *op) {
  for (auto [number, type] : llvm::enumerate(op->getOperandTypes())) {
    std::string expected = getObstacleToAddressing(type);
    if (!expected.empty())
      return op->emitOpError("expected operand #")
             << number << " to have " << expected << ", but got " << type;
  }
  return success();
}

OutOfRangeIndices embedding::findOutOfRange(DenseIntElementsAttr indices,
                                            int64_t numRows) {
  OutOfRangeIndices found;
  for (auto [position, element] : llvm::enumerate(indices.getValues<APInt>())) {
    int64_t index = element.getSExtValue();
    if (index >= 0 && index < numRows)
      continue;
    if (found.count++ == 0) {
      found.position = static_cast<int64_t>(position);
      found.index = index;
    }
  }
  return found;
}

std::optional<int64_t> embedding::getStaticNumRows(Value tableOrNumRows) {
  auto table = dyn_cast<ShapedType>(tableOrNumRows.getType());
  if (!table)
    return getConstantIntValue(tableOrNumRows);
  if (table.getRank() < 1 || table.isDynamicDim(0))
    return std::nullopt;
  return table.getDimSize(0);
}

OpFoldResult embedding::getMixedNumRows(OpBuilder &builder, Location loc,
                                        Value tableOrNumRows) {
  if (std::optional<int64_t> numRows = getStaticNumRows(tableOrNumRows))
    return builder.getIndexAttr(*numRows);
  if (isa<RankedTensorType>(tableOrNumRows.getType()))
    return tensor::getMixedSize(builder, loc, tableOrNumRows, 0);
  if (isa<MemRefType>(tableOrNumRows.getType()))
    return memref::getMixedSize(builder, loc, tableOrNumRows, 0);
  return tableOrNumRows;
}

FindOutOfRangeOp embedding::createCheck(OpBuilder &builder,
                                        RowIndexingOpInterface op) {
  Location loc = op.getLoc();
  Value numRows = getValueOrCreateConstantIndexOp(builder, loc,
                                                  op.getMixedNumRows(builder));
  auto found = FindOutOfRangeOp::create(builder, loc, op.getIndices(), numRows);
  ReportOutOfRangeOp::create(
      builder, loc, found.getPosition(), found.getIndex(), found.getCount(),
      numRows,
      builder.getStringAttr(op->getName().getStringRef() + ": indices"));
  return found;
}

LogicalResult embedding::verifyOneForm(Operation *op) {
  bool onTensors =
      isa<TensorType>(op->getOperand(op->getNumOperands() - 1).getType());
  for (Type type : op->getOperandTypes())
    if (isa<ShapedType>(type) && isa<TensorType>(type) != onTensors)
      return op->emitOpError(
          "expected operands to be all tensors or all memrefs");
  return success();
}

LogicalResult embedding::verifyPaddingIdx(Operation *op,
                                          std::optional<int64_t> paddingIdx,
                                          std::optional<int64_t> numRows) {
  if (paddingIdx && numRows &&
      (*paddingIdx < -*numRows || *paddingIdx >= *numRows))
    return op->emitOpError("expected padding_idx to be in [")
           << -*numRows << ", " << *numRows << "), but got " << *paddingIdx;
  return success();
}

void embedding::getRowIndexingEffects(
    Operation *op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects,
    bool readsInits) {
  auto destination = cast<DestinationStyleOpInterface>(op);
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    bool isInit = destination.isDpsInit(&operand);
    if (!isInit ||
        (readsInits &&
         operand.getOperandNumber() ==
             destination.getDpsInitsMutable().begin()->getOperandNumber()))
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
    if (isInit)
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
  }
  if (cast<RowIndexingOpInterface>(op).getOutOfRange() == OutOfRange::check)
    effects.emplace_back(MemoryEffects::Write::get(), OutOfRangeReport::get());
}

Speculation::Speculatability
embedding::getRowIndexingSpeculatability(Operation *op) {
  // A hoisted `assume` could run where its promise does not hold, and a hoisted
  // `check` could report what the program never looks up.
  OutOfRange mode = cast<RowIndexingOpInterface>(op).getOutOfRange();
  bool isTotal = mode == OutOfRange::clamp || mode == OutOfRange::zero;
  return op->getNumResults() > 0 && isTotal ? Speculation::Speculatable
                                            : Speculation::NotSpeculatable;
}

//===----------------------------------------------------------------------===//
// LookupOp
//===----------------------------------------------------------------------===//

void LookupOp::build(OpBuilder &builder, OperationState &state, Value table,
                     Value indices, Value init, OutOfRange outOfRange,
                     std::optional<int64_t> paddingIdx) {
  state.addOperands({table, indices, init});
  if (isa<RankedTensorType>(init.getType()))
    state.addTypes(init.getType());
  auto &properties = state.getOrAddProperties<Properties>();
  properties.setOutOfRange(outOfRange);
  properties.setPaddingIdx(paddingIdx);
}

Value LookupOp::getTableOrNumRows() { return getTable(); }

LogicalResult LookupOp::verify() {
  ShapedType table = getTableType(), indices = getIndicesType(),
             init = getInitType();

  // C1
  if (table.getRank() != 2)
    return emitOpError("expected table to have rank 2, but got ") << table;
  // C2
  if (!hasFixedWidth(table.getElementType()))
    return emitOpError(
               "expected elements of table to have a fixed width, but got ")
           << table.getElementType();
  if (table.getElementType() != init.getElementType())
    return emitOpError("expected elements of init to be those of table, ")
           << table.getElementType() << ", but got " << init.getElementType();
  // C3
  if (init.getRank() != indices.getRank() + 1)
    return emitOpError("expected init to have rank ")
           << indices.getRank() + 1 << ", one more than indices, but got "
           << init.getRank();
  // C4, C5
  for (const SizeRelation &relation : getSizeRelations(*this)) {
    if (relation.isPossible())
      continue;
    auto error = emitOpError("expected ");
    if (relation.dim < indices.getRank())
      error << "dimension " << relation.dim
            << " of init to be that of indices, ";
    else
      error << "last dimension of init to be the row length of table, ";
    return error << relation.getStaticExpected() << ", but got "
                 << relation.getStaticSize();
  }
  // C6
  if (failed(verifyPaddingIdx(*this, getPaddingIdx(), getStaticNumRows())))
    return failure();
  // C7
  if (failed(verifyOneForm(*this)))
    return failure();
  bool onTensors = isa<TensorType>(table);
  if (onTensors != static_cast<bool>(getResult()))
    return emitOpError(onTensors ? "expected one result on tensors"
                                 : "expected no result on memrefs");
  return success();
}

LogicalResult
LookupOp::reifyResultShapes(OpBuilder &builder,
                            ReifiedRankedShapedTypeDims &reifiedShapes) {
  if (!getResult())
    return failure();
  // The shape of the sources rather than that of init, so that `tensor.dim` of
  // the result does not keep the destination alive.
  SmallVector<OpFoldResult> shape;
  for (int64_t dim = 0; dim < getInitType().getRank(); ++dim) {
    if (ShapedType::isStatic(getInitType().getDimSize(dim)))
      shape.push_back(builder.getIndexAttr(getInitType().getDimSize(dim)));
    else if (dim < getIndicesType().getRank())
      shape.push_back(
          tensor::getMixedSize(builder, getLoc(), getIndices(), dim));
    else
      shape.push_back(tensor::getMixedSize(builder, getLoc(), getTable(), 1));
  }
  reifiedShapes.push_back(std::move(shape));
  return success();
}

void LookupOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  getRowIndexingEffects(*this, effects);
}

Speculation::Speculatability LookupOp::getSpeculatability() {
  return getRowIndexingSpeculatability(*this);
}

LogicalResult LookupOp::fold(FoldAdaptor adaptor,
                             SmallVectorImpl<OpFoldResult> &results) {
  // A lookup of a splat table is a splat, whatever the indices.
  auto table = dyn_cast_if_present<SplatElementsAttr>(adaptor.getTable());
  if (table && getResult() && getOutOfRange() == OutOfRange::assume &&
      getInitType().hasStaticShape()) {
    results.push_back(table.resizeSplat(getInitType()));
    return success();
  }
  // memref.cast; the tensor dialect's canonicalization folds tensor.cast into
  // every destination-style op.
  return memref::foldMemRefCast(*this);
}

namespace {

/// Without indices there is nothing to look up, and in rows of no elements
/// nothing to copy.
struct EraseEmptyLookup : OpRewritePattern<LookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookupOp op,
                                PatternRewriter &rewriter) const override {
    bool hasNoIndices = llvm::is_contained(op.getIndicesType().getShape(), 0);
    if (!hasNoIndices && !llvm::is_contained(op.getInitType().getShape(), 0))
      return failure();
    if (!hasNoIndices && op.getOutOfRange() == OutOfRange::check)
      createCheck(rewriter, op);
    if (op.getResult())
      rewriter.replaceOp(op, op.getInit());
    else
      rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void LookupOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<AssumeConstantIndicesInRange<LookupOp>, EraseEmptyLookup,
               ReduceToCheckIfDead<LookupOp>, NormalizePaddingIdx<LookupOp>>(
      context);
}

//===----------------------------------------------------------------------===//
// FindOutOfRangeOp
//===----------------------------------------------------------------------===//

void FindOutOfRangeOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  if (isa<MemRefType>(getIndices().getType()))
    effects.emplace_back(MemoryEffects::Read::get(), &getIndicesMutable());
}

LogicalResult FindOutOfRangeOp::fold(FoldAdaptor adaptor,
                                     SmallVectorImpl<OpFoldResult> &results) {
  OutOfRangeIndices found;
  if (!llvm::is_contained(cast<ShapedType>(getIndices().getType()).getShape(),
                          0)) {
    auto indices =
        dyn_cast_if_present<DenseIntElementsAttr>(adaptor.getIndices());
    auto numRows = dyn_cast_if_present<IntegerAttr>(adaptor.getNumRows());
    if (!indices || !numRows)
      return memref::foldMemRefCast(*this);
    found = findOutOfRange(indices, numRows.getInt());
  }
  Builder builder(getContext());
  results.append({builder.getI64IntegerAttr(found.position),
                  builder.getI64IntegerAttr(found.index),
                  builder.getI64IntegerAttr(found.count)});
  return success();
}

//===----------------------------------------------------------------------===//
// ReportOutOfRangeOp
//===----------------------------------------------------------------------===//

void ReportOutOfRangeOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  effects.emplace_back(MemoryEffects::Write::get(), OutOfRangeReport::get());
}

LogicalResult ReportOutOfRangeOp::canonicalize(ReportOutOfRangeOp op,
                                               PatternRewriter &rewriter) {
  if (!matchPattern(op.getCount(), m_Zero()))
    return failure();
  rewriter.eraseOp(op);
  return success();
}

//===----------------------------------------------------------------------===//
// ExpectSizeOp
//===----------------------------------------------------------------------===//

void ExpectSizeOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  effects.emplace_back(MemoryEffects::Write::get(), OutOfRangeReport::get());
}

LogicalResult ExpectSizeOp::verify() {
  if (!getOffset() != !getWhole())
    return emitOpError("expected an offset together with what it is in");
  return success();
}

LogicalResult ExpectSizeOp::canonicalize(ExpectSizeOp op,
                                         PatternRewriter &rewriter) {
  if (op.getActual() != op.getExpected()) {
    std::optional<int64_t> actual = getConstantIntValue(op.getActual());
    if (!actual || actual != getConstantIntValue(op.getExpected()))
      return failure();
  }
  rewriter.eraseOp(op);
  return success();
}
