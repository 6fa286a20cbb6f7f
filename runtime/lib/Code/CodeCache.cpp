//===- CodeCache.cpp - Code that is found or made -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/CodeCache.h"

#include "Host/Fork.h"

using namespace embedding::runtime;

CodeCache::Made
CodeCache::get(const std::string &description,
               const std::function<Result<std::string>()> &compile) {
  NoForkScope noFork;
  std::promise<Made> promise;
  {
    std::unique_lock<std::mutex> lock(mutex);
    Entry &entry = entries[description];
    if (Pointer code = entry.code.lock())
      return code;
    if (entry.inMaking.valid()) {
      std::shared_future<Made> other = entry.inMaking;
      lock.unlock();
      return other.get();
    }
    entry.inMaking = promise.get_future();
  }
  Made made = [&]() -> Made {
    try {
      return make(description, compile);
    } catch (...) {
      return describeCurrentException();
    }
  }();
  {
    std::lock_guard<std::mutex> lock(mutex);
    Entry &entry = entries[description];
    entry.inMaking = {};
    if (made)
      entry.code = *made;
    // Descriptions of what nobody has any more, this one if it has failed.
    for (auto each = entries.begin(); each != entries.end();)
      each = each->second.inMaking.valid() || !each->second.code.expired()
                 ? std::next(each)
                 : entries.erase(each);
  }
  promise.set_value(made);
  return made;
}

CodeCache::Made
CodeCache::make(const std::string &description,
                const std::function<Result<std::string>()> &compile) {
  std::string key = machine + "\n" + description;
  std::string file = files ? files->getPath(key) : "";
  if (files) {
    bool isRejected = false;
    if (std::optional<std::string> stored = files->find(key, isRejected)) {
      Made loaded = load(*stored, file);
      if (loaded) {
        ++numLoaded;
        return loaded;
      }
      isRejected = true;
    }
    numRejected += isRejected;
  }
  Result<std::string> bytes = compile();
  if (!bytes)
    return std::move(bytes.failure());
  ++numCompiled;
  if (files && !files->insert(key, *bytes))
    file.clear();
  return load(*bytes, file);
}

CodeCache::Made CodeCache::load(std::string_view bytes,
                                const std::string &file) const {
  std::optional<ModuleCode> code = ModuleCode::read(bytes);
  if (!code)
    return Failure{EMBEDDING_INTERNAL, "object: damaged"};
  Result<SharedObject> object = SharedObject::load(code->object, host, file);
  if (!object)
    return object.failure();
  for (const ModuleCode::Function &function : code->functions)
    if (!object->find(function.entry))
      return Failure{EMBEDDING_INTERNAL,
                     "object: no function " + function.entry};
  return Pointer(std::make_shared<const Code>(
      Code{std::move(code->functions), std::move(*object)}));
}
