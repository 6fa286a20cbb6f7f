//===- ModuleCode.cpp - The code of a module ------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/ModuleCode.h"

#include "Support/Bytes.h"
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

std::string ModuleCode::write() const {
  ByteWriter writer;
  writer.pass(functions.size());
  for (const Function &function : functions) {
    writer.pass(function.fields);
    writer.pass(function.names);
    writer.pass(function.entry);
    writer.pass(function.rowArguments);
  }
  writer.pass(object.size());
  return object + writer.take();
}

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
  ByteReader reader(front.substr(objectBytes));
  uint64_t numFunctions = 0;
  reader.pass(numFunctions);
  for (uint64_t i = 0; i < numFunctions && reader.isWhole(); ++i) {
    Function &function = code.functions.emplace_back();
    reader.pass(function.fields);
    reader.pass(function.names);
    reader.pass(function.entry);
    reader.pass(function.rowArguments);
    if (!isSignature(function.fields, function.names))
      return std::nullopt;
  }
  if (!reader.isDone())
    return std::nullopt;
  return code;
}
