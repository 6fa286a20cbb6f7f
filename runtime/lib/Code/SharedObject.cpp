//===- SharedObject.cpp - Loads compiled code -----------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/SharedObject.h"

#include "Host/Fork.h"
#include "Support/WriteFile.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace embedding::runtime;

void *SharedObject::find(const std::string &name) const {
  return dlsym(handle.get(), name.c_str());
}

//===----------------------------------------------------------------------===//
// Images
//===----------------------------------------------------------------------===//

namespace {

/// The program headers of an image, which lie within it as what they describe
/// does.
struct Segments {
  const ElfW(Phdr) * begin;
  size_t count;
};

} // namespace

/// The dynamic loader takes a file for whole, and reads beyond the end of one
/// that is not.
static Result<Segments> findSegments(std::string_view image) {
  Failure damaged{EMBEDDING_INTERNAL, "object: not a whole shared object"};
  ElfW(Ehdr) header;
  if (image.size() < sizeof(header))
    return damaged;
  std::memcpy(&header, image.data(), sizeof(header));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_type != ET_DYN || header.e_phentsize != sizeof(ElfW(Phdr)) ||
      header.e_phoff % alignof(ElfW(Phdr)) != 0 ||
      header.e_phoff > image.size() ||
      header.e_phnum > (image.size() - header.e_phoff) / sizeof(ElfW(Phdr)) ||
      header.e_shoff > image.size() ||
      header.e_shnum > (image.size() - header.e_shoff) / sizeof(ElfW(Shdr)))
    return damaged;
  Segments segments{
      reinterpret_cast<const ElfW(Phdr) *>(image.data() + header.e_phoff),
      header.e_phnum};
  for (size_t i = 0; i < segments.count; ++i) {
    const ElfW(Phdr) &segment = segments.begin[i];
    if (segment.p_offset > image.size() ||
        segment.p_filesz > image.size() - segment.p_offset)
      return damaged;
  }
  return segments;
}

/// Whether `handle` is of `image`: the loader opens a file once more, and may
/// know another one by its name.
static bool isLoadedFrom(void *handle, std::string_view image,
                         const Segments &segments) {
  link_map *map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0)
    return false;
  struct Search {
    const link_map *map;
    std::string_view image;
    const Segments &segments;
    bool isFound;
  } search{map, image, segments, false};
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *data) {
        auto &search = *static_cast<Search *>(data);
        const Segments &segments = search.segments;
        if (info->dlpi_addr != search.map->l_addr ||
            std::strcmp(info->dlpi_name, search.map->l_name) != 0)
          return 0;
        // In the same places first, for there to be something to compare.
        bool isSame = info->dlpi_phnum == segments.count &&
                      std::memcmp(info->dlpi_phdr, segments.begin,
                                  segments.count * sizeof(ElfW(Phdr))) == 0;
        for (size_t i = 0; i < segments.count && isSame; ++i) {
          const ElfW(Phdr) &segment = segments.begin[i];
          // What is writable has been relocated. The build ID tells of it.
          if (segment.p_type == PT_LOAD && !(segment.p_flags & PF_W))
            isSame = std::memcmp(reinterpret_cast<const void *>(
                                     info->dlpi_addr + segment.p_vaddr),
                                 search.image.data() + segment.p_offset,
                                 segment.p_filesz) == 0;
        }
        search.isFound = isSame;
        return 1;
      },
      &search);
  return search.isFound;
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

#define STRING(x) #x
#define EXPANDED_STRING(x) STRING(x)

/// Fills the table of `handle`, unless somebody else has: that object is
/// another's, with its variables.
static bool take(void *handle, const HostFunctions &host) {
  auto *table = static_cast<void **>(
      dlsym(handle, EXPANDED_STRING(EMBEDDING_HOST_TABLE)));
  if (!table)
    return false;
  void *none = nullptr;
  // NOLINTNEXTLINE
  if (!__atomic_compare_exchange_n(&table[0], &none, host[0], /*weak=*/false,
                                   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
    return false;
  std::copy(host.begin() + 1, host.end(), table + 1);
  return true;
}

/// A path of file `fd` that no file has had in this process: the loader knows
/// what it has loaded by path.
static std::string makePath(int fd) {
  static std::atomic<uint64_t> counter{0};
  std::string path = "/proc/self/fd/";
  for (uint64_t number = ++counter; number > 0; number /= 2)
    path += number % 2 ? "./" : "/";
  return path + std::to_string(fd);
}

static Failure refused(const std::string &why) {
  return {EMBEDDING_UNSUPPORTED,
          "this system runs no code made at run time: " + why};
}

/// A sealed file in memory.
static Result<int> makeFile(std::string_view bytes) {
  if (!isWithinFileLimit(bytes.size()))
    return refused("expected the limit of the size of files to be at least "
                   "that of the code, " +
                   std::to_string(bytes.size()) + " bytes");
  int fd = memfd_create("embedding-code", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0)
    return refused(std::strerror(errno));
  if (!writeAll(fd, bytes)) {
    Failure failure{EMBEDDING_OUT_OF_MEMORY,
                    std::string("no memory for code: ") + std::strerror(errno)};
    close(fd);
    return failure;
  }
  fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
  return fd;
}

/// Synchronizes an object that has been unloaded with those loaded later, which
/// may have its addresses. The loader's lock does, but ThreadSanitizer sees no
/// locks of the loader.
static void synchronizeWithUnloading() {
  static std::atomic<int> synchronization{0};
  synchronization.fetch_add(1, std::memory_order_acq_rel);
}

void SharedObject::Close::operator()(void *handle) const {
  NoForkScope noFork;
  synchronizeWithUnloading();
  dlclose(handle);
}

static void *openObject(const std::string &path) {
  void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  synchronizeWithUnloading();
  return handle;
}

Result<SharedObject> SharedObject::load(std::string_view image,
                                        const HostFunctions &host,
                                        const std::string &file) {
  Result<Segments> segments = findSegments(image);
  if (!segments)
    return segments.failure();
  if (!file.empty()) {
    Handle handle(openObject(file));
    if (handle && isLoadedFrom(handle.get(), image, *segments) &&
        take(handle.get(), host))
      return SharedObject(std::move(handle));
  }
  Result<int> fd = makeFile(image);
  if (!fd)
    return fd.failure();
  Handle handle(openObject(makePath(*fd)));
  std::string error = handle ? "" : dlerror();
  close(*fd);
  if (!handle)
    return refused(error);
  if (!take(handle.get(), host))
    return Failure{EMBEDDING_INTERNAL, "object: no table of host functions"};
  return SharedObject(std::move(handle));
}
