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
// Kernels of a range: the runtime decides what runs where
//===----------------------------------------------------------------------===//

/// The indices of the range are checked before its rows are copied, and the
/// outcome goes to `%report`.
static constexpr char kLookupKernel[] = R"mlir(
func.func @{7}(%begin: index, %end: index, %any_table: {0}, %all_indices: {1},
                  %all_rows: {0}, %report: memref<3xi64>)
    attributes {{llvm.emit_c_interface, llvm.linkage = #llvm.linkage<internal>} {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %size = arith.subi %end, %begin : index
  %indices = memref.subview %all_indices[%begin] [%size] [1]
    : {1} to {2}
  {6}
  %row_length = memref.dim %table, %c1 : {0}
  %rows = memref.subview %all_rows[%begin, 0] [%size, {3}] [1, 1]
    : {0} to {4}
  {5}
  return
}
)mlir";

static constexpr char kCheckedLookup[] = R"mlir(
  %num_rows = memref.dim %table, %c0 : {0}
  %position, %index, %count =
    embedding.find_out_of_range %indices, %num_rows : {1}
  memref.store %position, %report[%c0] : memref<3xi64>
  memref.store %index, %report[%c1] : memref<3xi64>
  memref.store %count, %report[%c2] : memref<3xi64>
  %none = arith.constant 0 : i64
  %in_range = arith.cmpi eq, %count, %none : i64
  scf.if %in_range {{
    embedding.lookup out_of_range(assume)
      ins(%table, %indices : {0}, {1}) outs(%rows : {2})
  }
)mlir";

static constexpr char kUncheckedLookup[] = R"mlir(
  %none = arith.constant 0 : i64
  memref.store %none, %report[%c2] : memref<3xi64>
  embedding.lookup out_of_range({3})
    ins(%table, %indices : {0}, {1}) outs(%rows : {2})
)mlir";

static std::string getLookupIR(const KernelSpec &spec) {
  std::string length = spec.rowLength == KernelSpec::kDynamic
                           ? "?"
                           : std::to_string(spec.rowLength);
  std::string element = "i" + std::to_string(8 * spec.elementBytes);
  const char *stride = spec.isContiguous ? "1" : "?";
  const std::string &rowStride = spec.isDense ? length : "?";
  std::string table = llvm::formatv("memref<?x{0}x{1}, strided<[{2}, {3}]>>",
                                    length, element, rowStride, stride);
  std::string rows =
      llvm::formatv("memref<?x{0}x{1}, strided<[{2}, {3}], offset: ?>>", length,
                    element, rowStride, stride);
  int64_t alignment = spec.isDense ? getRowAlignment(spec.rowLength) : 1;
  std::string aligned =
      llvm::formatv("%table = memref.assume_alignment %any_table, {0} : {1}",
                    alignment, table);
  std::string allIndices = llvm::formatv("memref<?xi{0}>", spec.indexBits);
  std::string indices =
      llvm::formatv("memref<?xi{0}, strided<[1], offset: ?>>", spec.indexBits);

  std::string body =
      spec.outOfRange == EMBEDDING_OUT_OF_RANGE_CHECK
          ? llvm::formatv(kCheckedLookup, table, indices, rows).str()
          : llvm::formatv(kUncheckedLookup, table, indices, rows,
                          getName(spec.outOfRange))
                .str();
  return llvm::formatv(kLookupKernel, table, allIndices, indices,
                       length == "?" ? "%row_length" : length, rows, body,
                       aligned, spec.getFunctionName());
}

static constexpr char kFindOutOfRangeKernel[] = R"mlir(
func.func @{2}(%begin: index, %end: index, %all_indices: {0},
                  %num_rows: index, %report: memref<3xi64>)
    attributes {{llvm.emit_c_interface, llvm.linkage = #llvm.linkage<internal>} {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %size = arith.subi %end, %begin : index
  %indices = memref.subview %all_indices[%begin] [%size] [1] : {0} to {1}
  %position, %index, %count =
    embedding.find_out_of_range %indices, %num_rows : {1}
  memref.store %position, %report[%c0] : memref<3xi64>
  memref.store %index, %report[%c1] : memref<3xi64>
  memref.store %count, %report[%c2] : memref<3xi64>
  return
}
)mlir";

static std::string getFindOutOfRangeIR(const KernelSpec &spec) {
  std::string allIndices = llvm::formatv("memref<?xi{0}>", spec.indexBits);
  std::string indices =
      llvm::formatv("memref<?xi{0}, strided<[1], offset: ?>>", spec.indexBits);
  return llvm::formatv(kFindOutOfRangeKernel, allIndices, indices,
                       spec.getFunctionName());
}

//===----------------------------------------------------------------------===//
// Kernels of an operation: its loops call the runtime's threads, or its host
// code the runtime's launches
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
  int64_t indexRank = isOnDevice ? spec.indexRank : 1;
  std::string sizes =
      mlir::embedding::getSizesText(operand, indexRank, spec.rowLength);
  bool isIndices = operand.elements == Elements::indices;
  if (!operand.hasRows() && !(isIndices && isOnDevice))
    return llvm::formatv("memref<{0}{1}>", sizes, element);
  SmallVector<StringRef> strides(StringRef(sizes).count('x'), "?");
  if (operand.hasRows() && spec.isContiguous)
    strides.back() = "1";
  return llvm::formatv("memref<{0}{1}, strided<[{2}]>>", sizes, element,
                       llvm::join(strides, ", "));
}

static std::string getOperationIR(const KernelSpec &spec) {
  const OperationDesc &operation = *spec.operation;
  std::string attributes;
  if (operation.hasMaxNorm)
    // As bits, since text has no infinity.
    attributes += llvm::formatv("norm_type({0:x}) ",
                                llvm::bit_cast<uint64_t>(spec.normType));
  if (spec.scalesGradByFreq)
    attributes += "scale_grad_by_freq ";
  attributes += llvm::formatv("out_of_range({0})", getName(spec.outOfRange));
  if (spec.chip == 0)
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

/// Whether the kernel is one of a range of indices.
static bool isOfRange(const KernelSpec &spec) {
  return spec.chip == 0 &&
         (!spec.operation || spec.operation->kind == OperationKind::lookup);
}

static std::string getIR(const KernelSpec &spec) {
  if (!isOfRange(spec))
    return getOperationIR(spec);
  return spec.operation ? getLookupIR(spec) : getFindOutOfRangeIR(spec);
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

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

  mlir::embedding::CompileOptions options;
  options.chip = spec.chip;
  options.isNaive = spec.lowering == EMBEDDING_LOWERING_NAIVE;
  options.atomicGradients = spec.usesAtomics;
  options.rowAlignment = spec.rowAlignment;
  if (isOfRange(spec))
    options.parallelism = mlir::embedding::CPUParallelism::none;
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
  if (!isOfRange(spec))
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
