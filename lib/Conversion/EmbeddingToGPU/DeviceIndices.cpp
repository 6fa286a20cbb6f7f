//===- DeviceIndices.cpp - What indices name, on the device ---------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceIndices.h"

#include "embedding/Conversion/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Utils/Utils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::embedding;

/// Where the caller wants to read about bad indices.
static Value getReport(LoopBuilder &host) {
  auto module =
      host.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
  auto pointer = LLVM::LLVMPointerType::get(host.getContext());
  auto getter = module.lookupSymbol<func::FuncOp>(kGetOutOfRangeReportFunction);
  if (!getter)
    getter = func::createFnDecl(host, module, kGetOutOfRangeReportFunction,
                                host.getFunctionType({}, pointer),
                                /*setPrivate=*/true);
  return func::CallOp::create(host, getter).getResult(0);
}

DeviceIndices::DeviceIndices(LoopBuilder &host, Value indices, Value numRows,
                             OutOfRange mode, Value paddingRow)
    : indices(indices), numRows(numRows), paddingRow(paddingRow), mode(mode),
      count(host.numElements(indices)) {
  if (checks())
    report = getReport(host);
}

DeviceIndices DeviceIndices::withoutChecks() const {
  DeviceIndices checked = *this;
  if (checks())
    checked.mode = OutOfRange::zero;
  return checked;
}

Value DeviceIndices::load(KernelBuilder &k, Value position) const {
  return k.toIndex(loadFlat(k, k.use(indices, Access::read), position));
}

Value DeviceIndices::getRow(KernelBuilder &k, Value index) const {
  return getNamedRow(k, index, k.use(numRows),
                     checks() ? OutOfRange::zero : mode,
                     paddingRow ? k.use(paddingRow) : nullptr);
}

//===----------------------------------------------------------------------===//
// Reports
//===----------------------------------------------------------------------===//

/// Writes about one bad index. How many there are is counted at once. Position
/// and index belong together, so that they are written under a lock; who is
/// behind the smallest position so far has nothing to write.
static void reportOutOfRange(KernelBuilder &k, Value report, Value position,
                             Value index) {
  auto pointer = LLVM::LLVMPointerType::get(k.getContext());
  auto field = [&](int32_t number) -> Value {
    return LLVM::GEPOp::create(k, pointer, k.getI64Type(), report,
                               ArrayRef<LLVM::GEPArg>{number});
  };
  auto load = [&](int32_t number) -> Value {
    return LLVM::LoadOp::create(k, k.getI64Type(), field(number),
                                /*alignment=*/8, /*isVolatile=*/true);
  };
  auto store = [&](Value value, int32_t number) {
    LLVM::StoreOp::create(k, value, field(number), /*alignment=*/8,
                          /*isVolatile=*/true);
  };
  auto update = [&](LLVM::AtomicBinOp op, int32_t number,
                    int64_t value) -> Value {
    return LLVM::AtomicRMWOp::create(k, op, field(number), k.i64(value),
                                     LLVM::AtomicOrdering::monotonic, "device",
                                     /*alignment=*/8);
  };
  // LLVM drops the ordering of atomics for NVIDIA's GPUs, but not of fences.
  auto fence = [&] {
    LLVM::FenceOp::create(k, LLVM::AtomicOrdering::acq_rel, "device");
  };
  update(LLVM::AtomicBinOp::add, kReportCount, 1);
  auto isFirst = [&] { return k.less(position, load(kReportPosition)); };
  k.ifTrue(isFirst(), [&] {
    scf::WhileOp::create(
        k, k.getLoc(), TypeRange(), ValueRange(),
        [&](OpBuilder &builder, Location loc, ValueRange) {
          OpBuilder::InsertionGuard guard(k);
          k.setInsertionPoint(builder.getInsertionBlock(),
                              builder.getInsertionPoint());
          Value before = update(LLVM::AtomicBinOp::xchg, kReportLock, 1);
          Value isTaken = k.cmp(arith::CmpIPredicate::ne, before, k.i64(0));
          scf::ConditionOp::create(k, isTaken, ValueRange());
        },
        [&](OpBuilder &builder, Location loc, ValueRange) {
          scf::YieldOp::create(builder, loc);
        });
    fence();
    k.ifTrue(isFirst(), [&] {
      store(index, kReportIndex);
      store(position, kReportPosition);
    });
    fence();
    update(LLVM::AtomicBinOp::xchg, kReportLock, 0);
  });
}

void DeviceIndices::check(KernelBuilder &k, Value position, Value index,
                          llvm::function_ref<void()> andThen) const {
  if (!checks())
    return;
  Value isBad = k.cmp(arith::CmpIPredicate::uge, index, k.use(numRows));
  k.ifTrue(isBad, [&] {
    reportOutOfRange(k, k.use(report), k.toI64(position), k.toI64(index));
    if (andThen)
      andThen();
  });
}
