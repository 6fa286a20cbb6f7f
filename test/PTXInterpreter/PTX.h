//===- PTX.h - PTX as an interpreter wants it -------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The text that LLVM writes for kernels, parsed. What is not known here is an
// error that names the line: an interpreter that guesses proves nothing.
//
// Reference: NVIDIA, "Parallel Thread Execution ISA", version 8.8.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_TEST_PTXINTERPRETER_PTX_H
#define EMBEDDING_TEST_PTXINTERPRETER_PTX_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace embedding::ptx {

/// The type at the end of a mnemonic: a kind and a width in bits.
struct Type {
  enum Kind : uint8_t { bits, unsignedInt, signedInt, floating, brain, pred };
  Kind kind = bits;
  /// 8 to 64; 1 for a predicate.
  uint8_t width = 0;
  /// Whether it is a pair of them, such as f16x2.
  bool isPacked = false;

  bool isFloat() const { return kind == floating || kind == brain; }
  bool isSigned() const { return kind == signedInt; }
  unsigned bytes() const { return width / 8; }
};

struct Operand {
  enum Kind : uint8_t {
    none,
    reg,       // value: the number of the register
    immediate, // value: its bits
    special,   // value: a Special
    address,   // base + value, or a symbol's address + value
    vector,    // elements
    label,     // value: the number of an instruction
    discard    // `_`
  };
  Kind kind = none;
  /// Of an address: whether `base` is a register, or nothing.
  bool hasBase = false;
  bool isNegated = false;
  uint32_t base = 0;
  uint64_t value = 0;
  /// Of an address: the parameter that it names, or -1.
  int32_t parameter = -1;
  std::vector<Operand> elements;
};

enum class Special : uint8_t {
  tidX,
  tidY,
  tidZ,
  ntidX,
  ctaidX,
  ctaidY,
  ctaidZ,
  nctaidX,
  laneid,
  lanemaskLt,
  lanemaskLe,
  lanemaskEq
};

/// Opcodes and modifiers that the interpreter asks for while it runs, as
/// numbers below 64: those of strings would be most of its time. Keywords have
/// other names here.
enum class Word : uint8_t {
  unknown,
  param,
  shared,
  nc,
  warp,
  add,
  sub,
  mul,
  div,
  rem,
  min,
  max,
  bitAnd,
  bitOr,
  bitXor,
  bitNot,
  neg,
  abs,
  clz,
  popc,
  sqrt,
  rcp,
  shl,
  shr,
  atom,
  cas,
  exch,
  wide,
  hi,
  rn,
  propagatesNaN,
  any,
  ballot,
  bfly,
  up,
  down,
  idx,
  num,
  nan,
  eq,
  ne,
  lt,
  le,
  gt,
  ge,
  equ,
  neu,
  ltu,
  leu,
  gtu,
  geu,
};

struct Instruction {
  /// The mnemonic without its modifiers, and those.
  std::string opcode;
  std::vector<std::string> modifiers;
  /// The last type of the modifiers, and the one before it.
  Type type, secondType;
  std::vector<Operand> operands;
  /// The register of a predicate in front, or -1.
  int32_t guard = -1;
  bool isGuardNegated = false;
  uint32_t line = 0;
  /// What the interpreter made of the opcode; the opcode, the first modifier,
  /// and the set of all modifiers as words.
  uint16_t decoded = 0;
  Word word = Word::unknown, firstModifier = Word::unknown;
  uint64_t modifierSet = 0;

  bool has(Word modifier) const {
    return modifierSet >> static_cast<unsigned>(modifier) & 1;
  }
};

struct Parameter {
  std::string name;
  uint32_t offset, bytes;
};

struct Kernel {
  std::string name;
  std::vector<Parameter> parameters;
  std::vector<Instruction> instructions;
  uint32_t registerCount = 0;
  uint32_t sharedBytes = 0;
  uint32_t maxThreads = 0;
};

struct Module {
  std::map<std::string, Kernel> kernels;
};

/// Parses `text`; throws std::runtime_error with a line if it cannot.
Module parse(const std::string &text);

} // namespace embedding::ptx

#endif // EMBEDDING_TEST_PTXINTERPRETER_PTX_H
