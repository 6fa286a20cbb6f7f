//===- Lookup.cpp - embedding_lookup --------------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Engine.h"
#include "Tensor.h"

#include <algorithm>
#include <cstring>

using namespace embedding::runtime;

/// Rows of one kernel call, at most: its indices then stay in the first-level
/// cache between their check and their use.
static constexpr int64_t kRowsPerCall = 2048;
/// Bytes of output that make a range worth another thread.
static constexpr int64_t kGrainBytes = 128 * 1024;
/// Rows longer than this share one kernel, instead of one for each length.
static constexpr int64_t kMaxStaticRowBytes = 64 * 1024;

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

/// Whether no two elements can share memory as far as strides tell: sorted by
/// stride, each dimension steps over all of the dimensions before it.
static bool hasDistinctElements(const Tensor &tensor) {
  if (tensor.numElements() <= 1)
    return true;
  std::array<std::pair<int64_t, int64_t>, Tensor::kMaxRank> dims;
  int count = 0;
  for (int dim = 0; dim < tensor.rank(); ++dim)
    if (tensor.size(dim) > 1)
      dims[count++] = {std::abs(tensor.stride(dim)), tensor.size(dim)};
  std::sort(dims.begin(), dims.begin() + count);
  int64_t reach = 0;
  for (int i = 0; i < count; ++i) {
    if (dims[i].first <= reach)
      return false;
    reach += dims[i].first * (dims[i].second - 1);
  }
  return true;
}

/// Two tensors without gaps share memory if their extents do.
static bool overlap(const Tensor &a, const Tensor &b) {
  auto [beginA, endA] = a.extent();
  auto [beginB, endB] = b.extent();
  return a.isContiguous() && b.isContiguous() && beginA < endB && beginB < endA;
}

static Status checkPaddingIdx(const EmbeddingLookupOptions &options,
                              int64_t numRows) {
  if (options.has_padding_idx &&
      (options.padding_idx < -numRows || options.padding_idx >= numRows))
    return invalidArgument("padding_idx: expected it to be in [" +
                           std::to_string(-numRows) + ", " +
                           std::to_string(numRows) + "), but got " +
                           std::to_string(options.padding_idx));
  return success();
}

static Result<LookupArguments>
checkLookup(const DLTensor *dlTable, const DLTensor *dlIndices,
            const EmbeddingLookupOptions &options, const DLTensor *dlOut) {
  Result<Tensor> table = Tensor::get(dlTable, "table");
  if (!table)
    return table.failure();
  Result<Tensor> indices = Tensor::get(dlIndices, "indices");
  if (!indices)
    return indices.failure();
  Result<Tensor> out = Tensor::get(dlOut, "out");
  if (!out)
    return out.failure();

  if (table->rank() != 2)
    return invalidArgument("table: expected 2 dimensions, but got " +
                           std::to_string(table->rank()));
  DLDataType index = indices->dtype();
  if (index.code != kDLInt || index.lanes != 1 ||
      (index.bits != 32 && index.bits != 64))
    return invalidArgument("indices: expected int32 or int64, but got " +
                           getName(index));
  if (out->dtype().code != table->dtype().code ||
      out->dtype().bits != table->dtype().bits ||
      out->dtype().lanes != table->dtype().lanes)
    return invalidArgument("out: expected the type of table, " +
                           getName(table->dtype()) + ", but got " +
                           getName(out->dtype()));
  bool shapeFits = out->rank() == indices->rank() + 1 &&
                   out->size(indices->rank()) == table->size(1);
  for (int dim = 0; shapeFits && dim < indices->rank(); ++dim)
    shapeFits = out->size(dim) == indices->size(dim);
  if (!shapeFits) {
    std::string expected = formatShape(dlIndices->shape, indices->rank());
    expected.insert(expected.size() - 1, (indices->rank() ? ", " : "") +
                                             std::to_string(table->size(1)));
    return invalidArgument("out: expected shape " + expected + ", but got " +
                           formatShape(dlOut->shape, out->rank()));
  }
  if (!hasDistinctElements(*out))
    return invalidArgument(
        "out: expected elements that do not share memory with each other");
  if (overlap(*out, *table) || overlap(*out, *indices))
    return invalidArgument(
        "out: expected memory apart from that of table and indices");
  if (options.out_of_range < EMBEDDING_OUT_OF_RANGE_CHECK ||
      options.out_of_range > EMBEDDING_OUT_OF_RANGE_ZERO)
    return invalidArgument(
        "options: expected out_of_range to be 0 to 3, but got " +
        std::to_string(options.out_of_range));
  if (Status padding = checkPaddingIdx(options, table->size(0)); !padding)
    return padding.failure();
  return LookupArguments{
      *table, *indices, *out,
      static_cast<EmbeddingOutOfRange>(options.out_of_range)};
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

/// Whether the kernel may treat rows as bytes next to each other.
static bool hasContiguousRows(const Tensor &tensor) {
  int last = tensor.rank() - 1;
  return tensor.size(last) <= 1 || tensor.stride(last) == 1;
}

static Result<LookupSpec> getSpec(const LookupArguments &arguments,
                                  EmbeddingLowering lowering) {
  LookupSpec spec;
  spec.outOfRange = arguments.outOfRange;
  spec.lowering = lowering;
  spec.indexBits = arguments.indices.dtype().bits;
  int64_t elementBytes = arguments.table.elementBytes();
  if (hasContiguousRows(arguments.table) && hasContiguousRows(arguments.out)) {
    int64_t rowBytes = arguments.rowLength() * elementBytes;
    // IR knows no slice of a dimension of size 0.
    spec.rowLength = rowBytes > 0 && rowBytes <= kMaxStaticRowBytes
                         ? rowBytes
                         : LookupSpec::kDynamic;
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

/// Copies `indices`, of any strides and alignment, to `to` in row-major order.
static void copyIndices(const Tensor &indices, char *to) {
  const int64_t bytes = indices.elementBytes();
  std::array<int64_t, Tensor::kMaxRank> position{};
  const char *from = indices.data();
  for (int64_t i = 0; i < indices.numElements(); ++i) {
    std::memcpy(to + i * bytes, from, bytes);
    for (int dim = indices.rank() - 1; dim >= 0; --dim) {
      from += indices.stride(dim) * bytes;
      if (++position[dim] < indices.size(dim))
        break;
      from -= indices.stride(dim) * indices.size(dim) * bytes;
      position[dim] = 0;
    }
  }
}

namespace {

/// The rows of the output: runs of rows at one stride. Any output is made of
/// them; most are a single run.
class OutputRows {
public:
  explicit OutputRows(const Tensor &out) : out(out) {
    outer = out.rank() - 1;
    // From the innermost dimension outwards, while one stride fits.
    while (outer > 0) {
      int64_t size = out.size(outer - 1), dimStride = out.stride(outer - 1);
      if (runLength == 1)
        stride = dimStride;
      else if (size != 1 && dimStride != stride * runLength)
        break;
      runLength *= size;
      --outer;
    }
  }

  int64_t getRunLength() const { return runLength; }
  /// Elements between the rows of a run.
  int64_t getStride() const { return stride; }
  /// Where run `run` starts.
  char *getRun(int64_t run) const {
    int64_t offset = 0;
    for (int dim = outer - 1; dim >= 0; --dim) {
      offset += run % out.size(dim) * out.stride(dim);
      run /= out.size(dim);
    }
    return out.data() + offset * out.elementBytes();
  }

private:
  const Tensor &out;
  int64_t runLength = 1;
  int64_t stride = 0;
  int outer;
};

/// A lookup under way: what its ranges share.
struct LookupCall {
  LookupKernel kernel;
  MemRef<2> table;
  MemRef<1> indices;
  MemRef<2> out;
  OutputRows rows;
  int64_t indexBytes;
  const char *indexData;

  std::mutex mutex = {};
  int64_t position = -1;
  int64_t index = 0;
  int64_t count = 0;

  /// Rows [begin, end) of the whole, within one run and one call's reach.
  void runKernel(int64_t begin, int64_t end) {
    int64_t run = begin / rows.getRunLength();
    int64_t first = run * rows.getRunLength();
    MemRef<2> runTable = table, runOut = out;
    MemRef<1> runIndices = indices;
    runIndices.aligned = const_cast<char *>(indexData + first * indexBytes);
    runOut.aligned = rows.getRun(run);
    int64_t found[3];
    MemRef<1> report;
    report.aligned = found;
    report.sizes[0] = 3;
    report.strides[0] = 1;
    kernel(begin - first, end - first, &runTable, &runIndices, &runOut,
           &report);
    if (found[2] == 0)
      return;
    std::lock_guard<std::mutex> lock(mutex);
    count += found[2];
    if (position < 0 || begin + found[0] < position) {
      position = begin + found[0];
      index = found[1];
    }
  }

  static void runRange(void *context, int64_t begin, int64_t end) {
    auto *call = static_cast<LookupCall *>(context);
    int64_t runLength = call->rows.getRunLength();
    while (begin < end) {
      int64_t runEnd = (begin / runLength + 1) * runLength;
      int64_t stop = std::min({end, runEnd, begin + kRowsPerCall});
      call->runKernel(begin, stop);
      begin = stop;
    }
  }
};

} // namespace

/// A tensor of rows as the kernel takes it: in elements of the spec.
static MemRef<2> getRows(char *data, int64_t numRows, int64_t rowStride,
                         int64_t elementStride, int64_t rowLength,
                         const LookupSpec &spec, int64_t elementBytes) {
  int64_t scale = elementBytes / spec.elementBytes;
  MemRef<2> rows;
  rows.aligned = data;
  rows.sizes[0] = numRows;
  rows.sizes[1] = rowLength * scale;
  rows.strides[0] = rowStride * scale;
  rows.strides[1] = spec.isContiguous ? 1 : elementStride;
  return rows;
}

static Status lookup(Engine &engine, const LookupArguments &arguments) {
  const auto &[table, indices, out, outOfRange] = arguments;
  int64_t numIndices = indices.numElements();
  if (numIndices == 0)
    return success();
  Result<LookupSpec> spec = getSpec(arguments, engine.getLowering());
  if (!spec)
    return spec.failure();
  Result<LookupKernel> kernel = engine.getLookupKernel(*spec);
  if (!kernel)
    return kernel.failure();

  std::optional<Workspace> copied;
  const char *indexData = indices.data();
  if (!indices.isContiguous() || !indices.isAligned()) {
    Result<Workspace> memory =
        engine.allocate(numIndices * indices.elementBytes());
    if (!memory)
      return memory.failure();
    copied.emplace(std::move(*memory));
    copyIndices(indices, copied->data());
    indexData = copied->data();
  }

  OutputRows rows(out);
  int64_t elementBytes = table.elementBytes();
  int64_t rowLength = arguments.rowLength();
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
  engine.parallelFor(numIndices, std::max<int64_t>(kGrainBytes / rowBytes, 1),
                     LookupCall::runRange, &call);

  if (call.count == 0)
    return success();
  return Failure{EMBEDDING_OUT_OF_RANGE,
                 "indices: expected values in [0, " +
                     std::to_string(table.size(0)) + "), but got " +
                     std::to_string(call.index) + " at flat position " +
                     std::to_string(call.position) + " (" +
                     std::to_string(call.count) + " out of range in all)",
                 call.position, call.index, call.count};
}

//===----------------------------------------------------------------------===//
// C API
//===----------------------------------------------------------------------===//

void embedding_lookup_options_init(EmbeddingLookupOptions *options) {
  *options = EmbeddingLookupOptions();
  options->struct_size = sizeof(*options);
}

EmbeddingStatusCode
embedding_lookup(EmbeddingEngine *engine, const DLTensor *table,
                 const DLTensor *indices, const EmbeddingLookupOptions *options,
                 const DLTensor *out, EmbeddingStatus *out_status) {
  return callAtBoundary(out_status, [&]() -> Status {
    if (!engine)
      return invalidArgument("expected engine not to be null");
    EmbeddingLookupOptions given;
    embedding_lookup_options_init(&given);
    copyOptions(options, given);
    Result<LookupArguments> arguments = checkLookup(table, indices, given, out);
    if (!arguments)
      return arguments.failure();
    return lookup(*engine->engine, *arguments);
  });
}
