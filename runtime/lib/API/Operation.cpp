//===- Operation.cpp - Calls of operations --------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is around the kernel of an operation, whichever it is: its choice,
// workspace, and copies of tensors that it cannot take as they are.
//
//===----------------------------------------------------------------------===//

#include "API/Operation.h"

#include "Call/DeviceOperands.h"
#include "Support/RowRuns.h"

#include <initializer_list>

using namespace embedding::runtime;
using mlir::embedding::Elements;

static size_t alignSize(size_t size) {
  return roundUp(size, Workspace::kAlignment);
}

/// Whether the kernel writes every row of `operand`, and not only the first
/// ones.
static bool isWrittenInFull(const OperandDesc &operand) {
  return operand.isWritten() && operand.hasRows() &&
         operand.sizes[0] != mlir::embedding::Size::numIndices;
}

//===----------------------------------------------------------------------===//
// Choices
//===----------------------------------------------------------------------===//

/// Whether rows are moved and not computed with: their elements are bytes.
static bool movesRows(const OperationDesc &operation) {
  return operation.operands[operation.rows].elements == Elements::fixedWidth;
}

/// What the kernel of a call depends on, apart from its tensors.
static KernelSpec getSpec(const Operands &operands,
                          EmbeddingLowering lowering) {
  const Attributes &attributes = operands.attributes;
  const Tensor &indices = operands.getIndices();
  KernelSpec spec;
  spec.operation = &operands.operation;
  spec.outOfRange = static_cast<EmbeddingOutOfRange>(attributes.outOfRange);
  spec.lowering =
      indices.isOnDevice() ? EMBEDDING_LOWERING_OPTIMIZED : lowering;
  spec.indexBits = indices.dtype().bits;
  if (operands.operation.hasMaxNorm)
    spec.normType = attributes.normType;
  if (operands.operation.hasScaleGradByFreq) {
    spec.hasPadding = attributes.paddingIdx.has_value();
    spec.scalesGradByFreq = attributes.scaleGradByFreq;
  }
  return spec;
}

/// How the kernel of `spec`, which knows its rows, brings positions of one row
/// together on the CPU.
static Grouping chooseGrouping(const KernelSpec &spec, int64_t numIndices,
                               int64_t numRows, int32_t numThreads) {
  switch (spec.operation->kind) {
  case OperationKind::renorm:
  case OperationKind::renormLookup:
    return cost::chooseDistinct(numIndices, numRows);
  case OperationKind::denseGrad:
    // The kernel of a scatter knows the length of its rows, and no scales.
    if (spec.rowLength != KernelSpec::kDynamic && !spec.scalesGradByFreq)
      return cost::chooseReduction(
          numIndices, numRows, spec.rowLength * spec.elementBytes, numThreads);
    return cost::chooseSort(numIndices, numRows);
  case OperationKind::coalesce:
  case OperationKind::group:
    return cost::chooseSort(numIndices, numRows);
  case OperationKind::sparseGrad:
  case OperationKind::doubleBackward:
    // They sort for nothing but frequencies.
    return spec.scalesGradByFreq ? cost::chooseSort(numIndices, numRows)
                                 : Grouping::radixSort;
  case OperationKind::lookup:
  case OperationKind::bag:
    return Grouping::radixSort;
  }
  return Grouping::radixSort;
}

/// A tensor that is not made of rows, as a list. That of a number of entries,
/// which has no dimension, begins in the same way.
static MemRef<1> describeVector(const Operands &operands, int number) {
  MemRef<1> vector;
  if (!operands.isTensor(number))
    return vector;
  vector.aligned = operands.getTensor(number).data();
  vector.sizes[0] = operands.getTensor(number).numElements();
  vector.strides[0] = 1;
  return vector;
}

/// Positions and rows fit into 64 bits together, as `embedding.group` has it.
static Status checkIndexCount(int64_t numIndices, int64_t numRows) {
  auto bitsOf = [](int64_t value) {
    return value > 0 ? 64 - __builtin_clzll(static_cast<uint64_t>(value)) : 0;
  };
  if (bitsOf(numIndices - 1) + bitsOf(numRows) <= 64)
    return success();
  return Failure{EMBEDDING_UNSUPPORTED,
                 "indices: expected positions and rows of 64 bits together, "
                 "but got " +
                     std::to_string(numIndices) + " positions and " +
                     std::to_string(numRows) + " rows"};
}

//===----------------------------------------------------------------------===//
// On the CPU
//===----------------------------------------------------------------------===//

namespace {

/// A memref of any rank that a kernel takes.
struct ManyDims : AnyMemRef {
  std::array<int64_t, 2 * Tensor::kMaxRank> sizesAndStrides;
};

/// A call of a kernel, which has indices and no place in a text.
class KernelCall final : public GeneratedCall {
public:
  using GeneratedCall::GeneratedCall;

private:
  const char *getSubject(const char *) const override { return "indices"; }
};

/// A call on the CPU. Tensors of rows that do not lie at one stride are copied
/// to the workspace, and from there if they are written; so are indices that
/// are not contiguous.
class CPUCall {
public:
  CPUCall(Engine &engine, Operands &operands)
      : engine(engine), operands(operands), indices(operands.getIndices()),
        spec(getSpec(operands, engine.getLowering())),
        copiesIndices(!indices.isContiguous() || !indices.isAligned()) {}

  Status run(size_t *outWorkspaceBytes);

private:
  struct Rows {
    const Tensor *tensor = nullptr;
    int number = 0;
    MemRef<2> ref;
    size_t copyOffset = 0;
    bool isRead = false;
    bool isWritten = false;
    bool isCopied = false;
    /// Whether the kernel writes all of it, in one piece.
    bool isFilled = false;
  };

  Status describeOperands();
  void addRows(int number);
  void describeRows(Rows &to);
  Status chooseMovedElements();
  Status describeMovedRows();
  void describeRuns(const RowRuns &runs, const Tensor &tensor, int64_t scale);
  size_t planCopies(size_t offset);

  Engine &engine;
  Operands &operands;
  const Tensor &indices;
  KernelSpec spec;
  bool copiesIndices;
  size_t indexCopyOffset = 0;
  std::array<Rows, mlir::embedding::kMaxRowOperands> rows;
  int numRowOperands = 0;
  std::array<std::optional<MemRef<1>>, kMaxOperands> vectors;
  /// An output of runs of rows, and the indices of its shape.
  ManyDims manyRows, manyIndices;
  KernelArguments arguments{};
};

} // namespace

void CPUCall::addRows(int number) {
  const Tensor &tensor = operands.getTensor(number);
  const OperandDesc &operand = operands.operation.operands[number];
  Rows &added = rows[numRowOperands++];
  added.tensor = &tensor;
  added.number = number;
  added.isRead = operand.isRead();
  added.isWritten = operand.isWritten();
  added.isFilled = isWrittenInFull(operand) && tensor.isContiguous();
  added.ref.aligned = tensor.data();
  arguments[number] = &added.ref;
}

/// A tensor [..., D] as one of two dimensions.
void CPUCall::describeRows(Rows &to) {
  const Tensor &tensor = *to.tensor;
  RowRuns runs(tensor);
  int last = tensor.rank() - 1;
  int64_t rowLength = tensor.size(last);
  to.isCopied = !runs.isSingle();
  to.ref.sizes[0] = 1;
  for (int dim = 0; dim < last; ++dim)
    to.ref.sizes[0] *= tensor.size(dim);
  to.ref.sizes[1] = rowLength;
  to.ref.strides[0] = to.isCopied ? rowLength : runs.getStride();
  to.ref.strides[1] =
      to.isCopied || hasContiguousRows(tensor) ? 1 : tensor.stride(last);
  spec.isContiguous &= to.ref.strides[1] == 1;
  spec.elementCode = static_cast<DLDataTypeCode>(tensor.dtype().code);
  spec.elementBytes = static_cast<int32_t>(tensor.elementBytes());
  spec.rowLength = getSpecRowLength(rowLength, spec.elementBytes);
}

/// Rows that are moved are bytes, if those of a row are next to each other.
Status CPUCall::chooseMovedElements() {
  const Tensor &table = operands.getTensor(operands.operation.rows);
  bool areDense = true;
  for (int i = 0; i < numRowOperands; ++i) {
    areDense &= rows[i].tensor->isContiguous();
    spec.isContiguous &= hasContiguousRows(*rows[i].tensor);
  }
  int64_t elementBytes = table.elementBytes();
  int64_t rowBytes = table.size(table.rank() - 1) * elementBytes;
  if (spec.isContiguous) {
    auto address = reinterpret_cast<uintptr_t>(table.data());
    spec.rowLength = getSpecRowLength(rowBytes, spec.elementBytes);
    spec.isDense = areDense && spec.rowLength != KernelSpec::kDynamic &&
                   (address & (getRowAlignment(rowBytes) - 1)) == 0;
    return success();
  }
  if (elementBytes > 16 || (elementBytes & (elementBytes - 1)) != 0)
    return Failure{EMBEDDING_UNSUPPORTED,
                   "table: rows that are not contiguous need elements of 1, 2, "
                   "4, 8 or 16 bytes, but got " +
                       std::to_string(elementBytes)};
  spec.elementBytes = static_cast<int32_t>(elementBytes);
  for (int i = 0; i < numRowOperands; ++i)
    if (!rows[i].tensor->isAligned())
      return invalidArgument(
          std::string(operands.operation.operands[rows[i].number].name) +
          ": expected rows that are not contiguous to be "
          "aligned to their element of " +
          std::to_string(elementBytes) + " bytes");
  return success();
}

/// In elements of the spec. If rows do not lie at one stride, the dimensions
/// are those of the runs that do.
Status CPUCall::describeMovedRows() {
  if (Status chosen = chooseMovedElements(); !chosen)
    return chosen;
  for (int i = 0; i < numRowOperands; ++i) {
    const Tensor &tensor = *rows[i].tensor;
    int last = tensor.rank() - 1;
    int64_t scale = spec.isContiguous ? tensor.elementBytes() : 1;
    RowRuns runs(tensor);
    if (!runs.isSingle()) {
      arguments[rows[i].number] = &manyRows;
      describeRuns(runs, tensor, scale);
      continue;
    }
    MemRef<2> &to = rows[i].ref;
    to.sizes[0] = runs.getRunLength();
    to.sizes[1] = tensor.size(last) * scale;
    to.strides[0] = runs.getStride() * scale;
    to.strides[1] = spec.isContiguous ? 1 : tensor.stride(last);
  }
  return success();
}

void CPUCall::describeRuns(const RowRuns &runs, const Tensor &tensor,
                           int64_t scale) {
  int outer = runs.getNumOuterDims(), last = tensor.rank() - 1;
  spec.indexRank = outer + 1;
  auto set = [](ManyDims &memref, int rank, int dim, int64_t size,
                int64_t stride) {
    memref.sizesAndStrides[dim] = size;
    memref.sizesAndStrides[rank + dim] = stride;
  };
  manyRows.aligned = tensor.data();
  for (int dim = 0; dim < outer; ++dim)
    set(manyRows, outer + 2, dim, tensor.size(dim), tensor.stride(dim) * scale);
  set(manyRows, outer + 2, outer, runs.getRunLength(),
      runs.getStride() * scale);
  set(manyRows, outer + 2, outer + 1, tensor.size(last) * scale,
      spec.isContiguous ? 1 : tensor.stride(last));

  int64_t stride = 1;
  for (int dim = outer; dim >= 0; --dim) {
    int64_t size = dim == outer ? runs.getRunLength() : tensor.size(dim);
    set(manyIndices, outer + 1, dim, size, stride);
    stride *= size;
  }
}

Status CPUCall::describeOperands() {
  const OperationDesc &operation = operands.operation;
  for (int number = 0; number < operation.numOperands; ++number) {
    const OperandDesc &operand = operation.operands[number];
    if (!operand.isTensor())
      arguments[number] = operands.getNumber(number);
    else if (operand.hasRows())
      addRows(number);
    else
      arguments[number] =
          &vectors[number].emplace(describeVector(operands, number));
  }
  if (movesRows(operation))
    return describeMovedRows();
  for (int i = 0; i < numRowOperands; ++i)
    describeRows(rows[i]);
  return success();
}

/// Places the copies behind the first `offset` bytes; returns where they end.
size_t CPUCall::planCopies(size_t offset) {
  auto place = [&](const Tensor &tensor) {
    size_t at = offset;
    offset += alignSize(tensor.numElements() * tensor.elementBytes());
    return at;
  };
  if (copiesIndices)
    indexCopyOffset = place(indices);
  for (Rows &each : rows)
    if (each.isCopied)
      each.copyOffset = place(*each.tensor);
  return offset;
}

Status CPUCall::run(size_t *outWorkspaceBytes) {
  if (Status described = describeOperands(); !described)
    return described;
  spec.grouping = chooseGrouping(spec, indices.numElements(),
                                 operands.getNumRows(), engine.getNumThreads());
  Result<const Kernel *> kernel = engine.getKernel(spec);
  if (!kernel)
    return kernel.failure();
  MemRef<1> workspace;
  workspace.strides[0] = 1;
  arguments[operands.operation.numOperands] = &workspace;
  size_t kernelBytes = alignSize(
      static_cast<size_t>((*kernel)->getWorkspaceBytes(arguments.data())));
  size_t totalBytes = planCopies(kernelBytes);
  if (outWorkspaceBytes) {
    *outWorkspaceBytes = totalBytes;
    return success();
  }

  std::optional<Workspace> memory;
  if (totalBytes > 0) {
    Result<Workspace> allocated = Workspace::allocate(engine, totalBytes);
    if (!allocated)
      return allocated.failure();
    memory.emplace(std::move(*allocated));
    workspace.aligned = memory->data();
    workspace.sizes[0] = static_cast<int64_t>(kernelBytes);
  }
  MemRef<1> &indexList = *vectors[operands.operation.indices];
  if (copiesIndices) {
    copyToCompact(indices, memory->data() + indexCopyOffset);
    indexList.aligned = memory->data() + indexCopyOffset;
  }
  if (spec.indexRank != 1) {
    manyIndices.aligned = indexList.aligned;
    arguments[operands.operation.indices] = &manyIndices;
  }
  for (Rows &each : rows) {
    if (each.isCopied) {
      each.ref.aligned = memory->data() + each.copyOffset;
      if (each.isRead)
        copyToCompact(*each.tensor, memory->data() + each.copyOffset);
    }
    if (each.isFilled)
      engine.touch(each.tensor->data(),
                   each.tensor->numElements() * each.tensor->elementBytes());
  }
  KernelCall call(engine, /*onDevice=*/nullptr);
  if (Status done = call.run([&] { (*kernel)->run(arguments.data()); }); !done)
    return done;
  for (const Rows &each : rows)
    if (each.isCopied && each.isWritten)
      copyFromCompact(memory->data() + each.copyOffset, *each.tensor);
  return success();
}

//===----------------------------------------------------------------------===//
// On a GPU
//===----------------------------------------------------------------------===//

/// Runs the kernel of `spec` in `stream` of GPU `id` with the first
/// `numOperands` of `arguments` and a workspace. If `outWorkspaceBytes` is not
/// null, it is all that is written.
static Status runOnDevice(Engine &engine, int32_t id, void *stream,
                          KernelSpec &spec, KernelArguments &arguments,
                          int numOperands, size_t *outWorkspaceBytes) {
  Result<Device *> device = engine.getDevice(id);
  if (!device)
    return device.failure();
  spec.chip = (*device)->getChip();
  Result<const Kernel *> kernel = engine.getKernel(spec);
  if (!kernel)
    return kernel.failure();
  MemRef<1> workspace;
  workspace.strides[0] = 1;
  arguments[numOperands] = &workspace;
  auto bytes =
      static_cast<size_t>((*kernel)->getWorkspaceBytes(arguments.data()));
  if (outWorkspaceBytes) {
    *outWorkspaceBytes = bytes;
    return success();
  }
  DeviceScope scope(**device, static_cast<CUstream>(stream));
  if (Status ready = scope.getStatus(); !ready)
    return ready;
  std::optional<Workspace> memory;
  if (bytes > 0) {
    Result<Workspace> allocated = Workspace::allocate(engine, bytes, &scope);
    if (!allocated)
      return allocated.failure();
    memory.emplace(std::move(*allocated));
    workspace.aligned = memory->data();
    workspace.sizes[0] = static_cast<int64_t>(bytes);
  }
  return GeneratedCall(engine, &scope).run([&] {
    (*kernel)->run(arguments.data());
  });
}

static Status callOnDevice(Engine &engine, Operands &operands,
                           size_t *outWorkspaceBytes) {
  const OperationDesc &operation = operands.operation;
  const Tensor &indices = operands.getIndices();
  KernelSpec spec = getSpec(operands, engine.getLowering());
  // Others would change nothing but the name of the kernel.
  spec.usesAtomics = operation.kind == OperationKind::denseGrad &&
                     operands.attributes.allowNondeterministic &&
                     !spec.scalesGradByFreq &&
                     operands.getTensor(operation.rows).dtype().bits >= 32;
  KernelArguments arguments{};
  DeviceOperands onDevice(indices);
  std::array<MemRef<1>, kMaxOperands> vectors;
  for (int number = 0; number < operation.numOperands; ++number) {
    const OperandDesc &operand = operation.operands[number];
    if (!operand.isTensor()) {
      arguments[number] = operands.getNumber(number);
    } else if (number == operation.indices) {
      arguments[number] = onDevice.getIndices();
    } else if (operand.hasRows()) {
      arguments[number] =
          onDevice.add(operands.getTensor(number), operand.hasIndexShape());
    } else {
      vectors[number] = describeVector(operands, number);
      arguments[number] = &vectors[number];
    }
  }
  if (Status finished = onDevice.finish(spec, movesRows(operation)); !finished)
    return finished;
  return runOnDevice(engine, indices.device(), operands.attributes.stream, spec,
                     arguments, operation.numOperands, outWorkspaceBytes);
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

Status embedding::runtime::callOperation(Engine &engine, Operands &operands,
                                         size_t *outWorkspaceBytes) {
  bool isOnDevice = operands.getIndices().isOnDevice();
  int64_t numIndices = operands.getIndices().numElements();
  if (operands.operation.kind == OperationKind::lookup) {
    // Of nothing it needs no kernel, and on a GPU never any workspace.
    if (numIndices == 0 || (isOnDevice && outWorkspaceBytes)) {
      if (outWorkspaceBytes)
        *outWorkspaceBytes = 0;
      return success();
    }
  } else if (Status count = checkIndexCount(numIndices, operands.getNumRows());
             !count) {
    return count;
  }
  return isOnDevice ? callOnDevice(engine, operands, outWorkspaceBytes)
                    : CPUCall(engine, operands).run(outWorkspaceBytes);
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

static Attributes getAttributes(const EmbeddingLookupOptions &options) {
  Attributes attributes;
  attributes.outOfRange = options.out_of_range;
  if (options.has_padding_idx)
    attributes.paddingIdx = options.padding_idx;
  if (options.has_max_norm) {
    attributes.maxNorm = options.max_norm;
    attributes.normType = options.norm_type;
  }
  attributes.stream = options.stream;
  return attributes;
}

static Attributes getAttributes(const EmbeddingRenormOptions &options) {
  Attributes attributes;
  attributes.outOfRange = options.out_of_range;
  attributes.normType = options.norm_type;
  attributes.stream = options.stream;
  return attributes;
}

static Attributes getAttributes(const EmbeddingGradOptions &options) {
  Attributes attributes;
  attributes.outOfRange = options.out_of_range;
  if (options.has_padding_idx)
    attributes.paddingIdx = options.padding_idx;
  attributes.scaleGradByFreq = options.scale_grad_by_freq != 0;
  attributes.allowNondeterministic = options.allow_nondeterministic != 0;
  attributes.stream = options.stream;
  return attributes;
}

static Attributes getAttributes(const EmbeddingCoalesceOptions &options) {
  Attributes attributes;
  attributes.outOfRange = options.out_of_range;
  attributes.stream = options.stream;
  return attributes;
}

static Status call(Engine &engine, const OperationDesc &operation,
                   const Argument *arguments, const Attributes &attributes,
                   size_t *outWorkspaceBytes) {
  // A lookup of rows that are shortened first is another operation.
  if (operation.kind == OperationKind::lookup && attributes.maxNorm) {
    Argument ofRenorm[] = {arguments[1], Argument(*attributes.maxNorm),
                           arguments[0], arguments[2]};
    return call(engine, mlir::embedding::kRenormLookupOp, ofRenorm, attributes,
                outWorkspaceBytes);
  }
  Operands operands(operation, attributes);
  if (Status taken =
          operands.take(arguments, /*isForSize=*/outWorkspaceBytes != nullptr);
      !taken)
    return taken;
  return callOperation(engine, operands, outWorkspaceBytes);
}

/// The same with the options of a caller over their defaults.
template <typename Options>
static Status
callWithOptions(EmbeddingEngine *engine, const OperationDesc &operation,
                std::initializer_list<Argument> arguments,
                const Options *options, void (*init)(Options *, size_t),
                size_t *outWorkspaceBytes) {
  if (!engine)
    return invalidArgument("expected engine not to be null");
  Options given;
  init(&given, sizeof(given));
  if (Status copied = copyOptions(options, given); !copied)
    return copied;
  return call(*engine->engine, operation, arguments.begin(),
              getAttributes(given), outWorkspaceBytes);
}

/// What the functions of the C API that call an operation do.
template <typename Options>
static EmbeddingStatusCode
callFromC(EmbeddingEngine *engine, const OperationDesc &operation,
          std::initializer_list<Argument> arguments, const Options *options,
          void (*init)(Options *, size_t), EmbeddingStatus *outStatus) {
  return callAtBoundary(outStatus, [&]() -> Status {
    return callWithOptions(engine, operation, arguments, options, init,
                           /*outWorkspaceBytes=*/nullptr);
  });
}

/// What those do that say how much workspace such a call takes.
template <typename Options>
static EmbeddingStatusCode
getWorkspaceSizeFromC(EmbeddingEngine *engine, const OperationDesc &operation,
                      std::initializer_list<Argument> arguments,
                      const Options *options, void (*init)(Options *, size_t),
                      size_t *outBytes, EmbeddingStatus *outStatus) {
  return callAtBoundary(outStatus, [&]() -> Status {
    if (!outBytes)
      return invalidArgument("expected out_bytes not to be null");
    return callWithOptions(engine, operation, arguments, options, init,
                           outBytes);
  });
}

#include "embedding/ABI/CFunctions.inc"
