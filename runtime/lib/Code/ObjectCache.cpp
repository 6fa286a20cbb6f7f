//===- ObjectCache.cpp - Compiled kernels on disk -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/ObjectCache.h"

#include "Support/WriteFile.h"

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

/// What a file ends with. Before it is the object, for tools that open the file
/// as one, and then the key.
struct Footer {
  uint64_t objectBytes;
  uint64_t keyBytes;
  /// Of object and key.
  uint64_t checksum;
  char magic[8];
};
constexpr char kMagic[8] = {'E', 'M', 'B', 'O', 'B', 'J', '0', '2'};
constexpr char kSuffix[] = ".embobj";
constexpr char kTemporaryPrefix[] = "tmp-";
/// A temporary file older than this was left by a process that died.
constexpr time_t kTemporarySeconds = 3600;
/// No file is larger, whatever the bound of the whole: its size is believed
/// before its bytes are read.
constexpr uint64_t kMaxFileBytes = uint64_t(1) << 30;

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
/// which is an absolute path without links. Each parent is trusted, or at least
/// sticky; but the owner of a sticky directory may rename what is in it, too.
static Status checkParents(const std::string &directory) {
  for (size_t end = directory.rfind('/'); end != std::string::npos && end > 0;
       end = directory.rfind('/', end - 1)) {
    std::string parent = directory.substr(0, end);
    struct stat info;
    if (stat(parent.c_str(), &info) == 0) {
      if (info.st_mode & S_ISVTX)
        info.st_mode &= ~(S_IWGRP | S_IWOTH);
      if (isTrusted(info))
        continue;
    }
    return Failure{EMBEDDING_UNTRUSTED,
                   "another user could replace " + directory + ", since " +
                       parent +
                       " belongs to another user or is writable by others"};
  }
  return success();
}

static Failure describeError(const std::string &path) {
  return invalidArgument(path + ": " + std::strerror(errno));
}

static Result<std::string> resolvePath(const std::string &path) {
  std::unique_ptr<char, void (*)(void *)> resolved(
      realpath(path.c_str(), nullptr), std::free);
  if (!resolved)
    return describeError(path);
  return std::string(resolved.get());
}

/// Creates `path` and its parents where they are missing, but nothing in a
/// directory that makes what is in it untrusted, such as the home of the user
/// who has called sudo.
static Status createDirectories(const std::string &path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0)
    return success();
  if (errno != ENOENT || path.empty())
    return describeError(path);
  size_t slash = path.rfind('/');
  std::string parent = slash == std::string::npos ? "."
                       : slash == 0               ? "/"
                                                  : path.substr(0, slash);
  if (Status created = createDirectories(parent); !created)
    return created;
  Result<std::string> resolved = resolvePath(parent);
  if (!resolved)
    return resolved.failure();
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (Status parents = checkParents(*resolved + "/" + name); !parents)
    return parents;
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return describeError(path);
  return success();
}

/// Creates `directory` if needed and opens it; returns its path without links,
/// and sets `fd`.
static Result<std::string> openDirectory(const std::string &directory,
                                         int &fd) {
  if (Status created = createDirectories(directory); !created)
    return created.failure();
  Result<std::string> resolved = resolvePath(directory);
  if (!resolved)
    return resolved;
  FileDescriptor opened(::open(resolved->c_str(), O_RDONLY | O_DIRECTORY |
                                                      O_CLOEXEC | O_NOFOLLOW));
  struct stat info;
  if (opened.fd < 0 || fstat(opened.fd, &info) != 0)
    return describeError(directory);
  if (!isTrusted(info))
    return Failure{EMBEDDING_UNTRUSTED,
                   "another user could have written to it; expected it to be "
                   "yours and not writable by others"};
  if (Status parents = checkParents(*resolved); !parents)
    return parents.failure();
  fd = std::exchange(opened.fd, -1);
  return resolved;
}

Result<ObjectCache> ObjectCache::open(const std::string &directory,
                                      uint64_t maxBytes) {
  int fd = -1;
  Result<std::string> resolved = openDirectory(directory, fd);
  if (!resolved) {
    Failure failure = std::move(resolved.failure());
    failure.message = "cache directory " + directory + ": " + failure.message;
    return failure;
  }
  return Result<ObjectCache>(ObjectCache(std::move(*resolved), fd, maxBytes));
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

std::optional<std::string> ObjectCache::find(const std::string &key,
                                             bool &isRejected) {
  isRejected = false;
  // A FIFO of this name would block an open that waits.
  FileDescriptor file(openat(fd, getFileName(key).c_str(),
                             O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.fd < 0) {
    isRejected = errno != ENOENT;
    return std::nullopt;
  }
  isRejected = true;
  struct stat info;
  Footer footer;
  if (fstat(file.fd, &info) != 0 || !S_ISREG(info.st_mode) ||
      !isTrusted(info) || !isStorable(static_cast<uint64_t>(info.st_size)) ||
      static_cast<uint64_t>(info.st_size) < sizeof(footer))
    return std::nullopt;
  uint64_t size = static_cast<uint64_t>(info.st_size) - sizeof(footer);
  // Its sizes before its bytes are believed.
  if (pread(file.fd, &footer, sizeof(footer), static_cast<off_t>(size)) !=
          sizeof(footer) ||
      std::memcmp(footer.magic, kMagic, sizeof(kMagic)) != 0 ||
      footer.keyBytes > size || footer.objectBytes != size - footer.keyBytes)
    return std::nullopt;
  std::string object(size, '\0');
  if (!readAll(file.fd, object.data(), object.size()) ||
      hash(object) != footer.checksum)
    return std::nullopt;
  isRejected = false;
  if (std::string_view(object).substr(footer.objectBytes) != key)
    return std::nullopt; // Another key of the same hash: it will be replaced.
  object.resize(footer.objectBytes);
  futimens(file.fd, nullptr);
  return object;
}

std::string ObjectCache::getPath(const std::string &key) const {
  return directory + "/" + getFileName(key);
}

bool ObjectCache::isStorable(uint64_t fileBytes) const {
  return fileBytes <= std::min(maxBytes, kMaxFileBytes);
}

/// A name that no other writer has, nor one that died: process numbers come
/// again, in containers at once.
static std::string makeTemporaryName() {
  static std::atomic<unsigned> counter{0};
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return kTemporaryPrefix + std::to_string(getpid()) + "-" +
         std::to_string(counter++) + "-" + std::to_string(now.tv_sec) + "-" +
         std::to_string(now.tv_nsec);
}

bool ObjectCache::insert(const std::string &key, std::string_view object) {
  Footer footer;
  footer.objectBytes = object.size();
  footer.keyBytes = key.size();
  footer.checksum = hash(key, hash(object));
  std::memcpy(footer.magic, kMagic, sizeof(kMagic));
  uint64_t fileBytes = object.size() + key.size() + sizeof(footer);
  bool isStored =
      isStorable(fileBytes) && isWithinFileLimit(fileBytes) &&
      write(getFileName(key),
            {object, key, {reinterpret_cast<char *>(&footer), sizeof(footer)}});
  // Also where there was no room: what was left by others may take it.
  evict();
  return isStored;
}

bool ObjectCache::write(const std::string &name,
                        std::initializer_list<std::string_view> pieces) {
  // Written under a name of its own, then renamed: readers see all or nothing.
  // After a power failure the checksum tells what was not yet on disk.
  std::string temporary = makeTemporaryName();
  bool isWritten = false;
  {
    FileDescriptor file(openat(fd, temporary.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.fd < 0)
      return false;
    isWritten =
        std::all_of(pieces.begin(), pieces.end(), [&](std::string_view piece) {
          return writeAll(file.fd, piece);
        });
  }
  if (isWritten && renameat(fd, temporary.c_str(), fd, name.c_str()) == 0)
    return true;
  unlinkat(fd, temporary.c_str(), 0);
  return false;
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
