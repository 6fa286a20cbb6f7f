//===- ObjectCache.cpp - Compiled kernels on disk -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ObjectCache.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace embedding::runtime;

namespace {

/// What a file starts with. The key follows, then the object.
struct Header {
  char magic[8];
  uint64_t keyBytes;
  uint64_t objectBytes;
  /// Of key and object.
  uint64_t checksum;
};
constexpr char kMagic[8] = {'E', 'M', 'B', 'O', 'B', 'J', '0', '1'};
constexpr char kSuffix[] = ".embobj";
constexpr char kTemporaryPrefix[] = "tmp-";
/// A temporary file older than this was left by a process that died.
constexpr time_t kTemporarySeconds = 3600;

struct FileDescriptor {
  explicit FileDescriptor(int fd) : fd(fd) {}
  FileDescriptor(const FileDescriptor &) = delete;
  FileDescriptor &operator=(const FileDescriptor &) = delete;
  ~FileDescriptor() {
    if (fd >= 0)
      close(fd);
  }
  int fd;
};

} // namespace

/// FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv: against accidents, not
/// against attackers, whom the file's owner and mode keep out.
static uint64_t hash(std::string_view bytes,
                     uint64_t state = 0xcbf29ce484222325) {
  for (unsigned char byte : bytes)
    state = (state ^ byte) * 0x100000001b3;
  return state;
}

static std::string getFileName(const std::string &key) {
  char name[17];
  std::snprintf(name, sizeof(name), "%016llx",
                static_cast<unsigned long long>(hash(key)));
  return std::string(name) + kSuffix;
}

/// Whether nobody but us and root could have written to what `info` describes.
static bool isTrusted(const struct stat &info) {
  return (info.st_uid == geteuid() || info.st_uid == 0) &&
         (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/// Whether nobody else can put another directory in the place of `directory`,
/// which is an absolute path without links: every parent is trusted, or at
/// least lets no one rename what is not theirs.
static Status checkParents(const std::string &directory) {
  for (size_t end = directory.rfind('/'); end != std::string::npos && end > 0;
       end = directory.rfind('/', end - 1)) {
    std::string parent = directory.substr(0, end);
    struct stat info;
    if (stat(parent.c_str(), &info) != 0 ||
        !(isTrusted(info) || (info.st_mode & S_ISVTX)))
      return Failure{EMBEDDING_UNTRUSTED, "cache directory " + directory +
                                              ": another user could "
                                              "replace it, since " +
                                              parent +
                                              " is writable by others"};
  }
  return success();
}

static bool createDirectories(const std::string &path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST)
    return true;
  size_t slash = path.rfind('/');
  return errno == ENOENT && slash != std::string::npos && slash > 0 &&
         createDirectories(path.substr(0, slash)) &&
         (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST);
}

Result<ObjectCache> ObjectCache::open(const std::string &directory,
                                      uint64_t maxBytes) {
  std::string prefix = "cache directory " + directory + ": ";
  if (!createDirectories(directory))
    return invalidArgument(prefix + std::strerror(errno));
  std::unique_ptr<char, void (*)(void *)> resolved(
      realpath(directory.c_str(), nullptr), std::free);
  if (!resolved)
    return invalidArgument(prefix + std::strerror(errno));
  int fd =
      ::open(resolved.get(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return invalidArgument(prefix + std::strerror(errno));
  ObjectCache cache(resolved.get(), fd, maxBytes);
  struct stat info;
  if (fstat(fd, &info) != 0 || !isTrusted(info))
    return Failure{EMBEDDING_UNTRUSTED,
                   prefix + "another user could have written to it; expected "
                            "it to be yours and not writable by others"};
  if (Status parents = checkParents(cache.directory); !parents)
    return parents.failure();
  return Result<ObjectCache>(std::move(cache));
}

ObjectCache::ObjectCache(ObjectCache &&other) noexcept
    : directory(std::move(other.directory)), fd(std::exchange(other.fd, -1)),
      maxBytes(other.maxBytes) {}

ObjectCache::~ObjectCache() {
  if (fd >= 0)
    close(fd);
}

static bool readAll(int fd, char *bytes, size_t size) {
  while (size > 0) {
    ssize_t count = read(fd, bytes, size);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return false;
    bytes += count;
    size -= static_cast<size_t>(count);
  }
  return true;
}

static bool writeAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

std::optional<std::string> ObjectCache::find(const std::string &key,
                                             bool &isRejected) {
  isRejected = false;
  FileDescriptor file(
      openat(fd, getFileName(key).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.fd < 0) {
    isRejected = errno != ENOENT;
    return std::nullopt;
  }
  isRejected = true;
  struct stat info;
  Header header;
  if (fstat(file.fd, &info) != 0 || !S_ISREG(info.st_mode) ||
      !isTrusted(info) ||
      !readAll(file.fd, reinterpret_cast<char *>(&header), sizeof(header)) ||
      std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0)
    return std::nullopt;
  uint64_t rest = static_cast<uint64_t>(info.st_size) - sizeof(header);
  if (header.keyBytes > rest || header.objectBytes != rest - header.keyBytes)
    return std::nullopt;
  std::string storedKey(header.keyBytes, '\0');
  std::string object(header.objectBytes, '\0');
  if (!readAll(file.fd, storedKey.data(), storedKey.size()) ||
      !readAll(file.fd, object.data(), object.size()) ||
      hash(object, hash(storedKey)) != header.checksum)
    return std::nullopt;
  isRejected = false;
  if (storedKey != key)
    return std::nullopt; // Another key of the same hash: it will be replaced.
  futimens(file.fd, nullptr);
  return object;
}

void ObjectCache::insert(const std::string &key, std::string_view object) {
  Header header;
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.keyBytes = key.size();
  header.objectBytes = object.size();
  header.checksum = hash(object, hash(key));

  // Written under a name of its own, then renamed: readers see all or nothing.
  static std::atomic<unsigned> counter{0};
  std::string temporary = kTemporaryPrefix + std::to_string(getpid()) + "-" +
                          std::to_string(counter++);
  {
    FileDescriptor file(openat(fd, temporary.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.fd < 0)
      return;
    if (!writeAll(file.fd,
                  {reinterpret_cast<char *>(&header), sizeof(header)}) ||
        !writeAll(file.fd, key) || !writeAll(file.fd, object)) {
      unlinkat(fd, temporary.c_str(), 0);
      return;
    }
  }
  if (renameat(fd, temporary.c_str(), fd, getFileName(key).c_str()) != 0)
    unlinkat(fd, temporary.c_str(), 0);
  evict();
}

void ObjectCache::evict() {
  // A second process that evicts at the same time would remove too much.
  FileDescriptor lock(
      openat(fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (lock.fd < 0 || flock(lock.fd, LOCK_EX | LOCK_NB) != 0)
    return;

  struct File {
    std::string name;
    uint64_t bytes;
    timespec used;
  };
  std::vector<File> files;
  uint64_t total = 0;
  int listed = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listed < 0)
    return;
  std::unique_ptr<DIR, int (*)(DIR *)> entries(fdopendir(listed), closedir);
  if (!entries) {
    close(listed);
    return;
  }
  while (dirent *entry = readdir(entries.get())) {
    std::string name = entry->d_name;
    struct stat info;
    if (fstatat(fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(info.st_mode))
      continue;
    if (name.rfind(kTemporaryPrefix, 0) == 0) {
      if (time(nullptr) - info.st_mtime > kTemporarySeconds)
        unlinkat(fd, name.c_str(), 0);
      continue;
    }
    if (name.size() <= sizeof(kSuffix) - 1 ||
        name.compare(name.size() - (sizeof(kSuffix) - 1), std::string::npos,
                     kSuffix) != 0)
      continue;
    files.push_back({name, static_cast<uint64_t>(info.st_size), info.st_mtim});
    total += static_cast<uint64_t>(info.st_size);
  }
  std::sort(files.begin(), files.end(), [](const File &a, const File &b) {
    return a.used.tv_sec != b.used.tv_sec ? a.used.tv_sec < b.used.tv_sec
                                          : a.used.tv_nsec < b.used.tv_nsec;
  });
  for (const File &file : files) {
    if (total <= maxBytes)
      break;
    if (unlinkat(fd, file.name.c_str(), 0) == 0)
      total -= file.bytes;
  }
}

std::string embedding::runtime::getDefaultCacheDirectory() {
  const char *base = std::getenv("XDG_CACHE_HOME");
  if (base && base[0] == '/')
    return std::string(base) + "/embedding-mlir";
  base = std::getenv("HOME");
  if (base && base[0] == '/')
    return std::string(base) + "/.cache/embedding-mlir";
  return "";
}
