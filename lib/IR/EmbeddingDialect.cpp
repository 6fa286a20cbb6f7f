//===- EmbeddingDialect.cpp - Embedding dialect ---------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowIndexing.h"

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
// FindInvalidOffsetOp
//===----------------------------------------------------------------------===//

void FindInvalidOffsetOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  if (isa<MemRefType>(getOffsets().getType()))
    effects.emplace_back(MemoryEffects::Read::get(), &getOffsetsMutable());
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
