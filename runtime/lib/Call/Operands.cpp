//===- Operands.cpp - Operands of an operation, valid together ------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Call/Operands.h"

#include <cmath>
#include <vector>

using namespace embedding::runtime;
using mlir::embedding::Elements;
using mlir::embedding::OperandKind;
using mlir::embedding::Size;

/// What an operand is called in C.
static std::string getOperandName(const OperandDesc &operand) {
  return (operand.isCount() ? "out_" : "") + std::string(operand.name);
}

/// A failure that names an operand.
static Failure fail(const OperandDesc &operand, const std::string &what) {
  return invalidArgument(getOperandName(operand) + ": " + what);
}

//===----------------------------------------------------------------------===//
// Single operands
//===----------------------------------------------------------------------===//

static bool isFloat(DLDataType type) {
  if (type.code == kDLBfloat)
    return type.bits == 16;
  return type.code == kDLFloat &&
         (type.bits == 16 || type.bits == 32 || type.bits == 64);
}

static bool isInt(DLDataType type, int bits) {
  return type.code == kDLInt && type.bits == bits;
}

/// Elements of an allowed type, where kernels can have them.
static Status checkElements(const OperandDesc &operand, const Tensor &tensor) {
  DLDataType type = tensor.dtype();
  auto failType = [&](const char *expected) {
    return fail(operand, std::string("expected ") + expected + ", but got " +
                             getName(type));
  };
  switch (operand.elements) {
  case Elements::fixedWidth:
    return success();
  case Elements::floats:
    if (type.lanes != 1 || !isFloat(type))
      return failType("float16, bfloat16, float32 or float64");
    if (!tensor.isAligned())
      return fail(operand, "expected data aligned to its elements of " +
                               std::to_string(tensor.elementBytes()) +
                               " bytes");
    return success();
  case Elements::indices:
    if (type.lanes != 1 || (!isInt(type, 32) && !isInt(type, 64)))
      return failType("int32 or int64");
    return success();
  case Elements::int64s:
    if (type.lanes != 1 || !isInt(type, 64))
      return failType("int64");
    if (!tensor.isContiguous() || !tensor.isAligned())
      return fail(operand, "expected contiguous and aligned data");
    return success();
  case Elements::accumulators:
    // Of operands that are optional.
    return success();
  }
  return success();
}

Status Operands::takeTensor(int number, const DLTensor *dlTensor) {
  const OperandDesc &operand = operation.operands[number];
  Tensor &tensor = tensors[number];
  if (Status valid = tensor.set(dlTensor, operand.name); !valid)
    return valid;
  if (Status valid = checkElements(operand, tensor); !valid)
    return valid;
  if (!operand.hasIndexShape() && tensor.rank() != operand.numSizes)
    return fail(operand,
                "expected " + std::to_string(operand.numSizes) +
                    (operand.numSizes == 1 ? " dimension" : " dimensions") +
                    ", but got " + std::to_string(tensor.rank()));
  areTensors[number] = true;
  return success();
}

/// A number of entries is written like a tensor, on the device of the others.
Status Operands::takeCount(int number, int64_t *count, bool isForSize) {
  if (isForSize)
    return success();
  if (!count)
    return invalidArgument("expected " +
                           getOperandName(operation.operands[number]) +
                           " not to be null");
  DLTensor tensor = {};
  tensor.data = count;
  int32_t device = getIndices().device();
  tensor.device = {device < 0 ? kDLCPU : kDLCUDA, device < 0 ? 0 : device};
  tensor.dtype = {kDLInt, 64, 1};
  return takeTensor(number, &tensor);
}

//===----------------------------------------------------------------------===//
// Operands together
//===----------------------------------------------------------------------===//

/// A size that is the same wherever it stands; of tables there is one.
int64_t Operands::getSize(Size size) const {
  switch (size) {
  case Size::rowLength:
    return getTensor(operation.rows).size(1);
  case Size::numIndices:
    return getIndices().numElements();
  case Size::numOffsets:
    return getIndices().numElements() + 1;
  case Size::numRows:
    return getNumRows();
  case Size::numBags:
  case Size::numBagOffsets:
  case Size::indexShape:
    break;
  }
  return 0;
}

bool Operands::hasShape(int number) const {
  const OperandDesc &operand = operation.operands[number];
  const Tensor &tensor = getTensor(number), &indices = getIndices();
  if (operand.hasIndexShape() &&
      tensor.rank() != indices.rank() + operand.numSizes - 1)
    return false;
  int dim = 0;
  for (Size size : operand) {
    if (size != Size::indexShape) {
      if (tensor.size(dim++) != getSize(size))
        return false;
      continue;
    }
    for (; dim < indices.rank(); ++dim)
      if (tensor.size(dim) != indices.size(dim))
        return false;
  }
  return true;
}

Failure Operands::reportShape(int number) const {
  const OperandDesc &operand = operation.operands[number];
  const Tensor &tensor = getTensor(number), &indices = getIndices();
  std::vector<int64_t> expected, actual;
  for (Size size : operand)
    if (size == Size::indexShape)
      for (int dim = 0; dim < indices.rank(); ++dim)
        expected.push_back(indices.size(dim));
    else
      expected.push_back(getSize(size));
  for (int dim = 0; dim < tensor.rank(); ++dim)
    actual.push_back(tensor.size(dim));
  return fail(operand, "expected shape " +
                           formatShape(expected.data(), expected.size()) +
                           ", but got " +
                           formatShape(actual.data(), actual.size()));
}

static bool haveSameType(const Tensor &a, const Tensor &b) {
  return a.dtype().code == b.dtype().code && a.dtype().bits == b.dtype().bits &&
         a.dtype().lanes == b.dtype().lanes;
}

/// What the others require of a tensor.
Status Operands::checkTogether(int number) const {
  const OperandDesc &operand = operation.operands[number];
  const Tensor &tensor = getTensor(number), &indices = getIndices();
  if (tensor.device() != indices.device()) {
    auto getDeviceName = [](const Tensor &of) {
      return of.isOnDevice() ? "cuda:" + std::to_string(of.device())
                             : std::string("the CPU");
    };
    return fail(operand, "expected the device of indices, " +
                             getDeviceName(indices) + ", but got " +
                             getDeviceName(tensor));
  }
  if (operand.hasRows() && !haveSameType(tensor, getTensor(operation.rows)))
    return fail(operand, std::string("expected the type of ") +
                             operation.operands[operation.rows].name + ", " +
                             getName(getTensor(operation.rows).dtype()) +
                             ", but got " + getName(tensor.dtype()));
  if (!hasShape(number))
    return reportShape(number);
  return operand.isWritten() ? checkWritten(number) : success();
}

/// What is written shares no memory with itself or with another operand.
Status Operands::checkWritten(int number) const {
  const OperandDesc &operand = operation.operands[number];
  const Tensor &tensor = getTensor(number);
  if (!hasDistinctElements(tensor))
    return fail(operand, "expected elements that do not share memory with each "
                         "other");
  for (int other = 0; other < operation.numOperands; ++other) {
    // Two that are written are compared once.
    bool isDone = other == number ||
                  (other > number && operation.operands[other].isWritten());
    if (isTensor(other) && !isDone && overlap(tensor, getTensor(other)))
      return fail(operand,
                  "expected memory apart from that of the other operands");
  }
  return success();
}

Status Operands::checkAttributes() const {
  int32_t mode = attributes.outOfRange;
  if (mode < EMBEDDING_OUT_OF_RANGE_CHECK || mode > EMBEDDING_OUT_OF_RANGE_ZERO)
    return invalidArgument(
        "options: expected out_of_range to be 0 to 3, but got " +
        std::to_string(mode));
  int64_t numRows = getNumRows();
  if (numRows < 0)
    return invalidArgument("num_rows: expected at least 0, but got " +
                           std::to_string(numRows));
  std::optional<int64_t> padding = attributes.paddingIdx;
  if (padding && (*padding < -numRows || *padding >= numRows))
    return invalidArgument("padding_idx: expected it to be in [" +
                           std::to_string(-numRows) + ", " +
                           std::to_string(numRows) + "), but got " +
                           std::to_string(*padding));
  if (operation.hasMaxNorm && std::isnan(attributes.normType))
    return invalidArgument("options: expected norm_type not to be NaN");
  return success();
}

Status Operands::take(const Argument *arguments, bool isForSize) {
  for (int number = 0; number < operation.numOperands; ++number) {
    const OperandDesc &operand = operation.operands[number];
    switch (operand.kind) {
    case OperandKind::tensor:
      // Only decompositions give one that is optional.
      if (operand.isOptional)
        break;
      if (Status taken =
              operand.isCount()
                  ? takeCount(number, arguments[number].count, isForSize)
                  : takeTensor(number, arguments[number].tensor);
          !taken)
        return taken;
      break;
    case OperandKind::index:
      indexes[number] = operand.isOptional ? attributes.paddingIdx.value_or(0)
                                           : arguments[number].index;
      break;
    case OperandKind::number:
      numbers[number] = arguments[number].number;
      break;
    }
  }
  // The indices are what others are held against.
  for (int number = 0; number < operation.numOperands; ++number)
    if (isTensor(number) && number != operation.indices)
      if (Status valid = checkTogether(number); !valid)
        return valid;
  return checkAttributes();
}
