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

ModuleCode ModuleCode::read(std::string_view rest) {
  auto takeNumber = [&] {
    uint64_t number = 0;
    std::memcpy(&number, rest.data(), sizeof(number));
    rest.remove_prefix(sizeof(number));
    return number;
  };
  auto takeText = [&] {
    uint64_t size = takeNumber();
    std::string_view text = rest.substr(0, size);
    rest.remove_prefix(size);
    return text;
  };
  ModuleCode code;
  code.functions.resize(takeNumber());
  for (Function &function : code.functions) {
    std::string_view fields = takeText();
    function.fields.resize(fields.size() / sizeof(int64_t));
    std::memcpy(function.fields.data(), fields.data(), fields.size());
    function.names = takeText();
    function.entry = takeText();
  }
  code.object = takeText();
  return code;
}
