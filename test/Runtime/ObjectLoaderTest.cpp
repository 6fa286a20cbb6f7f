//===- ObjectLoaderTest.cpp - Loading of good and of bad objects ----------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ObjectLoader.h"
#include "TestUtils.h"

#include <cstdlib>
#include <elf.h>
#include <fstream>
#include <gtest/gtest.h>
#include <random>

using namespace embedding::runtime;

namespace {

/// The object that clang makes of `source`, in C.
std::string compile(const std::string &source) {
  embedding::test::TemporaryDirectory directory;
  std::string base = directory.str() + "/object";
  std::ofstream(base + ".c") << source;
  std::string command =
      "clang-22 -O2 -fPIC -c -o " + base + ".o " + base + ".c";
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ifstream file(base + ".o", std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

int foreignVariable = 40;
int foreignFunction(int x) { return x + foreignVariable; }

void *resolve(const char *name) {
  std::string symbol = name;
  if (symbol == "foreign_function")
    return reinterpret_cast<void *>(&foreignFunction);
  if (symbol == "foreign_variable")
    return &foreignVariable;
  return resolveInProcess(name);
}

const char kSource[] = R"(
#include <string.h>
int foreign_function(int);
extern int foreign_variable;
static int counter = 5;
int zeroed[100];
static const int table[] = {1, 2, 3};
const int *const pointer = &table[1];
int count(void) { return ++counter; }
int constant(int i) { return table[i] + *pointer + zeroed[i]; }
int foreign(int x) { return foreign_function(x) + foreign_variable; }
int (*address(void))(int) { return foreign_function; }
void copy(char *to, const char *from, size_t n) { memcpy(to, from, n); }
)";

template <typename Function>
Function *find(const LoadedObject &object, const char *name) {
  return reinterpret_cast<Function *>(object.find(name));
}

} // namespace

TEST(ObjectLoader, Runs) {
  std::string object = compile(kSource);
  Result<LoadedObject> loaded = LoadedObject::load(object, resolve);
  ASSERT_TRUE(loaded) << loaded.failure().message;
  EXPECT_EQ(find<int()>(*loaded, "count")(), 6);
  EXPECT_EQ(find<int()>(*loaded, "count")(), 7);
  EXPECT_EQ(find<int(int)>(*loaded, "constant")(2), 5);
  EXPECT_EQ(find<int(int)>(*loaded, "foreign")(1), 81);
  EXPECT_EQ(find<int (*())(int)>(*loaded, "address")()(2), 42);
  char text[6] = "";
  find<void(char *, const char *, size_t)>(*loaded, "copy")(text, "hello", 6);
  EXPECT_STREQ(text, "hello");
  EXPECT_EQ(loaded->find("counter"), nullptr);

  // Two copies share nothing.
  Result<LoadedObject> second = LoadedObject::load(object, resolve);
  ASSERT_TRUE(second);
  EXPECT_EQ(find<int()>(*second, "count")(), 6);
  LoadedObject moved = std::move(*second);
  EXPECT_EQ(find<int()>(moved, "count")(), 7);
}

TEST(ObjectLoader, UndefinedSymbol) {
  std::string object =
      compile("int nowhere(void); int f(void) { return nowhere(); }");
  Result<LoadedObject> loaded = LoadedObject::load(object);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.failure().message, "object: undefined symbol nowhere");
}

TEST(ObjectLoader, ThreadLocal) {
  std::string object =
      compile("_Thread_local int x; int f(void) { return ++x; }");
  EXPECT_FALSE(LoadedObject::load(object, resolve));
}

TEST(ObjectLoader, NotAnObject) {
  EXPECT_FALSE(LoadedObject::load(std::string()));
  EXPECT_FALSE(LoadedObject::load(std::string(1000, 'x')));
}

// Damaged files end in an error or in code that nobody runs, never in an access
// outside of the file, which the sanitizers would see.
TEST(ObjectLoader, DamagedObjects) {
  std::string good = compile(kSource);
  for (size_t size = 0; size < good.size(); size += 1 + size / 50) {
    std::string shorter = good.substr(0, size);
    Result<LoadedObject> loaded = LoadedObject::load(shorter, resolve);
    (void)static_cast<bool>(loaded);
  }
  std::mt19937_64 random(11);
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = good;
    for (uint64_t n = random() % 8 + 1; n > 0; --n)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    Result<LoadedObject> loaded = LoadedObject::load(damaged, resolve);
    (void)static_cast<bool>(loaded);
  }
  // Every byte of the headers.
  auto header = reinterpret_cast<const Elf64_Ehdr *>(good.data());
  for (size_t at = header->e_shoff; at < good.size(); ++at)
    for (char value : {char(0x00), char(0x7f), char(0xff)}) {
      std::string damaged = good;
      damaged[at] = value;
      Result<LoadedObject> loaded = LoadedObject::load(damaged, resolve);
      (void)static_cast<bool>(loaded);
    }
}
