//===- OutputFiles.cpp - Files that a tool writes -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OutputFiles.h"

#include "Errors.h"
#include "Tool.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace embedding::tools;
using llvm::Error;
using llvm::StringRef;
namespace path = llvm::sys::path;

static Error createErrnoError(StringRef path) {
  return createError("{0}: {1}", path, std::strerror(errno));
}

/// What the link `name` leads to, or nothing if it is no link. Sets `isStream`
/// if that is an open file, as of /dev/stdout, and no name of one.
static std::string readLink(const std::string &name, bool &isStream) {
  char buffer[PATH_MAX];
  ssize_t size = readlink(name.c_str(), buffer, sizeof(buffer));
  if (size < 0)
    return "";
  StringRef target(buffer, size);
  llvm::SmallString<256> parent = path::parent_path(name), resolved;
  if (parent.empty())
    parent = ".";
  isStream = !llvm::sys::fs::real_path(parent, resolved) &&
             StringRef(resolved).starts_with("/proc/");
  if (path::is_absolute(target))
    return target.str();
  path::append(parent, target);
  return parent.str().str();
}

/// The name of the file that an open of `name` creates or finds, with no link
/// in it; nothing if there is no such name.
static std::string resolve(std::string name) {
  constexpr int kMaxLinks = 40;
  for (int links = 0; links < kMaxLinks; ++links) {
    bool isStream = false;
    std::string target = readLink(name, isStream);
    if (isStream)
      return "";
    if (target.empty()) {
      StringRef parent = path::parent_path(name);
      llvm::SmallString<256> resolved;
      if (llvm::sys::fs::real_path(parent.empty() ? "." : parent, resolved))
        return name;
      path::append(resolved, path::filename(name));
      return resolved.str().str();
    }
    name = target;
  }
  return name;
}

OutputFiles::OutputFiles() { std::signal(SIGXFSZ, SIG_IGN); }

OutputFiles::~OutputFiles() { clear(); }

void OutputFiles::clear() {
  for (const Output &output : outputs)
    remove(output);
  outputs.clear();
}

void OutputFiles::remove(const Output &output) {
  if (output.fd >= 0)
    close(output.fd);
  if (output.temporary.empty())
    return;
  unlink(output.temporary.c_str());
  llvm::sys::DontRemoveFileOnSignal(output.temporary);
}

Error OutputFiles::add(StringRef path, StringRef input) {
  Output &output = outputs.emplace_back();
  output.path = path.str();
  Error error = place(output, input);
  if (error)
    remove(outputs.pop_back_val());
  return error;
}

Error OutputFiles::place(Output &output, StringRef input) {
  const std::string &path = output.path;
  if (path == "-")
    return Error::success();
  if (path.empty())
    return createError("expected the name of a file, but got ''");
  struct stat info;
  bool exists = stat(path.c_str(), &info) == 0;
  if (!exists && errno != ENOENT)
    return createErrnoError(path);
  if (exists) {
    if (S_ISDIR(info.st_mode))
      errno = EISDIR;
    if (S_ISDIR(info.st_mode) ||
        faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0)
      return createErrnoError(path);
    bool isInput = false;
    if (!input.empty() && !llvm::sys::fs::equivalent(path, input, isInput) &&
        isInput)
      return createError("{0}: expected another file than the input", path);
    if (!S_ISREG(info.st_mode))
      return Error::success();
  }
  output.target = resolve(path);
  if (output.target.empty())
    return Error::success();
  for (const Output &other : llvm::ArrayRef(outputs).drop_back())
    if (other.target == output.target)
      return createError("{0}: expected another file than that of output {1}",
                         path, &other - outputs.data());
  return addFile(output, exists ? &info : nullptr);
}

Error OutputFiles::addFile(Output &output, const struct stat *earlier) {
  // Not llvm::sys::fs::TempFile: it takes each '%' in the path for its own.
  std::string name =
      (path::parent_path(output.target) + "/.embedding-XXXXXX").str();
  output.fd = mkostemp(name.data(), O_CLOEXEC);
  if (output.fd < 0)
    return createErrnoError(output.path);
  output.temporary = name;
  std::string message;
  if (llvm::sys::RemoveFileOnSignal(name, &message))
    return createError("{0}: {1}", output.path, message);
  mode_t mode = 0666 & ~llvm::sys::fs::getUmask();
  if (earlier) {
    mode = earlier->st_mode & 0777;
    // Its owner and group, as far as this user may give files away.
    if (fchown(output.fd, earlier->st_uid, earlier->st_gid) != 0 &&
        fchown(output.fd, -1, earlier->st_gid) != 0)
      errno = 0;
  }
  if (fchmod(output.fd, mode) != 0)
    return createErrnoError(output.path);
  return Error::success();
}

/// Writes an output to `fd`, and onto the disk if it is a file there.
static Error writeTo(int fd, StringRef path,
                     llvm::function_ref<Error(llvm::raw_ostream &)> write) {
  llvm::raw_fd_ostream os(fd, /*shouldClose=*/false);
  Error failed = write(os);
  os.flush();
  std::error_code error = os.error();
  os.clear_error();
  if (failed)
    return failed;
  if (error)
    return createError("{0}: {1}", path, error.message());
  // What cannot be synced, such as a FIFO, says so.
  if (fsync(fd) != 0 && errno != EINVAL && errno != ENOSYS && errno != EROFS)
    return createErrnoError(path);
  return Error::success();
}

/// Writes an output that is no file of its own. Standard output may be a file
/// that has something in it.
static Error
writeInPlace(const std::string &path,
             llvm::function_ref<Error(llvm::raw_ostream &)> write) {
  if (path == "-") {
    if (Error failed = write(llvm::outs()))
      return failed;
    return flushStandardOutput();
  }
  int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0)
    return createErrnoError(path);
  Error failed = writeTo(fd, path, write);
  close(fd);
  return failed;
}

Error OutputFiles::replace(Output &output) {
  const char *from = output.temporary.c_str(), *to = output.target.c_str();
  struct stat info;
  bool isFileThere = lstat(to, &info) == 0 && S_ISREG(info.st_mode);
  if (isFileThere &&
      renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0) {
    output.state = State::exchanged;
    return Error::success();
  }
  if (rename(from, to) != 0)
    return createErrnoError(output.path);
  output.state = isFileThere ? State::overwritten : State::created;
  return Error::success();
}

void OutputFiles::restore(Output &output) {
  const char *from = output.temporary.c_str(), *to = output.target.c_str();
  if (output.state == State::exchanged)
    renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
  else if (output.state == State::created)
    unlink(to);
}

/// So that the names in it survive a power failure, where that can be had.
static void syncDirectory(StringRef directory) {
  int fd = open(directory.str().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return;
  fsync(fd);
  close(fd);
}

Error OutputFiles::commit(
    llvm::function_ref<Error(size_t, llvm::raw_ostream &)> write) {
  for (bool isFile : {true, false})
    for (size_t number = 0; number < outputs.size(); ++number) {
      Output &output = outputs[number];
      if (isFile == output.target.empty())
        continue;
      auto writeOutput = [&](llvm::raw_ostream &os) {
        return write(number, os);
      };
      if (Error failed = isFile ? writeTo(output.fd, output.path, writeOutput)
                                : writeInPlace(output.path, writeOutput))
        return failed;
    }

  for (Output &output : outputs) {
    if (output.target.empty())
      continue;
    if (Error failed = replace(output)) {
      for (Output &other : outputs)
        restore(other);
      return failed;
    }
  }
  for (const Output &output : outputs)
    if (!output.target.empty())
      syncDirectory(path::parent_path(output.target));
  clear();
  return Error::success();
}
