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
  allocation.bytes = bytes;
  allocation.storage.reset(new char[bytes + kAlignment]);
  allocation.writers.resize(bytes);
  auto raw = reinterpret_cast<uint64_t>(allocation.storage.get());
  uint64_t address = (raw + kAlignment - 1) / kAlignment * kAlignment;
  std::fill_n(reinterpret_cast<char *>(address), bytes, '\xcd');
  allocations[address] = std::move(allocation);
  liveBytes += bytes;
  return address;
}

bool Memory::deallocate(uint64_t address) {
  auto found = allocations.find(address);
  if (found == allocations.end())
    return false;
  liveBytes -= found->second.bytes;
  allocations.erase(found);
  return true;
}

std::map<uint64_t, Memory::Allocation>::iterator
Memory::findAllocation(uint64_t address, size_t bytes) {
  auto found = allocations.upper_bound(address);
  if (found == allocations.begin())
    return allocations.end();
  --found;
  if (address - found->first > found->second.bytes ||
      bytes > found->second.bytes - (address - found->first))
    return allocations.end();
  return found;
}

char *Memory::find(uint64_t address, size_t bytes) {
  return findAllocation(address, bytes) == allocations.end()
             ? nullptr
             : reinterpret_cast<char *>(address);
}

void Memory::setWriter(uint64_t address, size_t bytes, uint32_t launch) {
  auto found = findAllocation(address, bytes);
  if (found != allocations.end())
    std::fill_n(found->second.writers.begin() +
                    static_cast<ptrdiff_t>(address - found->first),
                bytes, launch);
}

std::pair<uint32_t, uint32_t> Memory::getWriters(uint64_t address,
                                                 size_t bytes) {
  auto found = findAllocation(address, bytes);
  if (found == allocations.end() || bytes == 0)
    return {0, 0};
  auto begin = found->second.writers.begin() +
               static_cast<ptrdiff_t>(address - found->first);
  auto [least, most] =
      std::minmax_element(begin, begin + static_cast<ptrdiff_t>(bytes));
  return {*least, *most};
}
