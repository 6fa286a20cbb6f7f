//===- LookupTest.cpp - Lookups on an interpreted GPU ---------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Takes IR through embedding-to-nvvm-pipeline, runs its host code, and its
// kernels in the interpreter.
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"

#include "KernelSpec.h"
#include "ObjectLoader.h"
#include "embedding/InitAll.h"
#include "embedding/Pipelines/Passes.h"
#include "embedding/Target/CPU.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/Support/FormatVariadic.h"

#include <cstring>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

using namespace mlir;
using namespace ::embedding;
using ::embedding::runtime::LoadedObject;
template <int Rank> using MemRef = ::embedding::runtime::MemRef<Rank>;

namespace {

//===----------------------------------------------------------------------===//
// A device
//===----------------------------------------------------------------------===//

/// What host code calls while a test runs.
struct Device {
  ptx::Memory memory;
  ptx::Order order = ptx::Order::forward;
  uint64_t report = 0;
  std::string error;
  uint32_t launchCount = ptx::Bytes::kHost;

  uint64_t upload(const void *data, size_t bytes) {
    uint64_t address = memory.allocate(bytes);
    ptx::Bytes to = memory.find(address, bytes);
    std::memcpy(to.data, data, bytes);
    std::fill_n(to.writers, bytes, ptx::Bytes::kHost);
    return address;
  }
  static Device *current;
};
Device *Device::current = nullptr;

} // namespace

static void launchKernel(const char *image, int64_t, const char *name,
                         int64_t blocks, int64_t threads, int64_t *arguments,
                         int64_t count) {
  Device &device = *Device::current;
  try {
    ptx::Module module = ptx::parse(image);
    ptx::Kernel &kernel = module.kernels.at(name);
    ptx::decode(kernel);
    EXPECT_EQ(static_cast<int64_t>(kernel.parameters.size()), count);
    std::vector<void *> addresses;
    for (int64_t i = 0; i < count; ++i)
      addresses.push_back(&arguments[i]);
    ptx::run({&kernel, static_cast<uint32_t>(blocks),
              static_cast<uint32_t>(threads), addresses.data(), device.order,
              ++device.launchCount},
             device.memory);
  } catch (const std::exception &error) {
    device.error = error.what();
  }
}

static void *getReport() {
  return reinterpret_cast<void *>(Device::current->report);
}

static void *resolve(const char *name) {
  if (std::strcmp(name, "embedding_launch_kernel") == 0)
    return reinterpret_cast<void *>(&launchKernel);
  if (std::strcmp(name, "embedding_get_out_of_range_report") == 0)
    return reinterpret_cast<void *>(&getReport);
  return runtime::resolveInProcess(name);
}

namespace {

//===----------------------------------------------------------------------===//
// A lookup
//===----------------------------------------------------------------------===//

struct Lookup {
  std::string chip = "sm_90";
  std::string element = "f32";
  int64_t elementBytes = 4;
  int64_t rowLength = 8;
  bool hasStaticLength = true;
  int indexBits = 64;
  std::string mode = "check";
  /// Elements between rows and elements of the table and the output, if they
  /// are not dense.
  int64_t rowStride = 0;
  int64_t elementStride = 1;
  /// Of the begin of the table and the output, in elements.
  int64_t offset = 0;
  int64_t rowAlignment = 0;

  int64_t stride() const { return rowStride ? rowStride : rowLength; }
  bool isDense() const {
    return rowStride == 0 && elementStride == 1 && offset == 0;
  }
};

using Kernel = void (*)(MemRef<2> *, MemRef<1> *, MemRef<2> *);

class LookupOnGPU : public testing::Test {
protected:
  LookupOnGPU() { mlir::embedding::registerAllDialects(registry); }

  /// Compiles the function of `lookup`, once for each.
  Kernel compile(const Lookup &lookup) {
    std::string length =
        lookup.hasStaticLength ? std::to_string(lookup.rowLength) : "?";
    std::string layout =
        lookup.isDense() ? ""
                         : llvm::formatv(", strided<[?, {0}], offset: ?>",
                                         lookup.elementStride == 1 ? "1" : "?")
                               .str();
    std::string rows =
        "memref<?x" + length + "x" + lookup.element + layout + ">";
    std::string indices = llvm::formatv("memref<?xi{0}>", lookup.indexBits);
    std::string source = llvm::formatv(
        "func.func @lookup(%t: {0}, %i: {1}, %o: {0}) attributes "
        "{{llvm.emit_c_interface} {{\n embedding.lookup out_of_range({2}) "
        "ins(%t, %i : {0}, {1}) outs(%o : {0})\n return\n}",
        rows, indices, lookup.mode);
    std::string key =
        source + lookup.chip + std::to_string(lookup.rowAlignment);
    auto found = objects.find(key);
    if (found == objects.end())
      found = objects.emplace(key, emit(source, lookup)).first;
    return reinterpret_cast<Kernel>(found->second.find("_mlir_ciface_lookup"));
  }

  /// Runs `lookup` in a table of `numRows` and compares with plain copies.
  void check(const Lookup &lookup, int64_t numRows,
             const std::vector<int64_t> &indices) {
    SCOPED_TRACE(lookup.chip + " " + lookup.element +
                 " D=" + std::to_string(lookup.rowLength) + " " + lookup.mode +
                 " N=" + std::to_string(indices.size()));
    Kernel kernel = compile(lookup);
    ASSERT_NE(kernel, nullptr);
    for (ptx::Order order :
         {ptx::Order::forward, ptx::Order::reverse, ptx::Order::permuted})
      checkInOrder(lookup, numRows, indices, kernel, order);
  }

private:
  LoadedObject emit(const std::string &source, const Lookup &lookup) {
    MLIRContext context(registry, MLIRContext::Threading::DISABLED);
    auto module = parseSourceString<ModuleOp>(source, &context);
    PassManager pm(&context);
    mlir::embedding::NVVMPipelineOptions options;
    options.chip = lookup.chip;
    options.rowAlignment = lookup.rowAlignment;
    options.launch = mlir::embedding::KernelLaunch::callback;
    mlir::embedding::buildEmbeddingToNVVMPipeline(pm, options);
    EXPECT_TRUE(module && succeeded(pm.run(*module))) << source;
    auto target =
        mlir::embedding::CPUTarget::get(UnknownLoc::get(&context), "");
    SmallVector<char, 0> object;
    EXPECT_TRUE(succeeded(target->emit(
        *module, 2, mlir::embedding::CPUTarget::Output::object, object)));
    auto loaded = LoadedObject::load(
        std::string_view(object.data(), object.size()), resolve);
    EXPECT_TRUE(bool(loaded)) << loaded.failure().message;
    return std::move(*loaded);
  }

  static MemRef<2> getRows(const Lookup &lookup, uint64_t address,
                           int64_t count) {
    MemRef<2> rows;
    rows.aligned = reinterpret_cast<void *>(address);
    rows.offset = lookup.offset;
    rows.sizes[0] = count;
    rows.sizes[1] = lookup.rowLength;
    rows.strides[0] = lookup.stride();
    rows.strides[1] = lookup.elementStride;
    return rows;
  }

  static void checkInOrder(const Lookup &lookup, int64_t numRows,
                           const std::vector<int64_t> &indices, Kernel kernel,
                           ptx::Order order) {
    int64_t count = static_cast<int64_t>(indices.size());
    int64_t bytes = lookup.elementBytes;
    auto spanBytes = [&](int64_t rows) {
      return static_cast<size_t>((lookup.offset + rows * lookup.stride()) *
                                 bytes);
    };
    std::mt19937 random(17);
    std::vector<char> table(spanBytes(numRows)), out(spanBytes(count), '\x55');
    for (char &byte : table)
      byte =
          static_cast<char>(lookup.element == "i1" ? random() & 1 : random());
    std::vector<int32_t> narrow(indices.begin(), indices.end());

    Device device;
    device.order = order;
    Device::current = &device;
    constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
    int64_t report[4] = {kNone, 0, 0, 0};
    device.report = device.upload(report, sizeof(report));
    uint64_t deviceTable = device.upload(table.data(), table.size());
    uint64_t deviceOut = device.upload(out.data(), out.size());
    MemRef<1> indexRef;
    indexRef.aligned = reinterpret_cast<void *>(
        lookup.indexBits == 64 ? device.upload(indices.data(), 8 * count)
                               : device.upload(narrow.data(), 4 * count));
    indexRef.sizes[0] = count;
    indexRef.strides[0] = 1;
    MemRef<2> tableRef = getRows(lookup, deviceTable, numRows);
    MemRef<2> outRef = getRows(lookup, deviceOut, count);
    kernel(&tableRef, &indexRef, &outRef);
    ASSERT_EQ(device.error, "");

    int64_t expected[3] = {kNone, 0, 0};
    for (int64_t i = 0; i < count; ++i) {
      int64_t row = indices[i];
      bool isIn = row >= 0 && row < numRows;
      if (!isIn && lookup.mode == "check") {
        if (expected[2]++ == 0) {
          expected[0] = i;
          expected[1] = row;
        }
      }
      if (lookup.mode == "clamp" && numRows > 0) {
        row = std::clamp<int64_t>(row, 0, numRows - 1);
        isIn = true;
      }
      for (int64_t d = 0; d < lookup.rowLength; ++d) {
        char *to = out.data() + (lookup.offset + i * lookup.stride() +
                                 d * lookup.elementStride) *
                                    bytes;
        if (isIn)
          std::memcpy(to,
                      table.data() + (lookup.offset + row * lookup.stride() +
                                      d * lookup.elementStride) *
                                         bytes,
                      bytes);
        else
          std::memset(to, 0, bytes);
      }
    }
    // All of it: what is between rows must be as it was.
    EXPECT_EQ(std::memcmp(out.data(), reinterpret_cast<void *>(deviceOut),
                          out.size()),
              0);
    std::memcpy(report, reinterpret_cast<void *>(device.report),
                sizeof(report));
    EXPECT_EQ(report[0], expected[0]);
    EXPECT_EQ(report[1], expected[1]);
    EXPECT_EQ(report[2], expected[2]);
    EXPECT_EQ(report[3], 0) << "the lock is still taken";
  }

  DialectRegistry registry;
  std::map<std::string, LoadedObject> objects;
};

} // namespace

static std::vector<int64_t> randomIndices(int64_t count, int64_t numRows) {
  std::mt19937 random(5);
  std::vector<int64_t> indices(count);
  for (int64_t &index : indices)
    index = static_cast<int64_t>(random() % numRows);
  return indices;
}

TEST_F(LookupOnGPU, RowLengths) {
  for (const char *chip : {"sm_80", "sm_90", "sm_100"})
    for (int64_t length :
         {0, 1, 3, 5, 8, 16, 17, 64, 100, 101, 128, 768, 4096}) {
      Lookup lookup;
      lookup.chip = chip;
      lookup.rowLength = length;
      check(lookup, 11, randomIndices(length > 500 ? 9 : 133, 11));
    }
}

TEST_F(LookupOnGPU, ElementTypes) {
  for (auto [element, bytes] : {std::pair("f64", 8),
                                {"f32", 4},
                                {"f16", 2},
                                {"bf16", 2},
                                {"i64", 8},
                                {"i32", 4},
                                {"i16", 2},
                                {"i8", 1}})
    for (int64_t length : {1, 3, 16, 17, 64, 100, 101, 128})
      for (int indexBits : {32, 64}) {
        Lookup lookup;
        lookup.element = element;
        lookup.elementBytes = bytes;
        lookup.rowLength = length;
        lookup.indexBits = indexBits;
        check(lookup, 7, randomIndices(70, 7));
      }
}

TEST_F(LookupOnGPU, ElementsThatFillNoBytes) {
  for (bool hasStaticLength : {true, false}) {
    Lookup lookup;
    lookup.element = "i1";
    lookup.elementBytes = 1;
    lookup.rowLength = 32;
    lookup.hasStaticLength = hasStaticLength;
    lookup.rowAlignment = 16;
    check(lookup, 7, randomIndices(70, 7));
  }
}

TEST_F(LookupOnGPU, DynamicRowLength) {
  for (int64_t length : {0, 1, 5, 64, 101, 768})
    for (int64_t alignment : {0, 4, 16}) {
      Lookup lookup;
      lookup.rowLength = length;
      lookup.hasStaticLength = false;
      lookup.rowAlignment = alignment;
      // The promise holds for rows of a whole number of lanes, apart.
      if (alignment == 16) {
        lookup.rowStride = (length + 7) / 4 * 4;
        lookup.offset = 4;
      }
      check(lookup, 5, randomIndices(40, 5));
    }
}

TEST_F(LookupOnGPU, Strided) {
  for (int64_t length : {1, 3, 16, 64, 101}) {
    Lookup lookup;
    lookup.rowLength = length;
    lookup.rowStride = length + 3;
    lookup.offset = 1;
    check(lookup, 6, randomIndices(50, 6));
    lookup.elementStride = 2;
    lookup.rowStride = 2 * length + 1;
    check(lookup, 6, randomIndices(50, 6));
    // Rows that are aligned although their length is odd have a tail.
    lookup.elementStride = 1;
    lookup.rowStride = (length + 7) / 4 * 4;
    lookup.offset = 8;
    lookup.rowAlignment = 16;
    check(lookup, 6, randomIndices(50, 6));
  }
}

TEST_F(LookupOnGPU, Sizes) {
  for (int64_t count : {0, 1, 2, 63, 64, 65, 1000}) {
    Lookup lookup;
    lookup.rowLength = 64;
    check(lookup, 3, randomIndices(count, 3));
  }
}

TEST_F(LookupOnGPU, OutOfRange) {
  std::vector<int64_t> indices = randomIndices(300, 9);
  for (int64_t at : {299, 41, 40, 120})
    indices[at] = at % 2 ? -3 : 9 + at;
  std::vector<int64_t> allBad(100, int64_t(1) << 31);
  for (const char *mode : {"check", "clamp", "zero"})
    for (int64_t length : {0, 1, 16, 64, 768}) {
      Lookup lookup;
      lookup.mode = mode;
      lookup.rowLength = length;
      check(lookup, 9, indices);
      check(lookup, 9, allBad);
      // A table of no rows.
      check(lookup, 0, {0, -1, 5});
    }
  Lookup lookup;
  lookup.mode = "assume";
  check(lookup, 9, randomIndices(100, 9));
}

//===----------------------------------------------------------------------===//
// The interpreter
//===----------------------------------------------------------------------===//

namespace {

/// Runs `body` in 64 threads with the address of 256 written bytes in %rd1 and
/// that of 256 unwritten ones in %rd2; returns the error.
class Interpreter : public testing::Test {
protected:
  std::string run(const std::string &body, ptx::Order order = {}) {
    std::string text = ".version 8.0\n.target sm_80\n.address_size 64\n"
                       ".visible .entry k(.param .u64 a, .param .u64 b)\n"
                       ".maxntid 64, 1, 1\n{\n"
                       ".shared .align 4 .b8 s[256];\n"
                       "ld.param.u64 %rd1, [a];\nld.param.u64 %rd2, [b];\n"
                       "mov.u32 %r1, %tid.x;\nmul.wide.u32 %rd3, %r1, 4;\n"
                       "add.s64 %rd4, %rd1, %rd3;\nmov.u32 %r2, s;\n"
                       "shl.b32 %r3, %r1, 2;\nadd.s32 %r4, %r2, %r3;\n" +
                       body + "\nret;\n}\n";
    try {
      ptx::Module module = ptx::parse(text);
      ptx::Kernel &kernel = module.kernels.at("k");
      ptx::decode(kernel);
      std::vector<char> zeros(256);
      uint64_t written = device.upload(zeros.data(), 256);
      uint64_t unwritten = device.memory.allocate(256);
      void *arguments[] = {&written, &unwritten};
      ptx::run({&kernel, 1, 64, arguments, order, 2}, device.memory);
      std::memcpy(result, reinterpret_cast<void *>(written), 256);
    } catch (const std::exception &error) {
      return error.what();
    }
    return "";
  }

  Device device;
  uint32_t result[64];
};

} // namespace

#define EXPECT_ERROR(body, message)                                            \
  EXPECT_NE(run(body).find(message), std::string::npos) << run(body)

TEST_F(Interpreter, FindsBadAccesses) {
  EXPECT_EQ(run("st.global.u32 [%rd4], %r1;"), "");
  EXPECT_EQ(result[63], 63u);
  EXPECT_ERROR("ld.global.u32 %r5, [%rd4+4];", "outside every allocation");
  EXPECT_ERROR("ld.global.u32 %r5, [%rd1+2];", "is not a multiple of 4");
  EXPECT_ERROR("ld.global.v4.u32 {%r5,%r6,%r7,%r8}, [%rd1+8];",
               "is not a multiple of 16");
  EXPECT_ERROR("ld.global.u32 %r5, [%rd2];", "not written");
  EXPECT_ERROR("ld.shared.u32 %r5, [%r4];", "not written");
  EXPECT_ERROR("ld.shared.u32 %r5, [%r4+256];", "outside shared memory");
  EXPECT_ERROR("st.global.u32 [%rd1], %r1;\nld.global.nc.u32 %r5, [%rd1];",
               "as read-only");
  EXPECT_ERROR("sin.approx.f32 %f1, %f2;", "not known");
}

TEST_F(Interpreter, OrdersShowMissingBarriers) {
  // Each thread reads what its neighbour wrote.
  const std::string write = "st.shared.u32 [%r4], %r1;\n";
  const std::string read = "xor.b32 %r5, %r4, 4;\nld.shared.u32 %r6, [%r5];\n"
                           "st.global.u32 [%rd4], %r6;";
  EXPECT_NE(run(write + read), "");
  for (ptx::Order order :
       {ptx::Order::forward, ptx::Order::reverse, ptx::Order::permuted}) {
    ASSERT_EQ(run(write + "bar.sync 0;\n" + read, order), "");
    EXPECT_EQ(result[10], 11u);
  }
  EXPECT_ERROR("setp.lt.u32 %p1, %r1, 3;\n@%p1 bra $done;\nbar.sync 0;\n"
               "$done:",
               "never come");
}

TEST_F(Interpreter, WarpsExchange) {
  ASSERT_EQ(run("shfl.sync.bfly.b32 %r5, %r1, 16, 31, -1;\n"
                "st.global.u32 [%rd4], %r5;"),
            "");
  EXPECT_EQ(result[3], 19u);
  EXPECT_EQ(result[40], 56u);
  ASSERT_EQ(run("and.b32 %r5, %r1, 3;\nmatch.any.sync.b32 %r6, %r5, -1;\n"
                "st.global.u32 [%rd4], %r6;"),
            "");
  EXPECT_EQ(result[33], 0x22222222u);
}
