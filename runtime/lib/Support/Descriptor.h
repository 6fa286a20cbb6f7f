//===- Descriptor.h - Open files --------------------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_SUPPORT_DESCRIPTOR_H
#define EMBEDDING_RUNTIME_LIB_SUPPORT_DESCRIPTOR_H

#include <string>
#include <unistd.h>
#include <utility>

namespace embedding::runtime {

/// An open file, or none; closed when destroyed.
class Descriptor {
public:
  explicit Descriptor(int fd = -1) : fd(fd) {}
  Descriptor(Descriptor &&other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~Descriptor() { reset(); }

  void reset() {
    if (fd >= 0)
      close(fd);
    fd = -1;
  }
  /// Leaves it open: it is no file of ours any more.
  int release() { return std::exchange(fd, -1); }
  int get() const { return fd; }
  bool isOpen() const { return fd >= 0; }
  /// A name for it within this process.
  std::string getPath() const { return "/proc/self/fd/" + std::to_string(fd); }

private:
  int fd;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_SUPPORT_DESCRIPTOR_H
