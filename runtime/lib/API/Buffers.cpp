//===- Buffers.cpp - Memory for results and workspace ---------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "API/Engine.h"

using namespace embedding::runtime;

EmbeddingStatusCode embedding_buffer_allocate(EmbeddingEngine *engine,
                                              size_t size, void **out_memory,
                                              EmbeddingStatus *out_status) {
  return callAtBoundary(out_status, [&]() -> Status {
    if (!engine || !out_memory)
      return invalidArgument("expected engine and out_memory not to be null");
    *out_memory = nullptr;
    Result<void *> buffer =
        engine->engine->allocate(size, /*onDevice=*/nullptr);
    if (!buffer)
      return buffer.failure();
    *out_memory = *buffer;
    return success();
  });
}

EmbeddingStatusCode embedding_engine_set_max_idle_buffer_bytes(
    EmbeddingEngine *engine, uint64_t bytes, EmbeddingStatus *out_status) {
  return callAtBoundary(out_status, [&]() -> Status {
    if (!engine)
      return invalidArgument("expected engine not to be null");
    engine->engine->setMaxIdleBufferBytes(bytes);
    return success();
  });
}

void embedding_buffer_deallocate(EmbeddingEngine *engine, void *memory,
                                 size_t size) {
  if (engine && memory)
    engine->engine->deallocate(memory, size, /*onDevice=*/nullptr);
}
