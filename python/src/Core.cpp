//===- Core.cpp - The runtime's C API for Python --------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The extension module `_core`: each function makes its results beside its
// arguments and calls the runtime without the interpreter's lock.
//
//===----------------------------------------------------------------------===//

#include "Arguments.h"
#include "Engine.h"
#include "Module.h"
#include "Tensor.h"
#include "TorchStorage.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <tuple>

namespace nb = nanobind;
using namespace embedding::python;

namespace {

using Pair = nb::typed<nb::tuple, nb::any, nb::any>;

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

int32_t readMode(nb::handle value) {
  std::string name = readString(value, "out_of_range");
  static const std::pair<std::string_view, int32_t> modes[] = {
      {"check", EMBEDDING_OUT_OF_RANGE_CHECK},
      {"assume", EMBEDDING_OUT_OF_RANGE_ASSUME},
      {"clamp", EMBEDDING_OUT_OF_RANGE_CLAMP},
      {"zero", EMBEDDING_OUT_OF_RANGE_ZERO}};
  for (auto [known, mode] : modes)
    if (known == name)
      return mode;
  failInvalid("out_of_range: expected check, assume, clamp or zero, but got " +
              name);
}

void checkTable(const Tensor &table, const char *name) {
  if (table.rank() != 2)
    failInvalid(std::string(name) + ": expected shape [V, D], but got " +
                table.formatShape());
}

/// The length of rows.
int64_t getRowLength(const Tensor &rows, const char *name) {
  if (rows.rank() == 0)
    failInvalid(std::string(name) +
                ": expected at least 1 dimension, but got 0");
  return rows.size(rows.rank() - 1);
}

/// How long rows may be.
struct Norm {
  double max, type;
};

/// A norm that is not a number is greater than none, PyTorch says; the runtime
/// has no such norms.
Norm readNorm(double max, nb::handle type) {
  double p = readFloat(type, "norm_type");
  return std::isnan(p) ? Norm{std::numeric_limits<double>::infinity(), 2}
                       : Norm{max, p};
}

/// Nothing, whatever the type is, if `max` is None.
std::optional<Norm> readNorm(nb::handle max, nb::handle type) {
  if (max.is_none())
    return std::nullopt;
  return readNorm(readFloat(max, "max_norm"), type);
}

nb::object lookupRows(Tensor &table, const Tensor &indices, int32_t mode,
                      std::optional<Norm> norm) {
  if (norm || !table.hasContiguousRows())
    table.align();
  Tensor out(table, indices.shapeWith(table.size(1)));
  EmbeddingLookupOptions options;
  embedding_lookup_options_init(&options, sizeof(options));
  options.out_of_range = mode;
  options.has_max_norm = norm.has_value();
  if (norm) {
    options.max_norm = norm->max;
    options.norm_type = norm->type;
  }
  options.stream = table.currentStream();
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_lookup(engine, &table, &indices, &options, &out, status);
  });
  if (norm)
    table.writeBack();
  return out.getObject();
}

nb::any lookup(nb::handle weight, nb::handle input, nb::handle outOfRange,
               nb::handle maxNorm, nb::handle normType) {
  std::optional<Norm> norm = readNorm(maxNorm, normType);
  Tensor table(weight, "weight", norm ? Access::write : Access::read),
      indices(input, "input");
  checkTable(table, "weight");
  return makeAny(lookupRows(table, indices, readMode(outOfRange), norm));
}

void renorm(nb::handle weight, nb::handle input, nb::handle maxNorm,
            nb::handle normType, nb::handle outOfRange) {
  Norm norm = readNorm(readFloat(maxNorm, "max_norm"), normType);
  Tensor table(weight, "weight", Access::write), indices(input, "input");
  table.align();
  EmbeddingRenormOptions options;
  embedding_renorm_options_init(&options, sizeof(options));
  options.out_of_range = readMode(outOfRange);
  options.norm_type = norm.type;
  options.stream = table.currentStream();
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_renorm(engine, &table, &indices, norm.max, &options,
                            status);
  });
  table.writeBack();
}

EmbeddingGradOptions readGradOptions(nb::handle padding, int64_t numRows,
                                     nb::handle scaleGradByFreq,
                                     nb::handle outOfRange,
                                     const Tensor &tensor) {
  std::optional<int64_t> paddingIdx = readOptionalInt(padding, "padding_idx");
  EmbeddingGradOptions options;
  embedding_grad_options_init(&options, sizeof(options));
  options.out_of_range = readMode(outOfRange);
  // Of an empty table too, row 0 may be the padding row.
  options.has_padding_idx = paddingIdx && (numRows != 0 || *paddingIdx != 0);
  options.padding_idx = paddingIdx.value_or(0);
  options.scale_grad_by_freq = readFlag(scaleGradByFreq, "scale_grad_by_freq");
  options.stream = tensor.currentStream();
  return options;
}

nb::object sumRows(Tensor &grad, const Tensor &indices, nb::handle count,
                   nb::handle padding, nb::handle scaleGradByFreq,
                   bool allowNondeterministic, nb::handle outOfRange) {
  int64_t numRows = readInt(count, "num_rows");
  if (numRows < 0)
    failInvalid("num_rows: expected at least 0, but got " +
                std::to_string(numRows));
  EmbeddingGradOptions options =
      readGradOptions(padding, numRows, scaleGradByFreq, outOfRange, grad);
  grad.align();
  Tensor out(grad, {numRows, getRowLength(grad, "grad_output")});
  options.allow_nondeterministic = allowNondeterministic;
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_dense_grad(engine, &grad, &indices, &options, &out,
                                status);
  });
  return out.getObject();
}

nb::any denseGrad(nb::handle gradOutput, nb::handle input, nb::handle numRows,
                  nb::handle padding, nb::handle scaleGradByFreq,
                  nb::handle allowNondeterministic, nb::handle outOfRange) {
  Tensor grad(gradOutput, "grad_output"), indices(input, "input");
  return makeAny(sumRows(
      grad, indices, numRows, padding, scaleGradByFreq,
      readFlag(allowNondeterministic, "allow_nondeterministic"), outOfRange));
}

/// Entries of a sparse gradient, of which the first nnz count.
class Entries {
public:
  Entries(const Tensor &like, int64_t maxEntries, int64_t rowLength)
      : rows(Tensor::makeInt64(like, {maxEntries})),
        values(like, {maxEntries, rowLength}),
        count(Tensor::makeInt64(like, {})) {}

  const DLTensor *getRows() const { return &rows; }
  const DLTensor *getValues() const { return &values; }
  int64_t *getCount() const { return static_cast<int64_t *>((&count)->data); }

  /// All of them, without waiting for a GPU to count.
  Pair getAll() const {
    return nb::make_tuple(rows.getObject(), values.getObject());
  }
  Pair getCounted() const {
    nb::slice first(nb::cast<Py_ssize_t>(nb::int_(count.getObject())));
    return nb::make_tuple(rows.getObject()[first], values.getObject()[first]);
  }

private:
  Tensor rows, values, count;
};

Pair sparseGrad(nb::handle gradOutput, nb::handle input, nb::handle count,
                nb::handle padding, nb::handle scaleGradByFreq,
                nb::handle outOfRange) {
  Tensor grad(gradOutput, "grad_output"), indices(input, "input");
  int64_t numRows = readInt(count, "num_rows");
  EmbeddingGradOptions options =
      readGradOptions(padding, numRows, scaleGradByFreq, outOfRange, grad);
  grad.align();
  Entries entries(grad, indices.numElements(),
                  getRowLength(grad, "grad_output"));
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_sparse_grad(engine, &grad, &indices, numRows, &options,
                                 entries.getRows(), entries.getValues(),
                                 entries.getCount(), status);
  });
  bool mayLeaveOut =
      !padding.is_none() || options.out_of_range == EMBEDDING_OUT_OF_RANGE_ZERO;
  return mayLeaveOut ? entries.getCounted() : entries.getAll();
}

Pair coalesce(nb::handle input, nb::handle values, nb::handle count,
              nb::handle outOfRange) {
  Tensor indices(input, "input"), from(values, "values");
  int64_t numRows = readInt(count, "num_rows");
  from.align();
  Entries entries(from, indices.numElements(), getRowLength(from, "values"));
  EmbeddingCoalesceOptions options;
  embedding_coalesce_options_init(&options, sizeof(options));
  options.out_of_range = readMode(outOfRange);
  options.stream = from.currentStream();
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_coalesce(engine, &indices, &from, numRows, &options,
                              entries.getRows(), entries.getValues(),
                              entries.getCount(), status);
  });
  return entries.getCounted();
}

nb::any doubleBackward(nb::handle gradGradWeight, nb::handle input,
                       nb::handle padding, nb::handle scaleGradByFreq,
                       nb::handle outOfRange) {
  Tensor table(gradGradWeight, "grad_grad_weight"), indices(input, "input");
  checkTable(table, "grad_grad_weight");
  EmbeddingGradOptions options = readGradOptions(
      padding, table.size(0), scaleGradByFreq, outOfRange, table);
  table.align();
  Tensor out(table, indices.shapeWith(table.size(1)));
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_double_backward(engine, &table, &indices, &options, &out,
                                     status);
  });
  return makeAny(out.getObject());
}

void synchronize(nb::handle deviceId, nb::handle streamAddress) {
  int64_t device = readInt(deviceId, "device");
  // Addresses are integers without a sign, but none has the highest bit.
  auto *stream = reinterpret_cast<void *>(readInt(streamAddress, "stream"));
  if (device != static_cast<int32_t>(device))
    failInvalid("device: expected the number of a GPU, but got " +
                std::to_string(device));
  run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
    return embedding_synchronize(engine, static_cast<int32_t>(device), stream,
                                 status);
  });
}

void setThreads(nb::handle count) {
  setNumThreads(readInt(count, "num_threads"));
}

void setPool(nb::handle maxIdleBytes) {
  std::optional<int64_t> bytes =
      readOptionalInt(maxIdleBytes, "max_idle_bytes");
  if (bytes && *bytes < 0)
    failInvalid("max_idle_bytes: expected 0 or more, but got " +
                std::to_string(*bytes));
  setMemoryPool(bytes);
}

//===----------------------------------------------------------------------===//
// The quick way of PyTorch's tensors
//===----------------------------------------------------------------------===//

/// PyTorch's node in C++ records a lookup sooner than one of ours does. Of rows
/// of fewer bytes the lookup itself takes less than what that saves, if
/// gradients are sparse: then there is nothing to compute.
constexpr int64_t kMinRecordedBytes = int64_t(8) << 20;

/// Whether `numIndices` rows of `table` have fewer.
bool isRecordedByTorch(int64_t numIndices, const Tensor &table) {
  int64_t length = std::min(table.size(1), kMinRecordedBytes);
  int64_t rowBytes = std::max<int64_t>(length * table.elementBytes(), 1);
  return numIndices < kMinRecordedBytes / rowBytes;
}

/// PyTorch's lookup with a sparse gradient. Null if it fails: the runtime says
/// why, or knows types that PyTorch does not. `input` is copied, since indices
/// may be written before an optimizer reads the gradient's.
nb::object lookUpByTorch(const Torch &torch, nb::handle weight,
                         nb::handle input, std::optional<int64_t> paddingIdx) {
  try {
    return torch.embedding(weight, input.attr("clone")(),
                           paddingIdx.value_or(-1), false, true);
  } catch (nb::python_error &error) {
    if (!error.matches(PyExc_Exception))
      throw;
    return nb::object();
  }
}

/// An _Arguments: that of the last call again, if it is the same.
nb::object makeArguments(const Torch &torch, int64_t numRows,
                         std::optional<int64_t> paddingIdx,
                         bool scaleGradByFreq, bool sparse,
                         nb::handle outOfRange) {
  struct Call {
    int64_t numRows = -1;
    std::optional<int64_t> paddingIdx;
    bool scaleGradByFreq = false, sparse = false;
    PyObject *outOfRange = nullptr;
    bool operator==(const Call &other) const {
      return std::tie(numRows, paddingIdx, scaleGradByFreq, sparse,
                      outOfRange) == std::tie(other.numRows, other.paddingIdx,
                                              other.scaleGradByFreq,
                                              other.sparse, other.outOfRange);
    }
  };
  // Under the interpreter's lock. The arguments keep their string alive.
  static Call last;
  static auto *made = new nb::object;
  Call call = {numRows, paddingIdx, scaleGradByFreq, sparse, outOfRange.ptr()};
  if (!(call == last)) {
    *made = torch.makeArguments(numRows, paddingIdx, scaleGradByFreq, sparse,
                                outOfRange);
    last = call;
  }
  return *made;
}

/// F.embedding of plain tensors. None if they are not plain, or not right: then
/// Python says why.
nb::any embedPlain(nb::handle input, nb::handle weight, nb::handle padding,
                   nb::handle maxNorm, nb::handle normType,
                   nb::handle scaleGradByFreq, nb::handle isSparse,
                   nb::handle outOfRange) {
  const Torch *torch = Torch::get();
  if (!torch || !torch->isPlain(weight) || !torch->isPlain(input) ||
      torch->isWatched())
    return makeAny(nb::none());
  Tensor table(weight, "weight", Access::ifHasMemory),
      indices(input, "input", Access::ifHasMemory);
  if (!table.hasMemory() || table.rank() != 2 || !indices.isIndices() ||
      indices.rank() > kMaxIndexDims || table.device() != indices.device())
    return makeAny(nb::none());
  bool scale = readFlag(scaleGradByFreq, "scale_grad_by_freq"),
       sparse = readFlag(isSparse, "sparse");
  std::optional<Norm> norm = readNorm(maxNorm, normType);
  bool takesGradient = isTrue(nb::object(weight.attr(torch->requiresGrad))) &&
                       isTrue(torch->isGradEnabled());
  // One of conjugates or negatives, which was copied.
  bool isView = !table.getObject().is(weight);
  if ((table.isComplex() && takesGradient) ||
      (norm && (table.isComplex() || isView)))
    return makeAny(nb::none());
  std::optional<int64_t> paddingIdx;
  if (!padding.is_none()) {
    // Of flags and fractions Python says that they are no integers.
    if (PyBool_Check(padding.ptr()) || !PyIndex_Check(padding.ptr()))
      return makeAny(nb::none());
    nb::object index = nb::steal(PyNumber_Index(padding.ptr()));
    if (!index.is_valid())
      nb::raise_python_error();
    int overflow = 0;
    paddingIdx = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
    int64_t numRows = table.size(0);
    if (overflow != 0)
      return makeAny(nb::none());
    if (*paddingIdx != 0 && (*paddingIdx >= numRows || *paddingIdx < -numRows))
      return makeAny(nb::none());
    if (*paddingIdx < 0)
      *paddingIdx += numRows;
  }
  int32_t mode = readMode(outOfRange);
  nb::object out;
  if (takesGradient && sparse && !scale && !norm &&
      mode == EMBEDDING_OUT_OF_RANGE_CHECK && !table.isOnGPU() &&
      isRecordedByTorch(indices.numElements(), table)) {
    out = lookUpByTorch(*torch, weight, input, paddingIdx);
    if (out.is_valid())
      return makeAny(out);
  }
  if (norm) {
    Tensor written(weight, "weight", Access::write);
    out = lookupRows(written, indices, mode, norm);
    torch->incrementVersion(weight);
  } else {
    out = lookupRows(table, indices, mode, std::nullopt);
  }
  if (takesGradient)
    return makeAny(torch->recordLookup(
        weight, input,
        nb::make_tuple(out, makeArguments(*torch, table.size(0), paddingIdx,
                                          scale, sparse, outOfRange))));
  return makeAny(out);
}

/// The dense gradient of a lookup of plain tensors. None if they are not.
nb::any sumPlain(nb::handle gradOutput, nb::handle input, nb::handle numRows,
                 nb::handle padding, nb::handle scaleGradByFreq,
                 nb::handle outOfRange) {
  const Torch *torch = Torch::get();
  if (!torch || !torch->isPlain(gradOutput) || !torch->isPlain(input) ||
      torch->isWatched())
    return makeAny(nb::none());
  Tensor grad(gradOutput, "grad_output", Access::ifHasMemory),
      indices(input, "input", Access::ifHasMemory);
  if (!grad.hasMemory() || !indices.hasMemory())
    return makeAny(nb::none());
  return makeAny(sumRows(grad, indices, numRows, padding, scaleGradByFreq,
                         false, outOfRange));
}

} // namespace

NB_MODULE(_core, module) {
  module.doc() = "The runtime's C API, on tensors and arrays as they are.";
  embedding::python::initializeTensors();
  using namespace nb::literals;
  // Any object is an argument: what reads it says what it should have been.
  module.def("lookup", &lookup, "weight"_a.none(), "input"_a.none(),
             "out_of_range"_a.none(), "max_norm"_a.none() = nb::none(),
             "norm_type"_a.none() = 2.0);
  module.def("renorm", &renorm, "weight"_a.none(), "input"_a.none(),
             "max_norm"_a.none(), "norm_type"_a.none(),
             "out_of_range"_a.none());
  module.def("dense_grad", &denseGrad, "grad_output"_a.none(), "input"_a.none(),
             "num_rows"_a.none(), "padding_idx"_a.none(),
             "scale_grad_by_freq"_a.none(), "allow_nondeterministic"_a.none(),
             "out_of_range"_a.none());
  module.def("sparse_grad", &sparseGrad, "grad_output"_a.none(),
             "input"_a.none(), "num_rows"_a.none(), "padding_idx"_a.none(),
             "scale_grad_by_freq"_a.none(), "out_of_range"_a.none());
  module.def("coalesce", &coalesce, "input"_a.none(), "values"_a.none(),
             "num_rows"_a.none(), "out_of_range"_a.none());
  module.def("double_backward", &doubleBackward, "grad_grad_weight"_a.none(),
             "input"_a.none(), "padding_idx"_a.none(),
             "scale_grad_by_freq"_a.none(), "out_of_range"_a.none());
  module.def("synchronize", &synchronize, "device"_a.none(), "stream"_a.none());
  module.def("embed_plain", &embedPlain, "input"_a.none(), "weight"_a.none(),
             "padding_idx"_a.none(), "max_norm"_a.none(), "norm_type"_a.none(),
             "scale_grad_by_freq"_a.none(), "sparse"_a.none(),
             "out_of_range"_a.none());
  module.def("sum_plain", &sumPlain, "grad_output"_a.none(), "input"_a.none(),
             "num_rows"_a.none(), "padding_idx"_a.none(),
             "scale_grad_by_freq"_a.none(), "out_of_range"_a.none());
  module.def("set_num_threads", &setThreads, "num_threads"_a.none());
  module.def("set_memory_pool", &setPool, "max_idle_bytes"_a.none());
  module.def("forget_engine", &forgetEngine);
  module.def("set_torch", &Torch::set, "source"_a);
  module.def("set_error_factory", &setErrorFactory, "factory"_a);
  defineModule(module);
}
