//===- KernelBuilder.h - Kernels and their launches -------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel is written where it is launched: its body names values of the host
// function, and each becomes an argument of the kernel when it is first named.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_KERNELBUILDER_H
#define EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_KERNELBUILDER_H

#include "../../Utils/LoopBuilder.h"
#include "embedding/Target/CostModel.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::embedding {

/// Threads of a warp, and warps of a block.
inline constexpr int64_t kWarpThreads = 32;
inline constexpr int64_t kBlockWarps = cost::gpu::kBlockThreads / kWarpThreads;

/// Bytes that one thread loads or stores at once, at most.
inline constexpr int64_t kMaxLaneBytes = 16;

/// A memref of the host function as a kernel sees it: elements in one
/// dimension, without bounds.
struct Buffer {
  Value elements;
  /// Of the memref, in elements; constants where its type says so.
  SmallVector<Value> strides;
  /// Whether they are those of a memref without gaps; if not, its sizes.
  bool isDense = false;
  SmallVector<Value> sizes;
};

/// What a kernel does with a memref.
enum class Access {
  /// Reads it, and no other thread of the kernel writes it.
  read,
  write
};

/// Builds the body of a kernel.
class KernelBuilder : public LoopBuilder {
public:
  /// Makes `value`, an index, integer, float or pointer of the host function,
  /// known to the kernel.
  Value use(Value value);
  /// The same for a memref. A memref that is named for reading must not be
  /// written by the same kernel.
  Buffer use(Value memref, Access access);
  /// Memory that the threads of a block share, uninitialised.
  Value share(int64_t size, Type element);

  /// Both of type index.
  Value getThread() { return thread; }
  Value getBlock() { return block; }

  // Constants and conversions.
  Value i32(int64_t value) {
    return arith::ConstantIntOp::create(*this, value, 32);
  }
  Value isTrue() { return arith::ConstantIntOp::create(*this, 1, 1); }
  /// An unsigned integer, or an index.
  Value resize(Value integer, Type type);
  /// A vector of elements as one of the type that sums are taken in, and back,
  /// rounded once.
  Value widen(Value vector);
  Value narrow(Value vector, Type element);
  /// A vector of elements times `scale`, of the type of sums; rounded once.
  Value scale(Value vector, Value scale);

  // What threads do together: all of a block, or all of a warp, come here.
  void barrier() { gpu::BarrierOp::create(*this); }
  void warpBarrier();
  /// `value`, of 32 or 64 bits, of the thread of the warp whose number differs
  /// in the bits of `mask`, or is less by `distance`: where there is none, of
  /// this thread.
  Value shuffleXor(Value value, int64_t mask);
  Value shuffleUp(Value value, int64_t distance);
  /// `value` of thread `lane` of the warp.
  Value broadcast(Value value, Value lane);
  /// The threads of the warp for which `condition` holds, and those whose
  /// `value`, an i32, is that of this thread: a bit each, in an i32.
  Value ballot(Value condition);
  Value matchAny(Value value);
  /// How many of the `threads`, as above, have a lower number than this one.
  Value countBefore(Value threads);
  /// How many there are.
  Value count(Value threads);
  /// The number of the first.
  Value first(Value threads);

  /// The sum of `value`, an i64, over the threads of the block with lower
  /// numbers than this one, and over all of them. `scratch` is shared memory of
  /// `kBlockWarps` i64 that no thread uses any more.
  struct Scan {
    Value before, total;
  };
  Scan scanBlock(Value value, Value scratch);

  // Of integers.
  void atomicAdd(Value value, Value memref, Value at);
  void atomicAnd(Value value, Value memref, Value at);
  /// Returns what was there before.
  Value atomicOr(Value value, Value memref, Value at);

private:
  friend void launchKernel(LoopBuilder &, StringRef, Value,
                           llvm::function_ref<void(KernelBuilder &)>);

  KernelBuilder(LoopBuilder &host, gpu::GPUFuncOp function);

  Value addArgument(Value hostValue, Type type,
                    ArrayRef<NamedAttribute> attributes);

  Value shuffle(Value value, Value by, gpu::ShuffleMode mode);

  LoopBuilder &host;
  gpu::GPUFuncOp function;
  SmallVector<Value> operands;
  DenseMap<Value, Value> scalars;
  DenseMap<Value, Buffer> buffers;
  DenseMap<Value, Access> accesses;
  Value thread, block;
};

/// Builds a kernel of `body` and launches `blockCount` blocks of
/// `cost::gpu::kBlockThreads` threads. `blockCount` is of type index and may be
/// 0.
void launchKernel(LoopBuilder &host, StringRef name, Value blockCount,
                  llvm::function_ref<void(KernelBuilder &)> body);

/// The same with a thread for each of `size` elements: `body` gets its number.
void launchForEach(LoopBuilder &host, StringRef name, Value size,
                   llvm::function_ref<void(KernelBuilder &, Value)> body);

/// A contiguous memref of `size` of `element`, or of one if that is 0: drivers
/// do not allocate nothing.
Value allocateBuffer(LoopBuilder &host, Type element, Value size);

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_KERNELBUILDER_H
