//===- TorchStorage.h - Storages of PyTorch's in our memory -----*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// PyTorch gives large tensors back to the system when they die, and the next
// ones cost a fault for each page. Results that are large lie in the engine's
// buffers instead, which are used again.
//
// Where a storage lies, and how long it is, are three calls of Python for one
// lookup, as long as the rest of it; so both are read from the storage itself,
// where a few of PyTorch's have shown in which words they are.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_PYTHON_SRC_TORCHSTORAGE_H
#define EMBEDDING_PYTHON_SRC_TORCHSTORAGE_H

#include <nanobind/nanobind.h>

#include <cstdint>
#include <optional>

namespace embedding::python {

/// A torch.UntypedStorage of `size` bytes in a buffer of the engine, or null if
/// PyTorch's own memory is as good: what is small, the pool turned off, or a
/// PyTorch that is not built as those that are known.
nanobind::object makeTorchStorage(size_t size);

/// The memory of a tensor's storage; null of one that was never made.
struct TorchMemory {
  char *data;
  size_t size;
};

/// Where the storage of `tensor` lies, which ends no sharing of memory. Throws
/// what PyTorch raises if it has none.
TorchMemory getTorchMemory(nanobind::handle tensor);

/// Finds out how storages are built; at the import of `_torch.py`.
void initializeTorchMemory();

/// The bytes that the engine keeps for tensors to come: none if `maxIdleBytes`
/// is 0, when results are PyTorch's own, the engine's default if there is none.
void setMemoryPool(std::optional<uint64_t> maxIdleBytes);

} // namespace embedding::python

#endif // EMBEDDING_PYTHON_SRC_TORCHSTORAGE_H
