//===- ModuleCompiler.cpp - Compiles functions of IR ----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Compilation.h"

#include "embedding/IR/Embedding.h"
#include "embedding/Target/Function.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace ::embedding::runtime;
using mlir::embedding::FunctionInterface;
using mlir::embedding::RowIndexingOpInterface;

//===----------------------------------------------------------------------===//
// Lengths of rows
//===----------------------------------------------------------------------===//

/// Whether `value` is rows of an operation of the dialect.
static bool hasRows(Value value) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    if (isa<memref::CastOp, tensor::CastOp>(user))
      return hasRows(user->getResult(0));
    auto op = dyn_cast<RowIndexingOpInterface>(user);
    if (!op)
      return false;
    const auto &operation = op.getDescription();
    for (int number = 0; number < operation.numOperands; ++number)
      if (operation.operands[number].hasRows() &&
          op.getDescribedOperand(number) == value)
        return true;
    return false;
  });
}

/// The arguments that are rows of a length which their type leaves open.
static std::vector<int64_t> findRowArguments(func::FuncOp function) {
  std::vector<int64_t> found;
  // Calls within the module keep to the type. The name has to fit into a line.
  if (function.getName().contains('\n') ||
      !SymbolTable::symbolKnownUseEmpty(function,
                                        function->getParentOfType<ModuleOp>()))
    return found;
  for (BlockArgument argument : function.getArguments())
    if (auto type = dyn_cast<ShapedType>(argument.getType());
        type && type.getRank() >= 2 &&
        ShapedType::isDynamic(type.getShape().back()) && hasRows(argument))
      found.push_back(argument.getArgNumber());
  return found;
}

/// Leaves the function that `text` of describeRowLengths names, whose arguments
/// have rows of the lengths that it names.
static LogicalResult setRowLengths(ModuleOp module, StringRef text) {
  auto fail = [&] { return module.emitError("no such function: ") << text; };
  size_t count = 0;
  SmallVector<int64_t> lengths;
  if (text.consumeInteger(10, count))
    return fail();
  for (size_t i = 0; i < count; ++i)
    if (!text.consume_front(" ") ||
        text.consumeInteger(10, lengths.emplace_back()))
      return fail();
  if (!text.consume_front(" "))
    return fail();
  auto function = module.lookupSymbol<func::FuncOp>(text);
  if (!function)
    return fail();
  std::vector<int64_t> rowArguments = findRowArguments(function);
  if (rowArguments.size() != lengths.size())
    return fail();
  for (auto other : module.getOps<func::FuncOp>())
    if (other != function)
      other.setPrivate();
  OpBuilder b = OpBuilder::atBlockBegin(&function.front());
  for (auto [number, length] : llvm::zip_equal(rowArguments, lengths)) {
    BlockArgument argument = function.getArgument(number);
    auto type = cast<ShapedType>(argument.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape.back() = length;
    argument.setType(type.clone(shape));
    Operation *cast =
        isa<MemRefType>(type)
            ? memref::CastOp::create(b, argument.getLoc(), type, argument)
            : tensor::CastOp::create(b, argument.getLoc(), type, argument)
                  .getOperation();
    argument.replaceAllUsesExcept(cast->getResult(0), cast);
  }
  function.setFunctionType(b.getFunctionType(
      function.front().getArgumentTypes(), function.getResultTypes()));
  return verify(module);
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

static LogicalResult compile(Compilation &compilation, StringRef cpu,
                             const ModuleSource &source,
                             SmallVectorImpl<char> &object,
                             std::vector<ModuleCode::Function> &compiled) {
  const auto &[moduleTarget, ir] = source;
  FailureOr<mlir::embedding::CPUTarget> target = compilation.getTarget(cpu);
  if (failed(target))
    return failure();
  llvm::SourceMgr sources;
  // The parser wants a null behind the text.
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(ir, "module"),
                             llvm::SMLoc());
  AsmParserState names;
  OwningOpRef<ModuleOp> module =
      mlir::embedding::parseModule(sources, compilation.getContext(), names);
  if (!module || (!moduleTarget.rowLengths.empty() &&
                  failed(setRowLengths(*module, moduleTarget.rowLengths))))
    return failure();

  SmallVector<FunctionInterface> functions;
  for (func::FuncOp function : mlir::embedding::getPublicFunctions(*module)) {
    FailureOr<FunctionInterface> interface =
        FunctionInterface::get(function, &names);
    if (failed(interface))
      return failure();
    functions.push_back(*interface);
  }
  if (functions.empty())
    return emitError(UnknownLoc::get(&compilation.getContext()),
                     "there is no public function");

  mlir::embedding::CompileOptions options;
  options.chip = moduleTarget.chip;
  options.isNaive = moduleTarget.isNaive;
  options.atomicGradients = moduleTarget.atomicGradients;
  options.checksSizes = !moduleTarget.assumesSizes;
  options.numThreads = moduleTarget.numThreads;
  SmallVector<int> chips;
  if (options.chip != 0)
    chips.push_back(options.chip);
  for (const FunctionInterface &function : functions) {
    SmallVector<int64_t> fields;
    std::string operandNames;
    function.appendSignature(target->getX86Level(), chips, fields,
                             operandNames);
    compiled.push_back(
        {{fields.begin(), fields.end()},
         operandNames,
         function.getEntryName(options.chip),
         findRowArguments(module->lookupSymbol<func::FuncOp>(function.name))});
  }
  return mlir::embedding::compileFunctions(*module, functions, *target, options,
                                           /*areExported=*/true, object);
}

namespace embedding::runtime {

Result<std::string> compileModule(StringRef cpu, const ModuleSource &source) {
  return compileAndLink([&](Compilation &compilation,
                            SmallVectorImpl<char> &object,
                            std::vector<ModuleCode::Function> &functions) {
    return compile(compilation, cpu, source, object, functions);
  });
}

} // namespace embedding::runtime
