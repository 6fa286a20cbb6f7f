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

#include "Device/Device.h"

#include <atomic>
#include <csetjmp>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace embedding::runtime {

/// As upstream's runner utilities have it.
struct UnrankedMemRef {
  int64_t rank;
  const int64_t *memref;
};

/// What calls run on. Used by several threads at once.
class Machine {
public:
  virtual void parallelFor(int64_t size, int64_t grain,
                           EmbeddingRangeFunction function, void *context) = 0;
  /// Memory at a multiple of a cache line: of the CPU if `onDevice` is null,
  /// else of its GPU, for work in its stream.
  virtual Result<void *> allocate(size_t size, const DeviceScope *onDevice) = 0;
  virtual void deallocate(void *memory, size_t size,
                          const DeviceScope *onDevice) noexcept = 0;
  virtual Result<Device *> getDevice(int32_t id) = 0;

protected:
  ~Machine() = default;
};

/// A call of generated code, which the functions that the code calls find by
/// their thread.
class GeneratedCall {
public:
  /// `onDevice` is null for the CPU.
  GeneratedCall(Machine &machine, const DeviceScope *onDevice)
      : machine(machine), onDevice(onDevice) {}
  virtual ~GeneratedCall() = default;
  GeneratedCall(const GeneratedCall &) = delete;
  GeneratedCall &operator=(const GeneratedCall &) = delete;

  /// Runs `body`, which does nothing but call generated code, until it returns
  /// or is left, and frees what it has left. The first failure, or success.
  template <typename Body> Status run(const Body &body) {
    enter(body);
    if (blocks)
      deallocateAll();
    return getStatus();
  }

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
  // And on a GPU.
  static void launchKernel(const char *image, int64_t imageBytes,
                           const char *name, int64_t blocks, int64_t threads,
                           int64_t *arguments, int64_t argumentCount);
  static void *getOutOfRangeReport();

protected:
  /// The memory of result `number`, or null if the code cannot have it.
  virtual Result<void *> placeResult(int64_t number, int64_t alignment,
                                     const int64_t *sizes) {
    return nullptr;
  }
  /// What a message names that the code calls `what`.
  virtual const char *getSubject(const char *what) const { return what; }
  virtual Status take(int64_t number, const int64_t *memref) {
    return Failure{EMBEDDING_INTERNAL, "a kernel has a result"};
  }
  /// The first failure so far, or success.
  Status getStatus();

  Machine &machine;
  const DeviceScope *onDevice;

private:
  template <typename Body> void enter(const Body &body) {
    Entry entry;
    // Found once, since that takes a call.
    Entry *&ofThread = innermost;
    entry.call = this;
    entry.outer = ofThread;
    ofThread = &entry;
    // NOLINTNEXTLINE(bugprone-unsafe-functions)
    if (_setjmp(entry.exit) == 0)
      body();
    ofThread = entry.outer;
  }

  /// For a function that generated code calls: does what `body` does for the
  /// call of this thread. If that fails or throws, the code goes no further.
  template <typename Body> static void serve(const Body &body) {
    if (!innermost->call->attempt(body))
      leave();
  }

  void deallocateAll();

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
  void keepFirst(Failure failure);
  [[noreturn]] static void leave();

  void add(void *memory, Block block);
  void deallocateBlock(Block block);
  Result<void *> allocateBlock(int64_t elementBytes, int64_t alignment,
                               int64_t rank, const int64_t *sizes);

  std::mutex mutex;
  Status status = success();
  /// Whether the status is a failure, and whether code must go no further.
  std::atomic<bool> hasStatus{false};
  std::atomic<bool> hasFailed{false};
  /// By the address that the code knows; made with the first.
  std::optional<std::unordered_map<void *, Block>> blocks;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CALL_GENERATEDCALL_H
