//===- Memory.cpp - The memory of an interpreted device -------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"

#include <algorithm>

using namespace embedding::ptx;

static constexpr uint64_t kAlignment = 256;

uint64_t Memory::allocate(size_t bytes) {
  Allocation allocation;
  allocation.storage.reset(new char[bytes + kAlignment]);
  allocation.writers.resize(bytes);
  auto raw = reinterpret_cast<uint64_t>(allocation.storage.get());
  uint64_t address = (raw + kAlignment - 1) / kAlignment * kAlignment;
  std::fill_n(reinterpret_cast<char *>(address), bytes, '\xcd');
  allocations[address] = std::move(allocation);
  return address;
}

bool Memory::deallocate(uint64_t address) {
  return allocations.erase(address) == 1;
}

Bytes Memory::find(uint64_t address, size_t bytes) {
  auto found = allocations.upper_bound(address);
  if (found == allocations.begin())
    return {};
  --found;
  std::vector<uint32_t> &writers = found->second.writers;
  uint64_t offset = address - found->first;
  if (offset > writers.size() || bytes > writers.size() - offset)
    return {};
  return {reinterpret_cast<char *>(address), writers.data() + offset};
}
