//===- TensorFile.h - .npy and .safetensors files ---------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TOOLS_EMBEDDING_RUN_TENSORFILE_H
#define EMBEDDING_TOOLS_EMBEDDING_RUN_TENSORFILE_H

#include "Errors.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <memory>
#include <string>

namespace embedding::tools {

/// What a file says about a tensor: its type, and where in the file it is.
struct TensorHeader {
  /// As MLIR spells it (f32, bf16, i64, complex<f32>; unsigned integers are
  /// signless there), or "V2" for two bytes of a type that the file leaves
  /// open, which is how NumPy stores bf16.
  std::string elementType;
  int64_t elementBytes = 0;
  llvm::SmallVector<int64_t> shape;
  /// Column-major instead of row-major.
  bool isFortranOrder = false;
  /// The bytes of the elements: [dataOffset, dataOffset + dataBytes).
  uint64_t dataOffset = 0;
  uint64_t dataBytes = 0;
};

/// Reads the header of a NumPy file, versions 1.0 to 3.0, all of whose bytes
/// are `file`; see numpy.lib.format. An error names the field and the byte.
llvm::Expected<TensorHeader> parseNpy(llvm::StringRef file);

/// Finds tensor `name` in a safetensors file, all of whose bytes are `file`;
/// see https://github.com/huggingface/safetensors. An error names the field and
/// the byte where there is one.
llvm::Expected<TensorHeader> parseSafetensors(llvm::StringRef file,
                                              llvm::StringRef name);

/// The start of a NumPy file for a row-major tensor of `elementType`, of
/// `elementBytes` each.
std::string writeNpyHeader(llvm::StringRef elementType, int64_t elementBytes,
                           llvm::ArrayRef<int64_t> shape);

/// A whole file, mapped into memory. Writes go to private copies of the pages
/// and never to the file.
class MappedFile {
public:
  static llvm::Expected<MappedFile> open(const std::string &path);
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&) = delete;
  ~MappedFile();

  llvm::StringRef bytes() const { return {data, size}; }
  char *mutableData() { return data; }

private:
  MappedFile(char *data, size_t size) : data(data), size(size) {}

  char *data;
  size_t size;
};

} // namespace embedding::tools

#endif // EMBEDDING_TOOLS_EMBEDDING_RUN_TENSORFILE_H
