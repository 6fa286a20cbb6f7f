//===- ObjectCache.h - Compiled kernels on disk -----------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CODE_OBJECTCACHE_H
#define EMBEDDING_RUNTIME_LIB_CODE_OBJECTCACHE_H

#include "Support/Result.h"

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace embedding::runtime {

/// A directory of objects by key. Several processes may use one directory:
/// files appear whole or not at all, and a reader that has opened one keeps it.
/// Not being able to write is never an error, since the cache only saves time.
///
/// What is loaded runs with the user's rights, so neither the directory nor a
/// file that another user could have written is used.
class ObjectCache {
public:
  /// Opens `directory`, creating it (mode 0700) and its parents if needed, but
  /// only where the result is to be trusted.
  static Result<ObjectCache> open(const std::string &directory,
                                  uint64_t maxBytes);

  ObjectCache(ObjectCache &&other) noexcept;
  ObjectCache &operator=(ObjectCache &&) = delete;
  ~ObjectCache();

  /// The object stored under `key`, in memory aligned for any type. Sets
  /// `isRejected` if there is a file that is damaged or not to be trusted.
  std::optional<std::string> find(const std::string &key, bool &isRejected);

  /// Stores `object` under `key` and removes the objects used longest ago while
  /// the directory holds more than its bound. Whether it is stored.
  bool insert(const std::string &key, std::string_view object);

  /// The file of `key`, which begins with an object that was found or stored.
  std::string getPath(const std::string &key) const;

  const std::string &getDirectory() const { return directory; }

private:
  ObjectCache(std::string directory, int fd, uint64_t maxBytes)
      : directory(std::move(directory)), fd(fd), maxBytes(maxBytes) {}

  /// Whether a file of this size may be in the directory at all.
  bool isStorable(uint64_t fileBytes) const;
  bool write(const std::string &name,
             std::initializer_list<std::string_view> pieces);
  void evict();

  std::string directory;
  int fd;
  uint64_t maxBytes;
};

/// The directory that is used if nobody names one; empty if the environment
/// gives no place for it.
std::string getDefaultCacheDirectory();

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CODE_OBJECTCACHE_H
