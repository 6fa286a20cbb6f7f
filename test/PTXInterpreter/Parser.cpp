//===- Parser.cpp - PTX as an interpreter wants it ------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PTX.h"

#include <cctype>
#include <cstdlib>
#include <optional>
#include <stdexcept>

using namespace embedding::ptx;

namespace {

class Parser {
public:
  explicit Parser(const std::string &text) : text(text) {}

  Module run() {
    while (true) {
      skipSpace();
      if (at >= text.size())
        return std::move(module);
      std::string word = takeWord();
      if (word == ".version" || word == ".address_size") {
        takeWord();
      } else if (word == ".target") {
        takeWord();
        while (accept(','))
          takeWord();
      } else if (word == ".shared") {
        parseVariable(moduleShared, moduleSharedBytes);
      } else if (word == ".visible" || word == ".weak") {
        continue;
      } else if (word == ".entry") {
        parseKernel();
      } else {
        fail("unknown directive '" + word + "'");
      }
    }
  }

private:
  [[noreturn]] void fail(const std::string &message) {
    throw std::runtime_error("PTX line " + std::to_string(line) + ": " +
                             message);
  }

  //===--------------------------------------------------------------------===//
  // Tokens
  //===--------------------------------------------------------------------===//

  void skipSpace() {
    while (at < text.size()) {
      if (text[at] == '\n') {
        ++line;
        ++at;
      } else if (std::isspace(static_cast<unsigned char>(text[at])) ||
                 text[at] == '\0') {
        ++at;
      } else if (text.compare(at, 2, "//") == 0) {
        while (at < text.size() && text[at] != '\n')
          ++at;
      } else {
        return;
      }
    }
  }
  bool accept(char c) {
    skipSpace();
    if (at >= text.size() || text[at] != c)
      return false;
    ++at;
    return true;
  }
  void expect(char c) {
    if (!accept(c))
      fail(std::string("expected '") + c + "'");
  }
  char peek() {
    skipSpace();
    return at < text.size() ? text[at] : '\0';
  }
  /// A name, number or mnemonic.
  std::string takeWord() {
    skipSpace();
    size_t begin = at;
    while (at < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[at])) ||
            text[at] == '_' || text[at] == '$' || text[at] == '%' ||
            text[at] == '.' || text[at] == ':' ||
            (text[at] == '-' && at == begin))) {
      // A label ends at its colon.
      if (text[at] == ':' && text.compare(at, 2, "::") != 0)
        break;
      at += text[at] == ':' ? 2 : 1;
    }
    if (begin == at)
      fail(std::string("unexpected '") + peek() + "'");
    return text.substr(begin, at - begin);
  }
  uint64_t takeNumber() {
    std::string word = takeWord();
    char *end = nullptr;
    uint64_t value =
        word[0] == '-'
            ? static_cast<uint64_t>(std::strtoll(word.c_str(), &end, 0))
            : std::strtoull(word.c_str(), &end, 0);
    if (*end != '\0')
      fail("expected a number, but got '" + word + "'");
    return value;
  }

  //===--------------------------------------------------------------------===//
  // Declarations
  //===--------------------------------------------------------------------===//

  /// `.align 4 .b8 name[1024];`
  void parseVariable(std::map<std::string, uint32_t> &names, uint32_t &bytes) {
    uint32_t align = 1, elementBytes = 1, count = 1;
    std::string word = takeWord();
    while (word[0] == '.') {
      if (word == ".align")
        align = static_cast<uint32_t>(takeNumber());
      else
        elementBytes = parseType(word.substr(1)).value_or(Type()).bytes();
      word = takeWord();
    }
    if (accept('[')) {
      count = static_cast<uint32_t>(takeNumber());
      expect(']');
    }
    expect(';');
    bytes = (bytes + align - 1) / align * align;
    names[word] = bytes;
    bytes += elementBytes * count;
  }

  static std::optional<Type> parseType(const std::string &name) {
    static const std::map<std::string, Type> kTypes = {
        {"b8", {Type::bits, 8, false}},
        {"b16", {Type::bits, 16, false}},
        {"b32", {Type::bits, 32, false}},
        {"b64", {Type::bits, 64, false}},
        {"u8", {Type::unsignedInt, 8, false}},
        {"u16", {Type::unsignedInt, 16, false}},
        {"u32", {Type::unsignedInt, 32, false}},
        {"u64", {Type::unsignedInt, 64, false}},
        {"s8", {Type::signedInt, 8, false}},
        {"s16", {Type::signedInt, 16, false}},
        {"s32", {Type::signedInt, 32, false}},
        {"s64", {Type::signedInt, 64, false}},
        {"f16", {Type::floating, 16, false}},
        {"f32", {Type::floating, 32, false}},
        {"f64", {Type::floating, 64, false}},
        {"bf16", {Type::brain, 16, false}},
        {"f16x2", {Type::floating, 16, true}},
        {"bf16x2", {Type::brain, 16, true}},
        {"pred", {Type::pred, 1, false}}};
    auto found = kTypes.find(name);
    if (found == kTypes.end())
      return std::nullopt;
    return found->second;
  }

  void parseKernel() {
    Kernel parsed;
    kernel = &parsed;
    registers.clear();
    labels.clear();
    uses.clear();
    shared = moduleShared;
    parsed.sharedBytes = moduleSharedBytes;
    parsed.name = takeWord();
    parseParameters();
    while (peek() == '.') {
      std::string word = takeWord();
      if (word != ".maxntid" && word != ".reqntid" && word != ".minnctapersm")
        fail("unknown directive '" + word + "'");
      uint64_t threads = 1;
      do
        threads *= takeNumber();
      while (accept(','));
      if (word != ".minnctapersm")
        parsed.maxThreads = static_cast<uint32_t>(threads);
    }
    expect('{');
    while (!accept('}'))
      parseStatement();
    for (auto &[operand, name] : uses) {
      auto found = labels.find(name);
      if (found == labels.end())
        fail("no label '" + name + "'");
      Instruction &instruction = parsed.instructions[operand.first];
      instruction.operands[operand.second].value = found->second;
    }
    parsed.registerCount = static_cast<uint32_t>(registers.size());
    module.kernels[parsed.name] = std::move(parsed);
  }

  void parseParameters() {
    expect('(');
    uint32_t offset = 0;
    while (!accept(')')) {
      if (takeWord() != ".param")
        fail("expected .param");
      uint32_t bytes = 0;
      std::string word = takeWord();
      while (word[0] == '.') {
        if (auto type = parseType(word.substr(1)))
          bytes = type->bytes();
        else if (word == ".align")
          takeNumber();
        else if (word != ".ptr" && word != ".global")
          fail("unknown attribute '" + word + "' of a parameter");
        word = takeWord();
      }
      if (bytes == 0)
        fail("parameter '" + word + "' has no size");
      offset = (offset + bytes - 1) / bytes * bytes;
      kernel->parameters.push_back({word, offset, bytes});
      offset += bytes;
      accept(',');
    }
  }

  //===--------------------------------------------------------------------===//
  // Statements
  //===--------------------------------------------------------------------===//

  void parseStatement() {
    if (accept('{')) {
      // A scope, as inline assembly has them.
      while (!accept('}'))
        parseStatement();
      return;
    }
    Instruction instruction;
    if (accept('@')) {
      instruction.isGuardNegated = accept('!');
      instruction.guard = static_cast<int32_t>(getRegister(takeWord()));
    }
    std::string word = takeWord();
    if (word == ".reg" || word == ".loc" || word == ".pragma")
      return skipDirective();
    if (word == ".shared")
      return parseVariable(shared, kernel->sharedBytes);
    if (accept(':')) {
      labels[word] = static_cast<uint32_t>(kernel->instructions.size());
      return;
    }
    if (word[0] == '.')
      fail("unknown directive '" + word + "'");
    instruction.line = line;
    splitMnemonic(word, instruction);
    auto number = static_cast<uint32_t>(kernel->instructions.size());
    kernel->instructions.push_back(std::move(instruction));
    if (accept(';'))
      return;
    do {
      Operand operand = parseOperand(number);
      kernel->instructions[number].operands.push_back(std::move(operand));
      // `d|p` of a shuffle.
    } while (accept(',') || accept('|'));
    expect(';');
  }

  void skipDirective() {
    while (at < text.size() && text[at] != ';' && text[at] != '\n')
      ++at;
    accept(';');
  }

  static void splitMnemonic(const std::string &word, Instruction &instruction) {
    size_t begin = 0;
    bool isFirst = true;
    while (begin <= word.size()) {
      size_t end = word.find('.', begin);
      std::string part = word.substr(begin, end - begin);
      if (isFirst) {
        instruction.opcode = part;
      } else {
        instruction.modifiers.push_back(part);
        if (auto type = parseType(part)) {
          instruction.secondType = instruction.type;
          instruction.type = *type;
        }
      }
      isFirst = false;
      if (end == std::string::npos)
        return;
      begin = end + 1;
    }
  }

  uint32_t getRegister(const std::string &name) {
    return registers.emplace(name, static_cast<uint32_t>(registers.size()))
        .first->second;
  }

  Operand parseOperand(uint32_t instruction) {
    Operand operand;
    if (accept('{')) {
      operand.kind = Operand::vector;
      do
        operand.elements.push_back(parseOperand(instruction));
      while (accept(','));
      expect('}');
      return operand;
    }
    if (accept('[')) {
      operand = parseAddress();
      expect(']');
      return operand;
    }
    operand.isNegated = accept('!');
    std::string word = takeWord();
    if (word == "_") {
      operand.kind = Operand::discard;
      return operand;
    }
    if (word[0] == '%')
      return parseRegister(word, operand.isNegated);
    if (word[0] == '-' || std::isdigit(static_cast<unsigned char>(word[0])))
      return parseImmediate(word);
    auto variable = shared.find(word);
    if (variable != shared.end()) {
      operand.kind = Operand::immediate;
      operand.value = variable->second;
      return operand;
    }
    operand.kind = Operand::label;
    auto position = static_cast<uint32_t>(
        kernel->instructions[instruction].operands.size());
    uses.push_back({{instruction, position}, word});
    return operand;
  }

  Operand parseAddress() {
    Operand operand;
    operand.kind = Operand::address;
    std::string word = takeWord();
    if (word[0] == '%') {
      operand.hasBase = true;
      operand.base = getRegister(word);
    } else if (std::isdigit(static_cast<unsigned char>(word[0]))) {
      operand.value = std::strtoull(word.c_str(), nullptr, 0);
    } else {
      auto variable = shared.find(word);
      if (variable != shared.end())
        operand.value = variable->second;
      else
        operand.parameter = findParameter(word);
    }
    if (accept('+'))
      operand.value += takeNumber();
    else if (peek() == '-')
      operand.value += takeNumber();
    return operand;
  }

  int32_t findParameter(const std::string &name) {
    for (size_t i = 0; i < kernel->parameters.size(); ++i)
      if (kernel->parameters[i].name == name)
        return static_cast<int32_t>(i);
    fail("no parameter or variable '" + name + "'");
  }

  Operand parseRegister(const std::string &word, bool isNegated) {
    static const std::map<std::string, Special> kSpecials = {
        {"%tid.x", Special::tidX},
        {"%tid.y", Special::tidY},
        {"%tid.z", Special::tidZ},
        {"%ntid.x", Special::ntidX},
        {"%ctaid.x", Special::ctaidX},
        {"%ctaid.y", Special::ctaidY},
        {"%ctaid.z", Special::ctaidZ},
        {"%nctaid.x", Special::nctaidX},
        {"%laneid", Special::laneid},
        {"%lanemask_lt", Special::lanemaskLt},
        {"%lanemask_le", Special::lanemaskLe},
        {"%lanemask_eq", Special::lanemaskEq}};
    Operand operand;
    operand.isNegated = isNegated;
    auto special = kSpecials.find(word);
    if (special != kSpecials.end()) {
      operand.kind = Operand::special;
      operand.value = static_cast<uint64_t>(special->second);
      return operand;
    }
    if (word.find('.') != std::string::npos)
      fail("unknown register '" + word + "'");
    operand.kind = Operand::reg;
    operand.value = getRegister(word);
    return operand;
  }

  /// 0f and 0d are floats by their bits; 0x0.. and decimals are integers.
  Operand parseImmediate(const std::string &word) {
    Operand operand;
    operand.kind = Operand::immediate;
    char *end = nullptr;
    if (word.compare(0, 2, "0f") == 0 || word.compare(0, 2, "0d") == 0 ||
        word.compare(0, 2, "0F") == 0 || word.compare(0, 2, "0D") == 0)
      operand.value = std::strtoull(word.c_str() + 2, &end, 16);
    else if (word[0] == '-')
      operand.value =
          static_cast<uint64_t>(std::strtoll(word.c_str(), &end, 0));
    else
      operand.value = std::strtoull(word.c_str(), &end, 0);
    if (*end != '\0' && std::string(end) != "U")
      fail("unknown number '" + word + "'");
    return operand;
  }

  const std::string &text;
  size_t at = 0;
  uint32_t line = 1;
  Module module;
  std::map<std::string, uint32_t> moduleShared;
  uint32_t moduleSharedBytes = 0;

  // Of the kernel that is being parsed.
  Kernel *kernel = nullptr;
  std::map<std::string, uint32_t> shared;
  std::map<std::string, uint32_t> registers;
  std::map<std::string, uint32_t> labels;
  std::vector<std::pair<std::pair<uint32_t, uint32_t>, std::string>> uses;
};

} // namespace

Module embedding::ptx::parse(const std::string &text) {
  return Parser(text).run();
}
