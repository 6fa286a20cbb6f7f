//===- Programs.h - Functions on the CPU and on an interpreted GPU *- C++ -*-=//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Takes IR through embedding-to-nvvm-pipeline and through
// embedding-to-cpu-pipeline. Of the first, host code runs here and kernels in
// the interpreter.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TEST_PTXINTERPRETER_PROGRAMS_H
#define EMBEDDING_TEST_PTXINTERPRETER_PROGRAMS_H

#include "Interpreter.h"

#include "Code/SharedObject.h"

#include "mlir/IR/DialectRegistry.h"

#include <cstring>
#include <limits>

namespace embedding {

/// What is known about indices out of range after a call.
struct Report {
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  int64_t position = kNone, index = 0, count = 0;

  bool operator==(const Report &other) const {
    return position == other.position && index == other.index &&
           count == other.count;
  }
};

/// What host code calls while a test runs.
struct Device {
  ptx::Memory memory;
  ptx::Order order = ptx::Order::forward;
  /// Four i64 in device memory.
  uint64_t report = 0;
  std::string error;
  uint32_t launchCount = ptx::Bytes::kHost;

  uint64_t upload(const void *data, size_t bytes) {
    uint64_t address = memory.allocate(bytes);
    ptx::Bytes to = memory.find(address, bytes);
    if (bytes > 0)
      std::memcpy(to.data, data, bytes);
    std::fill_n(to.writers, bytes, ptx::Bytes::kHost);
    return address;
  }
};

/// An argument: a memref.
struct Array {
  std::vector<char> bytes;
  int64_t elementBytes;
  std::vector<int64_t> sizes;
  /// In elements; of a dense memref if empty.
  std::vector<int64_t> strides = {};
  int64_t offset = 0;

  template <typename T>
  static Array of(const std::vector<T> &values, std::vector<int64_t> sizes) {
    Array array{std::vector<char>(values.size() * sizeof(T)), sizeof(T),
                std::move(sizes)};
    if (!values.empty())
      std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
    return array;
  }
  template <typename T> T at(int64_t i) const {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    return value;
  }
  /// The descriptor of a memref at `address`.
  std::vector<uint64_t> describe(const void *address) const;
};

struct GPUOptions {
  std::string chip = "sm_90";
  int64_t rowAlignment = 0;
};

/// Functions named `f` of memrefs, compiled once each. Not for several threads.
class Programs {
public:
  Programs();

  /// Call the function `f` of `source` with `arguments` and change these as it
  /// does. Return an error, or nothing.
  std::string callOnGPU(const std::string &source, const GPUOptions &options,
                        ptx::Order order, std::vector<Array> &arguments,
                        Report &report);
  std::string callOnCPU(const std::string &source,
                        std::vector<Array> &arguments, Report &report);

private:
  /// The object of `source`; null with an error.
  void *find(const std::string &source, const GPUOptions *options,
             std::string &error);

  mlir::DialectRegistry registry;
  std::map<std::string, runtime::SharedObject> objects;
};

} // namespace embedding

#endif // EMBEDDING_TEST_PTXINTERPRETER_PROGRAMS_H
