//===- ModuleCode.cpp - The code of a module ------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/ModuleCode.h"

#include "embedding/ABI/Signature.h"

#include <algorithm>
#include <cstring>

using namespace embedding::runtime;
namespace signature = mlir::embedding::signature;

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

namespace {

/// Walks the fields of what may be a signature.
class SignatureWalk {
public:
  explicit SignatureWalk(const std::vector<int64_t> &fields) : fields(fields) {}

  /// The names that a signature like this has; nothing if it is none.
  std::optional<int64_t> countNames() {
    int64_t x86Level = next();
    if (x86Level < 0 || x86Level > 4)
      return std::nullopt;
    for (int64_t chips = nextCount(); chips > 0; --chips)
      next();
    int64_t numOperands = nextCount() + nextCount();
    for (int64_t i = 0; i < numOperands && !isShort; ++i)
      walkOperand();
    if (isShort || at != fields.size())
      return std::nullopt;
    return 1 + numOperands;
  }

private:
  int64_t next() {
    isShort |= at >= fields.size();
    return isShort ? 0 : fields[at++];
  }
  /// Of what takes a field each, at least.
  int64_t nextCount() {
    int64_t count = next();
    isShort |= count < 0 || count > static_cast<int64_t>(fields.size());
    return isShort ? 0 : count;
  }
  void walkOperand() {
    int64_t rank = next(), code = next(), bits = next();
    isShort |= rank < signature::kScalar || rank > signature::kMaxRank ||
               code < signature::kAnyInteger || code > UINT8_MAX || bits <= 0 ||
               bits > UINT8_MAX || bits % 8 != 0;
    if (rank == signature::kScalar || isShort)
      return;
    next();
    for (int64_t dim = 0; dim < rank; ++dim) {
      int64_t size = next();
      isShort |= size < 0 && size != signature::kAny;
    }
    for (int64_t dim = 0; dim < rank; ++dim)
      next();
  }

  const std::vector<int64_t> &fields;
  size_t at = 0;
  bool isShort = false;
};

} // namespace

/// Whether `fields` and `names` are those of a signature, whole.
static bool isSignature(const std::vector<int64_t> &fields,
                        std::string_view names) {
  std::optional<int64_t> numNames = SignatureWalk(fields).countNames();
  return numNames && (names.empty() || names.back() == '\0') &&
         std::count(names.begin(), names.end(), '\0') == *numNames;
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

static void append(std::string &to, uint64_t number) {
  to.append(reinterpret_cast<const char *>(&number), sizeof(number));
}

static void append(std::string &to, std::string_view text) {
  append(to, text.size());
  to.append(text);
}

static void append(std::string &to, const std::vector<int64_t> &numbers) {
  append(to, {reinterpret_cast<const char *>(numbers.data()),
              numbers.size() * sizeof(int64_t)});
}

std::string ModuleCode::write() const {
  std::string bytes = object;
  append(bytes, functions.size());
  for (const Function &function : functions) {
    append(bytes, function.fields);
    append(bytes, function.names);
    append(bytes, function.entry);
    append(bytes, function.rowArguments);
  }
  append(bytes, object.size());
  return bytes;
}

namespace {

/// Takes what `append` has written from the front of `rest`.
struct Reader {
  std::string_view rest;
  bool isDamaged = false;

  uint64_t takeNumber() {
    uint64_t number = 0;
    if (rest.size() < sizeof(number)) {
      isDamaged = true;
      return 0;
    }
    std::memcpy(&number, rest.data(), sizeof(number));
    rest.remove_prefix(sizeof(number));
    return number;
  }

  std::string_view takeText() {
    uint64_t size = takeNumber();
    if (size > rest.size()) {
      isDamaged = true;
      return {};
    }
    std::string_view text = rest.substr(0, size);
    rest.remove_prefix(size);
    return text;
  }

  std::vector<int64_t> takeNumbers() {
    std::string_view bytes = takeText();
    std::vector<int64_t> numbers(bytes.size() / sizeof(int64_t));
    if (!numbers.empty())
      std::memcpy(numbers.data(), bytes.data(),
                  numbers.size() * sizeof(int64_t));
    return numbers;
  }
};

} // namespace

std::optional<ModuleCode> ModuleCode::read(std::string_view bytes) {
  uint64_t objectBytes = 0;
  if (bytes.size() < sizeof(objectBytes))
    return std::nullopt;
  std::string_view front = bytes.substr(0, bytes.size() - sizeof(objectBytes));
  std::memcpy(&objectBytes, front.end(), sizeof(objectBytes));
  if (objectBytes > front.size())
    return std::nullopt;
  ModuleCode code;
  code.object = front.substr(0, objectBytes);
  Reader reader{front.substr(objectBytes)};
  uint64_t numFunctions = reader.takeNumber();
  for (uint64_t i = 0; i < numFunctions && !reader.isDamaged; ++i) {
    Function &function = code.functions.emplace_back();
    function.fields = reader.takeNumbers();
    function.names = reader.takeText();
    function.entry = reader.takeText();
    function.rowArguments = reader.takeNumbers();
    reader.isDamaged |= !isSignature(function.fields, function.names);
  }
  if (reader.isDamaged || !reader.rest.empty())
    return std::nullopt;
  return code;
}
