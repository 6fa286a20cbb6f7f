//===- Entry.cpp - Functions that code outside calls ----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Target/Entry.h"

#include "embedding/Conversion/Passes.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::embedding;

/// What the lowering of functions puts before the name of one that takes
/// pointers to descriptors.
static constexpr StringRef kCInterfacePrefix("_mlir_ciface_");

/// What the names of entries and of the functions that they call begin with.
static constexpr StringRef kReservedPrefix("embedding_");

static std::string getCallerName(StringRef name) {
  return ("embedding_caller_of_" + name).str();
}

/// Whether `op` is a function that passes declare and whoever runs the program
/// defines: what comes before them may be in the text already.
static bool isReport(Operation *op) {
  auto function = dyn_cast<func::FuncOp>(op);
  return function &&
         (function.getName() == kReportOutOfRangeFunction ||
          function.getName() == kReportMismatchFunction) &&
         function.getFunctionType() == getReportType(op->getContext());
}

/// Keeps the names of the runtime's functions, and of entries, from those of
/// the program: a definition gets another name, which nobody outside asks for.
static LogicalResult reserveNames(ModuleOp module) {
  SymbolTable symbols(module);
  for (Operation &op : *module.getBody()) {
    op.removeAttr(kResultAttrName);
    auto symbol = dyn_cast<SymbolOpInterface>(op);
    if (!symbol || !symbol.getName().starts_with(kReservedPrefix) ||
        isReport(&op))
      continue;
    if (symbol.isDeclaration())
      return op.emitError("expected no declaration of '")
             << symbol.getName() << "', since names that begin with '"
             << kReservedPrefix << "' are the runtime's";
    std::string name = "_" + symbol.getName().str();
    while (symbols.lookup(name))
      name = "_" + name;
    if (failed(symbols.rename(&op, name)))
      return failure();
  }
  return success();
}

/// Adds a function to the module that has, when lowered, one of pointers to
/// descriptors beside it.
static func::FuncOp addWithCInterface(ImplicitLocOpBuilder &b, StringRef name,
                                      TypeRange argumentTypes) {
  auto function =
      func::FuncOp::create(b, name, b.getFunctionType(argumentTypes, {}));
  function->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                    b.getUnitAttr());
  return function;
}

/// Adds a function that calls `function` and hands over its results.
static func::FuncOp addCaller(func::FuncOp function, StringRef name,
                              TensorArguments tensorArguments) {
  ModuleOp module = function->getParentOfType<ModuleOp>();
  ImplicitLocOpBuilder b(function.getLoc(), function.getContext());
  b.setInsertionPointToEnd(module.getBody());
  func::FuncOp caller =
      addWithCInterface(b, getCallerName(name), function.getArgumentTypes());
  for (auto [number, type] : llvm::enumerate(function.getArgumentTypes()))
    if (tensorArguments == TensorArguments::areKept && isa<TensorType>(type))
      caller.setArgAttr(number,
                        bufferization::BufferizationDialect::kWritableAttrName,
                        b.getBoolAttr(false));
  b.setInsertionPointToStart(caller.addEntryBlock());
  auto call = func::CallOp::create(b, function, caller.getArguments());
  for (auto [number, result] : llvm::enumerate(call.getResults())) {
    Value shaped = result;
    if (!isa<ShapedType>(result.getType()))
      shaped = tensor::FromElementsOp::create(
          b, RankedTensorType::get({}, result.getType()), result);
    func::FuncOp taker;
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(module.getBody());
      taker = addWithCInterface(
          b,
          (kTakeResultFunction + "_" + name + "_" + llvm::Twine(number)).str(),
          {b.getI64Type(), shaped.getType()});
      taker.setPrivate();
      taker->setAttr(kResultAttrName, b.getI64IntegerAttr(number));
      taker.setArgAttr(
          1, bufferization::BufferizationDialect::kBufferAccessAttrName,
          b.getStringAttr("read"));
    }
    Value index = arith::ConstantIntOp::create(b, number, 64);
    func::CallOp::create(b, taker, ValueRange{index, shaped});
  }
  func::ReturnOp::create(b);
  return caller;
}

LLVM::LLVMFuncOp embedding::addPackedFunction(ModuleOp module,
                                              StringRef function,
                                              StringRef name) {
  ImplicitLocOpBuilder b(module.getLoc(), module.getContext());
  b.setInsertionPointToEnd(module.getBody());
  auto callee = module.lookupSymbol<LLVM::LLVMFuncOp>(
      (kCInterfacePrefix + function).str());
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto packed = LLVM::LLVMFuncOp::create(
      b, name,
      LLVM::LLVMFunctionType::get(callee.getFunctionType().getReturnType(),
                                  pointer));
  b.setInsertionPointToStart(packed.addEntryBlock(b));
  SmallVector<Value> arguments;
  for (auto [number, type] : llvm::enumerate(callee.getArgumentTypes())) {
    Value slot = LLVM::GEPOp::create(b, pointer, pointer, packed.getArgument(0),
                                     LLVM::GEPArg(int32_t(number)));
    Value argument = LLVM::LoadOp::create(b, pointer, slot);
    // A memref comes as a pointer to its descriptor.
    if (!isa<LLVM::LLVMPointerType>(type))
      argument = LLVM::LoadOp::create(b, type, argument);
    arguments.push_back(argument);
  }
  auto call = LLVM::CallOp::create(b, callee, arguments);
  LLVM::ReturnOp::create(b, call.getResults());
  callee.setLinkage(LLVM::Linkage::Internal);
  return packed;
}

FailureOr<Entries>
Entries::create(ModuleOp module,
                ArrayRef<std::pair<func::FuncOp, std::string>> named,
                TensorArguments tensorArguments) {
  module.getContext()
      ->loadDialect<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect,
                    tensor::TensorDialect>();
  if (failed(reserveNames(module)))
    return failure();
  for (auto function : module.getOps<func::FuncOp>())
    function.setPrivate();
  Entries result;
  for (const auto &[function, name] : named) {
    addCaller(function, name, tensorArguments);
    result.entries.push_back(name);
  }
  return result;
}

void Entries::addPasses(OpPassManager &pm) {
  pm.addPass(createInlinerPass());
  pm.addPass(createSymbolDCEPass());
}

void Entries::finish(ModuleOp module, bool areExported) const {
  SmallVector<LLVM::LLVMFuncOp> exported;
  for (const std::string &entry : entries)
    exported.push_back(addPackedFunction(module, getCallerName(entry), entry));
  if (!areExported)
    for (LLVM::LLVMFuncOp function : exported)
      function.setVisibility_(LLVM::Visibility::Hidden);

  // One function takes results of every type.
  std::string prefix = (kCInterfacePrefix + kTakeResultFunction).str();
  LLVM::LLVMFuncOp taker;
  for (auto function :
       llvm::make_early_inc_range(module.getOps<LLVM::LLVMFuncOp>())) {
    if (function.getName().starts_with(prefix)) {
      (void)SymbolTable::replaceAllSymbolUses(
          function, StringAttr::get(module.getContext(), kTakeResultFunction),
          module);
      if (taker) {
        function.erase();
        continue;
      }
      taker = function;
      function.setName(kTakeResultFunction);
    }
    function->removeAttr(kResultAttrName);
    // Bufferization leaves what it was told, and the translation would warn.
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      function.removeArgAttr(
          i, bufferization::BufferizationDialect::kBufferAccessAttrName);
    if (!function.isExternal() && !llvm::is_contained(exported, function))
      function.setLinkage(LLVM::Linkage::Internal);
  }
}
