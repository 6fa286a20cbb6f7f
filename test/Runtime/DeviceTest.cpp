//===- DeviceTest.cpp - Calls with tensors on a GPU -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The same calls with tensors on the CPU, whose results must be the same bits.
// The GPU is an interpreter, unless EMBEDDING_CUDA_LIBRARY names a driver. With
// EMBEDDING_CACHE_DIR kernels are kept there, for a CPU of any machine: so
// these tests run where there is no compiler.
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <thread>

using namespace embedding;
using namespace embedding::test;

namespace {

//===----------------------------------------------------------------------===//
// A GPU
//===----------------------------------------------------------------------===//

/// What the tests need of a driver.
class GPU {
public:
  static GPU &get() {
    static GPU gpu;
    return gpu;
  }

  const std::string &library() const { return name; }
  bool isInterpreted() const { return allocationCount; }

  char *allocate(size_t size) {
    unsigned long long address = 0;
    check(cuMemAlloc(&address, size));
    return reinterpret_cast<char *>(address);
  }
  void deallocate(void *memory) {
    check(cuMemFree(reinterpret_cast<unsigned long long>(memory)));
  }
  void upload(void *to, const void *from, size_t size) {
    check(cuMemcpyHtoDAsync(reinterpret_cast<unsigned long long>(to), from,
                            size, nullptr));
    check(cuStreamSynchronize(nullptr));
  }
  void download(void *to, const void *from, size_t size) {
    check(cuMemcpyDtoHAsync(to, reinterpret_cast<unsigned long long>(from),
                            size, nullptr));
    check(cuStreamSynchronize(nullptr));
  }
  /// Of the interpreter.
  size_t getAllocationCount() { return allocationCount(); }

private:
  GPU() {
    const char *given = std::getenv("EMBEDDING_CUDA_LIBRARY");
    name = given ? given : INTERPRETED_CUDA;
    void *handle = dlopen(name.c_str(), RTLD_NOW);
    EXPECT_NE(handle, nullptr) << dlerror();
    auto find = [&](auto &function, const char *symbol) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(
          dlsym(handle, symbol));
    };
    int (*cuInit)(unsigned);
    int (*cuDevicePrimaryCtxRetain)(void **, int);
    int (*cuCtxPushCurrent)(void *);
    find(cuInit, "cuInit");
    find(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
    find(cuCtxPushCurrent, "cuCtxPushCurrent_v2");
    find(cuMemAlloc, "cuMemAlloc_v2");
    find(cuMemFree, "cuMemFree_v2");
    find(cuMemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2");
    find(cuMemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2");
    find(cuStreamSynchronize, "cuStreamSynchronize");
    find(allocationCount, "embedding_interpreter_allocation_count");
    void *context;
    check(cuInit(0));
    check(cuDevicePrimaryCtxRetain(&context, 0));
    check(cuCtxPushCurrent(context));
  }

  static void check(int result) { ASSERT_EQ(result, 0); }

  std::string name;
  int (*cuMemAlloc)(unsigned long long *, size_t);
  int (*cuMemFree)(unsigned long long);
  int (*cuMemcpyHtoDAsync)(unsigned long long, const void *, size_t, void *);
  int (*cuMemcpyDtoHAsync)(void *, unsigned long long, size_t, void *);
  int (*cuStreamSynchronize)(void *);
  size_t (*allocationCount)();
};

constexpr DLDevice kGPU = {kDLCUDA, 0};

/// A tensor on the CPU and its copy on the GPU, with all bytes between
/// elements. Both are as aligned as they can be, so that each run takes the
/// same kernels.
class Both {
public:
  Both(const std::vector<char> &bytes, DLDataType type,
       std::vector<int64_t> shape, std::vector<int64_t> strides = {},
       size_t offset = 0)
      : size(bytes.size()), storage(size + kAlignment), type(type),
        shape(std::move(shape)), strides(std::move(strides)), offset(offset) {
    auto address = reinterpret_cast<uintptr_t>(storage.data());
    host = storage.data() + (kAlignment - address % kAlignment) % kAlignment;
    memory = GPU::get().allocate(std::max<size_t>(size, 1));
    if (size == 0)
      return;
    std::copy(bytes.begin(), bytes.end(), host);
    GPU::get().upload(memory, host, size);
  }
  ~Both() { GPU::get().deallocate(memory); }
  Both(const Both &) = delete;

  TensorView onCPU() { return {host + offset, type, shape, strides}; }
  TensorView onGPU() { return {memory + offset, type, shape, strides, kGPU}; }

  /// Whether the GPU has what the CPU has, in the first `count` bytes.
  bool isSame(size_t count) const {
    std::vector<char> copy(count);
    if (count > 0)
      GPU::get().download(copy.data(), memory, count);
    return std::equal(copy.begin(), copy.end(), host);
  }
  bool isSame() const { return isSame(size); }
  int64_t *count() { return reinterpret_cast<int64_t *>(host); }
  int64_t *countOnGPU() { return reinterpret_cast<int64_t *>(memory); }

private:
  static constexpr size_t kAlignment = 256;

  size_t size;
  std::vector<char> storage;
  DLDataType type;
  std::vector<int64_t> shape, strides;
  size_t offset;
  char *host, *memory;
};

constexpr DLDataType kInt64 = {kDLInt, 64, 1};
constexpr DLDataType kInt32 = {kDLInt, 32, 1};

int64_t product(const std::vector<int64_t> &shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t(1),
                         std::multiplies<>());
}

/// Floats without NaN, of any type.
std::vector<char> randomFloats(DLDataType type, int64_t count, uint64_t seed) {
  std::vector<char> bytes = randomBytes(count * type.bits / 8, seed);
  // The upper byte of each: a sign, and an exponent near that of 1.
  for (int64_t i = 0; i < count; ++i) {
    char &upper = bytes[(i + 1) * type.bits / 8 - 1];
    upper = static_cast<char>((upper & 0x81) | 0x3a);
  }
  return bytes;
}

std::vector<char> asBytes(const std::vector<int64_t> &indices,
                          DLDataType type) {
  std::vector<char> bytes(indices.size() * type.bits / 8);
  for (size_t i = 0; i < indices.size(); ++i)
    std::memcpy(bytes.data() + i * type.bits / 8, &indices[i], type.bits / 8);
  return bytes;
}

std::vector<int64_t> randomIndices(int64_t count, int64_t numRows) {
  std::mt19937 random(7);
  std::vector<int64_t> indices(count);
  for (int64_t &index : indices)
    index =
        random() % 3 ? static_cast<int64_t>(random() % numRows) : numRows / 2;
  return indices;
}

EngineOptions optionsOfTests() {
  EngineOptions options = uncached(2);
  options.cuda_library = GPU::get().library().c_str();
  if (std::getenv("EMBEDDING_CACHE_DIR")) {
    options.cache_dir = nullptr;
    options.cpu = "x86-64-v3";
  }
  return options;
}

class OnDevice : public testing::Test {
protected:
  /// Both have done the same when this returns.
  void onBoth(const std::function<void(bool)> &call) {
    call(false);
    call(true);
    engine.synchronize();
  }
  static TensorView on(Both &both, bool isGPU) {
    return isGPU ? both.onGPU() : both.onCPU();
  }

  Engine engine{optionsOfTests()};
};

} // namespace

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

TEST_F(OnDevice, Lookup) {
  for (DLDataType type :
       {kFloat64, kFloat32, kFloat16, kInt64, DLDataType{kDLUInt, 8, 1},
        DLDataType{kDLComplex, 128, 1}})
    for (int64_t length : {0, 1, 3, 16, 64, 101})
      for (DLDataType indexType : {kInt32, kInt64}) {
        SCOPED_TRACE(std::to_string(type.bits) +
                     " bits, D = " + std::to_string(length));
        constexpr int64_t kCount = 90, kRows = 17;
        size_t bytes = type.bits / 8 * length;
        Both table(randomBytes(kRows * bytes, 1), type, {kRows, length});
        Both indices(asBytes(randomIndices(kCount, kRows), indexType),
                     indexType, {9, 10});
        Both out(randomBytes(kCount * bytes, 2), type, {9, 10, length});
        onBoth([&](bool isGPU) {
          engine.lookup(on(table, isGPU), on(indices, isGPU), on(out, isGPU));
        });
        EXPECT_TRUE(out.isSame());
      }
}

TEST_F(OnDevice, StridesAndAlignment) {
  constexpr int64_t kRows = 12, kLength = 24;
  std::vector<int64_t> named = randomIndices(200, kRows);
  struct Layout {
    std::vector<int64_t> shape, indexStrides, outStrides;
  };
  const std::vector<Layout> layouts = {
      {{}, {}, {}},
      {{0}, {}, {}},
      {{7}, {3}, {2 * kLength, 1}},
      {{7}, {-1}, {kLength, 1}},
      // Transposed indices; an output with gaps.
      {{5, 4}, {1, 5}, {4 * kLength + 8, kLength, 1}},
      {{3, 4, 5}, {1, 3, 12}, {20 * kLength + 16, 5 * kLength + 4, kLength, 1}},
      {{2, 3, 4, 5}, {1, 2, 6, 24}, {}},
      // Expanded indices, and columns apart.
      {{4, 5}, {0, 1}, {5 * 2 * kLength, 2 * kLength, 2}},
  };
  for (const Layout &layout : layouts)
    for (size_t offset : {0, 4, 8})
      for (int64_t rowStride : {kLength, kLength + 1, 2 * kLength}) {
        SCOPED_TRACE(testing::PrintToString(layout.shape) + " " +
                     std::to_string(offset) + " " + std::to_string(rowStride));
        Both table(randomFloats(kFloat32, kRows * rowStride + 8, 3), kFloat32,
                   {kRows, kLength}, {rowStride, 1}, offset);
        // In the middle, for strides that go back.
        Both indices(asBytes(named, kInt64), kInt64, layout.shape,
                     layout.indexStrides, 8 * 16);
        std::vector<int64_t> shape = layout.shape;
        shape.push_back(kLength);
        Both out(randomFloats(kFloat32, 4 * product(shape) + 200, 4), kFloat32,
                 shape, layout.outStrides, offset);
        onBoth([&](bool isGPU) {
          engine.lookup(on(table, isGPU), on(indices, isGPU), on(out, isGPU));
        });
        EXPECT_TRUE(out.isSame());

        GradOptions options;
        options.has_padding_idx = 1;
        options.padding_idx = -3;
        Both gradTable(randomFloats(kFloat32, kRows * rowStride + 8, 5),
                       kFloat32, {kRows, kLength}, {rowStride, 1}, offset);
        onBoth([&](bool isGPU) {
          engine.denseGrad(on(out, isGPU), on(indices, isGPU),
                           on(gradTable, isGPU), options);
        });
        EXPECT_TRUE(gradTable.isSame());
      }
}

// Rows that are aligned to whole lanes although their length is none: there is
// a tail, and sums on the way have rows of their own.
TEST_F(OnDevice, RowsWithTails) {
  struct Rows {
    int64_t length, stride, count;
  };
  // One row is named by more positions than a chunk has; rows of more than 64
  // KiB have no static length.
  for (auto [length, stride, count] :
       {Rows{9, 12, 300}, Rows{9, 10, 300}, Rows{7, 8, 140},
        Rows{16387, 16388, 3}, Rows{16387, 16390, 3}})
    for (DLDataType type : {kFloat32, kBFloat16}) {
      SCOPED_TRACE(std::to_string(type.bits) + " bits, D = " +
                   std::to_string(length) + " at " + std::to_string(stride));
      constexpr int64_t kRows = 4;
      Both indices(asBytes(randomIndices(count, kRows), kInt64), kInt64,
                   {count});
      Both table(randomFloats(type, kRows * stride, 1), type, {kRows, length},
                 {stride, 1});
      Both out(randomFloats(type, count * stride, 2), type, {count, length},
               {stride, 1});
      onBoth([&](bool isGPU) {
        engine.lookup(on(table, isGPU), on(indices, isGPU), on(out, isGPU));
      });
      EXPECT_TRUE(out.isSame());
      onBoth([&](bool isGPU) {
        engine.denseGrad(on(out, isGPU), on(indices, isGPU), on(table, isGPU));
      });
      EXPECT_TRUE(table.isSame());
      onBoth([&](bool isGPU) {
        engine.renorm(on(table, isGPU), on(indices, isGPU), 1.0);
      });
      EXPECT_TRUE(table.isSame());
    }
}

// Every stride of a tensor counts for how its rows are aligned, but for those
// of dimensions of size 1, which may be any and make no dimension more.
TEST_F(OnDevice, StridesThatCount) {
  constexpr int64_t kRows = 9, kLength = 8;
  struct Layout {
    std::vector<int64_t> shape, indexStrides, rowStrides;
  };
  const std::vector<Layout> layouts = {
      // Aligned to 16 bytes from one outer index to the next, and not inside.
      {{5, 3}, {3, 1}, {64, 9, 1}},
      {{2, 2, 3}, {6, 3, 1}, {128, 42, 12, 1}},
      {{2, 3}, {1, 2}, {33, 12, 1}},
      {{4, 1}, {1, 3}, {16, 7, 1}},
      {{1, 6}, {5, 2}, {3, 12, 1}},
      // Four strides, among dimensions of size 1.
      {{2, 1, 2, 1, 2, 1, 2},
       {75, 999, 20, -7, 5, 1, 1},
       {200, 3, 72, 5, 32, 7, 8, 1}},
  };
  std::vector<int64_t> named = randomIndices(400, kRows);
  for (const Layout &layout : layouts) {
    SCOPED_TRACE(testing::PrintToString(layout.shape));
    Both table(randomFloats(kFloat32, kRows * kLength, 1), kFloat32,
               {kRows, kLength});
    Both indices(asBytes(named, kInt64), kInt64, layout.shape,
                 layout.indexStrides, 8 * 16);
    std::vector<int64_t> shape = layout.shape;
    shape.push_back(kLength);
    Both rows(randomFloats(kFloat32, 600, 2), kFloat32, shape,
              layout.rowStrides);
    onBoth([&](bool isGPU) {
      engine.lookup(on(table, isGPU), on(indices, isGPU), on(rows, isGPU));
    });
    EXPECT_TRUE(rows.isSame());
    onBoth([&](bool isGPU) {
      engine.denseGrad(on(rows, isGPU), on(indices, isGPU), on(table, isGPU));
    });
    EXPECT_TRUE(table.isSame());
    onBoth([&](bool isGPU) {
      engine.doubleBackward(on(table, isGPU), on(indices, isGPU),
                            on(rows, isGPU));
    });
    EXPECT_TRUE(rows.isSame());
  }
}

TEST_F(OnDevice, Training) {
  const std::vector<std::pair<DLDataType, std::vector<int64_t>>> kCases = {
      {kFloat64, {5}},
      {kFloat32, {0, 1, 16, 101}},
      {kFloat16, {16}},
      {kBFloat16, {5, 101}}};
  for (const auto &[type, lengths] : kCases)
    for (int64_t length : lengths)
      for (int64_t count : {0, 1, 300}) {
        SCOPED_TRACE(std::to_string(type.bits) + " bits, D = " +
                     std::to_string(length) + ", N = " + std::to_string(count));
        constexpr int64_t kRows = 25;
        int64_t bytes = type.bits / 8;
        Both indices(asBytes(randomIndices(count, kRows), kInt64), kInt64,
                     {count});
        Both grad(randomFloats(type, count * length, 1), type, {count, length});
        Both table(randomFloats(type, kRows * length, 2), type,
                   {kRows, length});
        Both rows(randomBytes(8 * count, 3), kInt64, {count});
        Both values(randomFloats(type, count * length, 4), type,
                    {count, length});
        Both nnz(randomBytes(8, 5), kInt64, {});
        GradOptions options;
        options.has_padding_idx = count % 2;
        options.padding_idx = kRows / 2;
        options.scale_grad_by_freq = length % 2;

        onBoth([&](bool isGPU) {
          engine.renorm(on(table, isGPU), on(indices, isGPU), 1.0);
        });
        EXPECT_TRUE(table.isSame());
        onBoth([&](bool isGPU) {
          engine.sparseGrad(on(grad, isGPU), on(indices, isGPU), kRows,
                            on(rows, isGPU), on(values, isGPU),
                            isGPU ? nnz.countOnGPU() : nnz.count(), options);
        });
        EXPECT_TRUE(nnz.isSame());
        EXPECT_TRUE(rows.isSame(*nnz.count() * 8));
        EXPECT_TRUE(values.isSame(*nnz.count() * length * bytes));
        onBoth([&](bool isGPU) {
          engine.coalesce(on(indices, isGPU), on(grad, isGPU), kRows,
                          on(rows, isGPU), on(values, isGPU),
                          isGPU ? nnz.countOnGPU() : nnz.count());
        });
        EXPECT_TRUE(nnz.isSame());
        EXPECT_TRUE(rows.isSame(*nnz.count() * 8));
        EXPECT_TRUE(values.isSame(*nnz.count() * length * bytes));
        onBoth([&](bool isGPU) {
          engine.doubleBackward(on(table, isGPU), on(indices, isGPU),
                                on(values, isGPU), options);
        });
        EXPECT_TRUE(values.isSame());
        LookupOptions lookup;
        lookup.has_max_norm = 1;
        lookup.max_norm = 0.5;
        lookup.norm_type = 3.0;
        onBoth([&](bool isGPU) {
          engine.lookup(on(table, isGPU), on(indices, isGPU), on(values, isGPU),
                        lookup);
        });
        EXPECT_TRUE(table.isSame());
        EXPECT_TRUE(values.isSame());
        onBoth([&](bool isGPU) {
          engine.denseGrad(on(grad, isGPU), on(indices, isGPU),
                           on(table, isGPU), options);
        });
        EXPECT_TRUE(table.isSame());
      }
}

// Rows that have no elements are not walked, and need no workspace.
TEST_F(OnDevice, HugeTableOfNoElements) {
  constexpr int64_t kRows = int64_t(1) << 61;
  Both indices(asBytes({kRows - 1, 5}, kInt64), kInt64, {2});
  Both grad({}, kFloat32, {2, 0}), table({}, kFloat32, {kRows, 0});
  for (int32_t inAnyOrder : {0, 1}) {
    GradOptions options;
    options.allow_nondeterministic = inAnyOrder;
    onBoth([&](bool isGPU) {
      engine.denseGrad(on(grad, isGPU), on(indices, isGPU), on(table, isGPU),
                       options);
    });
  }
}

TEST_F(OnDevice, AtomicGradients) {
  // Sums of small integers have no order.
  for (bool isDouble : {false, true})
    for (int64_t length : {1, 4, 33, 64}) {
      DLDataType type = isDouble ? kFloat64 : kFloat32;
      constexpr int64_t kCount = 200, kRows = 11;
      std::vector<char> bytes;
      for (int64_t i = 0; i < kCount * length; ++i) {
        auto value = static_cast<double>(i % 17 - 8);
        auto narrow = static_cast<float>(value);
        const char *from = isDouble ? reinterpret_cast<const char *>(&value)
                                    : reinterpret_cast<const char *>(&narrow);
        bytes.insert(bytes.end(), from, from + type.bits / 8);
      }
      Both grad(bytes, type, {kCount, length});
      Both indices(asBytes(randomIndices(kCount, kRows), kInt64), kInt64,
                   {kCount});
      Both table(randomFloats(type, kRows * length, 2), type, {kRows, length});
      GradOptions options;
      options.has_padding_idx = 1;
      options.padding_idx = 2;
      options.allow_nondeterministic = 1;
      onBoth([&](bool isGPU) {
        engine.denseGrad(on(grad, isGPU), on(indices, isGPU), on(table, isGPU),
                         options);
      });
      EXPECT_TRUE(table.isSame());
    }
}

TEST_F(OnDevice, Threads) {
  Both table(randomFloats(kFloat32, 160, 1), kFloat32, {20, 8});
  Both indices(asBytes(randomIndices(50, 20), kInt64), kInt64, {50});
  std::vector<std::unique_ptr<Both>> outs;
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 4; ++i)
    outs.push_back(std::make_unique<Both>(
        randomFloats(kFloat32, 400, i), kFloat32, std::vector<int64_t>{50, 8}));
  for (auto &out : outs)
    threads.emplace_back([&, out = out.get()] {
      for (int i = 0; i < 5; ++i) {
        engine.lookup(table.onGPU(), indices.onGPU(), out->onGPU());
        engine.synchronize();
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  for (auto &out : outs) {
    engine.lookup(table.onCPU(), indices.onCPU(), out->onCPU());
    EXPECT_TRUE(out->isSame());
  }
}

//===----------------------------------------------------------------------===//
// Failures
//===----------------------------------------------------------------------===//

TEST_F(OnDevice, OutOfRange) {
  std::vector<int64_t> named = randomIndices(60, 10);
  named[41] = 10;
  named[17] = -2;
  Both indices(asBytes(named, kInt64), kInt64, {60});
  Both good(asBytes(randomIndices(60, 10), kInt64), kInt64, {60});
  Both table(randomFloats(kFloat32, 80, 1), kFloat32, {10, 8});
  Both out(randomFloats(kFloat32, 480, 2), kFloat32, {60, 8});
  auto expectError = [&] {
    try {
      engine.synchronize();
      FAIL() << "nothing is reported";
    } catch (const Error &error) {
      EXPECT_EQ(error.code(), EMBEDDING_OUT_OF_RANGE);
      EXPECT_EQ(error.position(), 17);
      EXPECT_EQ(error.index(), -2);
      EXPECT_EQ(error.count(), 2);
      EXPECT_NE(std::string(error.what()).find("-2 at flat position 17"),
                std::string::npos);
    }
    // Once is enough.
    engine.synchronize();
  };
  engine.lookup(table.onGPU(), indices.onGPU(), out.onGPU());
  expectError();
  engine.denseGrad(out.onGPU(), indices.onGPU(), table.onGPU());
  expectError();
  // The table is as it was.
  Both unchanged(randomFloats(kFloat32, 80, 1), kFloat32, {10, 8});
  engine.renorm(unchanged.onGPU(), indices.onGPU(), 0.01);
  expectError();
  EXPECT_TRUE(unchanged.isSame());
  // And the device goes on.
  onBoth([&](bool isGPU) {
    engine.lookup(on(unchanged, isGPU), on(good, isGPU), on(out, isGPU));
  });
  EXPECT_TRUE(out.isSame());
  for (auto mode :
       {EMBEDDING_OUT_OF_RANGE_CLAMP, EMBEDDING_OUT_OF_RANGE_ZERO}) {
    LookupOptions options;
    options.out_of_range = mode;
    onBoth([&](bool isGPU) {
      engine.lookup(on(unchanged, isGPU), on(indices, isGPU), on(out, isGPU),
                    options);
    });
    EXPECT_TRUE(out.isSame());
  }
}

static EmbeddingStatusCode codeOf(const std::function<void()> &call,
                                  std::string *message = nullptr) {
  try {
    call();
    return EMBEDDING_OK;
  } catch (const Error &error) {
    if (message)
      *message = error.what();
    return error.code();
  }
}

// What a stream found is told to who waits for that stream.
TEST_F(OnDevice, OutOfRangeInStreams) {
  // CU_STREAM_LEGACY and CU_STREAM_PER_THREAD are streams without being made.
  void *const legacy = reinterpret_cast<void *>(1);
  void *const perThread = reinterpret_cast<void *>(2);
  Both table(randomFloats(kFloat32, 80, 1), kFloat32, {10, 8});
  Both good(asBytes({3, 4}, kInt64), kInt64, {2});
  Both bad(asBytes({3, 10}, kInt64), kInt64, {2});
  Both out(randomFloats(kFloat32, 16, 2), kFloat32, {2, 8});
  auto lookup = [&](Both &indices, void *stream) {
    LookupOptions options;
    options.stream = stream;
    engine.lookup(table.onGPU(), indices.onGPU(), out.onGPU(), options);
  };
  lookup(bad, legacy);
  lookup(good, perThread);
  lookup(good, nullptr);
  EXPECT_NO_THROW(engine.synchronize(0, perThread));
  EXPECT_NO_THROW(engine.synchronize());
  EXPECT_THROW(engine.synchronize(0, legacy), Error);
  EXPECT_NO_THROW(engine.synchronize(0, legacy));
  lookup(good, legacy);
  lookup(bad, perThread);
  EXPECT_NO_THROW(engine.synchronize(0, legacy));
  EXPECT_THROW(engine.synchronize(0, perThread), Error);
  // The interpreter takes any number of streams.
  if (!GPU::get().isInterpreted())
    return;
  auto isBad = [](uintptr_t stream) { return stream % 3 == 0; };
  constexpr uintptr_t kFirst = 1000, kLast = 1600;
  for (uintptr_t stream = kFirst; stream <= kLast; ++stream)
    lookup(isBad(stream) ? bad : good, reinterpret_cast<void *>(stream));
  for (void *other : {legacy, perThread, static_cast<void *>(nullptr)})
    EXPECT_NO_THROW(engine.synchronize(0, other));
  for (uintptr_t stream = kFirst; stream <= kLast; ++stream)
    EXPECT_EQ(codeOf([&] {
                engine.synchronize(0, reinterpret_cast<void *>(stream));
              }),
              isBad(stream) ? EMBEDDING_OUT_OF_RANGE : EMBEDDING_OK)
        << stream;
}

// Functions of IR: a result whose shape is known behind the call alone, and a
// memref that is written in place.
TEST_F(OnDevice, Module) {
  static constexpr char kFunctions[] = R"mlir(
func.func @lookup(%weight: tensor<?x8xf32>, %input: tensor<?xi64>)
    -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %size = tensor.dim %input, %c0 : tensor<?xi64>
  %init = tensor.empty(%size) : tensor<?x8xf32>
  %out = embedding.lookup ins(%weight, %input : tensor<?x8xf32>, tensor<?xi64>)
      outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %out : tensor<?x8xf32>
}
func.func @renorm(%input: memref<?xi64>, %max_norm: f64, %weight: memref<?x8xf32>) {
  embedding.renorm max_norm(%max_norm) ins(%input : memref<?xi64>)
      outs(%weight : memref<?x8xf32>)
  return
}
)mlir";
  constexpr int64_t kNumRows = 40, kNumIndices = 100;
  Both weight(randomFloats(kFloat32, kNumRows * 8, 1), kFloat32, {kNumRows, 8});
  Both input(asBytes(randomIndices(kNumIndices, kNumRows), kInt64), kInt64,
             {kNumIndices});
  Both out(std::vector<char>(kNumIndices * 8 * 4), kFloat32, {kNumIndices, 8});
  std::optional<Module> modules[2];
  for (bool isGPU : {false, true}) {
    ModuleOptions options;
    if (isGPU)
      options.device = kGPU;
    modules[isGPU].emplace(engine, kFunctions, options);
  }
  onBoth([&](bool isGPU) {
    const Module &module = *modules[isGPU];
    module.call("renorm", {on(input, isGPU), 0.5, on(weight, isGPU)});
    module.call("lookup", {on(weight, isGPU), on(input, isGPU)},
                {on(out, isGPU)});
  });
  EXPECT_TRUE(weight.isSame());
  EXPECT_TRUE(out.isSame());

  // Tensor arguments are not written, and there is no copy that could be.
  if (std::getenv("EMBEDDING_CACHE_DIR") == nullptr) {
    ModuleOptions options;
    options.device = kGPU;
    try {
      Module(engine, R"mlir(
func.func @f(%input: tensor<?xi64>, %weight: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = embedding.renorm max_norm(1.0) ins(%input : tensor<?xi64>)
      outs(%weight : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
)mlir",
             options);
      ADD_FAILURE();
    } catch (const Error &error) {
      EXPECT_NE(std::string(error.what()).find("expected no copy of a buffer"),
                std::string::npos)
          << error.what();
    }
  }

  // A tensor on the other device, and an index that synchronize tells of.
  try {
    modules[true]->call("lookup", {on(weight, true), on(input, false)},
                        {on(out, true)});
    ADD_FAILURE();
  } catch (const Error &error) {
    EXPECT_STREQ(error.what(), "input: expected memory of a GPU");
  }
  auto fail = [&](const TensorView &table, const TensorView &to) {
    try {
      modules[true]->call("lookup", {table, on(input, true)}, {to});
      ADD_FAILURE();
    } catch (const Error &error) {
      EXPECT_EQ(error.code(), EMBEDDING_INVALID_ARGUMENT);
      return std::string(error.what());
    }
    return std::string();
  };
  // On another GPU than the module, or than the other operands.
  auto onGPU = [](const TensorView &view, int32_t device, size_t offset = 0) {
    const DLTensor &tensor = view.get();
    return TensorView(static_cast<char *>(tensor.data) + offset, tensor.dtype,
                      {tensor.shape, tensor.shape + tensor.ndim}, {},
                      {kDLCUDA, device});
  };
  EXPECT_EQ(fail(on(weight, true), onGPU(on(out, true), 1)),
            "out: expected GPU 0, but got GPU 1");
  EXPECT_EQ(fail(onGPU(on(weight, true), 1), on(out, true)),
            "weight: expected GPU 0, as of out, but got GPU 1");
  EXPECT_EQ(fail(onGPU(on(weight, true), 0, 8), on(out, true)),
            "weight: on a GPU, expected data aligned to 16 bytes");
  Both bad(asBytes({kNumRows}, kInt64), kInt64, {1});
  Both row(std::vector<char>(8 * 4), kFloat32, {1, 8});
  modules[true]->call("lookup", {on(weight, true), on(bad, true)},
                      {on(row, true)});
  try {
    engine.synchronize();
    ADD_FAILURE();
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), EMBEDDING_OUT_OF_RANGE);
    EXPECT_EQ(error.index(), kNumRows);
  }
}

// The code of one that is gone stays: the GPU knows it by its address.
TEST_F(OnDevice, ModulesComeAndGo) {
  if (std::getenv("EMBEDDING_CACHE_DIR"))
    GTEST_SKIP() << "needs the compiler";
  Both indices(asBytes({3, 0}, kInt64), kInt64, {2});
  for (int64_t length : {4, 8, 5, 16}) {
    Both weight(randomFloats(kFloat32, 4 * length, 1), kFloat32, {4, length});
    Both out(std::vector<char>(2 * length * 4), kFloat32, {2, length});
    std::string rows = "x" + std::to_string(length) + "xf32>";
    std::string ir =
        "func.func @f(%weight: memref<?" + rows +
        ", %indices: memref<2xi64>, %out: memref<2" + rows +
        ") {\n  embedding.lookup ins(%weight, %indices : memref<?" + rows +
        ", memref<2xi64>) outs(%out : memref<2" + rows + ")\n  return\n}";
    onBoth([&](bool isGPU) {
      ModuleOptions options;
      if (isGPU)
        options.device = kGPU;
      Module(engine, ir, options)
          .call("f", {on(weight, isGPU), on(indices, isGPU), on(out, isGPU)});
    });
    EXPECT_TRUE(out.isSame()) << length;
  }
}

TEST_F(OnDevice, NoDriver) {
  EngineOptions options = optionsOfTests();
  options.cuda_library = "/nowhere/libcuda.so.1";
  Engine other(options);
  Both table(randomFloats(kFloat32, 8, 1), kFloat32, {2, 4});
  Both indices(asBytes({1}, kInt64), kInt64, {1});
  Both out(randomFloats(kFloat32, 4, 2), kFloat32, {1, 4});
  std::string message;
  auto lookup = [&] {
    other.lookup(table.onGPU(), indices.onGPU(), out.onGPU());
  };
  EXPECT_EQ(codeOf(lookup, &message), EMBEDDING_UNSUPPORTED);
  EXPECT_NE(message.find("/nowhere/libcuda.so.1"), std::string::npos);
  EXPECT_EQ(codeOf([&] { other.synchronize(); }), EMBEDDING_UNSUPPORTED);
  other.lookup(table.onCPU(), indices.onCPU(), out.onCPU());
}

TEST_F(OnDevice, InvalidArguments) {
  Both table(randomFloats(kFloat32, 8, 1), kFloat32, {2, 4});
  Both indices(asBytes({1}, kInt64), kInt64, {1});
  Both out(randomFloats(kFloat32, 4, 2), kFloat32, {1, 4});
  std::string message;
  EXPECT_EQ(
      codeOf(
          [&] { engine.lookup(table.onGPU(), indices.onCPU(), out.onGPU()); },
          &message),
      EMBEDDING_INVALID_ARGUMENT);
  EXPECT_EQ(message, "table: expected the device of indices, the "
                     "CPU, but got cuda:0");
  EXPECT_EQ(codeOf([&] {
              engine.denseGrad(out.onCPU(), indices.onCPU(), table.onGPU());
            }),
            EMBEDDING_INVALID_ARGUMENT);
  // Elements that lie apart, at two bytes beyond where they may.
  Both odd(randomFloats(kFloat32, 17, 1), kFloat32, {2, 4}, {8, 2}, 2);
  EXPECT_EQ(
      codeOf([&] { engine.lookup(odd.onGPU(), indices.onGPU(), out.onGPU()); },
             &message),
      EMBEDDING_INVALID_ARGUMENT);
  EXPECT_EQ(message, "table: expected rows that are not contiguous to be "
                     "aligned to their element of 4 bytes");
  Both oddIndices(asBytes({1, 1}, kInt64), kInt64, {1}, {}, 4);
  EXPECT_EQ(codeOf(
                [&] {
                  engine.lookup(table.onGPU(), oddIndices.onGPU(), out.onGPU());
                },
                &message),
            EMBEDDING_INVALID_ARGUMENT);
  EXPECT_EQ(message, "indices: on a GPU, expected data aligned to its elements "
                     "of 8 bytes");
  // Elements of 16 bytes that lie apart, of either tensor.
  constexpr DLDataType kComplex128 = {kDLComplex, 128, 1};
  Both wide(randomBytes(16 * 8, 1), kComplex128, {2, 2});
  Both wideApart(randomBytes(16 * 8, 1), kComplex128, {2, 2}, {4, 2});
  Both wideOut(randomBytes(16 * 4, 1), kComplex128, {1, 2});
  Both wideOutApart(randomBytes(16 * 4, 1), kComplex128, {1, 2}, {4, 2});
  for (auto [from, to] :
       {std::pair(&wideApart, &wideOut), std::pair(&wide, &wideOutApart)}) {
    EXPECT_EQ(codeOf(
                  [&, from = from, to = to] {
                    engine.lookup(from->onGPU(), indices.onGPU(), to->onGPU());
                  },
                  &message),
              EMBEDDING_UNSUPPORTED);
    EXPECT_EQ(message, "table: on a GPU, rows that are not contiguous need "
                       "elements of 1, 2, 4 or 8 bytes, but got 16");
  }
  // Five strides.
  Both many(asBytes(std::vector<int64_t>(200, 1), kInt64), kInt64,
            {2, 2, 2, 2, 2}, {100, 40, 14, 5, 1});
  Both manyRows(randomFloats(kFloat32, 32 * 4, 2), kFloat32,
                {2, 2, 2, 2, 2, 4});
  EXPECT_EQ(codeOf([&] {
              engine.lookup(table.onGPU(), many.onGPU(), manyRows.onGPU());
            }),
            EMBEDDING_UNSUPPORTED);
  // The same of rows alone.
  Both whole(asBytes(std::vector<int64_t>(32, 1), kInt64), kInt64,
             {2, 2, 2, 2, 2});
  Both apart(randomFloats(kFloat32, 700, 2), kFloat32, {2, 2, 2, 2, 2, 4},
             {400, 160, 56, 20, 4, 1});
  EXPECT_EQ(codeOf([&] {
              engine.lookup(table.onGPU(), whole.onGPU(), apart.onGPU());
            }),
            EMBEDDING_UNSUPPORTED);
  EXPECT_EQ(codeOf([&] { engine.synchronize(/*deviceId=*/99); }),
            EMBEDDING_DEVICE_ERROR);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

TEST_F(OnDevice, Allocator) {
  struct Counter {
    size_t bytes = 0;
    int live = 0;
    bool isExhausted = false;
  } counter;
  EngineOptions options = optionsOfTests();
  options.device_allocator_context = &counter;
  options.device_allocate = [](void *context, int32_t device, void *stream,
                               size_t size) -> void * {
    auto *counter = static_cast<Counter *>(context);
    EXPECT_EQ(device, 0);
    EXPECT_EQ(stream, nullptr);
    if (counter->isExhausted)
      return nullptr;
    counter->bytes = size;
    ++counter->live;
    return GPU::get().allocate(size);
  };
  options.device_deallocate = [](void *context, int32_t, void *, void *memory,
                                 size_t size) {
    auto *counter = static_cast<Counter *>(context);
    EXPECT_EQ(size, counter->bytes);
    --counter->live;
    GPU::get().deallocate(memory);
  };
  Engine other(options);
  Both grad(randomFloats(kFloat32, 400, 1), kFloat32, {100, 4});
  Both indices(asBytes(randomIndices(100, 9), kInt64), kInt64, {100});
  Both table(randomFloats(kFloat32, 36, 2), kFloat32, {9, 4});
  TensorView gradView = grad.onGPU(), indexView = indices.onGPU(),
             tableView = table.onGPU();
  DLTensor dlGrad = gradView.get(), dlIndices = indexView.get(),
           dlTable = tableView.get();
  size_t bytes = 0;
  ASSERT_EQ(embedding_dense_grad_workspace_size(other.get(), &dlGrad,
                                                &dlIndices, nullptr, &dlTable,
                                                &bytes, nullptr),
            EMBEDDING_OK);
  EXPECT_GT(bytes, 0u);
  other.denseGrad(gradView, indexView, tableView);
  other.synchronize();
  EXPECT_EQ(counter.bytes, bytes);
  EXPECT_EQ(counter.live, 0);
  counter.isExhausted = true;
  EXPECT_EQ(codeOf([&] { other.denseGrad(gradView, indexView, tableView); }),
            EMBEDDING_OUT_OF_MEMORY);
  // A lookup takes none, and says so.
  bytes = 1;
  EXPECT_EQ(embedding_lookup_workspace_size(other.get(), &dlTable, &dlIndices,
                                            nullptr, &dlGrad, &bytes, nullptr),
            EMBEDDING_OK);
  EXPECT_EQ(bytes, 0u);
  other.lookup(tableView, indexView, gradView);
  other.synchronize();
}

TEST(Device, LeavesNothingBehind) {
  if (!GPU::get().isInterpreted())
    GTEST_SKIP() << "not the interpreter";
  size_t before = GPU::get().getAllocationCount();
  {
    Engine engine(optionsOfTests());
    Both table(randomFloats(kFloat32, 8, 1), kFloat32, {2, 4});
    Both indices(asBytes({1}, kInt64), kInt64, {1});
    engine.renorm(table.onGPU(), indices.onGPU(), 1.0);
    engine.synchronize();
  }
  EXPECT_EQ(GPU::get().getAllocationCount(), before);
}

TEST(Device, OfEachGeneration) {
  if (!GPU::get().isInterpreted())
    GTEST_SKIP() << "not the interpreter";
  Both table(randomFloats(kFloat32, 8, 1), kFloat32, {2, 4});
  Both indices(asBytes({1}, kInt64), kInt64, {1});
  Both out(randomFloats(kFloat32, 4, 2), kFloat32, {1, 4});
  struct Generation {
    const char *capability, *chip;
  };
  for (auto [capability, chip] : {Generation{"7.5", nullptr},
                                  {"8.0", "80"},
                                  {"8.7", "87"},
                                  {"8.8", "87"},
                                  {"9.0", "90"},
                                  {"12.1", "120"}}) {
    SCOPED_TRACE(capability);
    setenv("EMBEDDING_INTERPRETER_CAPABILITY", capability, 1);
    TemporaryDirectory directory;
    std::string path = directory.str();
    EngineOptions options = optionsOfTests();
    if (options.cache_dir)
      options.cache_dir = path.c_str();
    Engine engine(options);
    EXPECT_EQ(codeOf([&] {
                engine.lookup(table.onGPU(), indices.onGPU(), out.onGPU());
              }),
              chip ? EMBEDDING_OK : EMBEDDING_UNSUPPORTED);
    // The newest code that it runs: the key of what is kept names it.
    if (chip && options.cache_dir)
      for (const auto &entry : std::filesystem::directory_iterator(path))
        if (entry.path().extension() == ".embobj") {
          std::ifstream file(entry.path(), std::ios::binary);
          std::string bytes{std::istreambuf_iterator<char>(file), {}};
          EXPECT_NE(bytes.find(std::string(" chip=sm_") + chip + " "),
                    std::string::npos);
        }
  }
  unsetenv("EMBEDDING_INTERPRETER_CAPABILITY");
}

// Each call of the driver fails once: it is told, nothing is left behind, and
// then everything works.
TEST(Device, EachCallOfTheDriver) {
  if (!GPU::get().isInterpreted() || std::getenv("EMBEDDING_CACHE_DIR"))
    GTEST_SKIP() << "needs the interpreter and the compiler";
  void *library = dlopen(FAILING_CUDA, RTLD_NOW);
  ASSERT_NE(library, nullptr) << dlerror();
  auto start = reinterpret_cast<void (*)(int)>(
      dlsym(library, "embedding_failing_cuda_start"));
  auto getFailed = reinterpret_cast<const char *(*)()>(
      dlsym(library, "embedding_failing_cuda_failed"));
  auto getBalance = reinterpret_cast<int (*)()>(
      dlsym(library, "embedding_failing_cuda_balance"));
  TemporaryDirectory directory;
  std::string path = directory.str();
  EngineOptions options = optionsOfTests();
  options.cuda_library = FAILING_CUDA;
  options.cache_dir = path.c_str();
  // The first result is copied to where it is wanted.
  static constexpr char kFunctions[] = R"mlir(
func.func @f(%weight: tensor<?x4xf32>, %input: tensor<?xi64>)
    -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %c0 = arith.constant 0 : index
  %size = tensor.dim %input, %c0 : tensor<?xi64>
  %init = tensor.empty(%size) : tensor<?x4xf32>
  %out = embedding.lookup ins(%weight, %input : tensor<?x4xf32>, tensor<?xi64>)
      outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %weight, %out : tensor<?x4xf32>, tensor<?x4xf32>
}
func.func @g(%weight: memref<?x4xf32>, %input: memref<?xi64>,
             %out: memref<?x4xf32>) {
  embedding.lookup ins(%weight, %input : memref<?x4xf32>, memref<?xi64>)
      outs(%out : memref<?x4xf32>)
  return
}
)mlir";
  Both table(randomFloats(kFloat32, 40, 1), kFloat32, {10, 4});
  Both indices(asBytes({3, 9, 3, 0}, kInt64), kInt64, {4});
  Both bad(asBytes({3, 10}, kInt64), kInt64, {2});
  Both few(randomFloats(kFloat32, 8, 5), kFloat32, {2, 4});
  Both out(randomFloats(kFloat32, 16, 2), kFloat32, {4, 4});
  Both renormed(randomFloats(kFloat32, 40, 3), kFloat32, {10, 4});
  Both copy(randomFloats(kFloat32, 40, 4), kFloat32, {10, 4});
  auto runAll = [&](Engine &engine, bool isGPU) {
    auto on = [&](Both &both) { return isGPU ? both.onGPU() : both.onCPU(); };
    engine.lookup(on(table), on(indices), on(out));
    // With workspace.
    engine.renorm(on(renormed), on(indices), 1000.0);
    ModuleOptions options;
    if (isGPU)
      options.device = kGPU;
    Module module(engine, kFunctions, options);
    module.call("f", {on(table), on(indices)}, {on(copy), on(out)});
    module.call("g", {on(table), on(indices), on(out)});
    if (isGPU)
      engine.synchronize();
  };
  auto runBad = [&](Engine &engine) {
    engine.lookup(table.onGPU(), bad.onGPU(), few.onGPU());
    engine.synchronize();
  };
  {
    Engine engine(options);
    runAll(engine, /*isGPU=*/false);
  }
  int numFailures = 0;
  for (int number = 1;; ++number) {
    std::string function;
    {
      Engine engine(options);
      start(number);
      std::string message;
      EmbeddingStatusCode code = EMBEDDING_OK;
      try {
        runAll(engine, /*isGPU=*/true);
        runBad(engine);
      } catch (const Error &error) {
        code = error.code();
        message = error.what();
      }
      const char *failed = getFailed();
      start(0);
      if (!failed) {
        EXPECT_EQ(code, EMBEDDING_OUT_OF_RANGE) << message;
        break;
      }
      ++numFailures;
      function = failed;
      SCOPED_TRACE("call " + std::to_string(number) + ", " + function + ": " +
                   message);
      if (function == "cuCtxPopCurrent_v2" || function == "cuMemFreeAsync") {
        EXPECT_EQ(code, EMBEDDING_OUT_OF_RANGE);
      } else if (function == "cuMemAllocAsync") {
        EXPECT_EQ(code, EMBEDDING_OUT_OF_MEMORY);
      } else {
        EXPECT_EQ(code, function == "cuInit" ? EMBEDDING_UNSUPPORTED
                                             : EMBEDDING_DEVICE_ERROR);
        EXPECT_EQ(message, "cuda: " + function.substr(0, function.find('_')) +
                               ": as was asked for (999)");
      }
      // What it had found may be left to tell.
      try {
        engine.synchronize();
      } catch (const Error &error) {
        EXPECT_EQ(error.code(), EMBEDDING_OUT_OF_RANGE) << error.what();
      }
      runAll(engine, /*isGPU=*/true);
      EXPECT_TRUE(out.isSame());
      EXPECT_TRUE(copy.isSame());
      EXPECT_TRUE(renormed.isSame());
      EXPECT_EQ(codeOf([&] { runBad(engine); }), EMBEDDING_OUT_OF_RANGE);
    }
    ASSERT_EQ(getBalance(), 0) << "call " << number << ", " << function;
  }
  EXPECT_GE(numFailures, 40);
}
