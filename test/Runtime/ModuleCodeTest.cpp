//===- ModuleCodeTest.cpp - What the compiler has made of a module --------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/ModuleCode.h"
#include "Call/CompiledFunction.h"

#include <gtest/gtest.h>
#include <random>

using namespace embedding::runtime;

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
  // Between the last function and the size of the object.
  EXPECT_FALSE(ModuleCode::read(good.substr(0, good.size() - 8) + "x" +
                                good.substr(good.size() - 8)));
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
  // A size that is none, and more dimensions than tensors have.
  ModuleCode negative = makeModuleCode();
  negative.functions[0].fields[9] = -2;
  EXPECT_FALSE(ModuleCode::read(negative.write()));
  for (int64_t rank : {signature::kMaxRank, signature::kMaxRank + 1}) {
    ModuleCode code = makeModuleCode();
    std::vector<int64_t> &fields = code.functions[0].fields;
    fields = {0, 0, 1, 0, rank, kDLFloat, 32, 0};
    fields.insert(fields.end(), 2 * rank, 1);
    code.functions[0].names = std::string("f\0a\0", 4);
    EXPECT_EQ(ModuleCode::read(code.write()).has_value(),
              rank == signature::kMaxRank);
  }
  // And one more.
  ModuleCode longer = makeModuleCode();
  longer.functions[0].fields.push_back(0);
  EXPECT_FALSE(ModuleCode::read(longer.write()));
  // No name too few, none too many, and none without its end.
  for (const std::string &names :
       {std::string(""), std::string("f"), std::string("f\0a\0n\0out", 9),
        std::string("f\0a\0n\0out\0x", 11),
        std::string("f\0a\0n\0out\0x\0", 12)}) {
    ModuleCode code = makeModuleCode();
    code.functions[1].names = names;
    EXPECT_FALSE(ModuleCode::read(code.write()));
  }
}
