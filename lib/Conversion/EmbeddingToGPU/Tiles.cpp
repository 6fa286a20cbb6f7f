//===- Tiles.cpp - Counts and numbers across blocks -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tiles.h"

using namespace mlir;
using namespace mlir::embedding;

Value embedding::getTileCount(LoopBuilder &host, Value size) {
  return host.divUp(size, host.index(kTileElements));
}

SmallVector<Value> embedding::getTileElements(KernelBuilder &k) {
  Value lane = k.bitAnd(k.getThread(), k.index(kWarpThreads - 1));
  Value warp = k.div(k.getThread(), k.index(kWarpThreads));
  Value first = k.add(
      k.mul(k.getBlock(), k.index(kTileElements)),
      k.add(k.mul(warp, k.index(kWarpThreads * cost::gpu::kThreadElements)),
            lane));
  SmallVector<Value> elements;
  for (int64_t i = 0; i < cost::gpu::kThreadElements; ++i)
    elements.push_back(k.add(first, k.index(i * kWarpThreads)));
  return elements;
}

void embedding::launchScan(LoopBuilder &host, StringRef name, Value counts,
                           Value rows, Value columns, Value totals) {
  launchKernel(host, name, rows, [&](KernelBuilder &k) {
    Value scratch = k.share(kBlockWarps, k.getI64Type());
    Value buffer = k.use(counts, Access::write).elements;
    Value end = k.use(columns);
    Value row = k.mul(k.getBlock(), end);
    Value turns = k.div(k.add(end, k.index(cost::gpu::kBlockThreads - 1)),
                        k.index(cost::gpu::kBlockThreads));
    Value total = k.loop(
        k.index(0), turns, k.i64(0),
        [&](Value turn, ValueRange carried) -> SmallVector<Value> {
          Value column = k.add(k.mul(turn, k.index(cost::gpu::kBlockThreads)),
                               k.getThread());
          Value isIn = k.less(column, end);
          Value at = k.add(row, column);
          Value count = k.choose(
              isIn,
              [&]() -> SmallVector<Value> { return {k.load(buffer, at)}; },
              [&]() -> SmallVector<Value> { return {k.i64(0)}; })[0];
          KernelBuilder::Scan scan = k.scanBlock(count, scratch);
          k.ifTrue(isIn, [&] {
            k.store(k.add(carried[0], scan.before), buffer, at);
          });
          return {k.add(carried[0], scan.total)};
        })[0];
    k.ifTrue(k.equal(k.getThread(), k.index(0)), [&] {
      k.store(total, k.use(totals, Access::write).elements, k.getBlock());
    });
  });
}

//===----------------------------------------------------------------------===//
// Numbering
//===----------------------------------------------------------------------===//

/// For each element of this thread, the threads of the warp whose elements have
/// the flag.
static SmallVector<Value> getBallots(KernelBuilder &k, ArrayRef<Value> elements,
                                     Value size, Numbering::Flag hasFlag) {
  SmallVector<Value> flags, ballots;
  for (Value element : elements)
    flags.push_back(k.choose(
        k.less(element, size),
        [&]() -> SmallVector<Value> { return {hasFlag(k, element)}; },
        [&]() -> SmallVector<Value> {
          return {arith::ConstantIntOp::create(k, 0, 1)};
        })[0]);
  for (Value flag : flags)
    ballots.push_back(k.ballot(flag));
  return ballots;
}

/// The number of flags in the warp.
static Value countFlags(KernelBuilder &k, ArrayRef<Value> ballots) {
  Value count = k.i32(0);
  for (Value ballot : ballots)
    count = k.add(count, k.count(ballot));
  return k.resize(count, k.getI64Type());
}

Numbering::Numbering(LoopBuilder &host, StringRef name, Value size,
                     Flag hasFlag)
    : size(size), tileCount(getTileCount(host, size)) {
  counts = allocateBuffer(host, host.getI64Type(), tileCount);
  total = allocateBuffer(host, host.getI64Type(), host.index(1));
  launchKernel(host, (name + "_count").str(), tileCount, [&](KernelBuilder &k) {
    Value scratch = k.share(kBlockWarps, k.getI64Type());
    SmallVector<Value> ballots =
        getBallots(k, getTileElements(k), k.use(size), hasFlag);
    // Each warp counts once.
    Value lane = k.bitAnd(k.getThread(), k.index(kWarpThreads - 1));
    Value count =
        k.select(k.equal(lane, k.index(0)), countFlags(k, ballots), k.i64(0));
    Value total = k.scanBlock(count, scratch).total;
    k.ifTrue(k.equal(k.getThread(), k.index(0)), [&] {
      k.store(total, k.use(counts, Access::write).elements, k.getBlock());
    });
  });
  launchScan(host, (name + "_scan").str(), counts, host.index(1), tileCount,
             total);
}

Value Numbering::getTotal(KernelBuilder &k) const {
  return k.load(k.use(total, Access::read).elements, k.index(0));
}

void Numbering::forEach(LoopBuilder &host, StringRef name, Flag hasFlag,
                        Body body) const {
  launchKernel(host, name, tileCount, [&](KernelBuilder &k) {
    Value scratch = k.share(kBlockWarps, k.getI64Type());
    SmallVector<Value> elements = getTileElements(k);
    SmallVector<Value> ballots = getBallots(k, elements, k.use(size), hasFlag);
    Value lane = k.bitAnd(k.getThread(), k.index(kWarpThreads - 1));
    Value isFirst = k.equal(lane, k.index(0));
    Value inWarp = countFlags(k, ballots);
    Value before =
        k.scanBlock(k.select(isFirst, inWarp, k.i64(0)), scratch).before;
    // What the first lane does not see before it, the others see in it.
    Value number =
        k.add(k.load(k.use(counts, Access::read).elements, k.getBlock()),
              k.select(isFirst, before, k.sub(before, inWarp)));
    Value bit = k.i32(1);
    Value position = k.shiftLeft(bit, k.resize(lane, k.getI32Type()));
    for (size_t i = 0; i < elements.size(); ++i) {
      Value element = elements[i], ballot = ballots[i];
      Value mine =
          k.add(number, k.resize(k.countBefore(ballot), k.getI64Type()));
      Value hasIt =
          k.cmp(arith::CmpIPredicate::ne, k.bitAnd(ballot, position), k.i32(0));
      k.ifTrue(k.less(element, k.use(size)),
               [&] { body(k, element, mine, hasIt); });
      number = k.add(number, k.resize(k.count(ballot), k.getI64Type()));
    }
  });
}
