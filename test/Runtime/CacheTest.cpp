//===- CacheTest.cpp - Kernels kept on disk -------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <array>
#include <cstdio>
#include <fstream>
#include <sys/stat.h>
#include <thread>

using namespace embedding;
using namespace embedding::test;
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

/// What the program cached-lookup prints in `environment`.
std::string runCachedLookup(const std::string &environment) {
  std::string command = environment + " " CACHED_LOOKUP;
  FILE *pipe = popen(command.c_str(), "r");
  std::array<char, 512> buffer{};
  std::string text;
  while (fgets(buffer.data(), buffer.size(), pipe))
    text += buffer.data();
  pclose(pipe);
  return text;
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
            "compiled 1 loaded 0 rejected 0 compiler 1\n");
  EXPECT_EQ(runCachedLookup(environment),
            "compiled 0 loaded 1 rejected 0 compiler 0\n");
}

TEST(Cache, DefaultDirectory) {
  TemporaryDirectory home;
  std::string environment =
      "env -u EMBEDDING_CACHE_DIR -u XDG_CACHE_HOME HOME=" + home.str();
  EXPECT_EQ(runCachedLookup(environment),
            "compiled 1 loaded 0 rejected 0 compiler 1\n");
  EXPECT_EQ(objectsIn(home.str() + "/.cache/embedding-mlir").size(), 1u);
  // One that cannot be trusted is not used, and nothing fails.
  chmod((home.str() + "/.cache/embedding-mlir").c_str(), 0777);
  EXPECT_EQ(runCachedLookup(environment),
            "compiled 1 loaded 0 rejected 0 compiler 1\n");
  EXPECT_EQ(
      runCachedLookup("env -u EMBEDDING_CACHE_DIR -u XDG_CACHE_HOME -u HOME"),
      "compiled 1 loaded 0 rejected 0 compiler 1\n");
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
  std::ifstream file(object, std::ios::binary);
  std::string good((std::istreambuf_iterator<char>(file)),
                   std::istreambuf_iterator<char>());
  auto write = [&](const std::string &bytes) {
    std::ofstream(object, std::ios::binary) << bytes;
  };
  std::vector<std::string> damaged = {
      "", good.substr(0, 7), good.substr(0, good.size() - 1), good + "x"};
  for (size_t at : {size_t(0), size_t(8), size_t(15), size_t(20), size_t(30),
                    size_t(40), good.size() / 2, good.size() - 1}) {
    damaged.push_back(good);
    damaged.back()[at] ^= 1;
  }
  for (const std::string &bytes : damaged) {
    write(bytes);
    EmbeddingEngineStatistics statistics = lookupWith(directory.str());
    EXPECT_EQ(statistics.kernels_compiled, 1);
    EXPECT_EQ(statistics.objects_rejected, 1);
    EXPECT_EQ(lookupWith(directory.str()).kernels_loaded, 1);
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
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < 3; ++repeat) {
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
