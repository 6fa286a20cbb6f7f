//===- Function.cpp - Functions to compile for callers outside ------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Target/Function.h"

#include "embedding/ABI/Signature.h"
#include "embedding/Target/Entry.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SourceMgr.h"

#include <dlpack/dlpack.h>

using namespace mlir;
using namespace mlir::embedding;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

namespace {

/// A type of elements in DLPack's terms.
struct ElementType {
  int64_t code;
  int64_t bits;
};

} // namespace

static std::optional<ElementType> getElementType(Type type) {
  if (type.isBF16())
    return ElementType{kDLBfloat, 16};
  if (type.isF16() || type.isF32() || type.isF64())
    return ElementType{kDLFloat, type.getIntOrFloatBitWidth()};
  if (type.isIndex())
    return ElementType{kDLInt, 64};
  if (type.isSignlessInteger(1))
    return ElementType{signature::kBool, 8};
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || !llvm::is_contained({8u, 16u, 32u, 64u}, integer.getWidth()))
    return std::nullopt;
  return ElementType{integer.isSignless() ? signature::kAnyInteger
                     : integer.isSigned() ? kDLInt
                                          : kDLUInt,
                     integer.getWidth()};
}

/// The type of a scalar in C, or nothing if it has none.
std::string mlir::embedding::getCType(Type type) {
  if (type.isF32())
    return "float";
  if (type.isF64())
    return "double";
  std::optional<ElementType> element = getElementType(type);
  if (!element || isa<FloatType>(type) || element->code == signature::kBool)
    return "";
  return (element->code == kDLUInt ? "uint" : "int") +
         std::to_string(element->bits) + "_t";
}

static bool isSupported(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped)
    return !getCType(type).empty();
  if (!isa<RankedTensorType, MemRefType>(type) ||
      !getElementType(shaped.getElementType()) ||
      shaped.getRank() > signature::kMaxRank)
    return false;
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref)
    return true;
  SmallVector<int64_t> strides;
  int64_t offset = 0;
  return succeeded(memref.getStridesAndOffset(strides, offset)) &&
         (offset == 0 || offset == ShapedType::kDynamic) &&
         !memref.getMemorySpace();
}

/// What is supported in place of `type`, in words.
static StringRef getSupportedTypes(Type type) {
  if (isa<ShapedType>(type))
    return "tensors and memrefs of a rank, without a memory space, of f16, "
           "bf16, f32, f64, index, i1, or integers of 8, 16, 32 or 64 bits";
  return "numbers to be f32, f64, index, or integers of 8, 16, 32 or 64 bits "
         "(i8 in place of i1)";
}

/// Appends what a signature says of `type`.
static void appendType(Type type, SmallVectorImpl<int64_t> &fields) {
  auto shaped = dyn_cast<ShapedType>(type);
  ElementType element = *getElementType(getElementTypeOrSelf(type));
  fields.push_back(shaped ? shaped.getRank() : signature::kScalar);
  fields.append({element.code, element.bits});
  if (!shaped)
    return;
  fields.push_back(isa<MemRefType>(type));
  auto toField = [](int64_t value) {
    return ShapedType::isDynamic(value) ? signature::kAny : value;
  };
  for (int64_t size : shaped.getShape())
    fields.push_back(toField(size));
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref || memref.getLayout().isIdentity()) {
    fields.append(shaped.getRank(), signature::kCompact);
    return;
  }
  SmallVector<int64_t> strides;
  int64_t offset;
  (void)memref.getStridesAndOffset(strides, offset);
  for (int64_t stride : strides)
    fields.push_back(toField(stride));
}

//===----------------------------------------------------------------------===//
// FunctionInterface
//===----------------------------------------------------------------------===//

SmallVector<func::FuncOp> mlir::embedding::getPublicFunctions(ModuleOp module) {
  return llvm::to_vector(llvm::make_filter_range(
      module.getOps<func::FuncOp>(), [](func::FuncOp function) {
        return !function.isDeclaration() && function.isPublic();
      }));
}

/// What the source calls argument `number` of `function`, without its `%`.
static std::string getSourceName(func::FuncOp function, unsigned number,
                                 const AsmParserState *source) {
  Block &entry = function.getBody().front();
  if (source)
    if (const auto *block = source->getBlockDef(&entry))
      if (number < block->arguments.size()) {
        llvm::SMRange range = block->arguments[number].loc;
        StringRef text(range.Start.getPointer(),
                       range.End.getPointer() - range.Start.getPointer());
        if (text.consume_front("%") && !llvm::isDigit(text.front()))
          return text.str();
      }
  return "arg" + std::to_string(number);
}

FailureOr<FunctionInterface>
FunctionInterface::get(func::FuncOp function, const AsmParserState *source) {
  for (auto types : {function.getArgumentTypes(), function.getResultTypes()})
    for (Type type : types)
      if (!isSupported(type))
        return emitError(function.getLoc())
                   << "cannot be called from outside, because of values of "
                      "type "
                   << type << "; expected " << getSupportedTypes(type),
               failure();
  for (Type type : function.getResultTypes())
    if (auto memref = dyn_cast<MemRefType>(type);
        memref && !memref.areTrailingDimsContiguous(memref.getRank())) {
      emitError(function.getLoc())
          << "expected results to be contiguous, but got " << type;
      return failure();
    }
  FunctionInterface result;
  result.name = function.getName().str();
  for (auto [number, type] : llvm::enumerate(function.getArgumentTypes()))
    result.arguments.push_back({getSourceName(function, number, source), type});
  bool isOnly = function.getNumResults() == 1;
  for (auto [number, type] : llvm::enumerate(function.getResultTypes()))
    // A scalar is a tensor of rank 0.
    result.results.push_back(
        {isOnly ? "out" : "out" + std::to_string(number),
         isa<ShapedType>(type) ? type : RankedTensorType::get({}, type)});
  return result;
}

void FunctionInterface::appendSignature(unsigned x86Level, ArrayRef<int> chips,
                                        SmallVectorImpl<int64_t> &fields,
                                        std::string &names) const {
  fields.append({x86Level, int64_t(chips.size())});
  fields.append(chips.begin(), chips.end());
  fields.append({int64_t(arguments.size()), int64_t(results.size())});
  names += name + '\0';
  for (const auto *operands : {&arguments, &results})
    for (const Operand &operand : *operands) {
      appendType(operand.type, fields);
      names += operand.name + '\0';
    }
}

std::string FunctionInterface::getEntryName(int chip) const {
  std::string text = "embedding_entry_" + name;
  return chip == 0 ? text : text + "_sm_" + std::to_string(chip);
}

//===----------------------------------------------------------------------===//
// From text to an object
//===----------------------------------------------------------------------===//

/// The deepest that brackets, and signs before a number, may be in each other.
/// MLIR's parser calls itself for each, and a stack has an end.
static constexpr int64_t kMaxNesting = 1000;

/// The place of the bracket or minus sign in `text` that is in more than
/// `kMaxNesting` others, those in strings and comments apart, or null.
static const char *findTooDeep(StringRef text) {
  int64_t depth = 0, signs = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '-' && !text.substr(i).starts_with("->"))
      ++signs;
    else if (!llvm::isSpace(c))
      signs = 0;
    if (depth + signs > kMaxNesting)
      return text.data() + i;
    if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i)
        i += text[i] == '\\';
    } else if (text.substr(i).starts_with("//")) {
      i = text.find('\n', i);
      if (i == StringRef::npos)
        break;
    } else if (text.substr(i).starts_with("->")) {
      ++i;
    } else if (StringRef("([{<").contains(c)) {
      if (++depth > kMaxNesting)
        return text.data() + i;
    } else if (StringRef(")]}>").contains(c)) {
      depth = std::max<int64_t>(depth - 1, 0);
    }
  }
  return nullptr;
}

OwningOpRef<ModuleOp>
mlir::embedding::parseModule(const llvm::SourceMgr &sources,
                             MLIRContext &context, AsmParserState &state) {
  ParserConfig config(&context);
  const llvm::MemoryBuffer &buffer =
      *sources.getMemoryBuffer(sources.getMainFileID());
  if (isBytecode(buffer))
    return parseSourceFile<ModuleOp>(sources, config);
  if (const char *place = findTooDeep(buffer.getBuffer())) {
    auto [line, column] = sources.getLineAndColumn(
        llvm::SMLoc::getFromPointer(place), sources.getMainFileID());
    emitError(FileLineColLoc::get(&context, buffer.getBufferIdentifier(), line,
                                  column))
        << "expected brackets and signs to be nested at most " << kMaxNesting
        << " deep";
    return nullptr;
  }
  Block block;
  if (failed(parseAsmSourceFile(sources, &block, config, &state)))
    return nullptr;
  return mlir::detail::constructContainerOpForParserIfNecessary<ModuleOp>(
      &block, &context,
      FileLineColLoc::get(&context, buffer.getBufferIdentifier(), 0, 0));
}

LogicalResult mlir::embedding::compileFunctions(
    ModuleOp module, ArrayRef<FunctionInterface> functions,
    const CPUTarget &target, const CompileOptions &options, bool areExported,
    SmallVectorImpl<char> &object) {
  OwningOpRef<ModuleOp> copy = module.clone();
  SmallVector<std::pair<func::FuncOp, std::string>> named;
  for (const FunctionInterface &function : functions)
    named.emplace_back(copy->lookupSymbol<func::FuncOp>(function.name),
                       function.getEntryName(options.chip));
  FailureOr<Entries> entries =
      Entries::create(*copy, named, TensorArguments::areKept);
  if (failed(entries))
    return failure();
  PassManager pm(module.getContext());
  Entries::addPasses(pm);
  buildPipeline(pm, target, options);
  if (failed(pm.run(*copy)))
    return failure();
  entries->finish(*copy, areExported);
  return emitObject(*copy, target, options, object);
}
