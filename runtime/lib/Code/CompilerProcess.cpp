//===- CompilerProcess.cpp - Compile in a process of its own --------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/CompilerProcess.h"

#include "Support/ChildEnd.h"
#include "Support/WriteFile.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <dlfcn.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace embedding::runtime;

namespace {

/// A file without a name.
class MemoryFile {
public:
  MemoryFile() : file(memfd_create("embedding", MFD_CLOEXEC)) {}
  MemoryFile(const MemoryFile &) = delete;
  MemoryFile &operator=(const MemoryFile &) = delete;
  ~MemoryFile() {
    if (file >= 0)
      close(file);
  }

  int get() const { return file; }
  bool isOpen() const { return file >= 0; }

  bool write(std::string_view bytes) {
    return writeAll(file, bytes) && lseek(file, 0, SEEK_SET) == 0;
  }

  /// Its bytes, at most `limit` of them from the end.
  std::string read(size_t limit = SIZE_MAX) const {
    struct stat status;
    if (fstat(file, &status) != 0)
      return "";
    size_t size = status.st_size;
    std::string bytes(std::min(size, limit), '\0');
    size_t filled = 0;
    while (filled < bytes.size()) {
      ssize_t count = pread(file, bytes.data() + filled, bytes.size() - filled,
                            size - bytes.size() + filled);
      if (count < 0 && errno == EINTR)
        continue;
      if (count <= 0)
        return "";
      filled += count;
    }
    return bytes;
  }

private:
  int file;
};

/// What a child is started with.
struct SpawnSettings {
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  SpawnSettings(const SpawnSettings &) = delete;
  SpawnSettings &operator=(const SpawnSettings &) = delete;
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }

  /// The child has `files` as its files 0, 1, ..., none of the caller's, and
  /// none of its treatment of signals.
  int set(std::initializer_list<int> files) {
    int number = 0, error = 0;
    for (int file : files)
      error |= posix_spawn_file_actions_adddup2(&actions, file, number++);
    error |= posix_spawn_file_actions_addclosefrom_np(&actions, number);
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    error |= posix_spawnattr_setsigdefault(&attributes, &all);
    error |= posix_spawnattr_setsigmask(&attributes, &none);
    error |= posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF |
                                                       POSIX_SPAWN_SETSIGMASK);
    return error;
  }

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

} // namespace

static Failure compilerError(const std::string &message) {
  return {EMBEDDING_COMPILER_ERROR, "compiler: " + message};
}

/// The dynamic loader of this process, which runs a library as a program.
static std::string getLoader() {
  Dl_info info;
  void *base = reinterpret_cast<void *>(getauxval(AT_BASE));
  if (base && dladdr(base, &info) && info.dli_fname && info.dli_fname[0] == '/')
    return info.dli_fname;
  return "/lib64/ld-linux-x86-64.so.2";
}

/// Why a child gave no answer: how it ended, and the last line that it printed.
static Failure describeSilence(const MemoryFile &printed, bool isKnown,
                               int end) {
  std::string text = printed.read(/*limit=*/4096);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
    text.pop_back();
  text.erase(0, text.rfind('\n') + 1);
  return compilerError("it " + describeEnd(isKnown, end) +
                       " without an answer" +
                       (text.empty() ? "" : ": " + text));
}

Result<std::string> embedding::runtime::compileInProcess(
    const std::string &library, const char *fingerprint, std::string_view ir,
    const ModuleTarget &target) {
  if (!isWithinFileLimit(ir.size()))
    return compilerError("expected the limit of the size of files to be at "
                         "least that of the module, " +
                         std::to_string(ir.size()) + " bytes");
  MemoryFile input, answer, printed;
  if (!input.isOpen() || !answer.isOpen() || !printed.isOpen() ||
      !input.write(ir))
    return compilerError("cannot make a file in memory: " +
                         std::string(std::strerror(errno)));
  SpawnSettings settings;
  if (int error = settings.set({input.get(), answer.get(), printed.get()}))
    return compilerError("cannot start: " + std::string(std::strerror(error)));

  // A field that is not passed on does not compile.
  auto [cpu, chip, isNaive, atomicGradients, assumesSizes, numThreads,
        rowLengths] = target;
  std::string loader = getLoader();
  std::string texts[] = {loader,
                         library,
                         fingerprint,
                         cpu ? cpu : "",
                         std::to_string(chip),
                         std::to_string(isNaive),
                         std::to_string(atomicGradients),
                         std::to_string(assumesSizes),
                         std::to_string(numThreads),
                         rowLengths};
  std::vector<char *> arguments;
  for (std::string &text : texts)
    arguments.push_back(text.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  if (int error = posix_spawn(&child, loader.c_str(), &settings.actions,
                              &settings.attributes, arguments.data(), environ))
    return compilerError("cannot start " + loader + ": " +
                         std::strerror(error));
  int end = 0;
  bool isKnown = waitForEnd(child, end);

  std::string bytes = answer.read();
  CompilerAnswer header = {};
  if (bytes.size() >= sizeof(header))
    std::memcpy(&header, bytes.data(), sizeof(header));
  std::string_view body =
      std::string_view(bytes).substr(std::min(bytes.size(), sizeof(header)));
  bool isWhole = body.size() == header.size;
  if (isWhole && header.kind == CompilerAnswer::kCode)
    return std::string(body);
  if (isWhole && header.kind == CompilerAnswer::kError)
    return Failure{EMBEDDING_COMPILER_ERROR, std::string(body)};
  return describeSilence(printed, isKnown, end);
}
