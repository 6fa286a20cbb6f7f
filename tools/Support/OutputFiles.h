//===- OutputFiles.h - Files that a tool writes -----------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TOOLS_SUPPORT_OUTPUTFILES_H
#define EMBEDDING_TOOLS_SUPPORT_OUTPUTFILES_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <sys/stat.h>

namespace embedding::tools {

/// The files that a tool writes: all of them, or none.
///
/// A file is written under another name beside its place, synced, and then
/// renamed, so that the earlier file of that name is whole until the new one
/// is, and stays what it was for who has it open, has mapped it, or has another
/// link to it. The new one has the mode of the earlier one. Where the name is a
/// symbolic link, what it leads to is replaced.
///
/// What is no file, such as a FIFO, a device, /dev/stdout, or "-" for standard
/// output, is written when all files are on disk, and before any is renamed.
class OutputFiles {
public:
  /// After LLVM has set up its signal handlers. From here on, a file that grows
  /// beyond the process's limit is an error of the write, not a signal.
  OutputFiles();
  OutputFiles(const OutputFiles &) = delete;
  OutputFiles &operator=(const OutputFiles &) = delete;
  ~OutputFiles();

  /// Adds an output if it can be written. Errors name `path`. It may not be the
  /// file `input`, if there is one, nor an output that has been added.
  llvm::Error add(llvm::StringRef path, llvm::StringRef input = "");

  /// Writes all outputs; `write` makes the content of each, by its number in
  /// the order that they were added in, files first.
  llvm::Error
  commit(llvm::function_ref<llvm::Error(size_t number, llvm::raw_ostream &os)>
             write);

private:
  /// What has been done to an output's place.
  enum class State { unchanged, created, exchanged, overwritten };

  struct Output {
    /// As it was given.
    std::string path;
    /// Its place, without links; empty if it is written in place.
    std::string target;
    /// The name beside that, of the new file and then, if the file system can
    /// exchange them, of the earlier one; and the new file.
    std::string temporary;
    int fd = -1;
    State state = State::unchanged;
  };

  llvm::Error place(Output &output, llvm::StringRef input);
  llvm::Error addFile(Output &output, const struct stat *earlier);
  static llvm::Error replace(Output &output);
  /// Undoes `replace`, if it was done and can be undone.
  static void restore(Output &output);
  /// Removes what is left beside the places, or the place.
  void clear();
  static void remove(const Output &output);

  llvm::SmallVector<Output, 2> outputs;
};

} // namespace embedding::tools

#endif // EMBEDDING_TOOLS_SUPPORT_OUTPUTFILES_H
