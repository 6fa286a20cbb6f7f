//===- Lookup.cpp - embedding_lookup --------------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceOperands.h"

#include <algorithm>

using namespace embedding::runtime;

//===----------------------------------------------------------------------===//
// Validation
//===----------------------------------------------------------------------===//

namespace {

/// The arguments of a lookup, valid together.
struct LookupArguments {
  Tensor table;
  Tensor indices;
  Tensor out;
  EmbeddingOutOfRange outOfRange;

  int64_t rowLength() const { return table.size(1); }
};

} // namespace

static Result<LookupArguments>
checkLookup(const DLTensor *dlTable, const DLTensor *dlIndices,
            const EmbeddingLookupOptions &options, const DLTensor *dlOut) {
  Result<Tensor> table = Tensor::get(dlTable, "table");
  if (!table)
    return table.failure();
  Result<Tensor> indices = getIndices(dlIndices);
  if (!indices)
    return indices.failure();
  Result<Tensor> out = Tensor::get(dlOut, "out");
  if (!out)
    return out.failure();

  if (Status device = checkSameDevice("table", *table, {&*indices, &*out});
      !device)
    return device.failure();
  if (table->rank() != 2)
    return invalidArgument("table: expected 2 dimensions, but got " +
                           std::to_string(table->rank()));
  if (!haveSameType(*out, *table))
    return invalidArgument("out: expected the type of table, " +
                           getName(table->dtype()) + ", but got " +
                           getName(out->dtype()));
  if (Status shape = checkRowsOf("out", *out, *indices, table->size(1)); !shape)
    return shape.failure();
  if (!hasDistinctElements(*out))
    return invalidArgument(
        "out: expected elements that do not share memory with each other");
  if (overlap(*out, *table) || overlap(*out, *indices))
    return invalidArgument(
        "out: expected memory apart from that of table and indices");
  if (Status mode = checkOutOfRangeMode(options.out_of_range); !mode)
    return mode.failure();
  if (options.has_padding_idx)
    if (Status padding = checkPaddingIdx(options.padding_idx, table->size(0));
        !padding)
      return padding.failure();
  return LookupArguments{
      *table, *indices, *out,
      static_cast<EmbeddingOutOfRange>(options.out_of_range)};
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

static Result<KernelSpec> getSpec(const LookupArguments &arguments,
                                  EmbeddingLowering lowering) {
  KernelSpec spec;
  spec.outOfRange = arguments.outOfRange;
  spec.lowering = lowering;
  spec.indexBits = arguments.indices.dtype().bits;
  int64_t elementBytes = arguments.table.elementBytes();
  if (hasContiguousRows(arguments.table) && hasContiguousRows(arguments.out)) {
    int64_t rowBytes = arguments.rowLength() * elementBytes;
    // IR knows no slice of a dimension of size 0.
    spec.rowLength = rowBytes > 0 && rowBytes <= cost::kMaxStaticRowBytes
                         ? rowBytes
                         : KernelSpec::kDynamic;
    auto address = reinterpret_cast<uintptr_t>(arguments.table.data());
    spec.isDense = spec.rowLength != KernelSpec::kDynamic &&
                   arguments.table.isContiguous() &&
                   arguments.out.isContiguous() &&
                   address % getRowAlignment(rowBytes) == 0;
    return spec;
  }
  if (elementBytes > 16 || (elementBytes & (elementBytes - 1)) != 0)
    return Failure{EMBEDDING_UNSUPPORTED,
                   "table: rows that are not contiguous need elements of 1, 2, "
                   "4, 8 or 16 bytes, but got " +
                       std::to_string(elementBytes)};
  for (auto [tensor, name] :
       {std::pair(&arguments.table, "table"), std::pair(&arguments.out, "out")})
    if (!tensor->isAligned())
      return invalidArgument(std::string(name) +
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
  LookupKernel kernel;
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
    int64_t reported[3];
    MemRef<1> report;
    report.aligned = reported;
    report.sizes[0] = 3;
    report.strides[0] = 1;
    kernel(begin - first, end - first, &runTable, &runIndices, &runOut,
           &report);
    found.add(begin, reported);
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

/// Whether the indices are first copied to where they are contiguous.
static bool copiesIndices(const Tensor &indices) {
  return !indices.isContiguous() || !indices.isAligned();
}

static Status lookup(Engine &engine, const LookupArguments &arguments) {
  const auto &[table, indices, out, outOfRange] = arguments;
  int64_t numIndices = indices.numElements();
  if (numIndices == 0)
    return success();
  Result<KernelSpec> spec = getSpec(arguments, engine.getLowering());
  if (!spec)
    return spec.failure();
  Result<const Kernel *> kernel = engine.getKernel(*spec);
  if (!kernel)
    return kernel.failure();

  std::optional<Workspace> copied;
  const char *indexData = indices.data();
  if (copiesIndices(indices)) {
    Result<Workspace> memory =
        engine.allocate(numIndices * indices.elementBytes());
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
  int64_t rowLength = arguments.rowLength();
  LookupCall call{
      reinterpret_cast<LookupKernel>((*kernel)->function),
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

static Status lookupOnDevice(Engine &engine, const LookupArguments &arguments,
                             void *stream, size_t *outWorkspaceBytes) {
  const auto &[table, indices, out, outOfRange] = arguments;
  if (outWorkspaceBytes)
    *outWorkspaceBytes = 0;
  if (indices.numElements() == 0 || outWorkspaceBytes)
    return success();
  DeviceOperands operands(indices);
  AnyMemRef *from = operands.add(table), *to = operands.add(out);
  KernelSpec spec;
  spec.outOfRange = outOfRange;
  if (Status finished = operands.finish(spec, /*asBytes=*/true); !finished)
    return finished;
  return runOnDevice(
      engine, indices.device(), stream, spec, outWorkspaceBytes,
      [&](void *function, AnyMemRef *workspace) {
        return reinterpret_cast<DeviceLookupKernel<int64_t>>(function)(
            from, operands.getIndices(), to, workspace);
      },
      [&](void *function, AnyMemRef *workspace) {
        reinterpret_cast<DeviceLookupKernel<void>>(function)(
            from, operands.getIndices(), to, workspace);
      });
}

//===----------------------------------------------------------------------===//
// C API
//===----------------------------------------------------------------------===//

void embedding_lookup_options_init(EmbeddingLookupOptions *options,
                                   size_t struct_size) {
  EmbeddingLookupOptions defaults = {};
  defaults.norm_type = 2.0;
  initOptions(options, struct_size, defaults);
}

/// Looks up, or, if `outWorkspaceBytes` is not null, says how much workspace
/// that takes.
static Status lookup(EmbeddingEngine *engine, const DLTensor *table,
                     const DLTensor *indices,
                     const EmbeddingLookupOptions *options, const DLTensor *out,
                     size_t *outWorkspaceBytes) {
  if (!engine)
    return invalidArgument("expected engine not to be null");
  EmbeddingLookupOptions given;
  embedding_lookup_options_init(&given, sizeof(given));
  if (Status copied = copyOptions(options, given); !copied)
    return copied;
  Result<LookupArguments> arguments = checkLookup(table, indices, given, out);
  if (!arguments)
    return arguments.failure();
  if (given.has_max_norm)
    return lookupWithRenorm(*engine->engine, arguments->table,
                            arguments->indices, arguments->out, given,
                            outWorkspaceBytes);
  if (arguments->indices.isOnDevice())
    return lookupOnDevice(*engine->engine, *arguments, given.stream,
                          outWorkspaceBytes);
  if (!outWorkspaceBytes)
    return lookup(*engine->engine, *arguments);
  const Tensor &read = arguments->indices;
  *outWorkspaceBytes =
      copiesIndices(read) ? read.numElements() * read.elementBytes() : 0;
  return success();
}

EmbeddingStatusCode
embedding_lookup(EmbeddingEngine *engine, const DLTensor *table,
                 const DLTensor *indices, const EmbeddingLookupOptions *options,
                 const DLTensor *out, EmbeddingStatus *out_status) {
  return callAtBoundary(out_status, [&]() -> Status {
    return lookup(engine, table, indices, options, out, nullptr);
  });
}

EmbeddingStatusCode embedding_lookup_workspace_size(
    EmbeddingEngine *engine, const DLTensor *table, const DLTensor *indices,
    const EmbeddingLookupOptions *options, const DLTensor *out,
    size_t *out_bytes, EmbeddingStatus *out_status) {
  return callAtBoundary(out_status, [&]() -> Status {
    if (!out_bytes)
      return invalidArgument("expected out_bytes not to be null");
    return lookup(engine, table, indices, options, out, out_bytes);
  });
}
