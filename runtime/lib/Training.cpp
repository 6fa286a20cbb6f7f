//===- Training.cpp - Renorm, gradients and their derivative --------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceOperands.h"

#include <algorithm>
#include <cmath>

using namespace embedding::runtime;

static size_t alignSize(size_t size) {
  return roundUp(size, Workspace::kAlignment);
}

//===----------------------------------------------------------------------===//
// Validation
//===----------------------------------------------------------------------===//

/// Floats, aligned to their size.
static Status checkFloats(const char *name, const Tensor &tensor) {
  DLDataType type = tensor.dtype();
  bool isFloat = type.code == kDLFloat &&
                 (type.bits == 16 || type.bits == 32 || type.bits == 64);
  bool isBfloat = type.code == kDLBfloat && type.bits == 16;
  if (type.lanes != 1 || (!isFloat && !isBfloat))
    return invalidArgument(std::string(name) +
                           ": expected float16, bfloat16, float32 or float64, "
                           "but got " +
                           getName(type));
  if (!tensor.isAligned())
    return invalidArgument(std::string(name) +
                           ": expected data aligned to its elements of " +
                           std::to_string(tensor.elementBytes()) + " bytes");
  return success();
}

static Result<Tensor> getFloats(const DLTensor *dlTensor, const char *name) {
  Result<Tensor> tensor = Tensor::get(dlTensor, name);
  if (!tensor)
    return tensor;
  if (Status floats = checkFloats(name, *tensor); !floats)
    return floats.failure();
  return tensor;
}

static Status checkRank(const char *name, const Tensor &tensor, int rank) {
  if (tensor.rank() == rank)
    return success();
  return invalidArgument(std::string(name) + ": expected " +
                         std::to_string(rank) +
                         (rank == 1 ? " dimension" : " dimensions") +
                         ", but got " + std::to_string(tensor.rank()));
}

static Status checkSize(const char *name, const Tensor &tensor, int dim,
                        int64_t size) {
  if (tensor.size(dim) == size)
    return success();
  return invalidArgument(std::string(name) + ": expected dimension " +
                         std::to_string(dim) + " to have size " +
                         std::to_string(size) + ", but got " +
                         std::to_string(tensor.size(dim)));
}

static Status checkSameType(const char *name, const Tensor &tensor,
                            const char *otherName, const Tensor &other) {
  if (haveSameType(tensor, other))
    return success();
  return invalidArgument(std::string(name) + ": expected the type of " +
                         otherName + ", " + getName(other.dtype()) +
                         ", but got " + getName(tensor.dtype()));
}

/// What is written shares no memory with itself or with what is read.
static Status checkWritten(const char *name, const Tensor &tensor,
                           std::initializer_list<const Tensor *> others) {
  if (!hasDistinctElements(tensor))
    return invalidArgument(
        std::string(name) +
        ": expected elements that do not share memory with each other");
  for (const Tensor *other : others)
    if (overlap(tensor, *other))
      return invalidArgument(std::string(name) +
                             ": expected memory apart from that of the other "
                             "operands");
  return success();
}

/// The int64s that a sparse result's rows go to.
static Result<Tensor> getRows(const DLTensor *dlRows, int64_t size) {
  Result<Tensor> rows = Tensor::get(dlRows, "rows");
  if (!rows)
    return rows;
  DLDataType type = rows->dtype();
  if (type.code != kDLInt || type.bits != 64 || type.lanes != 1)
    return invalidArgument("rows: expected int64, but got " + getName(type));
  if (Status rank = checkRank("rows", *rows, 1); !rank)
    return rank.failure();
  if (Status count = checkSize("rows", *rows, 0, size); !count)
    return count.failure();
  if (!rows->isContiguous() || !rows->isAligned())
    return invalidArgument("rows: expected contiguous and aligned data");
  return rows;
}

/// The number of entries, which may be null, is written like a tensor.
static Status checkNnz(int64_t *outNnz,
                       std::initializer_list<const Tensor *> others) {
  if (!outNnz)
    return success();
  DLTensor described = {};
  described.data = outNnz;
  described.device.device_type = kDLCPU;
  described.dtype = {kDLInt, 64, 1};
  Result<Tensor> nnz = Tensor::get(&described, "out_nnz");
  return nnz ? checkWritten("out_nnz", *nnz, others) : nnz.failure();
}

static Status checkNumRows(int64_t numRows) {
  if (numRows >= 0)
    return success();
  return invalidArgument("num_rows: expected at least 0, but got " +
                         std::to_string(numRows));
}

static Status checkNormType(double normType) {
  if (!std::isnan(normType))
    return success();
  return invalidArgument("options: expected norm_type not to be NaN");
}

/// The first failure, or success.
static Status firstFailure(std::initializer_list<Status> checks) {
  for (const Status &check : checks)
    if (!check)
      return check;
  return success();
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

namespace {

/// The call of a kernel of a whole operation: what it needs around it. On the
/// CPU, tensors of rows that do not lie at one stride are copied to the
/// workspace, and from there if they are written; so are indices that are not
/// contiguous.
class TrainingCall {
public:
  TrainingCall(Engine &engine, KernelKind kind, const Tensor &indices,
               int64_t numRows, int32_t outOfRange, void *stream)
      : engine(engine), indices(indices), numRows(numRows), stream(stream),
        checks(outOfRange == EMBEDDING_OUT_OF_RANGE_CHECK), onDevice(indices) {
    spec.kind = kind;
    spec.outOfRange = static_cast<EmbeddingOutOfRange>(outOfRange);
    // On the CPU indices are checked before the kernel runs.
    if (checks && !indices.isOnDevice())
      spec.outOfRange = EMBEDDING_OUT_OF_RANGE_ASSUME;
    spec.lowering = engine.getLowering();
    spec.indexBits = indices.dtype().bits;
    indexRef.sizes[0] = indices.numElements();
    indexRef.strides[0] = 1;
    indexRef.aligned = indices.data();
    copiesIndices = !indices.isContiguous() || !indices.isAligned();
  }

  KernelSpec spec;

  AnyMemRef *getIndices() {
    return indices.isOnDevice() ? onDevice.getIndices() : &indexRef;
  }
  int64_t getNumIndices() const { return indexRef.sizes[0]; }

  /// A tensor [..., rowLength] as the kernel takes it.
  AnyMemRef *addRows(const Tensor &tensor, bool isWritten) {
    if (indices.isOnDevice())
      return onDevice.add(tensor);
    Rows &rows = operands[numOperands++];
    RowRuns runs(tensor);
    int64_t rowLength = tensor.size(tensor.rank() - 1);
    rows.tensor = &tensor;
    rows.isWritten = isWritten;
    rows.isCopied = !runs.isSingle();
    rows.ref.aligned = tensor.data();
    rows.ref.sizes[0] = 1;
    for (int dim = 0; dim < tensor.rank() - 1; ++dim)
      rows.ref.sizes[0] *= tensor.size(dim);
    rows.ref.sizes[1] = rowLength;
    rows.ref.strides[0] = rows.isCopied ? rowLength : runs.getStride();
    rows.ref.strides[1] = rows.isCopied || hasContiguousRows(tensor)
                              ? 1
                              : tensor.stride(tensor.rank() - 1);
    spec.isContiguous &= rows.ref.strides[1] == 1;
    spec.elementCode = static_cast<DLDataTypeCode>(tensor.dtype().code);
    spec.elementBytes = static_cast<int32_t>(tensor.elementBytes());
    // IR knows no slice of a dimension of size 0.
    spec.rowLength = rowLength > 0 && rowLength * spec.elementBytes <=
                                          cost::kMaxStaticRowBytes
                         ? rowLength
                         : KernelSpec::kDynamic;
    return &rows.ref;
  }

  /// Checks the indices and calls the kernel with `arguments` and the
  /// workspace; or, if `outWorkspaceBytes` is not null, writes how much that
  /// is.
  template <template <typename> typename KernelOf, typename... Arguments>
  Status run(size_t *outWorkspaceBytes, Arguments... arguments) {
    if (Status size = checkIndexCount(); !size)
      return size;
    if (indices.isOnDevice())
      return runOnDevice<KernelOf>(outWorkspaceBytes, arguments...);
    Result<const Kernel *> kernel = engine.getKernel(spec);
    if (!kernel)
      return kernel.failure();
    MemRef<1> workspace;
    workspace.strides[0] = 1;
    auto workspaceBytes =
        reinterpret_cast<KernelOf<int64_t>>((*kernel)->workspaceBytes);
    size_t kernelBytes = alignSize(
        static_cast<size_t>(workspaceBytes(arguments..., &workspace)));
    size_t totalBytes = kernelBytes + planCopies(kernelBytes);
    if (outWorkspaceBytes) {
      *outWorkspaceBytes = totalBytes;
      return success();
    }

    std::optional<Workspace> memory;
    if (totalBytes > 0) {
      Result<Workspace> allocated = engine.allocate(totalBytes);
      if (!allocated)
        return allocated.failure();
      memory.emplace(std::move(*allocated));
      workspace.aligned = memory->data();
      workspace.sizes[0] = static_cast<int64_t>(kernelBytes);
    }
    if (copiesIndices) {
      copyToCompact(indices, memory->data() + indexCopyOffset);
      indexRef.aligned = memory->data() + indexCopyOffset;
    }
    if (checks)
      if (Status inRange = checkIndices(); !inRange)
        return inRange;
    for (Rows &rows : operands)
      if (rows.isCopied) {
        rows.ref.aligned = memory->data() + rows.copyOffset;
        if (!rows.isWritten)
          copyToCompact(*rows.tensor, memory->data() + rows.copyOffset);
      }
    // The others may write less.
    if (spec.kind != KernelKind::sparseGrad &&
        spec.kind != KernelKind::coalesce)
      for (const Rows &rows : operands)
        if (rows.isWritten && rows.tensor->isContiguous())
          engine.touch(rows.tensor->data(), rows.tensor->numElements() *
                                                rows.tensor->elementBytes());
    KernelCall call(engine);
    call.enter([&] {
      reinterpret_cast<KernelOf<void>>((*kernel)->function)(arguments...,
                                                            &workspace);
    });
    if (Status done = call.getStatus(); !done)
      return done;
    for (const Rows &rows : operands)
      if (rows.isCopied && rows.isWritten)
        copyFromCompact(memory->data() + rows.copyOffset, *rows.tensor);
    return success();
  }

private:
  template <template <typename> typename KernelOf, typename... Arguments>
  Status runOnDevice(size_t *outWorkspaceBytes, Arguments... arguments) {
    spec.lowering = EMBEDDING_LOWERING_OPTIMIZED;
    spec.grouping = Grouping::radixSort;
    if (Status finished = onDevice.finish(spec, /*asBytes=*/false); !finished)
      return finished;
    return embedding::runtime::runOnDevice(
        engine, indices.device(), stream, spec, outWorkspaceBytes,
        [&](void *function, AnyMemRef *workspace) {
          return reinterpret_cast<KernelOf<int64_t>>(function)(arguments...,
                                                               workspace);
        },
        [&](void *function, AnyMemRef *workspace) {
          reinterpret_cast<KernelOf<void>>(function)(arguments..., workspace);
        });
  }

  struct Rows {
    const Tensor *tensor = nullptr;
    MemRef<2> ref;
    size_t copyOffset = 0;
    bool isWritten = false;
    bool isCopied = false;
  };

  /// Positions and rows fit into 64 bits together, as `embedding.group` has it.
  Status checkIndexCount() const {
    auto bitsOf = [](int64_t value) {
      return value > 0 ? 64 - __builtin_clzll(static_cast<uint64_t>(value)) : 0;
    };
    if (bitsOf(indices.numElements() - 1) + bitsOf(numRows) <= 64)
      return success();
    return Failure{EMBEDDING_UNSUPPORTED,
                   "indices: expected positions and rows of 64 bits together, "
                   "but got " +
                       std::to_string(indices.numElements()) +
                       " positions and " + std::to_string(numRows) + " rows"};
  }

  /// Places the copies behind the first `offset` bytes; returns their bytes.
  size_t planCopies(size_t offset) {
    size_t begin = offset;
    auto place = [&](const Tensor &tensor) {
      size_t at = offset;
      offset += alignSize(tensor.numElements() * tensor.elementBytes());
      return at;
    };
    if (copiesIndices)
      indexCopyOffset = place(indices);
    for (Rows &rows : operands)
      if (rows.isCopied)
        rows.copyOffset = place(*rows.tensor);
    return offset - begin;
  }

  Status checkIndices() {
    KernelSpec finding;
    finding.kind = KernelKind::findOutOfRange;
    finding.outOfRange = EMBEDDING_OUT_OF_RANGE_CHECK;
    finding.lowering = spec.lowering;
    finding.indexBits = spec.indexBits;
    Result<const Kernel *> kernel = engine.getKernel(finding);
    if (!kernel)
      return kernel.failure();
    struct Call {
      FindOutOfRangeKernel kernel;
      MemRef<1> *indices;
      int64_t numRows;
      OutOfRangeIndices found;
    } call{reinterpret_cast<FindOutOfRangeKernel>((*kernel)->function),
           &indexRef,
           numRows,
           {}};
    engine.parallelFor(
        indices.numElements(), cost::kGrainBytes / indices.elementBytes(),
        [](void *context, int64_t begin, int64_t end) {
          auto &call = *static_cast<Call *>(context);
          int64_t found[3];
          MemRef<1> report;
          report.aligned = found;
          report.sizes[0] = 3;
          report.strides[0] = 1;
          call.kernel(begin, end, call.indices, call.numRows, &report);
          call.found.add(begin, found);
        },
        &call);
    return call.found.getStatus(numRows);
  }

  Engine &engine;
  const Tensor &indices;
  int64_t numRows;
  void *stream;
  bool checks;
  bool copiesIndices;
  size_t indexCopyOffset = 0;
  MemRef<1> indexRef;
  std::array<Rows, 2> operands;
  int numOperands = 0;
  DeviceOperands onDevice;
};

} // namespace

static Status checkGradOptions(const EmbeddingGradOptions &options,
                               int64_t numRows) {
  if (Status mode = checkOutOfRangeMode(options.out_of_range); !mode)
    return mode;
  return options.has_padding_idx ? checkPaddingIdx(options.padding_idx, numRows)
                                 : success();
}

/// What `options` say of the kernel of a gradient.
static void setGradOptions(TrainingCall &call,
                           const EmbeddingGradOptions &options) {
  call.spec.hasPadding = options.has_padding_idx != 0;
  call.spec.scalesGradByFreq = options.scale_grad_by_freq != 0;
}

/// The grouping of a kernel that sorts for nothing but frequencies.
static void setGroupingForFrequencies(TrainingCall &call, int64_t numRows) {
  if (call.spec.scalesGradByFreq)
    call.spec.grouping = cost::chooseSort(call.getNumIndices(), numRows);
}

static MemRef<1> getVector(const Tensor &tensor) {
  MemRef<1> vector;
  vector.aligned = tensor.data();
  vector.sizes[0] = tensor.size(0);
  vector.strides[0] = 1;
  return vector;
}

//===----------------------------------------------------------------------===//
// Renorm
//===----------------------------------------------------------------------===//

static Status renorm(Engine &engine, const DLTensor *dlTable,
                     const DLTensor *dlIndices, double maxNorm,
                     const EmbeddingRenormOptions &options,
                     size_t *outWorkspaceBytes) {
  Result<Tensor> table = getFloats(dlTable, "table");
  if (!table)
    return table.failure();
  Result<Tensor> indices = getIndices(dlIndices);
  if (!indices)
    return indices.failure();
  if (Status valid =
          firstFailure({checkSameDevice("table", *table, {&*indices}),
                        checkRank("table", *table, 2),
                        checkWritten("table", *table, {&*indices}),
                        checkOutOfRangeMode(options.out_of_range),
                        checkNormType(options.norm_type)});
      !valid)
    return valid;
  TrainingCall call(engine, KernelKind::renorm, *indices, table->size(0),
                    options.out_of_range, options.stream);
  call.spec.normType = options.norm_type;
  call.spec.grouping =
      cost::chooseDistinct(call.getNumIndices(), table->size(0));
  AnyMemRef *tableRows = call.addRows(*table, /*isWritten=*/true);
  return call.run<RenormKernel>(outWorkspaceBytes, call.getIndices(), maxNorm,
                                tableRows);
}

Status
embedding::runtime::lookupWithRenorm(Engine &engine, const Tensor &table,
                                     const Tensor &indices, const Tensor &out,
                                     const EmbeddingLookupOptions &options,
                                     size_t *outWorkspaceBytes) {
  if (Status valid =
          firstFailure({checkFloats("table", table), checkFloats("out", out),
                        checkWritten("table", table, {&indices, &out}),
                        checkNormType(options.norm_type)});
      !valid)
    return valid;
  TrainingCall call(engine, KernelKind::renormLookup, indices, table.size(0),
                    options.out_of_range, options.stream);
  call.spec.normType = options.norm_type;
  call.spec.grouping =
      cost::chooseDistinct(call.getNumIndices(), table.size(0));
  AnyMemRef *tableRows = call.addRows(table, /*isWritten=*/true);
  AnyMemRef *outRows = call.addRows(out, /*isWritten=*/true);
  return call.run<RenormLookupKernel>(outWorkspaceBytes, call.getIndices(),
                                      options.max_norm, tableRows, outRows);
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

static Status denseGrad(Engine &engine, const DLTensor *dlGradOutput,
                        const DLTensor *dlIndices,
                        const EmbeddingGradOptions &options,
                        const DLTensor *dlGradTable,
                        size_t *outWorkspaceBytes) {
  Result<Tensor> gradOutput = getFloats(dlGradOutput, "grad_output");
  if (!gradOutput)
    return gradOutput.failure();
  Result<Tensor> indices = getIndices(dlIndices);
  if (!indices)
    return indices.failure();
  Result<Tensor> gradTable = getFloats(dlGradTable, "grad_table");
  if (!gradTable)
    return gradTable.failure();
  if (Status rank = checkRank("grad_table", *gradTable, 2); !rank)
    return rank;
  int64_t numRows = gradTable->size(0);
  if (Status valid = firstFailure(
          {checkSameDevice("grad_output", *gradOutput,
                           {&*indices, &*gradTable}),
           checkSameType("grad_output", *gradOutput, "grad_table", *gradTable),
           checkRowsOf("grad_output", *gradOutput, *indices,
                       gradTable->size(1)),
           checkWritten("grad_table", *gradTable, {&*indices, &*gradOutput}),
           checkGradOptions(options, numRows)});
      !valid)
    return valid;
  TrainingCall call(engine, KernelKind::denseGrad, *indices, numRows,
                    options.out_of_range, options.stream);
  setGradOptions(call, options);
  AnyMemRef *from = call.addRows(*gradOutput, /*isWritten=*/false);
  AnyMemRef *to = call.addRows(*gradTable, /*isWritten=*/true);
  // Others would change nothing but the name of the kernel.
  call.spec.usesAtomics =
      indices->isOnDevice() && options.allow_nondeterministic &&
      !options.scale_grad_by_freq && gradTable->dtype().bits >= 32;
  // The kernel of a scatter knows the length of its rows, and no scales.
  const KernelSpec &spec = call.spec;
  bool canScatter =
      spec.rowLength != KernelSpec::kDynamic && !spec.scalesGradByFreq;
  call.spec.grouping =
      canScatter ? cost::chooseReduction(call.getNumIndices(), numRows,
                                         spec.rowLength * spec.elementBytes,
                                         engine.getNumThreads())
                 : cost::chooseSort(call.getNumIndices(), numRows);
  return call.run<DenseGradKernel>(outWorkspaceBytes, from, call.getIndices(),
                                   options.padding_idx, to);
}

static Status sparseGrad(Engine &engine, const DLTensor *dlGradOutput,
                         const DLTensor *dlIndices, int64_t numRows,
                         const EmbeddingGradOptions &options,
                         const DLTensor *dlRows, const DLTensor *dlValues,
                         int64_t *outNnz, size_t *outWorkspaceBytes) {
  Result<Tensor> gradOutput = getFloats(dlGradOutput, "grad_output");
  if (!gradOutput)
    return gradOutput.failure();
  Result<Tensor> indices = getIndices(dlIndices);
  if (!indices)
    return indices.failure();
  Result<Tensor> rows = getRows(dlRows, indices->numElements());
  if (!rows)
    return rows.failure();
  Result<Tensor> values = getFloats(dlValues, "values");
  if (!values)
    return values.failure();
  if (Status rank = checkRank("values", *values, 2); !rank)
    return rank;
  if (Status valid = firstFailure(
          {checkSameDevice("grad_output", *gradOutput,
                           {&*indices, &*rows, &*values}),
           checkSameType("grad_output", *gradOutput, "values", *values),
           checkRowsOf("grad_output", *gradOutput, *indices, values->size(1)),
           checkSize("values", *values, 0, indices->numElements()),
           checkWritten("values", *values, {&*indices, &*gradOutput, &*rows}),
           checkWritten("rows", *rows, {&*indices, &*gradOutput}),
           checkNnz(outNnz, {&*indices, &*gradOutput, &*rows, &*values}),
           checkNumRows(numRows)});
      !valid)
    return valid;
  if (Status valid = checkGradOptions(options, numRows); !valid)
    return valid;
  TrainingCall call(engine, KernelKind::sparseGrad, *indices, numRows,
                    options.out_of_range, options.stream);
  setGradOptions(call, options);
  setGroupingForFrequencies(call, numRows);
  AnyMemRef *from = call.addRows(*gradOutput, /*isWritten=*/false);
  AnyMemRef *to = call.addRows(*values, /*isWritten=*/true);
  MemRef<1> rowsRef = getVector(*rows);
  MemRef<0> count;
  count.aligned = outNnz;
  return call.run<SparseGradKernel>(outWorkspaceBytes, from, call.getIndices(),
                                    numRows, options.padding_idx, &rowsRef, to,
                                    &count);
}

static Status coalesce(Engine &engine, const DLTensor *dlIndices,
                       const DLTensor *dlValues, int64_t numRows,
                       const EmbeddingCoalesceOptions &options,
                       const DLTensor *dlRows, const DLTensor *dlSums,
                       int64_t *outNnz, size_t *outWorkspaceBytes) {
  Result<Tensor> indices = getIndices(dlIndices);
  if (!indices)
    return indices.failure();
  if (Status rank = checkRank("indices", *indices, 1); !rank)
    return rank;
  Result<Tensor> values = getFloats(dlValues, "values");
  if (!values)
    return values.failure();
  Result<Tensor> rows = getRows(dlRows, indices->numElements());
  if (!rows)
    return rows.failure();
  Result<Tensor> sums = getFloats(dlSums, "sums");
  if (!sums)
    return sums.failure();
  if (Status rank = checkRank("sums", *sums, 2); !rank)
    return rank;
  if (Status valid = firstFailure(
          {checkSameDevice("values", *values, {&*indices, &*rows, &*sums}),
           checkSameType("values", *values, "sums", *sums),
           checkRowsOf("values", *values, *indices, sums->size(1)),
           checkSize("sums", *sums, 0, indices->numElements()),
           checkWritten("sums", *sums, {&*indices, &*values, &*rows}),
           checkWritten("rows", *rows, {&*indices, &*values}),
           checkNnz(outNnz, {&*indices, &*values, &*rows, &*sums}),
           checkNumRows(numRows), checkOutOfRangeMode(options.out_of_range)});
      !valid)
    return valid;
  TrainingCall call(engine, KernelKind::coalesce, *indices, numRows,
                    options.out_of_range, options.stream);
  call.spec.grouping = cost::chooseSort(call.getNumIndices(), numRows);
  AnyMemRef *from = call.addRows(*values, /*isWritten=*/false);
  AnyMemRef *to = call.addRows(*sums, /*isWritten=*/true);
  MemRef<1> rowsRef = getVector(*rows);
  MemRef<0> count;
  count.aligned = outNnz;
  return call.run<CoalesceKernel>(outWorkspaceBytes, call.getIndices(), from,
                                  numRows, &rowsRef, to, &count);
}

static Status doubleBackward(Engine &engine, const DLTensor *dlGradGradTable,
                             const DLTensor *dlIndices,
                             const EmbeddingGradOptions &options,
                             const DLTensor *dlOut, size_t *outWorkspaceBytes) {
  Result<Tensor> table = getFloats(dlGradGradTable, "grad_grad_table");
  if (!table)
    return table.failure();
  Result<Tensor> indices = getIndices(dlIndices);
  if (!indices)
    return indices.failure();
  Result<Tensor> out = getFloats(dlOut, "out");
  if (!out)
    return out.failure();
  if (Status rank = checkRank("grad_grad_table", *table, 2); !rank)
    return rank;
  int64_t numRows = table->size(0);
  if (Status valid = firstFailure(
          {checkSameDevice("grad_grad_table", *table, {&*indices, &*out}),
           checkSameType("out", *out, "grad_grad_table", *table),
           checkRowsOf("out", *out, *indices, table->size(1)),
           checkWritten("out", *out, {&*indices, &*table}),
           checkGradOptions(options, numRows)});
      !valid)
    return valid;
  TrainingCall call(engine, KernelKind::doubleBackward, *indices, numRows,
                    options.out_of_range, options.stream);
  setGradOptions(call, options);
  setGroupingForFrequencies(call, numRows);
  AnyMemRef *from = call.addRows(*table, /*isWritten=*/false);
  AnyMemRef *to = call.addRows(*out, /*isWritten=*/true);
  return call.run<DoubleBackwardKernel>(
      outWorkspaceBytes, from, call.getIndices(), options.padding_idx, to);
}

//===----------------------------------------------------------------------===//
// C API
//===----------------------------------------------------------------------===//

void embedding_renorm_options_init(EmbeddingRenormOptions *options,
                                   size_t struct_size) {
  EmbeddingRenormOptions defaults = {};
  defaults.norm_type = 2.0;
  initOptions(options, struct_size, defaults);
}

void embedding_grad_options_init(EmbeddingGradOptions *options,
                                 size_t struct_size) {
  initOptions(options, struct_size, EmbeddingGradOptions());
}

void embedding_coalesce_options_init(EmbeddingCoalesceOptions *options,
                                     size_t struct_size) {
  initOptions(options, struct_size, EmbeddingCoalesceOptions());
}

namespace {

/// An argument that may not be null.
struct Required {
  const void *pointer = nullptr;
  const char *name = nullptr;
};

} // namespace

/// Calls `body` with the engine and the options over their defaults.
template <typename Options, typename Body>
static EmbeddingStatusCode
callWithOptions(EmbeddingEngine *engine, const Options *options,
                void (*init)(Options *, size_t), Required required,
                EmbeddingStatus *outStatus, const Body &body) {
  return callAtBoundary(outStatus, [&]() -> Status {
    if (!engine)
      return invalidArgument("expected engine not to be null");
    if (required.name && !required.pointer)
      return invalidArgument(std::string("expected ") + required.name +
                             " not to be null");
    Options given;
    init(&given, sizeof(given));
    if (Status copied = copyOptions(options, given); !copied)
      return copied;
    return body(*engine->engine, given);
  });
}

EmbeddingStatusCode embedding_renorm(EmbeddingEngine *engine,
                                     const DLTensor *table,
                                     const DLTensor *indices, double max_norm,
                                     const EmbeddingRenormOptions *options,
                                     EmbeddingStatus *out_status) {
  return callWithOptions(engine, options, embedding_renorm_options_init, {},
                         out_status, [&](Engine &engine, const auto &given) {
                           return renorm(engine, table, indices, max_norm,
                                         given, nullptr);
                         });
}

EmbeddingStatusCode embedding_renorm_workspace_size(
    EmbeddingEngine *engine, const DLTensor *table, const DLTensor *indices,
    double max_norm, const EmbeddingRenormOptions *options, size_t *out_bytes,
    EmbeddingStatus *out_status) {
  return callWithOptions(
      engine, options, embedding_renorm_options_init, {out_bytes, "out_bytes"},
      out_status, [&](Engine &engine, const auto &given) {
        return renorm(engine, table, indices, max_norm, given, out_bytes);
      });
}

EmbeddingStatusCode embedding_dense_grad(EmbeddingEngine *engine,
                                         const DLTensor *grad_output,
                                         const DLTensor *indices,
                                         const EmbeddingGradOptions *options,
                                         const DLTensor *grad_table,
                                         EmbeddingStatus *out_status) {
  return callWithOptions(engine, options, embedding_grad_options_init, {},
                         out_status, [&](Engine &engine, const auto &given) {
                           return denseGrad(engine, grad_output, indices, given,
                                            grad_table, nullptr);
                         });
}

EmbeddingStatusCode embedding_dense_grad_workspace_size(
    EmbeddingEngine *engine, const DLTensor *grad_output,
    const DLTensor *indices, const EmbeddingGradOptions *options,
    const DLTensor *grad_table, size_t *out_bytes,
    EmbeddingStatus *out_status) {
  return callWithOptions(engine, options, embedding_grad_options_init,
                         {out_bytes, "out_bytes"}, out_status,
                         [&](Engine &engine, const auto &given) {
                           return denseGrad(engine, grad_output, indices, given,
                                            grad_table, out_bytes);
                         });
}

EmbeddingStatusCode
embedding_sparse_grad(EmbeddingEngine *engine, const DLTensor *grad_output,
                      const DLTensor *indices, int64_t num_rows,
                      const EmbeddingGradOptions *options, const DLTensor *rows,
                      const DLTensor *values, int64_t *out_nnz,
                      EmbeddingStatus *out_status) {
  return callWithOptions(
      engine, options, embedding_grad_options_init, {out_nnz, "out_nnz"},
      out_status, [&](Engine &engine, const auto &given) {
        return sparseGrad(engine, grad_output, indices, num_rows, given, rows,
                          values, out_nnz, nullptr);
      });
}

EmbeddingStatusCode embedding_sparse_grad_workspace_size(
    EmbeddingEngine *engine, const DLTensor *grad_output,
    const DLTensor *indices, int64_t num_rows,
    const EmbeddingGradOptions *options, const DLTensor *rows,
    const DLTensor *values, size_t *out_bytes, EmbeddingStatus *out_status) {
  return callWithOptions(
      engine, options, embedding_grad_options_init, {out_bytes, "out_bytes"},
      out_status, [&](Engine &engine, const auto &given) {
        return sparseGrad(engine, grad_output, indices, num_rows, given, rows,
                          values, nullptr, out_bytes);
      });
}

EmbeddingStatusCode embedding_coalesce(EmbeddingEngine *engine,
                                       const DLTensor *indices,
                                       const DLTensor *values, int64_t num_rows,
                                       const EmbeddingCoalesceOptions *options,
                                       const DLTensor *rows,
                                       const DLTensor *sums, int64_t *out_nnz,
                                       EmbeddingStatus *out_status) {
  return callWithOptions(engine, options, embedding_coalesce_options_init,
                         {out_nnz, "out_nnz"}, out_status,
                         [&](Engine &engine, const auto &given) {
                           return coalesce(engine, indices, values, num_rows,
                                           given, rows, sums, out_nnz, nullptr);
                         });
}

EmbeddingStatusCode embedding_coalesce_workspace_size(
    EmbeddingEngine *engine, const DLTensor *indices, const DLTensor *values,
    int64_t num_rows, const EmbeddingCoalesceOptions *options,
    const DLTensor *rows, const DLTensor *sums, size_t *out_bytes,
    EmbeddingStatus *out_status) {
  return callWithOptions(engine, options, embedding_coalesce_options_init,
                         {out_bytes, "out_bytes"}, out_status,
                         [&](Engine &engine, const auto &given) {
                           return coalesce(engine, indices, values, num_rows,
                                           given, rows, sums, nullptr,
                                           out_bytes);
                         });
}

EmbeddingStatusCode embedding_double_backward(
    EmbeddingEngine *engine, const DLTensor *grad_grad_table,
    const DLTensor *indices, const EmbeddingGradOptions *options,
    const DLTensor *out, EmbeddingStatus *out_status) {
  return callWithOptions(engine, options, embedding_grad_options_init, {},
                         out_status, [&](Engine &engine, const auto &given) {
                           return doubleBackward(engine, grad_grad_table,
                                                 indices, given, out, nullptr);
                         });
}

EmbeddingStatusCode embedding_double_backward_workspace_size(
    EmbeddingEngine *engine, const DLTensor *grad_grad_table,
    const DLTensor *indices, const EmbeddingGradOptions *options,
    const DLTensor *out, size_t *out_bytes, EmbeddingStatus *out_status) {
  return callWithOptions(
      engine, options, embedding_grad_options_init, {out_bytes, "out_bytes"},
      out_status, [&](Engine &engine, const auto &given) {
        return doubleBackward(engine, grad_grad_table, indices, given, out,
                              out_bytes);
      });
}
