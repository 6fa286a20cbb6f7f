//===- CInterface.cpp - Functions of IR as functions of C -----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CInterface.h"

#include "Launcher/Launcher.h"

#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ::embedding::tools;
using mlir::embedding::FunctionInterface;
using mlir::embedding::getCType;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

bool ::embedding::tools::isIdentifier(StringRef text) {
  return !text.empty() && !llvm::isDigit(text.front()) &&
         llvm::all_of(text,
                      [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

auto ::embedding::tools::makeIdentifier(StringRef text) -> std::string {
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

//===----------------------------------------------------------------------===//
// CFunction
//===----------------------------------------------------------------------===//

FailureOr<CFunction> CFunction::get(func::FuncOp function,
                                    const AsmParserState *source) {
  if (!isIdentifier(function.getName()) || isTaken(function.getName()))
    return function.emitError("cannot be a function of C, because of its name"),
           failure();
  FailureOr<FunctionInterface> interface =
      FunctionInterface::get(function, source);
  if (failed(interface))
    return failure();
  CFunction result;
  result.interface = std::move(*interface);
  ParameterNames names;
  for (auto *operands :
       {&result.interface.arguments, &result.interface.results})
    for (FunctionInterface::Operand &operand : *operands)
      operand.name = names.add(operand.name);
  return result;
}

void CFunction::printDeclaration(llvm::raw_ostream &os, bool isForGPU) const {
  os << "/** Calls the function of this name in the IR, which has\n";
  for (const FunctionInterface::Operand &argument : interface.arguments)
    os << " * " << argument.name << ": " << argument.type << "\n";
  for (const FunctionInterface::Operand &result : interface.results)
    os << " * -> " << result.name << ": " << result.type << "\n";
  os << " */\nEmbeddingStatusCode " << getName() << "(";
  for (const FunctionInterface::Operand &argument : interface.arguments) {
    if (isa<ShapedType>(argument.type))
      os << "const DLTensor *";
    else
      os << getCType(argument.type) << " ";
    os << argument.name << ",\n    ";
  }
  for (const FunctionInterface::Operand &result : interface.results)
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

  SmallVector<int64_t> fields;
  std::string names;
  interface.appendSignature(x86Level, chips, fields, names);
  SmallVector<Type> parameters;
  for (const auto *operands : {&interface.arguments, &interface.results})
    for (const FunctionInterface::Operand &operand : *operands)
      parameters.push_back(isa<ShapedType>(operand.type) ? pointer
                           : operand.type.isIndex()      ? i64
                                                         : operand.type);
  LLVM::GlobalOp signatureConstant = addConstant(
      b, getName() + "_signature", LLVM::LLVMArrayType::get(i64, fields.size()),
      DenseElementsAttr::get(
          RankedTensorType::get({int64_t(fields.size())}, i64),
          ArrayRef<int64_t>(fields)));
  LLVM::GlobalOp namesConstant =
      addConstant(b, getName() + "_names",
                  LLVM::LLVMArrayType::get(b.getI8Type(), names.size()),
                  b.getStringAttr(names));
  SmallVector<LLVM::LLVMFuncOp> entries;
  Type entryType = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(b.getContext()), pointer);
  auto declareEntry = [&](int chip) {
    entries.push_back(
        LLVM::LLVMFuncOp::create(b, interface.getEntryName(chip), entryType));
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
      b, getName(), LLVM::LLVMFunctionType::get(i32, parameters));
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

void ::embedding::tools::defineSynchronize(ModuleOp module, StringRef name) {
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
