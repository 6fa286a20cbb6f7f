//===- OutputFilesTest.cpp - Files that tools write, all or none ----------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the tools themselves cannot be brought to: places that change while they
// work. The rest is in test/Tools/output-files.test.
//
//===----------------------------------------------------------------------===//

#include "OutputFiles.h"
#include "TestUtils.h"

#include "Errors.h"

#include <fcntl.h>
#include <fstream>
#include <unistd.h>

using namespace embedding::tools;
using namespace embedding::test;
namespace fs = std::filesystem;

namespace {

std::string read(const fs::path &path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

std::string messageOf(llvm::Error error) {
  return error ? llvm::toString(std::move(error)) : "no error";
}

/// Writes its number to each output.
llvm::Error writeNumber(size_t number, llvm::raw_ostream &os) {
  os << "new " << number;
  return llvm::Error::success();
}

class OutputFilesTest : public testing::Test {
protected:
  OutputFilesTest() : work(directory.str()) {
    std::ofstream(work / "old") << "old";
  }
  // Whatever became of the outputs, no file of theirs is open.
  ~OutputFilesTest() override {
    files.reset();
    EXPECT_EQ(countOpenFiles(), numOpenFiles);
  }

  static int countOpenFiles() {
    return static_cast<int>(
        std::distance(fs::directory_iterator("/proc/self/fd"), {}));
  }

  void add(const char *name) {
    EXPECT_EQ(messageOf(files->add((work / name).string())), "no error");
  }

  std::vector<std::string> getNames() const {
    std::vector<std::string> names;
    for (const auto &entry : fs::directory_iterator(work))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  int numOpenFiles = countOpenFiles();
  TemporaryDirectory directory;
  fs::path work;
  std::optional<OutputFiles> files{std::in_place};
};

using Names = std::vector<std::string>;

} // namespace

TEST_F(OutputFilesTest, Commits) {
  add("old");
  add("new");
  EXPECT_EQ(read(work / "old"), "old");
  EXPECT_EQ(messageOf(files->commit(writeNumber)), "no error");
  EXPECT_EQ(read(work / "old"), "new 0");
  EXPECT_EQ(read(work / "new"), "new 1");
  // At once, not when the object goes.
  EXPECT_EQ(getNames(), Names({"new", "old"}));
}

// What is no file of its own comes after all files, and behind what it holds.
TEST_F(OutputFilesTest, StreamsComeLast) {
  int fd = open((work / "old").c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  add(("/proc/self/fd/" + std::to_string(fd)).c_str());
  add("new");
  std::vector<size_t> order;
  EXPECT_EQ(messageOf(files->commit([&](size_t number, llvm::raw_ostream &os) {
              order.push_back(number);
              return writeNumber(number, os);
            })),
            "no error");
  close(fd);
  EXPECT_EQ(order, (std::vector<size_t>{1, 0}));
  EXPECT_EQ(read(work / "old"), "oldnew 0");
  EXPECT_EQ(read(work / "new"), "new 1");
}

TEST_F(OutputFilesTest, WritesNothingUnlessAsked) {
  add("old");
  add("new");
  EXPECT_EQ(getNames().size(), 3u);
  files.reset();
  EXPECT_EQ(read(work / "old"), "old");
  EXPECT_EQ(getNames(), Names({"old"}));
}

TEST_F(OutputFilesTest, ContentThatCannotBeMade) {
  add("old");
  add("new");
  auto write = [](size_t number, llvm::raw_ostream &os) {
    os << "half";
    return number == 0 ? llvm::Error::success() : createError("no {0}", number);
  };
  EXPECT_EQ(messageOf(files->commit(write)), "no 1");
  files.reset();
  EXPECT_EQ(read(work / "old"), "old");
  EXPECT_EQ(getNames(), Names({"old"}));
}

// A place that has become another while the content was made: those that were
// replaced before it are as they were.
TEST_F(OutputFilesTest, RestoresWhatWasReplaced) {
  add("old");
  add("new");
  add("third");
  fs::create_directory(work / "third");
  EXPECT_EQ(messageOf(files->commit(writeNumber)),
            (work / "third").string() + ": Is a directory");
  files.reset();
  EXPECT_EQ(read(work / "old"), "old");
  EXPECT_EQ(getNames(), Names({"old", "third"}));
  EXPECT_TRUE(fs::is_directory(work / "third"));
}

TEST_F(OutputFilesTest, PlaceThatIsGone) {
  fs::create_directory(work / "folder");
  add("old");
  add("folder/new");
  fs::remove_all(work / "folder");
  EXPECT_EQ(messageOf(files->commit(writeNumber)),
            (work / "folder/new").string() + ": No such file or directory");
  files.reset();
  EXPECT_EQ(read(work / "old"), "old");
  EXPECT_EQ(getNames(), Names({"old"}));
}

TEST_F(OutputFilesTest, TheSameTwice) {
  add("old");
  fs::create_symlink("old", work / "link");
  fs::create_directory_symlink(".", work / "folder");
  for (const char *name : {"old", "link", "folder/old", "folder/./old"}) {
    std::string path = (work / name).string();
    // What was refused is none of the outputs.
    EXPECT_EQ(messageOf(files->add(path)),
              path + ": expected another file than that of output 0");
  }
}
