//===- Module.cpp - Functions of IR ---------------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding-runtime/Module.h"

#include "API/Engine.h"
#include "Call/CompiledFunction.h"
#include "Host/Fork.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>

using namespace embedding::runtime;

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

namespace {

/// A function, and what a caller may ask of it.
struct Function {
  /// `code` outlives it.
  Function(const ModuleCode::Function &code, void *entry)
      : code(code), signature(code.fields.data(), code.names.data()),
        entry(entry) {
    describe(signature.arguments);
    describe(signature.results);
  }
  Function(const Function &) = delete;
  Function &operator=(const Function &) = delete;

  EmbeddingFunction getDescription() const {
    return {signature.name, static_cast<int32_t>(signature.arguments.size()),
            static_cast<int32_t>(signature.results.size()), operands.data(),
            operands.data() + signature.arguments.size()};
  }

  const ModuleCode::Function &code;
  Signature signature;
  void *entry;
  std::vector<EmbeddingOperand> operands;

  /// Code for rows of one length each.
  struct Version {
    std::vector<int64_t> rowLengths;
    /// That of the function where there is no better.
    void *entry;
    CodeCache::Pointer code;
    const Version *next;
  };
  /// A list that grows at its head, under the mutex of the module, and is read
  /// without one.
  std::atomic<const Version *> newest{nullptr};
  std::deque<Version> versions;
  std::deque<std::vector<int64_t>> shapes;

private:
  void describe(const std::vector<Operand> &described) {
    for (const Operand &operand : described) {
      std::vector<int64_t> &shape = shapes.emplace_back();
      for (int64_t dim = 0; dim < operand.rank; ++dim)
        shape.push_back(
            operand.sizes[dim] == signature::kAny ? -1 : operand.sizes[dim]);
      operands.push_back({operand.name, static_cast<int32_t>(operand.rank),
                          operand.isMemRef, operand.dtype(), shape.data()});
    }
  }
};

/// Results that the caller makes when their shapes are known.
class MadeResults : public Results {
public:
  MadeResults(const Signature &signature, EmbeddingMakeResult make,
              void *context)
      : signature(signature), make(make), context(context) {}

  Result<Tensor> getTensor(int64_t number, const DLTensor &like) override {
    const Operand &operand = signature.results[number];
    DLTensor made = like;
    if (make(context, number, &like, &made) != 0)
      return Failure{EMBEDDING_OUT_OF_MEMORY,
                     std::string(operand.name) + ": no memory was made"};
    Tensor tensor;
    if (Status taken = CompiledCall::takeTensor(
            &made, operand, like.device.device_type == kDLCUDA, tensor);
        !taken)
      return taken.failure();
    for (int dim = 0; dim < like.ndim; ++dim)
      if (tensor.size(dim) != like.shape[dim])
        return invalidArgument(std::string(operand.name) +
                               ": expected memory of shape " +
                               formatShape(like.shape, like.ndim));
    return tensor;
  }

private:
  const Signature &signature;
  EmbeddingMakeResult make;
  void *context;
};

} // namespace

struct EmbeddingModule {
  explicit EmbeddingModule(Engine &engine) : engine(engine) {}

  Status compile(std::string_view ir, const EmbeddingModuleOptions &options);
  Status call(const char *name, const void *const *arguments,
              const EmbeddingCallOptions &options);

  const std::vector<EmbeddingFunction> &getFunctions() const {
    return descriptions;
  }

private:
  /// The code of `function` for rows as they are in `call`.
  void *getEntry(Function &function, const CompiledCall &call);
  void *makeEntry(Function &function, std::vector<int64_t> rowLengths);

  Engine &engine;
  std::string ir;
  bool assumesSizes = false;
  /// That of a GPU, or -1.
  int32_t deviceId = -1;
  std::deque<Function> functions;
  std::vector<EmbeddingFunction> descriptions;
  CodeCache::Pointer code;
  std::mutex mutex;
};

Status EmbeddingModule::compile(std::string_view ir,
                                const EmbeddingModuleOptions &options) {
  int32_t chip = 0;
  if (options.device.device_type == kDLCUDA) {
    deviceId = options.device.device_id;
    Result<Device *> device = engine.getDevice(deviceId);
    if (!device)
      return device.failure();
    chip = (*device)->getChip();
  } else if (options.device.device_type != kDLCPU) {
    return invalidArgument("options: expected a device of type kDLCPU or "
                           "kDLCUDA, but got " +
                           std::to_string(options.device.device_type));
  }

  CodeCache::Made made = engine.getModule(
      ir, chip, options.allow_nondeterministic != 0, options.assume_sizes != 0);
  if (!made)
    return made.failure();
  code = std::move(*made);
  assumesSizes = options.assume_sizes != 0;
  for (const ModuleCode::Function &described : code->functions) {
    void *entry = code->object.find(described.entry);
    descriptions.push_back(
        functions.emplace_back(described, entry).getDescription());
    if (this->ir.empty() && !described.rowArguments.empty())
      this->ir = ir;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Lengths of rows
//===----------------------------------------------------------------------===//

/// Versions of a function: who calls it with ever new lengths has no use for
/// more.
static constexpr size_t kMaxVersions = 16;

void *EmbeddingModule::getEntry(Function &function, const CompiledCall &call) {
  const std::vector<int64_t> &rowArguments = function.code.rowArguments;
  if (rowArguments.empty() || deviceId >= 0)
    return function.entry;
  auto getLength = [&](size_t i) {
    const Tensor &rows = call.getArgument(rowArguments[i]);
    return getSpecRowLength(rows.size(rows.rank() - 1), rows.elementBytes());
  };
  for (const Function::Version *version =
           function.newest.load(std::memory_order_acquire);
       version; version = version->next) {
    bool isSame = true;
    for (size_t i = 0; i < rowArguments.size() && isSame; ++i)
      isSame = version->rowLengths[i] == getLength(i);
    if (isSame)
      return version->entry;
  }
  std::vector<int64_t> lengths;
  for (size_t i = 0; i < rowArguments.size(); ++i)
    lengths.push_back(getLength(i));
  return makeEntry(function, std::move(lengths));
}

void *EmbeddingModule::makeEntry(Function &function,
                                 std::vector<int64_t> rowLengths) {
  {
    NoForkScope noFork;
    std::lock_guard<std::mutex> lock(mutex);
    if (function.versions.size() >= kMaxVersions)
      return function.entry;
  }
  void *entry = function.entry;
  CodeCache::Pointer versionCode;
  // What has no elements, or is too long for code of its own, has none.
  bool areKnown = std::find(rowLengths.begin(), rowLengths.end(),
                            KernelSpec::kDynamic) == rowLengths.end();
  if (areKnown) {
    CodeCache::Made made = engine.getModule(
        ir, /*chip=*/0, /*atomicGradients=*/false, assumesSizes,
        describeRowLengths(function.signature.name, rowLengths));
    // Lengths that do not fit each other do not compile. The function says so.
    if (made) {
      versionCode = std::move(*made);
      entry = versionCode->object.find(versionCode->functions[0].entry);
    }
  }
  NoForkScope noFork;
  std::lock_guard<std::mutex> lock(mutex);
  function.versions.push_back(
      {std::move(rowLengths), entry, std::move(versionCode),
       function.newest.load(std::memory_order_relaxed)});
  function.newest.store(&function.versions.back(), std::memory_order_release);
  return entry;
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

Status EmbeddingModule::call(const char *name, const void *const *arguments,
                             const EmbeddingCallOptions &options) {
  Function *function = nullptr;
  for (Function &known : functions)
    if (std::strcmp(known.signature.name, name) == 0)
      function = &known;
  if (!function)
    return invalidArgument("module: no function '" + std::string(name) + "'");
  const Signature &signature = function->signature;
  MadeResults made(signature, options.make_result, options.make_result_context);
  GivenResults given(signature);
  CallDevice device;
  device.id = deviceId;
  if (!options.make_result)
    if (Status taken =
            given.take(arguments + signature.arguments.size(), device);
        !taken)
      return taken;
  CompiledCall call(engine, signature,
                    options.make_result ? static_cast<Results &>(made) : given,
                    static_cast<CUstream>(options.stream));
  if (Status taken = call.take(arguments, device); !taken)
    return taken;
  void *entry = getEntry(*function, call);
  return call.run(&entry);
}

//===----------------------------------------------------------------------===//
// C API
//===----------------------------------------------------------------------===//

void embedding_module_options_init(EmbeddingModuleOptions *options,
                                   size_t struct_size) {
  EmbeddingModuleOptions defaults{};
  defaults.device = {kDLCPU, 0};
  initOptions(options, struct_size, defaults);
}

EmbeddingStatusCode
embedding_module_compile(EmbeddingEngine *engine, const char *ir, size_t size,
                         const EmbeddingModuleOptions *options,
                         EmbeddingModule **out_module,
                         EmbeddingStatus *out_status) {
  return callAtBoundary(out_status, [&]() -> Status {
    if (!out_module)
      return invalidArgument("expected out_module not to be null");
    *out_module = nullptr;
    if (!engine || !ir)
      return invalidArgument("expected engine and ir not to be null");
    EmbeddingModuleOptions given;
    embedding_module_options_init(&given, sizeof(given));
    if (Status copied = copyOptions(options, given); !copied)
      return copied;
    auto module = std::make_unique<EmbeddingModule>(*engine->engine);
    if (Status compiled = module->compile({ir, size}, given); !compiled)
      return compiled;
    *out_module = module.release();
    return success();
  });
}

void embedding_module_destroy(EmbeddingModule *module) { delete module; }

size_t embedding_module_get_functions(const EmbeddingModule *module,
                                      const EmbeddingFunction **out_functions) {
  if (out_functions)
    *out_functions = module ? module->getFunctions().data() : nullptr;
  return module ? module->getFunctions().size() : 0;
}

void embedding_call_options_init(EmbeddingCallOptions *options,
                                 size_t struct_size) {
  initOptions(options, struct_size, EmbeddingCallOptions{});
}

EmbeddingStatusCode embedding_module_call(EmbeddingModule *module,
                                          const char *function,
                                          const void *const *arguments,
                                          const EmbeddingCallOptions *options,
                                          EmbeddingStatus *out_status) {
  return callAtBoundary(out_status, [&]() -> Status {
    if (!module || !function || !arguments)
      return invalidArgument(
          "expected module, function and arguments not to be null");
    EmbeddingCallOptions given;
    embedding_call_options_init(&given, sizeof(given));
    if (Status copied = copyOptions(options, given); !copied)
      return copied;
    return module->call(function, arguments, given);
  });
}
