//===- Engine.h - The engine of the process, and its errors -----*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_PYTHON_SRC_ENGINE_H
#define EMBEDDING_PYTHON_SRC_ENGINE_H

#include "embedding-runtime/Runtime.h"

#include <nanobind/nanobind.h>

#include <string>

namespace embedding::python {

namespace nb = nanobind;

/// The engine of all calls, made by the first, for the CPU that the
/// environment's EMBEDDING_CPU names. If PyTorch is there, loops run on its
/// threads.
EmbeddingEngine *getEngine();
/// In the child of a fork: the threads of the engine are not there, and its
/// locks may be held for ever. It is left alone, and a new one made if need be.
void forgetEngine();
/// What the engine keeps of memory that is not in use, and engines to come:
/// max_idle_buffer_bytes of its options.
void setMaxIdleBytes(uint64_t bytes);
/// Fails behind the first call.
void setNumThreads(int64_t count);

/// `factory` makes an exception of a status: (code, message, position, index,
/// count).
void setErrorFactory(nb::object factory);
[[noreturn]] void fail(EmbeddingStatusCode code, const EmbeddingStatus &status);
/// As `fail`, where the runtime's operands have their names in Python.
[[noreturn]] void failOperation(EmbeddingStatusCode code,
                                const EmbeddingStatus &status);
[[noreturn]] void failInvalid(const std::string &message);

/// Runs `call` on the engine without the interpreter's lock, and throws if it
/// fails: `failOperation`.
template <typename Call> void run(Call call) {
  EmbeddingEngine *engine = getEngine();
  EmbeddingStatus status;
  EmbeddingStatusCode code;
  {
    nb::gil_scoped_release released;
    code = call(engine, &status);
  }
  if (code != EMBEDDING_OK)
    failOperation(code, status);
}

} // namespace embedding::python

#endif // EMBEDDING_PYTHON_SRC_ENGINE_H
