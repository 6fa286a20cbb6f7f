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
/// one that shortens. In the latter the first position to set the bit of its
/// row claims it, and a thread for each partial sum of a norm shortens it. No
/// order of positions matters: a row is only read and written by those.
///
/// A lookup reads the rows anyway. So if norms are cheap, a kernel between the
/// two takes the norm of each row that it copies, as it is copied, and scales
/// the copy in place of the row. Rows that are long have their bit cleared,
/// which all others have set from the start: usually few are left to shorten.
template <typename OpTy> class RowShortener {
public:
  RowShortener(LoopBuilder &host, OpTy op, const DeviceIndices &indices,
               int64_t rowAlignment)
      : host(host), indices(indices), table(op.getTable()),
        element(cast<MemRefType>(table.getType()).getElementType()),
        norm{op.getNormType().convertToDouble()}, rowAlignment(rowAlignment) {
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

  /// Shortens rows, and looks them up if there is an `out` to copy them to.
  void run(Value out = nullptr) {
    bool looksUpFirst = out && norm.isCheap();
    clear(/*bits=*/looksUpFirst ? -1 : 0);
    if (failed)
      checkIndices();
    if (looksUpFirst)
      lookUp(out);
    shortenRows();
    if (out && !looksUpFirst)
      launchGather(host, "lookup", indices.withoutChecks(), table, out,
                   rowAlignment);
    host.deallocate(bitmap);
    if (failed)
      host.deallocate(failed);
  }

private:
  static constexpr int64_t kWordBits = 32;
  static constexpr int64_t kRowsPerBlock =
      cost::gpu::kBlockThreads / kPartialSums;

  void clear(int64_t bits) {
    launchForEach(
        host, "renorm_clear", wordCount, [&](KernelBuilder &k, Value word) {
          k.store(k.i32(bits), k.use(bitmap, Access::write).elements, word);
          if (failed)
            k.ifTrue(k.equal(word, k.index(0)), [&] { storeFailed(k, 0); });
        });
  }

  void checkIndices() {
    launchForEach(host, "renorm_check", indices.size(),
                  [&](KernelBuilder &k, Value position) {
                    indices.check(k, position, indices.load(k, position),
                                  [&] { storeFailed(k, 1); });
                  });
  }

  void storeFailed(KernelBuilder &k, int64_t value) {
    k.store(k.i32(value), k.use(failed, Access::write).elements, k.index(0));
  }
  /// Whether `row` may be shortened.
  Value mayShorten(KernelBuilder &k, Value row) {
    Value isNamed =
        k.cmp(arith::CmpIPredicate::ult, row, k.use(indices.getNumRows()));
    if (!failed)
      return isNamed;
    Value state = k.load(k.use(failed, Access::read).elements, k.index(0));
    return k.bitAnd(isNamed, k.equal(state, k.i32(0)));
  }

  void lookUp(Value out) {
    RowLanes lanes(host, {out, table}, rowAlignment, kPartialSums);
    // A group of threads for each position.
    Value blocks = host.divUp(indices.size(), host.index(kRowsPerBlock));
    launchKernel(host, "renorm_lookup", blocks, [&](KernelBuilder &k) {
      Value member = k.bitAnd(k.getThread(), k.index(kPartialSums - 1));
      Value position = k.add(k.mul(k.getBlock(), k.index(kRowsPerBlock)),
                             k.div(k.getThread(), k.index(kPartialSums)));

      Value isIn = k.less(position, k.use(indices.size()));
      Value row = k.choose(
          isIn,
          [&]() -> SmallVector<Value> {
            return {indices.getRow(k, indices.load(k, position))};
          },
          [&]() -> SmallVector<Value> {
            return {k.use(indices.getNumRows())};
          })[0];
      Value isNamed =
          k.cmp(arith::CmpIPredicate::ult, row, k.use(indices.getNumRows()));
      Shortening shortening =
          getShortening(k, member, row, isNamed, Access::read);
      Value isLonger = k.bitAnd(mayShorten(k, row), shortening.isLonger);
      Buffer from = k.use(table, Access::read);
      Buffer to = k.use(out, Access::write);
      auto copy = [&](Value factor) {
        lanes.copy(k, getRow(k, from, row), getRow(k, to, position), factor);
      };
      auto copyScaled = [&] {
        k.ifTrue(k.equal(member, k.index(0)), [&] { clearBit(k, row); });
        copy(k.convertFloat(shortening.getFactor(k),
                            getAccumulatorType(element)));
      };
      k.ifTrue(isIn, [&] {
        k.ifTrue(
            isNamed,
            [&] { k.ifTrue(isLonger, copyScaled, [&] { copy(nullptr); }); },
            [&] { lanes.clear(k, getRow(k, to, position)); });
      });
    });
  }

  /// Each thread of a warp claims the row of a position; then half a warp
  /// shortens one after another of those that are claimed. So where there is
  /// nothing to shorten, as is usual after a lookup, it takes few threads to
  /// see that; and a warp has the fewer positions, the fewer there are in all.
  void shortenRows() {
    Value perWarp = host.min(
        host.max(host.div(indices.size(), host.index(cost::gpu::kFewWarps)),
                 host.index(kWarpThreads / kPartialSums)),
        host.index(kWarpThreads));
    Value perBlock = host.mul(perWarp, host.index(kBlockWarps));
    Value blocks = host.divUp(indices.size(), perBlock);
    launchKernel(host, "renorm", blocks, [&](KernelBuilder &k) {
      Value lane = k.bitAnd(k.getThread(), k.index(kWarpThreads - 1));
      Value warp = k.div(k.getThread(), k.index(kWarpThreads));
      Value first = k.add(k.mul(k.getBlock(), k.use(perBlock)),
                          k.mul(warp, k.use(perWarp)));
      Value position = k.add(first, lane);
      Value isIn = k.bitAnd(k.less(lane, k.use(perWarp)),
                            k.less(position, k.use(indices.size())));
      Value claimed = k.toI64(claimRow(k, isIn, position));
      Value claims =
          k.ballot(k.cmp(arith::CmpIPredicate::sge, claimed, k.i64(0)));
      Value member = k.bitAnd(k.getThread(), k.index(kPartialSums - 1));
      Value isLower = k.less(lane, k.index(kPartialSums));
      Value turns =
          k.resize(k.shiftRight(k.add(k.count(claims), k.i32(1)), k.i32(1)),
                   k.getIndexType());
      auto withoutFirst = [&](Value threads) {
        return k.bitAnd(threads, k.sub(threads, k.i32(1)));
      };
      k.loop(k.index(0), turns, k.index(1), claims,
             [&](Value, ValueRange left) -> SmallVector<Value> {
               Value others = withoutFirst(left[0]);
               Value mine = k.select(isLower, left[0], others);
               Value isMine = k.cmp(arith::CmpIPredicate::ne, mine, k.i32(0));
               Value from = k.select(isMine, k.first(mine), k.i32(0));
               Value row = k.toIndex(k.broadcast(claimed, from));
               Shortening shortening =
                   getShortening(k, member, row, isMine, Access::write);
               k.ifTrue(k.bitAnd(isMine, shortening.isLonger), [&] {
                 scaleRow(k, member, row, shortening.getFactor(k));
               });
               return {withoutFirst(others)};
             });
    });
  }

  /// What becomes of `row`, if `isRow`. All threads of a warp take part, which
  /// are `access`ing the table.
  Shortening getShortening(KernelBuilder &k, Value member, Value row,
                           Value isRow, Access access) {
    Value sum = k.choose(
        isRow,
        [&]() -> SmallVector<Value> {
          return {sumTerms(k, member, row, access)};
        },
        [&]() -> SmallVector<Value> {
          return {k.constant(k.getF64Type(), norm.getIdentity())};
        })[0];
    for (int64_t distance = kPartialSums / 2; distance > 0; distance /= 2)
      sum = norm.combine(k, sum, k.shuffleXor(sum, distance));
    return Shortening(k, norm.finish(k, sum), k.use(maxNorm), element);
  }

  /// The row that `position`, if `isIn`, names, if it is this thread's to
  /// shorten; else -1.
  Value claimRow(KernelBuilder &k, Value isIn, Value position) {
    Value none = k.index(-1);
    auto getNone = [&]() -> SmallVector<Value> { return {none}; };
    return k.choose(
        isIn,
        [&]() -> SmallVector<Value> {
          Value row = indices.getRow(k, indices.load(k, position));
          return k.choose(
              mayShorten(k, row),
              [&]() -> SmallVector<Value> {
                return {k.select(setBit(k, row), row, none)};
              },
              getNone);
        },
        getNone)[0];
  }

  /// The bit of `row` in its word.
  static Value getBit(KernelBuilder &k, Value row) {
    Value number =
        k.resize(k.bitAnd(row, k.index(kWordBits - 1)), k.getI32Type());
    Value one = k.i32(1);
    return k.shiftLeft(one, number);
  }

  void clearBit(KernelBuilder &k, Value row) {
    Value words = k.use(bitmap, Access::write).elements;
    Value word = k.div(row, k.index(kWordBits));
    Value bit = getBit(k, row);
    Value isSet = k.cmp(arith::CmpIPredicate::ne,
                        k.bitAnd(k.load(words, word), bit), k.i32(0));
    k.ifTrue(isSet, [&] { k.atomicAnd(k.sub(k.i32(-1), bit), words, word); });
  }

  /// Sets the bit of `row`; returns whether it was not set.
  Value setBit(KernelBuilder &k, Value row) {
    Value words = k.use(bitmap, Access::write).elements;
    Value word = k.div(row, k.index(kWordBits));
    Value bit = getBit(k, row);
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

  /// Where element `column` of `row` is in `rows`, the table.
  static Value getPlace(KernelBuilder &k, const Buffer &rows, Value row,
                        Value column) {
    return k.add(getRow(k, rows, row).offset,
                 k.mul(column, rows.strides.back()));
  }

  /// The partial sum of the terms of every 16th element from `member` on, some
  /// of them in flight at once.
  Value sumTerms(KernelBuilder &k, Value member, Value row, Access access) {
    Value identity = k.constant(k.getF64Type(), norm.getIdentity());
    Value length = k.use(rowLength);
    Buffer rows = k.use(table, access);
    auto addTerms = [&](Value column, int64_t count, Value sum) {
      SmallVector<Value> elements;
      for (int64_t i = 0; i < count; ++i) {
        Value each = k.add(column, k.index(i * kPartialSums));
        elements.push_back(k.load(rows.elements, getPlace(k, rows, row, each)));
      }
      for (Value x : elements)
        sum = norm.combine(k, sum, norm.term(k, x));
      return sum;
    };
    auto loop = [&](Value begin, Value end, int64_t inFlight, Value sum) {
      return k.loop(
          begin, end, k.index(inFlight * kPartialSums), sum,
          [&](Value column, ValueRange carried) -> SmallVector<Value> {
            return {addTerms(column, inFlight, carried[0])};
          })[0];
    };
    constexpr int64_t kStep = cost::gpu::kTermsInFlight * kPartialSums;
    Value begin = k.bitAnd(length, k.index(-kStep));
    Value sum = loop(member, begin, cost::gpu::kTermsInFlight, identity);
    // How many terms are left is known with the length.
    if (auto known = getConstantIntValue(length)) {
      int64_t terms = *known % kStep / kPartialSums;
      sum = addTerms(k.add(begin, member), terms, sum);
      begin = k.add(begin, k.index(terms * kPartialSums));
    }
    return loop(k.add(begin, member), length, /*inFlight=*/1, sum);
  }

  void scaleRow(KernelBuilder &k, Value member, Value row, Value factor) {
    Type productType = getAccumulatorType(element);
    Value wide = k.convertFloat(factor, productType);
    k.loop(member, k.use(rowLength), k.index(kPartialSums), [&](Value column) {
      Buffer rows = k.use(table, Access::write);
      Value place = getPlace(k, rows, row, column);
      Value x = k.convertFloat(k.load(rows.elements, place), productType);
      Value product = arith::MulFOp::create(k, x, wide);
      k.store(k.convertFloat(product, element), rows.elements, place);
    });
  }

  LoopBuilder &host;
  const DeviceIndices &indices;
  Value table;
  Type element;
  PNorm norm;
  Value maxNorm, rowLength;
  int64_t rowAlignment;
  /// A bit for each row, set if nobody needs to shorten it any more.
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
    RowShortener<OpTy> shortener(host, op, indices, this->options.rowAlignment);
    if constexpr (std::is_same_v<OpTy, RenormLookupOp>)
      shortener.run(op.getOut());
    else
      shortener.run();
  }
};

} // namespace

void embedding::populateRenormToGPUPatterns(RewritePatternSet &patterns,
                                            const GPUOptions &options) {
  patterns.add<RenormToGPU<RenormOp>, RenormToGPU<RenormLookupOp>>(
      patterns.getContext(), options);
}
