//===- GradientsToGPU.cpp - Sums over groups, and what they scale ---------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceGroups.h"
#include "Patterns.h"
#include "RowLanes.h"
#include "Tiles.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::embedding;

namespace {

//===----------------------------------------------------------------------===//
// Sums over groups
//===----------------------------------------------------------------------===//

/// Sums the rows of `values` at the positions of each group, in the documented
/// order: chunks of `kChunkLength` positions from the start of the group, each
/// from zero and in order; then the sums of chunks pairwise, at distances 1, 2,
/// 4 and so on.
///
/// Groups of one chunk are summed where they are wanted. The chunks of longer
/// ones are summed beforehand, each by threads of its own, so that a row that
/// many positions name is the work of the whole device; see `getChunkSlot` for
/// where the sums are. Then 16 sums become one, as often as the longest group
/// that there may be takes: the host does not know how long groups are.
class DeviceSums {
public:
  /// Sums go to rows of `to`.
  DeviceSums(LoopBuilder &host, Value values, Value to,
             const DeviceGroups &groups, bool scalesByFrequency,
             int64_t rowAlignment)
      : host(host), values(values), to(to), groups(groups),
        scalesByFrequency(scalesByFrequency),
        lanes(embedding::getMixedSize(host, host.getLoc(), to, /*dim=*/1),
              {values, to}, rowAlignment),
        sumType(getAccumulatorType(lanes.getElementType())) {
    maxChunks = host.divUp(host.numElements(groups.positions),
                           host.index(kChunkLength));
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
    slotGroups = allocateBuffer(host, host.getI64Type(), slotCount);
  }

  const RowLanes &getLanes() const { return lanes; }

  /// Sums the chunks of the groups that have several.
  void sumLongGroups() {
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

  /// Has a group of threads write the sum of `group` to row `toRow`.
  void writeSum(KernelBuilder &k, Value group, Value toRow) const {
    Value begin = groups.begin(k, group), end = groups.end(k, group);
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
          lanes.forEach(
              k, cost::gpu::kLanesInFlight, [&](ArrayRef<Lane> pieces) {
                SmallVector<Value> sums = sumRows(k, begin, end, scale, pieces);
                for (auto [sum, piece] : llvm::zip(sums, pieces))
                  write(sum, piece);
              });
        },
        [&] {
          Value slot = getChunkSlot(k, begin, k.index(0));
          lanes.forEach(
              k, cost::gpu::kLanesInFlight, [&](ArrayRef<Lane> pieces) {
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
    host.deallocate(slotGroups);
  }

private:
  Value getScale(KernelBuilder &k, Value groupLength) const {
    return scalesByFrequency ? createFrequencyScale(k, groupLength, sumType)
                             : nullptr;
  }

  /// Sums lanes of the rows at sorted positions [begin, end), some rows in
  /// flight at once.
  SmallVector<Value> sumRows(KernelBuilder &k, Value begin, Value end,
                             Value scale, ArrayRef<Lane> pieces) const {
    auto rowsInFlight = std::max<int64_t>(
        cost::gpu::kLanesInFlight / static_cast<int64_t>(pieces.size()), 1);
    SmallVector<Value> zeros;
    for (const Lane &piece : pieces)
      zeros.push_back(arith::ConstantOp::create(
          k, k.getZeroAttr(VectorType::get({piece.width}, sumType))));
    Value last = k.sub(end, k.index(1));
    Buffer from = k.use(values, Access::read);
    auto appendPositions = [&](SmallVector<Value> &carried, Value first) {
      for (int64_t i = 0; i < rowsInFlight; ++i)
        carried.push_back(
            groups.position(k, k.min(k.add(first, k.index(i)), last)));
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

  /// The number of the chunk in `slot` in its group, which begins at `begin`.
  Value getChunk(KernelBuilder &k, Value slot, Value begin) {
    Value isFirst = k.equal(k.bitAnd(slot, k.index(1)), k.index(1));
    Value window = k.div(slot, k.index(2));
    Value chunk = k.sub(window, k.div(begin, k.index(kChunkLength)));
    return k.select(isFirst, k.index(0), chunk);
  }

  /// Sums each chunk of the groups that have several, and notes their group.
  void sumChunks() {
    launchForRows(host, "sum_chunks", slotCount, lanes,
                  [&](KernelBuilder &k, Value slot) {
                    Value group = findGroup(k, slot);
                    k.ifTrue(lanes.isFirst(k), [&] {
                      k.store(k.toI64(group),
                              k.use(slotGroups, Access::write).elements, slot);
                    });
                    k.ifTrue(isGroup(k, group),
                             [&] { sumChunk(k, slot, group); });
                  });
  }

  static Value isGroup(KernelBuilder &k, Value group) {
    return k.cmp(arith::CmpIPredicate::sge, group, k.index(0));
  }

  /// The group of the chunk that belongs in `slot`, or -1.
  Value findGroup(KernelBuilder &k, Value slot) {
    Value chunkLength = k.index(kChunkLength), none = k.index(-1);
    Value total = groups.begin(k, groups.size(k));
    Value window = k.mul(k.div(slot, k.index(2)), chunkLength);
    Value windowEnd = k.min(k.add(window, chunkLength), total);
    // Of the groups that begin in the window only the last can be long; and of
    // those that begin before it only the last can have a chunk in it.
    Value takesFirst = k.equal(k.bitAnd(slot, k.index(1)), k.index(1));
    Value group = groups.lastBefore(k, k.select(takesFirst, windowEnd, window));
    return k.choose(
        k.bitAnd(k.less(window, total), isGroup(k, group)),
        [&]() -> SmallVector<Value> {
          Value begin = groups.begin(k, group), end = groups.end(k, group);
          Value isLong = k.less(chunkLength, k.sub(end, begin));
          Value from =
              k.add(begin, k.mul(getChunk(k, slot, begin), chunkLength));
          Value beginsHere = k.cmp(arith::CmpIPredicate::sge, begin, window);
          Value isHere = k.select(takesFirst, beginsHere, k.less(from, end));
          return {k.select(k.bitAnd(isLong, isHere), group, none)};
        },
        [&]() -> SmallVector<Value> { return {none}; })[0];
  }

  void sumChunk(KernelBuilder &k, Value slot, Value group) {
    Value chunkLength = k.index(kChunkLength);
    Value begin = groups.begin(k, group), end = groups.end(k, group);
    Value scale = getScale(k, k.sub(end, begin));
    Value from = k.add(begin, k.mul(getChunk(k, slot, begin), chunkLength));
    Value to = k.min(k.add(from, chunkLength), end);
    lanes.forEach(k, cost::gpu::kLanesInFlight, [&](ArrayRef<Lane> pieces) {
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
          Value group =
              k.loadIndex(k.use(slotGroups, Access::read).elements, slot);
          k.ifTrue(isGroup(k, group), [&] {
            Value begin = groups.begin(k, group), end = groups.end(k, group);
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
  const DeviceGroups &groups;
  bool scalesByFrequency;
  RowLanes lanes;
  Type sumType;
  /// As many chunks as a group may have, and the slots for all of them.
  Value maxChunks, slotCount;
  /// The sums in slots, `sumLength` elements apart, and the group of each, or
  /// -1.
  Value sums, sumLength, slotGroups;
};

//===----------------------------------------------------------------------===//
// DenseGradOp
//===----------------------------------------------------------------------===//

/// Sums for the rows that have a group, and zeros for all others, so that each
/// byte of the destination is written once. Or, if sums need no order, zeros
/// that each position adds to.
struct DenseGradToGPU : ToGPUPattern<DenseGradOp> {
  using ToGPUPattern::ToGPUPattern;

  void lower(DenseGradOp op, LoopBuilder &host) const override {
    DeviceIndices indices = getMaskedIndices(host, op);
    Type element =
        cast<MemRefType>(op.getGradTable().getType()).getElementType();
    // Narrower types would be rounded each time.
    if (options.atomicGradients && !op.getScaleGradByFreq() &&
        element == getAccumulatorType(element))
      return addAtomically(op, host, indices);
    DeviceGroups groups(host, indices);
    DeviceSums sums(host, op.getGradOutput(), op.getGradTable(), groups,
                    op.getScaleGradByFreq(), options.rowAlignment);
    sums.sumLongGroups();

    const RowLanes &lanes = sums.getLanes();
    clearOtherRows(host, op, indices, groups, lanes);
    // No group is empty, and no two have one row.
    launchForRows(host, "dense_grad",
                  host.min(indices.size(), indices.getNumRows()), lanes,
                  [&](KernelBuilder &k, Value group) {
                    k.ifTrue(k.less(group, groups.size(k)), [&] {
                      sums.writeSum(k, group, groups.row(k, group));
                    });
                  });
    sums.deallocate();
    groups.deallocate(host);
  }

private:
  /// Clears the rows that no group sums.
  static void clearOtherRows(LoopBuilder &host, DenseGradOp op,
                             const DeviceIndices &indices,
                             const DeviceGroups &groups,
                             const RowLanes &lanes) {
    OpFoldResult rowLength = lanes.getRowLength();
    Value numRows = host.rowsWithElements(indices.getNumRows(), rowLength);
    Value isSummed = allocateBuffer(host, host.getI8Type(), numRows);
    auto set = [&](KernelBuilder &k, int64_t value, Value row) {
      k.store(arith::ConstantIntOp::create(k, value, 8),
              k.use(isSummed, Access::write).elements, row);
    };
    launchForEach(host, "clear_flags", numRows,
                  [&](KernelBuilder &k, Value row) { set(k, 0, row); });
    launchForEach(host, "flag_rows",
                  host.rowsWithElements(indices.size(), rowLength),
                  [&](KernelBuilder &k, Value group) {
                    k.ifTrue(k.less(group, groups.size(k)),
                             [&] { set(k, 1, groups.row(k, group)); });
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
          Buffer to = k.use(op.getGradTable(), Access::write);
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

  void addAtomically(DenseGradOp op, LoopBuilder &host,
                     const DeviceIndices &indices) const {
    Value from = op.getGradOutput(), to = op.getGradTable();
    RowLanes lanes(embedding::getMixedSize(host, host.getLoc(), to, /*dim=*/1),
                   {from, to}, options.rowAlignment);
    launchForRows(
        host, "clear_grad",
        host.rowsWithElements(indices.getNumRows(), lanes.getRowLength()),
        lanes, [&](KernelBuilder &k, Value row) {
          Buffer rows = k.use(to, Access::write);
          lanes.clear(k, getRow(k, rows, row));
        });
    launchForRows(
        host, "add_grad", indices.size(), lanes,
        [&](KernelBuilder &k, Value position) {
          Value index = indices.load(k, position);
          Value row = indices.getRow(k, index);
          k.ifTrue(lanes.isFirst(k),
                   [&] { indices.check(k, position, index); });
          auto add = [&] {
            Buffer fromRows = k.use(from, Access::read);
            Buffer toRows = k.use(to, Access::write);
            RowAddress source = getRow(k, fromRows, position);
            RowAddress destination = getRow(k, toRows, row);
            lanes.forEach(
                k, cost::gpu::kLanesInFlight, [&](ArrayRef<Lane> pieces) {
                  SmallVector<Value> loaded;
                  for (const Lane &piece : pieces)
                    loaded.push_back(lanes.load(k, source, piece));
                  for (auto [value, piece] : llvm::zip(loaded, pieces))
                    lanes.addAtomically(k, value, destination, piece,
                                        options.vectorAtomics);
                });
          };
          if (indices.isTotal())
            return add();
          k.ifTrue(k.cmp(arith::CmpIPredicate::ult, row,
                         k.use(indices.getNumRows())),
                   add);
        });
  }
};

//===----------------------------------------------------------------------===//
// CoalesceOp
//===----------------------------------------------------------------------===//

/// A group is a row of the result.
struct CoalesceToGPU : ToGPUPattern<CoalesceOp> {
  using ToGPUPattern::ToGPUPattern;

  void lower(CoalesceOp op, LoopBuilder &host) const override {
    DeviceIndices indices(host, op.getIndices(), op.getNumRows(),
                          op.getOutOfRange());
    DeviceGroups groups(host, indices);
    DeviceSums sums(host, op.getValues(), op.getSums(), groups,
                    /*scalesByFrequency=*/false, options.rowAlignment);
    sums.sumLongGroups();
    const RowLanes &lanes = sums.getLanes();
    launchForRows(host, "coalesce", indices.size(), lanes,
                  [&](KernelBuilder &k, Value group) {
                    k.ifTrue(k.less(group, groups.size(k)), [&] {
                      sums.writeSum(k, group, group);
                      k.ifTrue(lanes.isFirst(k), [&] {
                        storeFlat(k, k.toI64(groups.row(k, group)),
                                  k.use(op.getRows(), Access::write), group);
                      });
                    });
                  });
    launchForEach(host, "coalesce_count", host.index(1),
                  [&](KernelBuilder &k, Value zero) {
                    storeFlat(k, k.toI64(groups.size(k)),
                              k.use(op.getNnz(), Access::write), zero);
                  });
    sums.deallocate();
    groups.deallocate(host);
  }
};

//===----------------------------------------------------------------------===//
// SparseGradOp and DoubleBackwardOp
//===----------------------------------------------------------------------===//

/// 1 / frequency of the row that each position names, by position.
class FrequencyScales {
public:
  FrequencyScales(LoopBuilder &host, const DeviceIndices &indices,
                  Type element) {
    Type type = getAccumulatorType(element);
    scales = allocateBuffer(host, type, indices.size());
    DeviceGroups groups(host, indices);
    launchForEach(
        host, "scales", indices.size(), [&](KernelBuilder &k, Value i) {
          Value total = groups.begin(k, groups.size(k));
          Value position = groups.position(k, i);
          auto store = [&](Value scale) {
            k.store(scale, k.use(scales, Access::write).elements, position);
          };
          k.ifTrue(
              k.less(i, total),
              [&] {
                Value group = groups.lastBefore(k, k.add(i, k.index(1)));
                Value count =
                    k.sub(groups.end(k, group), groups.begin(k, group));
                store(createFrequencyScale(k, count, type));
              },
              // Rows that nothing names are not scaled.
              [&] { store(k.constant(type, 0.0)); });
        });
    groups.deallocate(host);
  }

  Value get(KernelBuilder &k, Value position) const {
    return k.load(k.use(scales, Access::read).elements, position);
  }
  void deallocate(LoopBuilder &host) const { host.deallocate(scales); }

private:
  Value scales;
};

/// A gather, with zeros where no row is named.
struct DoubleBackwardToGPU : ToGPUPattern<DoubleBackwardOp> {
  using ToGPUPattern::ToGPUPattern;

  void lower(DoubleBackwardOp op, LoopBuilder &host) const override {
    DeviceIndices indices = getMaskedIndices(host, op);
    Value table = op.getGradGradTable();
    if (!op.getScaleGradByFreq())
      return launchGather(host, "double_backward", indices, table, op.getOut(),
                          options.rowAlignment);
    Type element = cast<MemRefType>(table.getType()).getElementType();
    FrequencyScales scales(host, indices, element);
    auto getScale = [&](KernelBuilder &k, Value position) {
      return scales.get(k, position);
    };
    // The sort has checked.
    launchGather(host, "double_backward", indices.withoutChecks(), table,
                 op.getOut(), options.rowAlignment, getScale);
    scales.deallocate(host);
  }
};

/// Numbers the positions that are kept, unless all are, then copies.
struct SparseGradToGPU : ToGPUPattern<SparseGradOp> {
  using ToGPUPattern::ToGPUPattern;

  void lower(SparseGradOp op, LoopBuilder &host) const override {
    DeviceIndices indices = getMaskedIndices(host, op);
    // The entry of each position, or -1; null if that is the position.
    Value entries;
    if (indices.keepsAll())
      launchForEach(host, "sparse_grad_count", host.index(1),
                    [&](KernelBuilder &k, Value) {
                      storeCount(k, op, k.toI64(k.use(indices.size())));
                    });
    else
      entries = numberEntries(host, op, indices);
    std::optional<FrequencyScales> scales;
    Type element = cast<MemRefType>(op.getValues().getType()).getElementType();
    if (op.getScaleGradByFreq())
      scales.emplace(host, indices.withoutChecks(), element);

    RowLanes lanes(embedding::getMixedSize(host, host.getLoc(), op.getValues(),
                                           /*dim=*/1),
                   {op.getGradOutput(), op.getValues()}, options.rowAlignment);
    launchForRows(
        host, "sparse_grad", indices.size(), lanes,
        [&](KernelBuilder &k, Value position) {
          Value index = indices.load(k, position);
          k.ifTrue(lanes.isFirst(k),
                   [&] { indices.check(k, position, index); });
          auto copy = [&](Value entry) {
            Value row = k.toI64(indices.getRow(k, index));
            k.ifTrue(lanes.isFirst(k), [&] {
              storeFlat(k, row, k.use(op.getRows(), Access::write), entry);
            });
            Value scale = scales ? scales->get(k, position) : nullptr;
            copyRow(k, op, lanes, position, entry, scale);
          };
          if (!entries)
            return copy(position);
          Value entry =
              k.loadIndex(k.use(entries, Access::read).elements, position);
          k.ifTrue(k.cmp(arith::CmpIPredicate::sge, entry, k.index(0)),
                   [&] { copy(entry); });
        });
    if (scales)
      scales->deallocate(host);
    if (entries)
      host.deallocate(entries);
  }

private:
  static void storeCount(KernelBuilder &k, SparseGradOp op, Value count) {
    storeFlat(k, count, k.use(op.getNnz(), Access::write), k.index(0));
  }

  static Value numberEntries(LoopBuilder &host, SparseGradOp op,
                             const DeviceIndices &indices) {
    auto isKept = [&](KernelBuilder &k, Value position) -> Value {
      Value row = indices.getRow(k, indices.load(k, position));
      return k.cmp(arith::CmpIPredicate::ult, row, k.use(indices.getNumRows()));
    };
    Value size = indices.size();
    Value entries = allocateBuffer(host, host.getI64Type(), size);
    Numbering numbering(host, "sparse_grad", size, isKept);
    numbering.forEach(
        host, "sparse_grad_entries", isKept,
        [&](KernelBuilder &k, Value position, Value entry, Value kept) {
          k.store(k.select(kept, entry, k.i64(-1)),
                  k.use(entries, Access::write).elements, position);
        });
    launchForEach(host, "sparse_grad_count", host.index(1),
                  [&](KernelBuilder &k, Value) {
                    storeCount(k, op, numbering.getTotal(k));
                  });
    numbering.deallocate(host);
    return entries;
  }

  static void copyRow(KernelBuilder &k, SparseGradOp op, const RowLanes &lanes,
                      Value position, Value entry, Value scale) {
    Buffer fromBuffer = k.use(op.getGradOutput(), Access::read);
    Buffer toBuffer = k.use(op.getValues(), Access::write);
    lanes.copy(k, getRow(k, fromBuffer, position), getRow(k, toBuffer, entry),
               scale);
  }
};

} // namespace

void embedding::populateGradientsToGPUPatterns(RewritePatternSet &patterns,
                                               const GPUOptions &options) {
  patterns
      .add<DenseGradToGPU, CoalesceToGPU, SparseGradToGPU, DoubleBackwardToGPU>(
          patterns.getContext(), options);
}
