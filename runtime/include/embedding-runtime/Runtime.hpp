//===- Runtime.hpp - C++ API of the embedding runtime -----------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A header-only layer over the C API in Runtime.h and Module.h, which say what
// each operation does: handles that destroy themselves, and failures as
// exceptions.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_RUNTIME_HPP
#define EMBEDDING_RUNTIME_RUNTIME_HPP

#include "embedding-runtime/Module.h"
#include "embedding-runtime/Runtime.h"

#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace embedding {

/// A failed call.
class Error : public std::runtime_error {
public:
  explicit Error(const EmbeddingStatus &status)
      : std::runtime_error(status.message), status(status) {}

  EmbeddingStatusCode code() const { return status.code; }
  /// With EMBEDDING_OUT_OF_RANGE: the smallest flat position of a bad index,
  /// the index found there, and how many there are.
  int64_t position() const { return status.position; }
  int64_t index() const { return status.index; }
  int64_t count() const { return status.count; }

private:
  EmbeddingStatus status;
};

/// Throws an Error of EMBEDDING_INVALID_ARGUMENT.
[[noreturn]] inline void throwInvalidArgument(const std::string &message) {
  EmbeddingStatus status{EMBEDDING_INVALID_ARGUMENT, -1, 0, 0, {}};
  message.copy(status.message, sizeof(status.message) - 1);
  throw Error(status);
}

/// DLPack's name for the arithmetic type `T`.
template <typename T> constexpr DLDataType dataTypeOf() {
  static_assert(std::is_arithmetic_v<T>, "pass a DLDataType instead");
  uint8_t code = std::is_floating_point_v<T> ? kDLFloat
                 : std::is_signed_v<T>       ? kDLInt
                                             : kDLUInt;
  return {code, 8 * sizeof(T), 1};
}

/// The name of the number type `dtype`, such as int32.
inline std::string nameOf(DLDataType dtype) {
  return (dtype.code == kDLFloat  ? "float"
          : dtype.code == kDLUInt ? "uint"
                                  : "int") +
         std::to_string(dtype.bits);
}

/// A tensor that somebody else owns: in CPU memory, unless said otherwise.
class TensorView {
public:
  /// `strides` counts elements and may be empty for a compact row-major tensor.
  /// Throws an Error if there are fewer or more than sizes.
  TensorView(void *data, DLDataType dtype, std::vector<int64_t> shape,
             std::vector<int64_t> strides = {}, DLDevice device = {kDLCPU, 0})
      : data(data), dtype(dtype), device(device), shape(std::move(shape)),
        strides(std::move(strides)) {
    if (!this->strides.empty() && this->strides.size() != this->shape.size())
      throwInvalidArgument("expected as many strides as sizes, " +
                           std::to_string(this->shape.size()) + ", but got " +
                           std::to_string(this->strides.size()));
  }

  template <typename T>
  TensorView(T *data, std::vector<int64_t> shape,
             std::vector<int64_t> strides = {})
      : TensorView(const_cast<std::remove_const_t<T> *>(data),
                   dataTypeOf<std::remove_const_t<T>>(), std::move(shape),
                   std::move(strides)) {}

  /// Valid while this object is.
  DLTensor get() const {
    DLTensor tensor{};
    tensor.data = data;
    tensor.device = device;
    tensor.ndim = static_cast<int32_t>(shape.size());
    tensor.dtype = dtype;
    tensor.shape = const_cast<int64_t *>(shape.data());
    tensor.strides =
        strides.empty() ? nullptr : const_cast<int64_t *>(strides.data());
    return tensor;
  }

private:
  void *data;
  DLDataType dtype;
  DLDevice device;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
};

/// A compact tensor in a buffer of an engine, which must outlive it. The buffer
/// is given back with it, and used again.
class Tensor {
public:
  /// Its elements are unspecified. Throws an Error over a negative size, and if
  /// there is no such memory.
  Tensor(EmbeddingEngine *engine, DLDataType dtype, std::vector<int64_t> shape)
      : dtype(dtype), sizes(std::move(shape)) {
    size_t bytes = countBytes();
    void *memory = nullptr;
    EmbeddingStatus status;
    if (embedding_buffer_allocate(engine, bytes, &memory, &status) !=
        EMBEDDING_OK)
      throw Error(status);
    buffer = {memory, Deallocate{engine, bytes}};
  }

  template <typename T = void> T *data() const {
    return static_cast<T *>(buffer.get());
  }
  const std::vector<int64_t> &shape() const { return sizes; }

  operator TensorView() const { return {buffer.get(), dtype, sizes}; }

private:
  /// SIZE_MAX, which nobody has, for more than that.
  size_t countBytes() const {
    size_t bytes = (dtype.bits * dtype.lanes + 7) / 8;
    bool isEmpty = bytes == 0, isTooLarge = false;
    for (int64_t size : sizes) {
      if (size < 0)
        throwInvalidArgument(
            "shape: expected sizes to be at least 0, but got " +
            std::to_string(size));
      auto factor = static_cast<size_t>(size);
      isEmpty |= factor == 0;
      isTooLarge |= !isEmpty && factor > SIZE_MAX / bytes;
      bytes = isEmpty || isTooLarge ? 1 : bytes * factor;
    }
    return isEmpty ? 0 : isTooLarge ? SIZE_MAX : bytes;
  }

  struct Deallocate {
    EmbeddingEngine *engine;
    size_t bytes;
    void operator()(void *memory) const {
      embedding_buffer_deallocate(engine, memory, bytes);
    }
  };
  DLDataType dtype;
  std::vector<int64_t> sizes;
  std::unique_ptr<void, Deallocate> buffer;
};

/// embedding_advise_huge_pages: for a table, best before it is filled.
inline void adviseHugePages(void *memory, size_t size) {
  EmbeddingStatus status;
  if (embedding_advise_huge_pages(memory, size, &status) != EMBEDDING_OK)
    throw Error(status);
}

struct LookupOptions : EmbeddingLookupOptions {
  LookupOptions() { embedding_lookup_options_init(this, sizeof(*this)); }
};

struct RenormOptions : EmbeddingRenormOptions {
  RenormOptions() { embedding_renorm_options_init(this, sizeof(*this)); }
};

struct GradOptions : EmbeddingGradOptions {
  GradOptions() { embedding_grad_options_init(this, sizeof(*this)); }
};

struct CoalesceOptions : EmbeddingCoalesceOptions {
  CoalesceOptions() { embedding_coalesce_options_init(this, sizeof(*this)); }
};

struct EngineOptions : EmbeddingEngineOptions {
  EngineOptions() { embedding_engine_options_init(this, sizeof(*this)); }
};

/// Compiles kernels, keeps them, and runs them. Any number of threads may use
/// one engine. Every function throws `Error` on failure.
class Engine {
public:
  explicit Engine(const EngineOptions &options = {}) {
    EmbeddingEngine *created = nullptr;
    EmbeddingStatus status;
    check(embedding_engine_create(&options, &created, &status), status);
    engine.reset(created);
  }

  void lookup(const DLTensor &table, const DLTensor &indices,
              const DLTensor &out, const LookupOptions &options = {}) {
    call(embedding_lookup, &table, &indices, &options, &out);
  }
  void lookup(const TensorView &table, const TensorView &indices,
              const TensorView &out, const LookupOptions &options = {}) {
    lookup(table.get(), indices.get(), out.get(), options);
  }

  /// Into a buffer of this engine.
  Tensor lookup(const TensorView &table, const TensorView &indices,
                const LookupOptions &options = {}) {
    DLTensor dlTable = table.get(), dlIndices = indices.get();
    if (dlTable.ndim != 2)
      throwInvalidArgument("table: expected 2 dimensions, but got " +
                           std::to_string(dlTable.ndim));
    std::vector<int64_t> shape(dlIndices.shape,
                               dlIndices.shape + dlIndices.ndim);
    shape.push_back(dlTable.shape[1]);
    Tensor out(engine.get(), dlTable.dtype, std::move(shape));
    lookup(table, indices, out, options);
    return out;
  }

  void renorm(const TensorView &table, const TensorView &indices,
              double maxNorm, const RenormOptions &options = {}) {
    call(embedding_renorm, table, indices, maxNorm, &options);
  }

  void denseGrad(const TensorView &gradOutput, const TensorView &indices,
                 const TensorView &gradTable, const GradOptions &options = {}) {
    call(embedding_dense_grad, gradOutput, indices, &options, gradTable);
  }

  /// Into a buffer of this engine, for a table of `numRows`.
  Tensor denseGrad(const TensorView &gradOutput, const TensorView &indices,
                   int64_t numRows, const GradOptions &options = {}) {
    DLTensor dlGradOutput = gradOutput.get();
    if (dlGradOutput.ndim < 1 || numRows < 0)
      throwInvalidArgument(
          dlGradOutput.ndim < 1
              ? "grad_output: expected at least 1 dimension, but got 0"
              : "num_rows: expected at least 0, but got " +
                    std::to_string(numRows));
    Tensor gradTable(engine.get(), dlGradOutput.dtype,
                     {numRows, dlGradOutput.shape[dlGradOutput.ndim - 1]});
    denseGrad(gradOutput, indices, gradTable, options);
    return gradTable;
  }

  /// The number of entries goes to `nnz`, which is on the device of the
  /// tensors.
  void sparseGrad(const TensorView &gradOutput, const TensorView &indices,
                  int64_t numRows, const TensorView &rows,
                  const TensorView &values, int64_t *nnz,
                  const GradOptions &options = {}) {
    call(embedding_sparse_grad, gradOutput, indices, numRows, &options, rows,
         values, nnz);
  }
  /// Returns the number of entries; for tensors on the CPU.
  int64_t sparseGrad(const TensorView &gradOutput, const TensorView &indices,
                     int64_t numRows, const TensorView &rows,
                     const TensorView &values,
                     const GradOptions &options = {}) {
    int64_t nnz = 0;
    sparseGrad(gradOutput, indices, numRows, rows, values, &nnz, options);
    return nnz;
  }

  /// The number of distinct rows goes to `nnz`, which is on the device of the
  /// tensors.
  void coalesce(const TensorView &indices, const TensorView &values,
                int64_t numRows, const TensorView &rows, const TensorView &sums,
                int64_t *nnz, const CoalesceOptions &options = {}) {
    call(embedding_coalesce, indices, values, numRows, &options, rows, sums,
         nnz);
  }
  /// Returns the number of distinct rows; for tensors on the CPU.
  int64_t coalesce(const TensorView &indices, const TensorView &values,
                   int64_t numRows, const TensorView &rows,
                   const TensorView &sums,
                   const CoalesceOptions &options = {}) {
    int64_t nnz = 0;
    coalesce(indices, values, numRows, rows, sums, &nnz, options);
    return nnz;
  }

  void doubleBackward(const TensorView &gradGradTable,
                      const TensorView &indices, const TensorView &out,
                      const GradOptions &options = {}) {
    call(embedding_double_backward, gradGradTable, indices, &options, out);
  }

  /// Waits for work on a GPU, and throws if it has met bad indices.
  void synchronize(int32_t deviceId = 0, void *stream = nullptr) {
    call(embedding_synchronize, deviceId, stream);
  }

  EmbeddingEngineStatistics statistics() const {
    EmbeddingEngineStatistics statistics;
    statistics.struct_size = sizeof(statistics);
    EmbeddingStatus status;
    check(embedding_engine_get_statistics(engine.get(), &statistics, &status),
          status);
    return statistics;
  }

  std::string cacheDir() const {
    return embedding_engine_cache_dir(engine.get());
  }

  EmbeddingEngine *get() const { return engine.get(); }

private:
  /// A view for the time of a call.
  struct Borrowed {
    DLTensor tensor;
    operator const DLTensor *() const { return &tensor; }
  };
  static Borrowed pass(const TensorView &view) { return {view.get()}; }
  template <typename T> static T pass(T value) { return value; }

  /// Calls a function of the C API, which takes the engine first and a status
  /// last.
  template <typename Function, typename... Arguments>
  void call(Function *function, const Arguments &...arguments) {
    EmbeddingStatus status;
    check(function(engine.get(), pass(arguments)..., &status), status);
  }

  static void check(EmbeddingStatusCode code, const EmbeddingStatus &status) {
    if (code != EMBEDDING_OK)
      throw Error(status);
  }

  struct Destroy {
    void operator()(EmbeddingEngine *engine) const {
      embedding_engine_destroy(engine);
    }
  };
  std::unique_ptr<EmbeddingEngine, Destroy> engine;
};

struct ModuleOptions : EmbeddingModuleOptions {
  ModuleOptions() { embedding_module_options_init(this, sizeof(*this)); }
};

struct CallOptions : EmbeddingCallOptions {
  CallOptions() { embedding_call_options_init(this, sizeof(*this)); }
};

/// The public functions of an MLIR module, compiled by an engine that must
/// outlive it. Any number of threads may call them. Every function throws
/// `Error` on failure.
class Module {
public:
  Module(const Engine &engine, std::string_view ir,
         const ModuleOptions &options = {}) {
    EmbeddingModule *compiled = nullptr;
    EmbeddingStatus status;
    if (embedding_module_compile(engine.get(), ir.data(), ir.size(), &options,
                                 &compiled, &status) != EMBEDDING_OK)
      throw Error(status);
    module.reset(compiled);
  }

  /// A tensor, or a number: a float whose type is that of the scalar in the
  /// function, or an integer that the scalar's type (int64 for `index`) can
  /// hold.
  class Argument {
  public:
    Argument(const TensorView &tensor) : view(&tensor) {}
    template <typename T,
              std::enable_if_t<std::is_arithmetic_v<T>, bool> = true>
    Argument(T number) : dtype(dataTypeOf<T>()) {
      static_assert(sizeof(number) <= sizeof(bits));
      if constexpr (std::is_integral_v<T>)
        // Its first bytes are the number in fewer bits.
        bits = static_cast<uint64_t>(number);
      else
        std::memcpy(&bits, &number, sizeof(number));
    }

  private:
    friend class Module;
    bool fits(DLDataType type) const {
      bool isFloat = dtype.code == kDLFloat;
      if (isFloat || type.code == kDLFloat || type.bits == dtype.bits)
        return isFloat == (type.code == kDLFloat) && type.bits == dtype.bits;
      // Of what is left, shifted out and in again, the bits must be the same.
      auto value = static_cast<int64_t>(bits);
      int unused = 64 - type.bits;
      bool isTooLarge = dtype.code == kDLUInt && value < 0;
      return !isTooLarge &&
             (type.code == kDLUInt
                  ? value >= 0 && (bits << unused) >> unused == bits
                  : static_cast<int64_t>(bits << unused) >> unused == value);
    }
    std::string describe() const {
      if (view)
        return "a tensor";
      if (dtype.code == kDLFloat)
        return nameOf(dtype);
      return nameOf(dtype) + " " +
             (dtype.code == kDLInt ? std::to_string(static_cast<int64_t>(bits))
                                   : std::to_string(bits));
    }

    const TensorView *view = nullptr;
    DLDataType dtype{};
    uint64_t bits = 0;
  };

  /// Results are copied into `results`, unless `options` make them.
  void call(const std::string &function, const std::vector<Argument> &arguments,
            const std::vector<TensorView> &results = {},
            const CallOptions &options = {}) const {
    const EmbeddingFunction &description = find(function);
    checkCount("arguments", description.num_arguments, arguments.size());
    checkCount("results", options.make_result ? 0 : description.num_results,
               results.size());
    std::deque<DLTensor> tensors;
    std::vector<const void *> pointers;
    for (size_t i = 0; i < arguments.size(); ++i) {
      const Argument &argument = arguments[i];
      const EmbeddingOperand &operand = description.arguments[i];
      bool isScalar = operand.ndim < 0;
      if (isScalar ? argument.view || !argument.fits(operand.dtype)
                   : !argument.view)
        throwInvalidArgument(std::string(operand.name) + ": expected " +
                             (isScalar ? nameOf(operand.dtype) : "a tensor") +
                             ", but got " + argument.describe());
      if (argument.view)
        pointers.push_back(&tensors.emplace_back(argument.view->get()));
      else
        pointers.push_back(&argument.bits);
    }
    for (const TensorView &result : results)
      pointers.push_back(&tensors.emplace_back(result.get()));
    EmbeddingStatus status;
    if (embedding_module_call(module.get(), function.c_str(), pointers.data(),
                              &options, &status) != EMBEDDING_OK)
      throw Error(status);
  }

  /// In the order of the module; they live as long as it does.
  std::vector<EmbeddingFunction> functions() const {
    const EmbeddingFunction *first = nullptr;
    size_t count = embedding_module_get_functions(module.get(), &first);
    return {first, first + count};
  }

  EmbeddingModule *get() const { return module.get(); }

private:
  static void checkCount(const char *what, size_t expected, size_t got) {
    if (expected != got)
      throwInvalidArgument("expected " + std::to_string(expected) + " " + what +
                           ", but got " + std::to_string(got));
  }

  const EmbeddingFunction &find(const std::string &name) const {
    const EmbeddingFunction *first = nullptr;
    size_t count = embedding_module_get_functions(module.get(), &first);
    for (size_t i = 0; i < count; ++i)
      if (name == first[i].name)
        return first[i];
    throwInvalidArgument("module: no function '" + name + "'");
  }

  struct Destroy {
    void operator()(EmbeddingModule *module) const {
      embedding_module_destroy(module);
    }
  };
  std::unique_ptr<EmbeddingModule, Destroy> module;
};

} // namespace embedding

#endif // EMBEDDING_RUNTIME_RUNTIME_HPP
