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

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::embedding {

/// Threads of a block, and of a warp.
inline constexpr int64_t kBlockThreads = 256;
inline constexpr int64_t kWarpThreads = 32;

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
  /// Both of type index.
  Value getThread() { return thread; }
  Value getBlock() { return block; }

  Value isTrue() { return arith::ConstantIntOp::create(*this, 1, 1); }

private:
  friend void launchKernel(LoopBuilder &, StringRef, Value,
                           llvm::function_ref<void(KernelBuilder &)>);

  KernelBuilder(LoopBuilder &host, gpu::GPUFuncOp function);

  Value addArgument(Value hostValue, Type type,
                    ArrayRef<NamedAttribute> attributes);

  LoopBuilder &host;
  gpu::GPUFuncOp function;
  SmallVector<Value> operands;
  DenseMap<Value, Value> scalars;
  DenseMap<Value, Buffer> buffers;
  Value thread, block;
};

/// Builds a kernel of `body` and launches `blockCount` blocks of
/// `kBlockThreads` threads. `blockCount` is of type index and may be 0.
void launchKernel(LoopBuilder &host, StringRef name, Value blockCount,
                  llvm::function_ref<void(KernelBuilder &)> body);

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_CONVERSION_EMBEDDINGTOGPU_KERNELBUILDER_H
