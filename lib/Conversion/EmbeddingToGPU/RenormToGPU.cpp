//===- RenormToGPU.cpp - Norms of the named rows, and their scaling -------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Patterns.h"
#include "RowLanes.h"

using namespace mlir;
using namespace mlir::embedding;

namespace {

/// Shortens rows of a table, for `OpTy` one of the operations below: a kernel
/// that checks all indices, since a bad one leaves all rows as they are, and
/// one that shortens. In the latter a thread for each partial sum of a norm
/// comes for each position; those of the first to set the bit of the row
/// shorten it. No order of positions matters: a row is only read and written by
/// those.
template <typename OpTy> class RowShortener {
public:
  RowShortener(LoopBuilder &host, OpTy op, const DeviceIndices &indices)
      : host(host), indices(indices), table(op.getTable()),
        element(cast<MemRefType>(table.getType()).getElementType()),
        norm{op.getNormType().convertToDouble()} {
    maxNorm = op.getDynamicMaxNorm();
    if (!maxNorm)
      maxNorm =
          host.constant(host.getF64Type(), op.getMaxNorm()->convertToDouble());
    rowLength =
        host.value(embedding::getMixedSize(host, host.getLoc(), table, 1));
    wordCount = host.add(host.div(indices.getNumRows(), host.index(kWordBits)),
                         host.index(1));
    bitmap = allocateBuffer(host, host.getI32Type(), wordCount);
    if (indices.checks())
      failed = allocateBuffer(host, host.getI32Type(), host.index(1));
  }

  void run() {
    launchForEach(
        host, "renorm_clear", wordCount, [&](KernelBuilder &k, Value word) {
          k.store(k.i32(0), k.use(bitmap, Access::write).elements, word);
          if (failed)
            k.ifTrue(k.equal(word, k.index(0)), [&] { storeFailed(k, 0); });
        });
    if (failed)
      launchForEach(host, "renorm_check", indices.size(),
                    [&](KernelBuilder &k, Value position) {
                      indices.check(k, position, indices.load(k, position),
                                    [&] { storeFailed(k, 1); });
                    });
    shortenRows();
    host.deallocate(bitmap);
    if (failed)
      host.deallocate(failed);
  }

private:
  static constexpr int64_t kWordBits = 32;
  static constexpr int64_t kRowsPerBlock = kBlockThreads / kPartialSums;

  void storeFailed(KernelBuilder &k, int64_t value) {
    k.store(k.i32(value), k.use(failed, Access::write).elements, k.index(0));
  }

  void shortenRows() {
    Value blocks = host.divUp(indices.size(), host.index(kRowsPerBlock));
    launchKernel(host, "renorm", blocks, [&](KernelBuilder &k) {
      Value member = k.bitAnd(k.getThread(), k.index(kPartialSums - 1));
      Value position = k.add(k.mul(k.getBlock(), k.index(kRowsPerBlock)),
                             k.div(k.getThread(), k.index(kPartialSums)));
      Value row = claimRow(k, member, position);
      Value isMine = k.cmp(arith::CmpIPredicate::sge, row, k.index(0));
      // All threads of a warp take part in what follows.
      Value sum = k.choose(
          isMine,
          [&]() -> SmallVector<Value> { return {sumTerms(k, member, row)}; },
          [&]() -> SmallVector<Value> {
            return {k.constant(k.getF64Type(), norm.getIdentity())};
          })[0];
      for (int64_t distance = kPartialSums / 2; distance > 0; distance /= 2)
        sum = norm.combine(k, sum, k.shuffleXor(sum, distance));
      k.ifTrue(isMine, [&] {
        Shortening shortening(k, norm.finish(k, sum), k.use(maxNorm), element);
        k.ifTrue(shortening.isLonger,
                 [&] { scaleRow(k, member, row, shortening.getFactor(k)); });
      });
    });
  }

  /// The row that `position` names if it is this group's to shorten, else -1.
  Value claimRow(KernelBuilder &k, Value member, Value position) {
    Value isIn = k.less(position, k.use(indices.size()));
    Value none = k.index(-1);
    Value isFirst = k.equal(member, k.index(0));
    auto getNone = [&]() -> SmallVector<Value> { return {none}; };
    Value claimed = k.choose(
        k.bitAnd(isIn, isFirst),
        [&]() -> SmallVector<Value> {
          Value row = indices.getRow(k, indices.load(k, position));
          Value isNamed = k.cmp(arith::CmpIPredicate::ult, row,
                                k.use(indices.getNumRows()));
          if (failed) {
            Value state =
                k.load(k.use(failed, Access::read).elements, k.index(0));
            isNamed = k.bitAnd(isNamed, k.equal(state, k.i32(0)));
          }
          return k.choose(
              isNamed,
              [&]() -> SmallVector<Value> {
                return {k.select(setBit(k, row), row, none)};
              },
              getNone);
        },
        getNone)[0];
    Value lane = k.bitAnd(k.getThread(), k.index(kWarpThreads - kPartialSums));
    Value first = k.broadcast(k.toI64(claimed), k.resize(lane, k.getI32Type()));
    return k.toIndex(first);
  }

  /// Sets the bit of `row`; returns whether it was not set.
  Value setBit(KernelBuilder &k, Value row) {
    Value words = k.use(bitmap, Access::write).elements;
    Value word = k.div(row, k.index(kWordBits));
    Value number =
        k.resize(k.bitAnd(row, k.index(kWordBits - 1)), k.getI32Type());
    Value one = k.i32(1);
    Value bit = k.shiftLeft(one, number);
    auto isFree = [&](Value word) {
      return k.equal(k.bitAnd(word, bit), k.i32(0));
    };
    // Many positions may name one row, and atomics on one word come one after
    // another: a load is enough to see that somebody was here.
    return k.choose(
        isFree(k.load(words, word)),
        [&]() -> SmallVector<Value> {
          return {isFree(k.atomicOr(bit, words, word))};
        },
        [&]() -> SmallVector<Value> {
          return {arith::ConstantIntOp::create(k, 0, 1)};
        })[0];
  }

  /// Where element `column` of `row` is in the table.
  Value getPlace(KernelBuilder &k, Value row, Value column) {
    Buffer rows = k.use(table, Access::write);
    return k.add(getRow(k, rows, row).offset,
                 k.mul(column, rows.strides.back()));
  }

  /// The partial sum of the terms of every 16th element from `member` on.
  Value sumTerms(KernelBuilder &k, Value member, Value row) {
    Value identity = k.constant(k.getF64Type(), norm.getIdentity());
    return k.loop(member, k.use(rowLength), k.index(kPartialSums), identity,
                  [&](Value column, ValueRange sum) -> SmallVector<Value> {
                    Value x = k.load(k.use(table, Access::write).elements,
                                     getPlace(k, row, column));
                    return {norm.combine(k, sum[0], norm.term(k, x))};
                  })[0];
  }

  void scaleRow(KernelBuilder &k, Value member, Value row, Value factor) {
    Type productType = getAccumulatorType(element);
    Value wide = k.convertFloat(factor, productType);
    k.loop(member, k.use(rowLength), k.index(kPartialSums), [&](Value column) {
      Value elements = k.use(table, Access::write).elements;
      Value place = getPlace(k, row, column);
      Value x = k.convertFloat(k.load(elements, place), productType);
      Value product = arith::MulFOp::create(k, x, wide);
      k.store(k.convertFloat(product, element), elements, place);
    });
  }

  LoopBuilder &host;
  const DeviceIndices &indices;
  Value table;
  Type element;
  PNorm norm;
  Value maxNorm, rowLength;
  /// A bit for each row, set if somebody shortens it.
  Value wordCount, bitmap;
  /// Not zero if a check failed; null without checks.
  Value failed;
};

//===----------------------------------------------------------------------===//
// RenormOp and RenormLookupOp
//===----------------------------------------------------------------------===//

template <typename OpTy> struct RenormToGPU : ToGPUPattern<OpTy> {
  using ToGPUPattern<OpTy>::ToGPUPattern;

  void lower(OpTy op, LoopBuilder &host) const override {
    DeviceIndices indices(host, op.getIndices(),
                          host.value(op.getMixedNumRows(host)),
                          op.getOutOfRange());
    RowShortener<OpTy>(host, op, indices).run();
    if constexpr (std::is_same_v<OpTy, RenormLookupOp>)
      launchGather(host, "lookup", indices.withoutChecks(), op.getTable(),
                   op.getInit(), this->options.rowAlignment);
  }
};

} // namespace

void embedding::populateRenormToGPUPatterns(RewritePatternSet &patterns,
                                            const GPUOptions &options) {
  patterns.add<RenormToGPU<RenormOp>, RenormToGPU<RenormLookupOp>>(
      patterns.getContext(), options);
}
