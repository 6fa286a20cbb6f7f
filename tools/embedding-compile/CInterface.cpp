//===- CInterface.cpp - Functions of IR as functions of C -----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CInterface.h"

#include "Launcher/CompiledFunction.h"

#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

#include <dlpack/dlpack.h>

using namespace mlir;
using namespace ::embedding::tools;
namespace runtime = ::embedding::runtime;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

bool ::embedding::tools::isIdentifier(StringRef text) {
  return !text.empty() && !llvm::isDigit(text.front()) &&
         llvm::all_of(text,
                      [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

std::string embedding::tools::makeIdentifier(StringRef text) {
  std::string result = text.str();
  for (char &c : result)
    if (!llvm::isAlnum(c) && c != '_')
      c = '_';
  if (result.empty() || llvm::isDigit(result.front()))
    result.insert(0, "_");
  return result;
}

/// Words of C and C++ that no parameter can have as its name, and those of
/// parameters that every function has.
static bool isTaken(StringRef name) {
  static const llvm::StringSet<> words = {
      "alignas",   "alignof",  "and",       "asm",    "auto",     "bool",
      "break",     "case",     "catch",     "char",   "class",    "const",
      "continue",  "default",  "delete",    "do",     "double",   "else",
      "enum",      "explicit", "export",    "extern", "false",    "float",
      "for",       "friend",   "goto",      "if",     "inline",   "int",
      "long",      "mutable",  "namespace", "new",    "not",      "operator",
      "or",        "private",  "protected", "public", "register", "restrict",
      "return",    "short",    "signed",    "sizeof", "static",   "struct",
      "switch",    "template", "this",      "throw",  "true",     "try",
      "typedef",   "typeid",   "typename",  "union",  "unsigned", "using",
      "virtual",   "void",     "volatile",  "while",  "xor",      "stream",
      "out_status"};
  return words.contains(name);
}

namespace {

/// Names of parameters, each once.
class ParameterNames {
public:
  std::string add(StringRef wanted) {
    std::string base = makeIdentifier(wanted);
    if (isTaken(base))
      base += "_";
    std::string name = base;
    for (int number = 1; !used.insert(name).second; ++number)
      name = base + "_" + std::to_string(number);
    return name;
  }

private:
  llvm::StringSet<> used;
};

} // namespace

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
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || !llvm::is_contained({8u, 16u, 32u, 64u}, integer.getWidth()))
    return std::nullopt;
  return ElementType{integer.isSignless() ? runtime::kAnyInteger
                     : integer.isSigned() ? kDLInt
                                          : kDLUInt,
                     integer.getWidth()};
}

/// The type of a scalar in C, or nothing if it has none.
static std::string getCType(Type type) {
  if (type.isF32())
    return "float";
  if (type.isF64())
    return "double";
  std::optional<ElementType> element = getElementType(type);
  if (!element || isa<FloatType>(type))
    return "";
  return (element->code == kDLUInt ? "uint" : "int") +
         std::to_string(element->bits) + "_t";
}

static bool isSupported(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped)
    return !getCType(type).empty();
  if (!isa<RankedTensorType, MemRefType>(type) ||
      !getElementType(shaped.getElementType()))
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

/// Appends what a signature says of `type`.
static void appendSignature(Type type, SmallVectorImpl<int64_t> &fields) {
  auto shaped = dyn_cast<ShapedType>(type);
  ElementType element = *getElementType(getElementTypeOrSelf(type));
  fields.push_back(shaped ? shaped.getRank() : runtime::kScalar);
  fields.append({element.code, element.bits});
  if (!shaped)
    return;
  auto toField = [](int64_t value) {
    return ShapedType::isDynamic(value) ? runtime::kAny : value;
  };
  for (int64_t size : shaped.getShape())
    fields.push_back(toField(size));
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref || memref.getLayout().isIdentity()) {
    fields.append(shaped.getRank(), runtime::kCompact);
    return;
  }
  SmallVector<int64_t> strides;
  int64_t offset;
  (void)memref.getStridesAndOffset(strides, offset);
  for (int64_t stride : strides)
    fields.push_back(toField(stride));
}

//===----------------------------------------------------------------------===//
// CFunction
//===----------------------------------------------------------------------===//

FailureOr<CFunction> CFunction::get(func::FuncOp function,
                                    const AsmParserState *source) {
  if (!isIdentifier(function.getName()) || isTaken(function.getName()))
    return function.emitError("cannot be a function of C, because of its name"),
           failure();
  for (auto types : {function.getArgumentTypes(), function.getResultTypes()})
    for (Type type : types)
      if (!isSupported(type))
        return function.emitError(
                   "cannot be a function of C, because of values of type ")
                   << type,
               failure();
  CFunction result;
  result.name = function.getName().str();
  ParameterNames names;
  for (auto [number, type] : llvm::enumerate(function.getArgumentTypes()))
    result.arguments.push_back(
        {names.add(getSourceName(function, number, source)), type});
  bool isOnly = function.getNumResults() == 1;
  for (auto [number, type] : llvm::enumerate(function.getResultTypes())) {
    std::string name = isOnly ? "out" : "out" + std::to_string(number);
    // A scalar is a tensor of rank 0.
    Type shaped =
        isa<ShapedType>(type) ? type : RankedTensorType::get({}, type);
    result.results.push_back({names.add(name), shaped});
  }
  return result;
}

std::string CFunction::getEntryName(int chip) const {
  std::string text = "embedding_entry_" + name;
  return chip == 0 ? text : text + "_sm_" + std::to_string(chip);
}

void CFunction::printDeclaration(llvm::raw_ostream &os, bool isForGPU) const {
  os << "/** Calls the function of this name in the IR, which has\n";
  for (const Operand &argument : arguments)
    os << " * " << argument.name << ": " << argument.type << "\n";
  for (const Operand &result : results)
    os << " * -> " << result.name << ": " << result.type << "\n";
  os << " */\nEmbeddingStatusCode " << name << "(";
  for (const Operand &argument : arguments) {
    if (isa<ShapedType>(argument.type))
      os << "const DLTensor *";
    else
      os << getCType(argument.type) << " ";
    os << argument.name << ",\n    ";
  }
  for (const Operand &result : results)
    os << "const DLTensor *" << result.name << ",\n    ";
  if (isForGPU)
    os << "void *stream,\n    ";
  os << "EmbeddingStatus *out_status);\n\n";
}

/// A constant of the module.
static LLVM::GlobalOp addConstant(ImplicitLocOpBuilder &b, StringRef name,
                                  Type type, Attribute value) {
  return LLVM::GlobalOp::create(b, type, /*isConstant=*/true,
                                LLVM::Linkage::Internal, name, value);
}

void CFunction::define(ModuleOp module, unsigned x86Level,
                       ArrayRef<int> chips) const {
  ImplicitLocOpBuilder b(module.getLoc(), module.getContext());
  b.setInsertionPointToEnd(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type i32 = b.getI32Type(), i64 = b.getI64Type();

  SmallVector<int64_t> fields = {x86Level, int64_t(chips.size())};
  fields.append(chips.begin(), chips.end());
  fields.append({int64_t(arguments.size()), int64_t(results.size())});
  std::string names = name + '\0';
  SmallVector<Type> parameters;
  for (const auto *operands : {&arguments, &results})
    for (const Operand &operand : *operands) {
      appendSignature(operand.type, fields);
      names += operand.name + '\0';
      bool isShaped = isa<ShapedType>(operand.type);
      parameters.push_back(isShaped                 ? pointer
                           : operand.type.isIndex() ? i64
                                                    : operand.type);
    }
  LLVM::GlobalOp signatureConstant = addConstant(
      b, name + "_signature", LLVM::LLVMArrayType::get(i64, fields.size()),
      DenseElementsAttr::get(
          RankedTensorType::get({int64_t(fields.size())}, i64),
          ArrayRef<int64_t>(fields)));
  LLVM::GlobalOp namesConstant = addConstant(
      b, name + "_names", LLVM::LLVMArrayType::get(b.getI8Type(), names.size()),
      b.getStringAttr(names));
  SmallVector<LLVM::LLVMFuncOp> entries;
  Type entryType = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(b.getContext()), pointer);
  auto declareEntry = [&](int chip) {
    entries.push_back(
        LLVM::LLVMFuncOp::create(b, getEntryName(chip), entryType));
  };
  if (chips.empty())
    declareEntry(0);
  for (int chip : chips)
    declareEntry(chip);

  size_t numOperands = parameters.size();
  if (!chips.empty())
    parameters.push_back(pointer);
  parameters.push_back(pointer);
  auto function = LLVM::LLVMFuncOp::create(
      b, name, LLVM::LLVMFunctionType::get(i32, parameters));
  OpBuilder withCallee(module.getContext());
  LLVM::LLVMFuncOp callee = *LLVM::lookupOrCreateFn(
      withCallee, module, runtime::kCallCompiledName,
      {pointer, pointer, pointer, pointer, pointer, pointer}, i32);

  b.setInsertionPointToStart(function.addEntryBlock(b));
  auto allocate = [&](Type type, int64_t count) -> Value {
    Value size = LLVM::ConstantOp::create(b, i64, count);
    return LLVM::AllocaOp::create(b, pointer, type, size);
  };
  auto store = [&](Value value, Value array, int64_t index) {
    Value slot = LLVM::GEPOp::create(b, pointer, pointer, array,
                                     LLVM::GEPArg(int32_t(index)));
    LLVM::StoreOp::create(b, value, slot);
  };
  Value functions = allocate(pointer, entries.size());
  for (auto [number, entry] : llvm::enumerate(entries))
    store(LLVM::AddressOfOp::create(b, entry), functions, number);
  Value operands = allocate(pointer, std::max<size_t>(numOperands, 1));
  for (size_t i = 0; i < numOperands; ++i) {
    Value argument = function.getArgument(i);
    if (!isa<LLVM::LLVMPointerType>(argument.getType())) {
      Value slot = allocate(argument.getType(), 1);
      LLVM::StoreOp::create(b, argument, slot);
      argument = slot;
    }
    store(argument, operands, i);
  }
  Value stream = chips.empty() ? LLVM::ZeroOp::create(b, pointer).getResult()
                               : function.getArgument(numOperands);
  Value status = function.getArgument(parameters.size() - 1);
  auto call = LLVM::CallOp::create(
      b, callee,
      ValueRange{LLVM::AddressOfOp::create(b, signatureConstant),
                 LLVM::AddressOfOp::create(b, namesConstant), functions,
                 operands, stream, status});
  LLVM::ReturnOp::create(b, call.getResult());
}

void embedding::tools::defineSynchronize(ModuleOp module, StringRef name) {
  ImplicitLocOpBuilder b(module.getLoc(), module.getContext());
  b.setInsertionPointToEnd(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type i32 = b.getI32Type();
  SmallVector<Type> types = {i32, pointer, pointer};
  LLVM::LLVMFuncOp callee =
      *LLVM::lookupOrCreateFn(b, module, runtime::kSynchronizeName, types, i32);
  b.setInsertionPointToEnd(module.getBody());
  auto function = LLVM::LLVMFuncOp::create(
      b, name, LLVM::LLVMFunctionType::get(i32, types));
  b.setInsertionPointToStart(function.addEntryBlock(b));
  auto call = LLVM::CallOp::create(b, callee, function.getArguments());
  LLVM::ReturnOp::create(b, call.getResult());
}
