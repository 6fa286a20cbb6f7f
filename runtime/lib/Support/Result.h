//===- Result.h - Errors as values ------------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_SUPPORT_RESULT_H
#define EMBEDDING_RUNTIME_LIB_SUPPORT_RESULT_H

#include "embedding-runtime/Runtime.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <variant>

namespace embedding::runtime {

/// Why something failed. Convertible to `Result<T>` of any T.
struct Failure {
  EmbeddingStatusCode code = EMBEDDING_INTERNAL;
  std::string message;
  int64_t position = -1;
  int64_t index = 0;
  int64_t count = 0;
};

/// A T or the reason why there is none.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : state(std::move(value)) {}
  Result(Failure failure) : state(std::move(failure)) {}

  explicit operator bool() const { return state.index() == 0; }
  T &operator*() { return *std::get_if<0>(&state); }
  T *operator->() { return std::get_if<0>(&state); }
  Failure &failure() { return *std::get_if<1>(&state); }

private:
  std::variant<T, Failure> state;
};

/// Success, or the reason why not.
using Status = Result<std::monostate>;
inline Status success() { return Status(std::monostate()); }

inline Failure invalidArgument(std::string message) {
  return {EMBEDDING_INVALID_ARGUMENT, std::move(message)};
}

/// Of `count` indices out of range, of which the first is `index` at
/// `position`; `what` names the operand and says what is expected of it.
Failure outOfRange(const std::string &what, int64_t position, int64_t index,
                   int64_t count);
/// The same where rows of the table are known to be in [0, `numRows`).
inline Failure outOfRange(const std::string &operand, int64_t numRows,
                          int64_t position, int64_t index, int64_t count) {
  return outOfRange(operand + ": expected values in [0, " +
                        std::to_string(numRows) + ")",
                    position, index, count);
}

/// Fails if the caller has not set `struct_size` of what it calls `name`.
template <typename Struct>
Status checkStructSize(const Struct &given, const char *name) {
  if (given.struct_size >= sizeof(given.struct_size))
    return success();
  return invalidArgument(std::string(name) +
                         ": expected struct_size to be the size of the struct, "
                         "but got " +
                         std::to_string(given.struct_size));
}

/// Writes the fields that `from` has over the defaults in `to`: a caller built
/// with an earlier header has fewer. `from` may be null.
template <typename Options>
Status copyOptions(const Options *from, Options &to) {
  if (!from)
    return success();
  if (Status isSet = checkStructSize(*from, "options"); !isSet)
    return isSet;
  std::memcpy(&to, from, std::min(from->struct_size, sizeof(to)));
  return success();
}

/// Writes the fields of `defaults` that a caller knows, whose struct has
/// `structSize` bytes, to `options`, unless that is null.
template <typename Options>
void initOptions(Options *options, size_t structSize, Options defaults) {
  defaults.struct_size = structSize;
  if (options)
    std::memcpy(options, &defaults, std::min(structSize, sizeof(defaults)));
}

/// Runs `body`, which returns a Status, for a function of the C API: writes the
/// outcome to `out_status` and lets no exception out.
EmbeddingStatusCode writeStatus(Status status, EmbeddingStatus *outStatus);
Failure describeCurrentException() noexcept;

template <typename Body>
EmbeddingStatusCode callAtBoundary(EmbeddingStatus *outStatus,
                                   Body &&body) noexcept {
  try {
    return writeStatus(body(), outStatus);
  } catch (...) {
    return writeStatus(describeCurrentException(), outStatus);
  }
}

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_SUPPORT_RESULT_H
