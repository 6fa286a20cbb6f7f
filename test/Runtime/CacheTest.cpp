//===- CacheTest.cpp - Kernels kept on disk -------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include "Code/ObjectCache.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <future>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>

using namespace embedding;
using namespace embedding::test;
using embedding::runtime::ObjectCache;
namespace fs = std::filesystem;

namespace {

/// Looks up rows of `rowLength` floats with an engine that uses `directory`.
EmbeddingEngineStatistics lookupWith(const std::string &directory,
                                     int64_t rowLength = 3,
                                     uint64_t maxBytes = 0) {
  EngineOptions options;
  options.cache_dir = directory.c_str();
  options.cache_max_bytes = maxBytes;
  options.num_threads = 1;
  Engine engine(options);
  std::vector<float> table(2 * rowLength, 3.0f), out(rowLength);
  int64_t index = 1;
  engine.lookup(TensorView(table.data(), {2, rowLength}),
                TensorView(&index, {1}),
                TensorView(out.data(), {1, rowLength}));
  EXPECT_EQ(out, std::vector<float>(rowLength, 3.0f));
  return engine.statistics();
}

std::vector<fs::path> objectsIn(const std::string &directory) {
  std::vector<fs::path> objects;
  for (const auto &entry : fs::directory_iterator(directory))
    if (entry.path().extension() == ".embobj")
      objects.push_back(entry.path());
  return objects;
}

void expectRefused(const std::string &directory, EmbeddingStatusCode code) {
  EngineOptions options;
  options.cache_dir = directory.c_str();
  EmbeddingEngine *engine = nullptr;
  EmbeddingStatus status;
  EXPECT_EQ(embedding_engine_create(&options, &engine, &status), code);
  EXPECT_NE(std::string(status.message).find(directory), std::string::npos)
      << status.message;
  embedding_engine_destroy(engine);
}

/// What `command` prints.
std::string run(const std::string &command) {
  FILE *pipe = popen(command.c_str(), "r");
  std::array<char, 512> buffer{};
  std::string text;
  while (fgets(buffer.data(), buffer.size(), pipe))
    text += buffer.data();
  pclose(pipe);
  return text;
}

/// What the program cached-lookup prints in `environment`.
std::string runCachedLookup(const std::string &environment) {
  return run(environment + " " CACHED_LOOKUP);
}

std::string read(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

void write(const fs::path &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// The end of a file of the cache: an object and its key come first.
struct Footer {
  uint64_t object;
  uint64_t key;
  uint64_t checksum;
  char magic[8];
};

Footer footerOf(const std::string &file) {
  Footer footer;
  std::memcpy(&footer, file.data() + file.size() - sizeof(footer),
              sizeof(footer));
  return footer;
}

std::string bytesOf(const Footer &footer) {
  return {reinterpret_cast<const char *>(&footer), sizeof(footer)};
}

/// `file` with another object in it, and all of the footer as it must be.
std::string withObject(const std::string &file, const std::string &object) {
  Footer footer = footerOf(file);
  std::string content = object + file.substr(footer.object, footer.key);
  footer.object = object.size();
  // FNV-1a.
  footer.checksum = 0xcbf29ce484222325;
  for (unsigned char byte : content)
    footer.checksum = (footer.checksum ^ byte) * 0x100000001b3;
  return content + bytesOf(footer);
}

std::string objectOf(const std::string &file) {
  return file.substr(0, footerOf(file).object);
}

/// Compiles a module with an engine that uses `directory`, and calls it.
EmbeddingEngineStatistics callModuleOnThreads(const std::string &directory,
                                              int numThreads) {
  EngineOptions options;
  options.cache_dir = directory.c_str();
  options.num_threads = numThreads;
  Engine engine(options);
  Module module(engine, R"mlir(
    func.func @copy(%from: memref<2xf32>, %to: memref<2xf32>) {
      memref.copy %from, %to : memref<2xf32> to memref<2xf32>
      return
    })mlir");
  std::vector<float> from = {1, 2}, to(2);
  module.call("copy",
              {TensorView(from.data(), {2}), TensorView(to.data(), {2})});
  EXPECT_EQ(to, from);
  return engine.statistics();
}

EmbeddingEngineStatistics callModuleWith(const std::string &directory) {
  return callModuleOnThreads(directory, 1);
}

/// A shell that may mount file systems for itself, or none.
std::optional<std::string> getMountingShell() {
  std::string shell = "unshare -rm sh -c ";
  if (run(shell + "'mount -t tmpfs none /mnt && echo yes' 2>/dev/null") !=
      "yes\n")
    return std::nullopt;
  return shell;
}

} // namespace

TEST(Cache, SecondEngineLoads) {
  TemporaryDirectory directory;
  EmbeddingEngineStatistics first = lookupWith(directory.str());
  EXPECT_EQ(first.kernels_compiled, 1);
  EXPECT_EQ(first.kernels_loaded, 0);
  EmbeddingEngineStatistics second = lookupWith(directory.str());
  EXPECT_EQ(second.kernels_compiled, 0);
  EXPECT_EQ(second.kernels_loaded, 1);
  EmbeddingEngineStatistics other = lookupWith(directory.str(), 4);
  EXPECT_EQ(other.kernels_compiled, 1);
  EXPECT_EQ(objectsIn(directory.str()).size(), 2u);
}

TEST(Cache, CachedProcessLoadsNoCompiler) {
  TemporaryDirectory directory;
  std::string environment = "EMBEDDING_CACHE_DIR=" + directory.str();
  EXPECT_EQ(runCachedLookup(environment),
            "compiled 1 loaded 0 rejected 0 compiler 0\n");
  EXPECT_EQ(runCachedLookup(environment),
            "compiled 0 loaded 1 rejected 0 compiler 0\n");
}

TEST(Cache, DefaultDirectory) {
  TemporaryDirectory home;
  std::string environment =
      "env -u EMBEDDING_CACHE_DIR -u XDG_CACHE_HOME HOME=" + home.str();
  EXPECT_EQ(runCachedLookup(environment),
            "compiled 1 loaded 0 rejected 0 compiler 0\n");
  EXPECT_EQ(objectsIn(home.str() + "/.cache/embedding-mlir").size(), 1u);
  // Others cannot see what is in it.
  for (const char *name : {"/.cache", "/.cache/embedding-mlir"}) {
    struct stat info = {};
    EXPECT_EQ(stat((home.str() + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u) << name;
  }
  // One that cannot be trusted is not used, and nothing fails.
  chmod((home.str() + "/.cache/embedding-mlir").c_str(), 0777);
  EXPECT_EQ(runCachedLookup(environment),
            "compiled 1 loaded 0 rejected 0 compiler 0\n");
  EXPECT_EQ(
      runCachedLookup("env -u EMBEDDING_CACHE_DIR -u XDG_CACHE_HOME -u HOME"),
      "compiled 1 loaded 0 rejected 0 compiler 0\n");
}

// The option stands over the environment, and an empty one means none.
TEST(Cache, OptionAgainstEnvironment) {
  TemporaryDirectory named, given;
  const char *before = std::getenv("EMBEDDING_CACHE_DIR");
  std::string restored = before ? before : "";
  setenv("EMBEDDING_CACHE_DIR", named.str().c_str(), /*overwrite=*/1);
  lookupWith(given.str());
  lookupWith("");
  EXPECT_EQ(objectsIn(given.str()).size(), 1u);
  EXPECT_TRUE(objectsIn(named.str()).empty());
  // Who names one wants that one, whether by an option or by the environment.
  ASSERT_EQ(chmod(named.str().c_str(), 0777), 0);
  EngineOptions options;
  EmbeddingEngine *engine = nullptr;
  EXPECT_EQ(embedding_engine_create(&options, &engine, nullptr),
            EMBEDDING_UNTRUSTED);
  EXPECT_EQ(engine, nullptr);
  if (before)
    setenv("EMBEDDING_CACHE_DIR", restored.c_str(), /*overwrite=*/1);
  else
    unsetenv("EMBEDDING_CACHE_DIR");
}

// How a module groups positions depends on the threads that it will have.
TEST(Cache, ModulesOfOneAndOfTwoThreads) {
  TemporaryDirectory directory;
  for (int numThreads : {1, 2}) {
    EXPECT_EQ(callModuleOnThreads(directory.str(), numThreads).kernels_compiled,
              1);
    EXPECT_EQ(callModuleOnThreads(directory.str(), numThreads).kernels_loaded,
              1);
  }
  EXPECT_EQ(objectsIn(directory.str()).size(), 2u);
}

// What finds no room in the cache runs all the same, from memory.
TEST(Cache, CodeThatIsNotStored) {
  TemporaryDirectory directory;
  EngineOptions options;
  std::string cache = directory.str();
  options.cache_dir = cache.c_str();
  options.cache_max_bytes = 100;
  for (int repeat = 0; repeat < 2; ++repeat) {
    Engine engine(options);
    std::vector<float> table = {1, 2, 3, 4, 5, 6}, out(3);
    int64_t index = 1;
    engine.lookup(TensorView(table.data(), {2, 3}), TensorView(&index, {1}),
                  TensorView(out.data(), {1, 3}));
    EXPECT_EQ(out, std::vector<float>({4, 5, 6}));
    EXPECT_EQ(engine.statistics().kernels_compiled, 1);
    EXPECT_EQ(engine.statistics().objects_rejected, 0);
  }
  EXPECT_TRUE(objectsIn(cache).empty());
}

// Debuggers and profilers find the code by the file's name.
TEST(Cache, CodeIsMappedFromItsFile) {
  TemporaryDirectory directory;
  for (int repeat = 0; repeat < 2; ++repeat) {
    EngineOptions options;
    std::string cache = directory.str();
    options.cache_dir = cache.c_str();
    Engine engine(options);
    std::vector<float> table(6, 3.0f), out(3);
    int64_t index = 1;
    engine.lookup(TensorView(table.data(), {2, 3}), TensorView(&index, {1}),
                  TensorView(out.data(), {1, 3}));
    std::string maps = read("/proc/self/maps");
    EXPECT_NE(maps.find(objectsIn(cache).at(0).string()), std::string::npos)
        << maps;
  }
}

TEST(Cache, EmptyDirectoryKeepsNothing) {
  EXPECT_EQ(lookupWith("").kernels_compiled, 1);
  EXPECT_EQ(lookupWith("").kernels_compiled, 1);
}

// Whatever byte is damaged, and wherever the file ends, it is compiled again.
TEST(Cache, DamagedObjects) {
  TemporaryDirectory directory;
  lookupWith(directory.str());
  fs::path object = objectsIn(directory.str()).at(0);
  std::string good = read(object);
  std::vector<std::string> damaged = {
      "", good.substr(0, 7), good.substr(0, good.size() - 1), good + "x"};
  size_t end = good.size() - sizeof(Footer);
  for (size_t at : {size_t(0), good.size() / 3, good.size() / 2, end - 1, end,
                    end + 7, end + 12, end + 20, good.size() - 1}) {
    damaged.push_back(good);
    damaged.back()[at] ^= 1;
  }
  for (const std::string &bytes : damaged) {
    write(object, bytes);
    EmbeddingEngineStatistics statistics = lookupWith(directory.str());
    EXPECT_EQ(statistics.kernels_compiled, 1);
    EXPECT_EQ(statistics.objects_rejected, 1);
    EXPECT_EQ(lookupWith(directory.str()).kernels_loaded, 1);
  }
}

// An object that is as it was written, but that does not load here.
TEST(Cache, ObjectsThatDoNotLoad) {
  using Use = EmbeddingEngineStatistics (*)(const std::string &);
  const std::pair<Use, std::string> uses[] = {
      {[](const std::string &directory) { return lookupWith(directory); },
       "embedding_kernel_lookup"},
      {callModuleWith, "embedding_entry_copy"}};
  for (const auto &[use, function] : uses) {
    TemporaryDirectory directory;
    EXPECT_EQ(use(directory.str()).kernels_compiled, 1);
    fs::path path = objectsIn(directory.str()).at(0);
    std::string good = read(path), object = objectOf(good);
    ASSERT_EQ(withObject(good, object), good);
    // Every prefix of a module's numbers, and an ELF file without its end.
    std::vector<std::string> objects = {object.substr(0, object.size() - 1),
                                        std::string(8, '\xff'),
                                        std::string(16, '\xff')};
    for (size_t size : {0, 4, 8, 12, 16, 40, 100})
      objects.push_back(object.substr(0, size));
    if (use == callModuleWith)
      objects.push_back(object + "x");
    // One that loads, but whose function has another name.
    objects.push_back(object);
    for (size_t at = object.find(function); at != std::string::npos;
         at = object.find(function, at + 1))
      objects.back()[at] = 'x';
    ASSERT_NE(objects.back(), object);
    for (const std::string &other : objects) {
      write(path, withObject(good, other));
      EmbeddingEngineStatistics statistics = use(directory.str());
      EXPECT_EQ(statistics.kernels_compiled, 1) << other.size();
      EXPECT_EQ(statistics.objects_rejected, 1) << other.size();
      EXPECT_EQ(read(path), good);
    }
    EXPECT_EQ(use(directory.str()).kernels_loaded, 1);
  }
}

// Of two keys with one hash, the second one finds the file of the first.
TEST(Cache, KeysAreCompared) {
  TemporaryDirectory directory;
  lookupWith(directory.str(), 3);
  fs::path first = objectsIn(directory.str()).at(0);
  std::string kept = read(first);
  fs::remove(first);
  lookupWith(directory.str(), 4);
  fs::path second = objectsIn(directory.str()).at(0);
  ASSERT_NE(first, second);
  write(second, kept);
  EmbeddingEngineStatistics statistics = lookupWith(directory.str(), 4);
  EXPECT_EQ(statistics.kernels_compiled, 1);
  EXPECT_EQ(statistics.kernels_loaded, 0);
  EXPECT_EQ(statistics.objects_rejected, 0);
  EXPECT_EQ(lookupWith(directory.str(), 4).kernels_loaded, 1);
}

// What is in an object's place neither blocks nor fills the memory.
TEST(Cache, NoObjects) {
  TemporaryDirectory directory;
  std::string environment = "EMBEDDING_CACHE_DIR=" + directory.str();
  runCachedLookup(environment);
  fs::path path = objectsIn(directory.str()).at(0);
  std::string good = read(path);
  const std::string rejected = "compiled 1 loaded 0 rejected 1 compiler 0\n";

  fs::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(runCachedLookup(environment + " timeout 60"), rejected);
  EXPECT_EQ(read(path), good);

  // A hole of 1 TiB, as the footer has it.
  for (uint64_t bytes : {uint64_t(1) << 40, uint64_t(300) << 20}) {
    auto makeHole = [&] {
      Footer footer = footerOf(good);
      footer.object = bytes - sizeof(footer) - footer.key;
      fs::resize_file(path, bytes);
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(bytes - sizeof(footer)));
      file << bytesOf(footer);
    };
    makeHole();
    EXPECT_EQ(lookupWith(directory.str()).objects_rejected, 1);
    EXPECT_EQ(read(path), good);
    makeHole();
    // Whatever the bound.
    if (bytes > uint64_t(1) << 30)
      EXPECT_EQ(lookupWith(directory.str(), 3, UINT64_MAX).objects_rejected, 1);
  }
}

TEST(Cache, ObjectsOthersCouldHaveWritten) {
  TemporaryDirectory directory;
  lookupWith(directory.str());
  fs::path object = objectsIn(directory.str()).at(0);
  for (mode_t mode : {0620, 0602, 0666}) {
    ASSERT_EQ(chmod(object.c_str(), mode), 0);
    EmbeddingEngineStatistics statistics = lookupWith(directory.str());
    EXPECT_EQ(statistics.objects_rejected, 1);
    EXPECT_EQ(statistics.kernels_compiled, 1);
  }
  // A link to a good object is none.
  fs::path elsewhere = directory.str() + "/elsewhere";
  fs::rename(object, elsewhere);
  fs::create_symlink(elsewhere, object);
  EXPECT_EQ(lookupWith(directory.str()).objects_rejected, 1);
  // Nor is one of another user. Only root can make one.
  if (geteuid() == 0) {
    lookupWith(directory.str());
    ASSERT_EQ(chown(object.c_str(), 12345, 12345), 0);
    EXPECT_EQ(lookupWith(directory.str()).objects_rejected, 1);
  }
}

TEST(Cache, RefusedDirectories) {
  TemporaryDirectory directory;
  for (mode_t mode : {0770, 0707, 0777, 01777}) {
    ASSERT_EQ(chmod(directory.str().c_str(), mode), 0);
    expectRefused(directory.str(), EMBEDDING_UNTRUSTED);
  }
  // Inside a directory where others may rename.
  ASSERT_EQ(chmod(directory.str().c_str(), 0777), 0);
  expectRefused(directory.str() + "/inside", EMBEDDING_UNTRUSTED);
  // There, but sticky: nobody renames what is not theirs.
  ASSERT_EQ(chmod(directory.str().c_str(), 01777), 0);
  EXPECT_EQ(lookupWith(directory.str() + "/inside").kernels_compiled, 1);
  if (geteuid() == 0) {
    ASSERT_EQ(chmod(directory.str().c_str(), 0700), 0);
    ASSERT_EQ(chown(directory.str().c_str(), 12345, 12345), 0);
    expectRefused(directory.str(), EMBEDDING_UNTRUSTED);
  }
  expectRefused("/dev/null/inside", EMBEDDING_INVALID_ARGUMENT);
}

// Each of them, not the last alone: who may rename one, exchanges the rest.
TEST(Cache, RefusedParents) {
  TemporaryDirectory directory;
  std::string inside = directory.str() + "/a/b/c";
  EXPECT_EQ(lookupWith(inside).kernels_compiled, 1);
  for (const char *parent : {"", "/a", "/a/b"}) {
    std::string path = directory.str() + parent;
    ASSERT_EQ(chmod(path.c_str(), 0777), 0);
    expectRefused(inside, EMBEDDING_UNTRUSTED);
    ASSERT_EQ(chmod(path.c_str(), 01777), 0);
    EXPECT_EQ(lookupWith(inside).kernels_loaded, 1);
    // Its owner may rename, and change the mode.
    if (geteuid() == 0) {
      ASSERT_EQ(chown(path.c_str(), 12345, 12345), 0);
      for (mode_t mode : {01777, 01755, 0755}) {
        ASSERT_EQ(chmod(path.c_str(), mode), 0);
        expectRefused(inside, EMBEDDING_UNTRUSTED);
      }
      ASSERT_EQ(chown(path.c_str(), 0, 0), 0);
    }
    ASSERT_EQ(chmod(path.c_str(), 0700), 0);
  }
  EXPECT_EQ(lookupWith(inside).kernels_loaded, 1);
}

// Whoever may replace what a link leads to exchanges the directory, whatever
// the link's own parents are.
TEST(Cache, RefusedParentsOfLinks) {
  TemporaryDirectory directory, links;
  std::string inside = directory.str() + "/a/b";
  EXPECT_EQ(lookupWith(inside).kernels_compiled, 1);
  std::string toIt = links.str() + "/b", toParent = links.str() + "/a";
  fs::create_symlink(inside, toIt);
  fs::create_symlink(directory.str() + "/a", toParent);
  for (const std::string &path : {toIt, toIt + "/", toParent + "/b"}) {
    EXPECT_EQ(lookupWith(path).kernels_loaded, 1) << path;
    for (const char *parent : {"", "/a"}) {
      std::string open = directory.str() + parent;
      ASSERT_EQ(chmod(open.c_str(), 0777), 0);
      expectRefused(path, EMBEDDING_UNTRUSTED);
      ASSERT_EQ(chmod(open.c_str(), 0700), 0);
    }
  }
}

// Where nothing could be trusted, nothing is created: `sudo` keeps HOME, and a
// directory of root's there is in its owner's way.
TEST(Cache, CreatesNothingThatOthersCouldReplace) {
  TemporaryDirectory home;
  std::string environment =
      "env -u EMBEDDING_CACHE_DIR -u XDG_CACHE_HOME HOME=" + home.str();
  auto expectNothing = [&] {
    EXPECT_EQ(runCachedLookup(environment),
              "compiled 1 loaded 0 rejected 0 compiler 0\n");
    expectRefused(home.str() + "/.cache/inside", EMBEDDING_UNTRUSTED);
    EXPECT_TRUE(fs::is_empty(home.str()));
  };
  ASSERT_EQ(chmod(home.str().c_str(), 0777), 0);
  expectNothing();
  if (geteuid() == 0) {
    ASSERT_EQ(chmod(home.str().c_str(), 0755), 0);
    ASSERT_EQ(chown(home.str().c_str(), 12345, 12345), 0);
    expectNothing();
    // Below a directory of ours, too.
    fs::create_directory(home.str() + "/.cache");
    expectRefused(home.str() + "/.cache/inside", EMBEDDING_UNTRUSTED);
    EXPECT_TRUE(fs::is_empty(home.str() + "/.cache"));
  }
}

TEST(Cache, SizeBound) {
  TemporaryDirectory directory;
  lookupWith(directory.str(), 1);
  uint64_t bytes = fs::file_size(objectsIn(directory.str()).at(0));
  // Those of rows of whole vectors are up to twice as long.
  uint64_t bound = bytes * 5;
  for (int64_t rowLength = 1; rowLength <= 10; ++rowLength) {
    lookupWith(directory.str(), rowLength, bound);
    // Keeps the first one in use.
    EXPECT_EQ(lookupWith(directory.str(), 1, bound).kernels_loaded, 1);
    uint64_t total = 0;
    for (const fs::path &object : objectsIn(directory.str()))
      total += fs::file_size(object);
    EXPECT_LE(total, bound);
  }
  EXPECT_EQ(lookupWith(directory.str(), 2, bound).kernels_compiled, 1);
}

TEST(Cache, ManyProcesses) {
  TemporaryDirectory directory;
  std::string environment = "EMBEDDING_CACHE_DIR=" + directory.str();
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < 2; ++repeat) {
        std::string text = runCachedLookup(environment);
        EXPECT_NE(text.find(" rejected 0 "), std::string::npos) << text;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(objectsIn(directory.str()).size(), 1u);
  // No file is left that was being written.
  size_t files = 0;
  for (const auto &entry : fs::directory_iterator(directory.str()))
    files += entry.path().filename() != "lock";
  EXPECT_EQ(files, 1u);
}

// Of one that writes nothing is left but whole objects and its temporary file,
// wherever it is killed.
TEST(Cache, KilledWriters) {
  TemporaryDirectory directory;
  constexpr int kKeys = 4;
  auto keyOf = [](int number) { return "key " + std::to_string(number); };
  auto objectOf = [](int number) {
    return std::string(size_t(4) << 20, static_cast<char>('a' + number));
  };
  auto opened = ObjectCache::open(directory.str(), uint64_t(1) << 30);
  ASSERT_TRUE(bool(opened));
  ObjectCache &cache = *opened;
  std::mt19937_64 random(7);
  int found = 0;
  for (int repeat = 0; repeat < 20; ++repeat) {
    pid_t child = fork();
    if (child == 0)
      for (int number = 0;; number = (number + 1) % kKeys)
        cache.insert(keyOf(number), objectOf(number));
    // Later ones live longer, on a slow machine until an object is whole.
    usleep(2000 + random() % (20000 * (1 + repeat)));
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    for (int number = 0; number < kKeys; ++number) {
      bool isRejected;
      std::optional<std::string> object = cache.find(keyOf(number), isRejected);
      EXPECT_FALSE(isRejected);
      if (object)
        EXPECT_EQ(*object == objectOf(number), true);
      found += object.has_value();
    }
  }
  EXPECT_GT(found, 0);
  cache.insert("after", "all");
  bool isRejected;
  EXPECT_EQ(cache.find("after", isRejected), "all");
}

// Temporary files are of writers that live, unless they are old.
TEST(Cache, TemporaryFiles) {
  TemporaryDirectory directory;
  auto opened = ObjectCache::open(directory.str(), 1000);
  ASSERT_TRUE(bool(opened));
  ObjectCache &cache = *opened;
  // A process of the same number had died: in containers all are number 1.
  std::vector<fs::path> left;
  for (int number = 0; number < 100; ++number) {
    left.push_back(directory.str() + "/tmp-" + std::to_string(getpid()) + "-" +
                   std::to_string(number));
    write(left.back(), "half an obj");
  }
  cache.insert("key", "object");
  bool isRejected;
  EXPECT_EQ(cache.find("key", isRejected), "object");
  for (const fs::path &path : left)
    EXPECT_TRUE(fs::exists(path));
  for (const fs::path &path : left)
    fs::last_write_time(path, fs::file_time_type::clock::now() -
                                  std::chrono::hours(2));
  // One that is not stored, for want of room, makes room.
  cache.insert("other", std::string(1000, 'x'));
  for (const fs::path &path : left)
    EXPECT_FALSE(fs::exists(path));
}

// What is no object of the cache's takes none of its room, and stays.
TEST(Cache, OtherFiles) {
  TemporaryDirectory directory;
  auto cache = ObjectCache::open(directory.str(), 1000);
  ASSERT_TRUE(bool(cache));
  std::string prefix = directory.str() + "/";
  std::vector<std::string> others;
  for (const char *name : {".embobj", "a.embobj.old", "embobj", "tmp"}) {
    others.push_back(prefix + name);
    write(others.back(), std::string(2000, 'x'));
  }
  for (const char *name : {"a.embobj", "tmp-a"}) {
    others.push_back(prefix + name);
    fs::create_directory(others.back());
    others.push_back(others.back() + "/file");
    write(others.back(), std::string(2000, 'x'));
    fs::last_write_time(prefix + name, fs::file_time_type::clock::now() -
                                           std::chrono::hours(2));
  }
  write(prefix + "large", std::string(2000, 'x'));
  fs::create_symlink(prefix + "large", prefix + "b.embobj");
  others.push_back(prefix + "b.embobj");
  for (const char *key : {"first", "second"})
    EXPECT_TRUE(cache->insert(key, std::string(100, 'x')));
  bool isRejected;
  for (const char *key : {"first", "second"})
    EXPECT_TRUE(cache->find(key, isRejected)) << key;
  for (const std::string &path : others)
    EXPECT_TRUE(fs::exists(path)) << path;
}

// The one that was used longest ago goes first, by whichever part of the time.
TEST(Cache, OldestFirst) {
  constexpr size_t kFileBytes = 100;
  const std::string object(kFileBytes - sizeof(Footer) - 1, 'x');
  // Seconds and nanoseconds of the last use of "a", "b" and "c"; which goes.
  struct Case {
    timespec used[3];
    const char *oldest;
  };
  for (const auto &[used, oldest] :
       {Case{{{100, 3}, {100, 2}, {100, 4}}, "b"},
        Case{{{100, 2}, {100, 3}, {100, 4}}, "a"},
        Case{{{100, 4}, {101, 3}, {99, 5}}, "c"}}) {
    TemporaryDirectory directory;
    auto cache = ObjectCache::open(directory.str(), 3 * kFileBytes);
    ASSERT_TRUE(bool(cache));
    const char *keys[] = {"a", "b", "c"};
    for (int i = 0; i < 3; ++i) {
      cache->insert(keys[i], object);
      timespec times[] = {used[i], used[i]};
      ASSERT_EQ(utimensat(AT_FDCWD, cache->getPath(keys[i]).c_str(), times, 0),
                0);
    }
    // Of exactly the bound, all are there.
    EXPECT_EQ(objectsIn(directory.str()).size(), 3u);
    cache->insert("d", object);
    for (const char *key : {"a", "b", "c", "d"})
      EXPECT_EQ(fs::exists(cache->getPath(key)), std::string(key) != oldest)
          << key << ", oldest " << oldest;
  }
}

// Paths that begin where the process is. Where others may write, nothing is
// created.
TEST(Cache, RelativeDirectories) {
  TemporaryDirectory directory;
  EXPECT_TRUE(worksInChild([&] {
    ASSERT_EQ(chdir(directory.str().c_str()), 0);
    auto expectOpens = [&](const std::string &path) {
      EXPECT_TRUE(bool(ObjectCache::open(path, 1000))) << path;
      EXPECT_TRUE(fs::is_directory(directory.str() + "/" + path)) << path;
    };
    for (const char *path : {"one", "./two", "three/four", "five/", "."})
      expectOpens(path);
    ASSERT_EQ(chmod(directory.str().c_str(), 0777), 0);
    for (const char *path : {"six", "./six", "six/seven"}) {
      EXPECT_FALSE(bool(ObjectCache::open(path, 1000))) << path;
      EXPECT_FALSE(fs::exists("six"));
    }
  }));
}

// Variables whose value is no absolute path are as if they were not set.
TEST(Cache, DefaultDirectoryIsAbsolute) {
  std::map<std::string, std::optional<std::string>> before;
  for (const char *name : {"XDG_CACHE_HOME", "HOME"})
    if (const char *value = std::getenv(name))
      before[name] = value;
    else
      before[name] = std::nullopt;
  auto getDirectory = [](const char *cacheHome, const char *home) {
    setenv("XDG_CACHE_HOME", cacheHome, 1);
    setenv("HOME", home, 1);
    return runtime::getDefaultCacheDirectory();
  };
  EXPECT_EQ(getDirectory("/cache", "/home"), "/cache/embedding-mlir");
  for (const char *none : {"", "cache", "./cache"}) {
    EXPECT_EQ(getDirectory(none, "/home"), "/home/.cache/embedding-mlir");
    EXPECT_EQ(getDirectory(none, "home"), "");
  }
  for (const auto &[name, value] : before)
    if (value)
      setenv(name.c_str(), value->c_str(), 1);
    else
      unsetenv(name.c_str());
}

// Who finds that another process evicts does not wait for it.
TEST(Cache, EvictionByAnother) {
  TemporaryDirectory directory;
  auto cache = ObjectCache::open(directory.str(), 1000);
  ASSERT_TRUE(bool(cache));
  int lock = open((directory.str() + "/lock").c_str(),
                  O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  auto inserted = std::async(std::launch::async, [&] {
    return cache->insert("first", std::string(600, 'x')) &&
           cache->insert("second", std::string(600, 'x'));
  });
  EXPECT_EQ(inserted.wait_for(std::chrono::seconds(20)),
            std::future_status::ready);
  EXPECT_EQ(objectsIn(directory.str()).size(), 2u);
  close(lock);
  EXPECT_TRUE(inserted.get());
  cache->insert("third", std::string(600, 'x'));
  EXPECT_EQ(objectsIn(directory.str()).size(), 1u);
}

// Its own files, and those of the objects and of the compiler.
TEST(Cache, LeavesNoFileOpen) {
  TemporaryDirectory directory;
  auto countOpenFiles = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), {});
  };
  lookupWith(directory.str(), 3); // The compiler's library is there to stay.
  auto before = countOpenFiles();
  for (int64_t rowLength : {3, 5}) {
    std::string path = directory.str();
    EngineOptions options;
    options.cache_dir = path.c_str();
    Engine engine(options);
    lookupWith(path, rowLength);
    lookupWith("", rowLength);
    Module module(engine, "func.func @f(%i: i64) -> i64 {\n"
                          "  return %i : i64\n}");
    EXPECT_THROW(Module(engine, "nothing"), Error);
  }
  EXPECT_EQ(countOpenFiles(), before);
}

// An object beyond the limit of files is not written; no signal tells of it.
TEST(Cache, ObjectsBeyondTheLimit) {
  if (kIsThreadSanitized)
    GTEST_SKIP() << "ThreadSanitizer writes files";
  TemporaryDirectory directory;
  pid_t child = fork();
  if (child == 0) {
    auto cache = ObjectCache::open(directory.str(), 10000);
    rlimit limit = {1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    bool isRight = cache && !cache->insert("large", std::string(1000, 'x')) &&
                   cache->insert("small", std::string(100, 'x'));
    _exit(isRight ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(objectsIn(directory.str()).size(), 1u);
}

// An object that has no room is not stored, and makes no room either.
TEST(Cache, LargeObjects) {
  TemporaryDirectory directory;
  auto cache = ObjectCache::open(directory.str(), 1000);
  ASSERT_TRUE(bool(cache));
  bool isRejected;
  cache->insert("small", std::string(100, 'x'));
  cache->insert("large", std::string(1000, 'x'));
  EXPECT_FALSE(cache->find("large", isRejected));
  EXPECT_TRUE(cache->find("small", isRejected));
  cache->insert("medium", std::string(1000 - sizeof(Footer) - 6, 'x'));
  EXPECT_TRUE(cache->find("medium", isRejected));
}

// A limit on the size of files ends the process by a signal if it is met. What
// is compiled passes through files in memory, what is in the cache does not.
TEST(Cache, LimitedFileSize) {
  if (kIsThreadSanitized)
    GTEST_SKIP() << "ThreadSanitizer writes files";
  TemporaryDirectory directory;
  std::string environment = "EMBEDDING_CACHE_DIR=" + directory.str();
  std::string expected = "expected the limit of the size of files to be at "
                         "least that of ";
  for (const auto &[limit, error] :
       {std::pair("0", "compiler: " + expected + "what is compiled, "),
        std::pair("1",
                  "compiler: cannot link: " + expected + "the object, ")}) {
    std::string text =
        runCachedLookup("ulimit -f " + std::string(limit) + "; " + environment);
    EXPECT_EQ(text.rfind(error, 0), 0u) << text;
  }
  EXPECT_TRUE(objectsIn(directory.str()).empty());
  runCachedLookup(environment);
  EXPECT_EQ(runCachedLookup("ulimit -f 0; " + environment),
            "compiled 0 loaded 1 rejected 0 compiler 0\n");
}

TEST(Cache, FullAndReadOnlyDisks) {
  std::optional<std::string> shell = getMountingShell();
  if (!shell)
    GTEST_SKIP() << "no file system can be mounted here";
  TemporaryDirectory directory;
  std::string at = directory.str();
  std::string lookup = "EMBEDDING_CACHE_DIR=" + at + " " CACHED_LOOKUP "; ";
  std::string compiled = "compiled 1 loaded 0 rejected 0 compiler 0\n";
  std::string loaded = "compiled 0 loaded 1 rejected 0 compiler 0\n";
  // All pages are taken, but names are not.
  EXPECT_EQ(run(*shell + "'mount -t tmpfs -o mode=700,size=64k none " + at +
                "; head -c 1M /dev/zero > " + at + "/other 2>/dev/null; " +
                lookup + "ls " + at + "; rm " + at + "/other; " + lookup +
                lookup + "'"),
            compiled + "lock\nother\n" + compiled + loaded);
  EXPECT_EQ(run(*shell + "'mount -t tmpfs -o mode=700 none " + at + "; " +
                lookup + "mount -o remount,ro " + at + "; " + lookup +
                "rm -f " + at + "/*.embobj 2>/dev/null; " + lookup +
                "mount -o remount,rw " + at + "; rm " + at +
                "/*.embobj; mount -o remount,ro " + at + "; " + lookup + "'"),
            compiled + loaded + loaded + compiled);
  // What is damaged there stays so, and is not loaded in place of the new code.
  EXPECT_EQ(run(*shell + "'mount -t tmpfs -o mode=700 none " + at + "; " +
                lookup + "truncate -s 3000 " + at +
                "/*.embobj; mount -o remount,ro " + at + "; " + lookup +
                lookup + "'"),
            compiled + "compiled 1 loaded 0 rejected 1 compiler 0\n" +
                "compiled 1 loaded 0 rejected 1 compiler 0\n");
}

// What is loaded from the cache is of these sources, and so is the compiler
// that fills it.
TEST(Cache, CompilerOfOtherSources) {
  EngineOptions options = uncached();
  auto messageOf = [&](const char *library) -> std::string {
    options.compiler_library = library;
    Engine engine(options);
    std::vector<float> table(2), out(1);
    int64_t index = 0;
    try {
      engine.lookup(TensorView(table.data(), {2, 1}), TensorView(&index, {1}),
                    TensorView(out.data(), {1, 1}));
    } catch (const Error &error) {
      EXPECT_EQ(error.code(), EMBEDDING_COMPILER_ERROR);
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(messageOf(OTHER_COMPILER),
            "compiler: " OTHER_COMPILER " was built from other sources than "
            "this runtime");
}
