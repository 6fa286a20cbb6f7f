//===- KeyTest.cpp - What tells kernels apart -----------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A field that a key leaves out gives a caller the code of another call. The
// structured bindings name every field: a new one does not compile until it is
// varied here.
//
//===----------------------------------------------------------------------===//

#include "Code/CompileRequest.h"

#include <gtest/gtest.h>
#include <limits>
#include <set>

using namespace embedding::runtime;
using mlir::embedding::OperationDesc;

namespace {

/// `original` and copies of it, each with another value of one field.
template <typename T> struct Varied {
  explicit Varied(const T &original) : all{original} {}

  /// `field` is one of `changing`.
  template <typename Field>
  void add(T &changing, Field &field,
           std::initializer_list<std::enable_if_t<true, Field>> values) {
    Field original = field;
    for (const Field &value : values) {
      ASSERT_NE(value, original);
      field = value;
      all.push_back(changing);
    }
    field = original;
  }

  std::vector<T> all;
};

/// With every value of each enumeration.
std::vector<KernelSpec> varySpec(int32_t forChip) {
  KernelSpec spec;
  spec.operation = &mlir::embedding::kLookupOp;
  spec.chip = forChip;
  Varied<KernelSpec> varied(spec);
  auto &[operation, outOfRange, lowering, indexBits, elementCode, elementBytes,
         isContiguous, isDense, scalesGradByFreq, hasPadding, grouping,
         normType, rowLength, chip, indexRank, rowAlignment, usesAtomics] =
      spec;
  for (const OperationDesc *other : mlir::embedding::kOperations)
    if (other != operation)
      varied.add(spec, operation, {other});
  varied.add(spec, outOfRange,
             {EMBEDDING_OUT_OF_RANGE_ASSUME, EMBEDDING_OUT_OF_RANGE_CLAMP,
              EMBEDDING_OUT_OF_RANGE_ZERO});
  varied.add(spec, lowering, {EMBEDDING_LOWERING_NAIVE});
  varied.add(spec, indexBits, {32});
  varied.add(spec, elementCode, {kDLFloat, kDLBfloat});
  varied.add(spec, elementBytes, {2, 4, 8, 16});
  varied.add(spec, isContiguous, {false});
  varied.add(spec, isDense, {true});
  varied.add(spec, scalesGradByFreq, {true});
  varied.add(spec, hasPadding, {true});
  varied.add(spec, grouping,
             {Grouping::countingSort, Grouping::scatter, Grouping::bitmap});
  varied.add(spec, normType,
             {0.0, 1.0, -1.0, 3.0, 3.0 + 0x1p-50, 1e300,
              std::numeric_limits<double>::infinity(),
              -std::numeric_limits<double>::infinity()});
  varied.add(spec, rowLength, {1, 12, 2, int64_t(1) << 33});
  varied.add(spec, chip, {80, 100});
  varied.add(spec, indexRank, {4});
  varied.add(spec, rowAlignment, {2, 4, 16});
  varied.add(spec, usesAtomics, {true});
  return varied.all;
}

std::vector<ModuleTarget> varyTarget() {
  ModuleTarget target = {0, false, false, false, 3, ""};
  Varied<ModuleTarget> varied(target);
  auto &[chip, isNaive, atomicGradients, assumesSizes, numThreads, rowLengths] =
      target;
  varied.add(target, chip, {80, 90, 8});
  varied.add(target, isNaive, {true});
  varied.add(target, atomicGradients, {true});
  varied.add(target, assumesSizes, {true});
  varied.add(target, numThreads, {1, 2});
  varied.add(target, rowLengths,
             {describeRowLengths("f", {64}), describeRowLengths("f", {32}),
              describeRowLengths("f", {6, 4}), describeRowLengths("g", {64}),
              describeRowLengths("64 f", {})});
  return varied.all;
}

} // namespace

TEST(Keys, OfKernels) {
  // The CPU, and a GPU.
  for (int32_t chip : {0, 90}) {
    std::vector<KernelSpec> specs = varySpec(chip);
    for (size_t i = 0; i < specs.size(); ++i)
      for (size_t j = 0; j < specs.size(); ++j) {
        // In memory, where what is equal must be found; and on disk.
        EXPECT_EQ(specs[i] == specs[j], i == j) << specs[i].str();
        EXPECT_EQ(specs[i].str() == specs[j].str(), i == j) << specs[i].str();
        if (i == j) {
          KernelSpec same = specs[j];
          EXPECT_EQ(specs[i].hash(), same.hash());
        }
      }
  }
}

// The lists of a table of kernels stay short.
TEST(Keys, Spread) {
  std::set<size_t> hashes;
  std::vector<KernelSpec> specs = varySpec(0);
  for (const KernelSpec &spec : specs)
    hashes.insert(spec.hash());
  // The norm is not hashed.
  EXPECT_GE(hashes.size() + 8, specs.size());
}

TEST(Keys, OfModules) {
  // Of the CPU, Engine.CodeOnDiskIsOfOneCPU.
  std::set<std::string> keys;
  for (const ModuleTarget &each : varyTarget()) {
    EXPECT_TRUE(keys.insert(each.str()).second) << each.str();
    // The IR follows on a line of its own.
    EXPECT_EQ(each.str().find('\n'), std::string::npos);
  }
}

namespace {

/// What the compiler reads of a request that is written here.
std::optional<CompileRequest> cross(const CompileRequest &request,
                                    std::string &bytes) {
  bytes = request.write();
  return CompileRequest::read(bytes);
}

} // namespace

// The compiler gets all that is asked for.
TEST(Requests, OfKernels) {
  for (const KernelSpec &spec : varySpec(90)) {
    std::string bytes;
    std::optional<CompileRequest> read = cross({"a CPU", spec}, bytes);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->cpu, "a CPU");
    ASSERT_TRUE(std::holds_alternative<KernelSpec>(read->source));
    EXPECT_TRUE(std::get<KernelSpec>(read->source) == spec) << spec.str();
  }
}

TEST(Requests, OfModules) {
  std::string ir = "any text\n";
  ir += '\0';
  for (const ModuleTarget &target : varyTarget()) {
    std::string bytes;
    std::optional<CompileRequest> read =
        cross({"", ModuleSource{target, ir}}, bytes);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->cpu, "");
    ASSERT_TRUE(std::holds_alternative<ModuleSource>(read->source));
    const ModuleSource &source = std::get<ModuleSource>(read->source);
    EXPECT_EQ(source.target.str(), target.str());
    EXPECT_EQ(source.ir, ir);
  }
}

TEST(Requests, AreWhole) {
  for (const CompileRequest &request :
       {CompileRequest{"a CPU", varySpec(0)[0]},
        CompileRequest{"", ModuleSource{varyTarget()[0], "some IR"}}}) {
    std::string bytes = request.write();
    EXPECT_TRUE(CompileRequest::read(bytes));
    for (size_t size = 0; size < bytes.size(); ++size)
      EXPECT_FALSE(CompileRequest::read(bytes.substr(0, size))) << size;
    EXPECT_FALSE(CompileRequest::read(bytes + "."));
  }
}
