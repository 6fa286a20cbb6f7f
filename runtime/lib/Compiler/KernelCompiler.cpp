//===- KernelCompiler.cpp - Compiles kernels -----------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiles the kernels of the runtime: writes the IR of a spec, and takes it
// through the same pipeline as embedding-opt.
//
//===----------------------------------------------------------------------===//

#include "Compilation.h"

#include "embedding/Target/Compile.h"
#include "embedding/Target/Entry.h"
#include "embedding/Target/OperationText.h"
#include "embedding/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace ::embedding::runtime;
using mlir::embedding::Elements;
using mlir::embedding::OperandDesc;
using mlir::embedding::OperationDesc;
using mlir::embedding::OperationKind;

//===----------------------------------------------------------------------===//
// The IR of a spec
//===----------------------------------------------------------------------===//

/// {0} is its name, {1} its arguments and {2} the operation.
static constexpr char kOperationKernel[] = R"mlir(
func.func @{0}({1}, %workspace: memref<?xi8> {{embedding.workspace})
    attributes {{llvm.emit_c_interface, llvm.linkage = #llvm.linkage<internal>} {{
  {2}
  return
}
)mlir";

/// The type of an operand: rows have any stride, and indices on a GPU; other
/// memory is contiguous.
static std::string getOperandType(const KernelSpec &spec,
                                  const OperandDesc &operand) {
  bool isOnDevice = spec.chip != 0;
  std::string element;
  switch (operand.elements) {
  case Elements::fixedWidth:
  case Elements::floats:
    element = (spec.elementCode == kDLInt      ? "i"
               : spec.elementCode == kDLBfloat ? "bf"
                                               : "f") +
              std::to_string(8 * spec.elementBytes);
    break;
  case Elements::indices:
    element = "i" + std::to_string(spec.indexBits);
    break;
  case Elements::int64s:
    element = "i64";
    break;
  case Elements::accumulators:
    element = spec.elementBytes == 8 ? "f64" : "f32";
    break;
  }
  std::string sizes =
      mlir::embedding::getSizesText(operand, spec.indexRank, spec.rowLength);
  bool isIndices = operand.elements == Elements::indices;
  if (!operand.hasRows() && !(isIndices && isOnDevice))
    return llvm::formatv("memref<{0}{1}>", sizes, element);
  SmallVector<std::string> strides(StringRef(sizes).count('x'), "?");
  if (operand.hasRows() && spec.isContiguous)
    strides.back() = "1";
  if (operand.hasRows() && spec.isDense)
    strides.front() = std::to_string(spec.rowLength);
  return llvm::formatv("memref<{0}{1}, strided<[{2}]>>", sizes, element,
                       llvm::join(strides, ", "));
}

static std::string getIR(const KernelSpec &spec) {
  const OperationDesc &operation = *spec.operation;
  std::string attributes;
  if (operation.hasMaxNorm)
    // As bits, since text has no infinity.
    attributes += llvm::formatv("norm_type({0:x}) ",
                                llvm::bit_cast<uint64_t>(spec.normType));
  if (spec.scalesGradByFreq)
    attributes += "scale_grad_by_freq ";
  attributes += llvm::formatv("out_of_range({0})", getName(spec.outOfRange));
  if (spec.chip == 0 && operation.kind != OperationKind::lookup)
    attributes += llvm::formatv(
        " {{embedding.schedule = #embedding.schedule<grouping = {0}>}",
        getName(spec.grouping));
  auto getType = [&](const OperandDesc &operand) {
    return getOperandType(spec, operand);
  };
  auto isValue = [&](const OperandDesc &operand) {
    return !operand.isOptional ||
           operand.kind == mlir::embedding::OperandKind::number ||
           (spec.hasPadding &&
            operand.kind == mlir::embedding::OperandKind::index);
  };
  return llvm::formatv(
      kOperationKernel, spec.getFunctionName(),
      mlir::embedding::getArgumentsText(
          operation, getType, [](const OperandDesc &) { return true; }),
      mlir::embedding::getOperationText(operation, getType, isValue,
                                        attributes));
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

/// Says what is known of the addresses of the table's rows.
static void alignTable(const KernelSpec &spec, ModuleOp module) {
  auto function =
      module.lookupSymbol<mlir::func::FuncOp>(spec.getFunctionName());
  Value table = function.getArgument(spec.operation->rows);
  OpBuilder builder(function.getContext());
  builder.setInsertionPointToStart(&function.front());
  auto aligned = mlir::memref::AssumeAlignmentOp::create(
      builder, function.getLoc(), table, getRowAlignment(spec.rowLength));
  table.replaceAllUsesExcept(aligned, aligned);
}

static LogicalResult compile(Compilation &compilation, const KernelSpec &spec,
                             StringRef cpu, SmallVectorImpl<char> &object,
                             std::vector<ModuleCode::Function> &functions) {
  FailureOr<mlir::embedding::CPUTarget> target = compilation.getTarget(cpu);
  if (failed(target))
    return failure();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(
      getIR(spec), &compilation.getContext(), spec.str());
  if (!module)
    return failure();
  if (spec.isDense)
    alignTable(spec, *module);

  mlir::embedding::CompileOptions options;
  options.chip = spec.chip;
  options.isNaive = spec.lowering == EMBEDDING_LOWERING_NAIVE;
  options.atomicGradients = spec.usesAtomics;
  options.rowAlignment = spec.rowAlignment;
  PassManager pm(&compilation.getContext());
  mlir::embedding::buildPipeline(pm, *target, options);
  if (failed(pm.run(*module)))
    return failure();
  // Their tensors are those of the operation: the signatures name none.
  auto add = [&](const std::string &name) {
    std::string entry = "embedding_kernel_" + name;
    mlir::embedding::addPackedFunction(*module, name, entry);
    functions.push_back({{0, 0, 0, 0}, name + '\0', entry, {}});
  };
  add(spec.getFunctionName());
  add(spec.getFunctionName() + mlir::embedding::kWorkspaceBytesSuffix.str());
  return mlir::embedding::emitObject(*module, *target, options, object);
}

namespace embedding::runtime {

Result<std::string> compileKernel(StringRef cpu, const KernelSpec &spec) {
  Result<std::string> made = compileAndLink(
      [&](Compilation &compilation, SmallVectorImpl<char> &object,
          std::vector<ModuleCode::Function> &functions) {
        return compile(compilation, spec, cpu, object, functions);
      });
  if (!made)
    made.failure().message.insert(0, "compiler: ");
  return made;
}

} // namespace embedding::runtime
