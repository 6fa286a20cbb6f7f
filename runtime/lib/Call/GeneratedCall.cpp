//===- GeneratedCall.cpp - Calls of generated code ------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Call/GeneratedCall.h"

#include <algorithm>
#include <cstring>
#include <vector>

using namespace embedding::runtime;

thread_local GeneratedCall::Entry *GeneratedCall::innermost = nullptr;

//===----------------------------------------------------------------------===//
// Failures
//===----------------------------------------------------------------------===//

void GeneratedCall::keepFirst(Failure failure) {
  std::lock_guard<std::mutex> lock(mutex);
  if (status)
    status = std::move(failure);
  hasStatus = true;
}

void GeneratedCall::fail(Failure failure) noexcept {
  keepFirst(std::move(failure));
  hasFailed = true;
}

Status GeneratedCall::getStatus() {
  if (!hasStatus)
    return success();
  std::lock_guard<std::mutex> lock(mutex);
  return status;
}

void GeneratedCall::leave() {
  // NOLINTNEXTLINE(bugprone-unsafe-functions)
  std::longjmp(innermost->exit, 1);
}

void GeneratedCall::reportOutOfRange(const char *what, int64_t position,
                                     int64_t index, int64_t count,
                                     int64_t numRows) {
  // Code goes on after a report, and does nothing with the indices.
  serve([&](GeneratedCall &call) {
    call.keepFirst(
        outOfRange(call.getSubject(what), numRows, position, index, count));
    return success();
  });
}

void GeneratedCall::reportMismatch(const char *what, int64_t expected,
                                   int64_t actual, int64_t offset,
                                   int64_t whole) {
  serve([&](GeneratedCall &) -> Status {
    std::string text = what + (" " + std::to_string(expected)) + ", but got " +
                       std::to_string(actual);
    if (whole >= 0)
      text += ", from offset " + std::to_string(offset) + " of " +
              std::to_string(whole);
    return invalidArgument(text);
  });
}

void GeneratedCall::reportAssertion(const char *message) {
  serve([&](GeneratedCall &) -> Status {
    return invalidArgument(std::string("assertion failed: ") + message);
  });
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

void GeneratedCall::parallelFor(int64_t size, EmbeddingRangeFunction function,
                                void *context) {
  // One block is the caller's own: nobody else has to enter the call.
  if (size <= 1) {
    if (size == 1)
      function(context, 0, 1);
    return;
  }
  serve([&](GeneratedCall &call) -> Status {
    // A body may fail or allocate, on whatever thread it runs.
    struct Range {
      GeneratedCall &call;
      EmbeddingRangeFunction function;
      void *context;
    } range{call, function, context};
    call.machine.parallelFor(
        size, /*grain=*/1,
        [](void *data, int64_t begin, int64_t end) {
          auto &range = *static_cast<Range *>(data);
          if (!range.call.hasFailed)
            range.call.enter(
                [&] { range.function(range.context, begin, end); });
        },
        &range);
    if (call.hasFailed)
      return call.getStatus();
    return success();
  });
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static std::string formatSizes(int64_t rank, const int64_t *sizes) {
  std::string text = "[";
  for (int64_t dim = 0; dim < rank; ++dim)
    text += (dim ? ", " : "") + std::to_string(sizes[dim]);
  return text + "]";
}

/// The bytes of so many elements, and of what aligns them.
static Result<size_t> getBytes(int64_t elementBytes, int64_t slack,
                               int64_t rank, const int64_t *sizes) {
  bool isEmpty = false;
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (sizes[dim] < 0)
      return invalidArgument(
          "expected sizes of memory to be at least 0, but got " +
          formatSizes(rank, sizes));
    isEmpty |= sizes[dim] == 0;
  }
  int64_t bytes = isEmpty ? 0 : elementBytes;
  bool overflows = false;
  for (int64_t dim = 0; dim < rank && !isEmpty; ++dim)
    overflows |= __builtin_mul_overflow(bytes, sizes[dim], &bytes);
  overflows |= __builtin_add_overflow(bytes, slack, &bytes);
  if (overflows)
    return Failure{EMBEDDING_OUT_OF_MEMORY,
                   "no memory for " + formatSizes(rank, sizes) +
                       " elements of " + std::to_string(elementBytes) +
                       " bytes"};
  return static_cast<size_t>(bytes);
}

Result<void *> GeneratedCall::allocateBlock(int64_t elementBytes,
                                            int64_t alignment, int64_t rank,
                                            const int64_t *sizes) {
  // Memory comes at a multiple of a cache line.
  int64_t slack = std::max<int64_t>(alignment - 64, 0);
  Result<size_t> bytes = getBytes(elementBytes, slack, rank, sizes);
  if (!bytes)
    return bytes.failure();
  Block block{nullptr, std::max<size_t>(*bytes, 1)};
  Result<void *> memory = machine.allocate(block.size, onDevice);
  if (!memory)
    return memory;
  block.begin = *memory;
  auto address = reinterpret_cast<uintptr_t>(block.begin);
  if (slack != 0)
    address = (address + alignment - 1) / alignment * alignment;
  auto *aligned = reinterpret_cast<void *>(address);
  add(aligned, block);
  return aligned;
}

void GeneratedCall::add(void *memory, Block block) {
  try {
    std::lock_guard<std::mutex> lock(mutex);
    if (!blocks)
      blocks.emplace();
    blocks->emplace(memory, block);
  } catch (...) {
    deallocateBlock(block);
    throw;
  }
}

void GeneratedCall::deallocateBlock(Block block) {
  if (block.begin)
    machine.deallocate(block.begin, block.size, onDevice);
}

void *GeneratedCall::allocate(int64_t elementBytes, int64_t alignment,
                              int64_t rank, const int64_t *sizes) {
  void *memory = nullptr;
  serve([&](GeneratedCall &call) -> Status {
    Result<void *> allocated =
        call.allocateBlock(elementBytes, alignment, rank, sizes);
    if (!allocated)
      return std::move(allocated.failure());
    memory = *allocated;
    return success();
  });
  return memory;
}

void *GeneratedCall::allocateResult(int64_t number, int64_t elementBytes,
                                    int64_t alignment, int64_t rank,
                                    const int64_t *sizes) {
  void *memory = nullptr;
  serve([&](GeneratedCall &call) -> Status {
    Result<size_t> bytes = getBytes(elementBytes, /*slack=*/0, rank, sizes);
    if (!bytes)
      return bytes.failure();
    if (*bytes > 0) {
      Result<void *> placed = call.placeResult(number, alignment, sizes);
      if (!placed)
        return std::move(placed.failure());
      memory = *placed;
    }
    if (memory)
      call.add(memory, {nullptr, 0});
    return success();
  });
  return memory ? memory : allocate(elementBytes, alignment, rank, sizes);
}

void GeneratedCall::deallocate(void *memory) {
  if (!memory)
    return;
  serve([&](GeneratedCall &call) -> Status {
    Block block;
    {
      std::lock_guard<std::mutex> lock(call.mutex);
      if (!call.blocks || call.blocks->count(memory) == 0)
        return invalidArgument(
            "expected memory that is deallocated to be the function's own");
      auto found = call.blocks->find(memory);
      block = found->second;
      call.blocks->erase(found);
    }
    call.deallocateBlock(block);
    return success();
  });
}

void GeneratedCall::deallocateAll() {
  for (auto &[memory, block] : *blocks)
    deallocateBlock(block);
  blocks.reset();
}

static void copyElements(int64_t elementBytes, const UnrankedMemRef &from,
                         const UnrankedMemRef &to) {
  int64_t rank = from.rank;
  auto base = [&](const int64_t *memref) {
    return reinterpret_cast<char *>(memref[1]) + memref[2] * elementBytes;
  };
  const int64_t *sizes = from.memref + 3;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (sizes[dim] == 0)
      return;
  // A dimension that is not stepped over may have any stride.
  auto getSteps = [&](const UnrankedMemRef &of) {
    std::vector<int64_t> steps(rank, 0);
    for (int64_t dim = 0; dim < rank; ++dim)
      if (sizes[dim] > 1)
        steps[dim] = of.memref[3 + rank + dim] * elementBytes;
    return steps;
  };
  std::vector<int64_t> fromSteps = getSteps(from), toSteps = getSteps(to);
  const char *source = base(from.memref);
  char *destination = base(to.memref);
  std::vector<int64_t> index(rank, 0);
  while (true) {
    std::memcpy(destination, source, elementBytes);
    int64_t dim = rank - 1;
    for (; dim >= 0; --dim) {
      source += fromSteps[dim];
      destination += toSteps[dim];
      if (++index[dim] < sizes[dim])
        break;
      source -= sizes[dim] * fromSteps[dim];
      destination -= sizes[dim] * toSteps[dim];
      index[dim] = 0;
    }
    if (dim < 0)
      return;
  }
}

void GeneratedCall::copyMemRef(int64_t elementBytes, const UnrankedMemRef *from,
                               const UnrankedMemRef *to) {
  serve([&](GeneratedCall &) {
    copyElements(elementBytes, *from, *to);
    return success();
  });
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

void GeneratedCall::takeResult(int64_t number, const int64_t *memref) {
  serve([&](GeneratedCall &call) { return call.take(number, memref); });
}

//===----------------------------------------------------------------------===//
// GPUs
//===----------------------------------------------------------------------===//

void GeneratedCall::launchKernel(const char *image, int64_t, const char *name,
                                 int64_t blocks, int64_t threads,
                                 int64_t *arguments, int64_t argumentCount) {
  serve([&](GeneratedCall &call) {
    return call.onDevice->launch(image, name, blocks, threads, arguments,
                                 argumentCount);
  });
}

void *GeneratedCall::getOutOfRangeReport() {
  void *address = nullptr;
  serve([&](GeneratedCall &call) -> Status {
    Result<CUdeviceptr> report = call.onDevice->getReport();
    if (!report)
      return report.failure();
    address = reinterpret_cast<void *>(*report);
    return success();
  });
  return address;
}
