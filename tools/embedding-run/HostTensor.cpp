//===- HostTensor.cpp - The tensors that embedding-run passes -------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostTensor.h"

#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>

using namespace embedding::tools;
using llvm::Expected;
using llvm::StringRef;
using mlir::Type;

static std::string toString(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

int64_t embedding::tools::getElementBytes(Type type) {
  if (auto complex = mlir::dyn_cast<mlir::ComplexType>(type))
    return 2 * getElementBytes(complex.getElementType());
  if (type.isIndex())
    return 8;
  if (!type.isIntOrFloat())
    return 0;
  int64_t bytes = llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
  return llvm::isPowerOf2_64(bytes) && bytes <= 8 ? bytes : 0;
}

/// Memory of `size` bytes, zeroed, for any element and any vector.
static std::shared_ptr<void> allocate(size_t size) {
  constexpr size_t kAlignment = 64;
  size_t rounded = llvm::alignTo(std::max<size_t>(size, 1), kAlignment);
  void *memory = std::aligned_alloc(kAlignment, rounded);
  if (memory)
    std::memset(memory, 0, rounded);
  return std::shared_ptr<void>(memory, std::free);
}

//===----------------------------------------------------------------------===//
// Elements as text
//===----------------------------------------------------------------------===//

/// Writes the element that `text` names to `to`.
static bool parseElement(StringRef text, Type type, char *to) {
  if (auto floatType = mlir::dyn_cast<mlir::FloatType>(type)) {
    llvm::APFloat value(floatType.getFloatSemantics());
    auto status =
        value.convertFromString(text, llvm::APFloat::rmNearestTiesToEven);
    if (!status) {
      llvm::consumeError(status.takeError());
      return false;
    }
    if (*status & llvm::APFloat::opOverflow)
      return false;
    llvm::APInt bits = value.bitcastToAPInt();
    std::memcpy(to, bits.getRawData(), getElementBytes(type));
    return true;
  }
  if (mlir::isa<mlir::ComplexType>(type))
    return false;
  unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  if (width == 1 && (text == "true" || text == "false")) {
    *to = text == "true";
    return true;
  }
  llvm::APInt value;
  bool isNegative = text.consume_front("-");
  if (text.empty() || text.getAsInteger(0, value))
    return false;
  value = value.zext(std::max(value.getBitWidth(), 64u) + 1);
  if (isNegative)
    value.negate();
  bool fitsSigned = value.isSignedIntN(width);
  bool fitsUnsigned = !value.isNegative() && value.isIntN(width);
  if (!(fitsSigned && !type.isUnsignedInteger()) &&
      !(fitsUnsigned && !type.isSignedInteger()))
    return false;
  value = value.trunc(64);
  std::memcpy(to, value.getRawData(), getElementBytes(type));
  return true;
}

static void printElement(llvm::raw_ostream &os, Type type, const char *from) {
  if (auto complex = mlir::dyn_cast<mlir::ComplexType>(type)) {
    Type part = complex.getElementType();
    os << "(";
    printElement(os, part, from);
    os << ",";
    printElement(os, part, from + getElementBytes(part));
    os << ")";
    return;
  }
  uint64_t bits = 0;
  std::memcpy(&bits, from, getElementBytes(type));
  if (auto floatType = mlir::dyn_cast<mlir::FloatType>(type)) {
    llvm::APFloat value(floatType.getFloatSemantics(),
                        llvm::APInt(floatType.getWidth(), bits,
                                    /*isSigned=*/false,
                                    /*implicitTrunc=*/true));
    // The shortest digits that read back as the same value; a double holds any
    // of the types.
    bool losesInfo;
    llvm::APFloat wide = value;
    wide.convert(llvm::APFloat::IEEEdouble(),
                 llvm::APFloat::rmNearestTiesToEven, &losesInfo);
    double number = wide.convertToDouble();
    // Numbers of up to 15 digits before the point are written out.
    constexpr int kMaxDigits = 17;
    double magnitude = std::fabs(number);
    int digits = magnitude >= 1 && magnitude < 1e15
                     ? static_cast<int>(std::log10(magnitude)) + 1
                     : 1;
    std::array<char, 32> text;
    for (; digits <= kMaxDigits; ++digits) {
      std::snprintf(text.data(), text.size(), "%.*g", digits, number);
      if (!value.isFinite() || llvm::APFloat(value.getSemantics(), text.data())
                                   .bitwiseIsEqual(value))
        break;
    }
    os << text.data();
    return;
  }
  unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  if (width == 1 || type.isUnsignedInteger())
    os << (bits & llvm::maskTrailingOnes<uint64_t>(width));
  else
    os << llvm::SignExtend64(bits, width);
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

/// Whether a tensor of `shape` may be passed for an argument of `type`.
static llvm::Error checkShape(llvm::ArrayRef<int64_t> shape, Type type) {
  auto shaped = mlir::dyn_cast<mlir::ShapedType>(type);
  llvm::ArrayRef<int64_t> expected =
      shaped ? shaped.getShape() : llvm::ArrayRef<int64_t>();
  bool fits = shape.size() == expected.size();
  for (size_t dim = 0; fits && dim < shape.size(); ++dim)
    fits = mlir::ShapedType::isDynamic(expected[dim]) ||
           shape[dim] == expected[dim];
  if (!fits)
    return createError("expected a shape that fits {0}, but got [{1}]",
                       toString(type),
                       llvm::make_range(shape.begin(), shape.end()));
  return llvm::Error::success();
}

/// Turns column-major elements into row-major ones.
static void transpose(const char *from, llvm::ArrayRef<int64_t> shape,
                      int64_t elementBytes, char *to) {
  llvm::SmallVector<int64_t> strides(shape.size(), elementBytes);
  for (size_t dim = 1; dim < shape.size(); ++dim)
    strides[dim] = strides[dim - 1] * shape[dim - 1];
  llvm::SmallVector<int64_t> position(shape.size(), 0);
  int64_t count = std::accumulate(shape.begin(), shape.end(), int64_t(1),
                                  std::multiplies<>());
  for (int64_t i = 0; i < count; ++i) {
    int64_t offset = 0;
    for (size_t dim = 0; dim < shape.size(); ++dim)
      offset += position[dim] * strides[dim];
    std::memcpy(to + i * elementBytes, from + offset, elementBytes);
    for (size_t dim = shape.size(); dim-- > 0;) {
      if (++position[dim] < shape[dim])
        break;
      position[dim] = 0;
    }
  }
}

Expected<HostTensor> HostTensor::parse(StringRef text, Type type) {
  HostTensor tensor;
  tensor.elementType = mlir::getElementTypeOrSelf(type);
  int64_t elementBytes = getElementBytes(tensor.elementType);

  if (text.consume_front("@")) {
    StringRef path = text, name;
    bool isSafetensors = text.contains(".safetensors:");
    if (isSafetensors) {
      size_t end =
          text.find(".safetensors:") + StringRef(".safetensors").size();
      path = text.substr(0, end);
      name = text.substr(end + 1);
    } else if (!text.ends_with(".npy")) {
      return createError("{0}: expected FILE.npy or FILE.safetensors:TENSOR",
                         text);
    }
    Expected<MappedFile> opened = MappedFile::open(path.str());
    if (!opened)
      return createError("{0}: {1}", path, llvm::toString(opened.takeError()));
    auto file = std::make_shared<MappedFile>(std::move(*opened));
    Expected<TensorHeader> header = isSafetensors
                                        ? parseSafetensors(file->bytes(), name)
                                        : parseNpy(file->bytes());
    if (!header)
      return createError("{0}: {1}", path, llvm::toString(header.takeError()));
    bool typeFits = header->elementType == "V2"
                        ? elementBytes == 2
                        : header->elementType == toString(tensor.elementType);
    if (!typeFits)
      return createError("{0}: expected elements of {1}, but got {2}", text,
                         toString(tensor.elementType), header->elementType);
    tensor.shape = header->shape;
    if (llvm::Error error = checkShape(tensor.shape, type))
      return createError("{0}: {1}", text, llvm::toString(std::move(error)));
    tensor.numBytes = header->dataBytes;
    tensor.address = file->mutableData() + header->dataOffset;
    tensor.owner = file;
    // The file itself serves, unless its layout is not what a memref has.
    bool isTransposed = header->isFortranOrder && tensor.shape.size() > 1;
    bool isAligned = header->dataOffset % elementBytes == 0;
    if (isTransposed || !isAligned) {
      std::shared_ptr<void> memory = allocate(tensor.numBytes);
      if (!memory)
        return createError("{0}: no memory for {1} bytes", text,
                           tensor.numBytes);
      char *to = static_cast<char *>(memory.get());
      if (isTransposed)
        transpose(tensor.address, tensor.shape, elementBytes, to);
      else
        std::memcpy(to, tensor.address, tensor.numBytes);
      tensor.address = to;
      tensor.owner = memory;
    }
    return tensor;
  }

  if (text.ends_with(".npy") || text.contains(".safetensors"))
    return createError("'{0}': expected a value; @{0} names a file", text);

  // [SIZEx...]TYPE[=ELEMENT ...]
  auto [typeText, elements] = text.split('=');
  bool hasElements = text.contains('=');
  StringRef rest = typeText;
  while (!rest.empty() && llvm::isDigit(rest.front())) {
    StringRef digits = rest.take_while([](char c) { return llvm::isDigit(c); });
    int64_t size;
    if (digits.getAsInteger(10, size) ||
        !rest.drop_front(digits.size()).starts_with("x"))
      return createError("'{0}': expected sizes, each followed by 'x'",
                         typeText);
    tensor.shape.push_back(size);
    rest = rest.drop_front(digits.size() + 1);
  }
  if (rest != toString(tensor.elementType))
    return createError("'{0}': expected elements of {1}, but got '{2}'",
                       typeText, toString(tensor.elementType), rest);
  if (llvm::Error error = checkShape(tensor.shape, type))
    return createError("'{0}': {1}", typeText,
                       llvm::toString(std::move(error)));
  uint64_t bytes = elementBytes;
  for (int64_t size : tensor.shape)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes) ||
        bytes > uint64_t(INT64_MAX))
      return createError("'{0}': more bytes than 64 bits count", typeText);
  tensor.numBytes = bytes;
  tensor.owner = allocate(tensor.numBytes);
  if (!tensor.owner)
    return createError("'{0}': no memory for {1} bytes", typeText,
                       tensor.numBytes);
  tensor.address = static_cast<char *>(tensor.owner.get());

  llvm::SmallVector<StringRef> tokens;
  llvm::SplitString(elements, tokens, " ,[]\t\n");
  size_t count = tensor.numBytes / elementBytes;
  if (hasElements && tokens.size() != count && tokens.size() != 1)
    return createError("'{0}': expected 1 or {1} elements, but got {2}",
                       typeText, count, tokens.size());
  for (size_t i = 0; hasElements && i < count; ++i) {
    StringRef token = tokens[tokens.size() == 1 ? 0 : i];
    if (!parseElement(token, tensor.elementType,
                      tensor.address + i * elementBytes))
      return createError("'{0}': element {1}, '{2}', is not of type {3}",
                         typeText, i, token, toString(tensor.elementType));
  }
  return tensor;
}

Expected<HostTensor> HostTensor::copy(Type elementType,
                                      llvm::ArrayRef<int64_t> shape,
                                      const char *data) {
  HostTensor tensor;
  tensor.elementType = elementType;
  tensor.shape.assign(shape.begin(), shape.end());
  tensor.numBytes = std::accumulate(shape.begin(), shape.end(), int64_t(1),
                                    std::multiplies<>()) *
                    getElementBytes(elementType);
  tensor.owner = allocate(tensor.numBytes);
  if (!tensor.owner)
    return createError("no memory for {0} bytes", tensor.numBytes);
  tensor.address = static_cast<char *>(tensor.owner.get());
  if (tensor.numBytes != 0)
    std::memcpy(tensor.address, data, tensor.numBytes);
  return tensor;
}

void *HostTensor::getDescriptor() {
  // Allocated and aligned pointer, offset, sizes, strides.
  descriptor.assign({reinterpret_cast<int64_t>(address),
                     reinterpret_cast<int64_t>(address), 0});
  descriptor.append(shape.begin(), shape.end());
  size_t numDims = shape.size();
  descriptor.append(numDims, 1);
  for (size_t dim = numDims; dim-- > 1;)
    descriptor[3 + numDims + dim - 1] =
        descriptor[3 + numDims + dim] * shape[dim];
  return descriptor.data();
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

void HostTensor::print(llvm::raw_ostream &os) const {
  for (int64_t size : shape)
    os << size << "x";
  os << elementType << "=";
  int64_t elementBytes = getElementBytes(elementType);
  int64_t count = numBytes / elementBytes;
  for (int64_t i = 0; i < count; ++i) {
    // A bracket for each dimension, but the outermost, that starts or ends
    // here.
    int64_t extent = 1;
    int opened = 0, closed = 0;
    for (size_t dim = shape.size(); dim-- > 1;) {
      extent *= shape[dim];
      opened += i % extent == 0;
      closed += (i + 1) % extent == 0;
    }
    if (i != 0 && opened == 0)
      os << " ";
    os << std::string(opened, '[');
    printElement(os, elementType, address + i * elementBytes);
    os << std::string(closed, ']');
  }
  os << "\n";
}

void HostTensor::save(llvm::raw_ostream &os) const {
  os << writeNpyHeader(toString(elementType), getElementBytes(elementType),
                       shape);
  os.write(address, numBytes);
}
