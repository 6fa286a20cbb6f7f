//===- RowLanes.h - How the threads of a group share a row ------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row is moved by a group of threads: a power of two of them, a warp at most,
// so that a short row leaves no thread idle. Each thread takes lanes of up to
// 16 bytes, neighbours next to each other, so that a group touches whole
// sectors.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_ROWLANES_H
#define EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_ROWLANES_H

#include "KernelBuilder.h"

namespace mlir::embedding {

/// The lanes of a row that one thread takes in one step.
struct Lane {
  /// The first element, of type index, inside the row.
  Value column;
  /// Elements.
  int64_t width;
  /// Whether it is this thread that writes them; null if always. A thread
  /// without a lane reads one of another.
  Value isOwned;
};

/// A row in memory: where it begins in `buffer`.
struct RowAddress {
  const Buffer &buffer;
  Value offset;
};

/// The row at flat position `position` of a memref whose last dimension is that
/// of a row.
RowAddress getRow(KernelBuilder &k, const Buffer &buffer, Value position);

/// The element at flat position `position` of a memref.
Value loadFlat(KernelBuilder &k, const Buffer &buffer, Value position);
void storeFlat(KernelBuilder &k, Value value, const Buffer &buffer,
               Value position);

class RowLanes {
public:
  /// For the rows, of the length of those of the last, of `memrefs`, whose last
  /// dimension begins at a multiple of `alignment` bytes; 0 for what their
  /// types say. A group has `groupThreads`, or as many as the row needs. The
  /// schedule of what `host` lowers may say how wide lanes are, how many are in
  /// flight, and whether they are streamed.
  RowLanes(LoopBuilder &host, ValueRange memrefs, int64_t alignment,
           std::optional<int64_t> groupThreads = std::nullopt);

  OpFoldResult getRowLength() const { return rowLength; }
  Type getElementType() const { return element; }
  /// Elements of the widest lane.
  int64_t getWidth() const { return width; }

  /// Groups of threads in a block.
  int64_t getGroupsPerBlock() const {
    return cost::gpu::kBlockThreads / groupThreads;
  }
  /// Lanes that a thread moves at once, at most.
  int64_t getLanesInFlight() const { return lanesInFlight; }
  /// Rows that a group moves at once, to have enough bytes in flight.
  int64_t getRowsInFlight() const;

  /// The number of the group of this thread in its block.
  Value getGroup(KernelBuilder &k) const;
  /// Whether this thread is the first of its group.
  Value isFirst(KernelBuilder &k) const;

  /// Runs `body` for the lanes of this thread, as many at once as are in
  /// flight.
  void forEach(KernelBuilder &k,
               llvm::function_ref<void(ArrayRef<Lane>)> body) const {
    forEach(k, lanesInFlight, body);
  }
  /// The same, `maxLanes` of them at once.
  void forEach(KernelBuilder &k, int64_t maxLanes,
               llvm::function_ref<void(ArrayRef<Lane>)> body) const;

  /// A vector of the lane's elements.
  Value load(KernelBuilder &k, RowAddress row, const Lane &lane) const;
  /// Stores a vector that nobody is about to read, if the lane is owned: as
  /// the first that leaves the caches, unless the schedule says never.
  void store(KernelBuilder &k, Value vector, RowAddress row,
             const Lane &lane) const;
  /// Adds a vector of f32 or f64 to memory, in no order with other threads;
  /// `asVector` says that the GPU adds several f32 at once.
  void addAtomically(KernelBuilder &k, Value vector, RowAddress row,
                     const Lane &lane, bool asVector) const;
  /// Copies a row; times `scale`, of the type of sums, if that is not null.
  void copy(KernelBuilder &k, RowAddress from, RowAddress to,
            Value scale) const;
  /// Fills a row with zeros.
  void clear(KernelBuilder &k, RowAddress row) const;

private:
  /// The number of this thread in its group.
  Value getMember(KernelBuilder &k) const;

  OpFoldResult rowLength;
  Type element;
  /// Elements of a lane that has its full width.
  int64_t width;
  int64_t groupThreads;
  int64_t lanesInFlight;
  bool isStreamed;
};

/// Launches a kernel with a group of threads for each of `size` rows: `body`
/// gets the number of the row.
void launchForRows(LoopBuilder &host, StringRef name, Value size,
                   const RowLanes &lanes,
                   llvm::function_ref<void(KernelBuilder &, Value)> body);

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_ROWLANES_H
