//===- Result.cpp - Errors as values --------------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support/Result.h"

#include <cstring>
#include <exception>
#include <new>

using namespace embedding::runtime;

Failure embedding::runtime::outOfRange(const std::string &what,
                                       int64_t position, int64_t index,
                                       int64_t count) {
  return {EMBEDDING_OUT_OF_RANGE,
          what + ", but got " + std::to_string(index) + " at flat position " +
              std::to_string(position) + " (" + std::to_string(count) +
              " out of range in all)",
          position, index, count};
}

EmbeddingStatusCode
embedding::runtime::writeStatus(Status status, EmbeddingStatus *outStatus) {
  if (status) {
    if (outStatus) {
      outStatus->code = EMBEDDING_OK;
      outStatus->position = -1;
      outStatus->index = 0;
      outStatus->count = 0;
      outStatus->message[0] = '\0';
    }
    return EMBEDDING_OK;
  }
  const Failure &failure = status.failure();
  if (outStatus) {
    outStatus->code = failure.code;
    outStatus->position = failure.position;
    outStatus->index = failure.index;
    outStatus->count = failure.count;
    std::strncpy(outStatus->message, failure.message.c_str(),
                 sizeof(outStatus->message) - 1);
    outStatus->message[sizeof(outStatus->message) - 1] = '\0';
  }
  return failure.code;
}

/// Short enough for the string's own buffer: nothing to allocate.
static Failure outOfMemory() {
  return {EMBEDDING_OUT_OF_MEMORY, "out of memory"};
}

Failure embedding::runtime::describeCurrentException() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc &) {
    return outOfMemory();
  } catch (const std::exception &exception) {
    try {
      return {EMBEDDING_INTERNAL, exception.what()};
    } catch (const std::bad_alloc &) {
      return outOfMemory();
    }
  } catch (...) {
    return {EMBEDDING_INTERNAL, "unknown"};
  }
}
