//===- ObjectLoaderTest.cpp - Loading of good and of bad objects ----------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ObjectLoader.h"
#include "CompiledFunction.h"
#include "ModuleCode.h"
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

namespace {

/// The section headers of `object`, which must be one.
Elf64_Shdr *getSections(std::string &object, size_t &count) {
  auto *header = reinterpret_cast<Elf64_Ehdr *>(object.data());
  count = header->e_shnum;
  return reinterpret_cast<Elf64_Shdr *>(object.data() + header->e_shoff);
}

std::string getFailure(const std::string &object) {
  Result<LoadedObject> loaded = LoadedObject::load(object, resolve);
  return loaded ? "none" : loaded.failure().message;
}

} // namespace

// The loader adds up sizes: of each section alone, none may wrap the sum.
TEST(ObjectLoader, ImpossibleSizes) {
  std::string good = compile(kSource);
  for (uint64_t size :
       {uint64_t(INT32_MAX) - 4095, uint64_t(INT32_MAX), uint64_t(1) << 31,
        uint64_t(1) << 40, UINT64_MAX - 4095, UINT64_MAX}) {
    // Of several at once, since the first may just fit.
    std::string damaged = good;
    size_t count;
    Elf64_Shdr *sections = getSections(damaged, count);
    for (size_t i = 0; i < count; ++i)
      if (sections[i].sh_flags & SHF_ALLOC) {
        sections[i].sh_type = SHT_NOBITS;
        sections[i].sh_size = size;
      }
    EXPECT_NE(getFailure(damaged).find("has an impossible size"),
              std::string::npos)
        << size << ": " << getFailure(damaged);
    for (size_t i = 0; i < count; ++i)
      sections[i].sh_addralign = 4096;
    EXPECT_NE(getFailure(damaged).find("has an impossible size"),
              std::string::npos)
        << size << ": " << getFailure(damaged);
  }
  // Two that are too large together alone.
  std::string damaged = good;
  size_t count;
  Elf64_Shdr *sections = getSections(damaged, count);
  int number = 0;
  for (size_t i = 0; i < count; ++i)
    if (sections[i].sh_flags & SHF_ALLOC) {
      sections[i].sh_type = SHT_NOBITS;
      sections[i].sh_flags = number++ < 2 ? SHF_ALLOC : 0;
      sections[i].sh_size = uint64_t(3) << 29;
    }
  ASSERT_GE(number, 2);
  EXPECT_NE(getFailure(damaged).find("has an impossible size"),
            std::string::npos)
      << getFailure(damaged);
}

// A displacement of 32 bits reaches 2 GiB.
TEST(ObjectLoader, RelocationTooFar) {
  std::string good = compile(kSource);
  for (int64_t addend :
       {int64_t(1) << 31, int64_t(1) << 32, -(int64_t(1) << 33)}) {
    std::string damaged = good;
    size_t count;
    Elf64_Shdr *sections = getSections(damaged, count);
    size_t changed = 0;
    for (size_t i = 0; i < count; ++i) {
      if (sections[i].sh_type != SHT_RELA ||
          !(sections[sections[i].sh_info].sh_flags & SHF_EXECINSTR))
        continue;
      auto *relocations = reinterpret_cast<Elf64_Rela *>(damaged.data() +
                                                         sections[i].sh_offset);
      for (size_t k = 0; k < sections[i].sh_size / sizeof(Elf64_Rela); ++k)
        if (ELF64_R_TYPE(relocations[k].r_info) == R_X86_64_PC32) {
          relocations[k].r_addend += addend;
          ++changed;
        }
    }
    ASSERT_GT(changed, 0u);
    EXPECT_EQ(getFailure(damaged),
              "object: relocation does not reach its target");
  }
}

namespace {

/// A module of one function of a tensor and a scalar.
ModuleCode makeModuleCode() {
  ModuleCode code;
  ModuleCode::Function function;
  // Any CPU; no GPU; two arguments and a result.
  function.fields = {0, 0, 2, 1};
  function.fields.insert(function.fields.end(),
                         {2, kDLFloat, 32, 0, -1, 3, 3, 1});
  function.fields.insert(function.fields.end(), {-1, kDLInt, 64});
  function.fields.insert(function.fields.end(), {0, kDLFloat, 32, 0});
  function.fields[8] = INT64_MIN;
  function.names = std::string("f\0a\0n\0out\0", 10);
  function.entry = "entry";
  code.functions = {function, function};
  code.object = "object";
  return code;
}

} // namespace

TEST(ModuleCode, IsReadAsItIsWritten) {
  ModuleCode code = makeModuleCode();
  std::optional<ModuleCode> read = ModuleCode::read(code.write());
  ASSERT_TRUE(read);
  ASSERT_EQ(read->functions.size(), 2u);
  EXPECT_EQ(read->functions[1].fields, code.functions[1].fields);
  EXPECT_EQ(read->functions[1].names, code.functions[1].names);
  EXPECT_EQ(read->functions[1].entry, "entry");
  EXPECT_EQ(read->object, "object");
}

// Whatever is read is nothing or a module whose signatures can be walked; the
// sanitizers see the rest.
TEST(ModuleCode, Damaged) {
  std::string good = makeModuleCode().write();
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(ModuleCode::read(good.substr(0, size)));
  EXPECT_FALSE(ModuleCode::read(good + "x"));
  std::mt19937_64 random(12);
  auto walk = [](const std::string &bytes) {
    std::optional<ModuleCode> code = ModuleCode::read(bytes);
    if (!code)
      return;
    for (const ModuleCode::Function &function : code->functions) {
      Signature signature(function.fields.data(), function.names.data());
      for (const auto *operands : {&signature.arguments, &signature.results})
        for (const Operand &operand : *operands)
          EXPECT_FALSE(operand.isScalar() ? operand.bits == 0
                                          : operand.shape().empty());
    }
  };
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = good;
    for (uint64_t n = random() % 4 + 1; n > 0; --n)
      damaged[random() % damaged.size()] =
          random() % 2 ? static_cast<char>(random()) : static_cast<char>(-1);
    walk(damaged);
  }
  // Each field of a signature.
  for (size_t field = 0; field < makeModuleCode().functions[0].fields.size();
       ++field)
    for (int64_t value :
         {INT64_MIN, INT64_MIN + 1, int64_t(-2), int64_t(-1), int64_t(0),
          int64_t(33), int64_t(1) << 40, INT64_MAX}) {
      ModuleCode code = makeModuleCode();
      code.functions[0].fields[field] = value;
      walk(code.write());
    }
  // And one more.
  ModuleCode longer = makeModuleCode();
  longer.functions[0].fields.push_back(0);
  EXPECT_FALSE(ModuleCode::read(longer.write()));
  for (std::string names : {"", "f", "f\0a\0n\0out"}) {
    ModuleCode code = makeModuleCode();
    code.functions[1].names = names;
    EXPECT_FALSE(ModuleCode::read(code.write()));
  }
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
