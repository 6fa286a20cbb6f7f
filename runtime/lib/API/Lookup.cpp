//===- Lookup.cpp - Lookups on the CPU ------------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "API/Operation.h"
#include "Call/OutOfRangeIndices.h"
#include "Support/RowRuns.h"

#include <algorithm>

using namespace embedding::runtime;

namespace {

/// Operands by their numbers.
enum { kTable, kIndices, kOut };

} // namespace

static Result<KernelSpec> getSpec(const Operands &operands,
                                  EmbeddingLowering lowering) {
  const Tensor &table = operands.getTensor(kTable);
  const Tensor &out = operands.getTensor(kOut);
  KernelSpec spec;
  spec.operation = &operands.operation;
  spec.outOfRange =
      static_cast<EmbeddingOutOfRange>(operands.attributes.outOfRange);
  spec.lowering = lowering;
  spec.indexBits = operands.getIndices().dtype().bits;
  int64_t elementBytes = table.elementBytes();
  if (hasContiguousRows(table) && hasContiguousRows(out)) {
    int64_t rowBytes = table.size(1) * elementBytes;
    spec.rowLength = getSpecRowLength(rowBytes, spec.elementBytes);
    auto address = reinterpret_cast<uintptr_t>(table.data());
    spec.isDense = spec.rowLength != KernelSpec::kDynamic &&
                   table.isContiguous() && out.isContiguous() &&
                   address % getRowAlignment(rowBytes) == 0;
    return spec;
  }
  if (elementBytes > 16 || (elementBytes & (elementBytes - 1)) != 0)
    return Failure{EMBEDDING_UNSUPPORTED,
                   "table: rows that are not contiguous need elements of 1, 2, "
                   "4, 8 or 16 bytes, but got " +
                       std::to_string(elementBytes)};
  for (int number : {kTable, kOut})
    if (!operands.getTensor(number).isAligned())
      return invalidArgument(
          std::string(operands.operation.operands[number].name) +
          ": expected rows that are not contiguous to be "
          "aligned to their element of " +
          std::to_string(elementBytes) + " bytes");
  spec.isContiguous = false;
  spec.elementBytes = static_cast<int32_t>(elementBytes);
  return spec;
}

namespace {

/// A lookup under way: what its ranges share.
struct LookupCall {
  const Kernel *kernel;
  MemRef<2> table;
  MemRef<1> indices;
  MemRef<2> out;
  RowRuns rows;
  int64_t indexBytes;
  const char *indexData;
  OutOfRangeIndices found = {};

  /// Rows [begin, end) of the whole, within one run and one call's reach.
  void runKernel(int64_t begin, int64_t end) {
    int64_t run = begin / rows.getRunLength();
    int64_t first = run * rows.getRunLength();
    MemRef<2> runTable = table, runOut = out;
    MemRef<1> runIndices = indices;
    runIndices.aligned = const_cast<char *>(indexData + first * indexBytes);
    runOut.aligned = rows.getRun(run);
    OutOfRangeReport report;
    int64_t runBegin = begin - first, runEnd = end - first;
    void *arguments[] = {&runBegin,   &runEnd, &runTable,
                         &runIndices, &runOut, &report.ref};
    kernel->run(arguments);
    found.add(begin, report);
  }

  static void runRange(void *context, int64_t begin, int64_t end) {
    auto *call = static_cast<LookupCall *>(context);
    int64_t runLength = call->rows.getRunLength();
    while (begin < end) {
      int64_t runEnd = (begin / runLength + 1) * runLength;
      int64_t stop = std::min({end, runEnd, begin + cost::kRowsPerCall});
      call->runKernel(begin, stop);
      begin = stop;
    }
  }
};

} // namespace

/// A tensor of rows as the kernel takes it: in elements of the spec.
static MemRef<2> getRows(char *data, int64_t numRows, int64_t rowStride,
                         int64_t elementStride, int64_t rowLength,
                         const KernelSpec &spec, int64_t elementBytes) {
  int64_t scale = elementBytes / spec.elementBytes;
  MemRef<2> rows;
  rows.aligned = data;
  rows.sizes[0] = numRows;
  rows.sizes[1] = rowLength * scale;
  rows.strides[0] = rowStride * scale;
  rows.strides[1] = spec.isContiguous ? 1 : elementStride;
  return rows;
}

Status embedding::runtime::lookupOnCPU(Engine &engine, const Operands &operands,
                                       size_t *outWorkspaceBytes) {
  const Tensor &table = operands.getTensor(kTable);
  const Tensor &indices = operands.getIndices();
  const Tensor &out = operands.getTensor(kOut);
  int64_t numIndices = indices.numElements();
  if (outWorkspaceBytes) {
    *outWorkspaceBytes =
        isCopied(indices) ? numIndices * indices.elementBytes() : 0;
    return success();
  }
  if (numIndices == 0)
    return success();
  Result<KernelSpec> spec = getSpec(operands, engine.getLowering());
  if (!spec)
    return spec.failure();
  Result<const Kernel *> kernel = engine.getKernel(*spec);
  if (!kernel)
    return kernel.failure();

  std::optional<Workspace> copied;
  const char *indexData = indices.data();
  if (isCopied(indices)) {
    Result<Workspace> memory =
        Workspace::allocate(engine, numIndices * indices.elementBytes());
    if (!memory)
      return memory.failure();
    copied.emplace(std::move(*memory));
    copyToCompact(indices, copied->data());
    indexData = copied->data();
  }

  if (out.isContiguous())
    engine.touch(out.data(), out.numElements() * out.elementBytes());
  RowRuns rows(out);
  int64_t elementBytes = table.elementBytes();
  int64_t rowLength = table.size(1);
  LookupCall call{
      *kernel,
      getRows(table.data(), table.size(0), table.stride(0), table.stride(1),
              rowLength, *spec, elementBytes),
      MemRef<1>(),
      getRows(nullptr, rows.getRunLength(), rows.getStride(),
              out.stride(out.rank() - 1), rowLength, *spec, elementBytes),
      rows,
      indices.elementBytes(),
      indexData,
  };
  call.indices.sizes[0] = rows.getRunLength();
  call.indices.strides[0] = 1;
  int64_t rowBytes = std::max<int64_t>(rowLength * elementBytes, 1);
  bool isSmall = rowBytes < cost::kMinParallelBytes / numIndices;
  int64_t grain =
      isSmall ? numIndices : std::max<int64_t>(cost::kGrainBytes / rowBytes, 1);
  engine.parallelFor(numIndices, grain, LookupCall::runRange, &call);
  return call.found.getStatus(table.size(0));
}
