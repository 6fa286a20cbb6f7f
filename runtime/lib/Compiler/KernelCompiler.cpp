//===- KernelCompiler.cpp - libembedding-compiler -------------------------===//
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

#include "../CompilerAPI.h"
#include "Compilation.h"
#include "CompilerFingerprint.h"
#include "Linker.h"

#include "embedding/Pipelines/Passes.h"

#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace ::embedding::runtime;

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

/// {0} is its name, {1} its arguments, {2} the operation and {3} the rest of
/// it.
static constexpr char kOperationKernel[] = R"mlir(
func.func @{0}({1}, %workspace: memref<?xi8> {{embedding.workspace})
    attributes {{llvm.emit_c_interface, llvm.linkage = #llvm.linkage<internal>} {{
  embedding.{2} {3}
  return
}
)mlir";

/// The type of rows in `numDims` dimensions, all of any size and stride.
static std::string getRowsType(const KernelSpec &spec, int numDims) {
  std::string sizes, strides;
  for (int dim = 0; dim < numDims; ++dim) {
    sizes += "?x";
    strides += "?, ";
  }
  const char *prefix = spec.elementCode == kDLInt      ? "i"
                       : spec.elementCode == kDLBfloat ? "bf"
                                                       : "f";
  return llvm::formatv(
      "memref<{0}{1}x{2}{3}, strided<[{4}{5}]>>", sizes,
      spec.rowLength == KernelSpec::kDynamic ? "?"
                                             : std::to_string(spec.rowLength),
      prefix, 8 * spec.elementBytes, strides, spec.isContiguous ? "1" : "?");
}

static std::string getIndicesType(const KernelSpec &spec) {
  if (spec.chip == 0)
    return llvm::formatv("memref<?xi{0}>", spec.indexBits);
  std::string sizes, strides;
  for (int dim = 0; dim < spec.indexRank; ++dim) {
    sizes += "?x";
    strides += dim ? ", ?" : "?";
  }
  return llvm::formatv("memref<{0}i{1}, strided<[{2}]>>", sizes, spec.indexBits,
                       strides);
}

static std::string getOperationIR(const KernelSpec &spec) {
  std::string rows = getRowsType(spec, /*numDims=*/1);
  // What has the shape of the indices, and a dimension behind it.
  std::string indexedRows = getRowsType(spec, spec.indexRank);
  std::string indices = getIndicesType(spec);
  std::string mode =
      llvm::formatv("out_of_range({0})", getName(spec.outOfRange));
  if (spec.chip == 0)
    mode += llvm::formatv(
        " {{embedding.schedule = #embedding.schedule<grouping = {0}>}",
        getName(spec.grouping));
  std::string normType;
  if (spec.kind == KernelKind::renorm || spec.kind == KernelKind::renormLookup)
    // As bits, since text has no infinity.
    normType = llvm::formatv("norm_type({0:x})",
                             llvm::bit_cast<uint64_t>(spec.normType));
  std::string gradOptions = spec.hasPadding ? "padding_idx(%padding) " : "";
  if (spec.scalesGradByFreq)
    gradOptions += "scale_grad_by_freq ";
  gradOptions += mode;

  std::string arguments, operation;
  switch (spec.kind) {
  case KernelKind::renorm:
    arguments = "%indices: " + indices + ", %max_norm: f64, %table: " + rows;
    operation = "max_norm(%max_norm) " + normType + " " + mode +
                " ins(%indices : " + indices + ") outs(%table : " + rows + ")";
    break;
  case KernelKind::renormLookup:
    arguments = "%indices: " + indices + ", %max_norm: f64, %table: " + rows +
                ", %out: " + indexedRows;
    operation = "max_norm(%max_norm) " + normType + " " + mode +
                " ins(%indices : " + indices + ") outs(%table, %out : " + rows +
                ", " + indexedRows + ")";
    break;
  case KernelKind::lookup:
    arguments =
        "%table: " + rows + ", %indices: " + indices + ", %out: " + indexedRows;
    operation = mode + " ins(%table, %indices : " + rows + ", " + indices +
                ") outs(%out : " + indexedRows + ")";
    break;
  case KernelKind::denseGrad:
  case KernelKind::doubleBackward: {
    bool isGrad = spec.kind == KernelKind::denseGrad;
    const std::string &from = isGrad ? indexedRows : rows;
    const std::string &to = isGrad ? rows : indexedRows;
    arguments = "%from: " + from + ", %indices: " + indices +
                ", %padding: index, %to: " + to;
    operation = gradOptions + " ins(%from, %indices : " + from + ", " +
                indices + ") outs(%to : " + to + ")";
    break;
  }
  case KernelKind::sparseGrad:
    arguments = "%from: " + indexedRows + ", %indices: " + indices +
                ", %num_rows: index, %padding: index, %rows: memref<?xi64>, "
                "%values: " +
                rows + ", %count: memref<i64>";
    operation = "num_rows(%num_rows) " + gradOptions +
                " ins(%from, %indices : " + indexedRows + ", " + indices +
                ") outs(%rows, %values, %count : memref<?xi64>, " + rows +
                ", memref<i64>)";
    break;
  case KernelKind::coalesce:
    arguments = "%indices: " + indices + ", %values: " + rows +
                ", %num_rows: index, %rows: memref<?xi64>, %sums: " + rows +
                ", %count: memref<i64>";
    operation = "num_rows(%num_rows) " + mode +
                " ins(%indices, %values : " + indices + ", " + rows +
                ") outs(%rows, %sums, %count : memref<?xi64>, " + rows +
                ", memref<i64>)";
    break;
  case KernelKind::findOutOfRange:
    llvm_unreachable("a kernel of a range");
  }
  return llvm::formatv(kOperationKernel, spec.getFunctionName(), arguments,
                       getName(spec.kind), operation);
}

static std::string getIR(const KernelSpec &spec) {
  if (spec.chip != 0)
    return getOperationIR(spec);
  switch (spec.kind) {
  case KernelKind::lookup:
    return getLookupIR(spec);
  case KernelKind::findOutOfRange:
    return getFindOutOfRangeIR(spec);
  default:
    return getOperationIR(spec);
  }
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

/// Appends a relocatable object to `object`.
static LogicalResult compile(Compilation &compilation, const KernelSpec &spec,
                             const char *cpu, SmallVectorImpl<char> &object) {
  FailureOr<mlir::embedding::CPUTarget> target = compilation.getTarget(cpu);
  if (failed(target))
    return failure();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(
      getIR(spec), &compilation.getContext(), spec.str());
  if (!module)
    return failure();

  PassManager pm(&compilation.getContext());
  if (spec.chip != 0) {
    mlir::embedding::NVVMPipelineOptions options;
    options.chip = "sm_" + std::to_string(spec.chip);
    options.rowAlignment = spec.rowAlignment;
    options.atomicGradients = spec.usesAtomics;
    options.launch = mlir::embedding::KernelLaunch::callback;
    mlir::embedding::buildEmbeddingToNVVMPipeline(pm, options);
    if (failed(pm.run(*module)))
      return failure();
    return target->emit(*module, /*optLevel=*/2,
                        mlir::embedding::CPUTarget::Output::object, object);
  }
  mlir::embedding::CPUPipelineOptions options;
  options.vectorBytes = target->getVectorBytes();
  bool isOptimized = spec.lowering == EMBEDDING_LOWERING_OPTIMIZED;
  options.vectorize = options.prefetch = isOptimized;
  bool isOfRange = spec.kind == KernelKind::lookup ||
                   spec.kind == KernelKind::findOutOfRange;
  options.parallelism = isOfRange ? mlir::embedding::CPUParallelism::none
                                  : mlir::embedding::CPUParallelism::callback;
  mlir::embedding::buildEmbeddingToCPUPipeline(pm, options);
  if (failed(pm.run(*module)))
    return failure();
  return target->emit(*module, isOptimized ? 2 : 0,
                      mlir::embedding::CPUTarget::Output::object, object);
}

extern "C" EMBEDDING_RUNTIME_EXPORT void
embedding_compile_kernel(const KernelSpec *spec, const char *cpu,
                         const CompilerOutput *output) {
  bool isRun = runOnLargeStack([&] {
    Compilation compilation;
    mlir::embedding::ObjectFile object, linked;
    if (succeeded(compile(compilation, *spec, cpu, object)) &&
        succeeded(mlir::embedding::linkToHost(
            UnknownLoc::get(&compilation.getContext()), object, linked)))
      output->setObject(output->context, linked.data(), linked.size());
    else
      output->setError(output->context, compilation.getError());
  });
  if (!isRun)
    output->setError(output->context, "cannot start a thread");
}

extern "C" EMBEDDING_RUNTIME_EXPORT const char *
embedding_compiler_fingerprint() {
  return kCompilerFingerprint;
}
