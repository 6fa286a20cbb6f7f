//===- GeneratedCall.h - Calls of generated code ----------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Generated code has nothing to destroy, and no exception may cross it: a call
// that has failed is left at once, by longjmp. What would come next may rely on
// memory that is not there or on a loop that has not run.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CALL_GENERATEDCALL_H
#define EMBEDDING_RUNTIME_LIB_CALL_GENERATEDCALL_H

#include "Support/Result.h"

#include <atomic>
#include <csetjmp>
#include <mutex>
#include <unordered_map>

namespace embedding::runtime {

/// As upstream's runner utilities have it.
struct UnrankedMemRef {
  int64_t rank;
  const int64_t *memref;
};

/// A call of generated code, which the functions that the code calls find by
/// their thread.
class GeneratedCall {
public:
  GeneratedCall() = default;
  GeneratedCall(const GeneratedCall &) = delete;
  GeneratedCall &operator=(const GeneratedCall &) = delete;

  /// Runs `body`, which does nothing but call generated code, until it returns
  /// or is left.
  template <typename Body> void enter(const Body &body) {
    Entry entry;
    entry.call = this;
    entry.outer = innermost;
    innermost = &entry;
    // NOLINTNEXTLINE(bugprone-unsafe-functions)
    if (_setjmp(entry.exit) == 0)
      body();
    innermost = entry.outer;
  }

  /// The first failure, or success.
  Status getStatus();

  // What generated code calls.
  static void parallelFor(int64_t size, EmbeddingRangeFunction function,
                          void *context);
  /// Memory for `rank` sizes of elements of `elementBytes`, at a multiple of
  /// `alignment`. Whatever is not deallocated is when the call ends.
  static void *allocate(int64_t elementBytes, int64_t alignment, int64_t rank,
                        const int64_t *sizes);
  /// The same, in the memory of result `number` if that fits.
  static void *allocateResult(int64_t number, int64_t elementBytes,
                              int64_t alignment, int64_t rank,
                              const int64_t *sizes);
  static void deallocate(void *memory);
  static void reportOutOfRange(const char *what, int64_t position,
                               int64_t index, int64_t count, int64_t numRows);
  /// Ends the call with "WHAT EXPECTED, but got ACTUAL"; of a slice, which has
  /// no `whole` of -1, with ", from offset OFFSET of WHOLE" behind that.
  static void reportMismatch(const char *what, int64_t expected, int64_t actual,
                             int64_t offset, int64_t whole);
  /// Ends the call with "assertion failed: MESSAGE".
  static void reportAssertion(const char *message);
  /// Takes the memref of result `number`.
  static void takeResult(int64_t number, const int64_t *memref);
  /// Copies between memrefs of any strides.
  static void copyMemRef(int64_t elementBytes, const UnrankedMemRef *from,
                         const UnrankedMemRef *to);

protected:
  ~GeneratedCall() = default;

  /// Runs a loop of generated code.
  virtual void runLoop(int64_t size, EmbeddingRangeFunction function,
                       void *context) = 0;
  virtual Result<void *> allocateMemory(size_t size) = 0;
  virtual void deallocateMemory(void *memory, size_t size) = 0;
  /// The memory of result `number`, or null if the code cannot have it.
  virtual Result<void *> placeResult(int64_t number, int64_t alignment,
                                     const int64_t *sizes) {
    return nullptr;
  }
  virtual Status take(int64_t number, const int64_t *memref) = 0;

  /// As `runLoop`, for loops whose bodies may fail or allocate: `run` is called
  /// with a function that enters the call on the thread that it runs on.
  template <typename Run>
  void enterLoop(EmbeddingRangeFunction function, void *context,
                 const Run &run) {
    struct Range {
      GeneratedCall &call;
      EmbeddingRangeFunction function;
      void *context;
    } range{*this, function, context};
    run(
        [](void *data, int64_t begin, int64_t end) {
          auto &range = *static_cast<Range *>(data);
          if (!range.call.hasFailed)
            range.call.enter(
                [&] { range.function(range.context, begin, end); });
        },
        &range);
  }

  /// For a function that generated code calls: does what `body` does for the
  /// call of this thread. If that fails or throws, the code goes no further.
  template <typename Body> static void serve(const Body &body) {
    if (!innermost->call->attempt(body))
      leave();
  }

  /// Deallocates what the code has left; to be called when it has ended.
  void deallocateAll();

private:
  /// Where a thread has entered.
  struct Entry {
    std::jmp_buf exit;
    GeneratedCall *call;
    Entry *outer;
  };
  static thread_local Entry *innermost;

  struct Block {
    /// Null if the memory is a result's.
    void *begin;
    size_t size;
  };

  template <typename Body> bool attempt(const Body &body) noexcept {
    try {
      Status status = body(*this);
      if (status)
        return true;
      fail(std::move(status.failure()));
    } catch (...) {
      fail(describeCurrentException());
    }
    return false;
  }
  void fail(Failure failure) noexcept;
  [[noreturn]] static void leave();

  void add(void *memory, Block block);
  void deallocateBlock(Block block);
  Result<void *> allocateBlock(int64_t elementBytes, int64_t alignment,
                               int64_t rank, const int64_t *sizes);

  std::mutex mutex;
  Status status = success();
  std::atomic<bool> hasFailed{false};
  /// By the address that the code knows.
  std::unordered_map<void *, Block> blocks;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CALL_GENERATEDCALL_H
