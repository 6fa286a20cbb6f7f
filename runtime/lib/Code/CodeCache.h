//===- CodeCache.h - Code that is found or made -----------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CODE_CODECACHE_H
#define EMBEDDING_RUNTIME_LIB_CODE_CODECACHE_H

#include "Code/ModuleCode.h"
#include "Code/ObjectCache.h"
#include "Code/SharedObject.h"

#include <atomic>
#include <functional>
#include <future>
#include <mutex>
#include <unordered_map>

namespace embedding::runtime {

/// Code that is loaded, of a kernel or of a module.
struct Code {
  /// Each in the object.
  std::vector<ModuleCode::Function> functions;
  SharedObject object;
};

/// The code of an engine by what describes it. May be used by several threads
/// at once: those that want the same wait for the first of them, and nobody
/// waits for another's.
class CodeCache {
public:
  using Pointer = std::shared_ptr<const Code>;
  using Made = Result<Pointer>;

  /// `machine` is what all code depends on, and `host` what it calls.
  CodeCache(std::string machine, const HostFunctions &host)
      : machine(std::move(machine)), host(host) {}

  /// Keeps code on disk from now on.
  void setFiles(ObjectCache cache) { files.emplace(std::move(cache)); }
  /// Empty if there is none on disk.
  const char *getDirectory() const {
    return files ? files->getDirectory().c_str() : "";
  }

  /// What `description` describes: from memory, as long as somebody has it;
  /// from disk, if that loads; else of what `compile` makes, as ModuleCode
  /// writes it.
  Made get(const std::string &description,
           const std::function<Result<std::string>()> &compile);

  std::atomic<int64_t> numCompiled{0}, numLoaded{0}, numRejected{0};

private:
  /// What one thread makes, and others may wait for.
  struct Entry {
    std::shared_future<Made> inMaking;
    std::weak_ptr<const Code> code;
  };

  Made make(const std::string &description,
            const std::function<Result<std::string>()> &compile);
  Made load(std::string_view bytes, const std::string &file) const;

  const std::string machine;
  const HostFunctions &host;
  std::optional<ObjectCache> files;
  /// By description.
  std::unordered_map<std::string, Entry> entries;
  /// Locked within a NoForkScope, and never while something is compiled.
  std::mutex mutex;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CODE_CODECACHE_H
