//===- Interpreter.h - Runs kernels without a GPU ---------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs the PTX that ships, one thread at a time, and checks what a GPU would
// not: that every access is aligned and inside an allocation, that nothing is
// read before it is written, that what is read as read-only data is not written
// by the same kernel, and that threads which wait for each other wait at one
// place. The order in which threads run is a choice: results that depend on it
// lack a barrier or an atomic operation.
//
// What it does not show: what ptxas makes of the text, effects of weak memory,
// and speed.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TEST_PTXINTERPRETER_INTERPRETER_H
#define EMBEDDING_TEST_PTXINTERPRETER_INTERPRETER_H

#include "PTX.h"

#include <memory>

namespace embedding::ptx {

/// In which order the blocks of a grid run, and the threads of a block: each up
/// to where it waits for others or, if interleaved, up to its next access to
/// memory, each warp at a speed of its own, in turn with those of other blocks.
enum class Order { forward, reverse, permuted, interleaved };

inline constexpr Order kOrders[] = {Order::forward, Order::reverse,
                                    Order::permuted, Order::interleaved};

/// Bytes of an allocation, and for each the number of the launch that wrote it
/// last: 0 for none, `kHost` for the host.
struct Bytes {
  char *data = nullptr;
  uint32_t *writers = nullptr;

  static constexpr uint32_t kHost = 1;
};

/// The memory of a device: allocations, in the memory of this process.
class Memory {
public:
  /// At a multiple of 256 bytes, as cuMemAlloc has it. Unwritten.
  uint64_t allocate(size_t bytes);

  /// Returns false if nothing is allocated at `address`.
  bool deallocate(uint64_t address);
  size_t getAllocationCount() const { return allocations.size(); }

  /// `bytes` from `address` on; null if they are not in one allocation.
  Bytes find(uint64_t address, size_t bytes);

private:
  struct Allocation {
    std::unique_ptr<char[]> storage;
    std::vector<uint32_t> writers;
  };

  std::map<uint64_t, Allocation> allocations;
};

struct Launch {
  const Kernel *kernel;
  uint32_t gridX;
  uint32_t blockX;
  /// The address of each argument.
  void **arguments;
  Order order;
  /// The number of this launch, larger than those before.
  uint32_t number;
};

/// Throws std::runtime_error over anything a GPU would do wrong, or that is not
/// known here.
void run(const Launch &launch, Memory &memory);

/// Checks that all instructions of `kernel` are known, and decodes them.
void decode(Kernel &kernel);

} // namespace embedding::ptx

#endif // EMBEDDING_TEST_PTXINTERPRETER_INTERPRETER_H
