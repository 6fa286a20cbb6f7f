//===- SharedObjectTest.cpp - Loading of good and of bad objects ----------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/SharedObject.h"
#include "Call/HostFunctions.h"
#include "TestUtils.h"

#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include <elf.h>
#include <fstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace embedding::runtime;
using embedding::test::TemporaryDirectory;

namespace {

/// The shared object that clang and the system's linker make of `source`, in C,
/// with the table of host functions.
std::string compile(const std::string &source, const std::string &options = "",
                    const std::string &stubs = HOST_STUBS) {
  TemporaryDirectory directory;
  std::string base = directory.str() + "/object";
  std::ofstream(base + ".c") << source;
  std::string command = "clang-22 -O2 -fPIC -shared -Wl,-Bsymbolic " + options +
                        " -o " + base + ".so " + base + ".c " + stubs;
  // NOLINTNEXTLINE(bugprone-command-processor)
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ifstream file(base + ".so", std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

void write(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

const char kSource[] = R"(
#include <string.h>
void *embedding_allocate(long, long, long, const long *);
static int counter = 5;
int zeroed[100];
static const int table[] = {1, 2, 3};
const int *const pointer = &table[1];
int count(void) { return ++counter; }
int constant(int i) { return table[i] + *pointer + zeroed[i]; }
void *host(void) { return embedding_allocate(1, 2, 3, 0); }
void *(*address(void))(long, long, long, const long *) {
  return embedding_allocate;
}
void copy(char *to, const char *from, size_t n) { memcpy(to, from, n); }
)";

int hostMemory;
void *allocate(int64_t bytes, int64_t alignment, int64_t rank,
               const int64_t *) {
  return bytes == 1 && alignment == 2 && rank == 3 ? &hostMemory : nullptr;
}

/// Those of the runtime, but for one.
const HostFunctions &getHost() {
  static const HostFunctions functions = [] {
    HostFunctions functions = getHostFunctions();
    functions[embedding_position_of_embedding_allocate] =
        reinterpret_cast<void *>(&allocate);
    return functions;
  }();
  return functions;
}

Result<SharedObject> load(const std::string &image,
                          const std::string &file = "") {
  return SharedObject::load(image, getHost(), file);
}

template <typename Function>
Function *find(const SharedObject &object, const char *name) {
  return reinterpret_cast<Function *>(object.find(name));
}

/// The file that the loader, and so a debugger, takes `object` for.
std::string fileOf(const SharedObject &object) {
  Dl_info info;
  return dladdr(object.find("count"), &info) ? info.dli_fname : "none";
}

/// Whether that is a file in memory.
bool isCopy(const SharedObject &object) {
  return fileOf(object).rfind("/proc/self/fd/", 0) == 0;
}

} // namespace

TEST(SharedObject, Runs) {
  std::string image = compile(kSource);
  Result<SharedObject> loaded = load(image);
  ASSERT_TRUE(loaded) << loaded.failure().message;
  EXPECT_EQ(find<int()>(*loaded, "count")(), 6);
  EXPECT_EQ(find<int()>(*loaded, "count")(), 7);
  EXPECT_EQ(find<int(int)>(*loaded, "constant")(2), 5);
  EXPECT_EQ(find<void *()>(*loaded, "host")(), &hostMemory);
  auto *address = find<decltype (&allocate)()>(*loaded, "address")();
  EXPECT_EQ(address(1, 2, 3, nullptr), &hostMemory);
  char text[6] = "";
  find<void(char *, const char *, size_t)>(*loaded, "copy")(text, "hello", 6);
  EXPECT_STREQ(text, "hello");
  auto *const *table =
      static_cast<void *const *>(loaded->find("embedding_host_functions"));
  ASSERT_NE(table, nullptr);
  EXPECT_TRUE(std::equal(getHost().begin(), getHost().end(), table));
  EXPECT_EQ(loaded->find("counter"), nullptr);
  // It is nobody else's.
  EXPECT_EQ(dlsym(RTLD_DEFAULT, "constant"), nullptr);
}

// Copies share nothing, whether or not they have a file; the first has it.
TEST(SharedObject, EachIsACopy) {
  TemporaryDirectory directory;
  std::string image = compile(kSource), path = directory.str() + "/object";
  write(path, image + "more");
  std::vector<SharedObject> objects;
  for (const std::string &file : {path, path, std::string(), path}) {
    Result<SharedObject> loaded = load(image, file);
    ASSERT_TRUE(loaded) << loaded.failure().message;
    EXPECT_EQ(find<int()>(*loaded, "count")(), 6);
    objects.push_back(std::move(*loaded));
  }
  EXPECT_EQ(fileOf(objects[0]), path);
  for (size_t i = 1; i < objects.size(); ++i)
    EXPECT_TRUE(isCopy(objects[i])) << fileOf(objects[i]);
  for (SharedObject &object : objects)
    EXPECT_EQ(find<int()>(object, "count")(), 7);
  // When all are gone, so is the file.
  objects.clear();
  EXPECT_EQ(dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD), nullptr);
  Result<SharedObject> again = load(image, path);
  ASSERT_TRUE(again);
  EXPECT_EQ(find<int()>(*again, "count")(), 6);
  EXPECT_EQ(fileOf(*again), path);
}

TEST(SharedObject, ThreadsLoadOneFile) {
  TemporaryDirectory directory;
  std::string image = compile(kSource), path = directory.str() + "/object";
  write(path, image);
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::atomic<int> waiting{4}, withFile{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        --waiting;
        while (waiting > 0)
          std::this_thread::yield();
        Result<SharedObject> loaded = load(image, path);
        ASSERT_TRUE(loaded) << loaded.failure().message;
        EXPECT_EQ(find<int()>(*loaded, "count")(), 6);
        withFile += fileOf(*loaded) == path;
        --waiting;
        while (waiting > -4)
          std::this_thread::yield();
      });
    for (std::thread &thread : threads)
      thread.join();
    EXPECT_EQ(withFile, 1);
  }
}

// What is loaded is what was read and verified, whatever lies in its place.
TEST(SharedObject, OtherFiles) {
  TemporaryDirectory directory;
  std::string path = directory.str() + "/object";
  std::string image = compile(kSource);
  std::string other = kSource;
  other.replace(other.find("= 5"), 3, "= 9");
  std::string otherImage = compile(other);
  std::string code = kSource;
  code.replace(code.find("++counter"), 9, "--counter");
  std::vector<std::string> files = {
      compile(code),
      // With other data alone, of which the build ID tells.
      otherImage, "", "no object",
      compile("int count(void) { return 0; }", "", "")};
  ASSERT_EQ(otherImage.size(), image.size());
  for (const std::string &file : files) {
    write(path, file);
    Result<SharedObject> loaded = load(image, path);
    ASSERT_TRUE(loaded) << loaded.failure().message;
    EXPECT_TRUE(isCopy(*loaded)) << fileOf(*loaded);
    EXPECT_EQ(find<int()>(*loaded, "count")(), 6);
  }

  // Another of the name of one that is loaded.
  write(path, image);
  Result<SharedObject> first = load(image, path);
  ASSERT_TRUE(first);
  EXPECT_EQ(fileOf(*first), path);
  write(path + "2", otherImage);
  std::filesystem::rename(path + "2", path);
  Result<SharedObject> second = load(otherImage, path);
  ASSERT_TRUE(second);
  EXPECT_EQ(find<int()>(*second, "count")(), 10);
  EXPECT_EQ(find<int()>(*first, "count")(), 6);
}

// Files in memory come and go, and so do their numbers.
TEST(SharedObject, ManyCopies) {
  std::string images[] = {compile("int count(void) { return 1; }"),
                          compile("int count(void) { return 2; }")};
  std::vector<SharedObject> kept;
  for (int i = 0; i < 50; ++i) {
    Result<SharedObject> loaded = load(images[i % 2]);
    ASSERT_TRUE(loaded) << loaded.failure().message;
    EXPECT_EQ(find<int()>(*loaded, "count")(), 1 + i % 2);
    if (i % 3)
      kept.push_back(std::move(*loaded));
  }
}

namespace {

void expectDamaged(const std::string &image, const std::string &what) {
  Result<SharedObject> loaded = load(image);
  ASSERT_FALSE(loaded) << what;
  EXPECT_EQ(loaded.failure().code, EMBEDDING_INTERNAL) << what;
  EXPECT_EQ(loaded.failure().message, "object: not a whole shared object")
      << what;
}

} // namespace

// The loader would read beyond the end of a file.
TEST(SharedObject, NotWhole) {
  std::string good = compile(kSource);
  for (size_t size = 0; size < good.size(); size += 1 + size / 50)
    expectDamaged(good.substr(0, size), std::to_string(size));
  expectDamaged(good.substr(0, good.size() - 1), "the last byte");
  expectDamaged(std::string(1000, 'x'), "no object");
  auto change = [&](auto &&body) {
    std::string damaged = good;
    auto &header = *reinterpret_cast<Elf64_Ehdr *>(damaged.data());
    body(header,
         *reinterpret_cast<Elf64_Phdr *>(damaged.data() + header.e_phoff));
    return damaged;
  };
  auto set = [&](auto Elf64_Ehdr::*field, uint64_t value) {
    return change(
        [&](Elf64_Ehdr &header, Elf64_Phdr &) { header.*field = value; });
  };
  expectDamaged(set(&Elf64_Ehdr::e_type, ET_REL), "relocatable");
  for (uint64_t value : {good.size(), good.size() - 8, ~uint64_t(7)}) {
    expectDamaged(set(&Elf64_Ehdr::e_phoff, value), "program headers");
    expectDamaged(set(&Elf64_Ehdr::e_shoff, value), "section headers");
  }
  expectDamaged(set(&Elf64_Ehdr::e_phoff, 65), "alignment");
  expectDamaged(set(&Elf64_Ehdr::e_phnum, 65535), "program headers");
  expectDamaged(set(&Elf64_Ehdr::e_phentsize, 32), "size of a header");
  for (uint64_t value : {good.size() + 1, ~uint64_t(0)}) {
    expectDamaged(change([&](Elf64_Ehdr &, Elf64_Phdr &segment) {
                    segment.p_filesz = value;
                  }),
                  "size of a segment");
    expectDamaged(change([&](Elf64_Ehdr &, Elf64_Phdr &segment) {
                    segment.p_offset = value;
                  }),
                  "offset of a segment");
  }
  expectDamaged(change([&](Elf64_Ehdr &, Elf64_Phdr &segment) {
                  segment.p_offset = good.size() - 1;
                  segment.p_filesz = 2;
                }),
                "a segment at the end");
}

TEST(SharedObject, DoesNotLoad) {
  Result<SharedObject> noTable = load(compile("int x;", "", ""));
  ASSERT_FALSE(noTable);
  EXPECT_EQ(noTable.failure().message, "object: no table of host functions");
  Result<SharedObject> undefined =
      load(compile("int nowhere(void); int f(void) { return nowhere(); }"));
  ASSERT_FALSE(undefined);
  EXPECT_EQ(undefined.failure().code, EMBEDDING_UNSUPPORTED);
  EXPECT_NE(undefined.failure().message.find("nowhere"), std::string::npos)
      << undefined.failure().message;
}

// A copy in memory is a file, which a limit forbids: an error, and no signal.
TEST(SharedObject, LimitedFileSize) {
  if (embedding::test::kIsThreadSanitized)
    GTEST_SKIP() << "ThreadSanitizer writes files";
  TemporaryDirectory directory;
  std::string image = compile(kSource), path = directory.str() + "/object";
  write(path, image);
  pid_t child = fork();
  if (child == 0) {
    rlimit limit = {100, 100};
    setrlimit(RLIMIT_FSIZE, &limit);
    Result<SharedObject> copy = load(image);
    bool isRefused =
        !copy && copy.failure().message ==
                     "this system runs no code made at run time: expected the "
                     "limit of the size of files to be at least that of the "
                     "code, " +
                         std::to_string(image.size()) + " bytes";
    Result<SharedObject> file = load(image, path);
    _exit(isRefused && file ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}
