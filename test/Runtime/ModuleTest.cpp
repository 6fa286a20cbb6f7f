//===- ModuleTest.cpp - Functions of IR -----------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <array>
#include <cmath>
#include <csignal>
#include <fstream>
#include <gmock/gmock.h>
#include <numeric>
#include <optional>
#include <set>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

using namespace embedding;
using namespace embedding::test;
using testing::ElementsAre;
using testing::HasSubstr;

static constexpr char kFunctions[] = R"mlir(
func.func @lookup(%weight: tensor<?x2xf32>, %input: tensor<?xi64>)
    -> tensor<?x2xf32> {
  %c0 = arith.constant 0 : index
  %size = tensor.dim %input, %c0 : tensor<?xi64>
  %init = tensor.empty(%size) : tensor<?x2xf32>
  %out = embedding.lookup ins(%weight, %input : tensor<?x2xf32>, tensor<?xi64>)
      outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %out : tensor<?x2xf32>
}
func.func @renormed(%weight: tensor<2x2xf32>, %input: tensor<?xi64>)
    -> tensor<2x2xf32> {
  %out = embedding.renorm max_norm(1.0) ins(%input : tensor<?xi64>)
      outs(%weight : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %out : tensor<2x2xf32>
}
func.func @scalars(%n: i32, %x: f64, %i: index, %to: memref<?xf64, strided<[?]>>)
    -> (f64, index) {
  %c0 = arith.constant 0 : index
  %m = arith.sitofp %n : i32 to f64
  %sum = arith.addf %x, %m : f64
  memref.store %sum, %to[%i] : memref<?xf64, strided<[?]>>
  %size = memref.dim %to, %c0 : memref<?xf64, strided<[?]>>
  return %sum, %size : f64, index
}
func.func private @hidden()
)mlir";

static std::string getMessage(const std::function<void()> &call,
                              EmbeddingStatusCode code) {
  try {
    call();
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Module, DescribesFunctions) {
  Engine engine(uncached());
  Module module(engine, kFunctions);
  std::vector<EmbeddingFunction> functions = module.functions();
  ASSERT_EQ(functions.size(), 3u);
  EXPECT_STREQ(functions[0].name, "lookup");
  ASSERT_EQ(functions[0].num_arguments, 2);
  const EmbeddingOperand &weight = functions[0].arguments[0];
  EXPECT_STREQ(weight.name, "weight");
  ASSERT_EQ(weight.ndim, 2);
  EXPECT_EQ(weight.shape[0], -1);
  EXPECT_EQ(weight.shape[1], 2);
  EXPECT_EQ(weight.dtype.code, kDLFloat);
  EXPECT_EQ(weight.is_memref, 0);
  ASSERT_EQ(functions[0].num_results, 1);
  EXPECT_STREQ(functions[0].results[0].name, "out");
  const EmbeddingFunction &scalars = functions[2];
  EXPECT_EQ(scalars.arguments[0].ndim, -1);
  EXPECT_EQ(scalars.arguments[2].dtype.bits, 64);
  EXPECT_EQ(scalars.arguments[3].is_memref, 1);
  EXPECT_STREQ(scalars.results[1].name, "out1");
  EXPECT_EQ(scalars.results[1].ndim, 0);
}

// Both lowerings, and more threads than rows.
TEST(Module, CallsFunctions) {
  for (int32_t lowering :
       {EMBEDDING_LOWERING_OPTIMIZED, EMBEDDING_LOWERING_NAIVE}) {
    EngineOptions options = uncached(3);
    options.lowering = lowering;
    Engine engine(options);
    Module module(engine, kFunctions);
    std::vector<float> weight = {1, 2, 3, 4, 5, 6}, out(4);
    std::vector<int64_t> input = {2, 0};
    module.call(
        "lookup",
        {TensorView(weight.data(), {3, 2}), TensorView(input.data(), {2})},
        {TensorView(out.data(), {2, 2})});
    EXPECT_THAT(out, ElementsAre(5, 6, 1, 2));

    double sum = 0;
    int64_t size = 0;
    std::vector<double> to(6);
    module.call("scalars",
                {int32_t(-2), 0.5, int64_t(1), TensorView(to.data(), {3}, {2})},
                {TensorView(&sum, {}), TensorView(&size, {})});
    EXPECT_EQ(sum, -1.5);
    EXPECT_EQ(size, 3);
    EXPECT_THAT(to, ElementsAre(0, 0, -1.5, 0, 0, 0));
  }
}

// As C has it: an integer of whatever type holds the number.
TEST(Module, TakesIntegersThatFit) {
  Engine engine(uncached());
  Module module(engine, R"mlir(
    func.func @sum(%n: index, %s: i8, %u: ui8) -> i64 {
      %a = arith.index_cast %n : index to i64
      %b = arith.extsi %s : i8 to i64
      %c = builtin.unrealized_conversion_cast %u : ui8 to i8
      %d = arith.extui %c : i8 to i64
      %ab = arith.addi %a, %b : i64
      %sum = arith.addi %ab, %d : i64
      return %sum : i64
    }
    func.func @number(%x: f32) {
      return
    })mlir");
  int64_t sum = 0;
  TensorView out(&sum, {});
  module.call("sum", {1000, -128, 255}, {out});
  EXPECT_EQ(sum, 1000 - 128 + 255);
  module.call("sum", {-5, int64_t(127), uint64_t(0)}, {out});
  EXPECT_EQ(sum, -5 + 127);
  auto refuse = [&](const std::vector<Module::Argument> &arguments) {
    return getMessage([&] { module.call("sum", arguments, {out}); },
                      EMBEDDING_INVALID_ARGUMENT);
  };
  EXPECT_EQ(refuse({1, 128, 0}), "s: expected int8, but got int32 128");
  EXPECT_EQ(refuse({1, -129, 0}), "s: expected int8, but got int32 -129");
  EXPECT_EQ(refuse({1, 0, 256}), "u: expected uint8, but got int32 256");
  EXPECT_EQ(refuse({1, 0, -1}), "u: expected uint8, but got int32 -1");
  EXPECT_EQ(refuse({1, UINT64_MAX, 0}),
            "s: expected int8, but got uint64 18446744073709551615");
  EXPECT_EQ(refuse({1.5, 0, 0}), "n: expected int64, but got float64");
  EXPECT_EQ(refuse({out, 0, 0}), "n: expected int64, but got a tensor");
  auto number = [&](Module::Argument argument) {
    return getMessage([&] { module.call("number", {argument}); },
                      EMBEDDING_INVALID_ARGUMENT);
  };
  EXPECT_EQ(number(0.5), "x: expected float32, but got float64");
  EXPECT_EQ(number(1), "x: expected float32, but got int32 1");
}

// Bytes of 0 and 1, which are integers too.
TEST(Module, TakesMasks) {
  constexpr DLDataType kBool = {6, 8, 1};
  for (int32_t lowering :
       {EMBEDDING_LOWERING_OPTIMIZED, EMBEDDING_LOWERING_NAIVE}) {
    EngineOptions options = uncached();
    options.lowering = lowering;
    Engine engine(options);
    Module module(engine, R"mlir(
      func.func @choose(%mask: tensor<?xi1>, %a: tensor<?xf32>, %b: tensor<?xf32>)
          -> (tensor<?xf32>, tensor<?xi1>) {
        %chosen = arith.select %mask, %a, %b : tensor<?xi1>, tensor<?xf32>
        %is_greater = arith.cmpf ogt, %a, %b : tensor<?xf32>
        return %chosen, %is_greater : tensor<?xf32>, tensor<?xi1>
      }
      func.func @bytes(%x: tensor<?xi8>) {
        return
      })mlir");
    constexpr int64_t kSize = 67;
    std::vector<uint8_t> mask(kSize), isGreater(kSize, 2);
    std::vector<float> a(kSize), b(kSize, 7), chosen(kSize);
    for (int64_t i = 0; i < kSize; ++i) {
      mask[i] = i % 3 == 0;
      a[i] = static_cast<float>(i);
    }
    TensorView masks(mask.data(), kBool, {kSize});
    module.call(
        "choose",
        {masks, TensorView(a.data(), {kSize}), TensorView(b.data(), {kSize})},
        {TensorView(chosen.data(), {kSize}),
         TensorView(isGreater.data(), kBool, {kSize})});
    for (int64_t i = 0; i < kSize; ++i) {
      EXPECT_EQ(chosen[i], i % 3 == 0 ? a[i] : 7) << i;
      EXPECT_EQ(isGreater[i], i > 7) << i;
    }
    module.call("bytes", {masks});
    EXPECT_EQ(getMessage(
                  [&] {
                    TensorView bytes(mask.data(), {kSize});
                    TensorView floats(a.data(), {kSize});
                    module.call("choose", {bytes, floats, floats},
                                {floats, masks});
                  },
                  EMBEDDING_INVALID_ARGUMENT),
              "mask: expected bool, but got uint8");
  }
}

// What the function writes is a copy.
TEST(Module, LeavesTensorsAlone) {
  Engine engine(uncached());
  Module module(engine, kFunctions);
  std::vector<float> weight = {3, 4, 0, 2}, out(4);
  const std::vector<float> before = weight;
  std::vector<int64_t> input = {0};
  module.call(
      "renormed",
      {TensorView(weight.data(), {2, 2}), TensorView(input.data(), {1})},
      {TensorView(out.data(), {2, 2})});
  EXPECT_EQ(weight, before);
  EXPECT_FLOAT_EQ(out[0], 0.6f);
  EXPECT_EQ(out[3], 2);
}

TEST(Module, MakesResults) {
  Engine engine(uncached());
  Module module(engine, kFunctions);
  std::vector<float> weight = {1, 2, 3, 4};
  std::vector<int64_t> input = {1, 1, 0};
  std::vector<float> made;
  CallOptions options;
  options.make_result_context = &made;
  options.make_result = [](void *context, int64_t number, const DLTensor *like,
                           DLTensor *out) -> int32_t {
    EXPECT_EQ(number, 0);
    EXPECT_EQ(like->data, nullptr);
    EXPECT_EQ(like->ndim, 2);
    auto *made = static_cast<std::vector<float> *>(context);
    made->resize(like->shape[0] * like->shape[1]);
    out->data = made->data();
    return 0;
  };
  auto lookUp = [&] {
    module.call(
        "lookup",
        {TensorView(weight.data(), {2, 2}), TensorView(input.data(), {3})}, {},
        options);
  };
  lookUp();
  EXPECT_THAT(made, ElementsAre(3, 4, 3, 4, 1, 2));

  options.make_result = [](void *, int64_t, const DLTensor *, DLTensor *) {
    return int32_t(1);
  };
  EXPECT_EQ(getMessage(lookUp, EMBEDDING_OUT_OF_MEMORY),
            "out: no memory was made");

  // Of another shape than was asked for.
  std::vector<int64_t> shape = {2, 2};
  options.make_result_context = &shape;
  options.make_result = [](void *context, int64_t, const DLTensor *,
                           DLTensor *out) {
    static float memory[6];
    out->data = memory;
    out->shape = static_cast<std::vector<int64_t> *>(context)->data();
    return int32_t(0);
  };
  EXPECT_EQ(getMessage(lookUp, EMBEDDING_INVALID_ARGUMENT),
            "out: expected memory of shape [3, 2]");
}

static constexpr char kTraining[] = R"mlir(
func.func @dense_grad(%grad: memref<?x8xf32>, %input: memref<?xi64>,
                      %to: memref<?x8xf32>) {
  embedding.dense_grad ins(%grad, %input : memref<?x8xf32>, memref<?xi64>)
      outs(%to : memref<?x8xf32>)
  return
}
func.func @renorm(%weight: memref<?x8xf32>, %input: memref<?xi64>) {
  embedding.renorm max_norm(0.5) ins(%input : memref<?xi64>)
      outs(%weight : memref<?x8xf32>)
  return
}
func.func @renorm_lookup(%weight: memref<?x8xf32>, %input: memref<?xi64>,
                         %out: memref<?x8xf32>) {
  embedding.renorm_lookup max_norm(0.5) ins(%input : memref<?xi64>)
      outs(%weight, %out : memref<?x8xf32>, memref<?x8xf32>)
  return
}
func.func @coalesce(%input: memref<?xi64>, %values: memref<?x8xf32>, %v: index,
                    %rows: memref<?xi64>, %sums: memref<?x8xf32>,
                    %count: memref<i64>) {
  embedding.coalesce num_rows(%v)
      ins(%input, %values : memref<?xi64>, memref<?x8xf32>)
      outs(%rows, %sums, %count : memref<?xi64>, memref<?x8xf32>, memref<i64>)
  return
}
)mlir";

// Sizes decide in the code how positions are grouped. On either side of what
// they decide by, results have the bits of operations of the engine, which are
// compiled for one way; one row is named more often than a chunk is long.
TEST(Module, GroupsBySizes) {
  struct Sizes {
    int64_t numIndices, numRows;
  };
  // Of a scatter V / 2 <= N, of a counting sort V <= N, of a bitmap
  // V / 2048 <= N.
  const Sizes sizes[] = {{200, 199}, {200, 200}, {200, 201}, {200, 400},
                         {200, 401}, {200, 402}, {3, 8191},  {3, 8192},
                         {0, 5},     {1, 1}};
  for (int32_t threads : {1, 3}) {
    Engine engine(uncached(threads));
    Module module(engine, kTraining);
    for (auto [numIndices, numRows] : sizes) {
      std::mt19937 random(numIndices + numRows);
      std::vector<int64_t> input(numIndices);
      for (int64_t &index : input)
        index = random() % 4 == 0 ? random() % numRows : numRows / 2;
      auto makeRows = [&](int64_t count) {
        std::vector<float> rows(count * 8);
        for (float &element : rows)
          element = static_cast<float>(random() % 2001) / 1000 - 1;
        return rows;
      };
      auto view = [](std::vector<float> &rows) {
        return TensorView(rows.data(),
                          {static_cast<int64_t>(rows.size()) / 8, 8});
      };
      auto list = [](std::vector<int64_t> &list) {
        return TensorView(list.data(), {static_cast<int64_t>(list.size())});
      };
      SCOPED_TRACE(std::to_string(numIndices) + " of " +
                   std::to_string(numRows) + " rows");
      std::vector<float> grad = makeRows(numIndices);
      std::vector<float> expected(numRows * 8, 7), actual(numRows * 8, 9);
      engine.denseGrad(view(grad), list(input), view(expected));
      module.call("dense_grad", {view(grad), list(input), view(actual)}, {});
      EXPECT_EQ(actual, expected);

      std::vector<float> weight = makeRows(numRows), copy = weight;
      engine.renorm(view(weight), list(input), 0.5);
      module.call("renorm", {view(copy), list(input)}, {});
      EXPECT_EQ(copy, weight);

      std::vector<float> table = makeRows(numRows), out(numIndices * 8),
                         looked(numIndices * 8);
      copy = table;
      LookupOptions options;
      options.has_max_norm = 1;
      options.max_norm = 0.5;
      engine.lookup(view(table), list(input), view(out), options);
      module.call("renorm_lookup", {view(copy), list(input), view(looked)}, {});
      EXPECT_EQ(copy, table);
      EXPECT_EQ(looked, out);

      std::vector<int64_t> rows(numIndices), someRows(numIndices);
      std::vector<float> sums(numIndices * 8), someSums(numIndices * 8);
      int64_t count = -1, someCount = -1;
      engine.coalesce(list(input), view(grad), numRows, list(rows), view(sums),
                      &count);
      module.call("coalesce",
                  {list(input), view(grad), numRows, list(someRows),
                   view(someSums), TensorView(&someCount, {})},
                  {});
      EXPECT_EQ(someCount, count);
      EXPECT_EQ(someRows, rows);
      EXPECT_EQ(someSums, sums);
    }
  }
}

// What a function needs for a while is allocated at once, if it is there at
// once: what a scatter counts with; or groups, then what a sort needs, and then
// sums of chunks. An operation of the engine has all of it in one workspace.
TEST(Module, TemporariesAreFewAllocations) {
  Heap heap;
  Engine engine(heap.options());
  Module module(engine, kTraining);
  std::vector<float> grad(8 * 200, 1), to(8 * 5000), sums(8 * 200);
  std::vector<int64_t> input(200, 3), rows(200);
  int64_t count = 0;
  auto view = [](std::vector<float> &rows, int64_t numRows) {
    return TensorView(rows.data(), {numRows, 8});
  };
  auto list = [](std::vector<int64_t> &list) {
    return TensorView(list.data(), {200});
  };
  auto countAllocations = [&](const std::function<void()> &call) {
    int before = heap.allocations;
    call();
    EXPECT_EQ(heap.live, 0);
    return heap.allocations - before;
  };
  // A scatter and a sort.
  for (int64_t numRows : {200, 5000}) {
    EXPECT_EQ(countAllocations([&] {
                engine.denseGrad(view(grad, 200), list(input),
                                 view(to, numRows));
              }),
              1);
    EXPECT_EQ(countAllocations([&] {
                module.call("dense_grad",
                            {view(grad, 200), list(input), view(to, numRows)});
              }),
              numRows == 200 ? 1 : 3);
  }
  EXPECT_EQ(countAllocations(
                [&] { module.call("renorm", {view(to, 200), list(input)}); }),
            2);
  EXPECT_EQ(countAllocations([&] {
              module.call("coalesce",
                          {list(input), view(grad, 200), int64_t(200),
                           list(rows), view(sums, 200),
                           TensorView(&count, {})});
            }),
            3);
}

// What a function frees itself is free for what it allocates next, and is not
// freed twice; the rest goes when the function returns.
TEST(Module, FunctionsFreeTheirMemory) {
  Heap heap;
  Engine engine(heap.options());
  Module module(engine, R"mlir(
    func.func @sum(%x: memref<?xf32>, %n: index) -> f32 {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %zero = arith.constant 0.0 : f32
      %size = memref.dim %x, %c0 : memref<?xf32>
      %kept = memref.alloc(%size) : memref<?xf32>
      memref.copy %x, %kept : memref<?xf32> to memref<?xf32>
      %sum = scf.for %i = %c0 to %n step %c1 iter_args(%a = %zero) -> f32 {
        %freed = memref.alloc(%size) : memref<?xf32>
        memref.copy %kept, %freed : memref<?xf32> to memref<?xf32>
        %0 = memref.load %freed[%i] : memref<?xf32>
        memref.dealloc %freed : memref<?xf32>
        %next = memref.alloc(%size) : memref<?xf32>
        memref.copy %kept, %next : memref<?xf32> to memref<?xf32>
        %1 = memref.load %next[%i] : memref<?xf32>
        %2 = arith.addf %0, %1 : f32
        %3 = arith.addf %a, %2 : f32
        scf.yield %3 : f32
      }
      return %sum : f32
    })mlir");
  std::vector<float> x = {1, 2, 3, 4};
  for (int64_t n : {0, 1, 4, 4}) {
    heap.allocations = heap.most = 0;
    float sum = -1;
    module.call("sum", {TensorView(x.data(), {4}), n}, {TensorView(&sum, {})});
    EXPECT_EQ(sum, static_cast<float>(n * (n + 1)));
    EXPECT_EQ(heap.allocations, 1 + 2 * n);
    EXPECT_EQ(heap.most, n == 0 ? 1 : 2);
    EXPECT_EQ(heap.live, 0);
  }
}

// They come from the engine's pool, and go back to it.
TEST(Module, TemporariesArePooled) {
  EngineOptions options = uncached();
  Engine engine(options);
  Module module(engine, kTraining);
  std::vector<float> grad(8 * 20000, 1), to(8 * 20000);
  std::vector<int64_t> input(20000, 3);
  TensorView gradView(grad.data(), {20000, 8}), toView(to.data(), {20000, 8}),
      inputView(input.data(), {20000});
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, 0);
  module.call("dense_grad", {gradView, inputView, toView});
  int64_t idle = engine.statistics().idle_buffer_bytes;
  EXPECT_GT(idle, 8 * 20000);
  module.call("dense_grad", {gradView, inputView, toView});
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, idle);
  // What the function had serves the operation.
  engine.denseGrad(gradView, inputView, toView);
  EXPECT_EQ(engine.statistics().idle_buffer_bytes, idle);
}

static constexpr char kPlaced[] = R"mlir(
func.func @lookup(%weight: tensor<?x2xf32>, %input: tensor<?xi64>)
    -> tensor<?x2xf32> {
  %c0 = arith.constant 0 : index
  %size = tensor.dim %input, %c0 : tensor<?xi64>
  %init = tensor.empty(%size) : tensor<?x2xf32>
  %out = embedding.lookup ins(%weight, %input : tensor<?x2xf32>, tensor<?xi64>)
      outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %out : tensor<?x2xf32>
}
func.func @twice(%weight: tensor<?x2xf32>, %input: tensor<?xi64>)
    -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %out = call @lookup(%weight, %input)
      : (tensor<?x2xf32>, tensor<?xi64>) -> tensor<?x2xf32>
  return %out, %out : tensor<?x2xf32>, tensor<?x2xf32>
}
func.func @aligned(%x: f32) -> tensor<2xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %memory = memref.alloc() {alignment = 4096} : memref<2xf32>
  memref.store %x, %memory[%c0] : memref<2xf32>
  memref.store %x, %memory[%c1] : memref<2xf32>
  %out = bufferization.to_tensor %memory restrict : memref<2xf32> to tensor<2xf32>
  return %out : tensor<2xf32>
}
func.func @repeated(%n: index, %start: tensor<2xf32>) -> tensor<2xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %out = scf.for %i = %c0 to %n step %c1 iter_args(%last = %start) -> tensor<2xf32> {
    %init = tensor.empty() : tensor<2xf32>
    %next = linalg.add ins(%last, %last : tensor<2xf32>, tensor<2xf32>)
        outs(%init : tensor<2xf32>) -> tensor<2xf32>
    scf.yield %next : tensor<2xf32>
  }
  return %out : tensor<2xf32>
}
)mlir";

// A result is written where the caller wants it.
TEST(Module, ResultsAreWrittenInPlace) {
  Heap heap;
  Engine engine(heap.options());
  Module module(engine, kPlaced);
  std::vector<float> weight = {1, 2, 3, 4, 5, 6, 7, 8}, out(4), other(4);
  std::vector<int64_t> input = {2, 1};
  TensorView table(weight.data(), {4, 2}), indices(input.data(), {2});
  module.call("lookup", {table, indices}, {TensorView(out.data(), {2, 2})});
  EXPECT_THAT(out, ElementsAre(5, 6, 3, 4));
  EXPECT_EQ(heap.allocations, 0);

  // One buffer is two results: one of them is a copy.
  module.call(
      "twice", {table, indices},
      {TensorView(out.data(), {2, 2}), TensorView(other.data(), {2, 2})});
  EXPECT_THAT(out, ElementsAre(5, 6, 3, 4));
  EXPECT_EQ(other, out);
  EXPECT_EQ(heap.allocations, 0);
}

// Indices are looked at before results are written, and none is copied after a
// bad one.
TEST(Module, BadIndicesLeaveResultsAlone) {
  Engine engine(uncached());
  Module module(engine, R"mlir(
func.func @f(%weight: tensor<4x2xf32>, %input: tensor<2xi64>,
             %other: memref<2xf32>) -> (tensor<2x2xf32>, memref<2xf32>) {
  %init = tensor.empty() : tensor<2x2xf32>
  %out = embedding.lookup ins(%weight, %input : tensor<4x2xf32>, tensor<2xi64>)
      outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %out, %other : tensor<2x2xf32>, memref<2xf32>
}
)mlir");
  std::vector<float> weight = {1, 2, 3, 4, 5, 6, 7, 8}, out(4, -1);
  std::vector<float> other = {9, 10}, otherOut(2, -1);
  std::vector<int64_t> input = {2, 4};
  auto call = [&] {
    module.call(
        "f",
        {TensorView(weight.data(), {4, 2}), TensorView(input.data(), {2}),
         TensorView(other.data(), {2})},
        {TensorView(out.data(), {2, 2}), TensorView(otherOut.data(), {2})});
  };
  EXPECT_THAT(getMessage(call, EMBEDDING_OUT_OF_RANGE),
              HasSubstr("but got 4 at flat position 1"));
  EXPECT_THAT(out, ElementsAre(-1, -1, -1, -1));
  EXPECT_THAT(otherOut, ElementsAre(-1, -1));
  input[1] = 3;
  call();
  EXPECT_THAT(out, ElementsAre(5, 6, 7, 8));
  EXPECT_EQ(otherOut, other);
}

TEST(Module, ResultsMayNotFitTheirBuffers) {
  Heap heap;
  Engine engine(heap.options());
  Module module(engine, kPlaced);
  alignas(4096) float aligned[4096 / sizeof(float) + 2] = {};
  for (float *out : {aligned, aligned + 4096 / sizeof(float), aligned + 16}) {
    module.call("aligned", {1.5f}, {TensorView(out, {2})});
    EXPECT_EQ(out[0], 1.5f);
    EXPECT_EQ(out[1], 1.5f);
  }
  EXPECT_EQ(heap.allocations, 1);

  float start[] = {1, 2}, out[2];
  module.call("repeated", {int64_t(3), TensorView(start, {2})},
              {TensorView(out, {2})});
  EXPECT_EQ(out[0], 8);
  EXPECT_EQ(out[1], 16);
  EXPECT_EQ(start[0], 1);
  EXPECT_EQ(heap.live, 0);

  // The shape is looked at before anything is written.
  std::vector<float> weight = {1, 2}, wrong(6, 7);
  std::vector<int64_t> input = {0, 0};
  EXPECT_THAT(getMessage(
                  [&] {
                    module.call("lookup",
                                {TensorView(weight.data(), {1, 2}),
                                 TensorView(input.data(), {2})},
                                {TensorView(wrong.data(), {3, 2})});
                  },
                  EMBEDDING_INVALID_ARGUMENT),
              HasSubstr("out: expected shape [2, 2], but got [3, 2]"));
  EXPECT_EQ(wrong, std::vector<float>(6, 7));
}

// Names that begin as those of entries and of the runtime's functions do, and
// the mark of what is handed a result.
TEST(Module, NamesAreThePrograms) {
  Engine engine(uncached());
  Module module(engine, R"mlir(
memref.global "private" constant @embedding_allocate : memref<1xf32> = dense<3.0>
func.func @f(%x: f32) -> tensor<1xf32> {
  %a = func.call @embedding_entry_f(%x) : (f32) -> f32
  %b = func.call @embedding_take_result(%a) : (f32) -> f32
  %out = tensor.from_elements %b : tensor<1xf32>
  return %out : tensor<1xf32>
}
func.func @embedding_entry_f(%x: f32) -> f32 {
  %two = arith.constant 2.0 : f32
  %y = arith.mulf %x, %two : f32
  return %y : f32
}
func.func @f_caller(%x: f32) -> f32 {
  return %x : f32
}
func.func @_embedding_entry_f(%x: f32) -> f32 {
  return %x : f32
}
func.func @embedding_entry_f_caller(%x: f32) -> f32 {
  %y = func.call @embedding_entry_f(%x) : (f32) -> f32
  return %y : f32
}
func.func private @embedding_take_result(%x: f32) -> f32 {
  %c0 = arith.constant 0 : index
  %global = memref.get_global @embedding_allocate : memref<1xf32>
  %three = memref.load %global[%c0] : memref<1xf32>
  %y = arith.addf %x, %three : f32
  return %y : f32
}
func.func private @marked(%number: i64, %m: memref<?xf32>)
    attributes {embedding.result = 0 : i64, no_inline} {
  %c0 = arith.constant 0 : index
  %x = arith.constant 9.0 : f32
  memref.store %x, %m[%c0] : memref<?xf32>
  return
}
func.func @unmarked(%n: index, %m: index) -> tensor<?xf32> {
  %x = arith.constant 5.0 : f32
  %c0 = arith.constant 0 : i64
  %a = memref.alloc(%n) : memref<?xf32>
  linalg.fill ins(%x : f32) outs(%a : memref<?xf32>)
  %b = memref.alloc(%m) : memref<?xf32>
  linalg.fill ins(%x : f32) outs(%b : memref<?xf32>)
  func.call @marked(%c0, %b) : (i64, memref<?xf32>) -> ()
  %t = bufferization.to_tensor %a restrict : memref<?xf32> to tensor<?xf32>
  return %t : tensor<?xf32>
}
)mlir");
  float x = 5, out[4] = {};
  module.call("f", {1.f}, {TensorView(out, {1})});
  EXPECT_EQ(out[0], 5);
  for (const char *name : {"embedding_entry_f", "embedding_entry_f_caller"}) {
    module.call(name, {x}, {TensorView(out, {})});
    EXPECT_EQ(out[0], 10);
  }
  module.call("unmarked", {int64_t(4), int64_t(100000)},
              {TensorView(out, {4})});
  EXPECT_THAT(out, ElementsAre(5, 5, 5, 5));

  auto compile = [&](const char *ir) {
    return getMessage([&] { Module(engine, ir); }, EMBEDDING_COMPILER_ERROR);
  };
  EXPECT_EQ(compile(R"mlir(
func.func private @embedding_take_result_x(i64, memref<?xf32>) attributes {llvm.emit_c_interface}
func.func @f(%m: memref<?xf32>) {
  %c = arith.constant 1000000 : i64
  func.call @embedding_take_result_x(%c, %m) : (i64, memref<?xf32>) -> ()
  return
}
)mlir"),
            "line 2, column 1: expected no declaration of "
            "'embedding_take_result_x', since names that begin with "
            "'embedding_' are the runtime's");
}

// What a size is to be is said by the operation that wants it.
TEST(Module, SizesOfResults) {
  Engine engine(uncached());
  Module module(engine, R"mlir(
func.func @f(%n: index) -> tensor<4xf32> {
  %c = arith.constant 5.0 : f32
  %r = tensor.splat %c[%n] : tensor<?xf32>
  %k = tensor.cast %r : tensor<?xf32> to tensor<4xf32>
  return %k : tensor<4xf32>
}
)mlir");
  std::vector<float> out(4);
  module.call("f", {int64_t(4)}, {TensorView(out.data(), {4})});
  EXPECT_EQ(out, std::vector<float>(4, 5));
  for (int64_t size : {0, 3, 5})
    EXPECT_EQ(
        getMessage(
            [&] { module.call("f", {size}, {TensorView(out.data(), {4})}); },
            EMBEDDING_INVALID_ARGUMENT),
        "module:5:8: tensor.cast: expected dimension 0 of source to be 4, but "
        "got " +
            std::to_string(size));
}

TEST(TensorViews, HaveAsManyStridesAsSizes) {
  float data[12] = {};
  EXPECT_NO_THROW(TensorView(data, {4, 3}, {3, 1}));
  EXPECT_EQ(getMessage([&] { TensorView(data, {4, 3}, {3}); },
                       EMBEDDING_INVALID_ARGUMENT),
            "expected as many strides as sizes, 2, but got 1");
  EXPECT_EQ(getMessage([&] { TensorView(data, {6}, {1, 1}); },
                       EMBEDDING_INVALID_ARGUMENT),
            "expected as many strides as sizes, 1, but got 2");
}

TEST(Module, BadCalls) {
  Engine engine(uncached());
  Module module(engine, kFunctions);
  std::vector<float> weight = {1, 2, 3, 4}, out(2);
  std::vector<int64_t> input = {2};
  std::vector<double> wide(4);
  TensorView table(weight.data(), {2, 2}), rows(out.data(), {1, 2}),
      indices(input.data(), {1});
  auto fail = [&](const std::vector<Module::Argument> &arguments,
                  const std::vector<TensorView> &results) {
    return getMessage([&] { module.call("lookup", arguments, results); },
                      EMBEDDING_INVALID_ARGUMENT);
  };
  TensorView flat(weight.data(), {4}), strided(weight.data(), {1, 2}, {2, 2}),
      long2(out.data(), {2, 1});
  // Of a type that differs in one thing.
  for (auto [dtype, name] : {std::pair(kFloat64, "float64"),
                             {DLDataType{kDLInt, 32, 1}, "int32"},
                             {DLDataType{kDLFloat, 32, 2}, "float32x2"}}) {
    TensorView other(wide.data(), dtype, {2, 2});
    EXPECT_EQ(fail({other, indices}, {rows}),
              std::string("weight: expected float32, but got ") + name);
    TensorView otherRows(wide.data(), dtype, {1, 2});
    EXPECT_EQ(fail({table, indices}, {otherRows}),
              std::string("out: expected float32, but got ") + name);
  }
  EXPECT_EQ(fail({flat, indices}, {rows}),
            "weight: expected shape [?, 2], but got [4]");
  EXPECT_EQ(fail({strided, indices}, {rows}),
            "weight: expected a stride of 1 in dimension 1, but got 2");
  EXPECT_EQ(fail({table, indices}, {long2}),
            "out: expected shape [?, 2], but got [2, 1]");
  std::vector<char> bytes(40);
  TensorView oddTable(bytes.data() + 2, kFloat32, {2, 2}),
      oddIndices(bytes.data() + 4, DLDataType{kDLInt, 64, 1}, {1}),
      oddRows(bytes.data() + 1, kFloat32, {1, 2});
  EXPECT_EQ(fail({oddTable, indices}, {rows}),
            "weight: expected data aligned to its elements");
  EXPECT_EQ(fail({table, oddIndices}, {rows}),
            "input: expected data aligned to its elements");
  EXPECT_EQ(fail({table, indices}, {oddRows}),
            "out: expected data aligned to its elements");
  EXPECT_EQ(fail({table}, {rows}), "expected 2 arguments, but got 1");
  EXPECT_EQ(fail({table, indices}, {}), "expected 1 results, but got 0");
  EXPECT_EQ(fail({table, 1.0}, {rows}),
            "input: expected a tensor, but got float64");
  EXPECT_EQ(getMessage([&] { module.call("hidden", {}); },
                       EMBEDDING_INVALID_ARGUMENT),
            "module: no function 'hidden'");
  // Nothing where a value, a tensor or a result should be.
  Module scaling(engine, "func.func @f(%x: i64, %t: tensor<2xi64>) -> i64 {\n"
                         "  return %x : i64\n}");
  int64_t x = 1, result = 2;
  std::vector<int64_t> pair = {3, 4};
  TensorView pairView(pair.data(), {2}), scalar(&result, {});
  DLTensor dlPair = pairView.get(), dlScalar = scalar.get();
  const void *all[] = {&x, &dlPair, &dlScalar};
  for (auto [number, says] : {std::pair(0, "x: expected a value, but got null"),
                              {1, "t: expected a tensor, but got null"},
                              {2, "out: expected a tensor, but got null"}}) {
    const void *given[] = {all[0], all[1], all[2]};
    given[number] = nullptr;
    EmbeddingStatus status;
    EXPECT_EQ(
        embedding_module_call(scaling.get(), "f", given, nullptr, &status),
        EMBEDDING_INVALID_ARGUMENT);
    EXPECT_STREQ(status.message, says);
    EXPECT_EQ(result, 2);
  }
  // The shape of a result is known behind the call alone.
  input[0] = 1;
  std::vector<float> two(4);
  TensorView tooLong(two.data(), {2, 2});
  EXPECT_EQ(fail({table, indices}, {tooLong}),
            "out: expected shape [1, 2], but got [2, 2]");

  input[0] = 2;
  try {
    module.call("lookup", {table, indices}, {rows});
    FAIL();
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), EMBEDDING_OUT_OF_RANGE);
    EXPECT_EQ(error.position(), 0);
    EXPECT_EQ(error.index(), 2);
    EXPECT_EQ(error.count(), 1);
  }
}

// Results are copied when the function is done, one after the other.
TEST(Module, ResultsLieApart) {
  Engine engine(uncached());
  Module module(engine, R"mlir(
func.func @f(%a: tensor<?xf32>, %m: memref<?xf32, strided<[?]>>)
    -> (tensor<?xf32>, f32) {
  %c0 = arith.constant 0 : index
  %x = memref.load %m[%c0] : memref<?xf32, strided<[?]>>
  memref.store %x, %m[%c0] : memref<?xf32, strided<[?]>>
  return %a, %x : tensor<?xf32>, f32
}
func.func @g(%a: tensor<?xf32>, %x: f32) -> (f32, tensor<?xf32>) {
  return %x, %a : f32, tensor<?xf32>
}
)mlir");
  std::vector<float> memory = {1, 2, 3, 4, 5, 6, 7, 8};
  auto view = [&](int64_t at, int64_t size, int64_t stride = 1) {
    return TensorView(memory.data() + at, {size}, {stride});
  };
  auto scalar = [&](int64_t at) { return TensorView(memory.data() + at, {}); };
  auto fail = [&](const std::vector<Module::Argument> &arguments,
                  const std::vector<TensorView> &results) {
    std::vector<float> before(memory.begin(), memory.end());
    std::string message =
        getMessage([&] { module.call("f", arguments, results); },
                   EMBEDDING_INVALID_ARGUMENT);
    EXPECT_EQ(memory, before);
    return message;
  };
  EXPECT_EQ(fail({view(0, 2), view(2, 1)}, {view(0, 2), scalar(3)}),
            "out0: expected memory apart from that of a");
  EXPECT_EQ(fail({view(0, 2), view(2, 1)}, {view(1, 2), scalar(3)}),
            "out0: expected memory apart from that of a");
  EXPECT_EQ(fail({view(0, 2), view(2, 2, 2)}, {view(6, 2), scalar(2)}),
            "out1: expected memory apart from that of m");
  EXPECT_EQ(fail({view(0, 2), view(5, 1)}, {view(2, 2), scalar(3)}),
            "out1: expected memory apart from that of out0");
  // Whichever begins first.
  EXPECT_EQ(getMessage(
                [&] {
                  module.call("g", {view(0, 2), 1.0f}, {scalar(5), view(4, 2)});
                },
                EMBEDDING_INVALID_ARGUMENT),
            "out1: expected memory apart from that of out0");
  // In the gap of a memref.
  module.call("f", {view(0, 2), view(2, 2, 2)}, {view(6, 2), scalar(3)});
  EXPECT_THAT(memory, ElementsAre(1, 2, 3, 3, 5, 6, 1, 2));
  // Arguments may overlap.
  module.call("f", {view(0, 2), view(0, 2)}, {view(2, 2), scalar(4)});
  EXPECT_THAT(memory, ElementsAre(1, 2, 1, 2, 1, 6, 1, 2));
  // What has no elements lies apart from everything.
  module.call("f", {view(0, 0), view(0, 1)}, {view(0, 0), scalar(1)});
  EXPECT_THAT(memory, ElementsAre(1, 1, 1, 2, 1, 6, 1, 2));

  // What a caller makes when it is asked.
  CallOptions options;
  options.make_result_context = memory.data();
  options.make_result = [](void *context, int64_t, const DLTensor *,
                           DLTensor *out) {
    out->data = context;
    return int32_t(0);
  };
  auto failMaking = [&](const TensorView &m) {
    return getMessage([&] { module.call("f", {view(4, 2), m}, {}, options); },
                      EMBEDDING_INVALID_ARGUMENT);
  };
  EXPECT_EQ(failMaking(view(0, 1)),
            "out0: expected memory apart from that of m");
  EXPECT_EQ(failMaking(view(2, 1)),
            "out1: expected memory apart from that of out0");
}

// An assertion that fails ends the call, on whatever thread it is.
TEST(Module, Assertions) {
  Engine engine(uncached(3));
  Module module(engine, R"mlir(
func.func @positive(%x: i64, %to: memref<1xi64>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0 : i64
  %is_positive = arith.cmpi sgt, %x, %zero : i64
  cf.assert %is_positive, "expected a positive number"
  memref.store %x, %to[%c0] : memref<1xi64>
  return
}
func.func @all(%x: memref<?xi64>, %to: memref<1xi64>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0 : i64
  %size = memref.dim %x, %c0 : memref<?xi64>
  scf.forall (%i) in (%size) {
    %buffer = memref.alloc(%size) : memref<?xi64>
    %value = memref.load %x[%i] : memref<?xi64>
    memref.store %value, %buffer[%i] : memref<?xi64>
    %is_positive = arith.cmpi sgt, %value, %zero : i64
    cf.assert %is_positive, "in a loop"
  }
  %first = memref.load %x[%c0] : memref<?xi64>
  memref.store %first, %to[%c0] : memref<1xi64>
  return
}
)mlir");
  int64_t to = 0;
  for (int repeat = 0; repeat < 3; ++repeat) {
    EXPECT_EQ(getMessage(
                  [&] {
                    module.call("positive",
                                {int64_t(-1), TensorView(&to, {1})});
                  },
                  EMBEDDING_INVALID_ARGUMENT),
              "assertion failed: expected a positive number");
    EXPECT_EQ(to, 0);
  }
  module.call("positive", {int64_t(7), TensorView(&to, {1})});
  EXPECT_EQ(to, 7);
  std::vector<int64_t> values(1000, 1);
  TensorView all(values.data(), {1000}), done(&to, {1});
  module.call("all", {all, done});
  EXPECT_EQ(to, 1);
  // What is behind the loop is not reached.
  values[0] = 5;
  values[999] = -1;
  EXPECT_EQ(getMessage([&] { module.call("all", {all, done}); },
                       EMBEDDING_INVALID_ARGUMENT),
            "assertion failed: in a loop");
  EXPECT_EQ(to, 1);
  values[999] = 1;
  module.call("all", {all, done});
  EXPECT_EQ(to, 5);
}

// Code goes on after a bad index: what it meets then is not what is told.
TEST(Module, TellsTheFirstFailure) {
  Engine engine(uncached());
  Module module(engine, R"mlir(
func.func @lookup(%weight: memref<?x2xf32>, %input: memref<?xi64>, %x: i64,
                  %out: memref<?x2xf32>) {
  embedding.lookup ins(%weight, %input : memref<?x2xf32>, memref<?xi64>)
      outs(%out : memref<?x2xf32>)
  %zero = arith.constant 0 : i64
  %is_positive = arith.cmpi sgt, %x, %zero : i64
  cf.assert %is_positive, "behind the lookup"
  return
}
func.func @twice(%weight: memref<?x2xf32>, %first: memref<?xi64>,
                 %second: memref<?xi64>, %out: memref<?x2xf32>) {
  embedding.lookup ins(%weight, %first : memref<?x2xf32>, memref<?xi64>)
      outs(%out : memref<?x2xf32>)
  embedding.lookup ins(%weight, %second : memref<?x2xf32>, memref<?xi64>)
      outs(%out : memref<?x2xf32>)
  return
}
)mlir");
  std::vector<float> weight(4), out(2);
  int64_t index = 7;
  EXPECT_THAT(
      getMessage(
          [&] {
            module.call("lookup", {TensorView(weight.data(), {2, 2}),
                                   TensorView(&index, {1}), int64_t(-1),
                                   TensorView(out.data(), {1, 2})});
          },
          EMBEDDING_OUT_OF_RANGE),
      HasSubstr("module:4:3: embedding.lookup: indices: expected values "
                "in [0, 2), but got 7 at flat position 0 (1 out of "
                "range in all)"));
  int64_t other = -3;
  EXPECT_THAT(getMessage(
                  [&] {
                    module.call("twice", {TensorView(weight.data(), {2, 2}),
                                          TensorView(&index, {1}),
                                          TensorView(&other, {1}),
                                          TensorView(out.data(), {1, 2})});
                  },
                  EMBEDDING_OUT_OF_RANGE),
              HasSubstr("but got 7 at flat position 0 (1 out of range"));
}

// An operation of the engine and a function say the same of a bad index; a
// function adds where in its text.
TEST(Module, BadIndicesAreToldAsByOperations) {
  Engine engine(uncached());
  Module module(engine, kTraining);
  std::vector<float> grad(24, 1), to(32), sums(24);
  std::vector<int64_t> input = {1, -5, 4}, rows(3);
  int64_t count = 0;
  TensorView gradView(grad.data(), {3, 8}), toView(to.data(), {4, 8}),
      inputView(input.data(), {3}), rowsView(rows.data(), {3}),
      sumsView(sums.data(), {3, 8}), countView(&count, {});
  struct Case {
    const char *place;
    std::function<void()> eager, function;
  };
  const Case cases[] = {
      {"module:4:3: embedding.dense_grad: ",
       [&] { engine.denseGrad(gradView, inputView, toView); },
       [&] { module.call("dense_grad", {gradView, inputView, toView}); }},
      {"module:9:3: embedding.renorm: ",
       [&] { engine.renorm(toView, inputView, 0.5); },
       [&] { module.call("renorm", {toView, inputView}); }},
      {"module:22:3: embedding.coalesce: ",
       [&] {
         engine.coalesce(inputView, gradView, 4, rowsView, sumsView, &count);
       },
       [&] {
         module.call("coalesce", {inputView, gradView, int64_t(4), rowsView,
                                  sumsView, countView});
       }}};
  for (const auto &[place, eager, function] : cases) {
    std::string told = getMessage(eager, EMBEDDING_OUT_OF_RANGE);
    EXPECT_EQ(told, "indices: expected values in [0, 4), but got -5 at flat "
                    "position 1 (2 out of range in all)");
    EXPECT_EQ(getMessage(function, EMBEDDING_OUT_OF_RANGE), place + told);
  }
}

// Of parts of buffers that lie at other places and strides.
TEST(Module, CopiesParts) {
  Engine engine(uncached());
  Module module(engine, R"mlir(
func.func @copy(%from: memref<4x6xf32>, %row: index, %to: memref<5x7xf32>) {
  %part = memref.subview %from[%row, 1] [2, 3] [1, 2]
      : memref<4x6xf32> to memref<2x3xf32, strided<[6, 2], offset: ?>>
  %place = memref.subview %to[2, %row] [2, 3] [2, 1]
      : memref<5x7xf32> to memref<2x3xf32, strided<[14, 1], offset: ?>>
  memref.copy %part, %place
      : memref<2x3xf32, strided<[6, 2], offset: ?>>
        to memref<2x3xf32, strided<[14, 1], offset: ?>>
  return
}
)mlir");
  std::vector<float> from(24), to(35), expected(35);
  for (size_t i = 0; i < from.size(); ++i)
    from[i] = static_cast<float>(i);
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < 3; ++j)
      expected[(2 + 2 * i) * 7 + 2 + j] = from[(2 + i) * 6 + 1 + 2 * j];
  module.call("copy", {TensorView(from.data(), {4, 6}), int64_t(2),
                       TensorView(to.data(), {5, 7})});
  EXPECT_EQ(to, expected);
}

// What is returned may begin in the midst of a buffer.
TEST(Module, ReturnsPartsOfBuffers) {
  Engine engine(uncached());
  Module module(engine, R"mlir(
func.func @part(%m: memref<?xf32>, %from: index, %n: index)
    -> memref<?xf32, strided<[1], offset: ?>> {
  %part = memref.subview %m[%from] [%n] [1]
      : memref<?xf32> to memref<?xf32, strided<[1], offset: ?>>
  return %part : memref<?xf32, strided<[1], offset: ?>>
}
)mlir");
  std::vector<float> m = {1, 2, 3, 4, 5, 6, 7, 8}, out(2);
  module.call("part", {TensorView(m.data(), {8}), int64_t(5), int64_t(2)},
              {TensorView(out.data(), {2})});
  EXPECT_THAT(out, ElementsAre(6, 7));

  for (const char *type :
       {"memref<?xf32, strided<[?], offset: ?>>", "memref<2xf32, strided<[2]>>",
        "memref<?x3xf32, strided<[4, 1]>>", "memref<2x?xf32, strided<[3, 1]>>"})
    EXPECT_THAT(
        getMessage(
            [&] {
              Module(engine, std::string("func.func @f(%m: ") + type + ") -> " +
                                 type + " {\n  return %m : " + type + "\n}");
            },
            EMBEDDING_COMPILER_ERROR),
        HasSubstr(std::string("expected results to be contiguous, but got '") +
                  type));
  // The stride of one element is no one's.
  for (const char *type : {"memref<?x3xf32, strided<[3, 1], offset: ?>>",
                           "memref<1x3xf32, strided<[7, 1]>>",
                           "memref<3x1xf32, strided<[1, 7]>>"}) {
    SCOPED_TRACE(type);
    Module whole(engine, std::string("func.func @f(%m: ") + type + ") -> " +
                             type + " {\n  return %m : " + type + "\n}");
    std::vector<float> from = {1, 2, 3}, to(3);
    std::vector<int64_t> shape = {1, 3};
    if (std::string(type).find("3x1x") != std::string::npos)
      std::swap(shape[0], shape[1]);
    whole.call("f", {TensorView(from.data(), shape)},
               {TensorView(to.data(), shape)});
    EXPECT_EQ(to, from);
  }
}

TEST(Module, ReturnsTensorsOfManyDimensions) {
  Engine engine(uncached());
  Module module(engine, R"mlir(
func.func @same(%m: memref<2x?x3xi16>) -> memref<2x?x3xi16> {
  return %m : memref<2x?x3xi16>
}
)mlir");
  std::vector<int16_t> from(2 * 4 * 3), to(from.size() + 1, -1);
  std::iota(from.begin(), from.end(), 0);
  module.call("same", {TensorView(from.data(), {2, 4, 3})},
              {TensorView(to.data(), {2, 4, 3})});
  EXPECT_EQ(to.back(), -1);
  to.pop_back();
  EXPECT_EQ(to, from);
}

// What the type of a function says of strides and signs.
TEST(Module, StridesAndSigns) {
  Engine engine(uncached());
  Module module(engine, R"mlir(
func.func @fixed(%from: memref<?x?xui8, strided<[5, 1]>>, %to: memref<1xui8>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = memref.load %from[%c0, %c1] : memref<?x?xui8, strided<[5, 1]>>
  memref.store %x, %to[%c0] : memref<1xui8>
  return
}
func.func @compact(%from: memref<?x?xi8>, %to: memref<1xi64>) {
  %c0 = arith.constant 0 : index
  %b, %o, %s:2, %t:2 = memref.extract_strided_metadata %from
      : memref<?x?xi8> -> memref<i8>, index, index, index, index, index
  %stride = arith.index_cast %t#0 : index to i64
  memref.store %stride, %to[%c0] : memref<1xi64>
  return
}
)mlir");
  std::vector<uint8_t> bytes = {1, 2, 3, 4, 5, 6, 7, 8};
  uint8_t to = 0;
  int64_t stride = 0;
  // One row has any stride; several have the function's.
  module.call("fixed", {TensorView(bytes.data(), {1, 2}, {99, 1}),
                        TensorView(&to, {1}, {7})});
  EXPECT_EQ(to, 2);
  module.call("fixed",
              {TensorView(bytes.data(), {2, 2}, {5, 1}), TensorView(&to, {1})});
  EXPECT_EQ(getMessage(
                [&] {
                  module.call("fixed",
                              {TensorView(bytes.data(), {2, 2}, {4, 1}),
                               TensorView(&to, {1})});
                },
                EMBEDDING_INVALID_ARGUMENT),
            "from: expected a stride of 5 in dimension 0, but got 4");
  // Signed where the type says unsigned; either where it says neither.
  EXPECT_EQ(
      getMessage(
          [&] {
            module.call(
                "fixed",
                {TensorView(reinterpret_cast<int8_t *>(bytes.data()), {1, 2}),
                 TensorView(&to, {1})});
          },
          EMBEDDING_INVALID_ARGUMENT),
      "from: expected uint8, but got int8");
  for (DLDataType type :
       {DLDataType{kDLInt, 8, 1}, DLDataType{kDLUInt, 8, 1}}) {
    stride = 0;
    module.call("compact", {TensorView(bytes.data(), type, {1, 4}, {99, 1}),
                            TensorView(&stride, {1})});
    // Code that was told that memory is compact may ask.
    EXPECT_EQ(stride, 4);
  }
}

TEST(Module, BadModules) {
  Engine engine(uncached());
  auto fail = [&](const char *ir) {
    return getMessage([&] { Module module(engine, ir); },
                      EMBEDDING_COMPILER_ERROR);
  };
  EXPECT_THAT(fail("func.func @f(%a: tensor<2xf32>) {\n  return %b : f32\n}"),
              HasSubstr("line 2, column 10: use of undeclared SSA value"));
  EXPECT_THAT(fail("func.func @f(%a: tensor<*xf32>) {\n  return\n}"),
              HasSubstr("line 1, column 1: cannot be called from outside"));
  // A DLTensor has no place for it.
  EXPECT_THAT(
      fail("func.func @f(%a: memref<4xf32, strided<[1], offset: 3>>) {\n"
           "  return\n}"),
      HasSubstr("cannot be called from outside"));
  std::string deep = "func.func @f(%a: tensor<";
  for (int dim = 0; dim < 33; ++dim)
    deep += "1x";
  EXPECT_THAT(fail((deep + "f32>) {\n  return\n}").c_str()),
              HasSubstr("cannot be called from outside"));
  EXPECT_EQ(fail(""), "there is no public function");
  // The first of two.
  EXPECT_EQ(fail("func.func @f() -> index {\n"
                 "  %0 = gpu.thread_id x\n"
                 "  %1 = gpu.block_id x\n"
                 "  %2 = arith.addi %0, %1 : index\n"
                 "  return %2 : index\n}"),
            "line 2, column 8: 'gpu.thread_id' op is left by the pipeline: no "
            "conversion to the LLVM dialect takes it");
  auto *module = reinterpret_cast<EmbeddingModule *>(&deep);
  EXPECT_EQ(
      embedding_module_compile(engine.get(), "", 0, nullptr, &module, nullptr),
      EMBEDDING_COMPILER_ERROR);
  EXPECT_EQ(module, nullptr);
  // Its code is there, and what it calls is not.
  EXPECT_EQ(fail("func.func private @nobodys(%a: i64) -> i64\n"
                 "func.func @f(%a: i64) -> i64 {\n"
                 "  %0 = func.call @nobodys(%a) : (i64) -> i64\n"
                 "  return %0 : i64\n}"),
            "cannot link: undefined symbol: nobodys");
  EXPECT_THAT(fail(R"mlir(
memref.global "private" @x : memref<1073741824xf32> = uninitialized
func.func @f(%i: index, %v: f32) -> f32 {
  %x = memref.get_global @x : memref<1073741824xf32>
  %0 = memref.load %x[%i] : memref<1073741824xf32>
  memref.store %v, %x[%i] : memref<1073741824xf32>
  return %0 : f32
}
)mlir"),
              HasSubstr("out of range"));
  EXPECT_EQ(
      embedding_module_compile(engine.get(), "", 0, nullptr, nullptr, nullptr),
      EMBEDDING_INVALID_ARGUMENT);
  ModuleOptions options;
  options.device = {kDLMetal, 0};
  EXPECT_THAT(getMessage([&] { Module module(engine, kFunctions, options); },
                         EMBEDDING_INVALID_ARGUMENT),
              HasSubstr("expected a device of type kDLCPU or kDLCUDA"));
  embedding_module_destroy(nullptr);
}

// Another engine finds it; damage is found too.
static std::string errorOfModule(const std::string &ir) {
  Engine engine(uncached());
  return getMessage([&] { Module(engine, ir); }, EMBEDDING_COMPILER_ERROR);
}

static std::string repeat(std::string_view text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i)
    all += text;
  return all;
}

// What would end the process, were it compiled in it.
TEST(Module, RefusesWhatLLVMDoesNotExpect) {
  EXPECT_THAT(
      errorOfModule("func.func @f(%t: memref<?x4611686018427387904xf32>, "
                    "%i: memref<?xi64>, "
                    "%o: memref<?x4611686018427387904xf32>) {\n"
                    "  embedding.lookup ins(%t, %i : "
                    "memref<?x4611686018427387904xf32>, memref<?xi64>) "
                    "outs(%o : memref<?x4611686018427387904xf32>)\n"
                    "  return\n}"),
      HasSubstr("expected operand #0 to have fewer than 2^63 bytes"));
  EXPECT_THAT(errorOfModule("func.func @f() -> index {\n"
                            "  %0 = vector.vscale\n"
                            "  return %0 : index\n}"),
              HasSubstr("expected no scalable vectors"));
  EXPECT_THAT(errorOfModule("func.func @f(%a: memref<4xf32>) {\n"
                            "  memref.dealloc %a : memref<4xf32>\n"
                            "  return\n}"),
              HasSubstr("line 2, column 3: expected to deallocate what a "
                        "'memref.alloc' of the same block allocates"));
  EXPECT_THAT(
      errorOfModule("func.func @f(%x: i64) -> tensor<4611686018427387904xi8> "
                    "{\n  %0 = arith.constant dense<1> : "
                    "tensor<4611686018427387904xi8>\n"
                    "  return %0 : tensor<4611686018427387904xi8>\n}"),
      HasSubstr("expected a constant of at most 1 GiB"));
  EXPECT_THAT(errorOfModule("func.func @f(%x: i64) {\n"
                            "  llvm.inline_asm has_side_effects "
                            "\"no such instruction\", \"\" : () -> ()\n"
                            "  return\n}"),
              HasSubstr("LLVM's code generator failed: "));
}

TEST(Module, RefusesDeepNesting) {
  EXPECT_EQ(errorOfModule("// [[[ \n\"" + repeat("[", 100000) + "\" " +
                          repeat("[", 100000)),
            "line 2, column 101004: expected brackets and signs to be nested "
            "at most 1000 deep");
  std::string signs =
      "func.func private @f() attributes {a = affine_map<() -> (";
  EXPECT_EQ(errorOfModule(signs + repeat("- ", 2000000) + "1)>}"),
            "line 1, column 2052: expected brackets and signs to be nested at "
            "most 1000 deep");
  Engine engine(uncached());
  Module module(engine, "func.func @f(%x: i64) -> i64 attributes {a = " +
                            repeat("[", 900) + repeat("]", 900) +
                            "} {\n  return %x : i64\n}");
  EXPECT_EQ(module.functions().size(), 1u);
  // What is in strings and comments, or closed before, is in nothing.
  std::string many = repeat("[", 2000);
  for (const std::string &text :
       {R"("\")" + many + R"(\\" // )" + many, R"("\22" // \" )" + many,
        "\"" + many + "\"", repeat("[], ", 2000) + "1",
        repeat("-1, ", 2000) + "1"})
    EXPECT_NO_THROW(Module(engine, "func.func @f(%x: i64) -> i64 attributes {"
                                   "a = [" +
                                       text + "\n]} {\n  return %x : i64\n}"))
        << text.substr(0, 20);
}

// LLVM aborts over what another target has, and not this process.
TEST(Module, CompilerEndsAlone) {
  EXPECT_EQ(errorOfModule(R"mlir(
llvm.func @thread() -> i32 {
  %0 = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"() : () -> i32
  llvm.return %0 : i32
}
func.func @f() -> i64 {
  %0 = llvm.mlir.addressof @thread : !llvm.ptr
  %1 = llvm.ptrtoint %0 : !llvm.ptr to i64
  return %1 : i64
}
)mlir"),
            "compiler: it ended by signal 6, Aborted without an answer: LLVM "
            "ERROR: Cannot select: intrinsic "
            "%llvm.nvvm.read.ptx.sreg.tid.x");
  Engine engine(uncached());
  Module module(engine, kFunctions);
  EXPECT_EQ(module.functions().size(), 3u);
}

// Functions of the C library are there to be called, as in C.
TEST(Module, CallsTheCLibrary) {
  Engine engine(uncached());
  Module module(engine, R"mlir(
func.func private @labs(i64) -> i64
func.func private @ldexp(f64, i32) -> f64
func.func private @__popcountdi2(i64) -> i32
func.func @f(%x: i64, %y: f64, %to: memref<2xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %abs = func.call @labs(%x) : (i64) -> i64
  %count = func.call @__popcountdi2(%abs) : (i64) -> i32
  %scaled = func.call @ldexp(%y, %count) : (f64, i32) -> f64
  %root = math.exp %y : f64
  memref.store %scaled, %to[%c0] : memref<2xf64>
  memref.store %root, %to[%c1] : memref<2xf64>
  return
}
)mlir");
  std::vector<double> to(2);
  module.call("f", {int64_t(-7), 1.5, TensorView(to.data(), {2})});
  EXPECT_THAT(to, ElementsAre(12, std::exp(1.5)));
}

// Files in memory have the limit of files on disk. What does not fit is an
// error, and not the end of the process; the child has a limit of its own.
TEST(Module, FilesAreLimited) {
  if (kIsThreadSanitized)
    GTEST_SKIP() << "ThreadSanitizer writes files";
  Engine engine(uncached());
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto compileWithin = [&](rlim_t bytes) {
    rlimit limit = {bytes, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    std::string message;
    try {
      Module module(engine, kFunctions);
    } catch (const Error &error) {
      message = error.what();
    }
    setrlimit(RLIMIT_FSIZE, &before);
    return message;
  };
  // What crosses is the text and little more.
  std::string expected = "compiler: expected the limit of the size of files to "
                         "be at least that of what is compiled, ";
  std::string message = compileWithin(std::string_view(kFunctions).size());
  ASSERT_THAT(message, HasSubstr(expected));
  size_t size = std::stoul(message.substr(expected.size()));
  EXPECT_EQ(compileWithin(size - 1), message);
  if (before.rlim_max == RLIM_INFINITY) {
    EXPECT_THAT(compileWithin(size),
                HasSubstr("expected the limit of the size of files to be at "
                          "least that of the code, "));
    EXPECT_EQ(compileWithin(1 << 20), "");
  }
}

TEST(Module, CompilerIsMissing) {
  EngineOptions options = uncached();
  options.compiler_library = "/nonexistent/libembedding-compiler.so";
  Engine engine(options);
  EXPECT_THAT(
      getMessage([&] { Module(engine, kFunctions); }, EMBEDDING_COMPILER_ERROR),
      HasSubstr("/nonexistent/libembedding-compiler.so"));
}

TEST(Module, IsKeptOnDisk) {
  TemporaryDirectory directory;
  EngineOptions options;
  std::string path = directory.str();
  options.cache_dir = path.c_str();
  auto run = [&] {
    Engine engine(options);
    Module module(engine, kFunctions);
    std::vector<float> weight = {1, 2, 3, 4}, out(2);
    std::vector<int64_t> input = {1};
    module.call(
        "lookup",
        {TensorView(weight.data(), {2, 2}), TensorView(input.data(), {1})},
        {TensorView(out.data(), {1, 2})});
    EXPECT_THAT(out, ElementsAre(3, 4));
    return engine.statistics();
  };
  EXPECT_EQ(run().kernels_compiled, 1);
  EmbeddingEngineStatistics again = run();
  EXPECT_EQ(again.kernels_compiled, 0);
  EXPECT_EQ(again.kernels_loaded, 1);

  for (const auto &file : std::filesystem::directory_iterator(path)) {
    std::fstream stream(file.path(),
                        std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(-100, std::ios::end);
    stream.put('?');
  }
  EmbeddingEngineStatistics damaged = run();
  EXPECT_EQ(damaged.kernels_compiled, 1);
  EXPECT_EQ(damaged.objects_rejected, 1);
}

namespace {

/// The instructions of the module that an engine with `options` has compiled.
std::string disassemble(EngineOptions options,
                        const std::function<void(Engine &)> &compile) {
  TemporaryDirectory directory;
  std::string path = directory.str();
  options.cache_dir = path.c_str();
  Engine engine(options);
  compile(engine);
  std::string bytes;
  for (const auto &file : std::filesystem::directory_iterator(path)) {
    std::ifstream stream(file.path(), std::ios::binary);
    bytes.append(std::istreambuf_iterator<char>(stream), {});
  }
  size_t begin = bytes.find("\x7f"
                            "ELF");
  EXPECT_NE(begin, std::string::npos);
  std::string object = path + "/module.o", text = path + "/module.s";
  std::ofstream(object, std::ios::binary) << bytes.substr(begin);
  std::string command = "llvm-objdump-22 -d " + object + " > " + text;
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ifstream stream(text);
  return {std::istreambuf_iterator<char>(stream), {}};
}

} // namespace

// What tests compare with is lowered element by element.
TEST(Module, NaiveModules) {
  std::vector<float> table(128, 1), out(64);
  int64_t index = 0;
  const std::function<void(Engine &)> compilations[] = {
      [](Engine &engine) { Module module(engine, kFunctions); },
      [&](Engine &engine) {
        engine.lookup(TensorView(table.data(), {2, 64}),
                      TensorView(&index, {1}), TensorView(out.data(), {1, 64}));
      }};
  for (const auto &compile : compilations) {
    EngineOptions options = uncached();
    EXPECT_THAT(disassemble(options, compile), HasSubstr("prefetch"));
    options.lowering = EMBEDDING_LOWERING_NAIVE;
    std::string naive = disassemble(options, compile);
    EXPECT_THAT(naive, HasSubstr("ret"));
    EXPECT_THAT(naive, testing::Not(HasSubstr("prefetch")));
  }
}

// Whichever threads want it, and whoever else has it.
TEST(Module, IsCompiledOnce) {
  Engine engine(uncached());
  std::string other = std::string(kFunctions) + "// Another text.";
  std::array<std::optional<Module>, 8> modules;
  runThreads(8, [&](int i) {
    modules[i].emplace(engine, i % 2 ? kFunctions : other);
  });
  EXPECT_EQ(engine.statistics().kernels_compiled, 2);
  Module again(engine, kFunctions);
  EXPECT_EQ(engine.statistics().kernels_compiled, 2);
  // An error is that of all who wait, and is tried again.
  for (int repeat = 0; repeat < 2; ++repeat)
    runThreads(3, [&](int) {
      EXPECT_THAT(getMessage([&] { Module(engine, "func.func @f() {"); },
                             EMBEDDING_COMPILER_ERROR),
                  HasSubstr("line 1"));
    });
  // Other options are other code.
  ModuleOptions assuming;
  assuming.assume_sizes = 1;
  Module assumed(engine, kFunctions, assuming);
  EXPECT_EQ(engine.statistics().kernels_compiled, 3);
  // It goes with the last who has it.
  for (std::optional<Module> &module : modules)
    module.reset();
  Module fresh(engine, other);
  EXPECT_EQ(engine.statistics().kernels_compiled, 4);
}

static constexpr char kAnyRows[] = R"mlir(
func.func @dense_grad(%grad: memref<?x?xf32>, %input: memref<?xi64>,
                      %to: memref<?x?xf32, strided<[?, 1]>>) {
  embedding.dense_grad ins(%grad, %input : memref<?x?xf32>, memref<?xi64>)
      outs(%to : memref<?x?xf32, strided<[?, 1]>>)
  return
}
func.func @lookup(%weight: tensor<?x?xf32>, %input: tensor<?x?xi64>)
    -> tensor<?x?x?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %input, %c0 : tensor<?x?xi64>
  %m = tensor.dim %input, %c1 : tensor<?x?xi64>
  %d = tensor.dim %weight, %c1 : tensor<?x?xf32>
  %init = tensor.empty(%n, %m, %d) : tensor<?x?x?xf32>
  %out = embedding.lookup ins(%weight, %input : tensor<?x?xf32>, tensor<?x?xi64>)
      outs(%init : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  return %out : tensor<?x?x?xf32>
}
func.func @called(%weight: memref<?x?xf32>, %input: memref<?xi64>,
                  %out: memref<?x?xf32>) {
  embedding.lookup ins(%weight, %input : memref<?x?xf32>, memref<?xi64>)
      outs(%out : memref<?x?xf32>)
  return
}
func.func @caller(%weight: memref<?x?xf32>, %input: memref<?xi64>,
                  %out: memref<?x?xf32>) {
  call @called(%weight, %input, %out)
      : (memref<?x?xf32>, memref<?xi64>, memref<?x?xf32>) -> ()
  return
}
)mlir";

namespace {

/// Rows of a length that a type may leave open.
struct AnyRows {
  explicit AnyRows(int64_t length, int64_t outLength = -1)
      : length(length), outLength(outLength < 0 ? length : outLength) {
    for (size_t i = 0; i < grad.size(); ++i)
      grad[i] = static_cast<float>(i % 7);
  }

  void call(const Module &module) {
    module.call("dense_grad", {TensorView(grad.data(), {3, length}),
                               TensorView(input.data(), {3}), toView()});
  }
  TensorView toView() { return TensorView(to.data(), {4, outLength}); }

  int64_t length, outLength;
  std::vector<float> grad = std::vector<float>(3 * length);
  std::vector<float> to = std::vector<float>(4 * outLength, 9);
  std::vector<int64_t> input = {1, 3, 1};
};

} // namespace

// A length of rows that the type leaves open is known to the code that runs: it
// is compiled once for each length, as an operation of the engine is.
TEST(Module, CodeKnowsTheLengthOfRows) {
  TemporaryDirectory directory;
  std::string path = directory.str();
  EngineOptions options = uncached();
  options.cache_dir = path.c_str();
  Engine eager(uncached());
  for (int64_t fromDisk : {0, 1}) {
    Engine engine(options);
    auto countMade = [&] {
      return fromDisk ? engine.statistics().kernels_loaded
                      : engine.statistics().kernels_compiled;
    };
    Module module(engine, kAnyRows);
    EXPECT_EQ(countMade(), 1);
    // Rows without elements, and long ones, have the code for any length.
    int64_t made = 1;
    for (int64_t length : {8, 8, 5, 8, 5, 0, 1 << 15}) {
      AnyRows actual(length), expected(length);
      actual.call(module);
      eager.denseGrad(TensorView(expected.grad.data(), {3, length}),
                      TensorView(expected.input.data(), {3}),
                      expected.toView());
      EXPECT_EQ(actual.to, expected.to) << length;
      made = std::max(made, int64_t(length == 8 ? 2 : length == 5 ? 3 : 0));
      EXPECT_EQ(countMade(), made) << length;
    }
    std::vector<float> weight = {1, 2, 3, 4, 5, 6}, out(6);
    std::vector<int64_t> input = {1, 0};
    module.call(
        "lookup",
        {TensorView(weight.data(), {2, 3}), TensorView(input.data(), {2, 1})},
        {TensorView(out.data(), {2, 1, 3})});
    EXPECT_THAT(out, ElementsAre(4, 5, 6, 1, 2, 3));
    EXPECT_EQ(countMade(), 4);
    // What others call keeps its type, and what calls it has no rows itself.
    for (const char *name : {"called", "caller"}) {
      module.call(name, {TensorView(weight.data(), {2, 3}),
                         TensorView(input.data(), {2}),
                         TensorView(out.data(), {2, 3})});
      EXPECT_THAT(out, ElementsAre(4, 5, 6, 1, 2, 3));
    }
    EXPECT_EQ(countMade(), 4);
    EXPECT_EQ(engine.statistics().kernels_compiled, fromDisk ? 0 : 4);
  }
}

// Whichever threads want it; and lengths that do not fit each other, which do
// not compile, are told as where the lengths are not known.
TEST(Module, LengthsOfRowsAreCompiledOnce) {
  Engine engine(uncached());
  Module module(engine, kAnyRows);
  runThreads(8, [&](int i) {
    AnyRows rows(3 + i % 2);
    rows.call(module);
    EXPECT_EQ(rows.to[rows.length], rows.grad[0] + rows.grad[2 * rows.length]);
  });
  EXPECT_EQ(engine.statistics().kernels_compiled, 3);
  for (int repeat = 0; repeat < 2; ++repeat)
    EXPECT_THAT(getMessage([&] { AnyRows(6, 5).call(module); },
                           EMBEDDING_INVALID_ARGUMENT),
                HasSubstr("embedding.dense_grad: expected dimension 1 of "));
  EXPECT_EQ(engine.statistics().kernels_compiled, 3);
}

// All of them count, whichever changes.
TEST(Module, LengthsOfRowsOfTwoTables) {
  Engine engine(uncached());
  Module module(engine, R"mlir(
func.func @two(%a: memref<?x?xf32>, %b: memref<?x?xf32>, %input: memref<?xi64>,
               %to_a: memref<?x?xf32>, %to_b: memref<?x?xf32>) {
  embedding.lookup ins(%a, %input : memref<?x?xf32>, memref<?xi64>)
      outs(%to_a : memref<?x?xf32>)
  embedding.lookup ins(%b, %input : memref<?x?xf32>, memref<?xi64>)
      outs(%to_b : memref<?x?xf32>)
  return
}
)mlir");
  int64_t made = 1, index = 1;
  std::set<std::pair<int64_t, int64_t>> known;
  for (auto [a, b] :
       {std::pair(3, 4), {3, 5}, {4, 4}, {4, 3}, {3, 4}, {4, 4}}) {
    SCOPED_TRACE(std::to_string(a) + " and " + std::to_string(b));
    std::vector<float> tableA(2 * a, 1), tableB(2 * b, 2), toA(a), toB(b);
    module.call("two", {TensorView(tableA.data(), {2, a}),
                        TensorView(tableB.data(), {2, b}),
                        TensorView(&index, {1}), TensorView(toA.data(), {1, a}),
                        TensorView(toB.data(), {1, b})});
    EXPECT_EQ(toA, std::vector<float>(a, 1));
    EXPECT_EQ(toB, std::vector<float>(b, 2));
    made += known.insert({a, b}).second;
    EXPECT_EQ(engine.statistics().kernels_compiled, made);
  }
}

// Who calls with ever new lengths gets the code for any length in the end.
TEST(Module, LengthsOfRowsAreFew) {
  Engine engine(uncached());
  Module module(engine, kAnyRows);
  for (int64_t length = 1; length <= 20; ++length) {
    AnyRows rows(length);
    rows.call(module);
    EXPECT_EQ(rows.to[length], rows.grad[0] + rows.grad[2 * length]);
  }
  EXPECT_EQ(engine.statistics().kernels_compiled, 1 + 16);
}

// Threads that have a new length each add its code to a module at the same
// moment. It is there already, so that they do not wait for each other;
// ThreadSanitizer sees what no lock keeps apart.
TEST(Module, LengthsOfRowsOfManyThreads) {
  constexpr int kThreads = 4;
  Engine engine(uncached());
  Module keeper(engine, kAnyRows);
  for (int i = 0; i < kThreads; ++i)
    AnyRows(3 + i).call(keeper);
  for (int repeat = 0; repeat < 200; ++repeat) {
    Module module(engine, kAnyRows);
    runThreads(kThreads, [&](int i) {
      AnyRows rows(3 + i);
      for (int call = 0; call < 2; ++call)
        rows.call(module);
      EXPECT_EQ(rows.to[rows.length],
                rows.grad[0] + rows.grad[2 * rows.length]);
    });
  }
  EXPECT_EQ(engine.statistics().kernels_compiled, 1 + kThreads);
}

TEST(Module, Threads) {
  Engine engine(uncached(2));
  Module module(engine, kFunctions);
  std::vector<std::thread> threads;
  for (int64_t thread = 0; thread < 4; ++thread)
    threads.emplace_back([&module, thread] {
      std::vector<float> weight(8, 1), out(2);
      for (int64_t row = 0; row < 4; ++row)
        weight[2 * row] = row + 4 * thread;
      for (int64_t i = 0; i < 100; ++i) {
        std::vector<int64_t> input = {i % 4};
        TensorView table(weight.data(), {4, 2}), indices(input.data(), {1});
        module.call("lookup", {table, indices},
                    {TensorView(out.data(), {1, 2})});
        ASSERT_EQ(out[0], i % 4 + 4 * thread);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}
