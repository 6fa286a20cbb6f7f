//===- Engine.cpp - The engine of the process, and its errors -------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Engine.h"

#include "Tensor.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

using namespace embedding::python;

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

static nb::object *makeError = nullptr;

void embedding::python::setErrorFactory(nb::object factory) {
  makeError = new nb::object(std::move(factory));
}

void embedding::python::fail(EmbeddingStatusCode code,
                             const EmbeddingStatus &status) {
  nb::object error = (*makeError)(static_cast<int>(code), status.message,
                                  status.position, status.index, status.count);
  PyErr_SetObject(error.type().ptr(), error.ptr());
  nb::raise_python_error();
}

void embedding::python::failOperation(EmbeddingStatusCode code,
                                      const EmbeddingStatus &status) {
  static const std::pair<std::string_view, std::string_view> names[] = {
      {"indices", "input"},
      {"table", "weight"},
      {"grad_grad_table", "grad_grad_weight"}};
  std::string message = status.message;
  auto replace = [&](const std::string &before, std::string_view name,
                     const std::string &after, std::string_view newName) {
    std::string text = before + std::string(name) + after;
    size_t found = message.find(text);
    // An operand's own name is the first word.
    if (found != std::string::npos && (found == 0 || !before.empty()))
      message.replace(found, text.size(),
                      before + std::string(newName) + after);
  };
  for (auto [name, newName] : names) {
    replace("", name, ": ", newName);
    replace(" of ", name, ", ", newName);
  }
  EmbeddingStatus renamed = status;
  size_t length = message.copy(renamed.message, sizeof(renamed.message) - 1);
  renamed.message[length] = '\0';
  fail(code, renamed);
}

void embedding::python::failInvalid(const std::string &message) {
  EmbeddingStatus status{EMBEDDING_INVALID_ARGUMENT, -1, 0, 0, {}};
  message.copy(status.message, sizeof(status.message) - 1);
  fail(status.code, status);
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

namespace {

/// What a compiler calls for `#pragma omp parallel`, in the library that
/// PyTorch has loaded: its threads wait for the next loop on their CPUs, where
/// threads of another pool would have to share with them.
struct OpenMP {
  int (*getMaxThreads)();
  void (*parallel)(void (*body)(void *), void *data, unsigned numThreads,
                   unsigned flags);

  /// Nothing if there is none.
  static std::optional<OpenMP> find() {
    OpenMP found;
    found.getMaxThreads =
        reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
    found.parallel = reinterpret_cast<decltype(found.parallel)>(
        dlsym(RTLD_DEFAULT, "GOMP_parallel"));
    if (!found.getMaxThreads || !found.parallel)
      return std::nullopt;
    return found;
  }
};

/// A loop whose threads take ranges in turn.
struct Loop {
  int64_t size, step;
  EmbeddingRangeFunction function;
  void *context;
  std::atomic<int64_t> next{0};

  static void work(void *data) {
    auto *loop = static_cast<Loop *>(data);
    int64_t begin;
    while ((begin = loop->next.fetch_add(loop->step)) < loop->size)
      loop->function(loop->context, begin,
                     std::min(begin + loop->step, loop->size));
  }
};

} // namespace

static std::optional<OpenMP> openMP;
static bool isForked = false;

/// As EmbeddingParallelFor.
static void parallelFor(void *, int64_t size, int64_t grain,
                        EmbeddingRangeFunction function, void *context) {
  // Functions that were compiled before a fork have the engine of the parent.
  int64_t numThreads = isForked ? 1
                                : std::min<int64_t>(openMP->getMaxThreads(),
                                                    (size + grain - 1) / grain);
  if (numThreads <= 1) {
    function(context, 0, size);
    return;
  }
  // A few ranges for each thread, since some come late.
  int64_t step = std::max(grain, size / (4 * numThreads));
  Loop loop{size, step, function, context};
  openMP->parallel(&Loop::work, &loop, static_cast<unsigned>(numThreads), 0);
}

//===----------------------------------------------------------------------===//
// The engine
//===----------------------------------------------------------------------===//

static std::atomic<EmbeddingEngine *> engine{nullptr};
static auto *engineMutex = new std::mutex;
static int32_t numThreads = 0;
static uint64_t maxIdleBytes = 0;

EmbeddingEngine *embedding::python::getEngine() {
  if (EmbeddingEngine *known = engine.load(std::memory_order_acquire))
    return known;
  std::lock_guard<std::mutex> lock(*engineMutex);
  if (EmbeddingEngine *known = engine.load())
    return known;
  EmbeddingEngineOptions options;
  embedding_engine_options_init(&options, sizeof(options));
  options.num_threads = numThreads;
  options.max_idle_buffer_bytes = maxIdleBytes;
  options.cpu = std::getenv("EMBEDDING_CPU");
  if (numThreads == 0 && Torch::get()) {
    if (std::optional<OpenMP> found = OpenMP::find()) {
      options.num_threads = found->getMaxThreads();
      // In the child of a fork its threads are gone, and it does not know.
      if (!isForked) {
        openMP = found;
        options.parallel_for = &parallelFor;
      }
    }
  }
  EmbeddingEngine *created = nullptr;
  EmbeddingStatus status;
  if (embedding_engine_create(&options, &created, &status) != EMBEDDING_OK)
    fail(status.code, status);
  engine.store(created, std::memory_order_release);
  return created;
}

void embedding::python::forgetEngine() {
  isForked = true;
  engine.store(nullptr);
  engineMutex = new std::mutex;
}

void embedding::python::setMaxIdleBytes(uint64_t bytes) {
  std::lock_guard<std::mutex> lock(*engineMutex);
  maxIdleBytes = bytes;
  if (EmbeddingEngine *known = engine.load())
    embedding_engine_set_max_idle_buffer_bytes(known, bytes, nullptr);
}

void embedding::python::setNumThreads(int64_t count) {
  if (count < 0 || count > INT32_MAX)
    failInvalid("num_threads: expected 0 or more, but got " +
                std::to_string(count));
  std::lock_guard<std::mutex> lock(*engineMutex);
  if (engine.load() && count != numThreads)
    failInvalid("num_threads: expected to be set before the first call");
  numThreads = static_cast<int32_t>(count);
}
