//===- PowTest.cpp - Powers against a wider library -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Programs.h"

#include "../../lib/Utils/Pow.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace embedding;

/// A function that takes each element of its first argument to the power `p`.
static std::string getSource(double p) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::arith::ArithDialect, mlir::func::FuncDialect,
                  mlir::math::MathDialect, mlir::memref::MemRefDialect,
                  mlir::scf::SCFDialect>();
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  mlir::Location loc = mlir::UnknownLoc::get(&context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
  auto builder = mlir::OpBuilder::atBlockEnd(module->getBody());
  auto type =
      mlir::MemRefType::get({mlir::ShapedType::kDynamic}, builder.getF64Type());
  auto function = mlir::func::FuncOp::create(
      builder, loc, "f", builder.getFunctionType({type, type}, {}));
  function->setAttr("llvm.emit_c_interface", builder.getUnitAttr());
  mlir::Block *body = function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  mlir::embedding::LoopBuilder b(loc, builder);
  b.loop(b.index(0), b.numElements(body->getArgument(0)), [&](mlir::Value i) {
    mlir::Value x = b.load(body->getArgument(0), i);
    b.store(mlir::embedding::PowBuilder(b).build(x, p), body->getArgument(1),
            i);
  });
  mlir::func::ReturnOp::create(b);
  std::string text;
  llvm::raw_string_ostream(text) << *module;
  return text;
}

TEST(Pow, WithinOneUnitInTheLastPlace) {
  Programs programs;
  std::mt19937_64 random(3);
  std::vector<double> values;
  for (int i = 0; i < 20000; ++i) {
    // Any magnitude, and those next to 1.
    uint64_t bits = random() >> 1;
    double any;
    std::memcpy(&any, &bits, sizeof(any));
    if (std::isfinite(any))
      values.push_back(any);
    values.push_back(1.0 +
                     std::ldexp(static_cast<double>(random() >> 11) - 0x1p52,
                                -53 - static_cast<int>(random() % 40)));
    values.push_back(std::ldexp(static_cast<double>(random() >> 11),
                                -53 + static_cast<int>(random() % 8)));
  }
  const double infinity = std::numeric_limits<double>::infinity();
  for (double special : {0.0, 1.0, infinity, std::nan(""), 0x1p-1074, 0x1p-1022,
                         0x1.fffffffffffffp1023, 2.0, 0.5})
    values.push_back(special);
  auto count = static_cast<int64_t>(values.size());
  for (double p : {3.0, 0.5, -1.5, 1.0 / 3.0, 2.5, -0.001, 37.0, 1e-300,
                   infinity, -1e300}) {
    std::vector<Array> arguments = {Array::of(values, {count}),
                                    Array::of(values, {count})};
    Report report;
    ASSERT_EQ(programs.callOnCPU(getSource(p), arguments, report), "");
    for (int64_t i = 0; i < count; ++i) {
      double actual = arguments[1].at<double>(i);
      long double exact = std::pow(static_cast<long double>(values[i]),
                                   static_cast<long double>(p));
      auto expected = static_cast<double>(exact);
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(actual)) << values[i] << "^" << p;
        continue;
      }
      if (expected == 0 || std::isinf(expected)) {
        EXPECT_EQ(actual, expected) << values[i] << "^" << p;
        continue;
      }
      long double unit =
          std::ldexp(1.0L, std::max(std::ilogb(expected) - 52, -1074));
      // Numbers that are not normal are rounded twice.
      EXPECT_LE(std::fabs(static_cast<long double>(actual) - exact), unit)
          << values[i] << "^" << p;
    }
  }
}
