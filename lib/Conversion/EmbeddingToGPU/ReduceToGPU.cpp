//===- ReduceToGPU.cpp - Sums of segments of rows -------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceSegments.h"
#include "Patterns.h"
#include "RowLanes.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::embedding;

namespace {

/// Sums the rows of `values` at the positions of each segment, in the
/// documented order: chunks of `kChunkLength` positions from the start of the
/// segment, each from zero and in order; then the sums of chunks pairwise, at
/// distances 1, 2, 4 and so on.
///
/// Segments of one chunk are summed where they are wanted. The chunks of longer
/// ones are summed beforehand, each by threads of its own, so that a row that
/// many positions name is the work of the whole device; see `getChunkSlot` for
/// where the sums are. Then 16 sums become one, as often as the longest segment
/// that there may be takes: the host does not know how long segments are.
class SegmentSums {
public:
  /// Sums go to rows of `to`.
  SegmentSums(LoopBuilder &host, Value values, Value to,
              const DeviceSegments &segments, bool scalesByLength,
              int64_t rowAlignment)
      : host(host), values(values), to(to), segments(segments),
        scalesByLength(scalesByLength), lanes(host, {values, to}, rowAlignment),
        sumType(getAccumulatorType(lanes.getElementType())) {
    maxChunks = host.max(host.divUp(host.numElements(segments.positions),
                                    host.index(kChunkLength)),
                         host.index(1));
    slotCount = host.mul(maxChunks, host.index(2));
    // Rows of whole lanes, so that all are aligned to one.
    constexpr int64_t kUnit = kMaxLaneBytes / 2;
    OpFoldResult rowLength = lanes.getRowLength();
    if (std::optional<int64_t> length = getConstantIntValue(rowLength))
      sumLength = host.index(llvm::alignTo(*length, kUnit));
    else
      sumLength =
          host.bitAnd(host.add(host.value(rowLength), host.index(kUnit - 1)),
                      host.index(-kUnit));
    sums = allocateBuffer(host, sumType, host.mul(slotCount, sumLength));
    slotSegments = allocateBuffer(host, host.getI64Type(), slotCount);
  }

  const RowLanes &getLanes() const { return lanes; }

  /// Sums the chunks of the segments that have several.
  void sumLongSegments() {
    sumChunks();
    constexpr int64_t kShift = llvm::ConstantLog2<cost::gpu::kCombinedChunks>();
    // While there may be a chunk at that distance from the first.
    Value distanceBits =
        host.bitWidth(host.toI64(host.sub(maxChunks, host.index(1))));
    Value levels = host.toIndex(host.divUp(distanceBits, host.i64(kShift)));
    host.loop(host.index(0), levels, [&](Value level) {
      Value one = host.index(1);
      combineChunks(host.shiftLeft(one, host.mul(level, host.index(kShift))));
    });
  }

  /// Has a group of threads write the sum of `segment` to row `toRow`.
  void writeSum(KernelBuilder &k, Value segment, Value toRow) const {
    Value begin = segments.begin(k, segment), end = segments.end(k, segment);
    Value length = k.sub(end, begin);
    Buffer toBuffer = k.use(to, Access::write);
    RowAddress destination = getRow(k, toBuffer, toRow);
    auto write = [&](Value sum, const Lane &lane) {
      lanes.store(k, k.narrow(sum, lanes.getElementType()), destination, lane);
    };
    k.ifTrue(
        k.cmp(arith::CmpIPredicate::sle, length, k.index(kChunkLength)),
        [&] {
          Value scale = getScale(k, length);
          lanes.forEach(k, [&](ArrayRef<Lane> pieces) {
            SmallVector<Value> sums = sumRows(k, begin, end, scale, pieces);
            for (auto [sum, piece] : llvm::zip(sums, pieces))
              write(sum, piece);
          });
        },
        [&] {
          Value slot = getChunkSlot(k, begin, k.index(0));
          lanes.forEach(k, [&](ArrayRef<Lane> pieces) {
            SmallVector<Value> loaded;
            for (const Lane &piece : pieces)
              loaded.push_back(loadSum(k, Access::read, slot, piece));
            for (auto [sum, piece] : llvm::zip(loaded, pieces))
              write(sum, piece);
          });
        });
  }

  void deallocate() {
    host.deallocate(sums);
    host.deallocate(slotSegments);
  }

private:
  Value getScale(KernelBuilder &k, Value segmentLength) const {
    return scalesByLength ? createInverse(k, segmentLength, sumType) : nullptr;
  }

  /// Sums lanes of the rows at sorted positions [begin, end), some rows in
  /// flight at once.
  SmallVector<Value> sumRows(KernelBuilder &k, Value begin, Value end,
                             Value scale, ArrayRef<Lane> pieces) const {
    auto rowsInFlight = std::max<int64_t>(
        lanes.getLanesInFlight() / static_cast<int64_t>(pieces.size()), 1);
    SmallVector<Value> zeros;
    for (const Lane &piece : pieces)
      zeros.push_back(arith::ConstantOp::create(
          k, k.getZeroAttr(VectorType::get({piece.width}, sumType))));
    Value last = k.sub(end, k.index(1));
    Buffer from = k.use(values, Access::read);
    auto appendPositions = [&](SmallVector<Value> &carried, Value first) {
      for (int64_t i = 0; i < rowsInFlight; ++i)
        carried.push_back(
            segments.position(k, k.min(k.add(first, k.index(i)), last)));
    };
    // A position is loaded while the rows before it are: else each row would
    // wait for two loads, one after the other.
    SmallVector<Value> initial = zeros;
    appendPositions(initial, begin);
    SmallVector<Value> result = k.loop(
        begin, end, k.index(rowsInFlight), initial,
        [&](Value first, ValueRange carried) -> SmallVector<Value> {
          SmallVector<Value> sums(carried.take_front(pieces.size()));
          SmallVector<Value> loaded;
          for (Value position : carried.drop_front(pieces.size())) {
            RowAddress row = getRow(k, from, position);
            for (const Lane &piece : pieces)
              loaded.push_back(lanes.load(k, row, piece));
          }
          SmallVector<Value> positions;
          appendPositions(positions, k.add(first, k.index(rowsInFlight)));
          for (int64_t i = 0; i < rowsInFlight; ++i) {
            Value isIn = k.less(k.add(first, k.index(i)), end);
            for (size_t j = 0; j < pieces.size(); ++j) {
              Value term = k.widen(loaded[i * pieces.size() + j]);
              if (scale)
                term = k.scale(term, scale);
              Value sum = arith::AddFOp::create(k, sums[j], term);
              // The first is never behind the end.
              sums[j] = i == 0 ? sum : k.select(isIn, sum, sums[j]);
            }
          }
          sums.append(positions);
          return sums;
        });
    result.truncate(pieces.size());
    return result;
  }

  //===--------------------------------------------------------------------===//
  // Sums of chunks
  //===--------------------------------------------------------------------===//

  Value sumAt(KernelBuilder &k, Value slot, const Lane &lane) const {
    return k.add(k.mul(slot, k.use(sumLength)), lane.column);
  }
  llvm::MaybeAlign getSumAlignment(const Lane &lane) const {
    return llvm::MaybeAlign(
        std::min(lane.width * getElementBytes(sumType), kMaxLaneBytes));
  }
  Value loadSum(KernelBuilder &k, Access access, Value slot,
                const Lane &lane) const {
    return vector::LoadOp::create(k, VectorType::get({lane.width}, sumType),
                                  k.use(sums, access).elements,
                                  ValueRange{sumAt(k, slot, lane)},
                                  /*nontemporal=*/false, getSumAlignment(lane));
  }
  void storeSum(KernelBuilder &k, Value sum, Value slot,
                const Lane &lane) const {
    auto store = [&] {
      vector::StoreOp::create(k, sum, k.use(sums, Access::write).elements,
                              ValueRange{sumAt(k, slot, lane)},
                              /*nontemporal=*/false, getSumAlignment(lane));
    };
    if (lane.isOwned)
      k.ifTrue(lane.isOwned, store);
    else
      store();
  }

  /// The number of the chunk in `slot` in its segment, which begins at `begin`.
  Value getChunk(KernelBuilder &k, Value slot, Value begin) {
    Value isFirst = k.equal(k.bitAnd(slot, k.index(1)), k.index(1));
    Value window = k.div(slot, k.index(2));
    Value chunk = k.sub(window, k.div(begin, k.index(kChunkLength)));
    return k.select(isFirst, k.index(0), chunk);
  }

  /// Sums each chunk of the segments that have several, and notes their
  /// segment.
  void sumChunks() {
    launchForRows(
        host, "sum_chunks", slotCount, lanes,
        [&](KernelBuilder &k, Value slot) {
          Value segment = findSegment(k, slot);
          k.ifTrue(lanes.isFirst(k), [&] {
            k.store(k.toI64(segment),
                    k.use(slotSegments, Access::write).elements, slot);
          });
          k.ifTrue(isSegment(k, segment), [&] { sumChunk(k, slot, segment); });
        });
  }

  static Value isSegment(KernelBuilder &k, Value segment) {
    return k.cmp(arith::CmpIPredicate::sge, segment, k.index(0));
  }

  /// The segment of the chunk that belongs in `slot`, or -1.
  Value findSegment(KernelBuilder &k, Value slot) {
    Value chunkLength = k.index(kChunkLength), none = k.index(-1);
    Value total = segments.begin(k, segments.size(k));
    Value window = k.mul(k.div(slot, k.index(2)), chunkLength);
    Value windowEnd = k.min(k.add(window, chunkLength), total);
    // Of the segments that begin in the window only the last can be long; and
    // of those that begin before it only the last can have a chunk in it.
    Value takesFirst = k.equal(k.bitAnd(slot, k.index(1)), k.index(1));
    Value segment =
        segments.lastBefore(k, k.select(takesFirst, windowEnd, window));
    return k.choose(
        k.bitAnd(k.less(window, total), isSegment(k, segment)),
        [&]() -> SmallVector<Value> {
          Value begin = segments.begin(k, segment),
                end = segments.end(k, segment);
          Value isLong = k.less(chunkLength, k.sub(end, begin));
          Value from =
              k.add(begin, k.mul(getChunk(k, slot, begin), chunkLength));
          Value beginsHere = k.cmp(arith::CmpIPredicate::sge, begin, window);
          Value isHere = k.select(takesFirst, beginsHere, k.less(from, end));
          return {k.select(k.bitAnd(isLong, isHere), segment, none)};
        },
        [&]() -> SmallVector<Value> { return {none}; })[0];
  }

  void sumChunk(KernelBuilder &k, Value slot, Value segment) {
    Value chunkLength = k.index(kChunkLength);
    Value begin = segments.begin(k, segment), end = segments.end(k, segment);
    Value scale = getScale(k, k.sub(end, begin));
    Value from = k.add(begin, k.mul(getChunk(k, slot, begin), chunkLength));
    Value to = k.min(k.add(from, chunkLength), end);
    lanes.forEach(k, [&](ArrayRef<Lane> pieces) {
      SmallVector<Value> sums = sumRows(k, from, to, scale, pieces);
      for (auto [sum, piece] : llvm::zip(sums, pieces))
        storeSum(k, sum, slot, piece);
    });
  }

  /// Adds up, into that of the first, the sums of 16 chunks `distance` apart.
  void combineChunks(Value distance) {
    launchForRows(
        host, "combine_chunks", slotCount, lanes,
        [&](KernelBuilder &k, Value slot) {
          Value segment =
              k.loadIndex(k.use(slotSegments, Access::read).elements, slot);
          k.ifTrue(isSegment(k, segment), [&] {
            Value begin = segments.begin(k, segment),
                  end = segments.end(k, segment);
            Value chunks =
                k.div(k.add(k.sub(end, begin), k.index(kChunkLength - 1)),
                      k.index(kChunkLength));
            Value first = getChunk(k, slot, begin);
            Value step = k.use(distance);
            // Distances are powers of two.
            Value mask = k.sub(k.mul(step, k.index(cost::gpu::kCombinedChunks)),
                               k.index(1));
            Value isFirst = k.equal(k.bitAnd(first, mask), k.index(0));
            Value hasOthers = k.less(k.add(first, step), chunks);
            k.ifTrue(k.bitAnd(isFirst, hasOthers),
                     [&] { combine(k, slot, begin, first, step, chunks); });
          });
        });
  }

  void combine(KernelBuilder &k, Value slot, Value begin, Value first,
               Value step, Value chunks) {
    SmallVector<Value> slots, areThere;
    for (int64_t i = 0; i < cost::gpu::kCombinedChunks; ++i) {
      Value chunk = k.add(first, k.mul(step, k.index(i)));
      areThere.push_back(k.less(chunk, chunks));
      // In place of one that is not there, the first again.
      slots.push_back(
          k.select(areThere.back(), getChunkSlot(k, begin, chunk), slot));
    }
    lanes.forEach(k, /*maxLanes=*/1, [&](ArrayRef<Lane> pieces) {
      const Lane &piece = pieces.front();
      SmallVector<Value> terms;
      for (Value each : slots)
        terms.push_back(loadSum(k, Access::write, each, piece));
      for (int64_t by = 1; by < cost::gpu::kCombinedChunks; by *= 2)
        for (int64_t i = 0; i + by < cost::gpu::kCombinedChunks; i += 2 * by) {
          Value sum = arith::AddFOp::create(k, terms[i], terms[i + by]);
          terms[i] = k.select(areThere[i + by], sum, terms[i]);
        }
      storeSum(k, terms[0], slot, piece);
    });
  }

  LoopBuilder &host;
  Value values, to;
  const DeviceSegments &segments;
  bool scalesByLength;
  RowLanes lanes;
  Type sumType;
  /// As many chunks as a group may have, and the slots for all of them.
  Value maxChunks, slotCount;
  /// The sums in slots, `sumLength` elements apart, and the segment of each, or
  /// -1.
  Value sums, sumLength, slotSegments;
};

//===----------------------------------------------------------------------===//
// ReduceOp
//===----------------------------------------------------------------------===//

/// Sums into the rows that segments have, and zeros for all others, so that
/// each byte of the destination is written once; or into a list.
struct ReduceToGPU : ToGPUPattern<ReduceOp> {
  using ToGPUPattern::ToGPUPattern;

  LogicalResult verify(ReduceOp op, RewriterBase &rewriter) const override {
    if (op.getIndices() || op.getWeights() || !op.getCount())
      return rewriter.notifyMatchFailure(op,
                                         "bags are not lowered to GPUs yet");
    return success();
  }

  void lower(ReduceOp op, LoopBuilder &host) const override {
    DeviceSegments segments(op);
    SegmentSums sums(host, op.getValues(), op.getSums(), segments,
                     op.getScaleByLength(), options.rowAlignment);
    sums.sumLongSegments();
    const RowLanes &lanes = sums.getLanes();
    bool hasRows = static_cast<bool>(op.getRows());
    if (hasRows)
      clearOtherRows(host, op, segments, lanes);
    // No two segments have one row.
    Value numRows = host.value(
        embedding::getMixedSize(host, host.getLoc(), op.getSums(), /*dim=*/0));
    launchForRows(host, "reduce", host.min(segments.getMaxSize(host), numRows),
                  lanes, [&](KernelBuilder &k, Value segment) {
                    k.ifTrue(k.less(segment, segments.size(k)), [&] {
                      Value row = hasRows ? segments.row(k, segment) : segment;
                      sums.writeSum(k, segment, row);
                    });
                  });
    sums.deallocate();
  }

private:
  /// Clears the rows that no segment has.
  static void clearOtherRows(LoopBuilder &host, ReduceOp op,
                             const DeviceSegments &segments,
                             const RowLanes &lanes) {
    OpFoldResult rowLength = lanes.getRowLength();
    Value numRows = host.rowsWithElements(
        host.value(embedding::getMixedSize(host, host.getLoc(), op.getSums(),
                                           /*dim=*/0)),
        rowLength);
    Value isSummed = allocateBuffer(host, host.getI8Type(), numRows);
    auto set = [&](KernelBuilder &k, int64_t value, Value row) {
      k.store(arith::ConstantIntOp::create(k, value, 8),
              k.use(isSummed, Access::write).elements, row);
    };
    launchForEach(host, "clear_flags", numRows,
                  [&](KernelBuilder &k, Value row) { set(k, 0, row); });
    launchForEach(host, "flag_rows",
                  host.rowsWithElements(segments.getMaxSize(host), rowLength),
                  [&](KernelBuilder &k, Value segment) {
                    k.ifTrue(k.less(segment, segments.size(k)),
                             [&] { set(k, 1, segments.row(k, segment)); });
                  });
    int64_t rowsInFlight = lanes.getRowsInFlight();
    int64_t groupsPerBlock = lanes.getGroupsPerBlock();
    int64_t rowsPerBlock = groupsPerBlock * rowsInFlight;
    launchKernel(
        host, "clear_rows", host.divUp(numRows, host.index(rowsPerBlock)),
        [&](KernelBuilder &k) {
          Value end = k.use(numRows), last = k.sub(end, k.index(1));
          Value first = k.add(k.mul(k.getBlock(), k.index(rowsPerBlock)),
                              lanes.getGroup(k));
          Buffer flags = k.use(isSummed, Access::read);
          Buffer to = k.use(op.getSums(), Access::write);
          SmallVector<Value> rows, flagsOfRows;
          for (int64_t i = 0; i < rowsInFlight; ++i) {
            rows.push_back(k.add(first, k.index(i * groupsPerBlock)));
            flagsOfRows.push_back(k.load(flags.elements, k.min(rows[i], last)));
          }
          for (auto [row, flag] : llvm::zip(rows, flagsOfRows)) {
            Value zero = arith::ConstantIntOp::create(k, 0, 8);
            Value clears = k.bitAnd(k.less(row, end), k.equal(flag, zero));
            k.ifTrue(clears,
                     [&, row = row] { lanes.clear(k, getRow(k, to, row)); });
          }
        });
    host.deallocate(isSummed);
  }
};

} // namespace

void embedding::populateReduceToGPUPatterns(RewritePatternSet &patterns,
                                            const GPUOptions &options) {
  patterns.add<ReduceToGPU>(patterns.getContext(), options);
}
