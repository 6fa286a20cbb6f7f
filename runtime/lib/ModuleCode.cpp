//===- ModuleCode.cpp - The code of a module ------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModuleCode.h"

#include <cstring>

using namespace embedding::runtime;

static void append(std::string &to, uint64_t number) {
  to.append(reinterpret_cast<const char *>(&number), sizeof(number));
}

static void append(std::string &to, std::string_view text) {
  append(to, text.size());
  to.append(text);
}

std::string ModuleCode::write() const {
  std::string bytes;
  append(bytes, functions.size());
  for (const Function &function : functions) {
    append(bytes, {reinterpret_cast<const char *>(function.fields.data()),
                   function.fields.size() * sizeof(int64_t)});
    append(bytes, function.names);
    append(bytes, function.entry);
  }
  append(bytes, object);
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
};

} // namespace

std::optional<ModuleCode> ModuleCode::read(std::string_view bytes) {
  Reader reader{bytes};
  ModuleCode code;
  uint64_t numFunctions = reader.takeNumber();
  for (uint64_t i = 0; i < numFunctions && !reader.isDamaged; ++i) {
    Function &function = code.functions.emplace_back();
    std::string_view fields = reader.takeText();
    function.fields.resize(fields.size() / sizeof(int64_t));
    if (!function.fields.empty())
      std::memcpy(function.fields.data(), fields.data(),
                  function.fields.size() * sizeof(int64_t));
    function.names = reader.takeText();
    function.entry = reader.takeText();
  }
  code.object = reader.takeText();
  if (reader.isDamaged || !reader.rest.empty())
    return std::nullopt;
  return code;
}
