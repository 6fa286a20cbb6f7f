//===- GroupToGPU.cpp - A sort of positions by row ------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceIndices.h"
#include "Patterns.h"
#include "Tiles.h"

using namespace mlir;
using namespace mlir::embedding;

static constexpr int64_t kMaxDigits = int64_t(1) << cost::gpu::kMaxDigitBits;

namespace {

//===----------------------------------------------------------------------===//
// RadixSort
//===----------------------------------------------------------------------===//

/// A radix sort, the least significant digit first, of keys: the row in the
/// upper bits of an i64 and the position in the lower ones. Each pass counts
/// the digits of every tile, turns the counts into where each digit of each
/// tile begins, and moves the keys there. Positions that name no row sort
/// behind all others, as row V. The host knows N and V alone, so that it never
/// waits.
///
/// See D. Merrill and A. Grimshaw, "High Performance and Scalable Radix
/// Sorting: A Case Study of Implementing Dynamic Parallelism for GPU
/// Computing", Parallel Processing Letters 21, 2011.
class RadixSort {
public:
  RadixSort(LoopBuilder &host, GroupOp op)
      : host(host), op(op), indices(getMaskedIndices(host, op)),
        size(indices.size()), tileCount(getTileCount(host, size)) {
    Value last = host.max(host.sub(size, host.index(1)), host.index(0));
    positionBits = host.bitWidth(host.toI64(last));
    Value numRows = indices.getNumRows();
    Value lastRow =
        indices.isTotal() ? host.sub(numRows, host.index(1)) : numRows;
    Value rowBits = host.max(host.bitWidth(host.toI64(lastRow)), host.i64(1));
    passCount = host.divUp(rowBits, host.i64(cost::gpu::kMaxDigitBits));
    digitBits = host.divUp(rowBits, passCount);
    Type i64 = host.getI64Type();
    keys = {allocateBuffer(host, i64, size), allocateBuffer(host, i64, size)};
    counts =
        allocateBuffer(host, i64, host.mul(tileCount, host.index(kMaxDigits)));
    totals = allocateBuffer(host, i64, host.index(kMaxDigits));
  }

  /// Sorts, and cuts the result into groups.
  void run() {
    makeKeys();
    auto loop = scf::ForOp::create(host, host.index(0), host.toIndex(passCount),
                                   host.index(1), ValueRange(keys));
    {
      OpBuilder::InsertionGuard guard(host);
      host.setInsertionPointToStart(loop.getBody());
      Value from = loop.getRegionIterArgs()[0];
      Value to = loop.getRegionIterArgs()[1];
      Value shift =
          host.add(positionBits,
                   host.mul(host.toI64(loop.getInductionVar()), digitBits));
      countDigits(from, shift);
      launchScan(host, "group_scan", counts, host.index(kMaxDigits), tileCount,
                 totals);
      scatter(from, to, shift);
      scf::YieldOp::create(host, ValueRange{to, from});
    }
    cutIntoGroups(loop.getResult(0));
    for (Value buffer : {keys[0], keys[1], counts, totals})
      host.deallocate(buffer);
  }

private:
  void makeKeys() {
    launchForEach(
        host, "group_keys", size, [&](KernelBuilder &k, Value position) {
          Value index = indices.load(k, position);
          indices.check(k, position, index);
          Value row = k.toI64(indices.getRow(k, index));
          Value key =
              k.bitOr(k.shiftLeft(row, k.use(positionBits)), k.toI64(position));
          k.store(key, k.use(keys[0], Access::write).elements, position);
        });
  }

  /// The digit of `key`, an i32.
  Value getDigit(KernelBuilder &k, Value key, Value shift) {
    Value one = k.i64(1);
    Value mask = k.sub(k.shiftLeft(one, k.use(digitBits)), one);
    Value digit = k.bitAnd(k.shiftRight(key, k.use(shift)), mask);
    return k.resize(digit, k.getI32Type());
  }

  /// The keys of the elements that a thread takes of its tile; those behind the
  /// end have the last digit.
  SmallVector<Value> loadKeys(KernelBuilder &k, Value from,
                              ArrayRef<Value> elements) {
    Value buffer = k.use(from, Access::read).elements;
    SmallVector<Value> loaded;
    for (Value element : elements)
      loaded.push_back(k.choose(
          k.less(element, k.use(size)),
          [&]() -> SmallVector<Value> { return {k.load(buffer, element)}; },
          [&]() -> SmallVector<Value> { return {k.i64(-1)}; })[0]);
    return loaded;
  }

  /// Counts the digits of each tile; those behind the end too, which are behind
  /// all others.
  void countDigits(Value from, Value shift) {
    launchKernel(host, "group_histogram", tileCount, [&](KernelBuilder &k) {
      Value histogram = k.share(kMaxDigits, k.getI32Type());
      k.store(k.i32(0), histogram, k.getThread());
      SmallVector<Value> loaded = loadKeys(k, from, getTileElements(k));
      k.barrier();
      for (Value key : loaded)
        k.atomicAdd(k.i32(1), histogram,
                    k.resize(getDigit(k, key, shift), k.getIndexType()));
      k.barrier();
      Value count = k.resize(k.load(histogram, k.getThread()), k.getI64Type());
      k.store(count, k.use(counts, Access::write).elements,
              k.add(k.mul(k.getThread(), k.use(tileCount)), k.getBlock()));
    });
  }

  /// Moves keys to where they belong. A warp finds those of one digit among 32
  /// by comparison, and keeps how many of each digit it has met. The tile is
  /// sorted in shared memory first, so that neighbours store next to each
  /// other.
  void scatter(Value from, Value to, Value shift) {
    launchKernel(host, "group_scatter", tileCount, [&](KernelBuilder &k) {
      Value counters = k.share(kBlockWarps * kMaxDigits, k.getI32Type());
      Value sorted = k.share(kTileElements, k.getI64Type());
      Value starts = k.share(kMaxDigits, k.getI64Type());
      Value scratch = k.share(kBlockWarps, k.getI64Type());
      Value otherScratch = k.share(kBlockWarps, k.getI64Type());
      Value thread = k.getThread();
      auto counterOf = [&](Value warp, Value digit) {
        return k.add(k.mul(warp, k.index(kMaxDigits)), digit);
      };
      for (int64_t warp = 0; warp < kBlockWarps; ++warp)
        k.store(k.i32(0), counters, counterOf(k.index(warp), thread));
      SmallVector<Value> loaded = loadKeys(k, from, getTileElements(k));
      k.barrier();

      Value warp = k.div(thread, k.index(kWarpThreads));
      SmallVector<Value> places, ranks;
      for (Value key : loaded) {
        Value digit = getDigit(k, key, shift);
        Value peers = k.matchAny(digit);
        Value before = k.countBefore(peers);
        Value place = counterOf(warp, k.resize(digit, k.getIndexType()));
        Value met = k.load(counters, place);
        k.warpBarrier();
        k.ifTrue(k.equal(before, k.i32(0)),
                 [&] { k.store(k.add(met, k.count(peers)), counters, place); });
        k.warpBarrier();
        places.push_back(place);
        ranks.push_back(k.add(met, before));
      }
      k.barrier();

      // A thread for each digit: where the digit begins in the tile, for each
      // warp, and how far from there it begins in all.
      SmallVector<Value> counts;
      Value inTile = k.i32(0);
      for (int64_t i = 0; i < kBlockWarps; ++i) {
        counts.push_back(k.load(counters, counterOf(k.index(i), thread)));
        inTile = k.add(inTile, counts.back());
      }
      Value localStart =
          k.scanBlock(k.resize(inTile, k.getI64Type()), scratch).before;
      Value total = k.load(k.use(totals, Access::read).elements, thread);
      Value start = k.scanBlock(total, otherScratch).before;
      Value inTilesBefore =
          k.load(k.use(this->counts, Access::read).elements,
                 k.add(k.mul(thread, k.use(tileCount)), k.getBlock()));
      k.store(k.sub(k.add(start, inTilesBefore), localStart), starts, thread);
      Value warpStart = k.resize(localStart, k.getI32Type());
      for (int64_t i = 0; i < kBlockWarps; ++i) {
        k.store(warpStart, counters, counterOf(k.index(i), thread));
        warpStart = k.add(warpStart, counts[i]);
      }
      k.barrier();
      for (size_t i = 0; i < loaded.size(); ++i) {
        Value slot = k.add(k.load(counters, places[i]), ranks[i]);
        k.store(loaded[i], sorted, k.resize(slot, k.getIndexType()));
      }
      k.barrier();

      // Keys behind the end came last, and still do.
      Value buffer = k.use(to, Access::write).elements;
      Value tile = k.mul(k.getBlock(), k.index(kTileElements));
      for (int64_t i = 0; i < cost::gpu::kThreadElements; ++i) {
        Value slot = k.add(thread, k.index(i * cost::gpu::kBlockThreads));
        k.ifTrue(k.less(k.add(tile, slot), k.use(size)), [&] {
          Value key = k.load(sorted, slot);
          Value digit = k.resize(getDigit(k, key, shift), k.getIndexType());
          Value at = k.add(k.load(starts, digit), k.toI64(slot));
          k.store(key, buffer, k.toIndex(at));
        });
      }
    });
  }

  /// A group begins where the row is not that of the key before. The first key
  /// that names no row ends the last one.
  void cutIntoGroups(Value sorted) {
    auto rowAt = [&](KernelBuilder &k, Value i) -> Value {
      Value key = k.load(k.use(sorted, Access::read).elements, i);
      return k.shiftRight(key, k.use(positionBits));
    };
    auto isStart = [&](KernelBuilder &k, Value i) -> Value {
      Value isFirst = k.equal(i, k.index(0));
      Value before = k.select(isFirst, i, k.sub(i, k.index(1)));
      Value differs =
          k.cmp(arith::CmpIPredicate::ne, rowAt(k, i), rowAt(k, before));
      return k.bitOr(isFirst, differs);
    };
    // Without positions there is nobody to end the last group.
    launchForEach(host, "group_none",
                  host.select(host.equal(size, host.index(0)), host.index(1),
                              host.index(0)),
                  [&](KernelBuilder &k, Value) {
                    storeFlat(k, k.i64(0),
                              k.use(op.getOffsets(), Access::write),
                              k.index(0));
                    storeFlat(k, k.i64(0), k.use(op.getCount(), Access::write),
                              k.index(0));
                  });
    Numbering starts(host, "group_starts", size, isStart);
    starts.forEach(
        host, "group_cut", isStart,
        [&](KernelBuilder &k, Value i, Value group, Value starts) {
          Value key = k.load(k.use(sorted, Access::read).elements, i);
          Value one = k.i64(1);
          Value mask = k.sub(k.shiftLeft(one, k.use(positionBits)), one);
          storeFlat(k, k.bitAnd(key, mask),
                    k.use(op.getPositions(), Access::write), i);
          Value row = rowAt(k, i);
          Value isRow = k.less(row, k.toI64(k.use(indices.getNumRows())));
          auto store = [&](Value value, Value buffer, Value at) {
            storeFlat(k, value, k.use(buffer, Access::write), k.toIndex(at));
          };
          k.ifTrue(starts, [&] {
            store(k.toI64(i), op.getOffsets(), group);
            k.ifTrue(
                isRow, [&] { store(row, op.getRows(), group); },
                [&] { store(group, op.getCount(), k.i64(0)); });
          });
          Value next = k.add(i, k.index(1));
          Value isLast = k.equal(next, k.use(size));
          k.ifTrue(k.bitAnd(isLast, isRow), [&] {
            Value count = k.add(group, k.resize(starts, k.getI64Type()));
            store(k.toI64(next), op.getOffsets(), count);
            store(count, op.getCount(), k.i64(0));
          });
        });
    starts.deallocate(host);
  }

  LoopBuilder &host;
  GroupOp op;
  DeviceIndices indices;
  Value size, tileCount;
  Value positionBits, passCount, digitBits;
  std::array<Value, 2> keys;
  /// How often each digit is in each tile, the digits one after another; and
  /// in all tiles.
  Value counts, totals;
};

//===----------------------------------------------------------------------===//
// GroupOp
//===----------------------------------------------------------------------===//

struct GroupToGPU : ToGPUPattern<GroupOp> {
  using ToGPUPattern::ToGPUPattern;

  void lower(GroupOp op, LoopBuilder &host) const override {
    RadixSort(host, op).run();
  }
};

} // namespace

void embedding::populateGroupToGPUPatterns(RewritePatternSet &patterns,
                                           const GPUOptions &options) {
  patterns.add<GroupToGPU>(patterns.getContext(), options);
}
