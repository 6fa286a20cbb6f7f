//===- Engine.cpp - The engine of the process, and its errors -------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Engine.h"

#include <atomic>
#include <cstdlib>
#include <mutex>

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

void embedding::python::failInvalid(const std::string &message) {
  EmbeddingStatus status{EMBEDDING_INVALID_ARGUMENT, -1, 0, 0, {}};
  message.copy(status.message, sizeof(status.message) - 1);
  fail(status.code, status);
}

//===----------------------------------------------------------------------===//
// The engine
//===----------------------------------------------------------------------===//

static std::atomic<EmbeddingEngine *> engine{nullptr};
static auto *engineMutex = new std::mutex;
static int32_t numThreads = 0;

EmbeddingEngine *embedding::python::getEngine() {
  if (EmbeddingEngine *known = engine.load(std::memory_order_acquire))
    return known;
  std::lock_guard<std::mutex> lock(*engineMutex);
  if (EmbeddingEngine *known = engine.load())
    return known;
  EmbeddingEngineOptions options;
  embedding_engine_options_init(&options, sizeof(options));
  options.num_threads = numThreads;
  options.cpu = std::getenv("EMBEDDING_CPU");
  EmbeddingEngine *created = nullptr;
  EmbeddingStatus status;
  if (embedding_engine_create(&options, &created, &status) != EMBEDDING_OK)
    fail(status.code, status);
  engine.store(created, std::memory_order_release);
  return created;
}

void embedding::python::forgetEngine() {
  engine.store(nullptr);
  engineMutex = new std::mutex;
}

void embedding::python::setNumThreads(int32_t count) {
  if (count < 0)
    throw nb::value_error("num_threads: expected 0 or more");
  std::lock_guard<std::mutex> lock(*engineMutex);
  if (engine.load() && count != numThreads)
    throw std::runtime_error(
        "num_threads: expected to be set before the first call");
  numThreads = count;
}
