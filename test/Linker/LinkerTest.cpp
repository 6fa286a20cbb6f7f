//===- LinkerTest.cpp - Linking in a process of somebody's ----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Linker.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/CommandLine.h"

#include <cstdlib>
#include <elf.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace mlir;
using namespace mlir::embedding;

/// An option of the program that links, as tools and other libraries have them.
static llvm::cl::opt<int> number("linker-test-number", llvm::cl::init(1));

namespace {

ObjectFile compile(const std::string &source) {
  std::string base =
      testing::TempDir() + "linker-test-" + std::to_string(getpid());
  std::ofstream(base + ".c") << source;
  std::string command =
      "clang-22 -O2 -fPIC -c -o " + base + ".o " + base + ".c";
  // NOLINTNEXTLINE(bugprone-command-processor)
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ifstream file(base + ".o", std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file),
                    std::istreambuf_iterator<char>()};
  std::remove((base + ".c").c_str());
  std::remove((base + ".o").c_str());
  return ObjectFile(bytes.begin(), bytes.end());
}

/// The error of a link, or nothing.
std::string errorOf(ArrayRef<char> object) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  std::string error;
  ScopedDiagnosticHandler handler(
      &context, [&](Diagnostic &diagnostic) { error = diagnostic.str(); });
  ObjectFile linked;
  bool isLinked =
      succeeded(linkToHost(UnknownLoc::get(&context), object, linked));
  EXPECT_EQ(isLinked, error.empty());
  if (isLinked)
    EXPECT_EQ(StringRef(linked.data(), linked.size()).substr(0, 4), "\x7f"
                                                                    "ELF");
  return error;
}

} // namespace

TEST(Linker, LeavesTheProcessAlone) {
  const char *arguments[] = {"program", "--linker-test-number=7"};
  llvm::cl::ParseCommandLineOptions(2, arguments);
  ObjectFile object = compile("double pow(double, double);\n"
                              "double f(double x) { return pow(x, x); }");
  for (int repeat = 0; repeat < 3; ++repeat)
    EXPECT_EQ(errorOf(object), "");
  EXPECT_EQ(number, 7);
  EXPECT_EQ(number.getNumOccurrences(), 1);
}

// What is linked comes by a pipe, in pieces.
TEST(Linker, LargeObjects) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  ObjectFile object =
                 compile("const char large[3000001] = {1, [3000000] = 2};"),
             linked;
  ASSERT_TRUE(succeeded(linkToHost(UnknownLoc::get(&context), object, linked)));
  auto file = llvm::object::ObjectFile::createObjectFile(
      llvm::MemoryBufferRef(StringRef(linked.data(), linked.size()), "linked"));
  ASSERT_TRUE(bool(file)) << llvm::toString(file.takeError());
  EXPECT_GT(linked.size(), 3000001u);
}

// All that is missing is named, also where lld would stop and end the process.
TEST(Linker, UndefinedSymbols) {
  std::string source, body, expected;
  for (int i = 10; i < 50; ++i) {
    std::string name = "missing" + std::to_string(i);
    source += "int " + name + "(void);\n";
    body += " + " + name + "()";
    expected += (i == 10 ? "" : "; ") + ("undefined symbol: " + name);
  }
  EXPECT_EQ(errorOf(compile(source + "int f(void) { return 0" + body + "; }")),
            "cannot link: " + expected);
}

TEST(Linker, ThreadsTakeTurns) {
  ObjectFile object = compile("int f(int x) { return 3 * x; }");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < 5; ++repeat)
        EXPECT_EQ(errorOf(object), "");
    });
  for (std::thread &thread : threads)
    thread.join();
}

// Over some objects lld exits. The process goes on, without lld.
TEST(Linker, Exits) {
  ObjectFile object = compile("int f(int x) { return 3 * x; }");
  pid_t child = fork();
  if (child == 0) {
    EXPECT_EQ(errorOf(StringRef("no object")).rfind("cannot link: ", 0), 0u);
    EXPECT_EQ(errorOf(object), "");
    ObjectFile damaged = object;
    reinterpret_cast<Elf64_Ehdr *>(damaged.data())->e_shoff =
        damaged.size() - 64;
    std::string error = errorOf(damaged);
    EXPECT_EQ(error.rfind("cannot link: ", 0), 0u) << error;
    EXPECT_EQ(errorOf(object), "cannot link: lld has exited before");
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}
