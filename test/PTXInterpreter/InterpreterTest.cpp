//===- InterpreterTest.cpp - What the interpreter finds -------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Programs.h"

#include <gtest/gtest.h>

using namespace embedding;

namespace {

/// Runs `body` in 64 threads with the address of 256 written bytes in %rd1 and
/// that of 256 unwritten ones in %rd2; returns the error.
class Interpreter : public testing::Test {
protected:
  std::string run(const std::string &body, ptx::Order order = {},
                  uint32_t blocks = 1) {
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
      ptx::run({&kernel, blocks, 64, arguments, order, 2}, device.memory);
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
  for (ptx::Order order : ptx::kOrders) {
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

// What one thread does between two accesses of another's shows in one order
// alone.
TEST_F(Interpreter, InterleavingShowsMissingAtomics) {
  const std::string count = "ld.global.u32 %r5, [%rd1];\nadd.s32 %r5, %r5, 1;\n"
                            "st.global.u32 [%rd1], %r5;";
  // Who finds no flag set takes it; to take it is not to have found it.
  const std::string claim =
      "ld.global.u32 %r5, [%rd1+4];\nsetp.ne.u32 %p1, %r5, 0;\n"
      "@%p1 bra $done;\natom.global.or.b32 %r6, [%rd1+4], 1;\n";
  const std::string take = "atom.global.add.u32 %r7, [%rd1], 1;\n$done:";
  const std::string ask = "setp.ne.u32 %p2, %r6, 0;\n@%p2 bra $done;\n";
  for (ptx::Order order : ptx::kOrders) {
    bool isInterleaved = order == ptx::Order::interleaved;
    ASSERT_EQ(run(count, order), "");
    EXPECT_EQ(result[0] == 64, !isInterleaved) << result[0];
    ASSERT_EQ(run("atom.global.add.u32 %r5, [%rd1], 1;", order), "");
    EXPECT_EQ(result[0], 64u);
    ASSERT_EQ(run(claim + take, order), "");
    EXPECT_EQ(result[0] == 1, !isInterleaved) << result[0];
    ASSERT_EQ(run(claim + ask + take, order), "");
    EXPECT_EQ(result[0], 1u);
  }
  // Threads of other blocks come in between as well.
  for (ptx::Order order : ptx::kOrders) {
    ASSERT_EQ(
        run("setp.ne.u32 %p3, %r1, 0;\n@%p3 bra $end;\n" + count + "\n$end:",
            order, /*blocks=*/3),
        "");
    EXPECT_EQ(result[0] == 3, order != ptx::Order::interleaved) << result[0];
  }
}
