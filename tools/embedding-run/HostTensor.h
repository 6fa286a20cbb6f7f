//===- HostTensor.h - The tensors that embedding-run passes -----*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TOOLS_EMBEDDING_RUN_HOSTTENSOR_H
#define EMBEDDING_TOOLS_EMBEDDING_RUN_HOSTTENSOR_H

#include "TensorFile.h"

#include "mlir/IR/BuiltinTypes.h"

namespace embedding::tools {

/// A row-major tensor in memory, with or without memory of its own.
class HostTensor {
public:
  /// Makes the value of one --input for an argument of `type`: see the tool's
  /// help for the forms of `text`.
  static llvm::Expected<HostTensor> parse(llvm::StringRef text,
                                          mlir::Type type);
  /// Copies `bytes` of `shape` from `data`, row-major.
  static llvm::Expected<HostTensor>
  copy(mlir::Type elementType, llvm::ArrayRef<int64_t> shape, const char *data);

  mlir::Type getElementType() const { return elementType; }
  llvm::ArrayRef<int64_t> getShape() const { return shape; }
  char *data() const { return address; }
  size_t getNumBytes() const { return numBytes; }

  /// A pointer to the memref descriptor of this tensor, valid while it is.
  void *getDescriptor();

  /// Prints as `2x3xf32=[1 2 3][4 5 6]`.
  void print(llvm::raw_ostream &os) const;
  /// Writes a .npy file.
  void save(llvm::raw_ostream &os) const;

private:
  mlir::Type elementType;
  llvm::SmallVector<int64_t> shape;
  char *address = nullptr;
  size_t numBytes = 0;
  std::shared_ptr<void> owner;
  llvm::SmallVector<int64_t> descriptor;
};

/// Bytes of one element in a memref, or 0 if elements of `type` cannot be
/// passed.
int64_t getElementBytes(mlir::Type type);

} // namespace embedding::tools

#endif // EMBEDDING_TOOLS_EMBEDDING_RUN_HOSTTENSOR_H
