//===- Operations.h - Operations as tables ----------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What ODS says of the operations with indices, for code that knows none of
// them by name: the verifier, checks at run time, kernels, the C API. The
// tables are written by embedding-tblgen. Compiler and runtime include this; it
// needs nothing of LLVM.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_ABI_OPERATIONS_H
#define EMBEDDING_ABI_OPERATIONS_H

#include <cstdint>

namespace mlir::embedding {

/// A size that operands of one operation share.
enum class Size : uint8_t {
  /// V, the rows of the table.
  numRows,
  /// D, the elements of a row.
  rowLength,
  /// N, the number of indices.
  numIndices,
  /// N + 1.
  numOffsets,
  /// B, the number of bags.
  numBags,
  /// B, or B + 1 where the last offset is included.
  numBagOffsets,
  /// Every size of the indices.
  indexShape
};

/// What elements an operand may have.
enum class Elements : uint8_t {
  /// Of any one type of a fixed width, the same for all such operands.
  fixedWidth,
  /// f16, bf16, f32 or f64, the same for all such operands.
  floats,
  /// i32 or i64.
  indices,
  int64s,
  /// f32, or f64 where the operation's floats are.
  accumulators
};

enum class OperandAccess : uint8_t { read, write, readWrite };

enum class OperandKind : uint8_t {
  tensor,
  /// A number of the type f64, or of the type index. One that is optional may
  /// be an attribute in its place.
  number,
  index
};

struct OperandDesc {
  /// That of the operand in ODS, less `dynamic_` before the name of an
  /// attribute.
  const char *name;
  OperandKind kind;
  bool isOptional;

  // Of a tensor.
  Elements elements;
  OperandAccess access;
  uint8_t numSizes;
  Size sizes[2];

  const Size *begin() const { return sizes; }
  const Size *end() const { return sizes + numSizes; }
  constexpr bool isTensor() const { return kind == OperandKind::tensor; }
  constexpr bool isRead() const { return access != OperandAccess::write; }
  constexpr bool isWritten() const {
    return isTensor() && access != OperandAccess::read;
  }
  /// Whether it holds a number of entries, which C takes as a pointer.
  constexpr bool isCount() const { return isTensor() && numSizes == 0; }
  /// Whether it is made of rows like the table's.
  constexpr bool hasRows() const {
    return numSizes == 2 && sizes[1] == Size::rowLength &&
           elements != Elements::int64s;
  }
  constexpr bool hasIndexShape() const {
    return numSizes > 0 && sizes[0] == Size::indexShape;
  }
};

enum class OperationKind : uint8_t;

/// The most operands that an operation has.
inline constexpr int kMaxOperands = 8;

struct OperationDesc {
  OperationKind kind;
  /// In the dialect, without its prefix.
  const char *name;
  /// In the order of ODS: those that are only read, numbers, and those that are
  /// written.
  OperandDesc operands[kMaxOperands];
  int8_t numOperands;
  /// The operand that holds the indices.
  int8_t indices;
  /// The one whose rows and elements the other operands with rows must have:
  /// the first of V rows or in a list. -1 if there are no rows.
  int8_t rows;
  /// The one that has V rows, or the number V.
  int8_t numRows;
  bool hasMaxNorm, hasScaleGradByFreq;

  const OperandDesc *begin() const { return operands; }
  const OperandDesc *end() const { return operands + numOperands; }
};

#include "embedding/ABI/Operations.inc"

} // namespace mlir::embedding

#endif // EMBEDDING_ABI_OPERATIONS_H
