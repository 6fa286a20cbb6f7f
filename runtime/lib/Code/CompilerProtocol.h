//===- CompilerProtocol.h - Between the runtime and its compiler *- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The compiler is a process that serves requests: the compiler library, run as
// a program by the dynamic loader with a socket as its file 0. It begins by
// sending its fingerprint. Each message to it then brings the files of one
// request, which it has a child of its own compile. The socket closes when
// either side ends.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CODE_COMPILERPROTOCOL_H
#define EMBEDDING_RUNTIME_LIB_CODE_COMPILERPROTOCOL_H

#include "Support/Descriptor.h"

#include <array>
#include <cstdint>
#include <optional>

namespace embedding::runtime {

/// The files of a request. The first three are files in memory, since those
/// need no reader to be written, and files 0, 1 and 2 of the child.
enum RequestFile {
  /// What CompileRequest::write has made.
  kRequestFile,
  /// For a CompilerAnswer.
  kAnswerFile,
  /// For what LLVM prints.
  kPrintedFile,
  /// A pipe that closes when there is an answer, or when the server has ended.
  /// If the child ends without one, that is first: an int as waitpid has it.
  kStatusFile,
  kNumRequestFiles
};
using RequestFiles = std::array<Descriptor, kNumRequestFiles>;

/// Sends `files` in one message; false, with errno, if that fails.
bool sendFiles(int socket, const RequestFiles &files);
/// Waits for the next message; nothing if there will be none. Of files that
/// this process has no room for, the last are missing.
std::optional<RequestFiles> receiveFiles(int socket);

/// What an answer begins with; `size` bytes follow. A child that does not come
/// to its end has written none of it, or not all.
struct CompilerAnswer {
  enum Kind : uint64_t {
    /// Bytes of ModuleCode follow.
    kCode = 0x45646f436465624dULL,
    /// A message follows.
    kError = 0x45726f724564624dULL
  };

  Kind kind;
  uint64_t size;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CODE_COMPILERPROTOCOL_H
