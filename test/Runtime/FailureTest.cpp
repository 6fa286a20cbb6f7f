//===- FailureTest.cpp - Calls that cannot be carried out -----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Memory that runs out at each allocation in turn, callbacks that throw, and
// functions whose arguments do not fit each other: a status, never a signal,
// and nothing written that the contract says is not.
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <atomic>
#include <cstring>
#include <deque>
#include <functional>
#include <gmock/gmock.h>
#include <limits>
#include <new>
#include <numeric>

using namespace embedding;
using namespace embedding::test;
using testing::HasSubstr;
using testing::MatchesRegex;

//===----------------------------------------------------------------------===//
// Memory that runs out
//===----------------------------------------------------------------------===//

/// Allocations of this process until they fail; more than there are if not
/// wanted.
static std::atomic<int64_t> allocationsLeft{
    std::numeric_limits<int64_t>::max()};
/// Whether the ones after it fail too.
static std::atomic<bool> staysExhausted{false};

static bool isExhausted() {
  int64_t left = allocationsLeft.fetch_sub(1) - 1;
  return left == 0 || (left < 0 && staysExhausted);
}

#if defined(EMBEDDING_SANITIZER)
// The allocator is the sanitizer's.
static constexpr bool kCanExhaust = false;
#else
static constexpr bool kCanExhaust = true;

// The C library's own names, which these take the place of in every library.
#define EVERYWHERE __attribute__((visibility("default")))
extern "C" {
void *__libc_malloc(size_t size);
void *__libc_memalign(size_t alignment, size_t size);

EVERYWHERE void *malloc(size_t size) {
  return isExhausted() ? nullptr : __libc_malloc(size);
}
EVERYWHERE void *aligned_alloc(size_t alignment, size_t size) {
  return isExhausted() ? nullptr : __libc_memalign(alignment, size);
}
}
#endif

namespace {

/// While one lives, allocation number `number` from now on fails.
class Exhaustion {
public:
  Exhaustion(int64_t number, bool stays) {
    staysExhausted = stays;
    allocationsLeft = number;
  }
  ~Exhaustion() { allocationsLeft = std::numeric_limits<int64_t>::max(); }
  Exhaustion(const Exhaustion &) = delete;
  Exhaustion &operator=(const Exhaustion &) = delete;

  static bool hasHappened() { return allocationsLeft <= 0; }
};

} // namespace

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

namespace {

/// An argument of a function: memory with room for any type of elements.
struct Array {
  Array(DLDataType type, std::vector<int64_t> shape)
      : type(type), shape(std::move(shape)), words(countElements() + 1) {}

  int64_t countElements() const {
    return std::accumulate(shape.begin(), shape.end(), int64_t(1),
                           std::multiplies<>());
  }
  float *floats() { return reinterpret_cast<float *>(words.data()); }
  const char *bytes() const {
    return reinterpret_cast<const char *>(words.data());
  }
  TensorView view() { return {words.data(), type, shape}; }

  DLDataType type;
  std::vector<int64_t> shape;
  std::vector<int64_t> words;
};

constexpr DLDataType kInt64 = {kDLInt, 64, 1};

/// Tables, gradients and so on that fit each other.
struct Operands {
  explicit Operands(int64_t numRows, int64_t batch, int64_t count,
                    int64_t length)
      : numRows(numRows), table(kFloat32, {numRows, length}),
        indices(kInt64, {batch, count}),
        perIndex(kFloat32, {batch, count, length}),
        distinct(kInt64, {batch * count}),
        values(kFloat32, {batch * count, length}),
        gradTable(kFloat32, {numRows, length}), rows(kInt64, {batch * count}),
        sums(kFloat32, {batch * count, length}),
        offsets(kInt64, {batch * count + 1}),
        positions(kInt64, {batch * count}), count(kInt64, {}) {
    for (int64_t i = 0; i < table.countElements(); ++i)
      table.floats()[i] = static_cast<float>(i % 97) - 40;
    for (int64_t i = 0; i < perIndex.countElements(); ++i)
      values.floats()[i] = perIndex.floats()[i] = static_cast<float>(i % 89);
    for (int64_t i = 0; i < indices.countElements(); ++i) {
      indices.words[i] = i * i % numRows;
      // A permutation if there are as many rows as indices.
      distinct.words[i] = (i * 7 + 3) % indices.countElements();
    }
  }

  int64_t numRows;
  Array table, indices, perIndex, distinct, values, gradTable, rows, sums,
      offsets, positions, count;
};

/// One call through the C API, which allocates nothing of its own.
struct Operation {
  const char *name;
  std::function<EmbeddingStatusCode(EmbeddingStatus *)> call;
  /// What it writes.
  std::vector<Array *> outputs;
};

/// The operations of `engine` on `operands`. They keep pointers to `tensors`.
std::vector<Operation> getOperations(const Engine &engine, Operands &of,
                                     std::deque<DLTensor> &tensors,
                                     std::deque<TensorView> &views) {
  auto add = [&](Array &array) {
    return &tensors.emplace_back(views.emplace_back(array.view()).get());
  };
  EmbeddingEngine *e = engine.get();
  auto *table = add(of.table), *indices = add(of.indices),
       *perIndex = add(of.perIndex), *distinct = add(of.distinct),
       *values = add(of.values), *gradTable = add(of.gradTable),
       *rows = add(of.rows), *sums = add(of.sums);
  int64_t *count = of.count.words.data();
  int64_t numRows = of.numRows;
  static LookupOptions renorming;
  renorming.has_max_norm = 1;
  renorming.max_norm = 30;
  static GradOptions scaled;
  scaled.scale_grad_by_freq = 1;
  return {
      {"lookup",
       [=](EmbeddingStatus *status) {
         return embedding_lookup(e, table, indices, nullptr, perIndex, status);
       },
       {&of.perIndex}},
      {"lookup with max_norm",
       [=](EmbeddingStatus *status) {
         return embedding_lookup(e, table, indices, &renorming, perIndex,
                                 status);
       },
       {&of.table, &of.perIndex}},
      {"renorm",
       [=](EmbeddingStatus *status) {
         return embedding_renorm(e, table, indices, 30, nullptr, status);
       },
       {&of.table}},
      {"dense_grad",
       [=](EmbeddingStatus *status) {
         return embedding_dense_grad(e, perIndex, indices, nullptr, gradTable,
                                     status);
       },
       {&of.gradTable}},
      {"dense_grad by frequency",
       [=](EmbeddingStatus *status) {
         return embedding_dense_grad(e, perIndex, indices, &scaled, gradTable,
                                     status);
       },
       {&of.gradTable}},
      {"sparse_grad",
       [=](EmbeddingStatus *status) {
         return embedding_sparse_grad(e, perIndex, indices, numRows, &scaled,
                                      rows, sums, count, status);
       },
       {&of.rows, &of.sums, &of.count}},
      {"coalesce",
       [=](EmbeddingStatus *status) {
         return embedding_coalesce(e, distinct, values, distinct->shape[0],
                                   nullptr, rows, sums, count, status);
       },
       {&of.rows, &of.sums, &of.count}},
      {"double_backward",
       [=](EmbeddingStatus *status) {
         return embedding_double_backward(e, table, indices, &scaled, perIndex,
                                          status);
       },
       {&of.perIndex}},
  };
}

/// Makes the call of `operation` with each allocation failing in turn. After a
/// failure its outputs are `isAtomic` as they were. Adds to `numFailures` the
/// calls that have failed.
void failEachAllocation(const Operation &operation, bool isAtomic,
                        int &numFailures) {
  SCOPED_TRACE(operation.name);
  std::vector<std::vector<int64_t>> before, after;
  auto copyOutputs = [&](std::vector<std::vector<int64_t>> &to) {
    to.clear();
    for (Array *output : operation.outputs)
      to.push_back(output->words);
  };
  auto restoreOutputs = [&] {
    for (size_t i = 0; i < before.size(); ++i)
      operation.outputs[i]->words = before[i];
  };
  copyOutputs(before);
  EmbeddingStatus status;
  // Compiled, loaded, threads started.
  for (int i = 0; i < 3; ++i) {
    restoreOutputs();
    ASSERT_EQ(operation.call(&status), EMBEDDING_OK) << status.message;
  }
  copyOutputs(after);
  ASSERT_NE(before, after);
  for (bool stays : {false, true}) {
    bool isOver = false;
    for (int64_t number = 1; !isOver; ++number) {
      ASSERT_LT(number, 10000);
      restoreOutputs();
      EmbeddingStatusCode code;
      {
        Exhaustion exhaustion(number, stays);
        code = operation.call(&status);
        isOver = !Exhaustion::hasHappened();
      }
      std::vector<std::vector<int64_t>> outputs;
      copyOutputs(outputs);
      if (code == EMBEDDING_OK) {
        ASSERT_EQ(outputs, after) << "allocation " << number;
        continue;
      }
      ASSERT_FALSE(isOver);
      ++numFailures;
      ASSERT_EQ(code, EMBEDDING_OUT_OF_MEMORY)
          << "allocation " << number << ": " << status.message;
      if (isAtomic)
        ASSERT_EQ(outputs, before) << "allocation " << number;
    }
  }
  restoreOutputs();
}

/// Options of engines that share what they compile, for these tests alone.
EngineOptions sharing(int numThreads) {
  static const TemporaryDirectory directory;
  static const std::string path = directory.str();
  EngineOptions options = uncached(numThreads);
  options.cache_dir = path.c_str();
  return options;
}

/// Blocks of withOwnAllocator that are not given back.
std::atomic<int> liveBlocks{0};

/// An allocator that has no memory when the process has none.
EngineOptions withOwnAllocator(int numThreads) {
  EngineOptions options = sharing(numThreads);
  options.allocate = [](void *, size_t size, size_t alignment) -> void * {
    if (isExhausted())
      return nullptr;
    void *memory = std::aligned_alloc(alignment, (size + alignment - 1) /
                                                     alignment * alignment);
    liveBlocks += memory != nullptr;
    return memory;
  };
  options.deallocate = [](void *, void *memory, size_t, size_t) {
    --liveBlocks;
    std::free(memory);
  };
  return options;
}

} // namespace

TEST(Failures, EachAllocationOfOperations) {
  if (!kCanExhaust)
    GTEST_SKIP() << "a sanitizer allocates";
  for (EngineOptions options : {sharing(1), sharing(3), withOwnAllocator(3)}) {
    int numFailures = 0;
    // Memory that was given back would need no allocation.
    options.max_idle_buffer_bytes = 1;
    Engine engine(options);
    Operands operands(/*numRows=*/500, /*batch=*/30, /*count=*/100,
                      /*length=*/16);
    std::deque<DLTensor> tensors;
    std::deque<TensorView> views;
    for (const Operation &operation :
         getOperations(engine, operands, tensors, views))
      failEachAllocation(operation, /*isAtomic=*/true, numFailures);
    // The workspace of seven of them.
    EXPECT_GE(numFailures, 14);
    EXPECT_EQ(liveBlocks, 0);
  }
}

//===----------------------------------------------------------------------===//
// Functions of IR
//===----------------------------------------------------------------------===//

static constexpr char kFunctions[] = R"mlir(
!rows = memref<?x?xf32>
!indices = memref<?x?xi64>
!per_index = memref<?x?x?xf32>
!vector = memref<?xi64>

func.func @lookup(%table: !rows, %indices: !indices, %init: !per_index) {
  embedding.lookup ins(%table, %indices : !rows, !indices)
                   outs(%init : !per_index)
  return
}
func.func @renorm_lookup(%table: !rows, %indices: !indices, %init: !per_index) {
  embedding.renorm_lookup max_norm(30.0) ins(%indices : !indices)
      outs(%table, %init : !rows, !per_index)
  return
}
func.func @dense_grad(%grad: !per_index, %indices: !indices, %init: !rows) {
  embedding.dense_grad ins(%grad, %indices : !per_index, !indices)
                       outs(%init : !rows)
  return
}
func.func @sparse_grad(%grad: !per_index, %indices: !indices, %num_rows: index,
                       %rows: !vector, %values: !rows, %count: memref<i64>) {
  embedding.sparse_grad num_rows(%num_rows) scale_grad_by_freq
      ins(%grad, %indices : !per_index, !indices)
      outs(%rows, %values, %count : !vector, !rows, memref<i64>)
  return
}
func.func @coalesce(%indices: !vector, %values: !rows, %num_rows: index,
                    %rows: !vector, %sums: !rows, %count: memref<i64>) {
  embedding.coalesce num_rows(%num_rows) ins(%indices, %values : !vector, !rows)
      outs(%rows, %sums, %count : !vector, !rows, memref<i64>)
  return
}
func.func @double_backward(%table: !rows, %indices: !indices,
                           %init: !per_index) {
  embedding.double_backward scale_grad_by_freq
      ins(%table, %indices : !rows, !indices) outs(%init : !per_index)
  return
}
func.func @group(%indices: !vector, %num_rows: index, %rows: !vector,
                 %offsets: !vector, %positions: !vector, %count: memref<i64>) {
  embedding.group num_rows(%num_rows) ins(%indices : !vector)
      outs(%rows, %offsets, %positions, %count
           : !vector, !vector, !vector, memref<i64>)
  return
}
)mlir";

namespace {

/// A call of a function of kFunctions, or of others.
struct FunctionCall {
  std::string function;
  std::vector<Array> arrays;
  /// The place of `num_rows` among the arguments, if there is one.
  int numRowsAt = -1;
  int64_t numRows = 0;
  /// Of type `index`, before all else.
  std::vector<int64_t> numbers = {};

  EmbeddingStatusCode run(const Module &module, EmbeddingStatus *status) {
    std::vector<TensorView> views;
    std::vector<DLTensor> tensors;
    std::vector<const void *> arguments;
    views.reserve(arrays.size());
    tensors.reserve(arrays.size());
    for (const int64_t &number : numbers)
      arguments.push_back(&number);
    for (Array &array : arrays) {
      if (static_cast<int>(arguments.size()) == numRowsAt)
        arguments.push_back(&numRows);
      tensors.push_back(views.emplace_back(array.view()).get());
      arguments.push_back(&tensors.back());
    }
    return embedding_module_call(module.get(), function.c_str(),
                                 arguments.data(), nullptr, status);
  }

  /// The status's message, of a call that changes no array.
  /// What does not fit, without its place in the module.
  std::string fail(const Module &module, EmbeddingStatusCode code) {
    std::vector<std::vector<int64_t>> before, after;
    for (Array &array : arrays)
      before.push_back(array.words);
    EmbeddingStatus status;
    EXPECT_EQ(run(module, &status), code) << function;
    for (Array &array : arrays)
      after.push_back(array.words);
    EXPECT_EQ(before, after) << function << ": " << status.message;
    std::string message = status.message;
    EXPECT_THAT(message, MatchesRegex("module:[0-9]+:[0-9]+: .*"));
    return message.substr(message.find(": ") + 2);
  }
};

/// A call with sizes that fit.
FunctionCall getCall(const std::string &function) {
  Operands of(/*numRows=*/10, /*batch=*/2, /*count=*/4, /*length=*/3);
  if (function == "dense_grad")
    return {function, {of.perIndex, of.indices, of.gradTable}};
  if (function == "sparse_grad")
    return {
        function, {of.perIndex, of.indices, of.rows, of.sums, of.count}, 2, 10};
  if (function == "coalesce")
    return {
        function, {of.distinct, of.values, of.rows, of.sums, of.count}, 2, 10};
  if (function == "group")
    return {function,
            {of.distinct, of.rows, of.offsets, of.positions, of.count},
            1,
            10};
  return {function, {of.table, of.indices, of.perIndex}};
}

/// One size that does not fit, and what is said of it.
struct Mismatch {
  const char *function;
  size_t array;
  size_t dim;
  int64_t size;
  const char *message;
};

const Mismatch kMismatches[] = {
    {"lookup", 2, 0, 1, "dimension 0 of out to be dimension 0 of indices, 2"},
    {"lookup", 2, 1, 5, "dimension 1 of out to be dimension 1 of indices, 4"},
    {"lookup", 2, 2, 2, "dimension 2 of out to be dimension 1 of table, 3"},
    {"renorm_lookup", 2, 0, 1,
     "dimension 0 of out to be dimension 0 of indices, 2"},
    {"renorm_lookup", 2, 1, 3,
     "dimension 1 of out to be dimension 1 of indices, 4"},
    {"renorm_lookup", 2, 2, 4,
     "dimension 2 of out to be dimension 1 of table, 3"},
    {"dense_grad", 0, 0, 1,
     "dimension 0 of grad_output to be dimension 0 of indices, 2"},
    {"dense_grad", 0, 1, 5,
     "dimension 1 of grad_output to be dimension 1 of indices, 4"},
    {"dense_grad", 0, 2, 2,
     "dimension 2 of grad_output to be dimension 1 of grad_table, 3"},
    {"sparse_grad", 0, 0, 3,
     "dimension 0 of grad_output to be dimension 0 of indices, 2"},
    {"sparse_grad", 0, 1, 3,
     "dimension 1 of grad_output to be dimension 1 of indices, 4"},
    {"sparse_grad", 0, 2, 4,
     "dimension 2 of grad_output to be dimension 1 of values, 3"},
    {"sparse_grad", 2, 0, 7,
     "dimension 0 of rows to be the number of indices, 8"},
    {"sparse_grad", 3, 0, 9,
     "dimension 0 of values to be the number of indices, 8"},
    {"coalesce", 1, 0, 7,
     "dimension 0 of values to be the number of indices, 8"},
    {"coalesce", 2, 0, 9, "dimension 0 of rows to be the number of indices, 8"},
    {"coalesce", 3, 0, 7, "dimension 0 of sums to be the number of indices, 8"},
    {"coalesce", 3, 1, 2, "dimension 1 of sums to be dimension 1 of values, 3"},
    {"double_backward", 2, 0, 3,
     "dimension 0 of out to be dimension 0 of indices, 2"},
    {"double_backward", 2, 1, 3,
     "dimension 1 of out to be dimension 1 of indices, 4"},
    {"double_backward", 2, 2, 2,
     "dimension 2 of out to be dimension 1 of grad_grad_table, 3"},
    {"group", 1, 0, 7, "dimension 0 of rows to be the number of indices, 8"},
    {"group", 2, 0, 8,
     "dimension 0 of offsets to be the number of indices and 1, 9"},
    {"group", 3, 0, 9,
     "dimension 0 of positions to be the number of indices, 8"},
};

} // namespace

// Every relation between sizes.
TEST(Failures, SizesThatDoNotAgree) {
  Engine engine(sharing(2));
  Module module(engine, kFunctions);
  for (const Mismatch &mismatch : kMismatches) {
    FunctionCall call = getCall(mismatch.function);
    EmbeddingStatus status;
    ASSERT_EQ(call.run(module, &status), EMBEDDING_OK)
        << mismatch.function << ": " << status.message;
    call = getCall(mismatch.function);
    Array &array = call.arrays[mismatch.array];
    array.shape[mismatch.dim] = mismatch.size;
    array.words.resize(array.countElements());
    EXPECT_EQ(call.fail(module, EMBEDDING_INVALID_ARGUMENT),
              "embedding." + std::string(mismatch.function) + ": expected " +
                  mismatch.message + ", but got " +
                  std::to_string(mismatch.size));
  }
}

TEST(Failures, NumRows) {
  Engine engine(sharing(1));
  Module module(engine, kFunctions);
  for (const char *function : {"sparse_grad", "coalesce", "group"}) {
    FunctionCall call = getCall(function);
    std::string expected =
        "embedding." + std::string(function) + ": expected num_rows to be at ";
    call.numRows = -1;
    EXPECT_EQ(call.fail(module, EMBEDDING_INVALID_ARGUMENT),
              expected + "least 0, but got -1");
    // Positions 0 to 7 have three bits.
    call.numRows = int64_t(1) << 61;
    EXPECT_EQ(call.fail(module, EMBEDDING_INVALID_ARGUMENT),
              expected + "most 2305843009213693951, but got "
                         "2305843009213693952");
    --call.numRows;
    EmbeddingStatus status;
    EXPECT_EQ(call.run(module, &status), EMBEDDING_OK) << status.message;
    // One position has none.
    for (size_t i = 0; i < call.arrays.size() - 1; ++i)
      if (function != std::string("sparse_grad"))
        call.arrays[i].shape[0] = i == 2 && call.numRowsAt == 1 ? 2 : 1;
    if (call.function != "sparse_grad") {
      call.arrays[0].words[0] = 0;
      call.numRows = std::numeric_limits<int64_t>::max();
      EXPECT_EQ(call.run(module, &status), EMBEDDING_OK) << status.message;
    }
  }
}

// What every call does is checked before the first write; what a loop does,
// right before it.
TEST(Failures, NothingIsWrittenBeforeSizesAreChecked) {
  Engine engine(sharing(2));
  Module module(engine, R"mlir(
!rows = memref<?x?xf32>
func.func @both(%table: !rows, %indices: memref<?xi64>, %first: !rows,
                %second: !rows) {
  embedding.lookup ins(%table, %indices : !rows, memref<?xi64>)
                   outs(%first : !rows)
  embedding.lookup ins(%table, %indices : !rows, memref<?xi64>)
                   outs(%second : !rows)
  return
}
func.func @loop(%table: !rows, %indices: memref<?xi64>, %out: !rows) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.load %indices[%c0] : memref<?xi64>
  %end = arith.index_cast %n : i64 to index
  scf.for %i = %c0 to %end step %c1 {
    embedding.lookup ins(%table, %indices : !rows, memref<?xi64>)
                     outs(%out : !rows)
  }
  return
}
func.func @threads(%table: !rows, %indices: memref<?xi64>, %out: !rows) {
  scf.forall (%i) in (8) {
    embedding.lookup ins(%table, %indices : !rows, memref<?xi64>)
                     outs(%out : !rows)
  }
  // Nothing comes after a loop that has failed.
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  memref.store %one, %out[%c0, %c0] : !rows
  return
}
func.func @cast(%from: memref<?xf32>, %to: memref<4xf32>) {
  %cast = memref.cast %from : memref<?xf32> to memref<4xf32>
  memref.copy %cast, %to : memref<4xf32> to memref<4xf32>
  return
}
func.func @copy(%from: memref<?xf32>, %to: memref<?xf32>) {
  memref.copy %from, %to : memref<?xf32> to memref<?xf32>
  return
}
func.func @add(%from: memref<?xf32>, %to: memref<?xf32>) {
  linalg.add ins(%from, %from : memref<?xf32>, memref<?xf32>)
             outs(%to : memref<?xf32>)
  return
}
)mlir");
  Operands of(10, 1, 4, 3);
  Array indices(kInt64, {4});
  Array good(kFloat32, {4, 3}), bad(kFloat32, {4, 2});
  FunctionCall both{"both", {of.table, indices, good, bad}};
  EXPECT_EQ(
      both.fail(module, EMBEDDING_INVALID_ARGUMENT),
      "embedding.lookup: expected dimension 1 of out to be dimension 1 of "
      "table, 3, but got 2");
  FunctionCall threads{"threads", {of.table, indices, bad}};
  EXPECT_THAT(threads.fail(module, EMBEDDING_INVALID_ARGUMENT),
              HasSubstr("dimension 1 of table, 3, but got 2"));
  FunctionCall loop{"loop", {of.table, indices, bad}};
  EmbeddingStatus status;
  // No turn, nothing to check.
  EXPECT_EQ(loop.run(module, &status), EMBEDDING_OK) << status.message;
  loop.arrays[1].words[0] = 1;
  EXPECT_THAT(loop.fail(module, EMBEDDING_INVALID_ARGUMENT),
              HasSubstr("dimension 1 of table, 3, but got 2"));

  Array three(kFloat32, {3}), four(kFloat32, {4});
  FunctionCall cast{"cast", {three, four}};
  EXPECT_EQ(cast.fail(module, EMBEDDING_INVALID_ARGUMENT),
            "memref.cast: expected dimension 0 of source to be 4, but got 3");
  FunctionCall copy{"copy", {four, three}};
  EXPECT_EQ(copy.fail(module, EMBEDDING_INVALID_ARGUMENT),
            "memref.copy: expected dimension 0 of target to be dimension 0 of "
            "source, 4, but got 3");
  FunctionCall add{"add", {four, three}};
  EXPECT_THAT(add.fail(module, EMBEDDING_INVALID_ARGUMENT),
              HasSubstr("expected dimension 0 of output 0 to be dimension 0 of "
                        "input 0, 4, but got 3"));
}

//===----------------------------------------------------------------------===//
// Slices, padding, shapes and other indices
//===----------------------------------------------------------------------===//

static constexpr char kSlicing[] = R"mlir(
!vector = memref<?xf32>
!strided = memref<?xf32, strided<[?], offset: ?>>
!matrix = memref<?x?xf32>

// Each function writes last: what has been checked then has been checked before.
func.func @extract(%offset: index, %size: index, %from: tensor<?xf32>,
                   %to: !vector) {
  %slice = tensor.extract_slice %from[%offset] [%size] [2]
      : tensor<?xf32> to tensor<?xf32>
  bufferization.materialize_in_destination %slice in restrict writable %to
      : (tensor<?xf32>, !vector) -> ()
  return
}
func.func @insert(%offset: index, %size: index, %from: tensor<?xf32>,
                  %dest: tensor<?xf32>, %to: !vector) {
  %whole = tensor.insert_slice %from into %dest[%offset] [%size] [1]
      : tensor<?xf32> into tensor<?xf32>
  bufferization.materialize_in_destination %whole in restrict writable %to
      : (tensor<?xf32>, !vector) -> ()
  return
}
func.func @insert_row(%row: index, %size: index, %from: tensor<?xf32>,
                      %dest: tensor<?x?xf32>, %to: !matrix) {
  %whole = tensor.insert_slice %from into %dest[%row, 0] [1, %size] [1, 1]
      : tensor<?xf32> into tensor<?x?xf32>
  bufferization.materialize_in_destination %whole in restrict writable %to
      : (tensor<?x?xf32>, !matrix) -> ()
  return
}
func.func @parallel_insert(%offset: index, %size: index, %from: tensor<?xf32>,
                           %dest: tensor<?xf32>, %to: !vector) {
  %whole = scf.forall (%i) in (2) shared_outs(%out = %dest) -> tensor<?xf32> {
    %at = arith.muli %i, %offset : index
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %from into %out[%at] [%size] [1]
          : tensor<?xf32> into tensor<?xf32>
    }
  }
  bufferization.materialize_in_destination %whole in restrict writable %to
      : (tensor<?xf32>, !vector) -> ()
  return
}
func.func @subview(%offset: index, %size: index, %stride: index, %from: !vector,
                   %to: !vector) {
  %slice = memref.subview %from[%offset] [%size] [%stride]
      : !vector to !strided
  memref.copy %slice, %to : !strided to !vector
  return
}
func.func @write_subview(%offset: index, %size: index, %from: !vector,
                         %to: !vector) {
  %slice = memref.subview %to[%offset] [%size] [1]
      : !vector to memref<?xf32, strided<[1], offset: ?>>
  memref.copy %from, %slice
      : !vector to memref<?xf32, strided<[1], offset: ?>>
  return
}
func.func @pad(%low: index, %high: index, %from: tensor<?xf32>, %to: !vector) {
  %zero = arith.constant 0.0 : f32
  %padded = tensor.pad %from low[%low] high[%high] {
  ^bb0(%i: index):
    tensor.yield %zero : f32
  } : tensor<?xf32> to tensor<?xf32>
  bufferization.materialize_in_destination %padded in restrict writable %to
      : (tensor<?xf32>, !vector) -> ()
  return
}
func.func @pad_to_8(%low: index, %from: tensor<?xf32>, %to: memref<8xf32>) {
  %zero = arith.constant 0.0 : f32
  %padded = tensor.pad %from low[%low] high[1] {
  ^bb0(%i: index):
    tensor.yield %zero : f32
  } : tensor<?xf32> to tensor<8xf32>
  bufferization.materialize_in_destination %padded in restrict writable %to
      : (tensor<8xf32>, memref<8xf32>) -> ()
  return
}
func.func @concat(%a: tensor<?x?xf32>, %b: tensor<?x?xf32>, %to: !matrix) {
  %both = tensor.concat dim(0) %a, %b
      : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<?x?xf32>
  bufferization.materialize_in_destination %both in restrict writable %to
      : (tensor<?x?xf32>, !matrix) -> ()
  return
}
func.func @concat_static(%a: tensor<?x?xf32>, %b: tensor<?x?xf32>,
                         %to: memref<5x2xf32>) {
  %both = tensor.concat dim(0) %a, %b
      : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<5x2xf32>
  bufferization.materialize_in_destination %both in restrict writable %to
      : (tensor<5x2xf32>, memref<5x2xf32>) -> ()
  return
}
func.func @expand(%n: index, %from: tensor<?xf32>, %to: memref<?x2xf32>) {
  %expanded = tensor.expand_shape %from [[0, 1]] output_shape [%n, 2]
      : tensor<?xf32> into tensor<?x2xf32>
  bufferization.materialize_in_destination %expanded in restrict writable %to
      : (tensor<?x2xf32>, memref<?x2xf32>) -> ()
  return
}
func.func @expand_memref(%n: index, %from: !vector, %to: memref<?x2xf32>) {
  %expanded = memref.expand_shape %from [[0, 1]] output_shape [%n, 2]
      : !vector into memref<?x2xf32>
  memref.copy %expanded, %to : memref<?x2xf32> to memref<?x2xf32>
  return
}
func.func @collapse(%width: index, %from: memref<4x?xf32>, %to: !vector) {
  %columns = memref.subview %from[0, 0] [4, %width] [1, 1]
      : memref<4x?xf32> to memref<4x?xf32, strided<[?, 1]>>
  %flat = memref.collapse_shape %columns [[0, 1]]
      : memref<4x?xf32, strided<[?, 1]>> into memref<?xf32, strided<[?]>>
  memref.copy %flat, %to : memref<?xf32, strided<[?]>> to !vector
  return
}
func.func @collapse_rows(%height: index, %width: index, %from: !matrix,
                         %to: !vector) {
  %part = memref.subview %from[0, 0] [%height, %width] [1, 1]
      : !matrix to memref<?x?xf32, strided<[?, 1]>>
  %flat = memref.collapse_shape %part [[0, 1]]
      : memref<?x?xf32, strided<[?, 1]>> into memref<?xf32, strided<[?]>>
  memref.copy %flat, %to : memref<?xf32, strided<[?]>> to !vector
  return
}
func.func @reshape(%n: index, %from: tensor<?xf32>, %to: memref<2x4xf32>) {
  %c2 = arith.constant 2 : index
  %shape = tensor.from_elements %c2, %n : tensor<2xindex>
  %reshaped = tensor.reshape %from(%shape)
      : (tensor<?xf32>, tensor<2xindex>) -> tensor<2x4xf32>
  bufferization.materialize_in_destination %reshaped in restrict writable %to
      : (tensor<2x4xf32>, memref<2x4xf32>) -> ()
  return
}
// Of a rank that is not known.
func.func @reshape_any(%from: !vector, %shape: memref<?xi64>, %to: !matrix) {
  %reshaped = memref.reshape %from(%shape)
      : (!vector, memref<?xi64>) -> memref<*xf32>
  %matrix = memref.cast %reshaped : memref<*xf32> to !matrix
  memref.copy %matrix, %to : !matrix to !matrix
  return
}
// Shapes of other types, and behind other elements.
func.func @reshape_narrow(%n: index, %m: index, %from: !vector, %to: !matrix) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %other = arith.constant 77 : i8
  %buffer = memref.alloca() : memref<4xi8>
  scf.for %i = %c0 to %c4 step %c1 {
    memref.store %other, %buffer[%i] : memref<4xi8>
  }
  %rows = arith.index_cast %n : index to i8
  %columns = arith.index_cast %m : index to i8
  memref.store %rows, %buffer[%c2] : memref<4xi8>
  memref.store %columns, %buffer[%c3] : memref<4xi8>
  %shape = memref.subview %buffer[2] [2] [1]
      : memref<4xi8> to memref<2xi8, strided<[1], offset: 2>>
  %ranked = memref.reshape %from(%shape)
      : (!vector, memref<2xi8, strided<[1], offset: 2>>) -> !matrix
  %reshaped = memref.reshape %from(%shape)
      : (!vector, memref<2xi8, strided<[1], offset: 2>>) -> memref<*xf32>
  %matrix = memref.cast %reshaped : memref<*xf32> to !matrix
  linalg.add ins(%ranked, %matrix : !matrix, !matrix) outs(%to : !matrix)
  return
}
func.func @reshape_tensor(%n: index, %from: tensor<?xf32>, %shape: tensor<2xi64>,
                          %to: !matrix) {
  %narrow = tensor.empty() : tensor<2xi32>
  %shape32 = linalg.generic {
    indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
    iterator_types = ["parallel"]
  } ins(%shape : tensor<2xi64>) outs(%narrow : tensor<2xi32>) {
  ^bb0(%x: i64, %y: i32):
    %size = arith.trunci %x : i64 to i32
    linalg.yield %size : i32
  } -> tensor<2xi32>
  %reshaped = tensor.reshape %from(%shape32)
      : (tensor<?xf32>, tensor<2xi32>) -> tensor<?x?xf32>
  bufferization.materialize_in_destination %reshaped in restrict writable %to
      : (tensor<?x?xf32>, !matrix) -> ()
  return
}
func.func @cast_layout(%stride: index, %offset: index, %from: !vector,
                       %to: memref<2xf32>) {
  %slice = memref.subview %from[%offset] [2] [%stride]
      : !vector to memref<2xf32, strided<[?], offset: ?>>
  %cast = memref.cast %slice
      : memref<2xf32, strided<[?], offset: ?>> to memref<2xf32>
  memref.copy %cast, %to : memref<2xf32> to memref<2xf32>
  return
}
func.func @view(%shift: index, %n: index, %from: memref<?xi8>,
                %to: memref<?x2xf32>) {
  %view = memref.view %from[%shift][%n] : memref<?xi8> to memref<?x2xf32>
  memref.copy %view, %to : memref<?x2xf32> to memref<?x2xf32>
  return
}
func.func @dim(%number: index, %from: !matrix, %to: memref<1xindex>) {
  %c0 = arith.constant 0 : index
  %size = memref.dim %from, %number : !matrix
  memref.store %size, %to[%c0] : memref<1xindex>
  return
}
func.func @convolution(%from: !vector, %kernel: !vector, %to: !vector) {
  linalg.conv_1d ins(%from, %kernel : !vector, !vector) outs(%to : !vector)
  return
}
func.func @every_second(%from: !vector, %to: !vector) {
  linalg.generic {
    indexing_maps = [affine_map<(d0) -> (d0 * 2)>, affine_map<(d0) -> (d0)>],
    iterator_types = ["parallel"]
  } ins(%from : !vector) outs(%to : !vector) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  }
  return
}
func.func @differences(%from: !vector, %to: !matrix) {
  linalg.generic {
    indexing_maps = [affine_map<(d0, d1) -> (d0 - d1 + 2)>,
                     affine_map<(d0, d1) -> (d0, d1)>],
    iterator_types = ["parallel", "parallel"]
  } ins(%from : !vector) outs(%to : !matrix) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  }
  return
}
func.func @write_constant(%from: !vector, %to: !vector) {
  linalg.generic {
    indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (3)>],
    iterator_types = ["reduction"]
  } ins(%from : !vector) outs(%to : !vector) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  }
  return
}
func.func @divided(%half: !vector, %rest: !vector, %to: !vector) {
  linalg.generic {
    indexing_maps = [affine_map<(d0) -> (d0 floordiv 2)>,
                     affine_map<(d0) -> (d0 mod 4)>, affine_map<(d0) -> (d0)>],
    iterator_types = ["parallel"]
  } ins(%half, %rest : !vector, !vector) outs(%to : !vector) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %sum = arith.addf %x, %y : f32
    linalg.yield %sum : f32
  }
  return
}
// Of indices that have more than 64 bits.
func.func @write_far(%from: !vector, %to: !vector) {
  linalg.generic {
    indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0 * 4611686018427388004)>],
    iterator_types = ["reduction"]
  } ins(%from : !vector) outs(%to : !vector) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  }
  return
}
func.func @write_last(%from: !vector, %to: !vector) {
  linalg.generic {
    indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0 * 9223372036854775807)>],
    iterator_types = ["reduction"]
  } ins(%from : !vector) outs(%to : !vector) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  }
  return
}
func.func @write_back(%from: !vector, %to: !vector) {
  linalg.generic {
    indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0 * -4611686018427388004)>],
    iterator_types = ["reduction"]
  } ins(%from : !vector) outs(%to : !vector) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  }
  return
}
func.func @write_quotients(%from: !vector, %to: !vector) {
  linalg.generic {
    indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ((d0 * 4611686018427388004) floordiv 4611686018427387904)>],
    iterator_types = ["reduction"]
  } ins(%from : !vector) outs(%to : !vector) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  }
  return
}
func.func @write_at_sum(%a: index, %b: index, %from: !vector, %to: !vector) {
  %c0 = arith.constant 0 : index
  %x = affine.max affine_map<(d0) -> (0, d0)>(%a)
  %y = affine.max affine_map<(d0) -> (0, d0)>(%b)
  %sum = arith.addi %x, %y : index
  %slice = memref.subview %to[%sum] [1] [1]
      : !vector to memref<1xf32, strided<[1], offset: ?>>
  %one = memref.load %from[%c0] : !vector
  memref.store %one, %slice[%c0] : memref<1xf32, strided<[1], offset: ?>>
  return
}
func.func @write_difference(%a: index, %b: index, %from: !vector, %to: !vector) {
  %x = affine.min affine_map<(d0) -> (0, d0)>(%a)
  %y = affine.max affine_map<(d0) -> (0, d0)>(%b)
  %n = affine.apply affine_map<(d0, d1) -> (d0 - d1)>(%x, %y)
  %slice = memref.subview %to[0] [%n] [1] : !vector to !vector
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%slice : !vector)
  return
}
func.func @write_backwards(%step: index, %from: !vector, %to: !vector) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %to, %c0 : !vector
  %one = memref.load %from[%c0] : !vector
  scf.for %i = %c0 to %n step %step {
    %slice = memref.subview %to[%i] [1] [1]
        : !vector to memref<1xf32, strided<[1], offset: ?>>
    memref.store %one, %slice[%c0] : memref<1xf32, strided<[1], offset: ?>>
  }
  return
}
func.func @copy_any(%from: !vector, %to: !vector) {
  %a = memref.cast %from : !vector to memref<*xf32>
  %b = memref.cast %to : !vector to memref<*xf32>
  memref.copy %a, %b : memref<*xf32> to memref<*xf32>
  return
}
func.func @copy_to_matrix(%from: !vector, %to: !matrix) {
  %a = memref.cast %from : !vector to memref<*xf32>
  memref.copy %a, %to : memref<*xf32> to !matrix
  return
}
)mlir";

namespace {

/// A call that fits, if nothing is said of it.
struct SizesCase {
  const char *function;
  std::vector<int64_t> numbers;
  /// Of f32 if nothing else is said.
  std::vector<std::vector<int64_t>> shapes;
  const char *message = nullptr;
  /// The elements of the array of i64, if there is one, which is the second.
  std::vector<int64_t> integers = {};

  FunctionCall getCall() const {
    FunctionCall call{function, {}};
    call.numbers = numbers;
    for (const std::vector<int64_t> &shape : shapes) {
      bool isBytes = function == std::string("view") && call.arrays.empty();
      bool isIntegers =
          (!integers.empty() && call.arrays.size() == 1) ||
          (function == std::string("dim") && call.arrays.size() == 1);
      Array &array = call.arrays.emplace_back(isBytes ? DLDataType{kDLInt, 8, 1}
                                              : isIntegers ? kInt64
                                                           : kFloat32,
                                              shape);
      for (size_t i = 0; i < array.words.size(); ++i)
        array.words[i] = static_cast<int64_t>(call.arrays.size() * 100 + i);
      if (isIntegers)
        std::copy(integers.begin(), integers.end(), array.words.begin());
    }
    return call;
  }
};

constexpr int64_t kLarge = std::numeric_limits<int64_t>::max();

const SizesCase kSizesCases[] = {
    {"extract", {1, 4}, {{8}, {4}}},
    {"extract", {0, 4}, {{7}, {4}}},
    {"extract", {8, 0}, {{8}, {0}}},
    {"extract",
     {-1, 4},
     {{8}, {4}},
     "tensor.extract_slice: expected offset of dimension 0 to be at least 0, "
     "but got -1"},
    {"extract",
     {9, 0},
     {{8}, {0}},
     "tensor.extract_slice: expected offset of dimension 0 to be at most 8, "
     "but got 9"},
    {"extract",
     {1, -4},
     {{8}, {4}},
     "tensor.extract_slice: expected size of dimension 0 to be at least 0, "
     "but got -4"},
    {"extract",
     {2, 4},
     {{8}, {4}},
     "tensor.extract_slice: expected size of dimension 0 to be at most 3, but "
     "got 4, from offset 2 of 8"},
    {"extract",
     {1, kLarge},
     {{8}, {4}},
     "tensor.extract_slice: expected size of dimension 0 to be at most 4, but "
     "got 9223372036854775807, from offset 1 of 8"},
    {"extract",
     {kLarge, 4},
     {{8}, {4}},
     "tensor.extract_slice: expected offset of dimension 0 to be at most 8, "
     "but got 9223372036854775807"},
    {"extract",
     {1, 3},
     {{8}, {4}},
     "bufferization.materialize_in_destination: expected dimension 0 of dest "
     "to be dimension 0 of source, 3, but got 4"},

    {"insert", {5, 3}, {{3}, {8}, {8}}},
    {"insert",
     {6, 3},
     {{3}, {8}, {8}},
     "tensor.insert_slice: expected size of dimension 0 to be at most 2, but "
     "got 3, from offset 6 of 8"},
    {"insert",
     {-1, 3},
     {{3}, {8}, {8}},
     "tensor.insert_slice: expected offset of dimension 0 to be at least 0, "
     "but got -1"},
    {"insert",
     {0, 3},
     {{2}, {8}, {8}},
     "tensor.insert_slice: expected dimension 0 of source to be the size of "
     "dimension 0 of the slice, 3, but got 2"},
    {"insert_row", {2, 4}, {{4}, {3, 4}, {3, 4}}},
    {"insert_row",
     {3, 4},
     {{4}, {3, 4}, {3, 4}},
     "tensor.insert_slice: expected size of dimension 0 to be at most 0, but "
     "got 1, from offset 3 of 3"},
    {"insert_row",
     {2, 4},
     {{5}, {3, 4}, {3, 4}},
     "tensor.insert_slice: expected dimension 0 of source to be the size of "
     "dimension 1 of the slice, 4, but got 5"},
    {"parallel_insert", {4, 4}, {{4}, {8}, {8}}},
    {"parallel_insert",
     {5, 4},
     {{4}, {8}, {8}},
     "tensor.parallel_insert_slice: expected size of dimension 0 to be at most "
     "3, but got 4, from offset 5 of 8"},
    {"parallel_insert",
     {4, 4},
     {{3}, {8}, {8}},
     "tensor.parallel_insert_slice: expected dimension 0 of source to be the "
     "size of dimension 0 of the slice, 4, but got 3"},

    {"subview", {1, 3, 2}, {{6}, {3}}},
    {"subview", {5, 6, -1}, {{6}, {6}}},
    {"subview", {5, 3, -2}, {{6}, {3}}},
    {"subview", {5, 9, 0}, {{6}, {9}}},
    {"subview", {6, 0, -1}, {{6}, {0}}},
    {"subview", {5, 1, std::numeric_limits<int64_t>::min()}, {{6}, {1}}},
    {"subview",
     {1, 4, 2},
     {{6}, {4}},
     "memref.subview: expected size of dimension 0 to be at most 3, but got 4, "
     "from offset 1 of 6"},
    {"subview",
     {4, 6, -1},
     {{6}, {6}},
     "memref.subview: expected size of dimension 0 to be at most 5, but got 6, "
     "from offset 4 of 6"},
    {"subview",
     {6, 1, -1},
     {{6}, {1}},
     "memref.subview: expected size of dimension 0 to be at most 0, but got 1, "
     "from offset 6 of 6"},
    {"subview",
     {6, 1, 0},
     {{6}, {1}},
     "memref.subview: expected size of dimension 0 to be at most 0, but got 1, "
     "from offset 6 of 6"},
    {"subview",
     {5, 2, std::numeric_limits<int64_t>::min()},
     {{6}, {2}},
     "memref.subview: expected size of dimension 0 to be at most 1, but got 2, "
     "from offset 5 of 6"},
    {"subview",
     {1, 2, kLarge},
     {{6}, {2}},
     "memref.subview: expected size of dimension 0 to be at most 1, but got 2, "
     "from offset 1 of 6"},
    {"write_subview", {2, 4}, {{4}, {6}}},
    {"write_subview",
     {3, 4},
     {{4}, {6}},
     "memref.subview: expected size of dimension 0 to be at most 3, but got 4, "
     "from offset 3 of 6"},
    {"write_subview",
     {-3, 4},
     {{4}, {6}},
     "memref.subview: expected offset of dimension 0 to be at least 0, but "
     "got -3"},

    {"pad", {2, 1}, {{3}, {6}}},
    {"pad",
     {-1, 1},
     {{3}, {3}},
     "tensor.pad: expected low padding of dimension 0 to be at least 0, but "
     "got -1"},
    {"pad",
     {1, -1},
     {{3}, {3}},
     "tensor.pad: expected high padding of dimension 0 to be at least 0, but "
     "got -1"},
    // The sum has one bit too many, and is 1.
    {"pad",
     {kLarge, kLarge},
     {{3}, {1}},
     "tensor.pad: expected low padding of dimension 0 to be at most "
     "2305843009213693952, but got 9223372036854775807"},
    {"pad_to_8", {2}, {{5}, {8}}},
    {"pad_to_8",
     {3},
     {{5}, {8}},
     "tensor.pad: expected dimension 0 of source with its padding to be 8, "
     "but got 9"},

    {"concat", {}, {{2, 3}, {1, 3}, {3, 3}}},
    {"concat",
     {},
     {{2, 3}, {1, 4}, {3, 3}},
     "tensor.concat: expected dimension 1 of operand 1 to be dimension 1 of "
     "operand 0, 3, but got 4"},
    {"concat_static", {}, {{3, 2}, {2, 2}, {5, 2}}},
    {"concat_static",
     {},
     {{3, 2}, {1, 2}, {5, 2}},
     "tensor.concat: expected dimensions 0 of all operands together to be 5, "
     "but got 4"},
    {"concat_static",
     {},
     {{3, 1}, {2, 1}, {5, 2}},
     "tensor.concat: expected dimension 1 of operand 0 to be 2, but got 1"},

    {"expand", {3}, {{6}, {3, 2}}},
    {"expand",
     {4},
     {{6}, {4, 2}},
     "tensor.expand_shape: expected the product of dimensions 0 to 1 of "
     "result to be dimension 0 of source, 6, but got 8"},
    {"expand",
     {3},
     {{7}, {3, 2}},
     "tensor.expand_shape: expected the product of dimensions 0 to 1 of "
     "result to be dimension 0 of source, 7, but got 6"},
    {"expand",
     {-3},
     {{6}, {3, 2}},
     "tensor.expand_shape: expected dimension 0 of result to be at least 0, "
     "but got -3"},
    // The product has one bit too many, and is 0.
    {"expand_memref",
     {(kLarge >> 1) + 1},
     {{0}, {0, 2}},
     "memref.expand_shape: expected the product of dimensions 0 to 1 of "
     "result to be dimension 0 of source, 0, but got 9223372036854775807"},
    {"expand_memref", {3}, {{6}, {3, 2}}},
    {"expand_memref",
     {2},
     {{6}, {2, 2}},
     "memref.expand_shape: expected the product of dimensions 0 to 1 of "
     "result to be dimension 0 of source, 6, but got 4"},
    {"collapse", {3}, {{4, 3}, {12}}},
    {"collapse", {0}, {{4, 3}, {0}}},
    // The stride of a single row does not matter.
    {"collapse_rows", {1, 2}, {{4, 3}, {2}}},
    {"collapse_rows",
     {2, 2},
     {{4, 3}, {4}},
     "memref.collapse_shape: expected stride of dimension 0 of source to be 2, "
     "but got 3"},
    {"collapse",
     {2},
     {{4, 3}, {8}},
     "memref.collapse_shape: expected stride of dimension 0 of source to be "
     "2, but got 3"},
    {"reshape", {4}, {{8}, {2, 4}}},
    {"reshape",
     {4},
     {{6}, {2, 4}},
     "tensor.reshape: expected the product of shape to be the number of "
     "elements of source, 6, but got 8"},
    {"reshape",
     {3},
     {{8}, {2, 4}},
     "tensor.reshape: expected element 1 of shape to be 4, but got 3"},
    {"reshape_any", {}, {{6}, {2}, {2, 3}}, nullptr, {2, 3}},
    {"reshape_any",
     {},
     {{6}, {2}, {2, 4}},
     "memref.reshape: expected the product of shape to be the number of "
     "elements of source, 6, but got 8",
     {2, 4}},
    {"reshape_any",
     {},
     {{6}, {2}, {2, 4}},
     "memref.reshape: expected elements of shape to be at least 0, but got -2",
     {-2, -3}},
    {"reshape_any",
     {},
     {{6}, {3}, {2, 3}},
     "memref.cast: expected rank of source to be 2, but got 3",
     {1, 2, 3}},
    {"reshape_any",
     {},
     {{6}, {1}, {2, 3}},
     "memref.cast: expected rank of source to be 2, but got 1",
     {6}},

    {"reshape_narrow", {2, 3}, {{6}, {2, 3}}},
    {"reshape_narrow",
     {2, 3},
     {{5}, {2, 3}},
     "memref.reshape: expected the product of shape to be the number of "
     "elements of source, 5, but got 6"},
    {"reshape_tensor", {0}, {{6}, {2}, {2, 3}}, nullptr, {2, 3}},
    {"reshape_tensor",
     {0},
     {{6}, {2}, {2, 3}},
     "tensor.reshape: expected the product of shape to be the number of "
     "elements of source, 6, but got 8",
     {2, 4}},

    {"cast_layout", {1, 0}, {{6}, {2}}},
    {"cast_layout",
     {2, 0},
     {{6}, {2}},
     "memref.cast: expected stride of dimension 0 of source to be 1, but got "
     "2"},
    {"cast_layout",
     {1, 3},
     {{6}, {2}},
     "memref.cast: expected offset of source to be 0, but got 3"},
    {"view", {8, 2}, {{24}, {2, 2}}},
    {"view",
     {9, 2},
     {{24}, {2, 2}},
     "memref.view: expected byte_shift to be at most 8, but got 9"},
    {"view",
     {-8, 2},
     {{24}, {2, 2}},
     "memref.view: expected byte_shift to be at least 0, but got -8"},
    {"view",
     {0, 4},
     {{24}, {4, 2}},
     "memref.view: expected dimension 0 of source to be at least 32, but got "
     "24"},
    {"view",
     {0, int64_t(1) << 61},
     {{24}, {4, 2}},
     "memref.view: expected dimension 0 of source to be at least "
     "9223372036854775807, but got 24"},
    {"view",
     {0, -1},
     {{24}, {4, 2}},
     "memref.view: expected size 0 to be at least 0, but got -1"},
    {"dim", {1}, {{2, 3}, {1}}},
    {"dim",
     {2},
     {{2, 3}, {1}},
     "memref.dim: expected index to be at most 1, but got 2"},
    {"dim",
     {-1},
     {{2, 3}, {1}},
     "memref.dim: expected index to be at least 0, but got -1"},

    {"convolution", {}, {{6}, {3}, {4}}},
    {"convolution", {}, {{9}, {3}, {4}}},
    {"convolution", {}, {{1}, {3}, {0}}},
    {"convolution", {}, {{1}, {0}, {4}}},
    {"convolution",
     {},
     {{5}, {3}, {4}},
     "linalg.conv_1d: expected dimension 0 of input 0 to be at least 6, but "
     "got 5"},
    {"every_second", {}, {{7}, {4}}},
    {"every_second",
     {},
     {{6}, {4}},
     "linalg.generic: expected dimension 0 of input 0 to be at least 7, but "
     "got 6"},
    // From -1 + 2 + 2 down to 0 - 2 + 2.
    {"differences", {}, {{4}, {2, 3}}},
    {"differences",
     {},
     {{3}, {2, 3}},
     "linalg.generic: expected dimension 0 of input 0 to be at least 4, but "
     "got 3"},
    {"differences",
     {},
     {{9}, {2, 4}},
     "linalg.generic: expected indices of dimension 0 of input 0 to be at "
     "least 0, but got -1"},
    {"write_constant", {}, {{5}, {4}}},
    {"write_constant", {}, {{0}, {3}}},
    {"write_constant",
     {},
     {{5}, {3}},
     "linalg.generic: expected dimension 0 of output 0 to be at least 4, but "
     "got 3"},
    {"divided", {}, {{3}, {4}, {5}}},
    {"divided", {}, {{2}, {3}, {3}}},
    {"divided",
     {},
     {{2}, {4}, {5}},
     "linalg.generic: expected dimension 0 of input 0 to be at least 3, but "
     "got 2"},
    {"divided",
     {},
     {{3}, {3}, {5}},
     "linalg.generic: expected dimension 0 of input 1 to be at least 4, but "
     "got 3"},
    {"write_far",
     {},
     {{3}, {9}},
     "linalg.generic: expected dimension 0 of output 0 to be at least "
     "9223372036854775807, but got 9"},
    {"write_last",
     {},
     {{2}, {9}},
     "linalg.generic: expected dimension 0 of output 0 to be at least "
     "9223372036854775807, but got 9"},
    {"write_back",
     {},
     {{3}, {9}},
     "linalg.generic: expected dimension 0 of output 0 to be at least "
     "9223372036854775807, but got 9"},
    {"write_quotients",
     {},
     {{3}, {9}},
     "linalg.generic: expected dimension 0 of output 0 to be at least "
     "9223372036854775807, but got 9"},
    {"write_far", {}, {{1}, {9}}},
    {"write_back", {}, {{0}, {0}}},
    {"write_quotients", {}, {{2}, {2}}},

    {"write_at_sum", {2, 3}, {{1}, {6}}},
    {"write_at_sum",
     {kLarge, kLarge},
     {{1}, {6}},
     "memref.subview: expected offset of dimension 0 to be at least 0, but "
     "got -2"},
    {"write_at_sum",
     {2, 4},
     {{1}, {6}},
     "memref.subview: expected size of dimension 0 to be at most 0, but got "
     "1, from offset 6 of 6"},
    {"write_difference", {0, 0}, {{1}, {6}}},
    {"write_difference",
     {-kLarge, kLarge},
     {{1}, {1}},
     "memref.subview: expected size of dimension 0 to be at most 1, but got "
     "2, from offset 0 of 1"},
    {"write_backwards", {2}, {{1}, {6}}},
    {"copy_any", {}, {{4}, {4}}},
    {"copy_any", {}, {{0}, {0}}},
    {"copy_any",
     {},
     {{9}, {4}},
     "memref.copy: expected dimensions of target to be those of source, 9, "
     "but got 4"},
    {"copy_to_matrix",
     {},
     {{4}, {2, 2}},
     "memref.copy: expected rank of target to be rank of source, 1, but got "
     "2"},
};

} // namespace

TEST(Failures, SizesOfSlicesShapesAndMaps) {
  Engine engine(sharing(2));
  Module module(engine, kSlicing);
  for (const SizesCase &sizes : kSizesCases) {
    SCOPED_TRACE(std::string(sizes.function) + ": " +
                 (sizes.message ? sizes.message : "fits"));
    FunctionCall call = sizes.getCall();
    if (sizes.message) {
      EXPECT_EQ(call.fail(module, EMBEDDING_INVALID_ARGUMENT), sizes.message);
      continue;
    }
    EmbeddingStatus status;
    std::vector<Array> before = call.arrays;
    EXPECT_EQ(call.run(module, &status), EMBEDDING_OK) << status.message;
    for (size_t i = 0; i < before.size(); ++i) {
      Array &array = call.arrays[i];
      // The last one is written, and nothing behind it.
      int64_t bytes = array.countElements() * array.type.bits / 8;
      int64_t written = i + 1 == before.size() ? bytes : 0;
      EXPECT_EQ(std::memcmp(array.bytes() + written,
                            before[i].bytes() + written,
                            before[i].words.size() * 8 - written),
                0);
    }
  }
}

// Sizes that are promised are not looked at: an output that is too large.
TEST(Failures, AssumedSizes) {
  Engine engine(sharing(1));
  ModuleOptions options;
  options.assume_sizes = 1;
  Module module(engine, R"mlir(
func.func @lookup(%table: memref<?x?xf32>, %indices: memref<?x?xi64>,
                  %init: memref<?x?x?xf32>) {
  embedding.lookup ins(%table, %indices : memref<?x?xf32>, memref<?x?xi64>)
                   outs(%init : memref<?x?x?xf32>)
  return
})mlir",
                options);
  FunctionCall call = getCall("lookup");
  call.arrays[2].shape[0] = 3;
  call.arrays[2].words.resize(call.arrays[2].countElements());
  EmbeddingStatus status;
  EXPECT_EQ(call.run(module, &status), EMBEDDING_OK) << status.message;
}

//===----------------------------------------------------------------------===//
// Memory of functions
//===----------------------------------------------------------------------===//

static constexpr char kAllocating[] = R"mlir(
func.func @empty(%n: index, %m: index) -> tensor<?x?xf32> {
  %zero = arith.constant 1.0 : f32
  %init = tensor.empty(%n, %m) : tensor<?x?xf32>
  %out = linalg.fill ins(%zero : f32) outs(%init : tensor<?x?xf32>)
      -> tensor<?x?xf32>
  return %out : tensor<?x?xf32>
}
func.func @stack(%n: index, %to: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %buffer = memref.alloca(%n) : memref<?xf32>
  linalg.fill ins(%one : f32) outs(%buffer : memref<?xf32>)
  %x = memref.load %buffer[%c0] : memref<?xf32>
  memref.store %x, %to[%c0] : memref<?xf32>
  return
}
func.func @threads(%n: index, %to: memref<64xf32>) {
  %one = arith.constant 1.0 : f32
  %c0 = arith.constant 0 : index
  scf.forall (%i) in (64) {
    %buffer = memref.alloc(%n) : memref<?xf32>
    linalg.fill ins(%one : f32) outs(%buffer : memref<?xf32>)
    %x = memref.load %buffer[%c0] : memref<?xf32>
    memref.store %x, %to[%i] : memref<64xf32>
  }
  // The thread that has called is in the call as before.
  %after = memref.alloc(%n) : memref<?xf32>
  linalg.fill ins(%one : f32) outs(%after : memref<?xf32>)
  %x = memref.load %after[%c0] : memref<?xf32>
  memref.store %x, %to[%c0] : memref<64xf32>
  return
}
func.func @matrix(%n: index, %m: index, %to: memref<1xi64>) {
  %c0 = arith.constant 0 : index
  %buffer = memref.alloc(%n, %m) : memref<?x?xf32>
  %address = memref.extract_aligned_pointer_as_index %buffer
      : memref<?x?xf32> -> index
  %number = arith.index_cast %address : index to i64
  memref.store %number, %to[%c0] : memref<1xi64>
  return
}
func.func @aligned(%n: index, %to: memref<1xi64>) {
  %c0 = arith.constant 0 : index
  %buffer = memref.alloc(%n) {alignment = 4096} : memref<?xf32>
  %address = memref.extract_aligned_pointer_as_index %buffer
      : memref<?xf32> -> index
  %number = arith.index_cast %address : index to i64
  memref.store %number, %to[%c0] : memref<1xi64>
  return
}
)mlir";

namespace {

/// An allocator of a gigabyte that counts.
struct Gigabyte {
  std::atomic<int> live{0};

  EngineOptions options(int numThreads) {
    EngineOptions options = sharing(numThreads);
    options.allocator_context = this;
    options.allocate = [](void *context, size_t size,
                          size_t alignment) -> void * {
      if (size > (size_t(1) << 30))
        return nullptr;
      ++static_cast<Gigabyte *>(context)->live;
      return std::aligned_alloc(alignment,
                                (size + alignment - 1) / alignment * alignment);
    };
    options.deallocate = [](void *context, void *memory, size_t, size_t) {
      --static_cast<Gigabyte *>(context)->live;
      std::free(memory);
    };
    return options;
  }
};

} // namespace

// Memory that begins at no multiple of what it is to be aligned to.
TEST(Failures, AlignedMemoryIsWhole) {
  struct Last {
    uintptr_t begin, end;
  } last = {};
  EngineOptions options = sharing(1);
  options.allocator_context = &last;
  options.allocate = [](void *context, size_t size, size_t) -> void * {
    constexpr size_t kPage = 4096;
    void *memory =
        std::aligned_alloc(kPage, (64 + size + kPage - 1) / kPage * kPage);
    auto begin = reinterpret_cast<uintptr_t>(memory) + 64;
    *static_cast<Last *>(context) = {begin, begin + size};
    return static_cast<char *>(memory) + 64;
  };
  options.deallocate = [](void *, void *memory, size_t, size_t) {
    std::free(static_cast<char *>(memory) - 64);
  };
  Engine engine(options);
  Module module(engine, kAllocating);
  for (int64_t n : {1, 1000}) {
    int64_t address = 0;
    module.call("aligned", {n, TensorView(&address, {1})});
    auto begin = static_cast<uintptr_t>(address);
    EXPECT_EQ(begin % 4096, 0u);
    EXPECT_GE(begin, last.begin);
    EXPECT_LE(begin + n * sizeof(float), last.end);
  }
}

TEST(Failures, MemoryOfFunctions) {
  Gigabyte heap;
  Engine engine(heap.options(3));
  Module module(engine, kAllocating);
  std::vector<float> out(6);
  auto callEmpty = [&](int64_t n, int64_t m) -> std::string {
    try {
      module.call("empty", {n, m}, {TensorView(out.data(), {2, 3})});
      return "OK";
    } catch (const Error &error) {
      return std::to_string(error.code()) + ": " + error.what();
    }
  };
  auto status = [](EmbeddingStatusCode code, const std::string &message) {
    return std::to_string(code) + ": " + message;
  };
  EXPECT_EQ(callEmpty(2, 3), "OK");
  EXPECT_EQ(out, std::vector<float>(6, 1));
  EXPECT_EQ(callEmpty(-5, 3),
            status(EMBEDDING_INVALID_ARGUMENT,
                   "expected sizes of memory to be at least 0, but got "
                   "[-5, 3]"));
  // The memory of a result is the caller's.
  EXPECT_EQ(callEmpty(int64_t(1) << 40, 1),
            status(EMBEDDING_INVALID_ARGUMENT,
                   "out: expected shape [1099511627776, 1], but got [2, 3]"));
  for (auto [n, m] : {std::pair(int64_t(1) << 61, int64_t(2)),
                      std::pair(int64_t(1) << 62, int64_t(4)),
                      std::pair(int64_t(3) << 61, int64_t(3) << 61)})
    EXPECT_THAT(callEmpty(n, m), HasSubstr("elements of 4 bytes"));
  // No elements, whatever the other size.
  EXPECT_THAT(callEmpty(0, int64_t(1) << 62), HasSubstr("out: expected shape"));

  std::vector<float> to(64);
  EXPECT_NO_THROW(
      module.call("stack", {int64_t(1) << 26, TensorView(to.data(), {64})}));
  EXPECT_EQ(to[0], 1);
  try {
    module.call("stack", {int64_t(1) << 40, TensorView(to.data(), {64})});
    ADD_FAILURE() << "no error";
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), EMBEDDING_OUT_OF_MEMORY);
    EXPECT_STREQ(error.what(), "the allocator has no 4398046511104 bytes");
  }
  to.assign(64, 0);
  module.call("threads", {int64_t(100), TensorView(to.data(), {64})});
  EXPECT_EQ(to, std::vector<float>(64, 1));
  EXPECT_THROW(
      module.call("threads", {int64_t(1) << 40, TensorView(to.data(), {64})}),
      Error);
  int64_t address = 1;
  for (auto [n, m] : {std::pair(int64_t(0), int64_t(1) << 62),
                      std::pair(int64_t(1) << 62, int64_t(0))})
    EXPECT_NO_THROW(module.call("matrix", {n, m, TensorView(&address, {1})}));
  for (int i = 0; i < 10; ++i) {
    module.call("aligned", {int64_t(1000), TensorView(&address, {1})});
    EXPECT_EQ(address % 4096, 0);
  }
  // Whatever happened, nothing is left.
  EXPECT_EQ(heap.live, 0);
}

TEST(Failures, EachAllocationOfFunctions) {
  if (!kCanExhaust)
    GTEST_SKIP() << "a sanitizer allocates";
  for (EngineOptions options : {sharing(1), withOwnAllocator(3)}) {
    int numFailures = 0;
    Engine engine(options);
    Module module(engine, kFunctions);
    for (const char *function :
         {"lookup", "renorm_lookup", "dense_grad", "sparse_grad", "coalesce",
          "double_backward", "group"}) {
      FunctionCall call = getCall(function);
      std::vector<TensorView> views;
      std::vector<DLTensor> tensors;
      std::vector<const void *> arguments;
      views.reserve(call.arrays.size());
      tensors.reserve(call.arrays.size());
      Operation operation{function, nullptr, {}};
      for (Array &array : call.arrays) {
        if (static_cast<int>(arguments.size()) == call.numRowsAt)
          arguments.push_back(&call.numRows);
        tensors.push_back(views.emplace_back(array.view()).get());
        arguments.push_back(&tensors.back());
        operation.outputs.push_back(&array);
      }
      operation.call = [&](EmbeddingStatus *status) {
        return embedding_module_call(module.get(), function, arguments.data(),
                                     nullptr, status);
      };
      failEachAllocation(operation, /*isAtomic=*/false, numFailures);
      EXPECT_EQ(liveBlocks, 0) << function;
    }
    // What a call is made of, and the buffers of each.
    EXPECT_GE(numFailures, 50);
  }
}

//===----------------------------------------------------------------------===//
// Callbacks that throw
//===----------------------------------------------------------------------===//

TEST(Failures, CallbacksThatThrow) {
  struct Thrower {
    enum { nowhere, allocate, loop } where = nowhere;
    /// Loops to run before the one that throws.
    int loopsLeft = 0;
  } thrower;
  EngineOptions options = sharing(2);
  options.allocator_context = options.parallel_for_context = &thrower;
  options.allocate = [](void *context, size_t size, size_t alignment) {
    if (static_cast<Thrower *>(context)->where == Thrower::allocate)
      throw std::bad_alloc();
    return std::aligned_alloc(alignment,
                              (size + alignment - 1) / alignment * alignment);
  };
  options.deallocate = [](void *context, void *memory, size_t, size_t) {
    std::free(memory);
    if (static_cast<Thrower *>(context)->where != Thrower::nowhere)
      throw 1;
  };
  options.parallel_for = [](void *context, int64_t size, int64_t,
                            EmbeddingRangeFunction function, void *data) {
    auto *thrower = static_cast<Thrower *>(context);
    if (thrower->where == Thrower::loop && thrower->loopsLeft-- == 0)
      throw std::runtime_error("no threads");
    function(data, 0, size);
  };
  Engine engine(options);
  Operands operands(500, 30, 100, 16);
  std::deque<DLTensor> tensors;
  std::deque<TensorView> views;
  std::vector<Operation> operations =
      getOperations(engine, operands, tensors, views);
  Module allocating(engine, kAllocating);
  int64_t size = 10;
  Array to(kFloat32, {64});
  TensorView toView = to.view();
  DLTensor toTensor = toView.get();
  const void *arguments[] = {&size, &toTensor};
  operations.push_back({"a function",
                        [&](EmbeddingStatus *status) {
                          return embedding_module_call(allocating.get(),
                                                       "threads", arguments,
                                                       nullptr, status);
                        },
                        {}});
  int numThrown = 0;
  EmbeddingStatus status;
  for (const Operation &operation : operations) {
    SCOPED_TRACE(operation.name);
    thrower.where = Thrower::nowhere;
    ASSERT_EQ(operation.call(&status), EMBEDDING_OK) << status.message;
    thrower.where = Thrower::allocate;
    EmbeddingStatusCode code = operation.call(&status);
    EXPECT_TRUE(code == EMBEDDING_OUT_OF_MEMORY || code == EMBEDDING_OK);
    int numLoops = 0;
    for (code = EMBEDDING_INTERNAL; code != EMBEDDING_OK; ++numLoops) {
      ASSERT_LT(numLoops, 1000);
      thrower.where = Thrower::loop;
      thrower.loopsLeft = numLoops;
      code = operation.call(&status);
      if (code != EMBEDDING_OK) {
        EXPECT_EQ(code, EMBEDDING_INTERNAL);
        EXPECT_STREQ(status.message, "no threads");
        ++numThrown;
      }
    }
    // The last one has a loop of 64 iterations.
    EXPECT_GT(numLoops, operation.name == std::string("a function") ? 1 : 0);
  }
  EXPECT_GT(numThrown, 5);
  // Threads and memory are as good as before.
  thrower.where = Thrower::nowhere;
  for (const Operation &operation : operations)
    EXPECT_EQ(operation.call(&status), EMBEDDING_OK) << status.message;

  CallOptions throwing;
  throwing.make_result = [](void *, int64_t, const DLTensor *,
                            DLTensor *) -> int32_t {
    throw std::runtime_error("no result");
  };
  EXPECT_THAT(
      [&] { allocating.call("empty", {int64_t(2), int64_t(2)}, {}, throwing); },
      testing::ThrowsMessage<Error>("no result"));
}
