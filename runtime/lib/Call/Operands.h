//===- Operands.h - Operands of an operation, valid together ----*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CALL_OPERANDS_H
#define EMBEDDING_RUNTIME_LIB_CALL_OPERANDS_H

#include "Support/Tensor.h"
#include "embedding/ABI/Operations.h"

#include <array>
#include <optional>

namespace embedding::runtime {

using mlir::embedding::kMaxOperands;
using mlir::embedding::OperandDesc;
using mlir::embedding::OperationDesc;
using mlir::embedding::OperationKind;

/// What a caller gives for one operand.
class Argument {
public:
  /// Left to the options.
  Argument() = default;
  explicit Argument(const DLTensor *tensor) : tensor(tensor) {}
  explicit Argument(int64_t index) : index(index) {}
  explicit Argument(double number) : number(number) {}
  /// Where a number of entries goes.
  explicit Argument(int64_t *count) : count(count) {}

private:
  friend class Operands;
  const DLTensor *tensor = nullptr;
  int64_t *count = nullptr;
  int64_t index = 0;
  double number = 0;
};

/// What the options of a call say, if they have a field for it. An operation
/// looks at those that it has.
struct Attributes {
  int32_t outOfRange = EMBEDDING_OUT_OF_RANGE_CHECK;
  std::optional<int64_t> paddingIdx;
  bool scaleGradByFreq = false;
  bool allowNondeterministic = false;
  /// Of a lookup that shortens rows first.
  std::optional<double> maxNorm;
  double normType = 2.0;
  void *stream = nullptr;
};

/// The operands of a call, valid together.
class Operands {
public:
  Operands(const OperationDesc &operation, const Attributes &attributes)
      : operation(operation), attributes(attributes) {}
  Operands(const Operands &) = delete;
  Operands &operator=(const Operands &) = delete;

  /// Validates one argument for each operand. A number of entries may be
  /// missing if `isForSize`, since such a call writes nothing.
  Status take(const Argument *arguments, bool isForSize);

  const OperationDesc &operation;
  const Attributes &attributes;

  /// Whether operand `number` is a tensor that was given.
  bool isTensor(int number) const { return areTensors[number]; }
  const Tensor &getTensor(int number) const { return tensors[number]; }
  const Tensor &getIndices() const { return getTensor(operation.indices); }
  /// V.
  int64_t getNumRows() const {
    return isTensor(operation.numRows) ? getTensor(operation.numRows).size(0)
                                       : indexes[operation.numRows];
  }
  /// The value of an operand that is no tensor, as kernels take it.
  void *getNumber(int number) {
    return operation.operands[number].kind ==
                   mlir::embedding::OperandKind::index
               ? static_cast<void *>(&indexes[number])
               : &numbers[number];
  }

private:
  Status takeTensor(int number, const DLTensor *dlTensor);
  Status takeCount(int number, int64_t *count, bool isForSize);
  int64_t getSize(mlir::embedding::Size size) const;
  Status checkTogether(int number) const;
  bool hasShape(int number) const;
  Failure reportShape(int number) const;
  Status checkWritten(int number) const;
  Status checkAttributes() const;

  std::array<Tensor, kMaxOperands> tensors;
  std::array<bool, kMaxOperands> areTensors{};
  std::array<int64_t, kMaxOperands> indexes;
  std::array<double, kMaxOperands> numbers;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CALL_OPERANDS_H
