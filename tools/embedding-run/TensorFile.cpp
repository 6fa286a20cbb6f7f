//===- TensorFile.cpp - .npy and .safetensors files -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorFile.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

using namespace embedding::tools;
using llvm::Expected;
using llvm::StringRef;

/// The bytes of a tensor, or none if 64 bits cannot count them.
static std::optional<uint64_t> countBytes(llvm::ArrayRef<int64_t> shape,
                                          int64_t elementBytes) {
  uint64_t bytes = static_cast<uint64_t>(elementBytes);
  for (int64_t size : shape)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes))
      return std::nullopt;
  if (bytes > static_cast<uint64_t>(INT64_MAX))
    return std::nullopt;
  return bytes;
}

//===----------------------------------------------------------------------===//
// NumPy
//===----------------------------------------------------------------------===//

namespace {

/// The types that both sides have, as NumPy's `descr` without its byte order.
struct NpyType {
  const char *descr;
  const char *elementType;
  int64_t bytes;
};
constexpr NpyType kNpyTypes[] = {
    {"f8", "f64", 8}, {"f4", "f32", 4},          {"f2", "f16", 2},
    {"V2", "V2", 2},  {"i8", "i64", 8},          {"i4", "i32", 4},
    {"i2", "i16", 2}, {"i1", "i8", 1},           {"u8", "i64", 8},
    {"u4", "i32", 4}, {"u2", "i16", 2},          {"u1", "i8", 1},
    {"b1", "i1", 1},  {"c8", "complex<f32>", 8}, {"c16", "complex<f64>", 16}};

/// Reads the header's dictionary, a Python literal.
class NpyHeaderParser {
public:
  NpyHeaderParser(StringRef file, size_t begin, size_t end)
      : file(file), at(begin), end(end) {}

  Expected<TensorHeader> parse();

private:
  llvm::Error parseDescr();
  llvm::Error parseOrder();
  llvm::Error parseShape();

  llvm::Error unexpected(const char *field, const char *expected) {
    return createError("{0}: expected {1} at byte {2}", field, expected, at);
  }
  void skipSpace() {
    while (at < end && llvm::isSpace(file[at]))
      ++at;
  }
  bool consume(StringRef token) {
    skipSpace();
    if (!file.slice(at, end).starts_with(token))
      return false;
    at += token.size();
    return true;
  }
  /// A quoted string without escapes.
  std::optional<StringRef> parseString() {
    skipSpace();
    if (at >= end || (file[at] != '\'' && file[at] != '"'))
      return std::nullopt;
    size_t close = file.slice(0, end).find(file[at], at + 1);
    if (close == StringRef::npos)
      return std::nullopt;
    StringRef text = file.slice(at + 1, close);
    at = close + 1;
    return text;
  }

  StringRef file;
  size_t at;
  size_t end;
  TensorHeader header;
};

} // namespace

llvm::Error NpyHeaderParser::parseDescr() {
  size_t start = at;
  std::optional<StringRef> descr = parseString();
  if (!descr)
    return unexpected("descr", "a string (structured types are not supported)");
  StringRef type = *descr;
  if (type.starts_with(">"))
    return createError(
        "descr: big-endian type '{0}' at byte {1} is not supported", *descr,
        start);
  if (type.starts_with("<") || type.starts_with("|") || type.starts_with("="))
    type = type.drop_front();
  for (const NpyType &known : kNpyTypes)
    if (type == known.descr) {
      header.elementType = known.elementType;
      header.elementBytes = known.bytes;
      return llvm::Error::success();
    }
  return createError("descr: type '{0}' at byte {1} is not supported", *descr,
                     start);
}

llvm::Error NpyHeaderParser::parseOrder() {
  if (consume("True"))
    header.isFortranOrder = true;
  else if (!consume("False"))
    return unexpected("fortran_order", "True or False");
  return llvm::Error::success();
}

llvm::Error NpyHeaderParser::parseShape() {
  if (!consume("("))
    return unexpected("shape", "'('");
  while (!consume(")")) {
    skipSpace();
    StringRef digits =
        file.slice(at, end).take_while([](char c) { return llvm::isDigit(c); });
    int64_t size;
    if (digits.empty() || digits.getAsInteger(10, size))
      return unexpected("shape", "a size that fits 63 bits");
    at += digits.size();
    header.shape.push_back(size);
    if (consume(","))
      continue;
    if (!consume(")"))
      return unexpected("shape", "',' or ')'");
    break;
  }
  return llvm::Error::success();
}

Expected<TensorHeader> NpyHeaderParser::parse() {
  bool hasDescr = false, hasOrder = false, hasShape = false;
  if (!consume("{"))
    return unexpected("header", "'{'");
  while (!consume("}")) {
    size_t start = at;
    std::optional<StringRef> key = parseString();
    if (!key || !consume(":"))
      return unexpected("header", "a key and ':'");
    bool *isSeen = llvm::StringSwitch<bool *>(*key)
                       .Case("descr", &hasDescr)
                       .Case("fortran_order", &hasOrder)
                       .Case("shape", &hasShape)
                       .Default(nullptr);
    if (!isSeen || *isSeen)
      return createError("header: {0} key '{1}' at byte {2}",
                         isSeen ? "second" : "unknown", *key, start);
    *isSeen = true;
    if (llvm::Error error = isSeen == &hasDescr   ? parseDescr()
                            : isSeen == &hasOrder ? parseOrder()
                                                  : parseShape())
      return error;
    if (!consume(",")) {
      if (!consume("}"))
        return unexpected("header", "',' or '}'");
      break;
    }
  }
  if (!hasDescr || !hasOrder || !hasShape)
    return createError("header: no {0}", !hasDescr   ? "descr"
                                         : !hasOrder ? "fortran_order"
                                                     : "shape");
  return header;
}

Expected<TensorHeader> embedding::tools::parseNpy(StringRef file) {
  // \x93NUMPY, version, bytes of the header, header, data.
  constexpr size_t kVersion = 6, kLength = 8;
  if (!file.starts_with("\x93NUMPY"))
    return createError("magic: expected '\\x93NUMPY' at byte 0");
  if (file.size() < kLength)
    return createError("version: the file ends at byte {0}", file.size());
  int major = static_cast<unsigned char>(file[kVersion]);
  int minor = static_cast<unsigned char>(file[kVersion + 1]);
  if (major < 1 || major > 3 || minor != 0)
    return createError("version: {0}.{1} at byte {2} is not supported", major,
                       minor, kVersion);
  size_t lengthBytes = major == 1 ? 2 : 4;
  if (file.size() < kLength + lengthBytes)
    return createError("header length: the file ends at byte {0}", file.size());
  uint64_t length =
      major == 1 ? llvm::support::endian::read16le(file.data() + kLength)
                 : llvm::support::endian::read32le(file.data() + kLength);
  size_t begin = kLength + lengthBytes;
  if (length > file.size() - begin)
    return createError(
        "header length: {0} at byte {1} goes beyond the file's {2} "
        "bytes",
        length, kLength, file.size());
  Expected<TensorHeader> header =
      NpyHeaderParser(file, begin, begin + length).parse();
  if (!header)
    return header.takeError();
  std::optional<uint64_t> bytes =
      countBytes(header->shape, header->elementBytes);
  header->dataOffset = begin + length;
  if (!bytes || *bytes > file.size() - header->dataOffset)
    return createError(
        "data: expected {0} bytes from byte {1} on, but the file has "
        "{2} bytes",
        bytes ? std::to_string(*bytes) : "more than 2^63", header->dataOffset,
        file.size());
  header->dataBytes = *bytes;
  return header;
}

std::string embedding::tools::writeNpyHeader(StringRef elementType,
                                             int64_t elementBytes,
                                             llvm::ArrayRef<int64_t> shape) {
  std::string descr = llvm::StringSwitch<std::string>(elementType)
                          .Case("f64", "<f8")
                          .Case("f32", "<f4")
                          .Case("f16", "<f2")
                          .Cases({"i64", "si64", "index"}, "<i8")
                          .Cases({"i32", "si32"}, "<i4")
                          .Cases({"i16", "si16"}, "<i2")
                          .Cases({"i8", "si8"}, "|i1")
                          .Case("ui64", "<u8")
                          .Case("ui32", "<u4")
                          .Case("ui16", "<u2")
                          .Case("ui8", "|u1")
                          .Case("i1", "|b1")
                          .Case("complex<f32>", "<c8")
                          .Case("complex<f64>", "<c16")
                          .Default("");
  // Others, such as bf16 and the 8-bit floats, have no name in NumPy.
  if (descr.empty())
    descr = (elementBytes == 1 ? "|V" : "<V") + std::to_string(elementBytes);
  std::string sizes;
  for (int64_t size : shape)
    sizes += (sizes.empty() ? "" : ", ") + std::to_string(size);
  if (shape.size() == 1)
    sizes += ",";
  std::string header = "{'descr': '" + descr +
                       "', 'fortran_order': False, 'shape': (" + sizes + "), }";
  // Version 1.0; data at a multiple of 64 bytes.
  size_t length = llvm::alignTo(10 + header.size() + 1, 64) - 10;
  header.resize(length - 1, ' ');
  header += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(length & 0xff);
  file += static_cast<char>(length >> 8);
  return file + header;
}

//===----------------------------------------------------------------------===//
// Safetensors
//===----------------------------------------------------------------------===//

/// The byte where brackets nest deeper than any header does, if there is one:
/// the JSON parser recurses.
static std::optional<size_t> findDeepNesting(StringRef json) {
  constexpr int kMaxDepth = 8;
  int depth = 0;
  bool isInString = false;
  for (size_t at = 0; at < json.size(); ++at) {
    char c = json[at];
    if (isInString && c == '\\')
      ++at;
    else if (c == '"')
      isInString = !isInString;
    else if (!isInString && (c == '{' || c == '['))
      if (++depth > kMaxDepth)
        return at;
    if (!isInString && (c == '}' || c == ']'))
      --depth;
  }
  return std::nullopt;
}

Expected<TensorHeader> embedding::tools::parseSafetensors(StringRef file,
                                                          StringRef name) {
  // Bytes of the header, header, data. Offsets count from the data's start.
  constexpr size_t kLengthBytes = 8;
  if (file.size() < kLengthBytes)
    return createError("header length: the file ends at byte {0}", file.size());
  uint64_t length = llvm::support::endian::read64le(file.data());
  if (length > file.size() - kLengthBytes)
    return createError(
        "header length: {0} at byte 0 goes beyond the file's {1} bytes", length,
        file.size());
  StringRef text = file.substr(kLengthBytes, length);
  if (std::optional<size_t> at = findDeepNesting(text))
    return createError("header: brackets nest too deep at byte {0}",
                       kLengthBytes + *at);
  Expected<llvm::json::Value> json = llvm::json::parse(text);
  if (!json)
    return createError("header: from byte {0} on: {1}", kLengthBytes,
                       llvm::toString(json.takeError()));
  const llvm::json::Object *tensors = json->getAsObject();
  if (!tensors)
    return createError("header: expected an object at byte {0}", kLengthBytes);
  const llvm::json::Object *entry = tensors->getObject(name);
  if (!entry) {
    llvm::SmallVector<StringRef> names;
    for (const auto &tensor : *tensors)
      if (StringRef(tensor.first) != "__metadata__")
        names.push_back(tensor.first);
    llvm::sort(names);
    if (names.size() > 8) {
      names.truncate(8);
      names.push_back("...");
    }
    return createError("{0}: no tensor of this name; there are: {1}", name,
                       llvm::join(names, ", "));
  }

  TensorHeader header;
  std::optional<StringRef> dtype = entry->getString("dtype");
  if (!dtype)
    return createError("{0}: expected dtype to be a string", name);
  std::tie(header.elementType, header.elementBytes) =
      llvm::StringSwitch<std::pair<std::string, int64_t>>(*dtype)
          .Case("F64", {"f64", 8})
          .Case("F32", {"f32", 4})
          .Case("F16", {"f16", 2})
          .Case("BF16", {"bf16", 2})
          .Case("F8_E4M3", {"f8E4M3FN", 1})
          .Case("F8_E5M2", {"f8E5M2", 1})
          .Cases({"I64", "U64"}, {"i64", 8})
          .Cases({"I32", "U32"}, {"i32", 4})
          .Cases({"I16", "U16"}, {"i16", 2})
          .Cases({"I8", "U8"}, {"i8", 1})
          .Case("BOOL", {"i1", 1})
          .Case("C64", {"complex<f32>", 8})
          .Default({"", 0});
  if (header.elementBytes == 0)
    return createError("{0}: dtype '{1}' is not supported", name, *dtype);

  const llvm::json::Array *shape = entry->getArray("shape");
  if (!shape)
    return createError("{0}: expected shape to be an array", name);
  for (const llvm::json::Value &value : *shape) {
    std::optional<int64_t> size = value.getAsInteger();
    if (!size || *size < 0)
      return createError("{0}: expected shape to hold sizes", name);
    header.shape.push_back(*size);
  }
  const llvm::json::Array *offsets = entry->getArray("data_offsets");
  if (!offsets || offsets->size() != 2 || !(*offsets)[0].getAsUINT64() ||
      !(*offsets)[1].getAsUINT64())
    return createError("{0}: expected data_offsets to be two offsets", name);
  uint64_t begin = *(*offsets)[0].getAsUINT64();
  uint64_t end = *(*offsets)[1].getAsUINT64();
  uint64_t dataBegin = kLengthBytes + length;
  if (begin > end || end > file.size() - dataBegin)
    return createError(
        "{0}: data_offsets [{1}, {2}] go beyond the data, {3} bytes "
        "from byte {4} on",
        name, begin, end, file.size() - dataBegin, dataBegin);
  std::optional<uint64_t> bytes = countBytes(header.shape, header.elementBytes);
  if (!bytes || *bytes != end - begin)
    return createError(
        "{0}: data_offsets [{1}, {2}] hold {3} bytes, but shape and "
        "dtype make {4}",
        name, begin, end, end - begin,
        bytes ? std::to_string(*bytes) : "more than 2^63");
  header.dataOffset = dataBegin + begin;
  header.dataBytes = *bytes;
  return header;
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

Expected<MappedFile> MappedFile::open(const std::string &path) {
  // An open of a FIFO waits for who writes to it, unless it is told not to.
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return createError("{0}", std::strerror(errno));
  struct stat info;
  void *data = nullptr;
  int error = fstat(fd, &info) == 0 ? 0 : errno;
  if (!error && !S_ISREG(info.st_mode)) {
    close(fd);
    return createError("expected a regular file");
  }
  if (!error && info.st_size > 0) {
    data = mmap(nullptr, info.st_size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_NORESERVE, fd, 0);
    if (data == MAP_FAILED)
      error = errno;
  }
  close(fd);
  if (error)
    return createError("{0}", std::strerror(error));
  return MappedFile(static_cast<char *>(data), info.st_size);
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : data(std::exchange(other.data, nullptr)), size(other.size) {}

MappedFile::~MappedFile() {
  if (data)
    munmap(data, size);
}
