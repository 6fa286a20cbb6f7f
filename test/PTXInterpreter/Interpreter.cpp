//===- Interpreter.cpp - Runs kernels without a GPU -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <list>
#include <numeric>
#include <random>
#include <stdexcept>

using namespace embedding::ptx;

static constexpr uint32_t kWarpThreads = 32;

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

template <typename To, typename From> static To bitCast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

static uint64_t truncate(uint64_t value, unsigned width) {
  return width >= 64 ? value : value & ((uint64_t(1) << width) - 1);
}
static int64_t signExtend(uint64_t value, unsigned width) {
  unsigned unused = 64 - width;
  return static_cast<int64_t>(value << unused) >> unused;
}
/// An integer of `type` in 64 bits.
static uint64_t extend(uint64_t value, Type type) {
  return type.isSigned() ? static_cast<uint64_t>(signExtend(value, type.width))
                         : truncate(value, type.width);
}

static double toDouble(uint64_t bits, Type type) {
  if (type.width == 64)
    return bitCast<double>(bits);
  if (type.width == 32)
    return bitCast<float>(static_cast<uint32_t>(bits));
  if (type.kind == Type::brain)
    return bitCast<float>(static_cast<uint32_t>(bits) << 16);
  return static_cast<double>(bitCast<_Float16>(static_cast<uint16_t>(bits)));
}

static uint64_t roundToBrain(double value) {
  // To odd on the way, so that it rounds once.
  auto nearest = static_cast<float>(value);
  auto bits = bitCast<uint32_t>(nearest);
  if (std::isnan(value))
    return 0x7fff;
  if (static_cast<double>(nearest) != value) {
    if (std::fabs(static_cast<double>(nearest)) > std::fabs(value))
      --bits;
    bits |= 1;
  }
  bits += 0x7fff + ((bits >> 16) & 1);
  return bits >> 16;
}

/// Rounds to the nearest, ties to even.
static uint64_t fromDouble(double value, Type type) {
  if (type.width == 64)
    return bitCast<uint64_t>(value);
  if (type.width == 32)
    return bitCast<uint32_t>(static_cast<float>(value));
  if (type.kind == Type::brain)
    return roundToBrain(value);
  return bitCast<uint16_t>(static_cast<_Float16>(value));
}

//===----------------------------------------------------------------------===//
// Opcodes
//===----------------------------------------------------------------------===//

namespace {

enum Opcode : uint16_t {
  kUnknown,
  kLoad,
  kStore,
  kMove,
  kAddressCast,
  kConvert,
  kArithmetic, // Of two operands.
  kUnary,
  kMultiply,
  kMultiplyAdd,
  kShift,
  kSetPredicate,
  kSelect,
  kBranch,
  kReturn,
  kAtomic,
  kFence,
  // Those that wait for other threads.
  kBarrier,
  kWarpBarrier,
  kShuffle,
  kMatch,
  kVote
};

} // namespace

static Opcode getOpcode(const Instruction &instruction) {
  static const std::map<std::string, Opcode> kOpcodes = {
      {"ld", kLoad},          {"st", kStore},        {"mov", kMove},
      {"cvta", kAddressCast}, {"cvt", kConvert},     {"add", kArithmetic},
      {"sub", kArithmetic},   {"div", kArithmetic},  {"rem", kArithmetic},
      {"min", kArithmetic},   {"max", kArithmetic},  {"and", kArithmetic},
      {"or", kArithmetic},    {"xor", kArithmetic},  {"neg", kUnary},
      {"abs", kUnary},        {"not", kUnary},       {"clz", kUnary},
      {"popc", kUnary},       {"sqrt", kUnary},      {"rcp", kUnary},
      {"mul", kMultiply},     {"mad", kMultiplyAdd}, {"fma", kMultiplyAdd},
      {"shl", kShift},        {"shr", kShift},       {"setp", kSetPredicate},
      {"selp", kSelect},      {"bra", kBranch},      {"ret", kReturn},
      {"exit", kReturn},      {"atom", kAtomic},     {"red", kAtomic},
      {"fence", kFence},      {"membar", kFence},    {"bar", kBarrier},
      {"barrier", kBarrier},  {"shfl", kShuffle},    {"match", kMatch},
      {"vote", kVote}};
  auto found = kOpcodes.find(instruction.opcode);
  if (found == kOpcodes.end())
    return kUnknown;
  if (found->second == kBarrier && instruction.has(Word::warp))
    return kWarpBarrier;
  return found->second;
}

static Word getWord(const std::string &text) {
  static const std::map<std::string, Word> kWords = {
      {"param", Word::param}, {"shared", Word::shared},
      {"nc", Word::nc},       {"warp", Word::warp},
      {"add", Word::add},     {"sub", Word::sub},
      {"mul", Word::mul},     {"div", Word::div},
      {"rem", Word::rem},     {"min", Word::min},
      {"max", Word::max},     {"and", Word::bitAnd},
      {"or", Word::bitOr},    {"xor", Word::bitXor},
      {"not", Word::bitNot},  {"neg", Word::neg},
      {"abs", Word::abs},     {"clz", Word::clz},
      {"popc", Word::popc},   {"sqrt", Word::sqrt},
      {"rcp", Word::rcp},     {"shl", Word::shl},
      {"shr", Word::shr},     {"atom", Word::atom},
      {"cas", Word::cas},     {"exch", Word::exch},
      {"wide", Word::wide},   {"hi", Word::hi},
      {"rn", Word::rn},       {"NaN", Word::propagatesNaN},
      {"any", Word::any},     {"ballot", Word::ballot},
      {"bfly", Word::bfly},   {"up", Word::up},
      {"down", Word::down},   {"idx", Word::idx},
      {"num", Word::num},     {"nan", Word::nan},
      {"eq", Word::eq},       {"ne", Word::ne},
      {"lt", Word::lt},       {"le", Word::le},
      {"gt", Word::gt},       {"ge", Word::ge},
      {"equ", Word::equ},     {"neu", Word::neu},
      {"ltu", Word::ltu},     {"leu", Word::leu},
      {"gtu", Word::gtu},     {"geu", Word::geu}};
  auto found = kWords.find(text);
  return found == kWords.end() ? Word::unknown : found->second;
}

static std::string describe(const Instruction &instruction) {
  std::string text =
      "line " + std::to_string(instruction.line) + ": " + instruction.opcode;
  for (const std::string &modifier : instruction.modifiers)
    text += "." + modifier;
  return text;
}

void embedding::ptx::decode(Kernel &kernel) {
  for (Instruction &instruction : kernel.instructions) {
    instruction.word = getWord(instruction.opcode);
    for (const std::string &modifier : instruction.modifiers)
      instruction.modifierSet |= uint64_t(1)
                                 << static_cast<unsigned>(getWord(modifier));
    if (!instruction.modifiers.empty())
      instruction.firstModifier = getWord(instruction.modifiers[0]);
    instruction.decoded = getOpcode(instruction);
    if (instruction.decoded == kUnknown)
      throw std::runtime_error("PTX " + describe(instruction) +
                               " is not known to the interpreter");
  }
}

//===----------------------------------------------------------------------===//
// A block
//===----------------------------------------------------------------------===//

namespace {

struct Thread {
  enum State { runnable, waiting, done };
  std::vector<uint64_t> registers;
  uint32_t pc = 0;
  uint32_t tid = 0;
  State state = runnable;
};

class Block {
public:
  Block(const Launch &launch, Memory &memory, uint32_t blockX,
        const std::vector<uint32_t> &order)
      : launch(launch), kernel(*launch.kernel), memory(memory), blockX(blockX),
        order(order), shared(kernel.sharedBytes, '\xcd'),
        isSharedWritten(kernel.sharedBytes), speeds(launch.number + blockX) {
    threads.resize(launch.blockX);
    for (uint32_t tid = 0; tid < launch.blockX; ++tid) {
      threads[tid].tid = tid;
      threads[tid].registers.resize(kernel.registerCount);
    }
  }

  /// Lets each thread run once, or those of some warps; returns false if all
  /// are done.
  bool runThreads() {
    bool hasRun = false;
    bool isInterleaved = launch.order == Order::interleaved;
    // Warps that all went at one speed would do the same at the same time.
    uint32_t asleep = isInterleaved ? static_cast<uint32_t>(speeds()) : 0;
    for (uint32_t tid : order) {
      thread = &threads[tid];
      if (thread->state != Thread::runnable)
        continue;
      hasRun = true;
      if (asleep >> tid / kWarpThreads % 32 & 1)
        continue;
      for (bool hasAccessed = false;
           thread->state == Thread::runnable && !hasAccessed;)
        hasAccessed = step() && isInterleaved;
    }
    bool released = releaseWarps();
    released |= releaseBarrier();
    if (hasRun || released)
      return true;
    for (Thread &each : threads)
      if (each.state != Thread::done) {
        thread = &each;
        fail("waits for threads that never come");
      }
    return false;
  }

private:
  [[noreturn]] void fail(const std::string &message) {
    const Instruction &at = kernel.instructions[thread->pc];
    throw std::runtime_error(kernel.name + ": " + describe(at) + ": block " +
                             std::to_string(blockX) + ", thread " +
                             std::to_string(thread->tid) + ": " + message);
  }

  //===--------------------------------------------------------------------===//
  // Operands
  //===--------------------------------------------------------------------===//

  uint64_t get(const Operand &operand) {
    switch (operand.kind) {
    case Operand::reg: {
      uint64_t value = thread->registers[operand.value];
      return operand.isNegated ? !value : value;
    }
    case Operand::immediate:
      return operand.value;
    case Operand::special:
      return getSpecial(static_cast<Special>(operand.value));
    default:
      fail("unknown operand");
    }
  }

  uint64_t getSpecial(Special special) {
    uint32_t lane = thread->tid % kWarpThreads;
    switch (special) {
    case Special::tidX:
      return thread->tid;
    case Special::ntidX:
      return launch.blockX;
    case Special::ctaidX:
      return blockX;
    case Special::nctaidX:
      return launch.gridX;
    case Special::laneid:
      return lane;
    case Special::lanemaskLt:
      return (uint64_t(1) << lane) - 1;
    case Special::lanemaskLe:
      return (uint64_t(2) << lane) - 1;
    case Special::lanemaskEq:
      return uint64_t(1) << lane;
    case Special::tidY:
    case Special::tidZ:
    case Special::ctaidY:
    case Special::ctaidZ:
      return 0;
    }
    return 0;
  }

  void set(const Operand &operand, uint64_t value) {
    if (operand.kind == Operand::discard)
      return;
    if (operand.kind != Operand::reg)
      fail("expected a register");
    thread->registers[operand.value] = value;
  }

  //===--------------------------------------------------------------------===//
  // Memory
  //===--------------------------------------------------------------------===//

  uint64_t getAddress(const Operand &operand) {
    return (operand.hasBase ? thread->registers[operand.base] : 0) +
           operand.value;
  }

  /// `bytes` at `address` of the space of `instruction`, checked.
  char *access(const Instruction &instruction, uint64_t address, size_t bytes,
               bool reads, bool writes) {
    if (address % bytes != 0)
      fail("address " + std::to_string(address) + " is not a multiple of " +
           std::to_string(bytes));
    if (instruction.has(Word::shared)) {
      if (address > shared.size() || bytes > shared.size() - address)
        fail("outside shared memory, at " + std::to_string(address));
      auto written = isSharedWritten.begin() + static_cast<ptrdiff_t>(address);
      if (reads && !std::all_of(written, written + ptrdiff_t(bytes),
                                [](bool flag) { return flag; }))
        fail("reads shared memory that was not written, at " +
             std::to_string(address));
      if (writes)
        std::fill_n(written, bytes, true);
      return shared.data() + address;
    }
    Bytes found = memory.find(address, bytes);
    if (!found.data)
      fail("outside every allocation, " + std::to_string(bytes) + " bytes at " +
           std::to_string(address));
    if (reads) {
      auto [least, most] =
          std::minmax_element(found.writers, found.writers + bytes);
      if (*least == 0)
        fail("reads memory that was not written");
      if (instruction.has(Word::nc) && *most == launch.number)
        fail("reads as read-only what this kernel writes");
    }
    if (writes)
      std::fill_n(found.writers, bytes, launch.number);
    return found.data;
  }

  static uint64_t read(const char *from, size_t bytes) {
    uint64_t value = 0;
    std::memcpy(&value, from, bytes);
    return value;
  }

  void load(const Instruction &instruction) {
    const Operand &to = instruction.operands[0];
    const Operand &from = instruction.operands[1];
    Type type = instruction.type;
    if (instruction.has(Word::param)) {
      const Parameter &parameter = kernel.parameters[from.parameter];
      set(to, read(static_cast<const char *>(launch.arguments[from.parameter]) +
                       from.value,
                   parameter.bytes));
      return;
    }
    size_t count = to.kind == Operand::vector ? to.elements.size() : 1;
    const char *data = access(instruction, getAddress(from),
                              count * type.bytes(), true, false);
    for (size_t i = 0; i < count; ++i) {
      uint64_t value = read(data + i * type.bytes(), type.bytes());
      set(to.kind == Operand::vector ? to.elements[i] : to,
          type.isSigned() ? extend(value, type) : value);
    }
  }

  void store(const Instruction &instruction) {
    const Operand &from = instruction.operands[1];
    Type type = instruction.type;
    size_t count = from.kind == Operand::vector ? from.elements.size() : 1;
    char *data = access(instruction, getAddress(instruction.operands[0]),
                        count * type.bytes(), false, true);
    for (size_t i = 0; i < count; ++i) {
      uint64_t value =
          get(from.kind == Operand::vector ? from.elements[i] : from);
      std::memcpy(data + i * type.bytes(), &value, type.bytes());
    }
  }

  void atomic(const Instruction &instruction) {
    bool returns = instruction.word == Word::atom;
    const Operand *operands = instruction.operands.data() + returns;
    Type type = instruction.type;
    const Operand &operand = operands[1];
    size_t count =
        operand.kind == Operand::vector ? operand.elements.size() : 1;
    char *data = access(instruction, getAddress(operands[0]),
                        count * type.bytes(), true, true);
    for (size_t i = 0; i < count; ++i) {
      uint64_t before = read(data + i * type.bytes(), type.bytes());
      uint64_t value = get(count == 1 ? operand : operand.elements[i]);
      uint64_t after = value;
      if (instruction.has(Word::cas))
        after = truncate(before, type.width) == truncate(value, type.width)
                    ? get(operands[2])
                    : before;
      else if (!instruction.has(Word::exch))
        after = compute(instruction, getAtomicOperation(instruction), type,
                        before, value);
      std::memcpy(data + i * type.bytes(), &after, type.bytes());
      if (returns)
        set(instruction.operands[0], before);
    }
  }

  static Word getAtomicOperation(const Instruction &instruction) {
    for (Word word : {Word::add, Word::bitAnd, Word::bitOr, Word::bitXor,
                      Word::min, Word::max})
      if (instruction.has(word))
        return word;
    return Word::unknown;
  }

  //===--------------------------------------------------------------------===//
  // Arithmetic
  //===--------------------------------------------------------------------===//

  uint64_t compute(const Instruction &instruction, Word name, Type type,
                   uint64_t a, uint64_t b) {
    if (type.isFloat())
      return computeFloat(instruction, name, type, a, b);
    if (type.kind == Type::pred || type.kind == Type::bits) {
      if (name == Word::bitAnd)
        return a & b;
      if (name == Word::bitOr)
        return a | b;
      if (name == Word::bitXor)
        return a ^ b;
    }
    a = extend(a, type);
    b = extend(b, type);
    auto signedA = static_cast<int64_t>(a), signedB = static_cast<int64_t>(b);
    bool isSigned = type.isSigned();
    uint64_t result = 0;
    if (name == Word::add) {
      result = a + b;
    } else if (name == Word::sub) {
      result = a - b;
    } else if (name == Word::min) {
      result = isSigned ? static_cast<uint64_t>(std::min(signedA, signedB))
                        : std::min(a, b);
    } else if (name == Word::max) {
      result = isSigned ? static_cast<uint64_t>(std::max(signedA, signedB))
                        : std::max(a, b);
    } else if (name == Word::div || name == Word::rem) {
      if (b == 0)
        fail("divides by zero");
      bool isQuotient = name == Word::div;
      if (isSigned)
        result = static_cast<uint64_t>(isQuotient ? signedA / signedB
                                                  : signedA % signedB);
      else
        result = isQuotient ? a / b : a % b;
    } else if (name == Word::bitAnd) {
      result = a & b;
    } else if (name == Word::bitOr) {
      result = a | b;
    } else {
      fail("unknown operation");
    }
    return truncate(result, type.width);
  }

  uint64_t computeFloat(const Instruction &instruction, Word name, Type type,
                        uint64_t a, uint64_t b) {
    if (type.isPacked)
      fail("packed arithmetic is not known to the interpreter");
    double x = toDouble(a, type), y = toDouble(b, type);
    // In double and then rounded, sums, products and quotients of narrower
    // types are right.
    if (name == Word::add)
      return fromDouble(x + y, type);
    if (name == Word::sub)
      return fromDouble(x - y, type);
    if (name == Word::mul)
      return fromDouble(x * y, type);
    if (name == Word::div && instruction.has(Word::rn))
      return fromDouble(x / y, type);
    if (name == Word::min || name == Word::max) {
      if (std::isnan(x) || std::isnan(y)) {
        if (instruction.has(Word::propagatesNaN))
          return fromDouble(std::nan(""), type);
        return std::isnan(x) ? b : a;
      }
      bool takesA = name == Word::min ? x < y || (x == y && std::signbit(x))
                                      : x > y || (x == y && !std::signbit(x));
      return takesA ? a : b;
    }
    fail("unknown operation");
  }

  void unary(const Instruction &instruction) {
    Word name = instruction.word;
    Type type = instruction.type;
    uint64_t value = get(instruction.operands[1]);
    uint64_t result = 0;
    uint64_t sign = uint64_t(1) << (type.width - 1);
    if (name == Word::bitNot) {
      result = type.kind == Type::pred ? !value : truncate(~value, type.width);
    } else if (name == Word::clz) {
      value = truncate(value, type.width);
      result = value ? static_cast<uint64_t>(__builtin_clzll(value)) -
                           (64 - type.width)
                     : type.width;
    } else if (name == Word::popc) {
      result = static_cast<uint64_t>(
          __builtin_popcountll(truncate(value, type.width)));
    } else if (type.isFloat() && name == Word::neg) {
      result = value ^ sign;
    } else if (type.isFloat() && name == Word::abs) {
      result = value & ~sign;
    } else if (name == Word::neg) {
      result = truncate(0 - value, type.width);
    } else if (name == Word::abs) {
      int64_t integer = signExtend(value, type.width);
      result = truncate(static_cast<uint64_t>(std::abs(integer)), type.width);
    } else if (name == Word::sqrt && instruction.has(Word::rn)) {
      result = fromDouble(std::sqrt(toDouble(value, type)), type);
    } else if (name == Word::rcp && instruction.has(Word::rn)) {
      result = fromDouble(1.0 / toDouble(value, type), type);
    } else {
      fail("unknown operation");
    }
    set(instruction.operands[0], result);
  }

  uint64_t multiply(const Instruction &instruction, uint64_t a, uint64_t b) {
    Type type = instruction.type;
    if (type.isFloat())
      return computeFloat(instruction, Word::mul, type, a, b);
    a = extend(a, type);
    b = extend(b, type);
    if (instruction.has(Word::wide))
      return truncate(a * b, 2 * type.width);
    if (!instruction.has(Word::hi))
      return truncate(a * b, type.width);
    auto product = type.isSigned()
                       ? static_cast<unsigned __int128>(
                             static_cast<__int128>(static_cast<int64_t>(a)) *
                             static_cast<int64_t>(b))
                       : static_cast<unsigned __int128>(a) * b;
    return truncate(static_cast<uint64_t>(product >> type.width), type.width);
  }

  void multiplyAdd(const Instruction &instruction) {
    Type type = instruction.type;
    uint64_t a = get(instruction.operands[1]);
    uint64_t b = get(instruction.operands[2]);
    uint64_t c = get(instruction.operands[3]);
    uint64_t result;
    if (type.isFloat()) {
      if (type.width == 64)
        result = fromDouble(
            std::fma(toDouble(a, type), toDouble(b, type), toDouble(c, type)),
            type);
      else
        result = bitCast<uint32_t>(
            std::fma(bitCast<float>(static_cast<uint32_t>(a)),
                     bitCast<float>(static_cast<uint32_t>(b)),
                     bitCast<float>(static_cast<uint32_t>(c))));
    } else {
      unsigned width =
          instruction.has(Word::wide) ? 2 * type.width : type.width;
      result = truncate(multiply(instruction, a, b) + c, width);
    }
    set(instruction.operands[0], result);
  }

  void shift(const Instruction &instruction) {
    Type type = instruction.type;
    uint64_t value = get(instruction.operands[1]);
    uint64_t count = truncate(get(instruction.operands[2]), 32);
    uint64_t result;
    if (instruction.word == Word::shl)
      result = count >= type.width ? 0 : truncate(value << count, type.width);
    else if (type.isSigned())
      result = truncate(
          static_cast<uint64_t>(signExtend(value, type.width) >>
                                std::min<uint64_t>(count, type.width - 1)),
          type.width);
    else
      result = count >= type.width ? 0 : truncate(value, type.width) >> count;
    set(instruction.operands[0], result);
  }

  void setPredicate(const Instruction &instruction) {
    Type type = instruction.type;
    uint64_t a = get(instruction.operands[1]);
    uint64_t b = get(instruction.operands[2]);
    Word comparison = instruction.firstModifier;
    bool result = false;
    if (type.isFloat()) {
      double x = toDouble(a, type), y = toDouble(b, type);
      bool isUnordered = std::isnan(x) || std::isnan(y);
      if (comparison == Word::num)
        result = !isUnordered;
      else if (comparison == Word::nan)
        result = isUnordered;
      else if (comparison >= Word::equ)
        // equ, ltu and so on hold if either is no number.
        result = isUnordered || compare(getOrdered(comparison), x, y);
      else
        result = !isUnordered && compare(comparison, x, y);
    } else {
      a = extend(a, type);
      b = extend(b, type);
      if (type.isSigned())
        result = compare(comparison, static_cast<int64_t>(a),
                         static_cast<int64_t>(b));
      else
        result = compare(comparison, a, b);
    }
    if (instruction.operands.size() > 3)
      fail("setp with a predicate is not known to the interpreter");
    set(instruction.operands[0], result);
  }

  /// eq of equ and so on.
  static Word getOrdered(Word comparison) {
    return static_cast<Word>(static_cast<int>(comparison) -
                             static_cast<int>(Word::equ) +
                             static_cast<int>(Word::eq));
  }

  template <typename T> bool compare(Word comparison, T a, T b) {
    if (comparison == Word::eq)
      return a == b;
    if (comparison == Word::ne)
      return a != b;
    if (comparison == Word::lt)
      return a < b;
    if (comparison == Word::le)
      return a <= b;
    if (comparison == Word::gt)
      return a > b;
    if (comparison == Word::ge)
      return a >= b;
    fail("unknown comparison");
  }

  void convert(const Instruction &instruction) {
    Type to = instruction.secondType, from = instruction.type;
    uint64_t value = get(instruction.operands[1]);
    if (to.isPacked) {
      // The first source is the upper half.
      uint64_t upper = fromDouble(toDouble(value, from), half(to));
      uint64_t lower =
          fromDouble(toDouble(get(instruction.operands[2]), from), half(to));
      set(instruction.operands[0], upper << 16 | lower);
      return;
    }
    uint64_t result;
    if (from.isFloat() && to.isFloat()) {
      if (to.width < from.width && !instruction.has(Word::rn))
        fail("unknown rounding");
      result = fromDouble(toDouble(value, from), to);
    } else if (from.isFloat()) {
      fail("float to integer is not known to the interpreter");
    } else if (to.isFloat()) {
      value = extend(value, from);
      // One rounding: an f32 of an i64 must not go by way of a double.
      if (to.width == 32)
        result = bitCast<uint32_t>(
            from.isSigned() ? static_cast<float>(static_cast<int64_t>(value))
                            : static_cast<float>(value));
      else
        result = fromDouble(
            from.isSigned() ? static_cast<double>(static_cast<int64_t>(value))
                            : static_cast<double>(value),
            to);
    } else {
      result = truncate(extend(value, from), to.width);
    }
    set(instruction.operands[0], result);
  }

  static Type half(Type packed) {
    packed.isPacked = false;
    return packed;
  }

  void move(const Instruction &instruction) {
    const Operand &to = instruction.operands[0];
    const Operand &from = instruction.operands[1];
    if (to.kind == Operand::vector) {
      uint64_t value = get(from);
      unsigned width = instruction.type.width / to.elements.size();
      for (size_t i = 0; i < to.elements.size(); ++i)
        set(to.elements[i], truncate(value >> (i * width), width));
    } else if (from.kind == Operand::vector) {
      unsigned width = instruction.type.width / from.elements.size();
      uint64_t value = 0;
      for (size_t i = 0; i < from.elements.size(); ++i)
        value |= truncate(get(from.elements[i]), width) << (i * width);
      set(to, value);
    } else {
      uint64_t value = get(from);
      set(to, instruction.type.kind == Type::pred
                  ? (value != 0)
                  : truncate(value, instruction.type.width));
    }
  }

  //===--------------------------------------------------------------------===//
  // Steps
  //===--------------------------------------------------------------------===//

  /// Carries out an instruction; returns whether it was an access to memory
  /// that other threads share.
  bool step() {
    if (thread->pc >= kernel.instructions.size()) {
      thread->state = Thread::done;
      return false;
    }
    const Instruction &instruction = kernel.instructions[thread->pc];
    if (instruction.guard >= 0 && (thread->registers[instruction.guard] != 0) ==
                                      instruction.isGuardNegated) {
      ++thread->pc;
      return false;
    }
    bool isAccess = false;
    const auto &operands = instruction.operands;
    switch (instruction.decoded) {
    case kLoad:
      load(instruction);
      isAccess = !instruction.has(Word::param);
      break;
    case kStore:
      store(instruction);
      isAccess = true;
      break;
    case kMove:
      move(instruction);
      break;
    case kAddressCast:
      // Global addresses are generic ones.
      if (instruction.has(Word::shared))
        fail("generic addresses of shared memory are not known");
      set(operands[0], get(operands[1]));
      break;
    case kConvert:
      convert(instruction);
      break;
    case kArithmetic:
      set(operands[0], compute(instruction, instruction.word, instruction.type,
                               get(operands[1]), get(operands[2])));
      break;
    case kUnary:
      unary(instruction);
      break;
    case kMultiply:
      set(operands[0],
          multiply(instruction, get(operands[1]), get(operands[2])));
      break;
    case kMultiplyAdd:
      multiplyAdd(instruction);
      break;
    case kShift:
      shift(instruction);
      break;
    case kSetPredicate:
      setPredicate(instruction);
      break;
    case kSelect:
      set(operands[0], get(operands[3]) ? get(operands[1]) : get(operands[2]));
      break;
    case kBranch:
      thread->pc = static_cast<uint32_t>(operands[0].value);
      return false;
    case kReturn:
      thread->state = Thread::done;
      return false;
    case kAtomic:
      atomic(instruction);
      isAccess = true;
      break;
    case kFence:
      break;
    default:
      thread->state = Thread::waiting;
      return false;
    }
    ++thread->pc;
    return isAccess;
  }

  void release(Thread &each) {
    ++each.pc;
    each.state = Thread::runnable;
  }

  /// Releases the barrier of the block if all threads wait at it.
  bool releaseBarrier() {
    uint32_t pc = threads.front().pc;
    for (Thread &each : threads) {
      if (each.state != Thread::waiting || each.pc != pc)
        return false;
      if (kernel.instructions[pc].decoded != kBarrier)
        return false;
    }
    for (Thread &each : threads)
      release(each);
    return true;
  }

  /// Carries out what the threads of a warp wait for, where all that take part
  /// have come, in warps of which no thread can run.
  bool releaseWarps() {
    bool released = false;
    for (uint32_t first = 0; first < threads.size(); first += kWarpThreads) {
      auto size = std::min<uint32_t>(
          kWarpThreads, static_cast<uint32_t>(threads.size()) - first);
      auto warp = threads.begin() + first;
      if (std::any_of(warp, warp + size, [](const Thread &each) {
            return each.state == Thread::runnable;
          }))
        continue;
      for (uint32_t lane = 0; lane < size; ++lane) {
        Thread &leader = threads[first + lane];
        if (leader.state != Thread::waiting)
          continue;
        const Instruction &instruction = kernel.instructions[leader.pc];
        if (instruction.decoded == kBarrier)
          continue;
        if (releaseWarp(instruction, first, size, leader))
          released = true;
      }
    }
    return released;
  }

  bool releaseWarp(const Instruction &instruction, uint32_t first,
                   uint32_t size, Thread &leader) {
    thread = &leader;
    auto mask = static_cast<uint32_t>(get(instruction.operands.back()));
    std::vector<Thread *> lanes;
    for (uint32_t lane = 0; lane < size; ++lane) {
      if (!(mask >> lane & 1))
        continue;
      Thread &each = threads[first + lane];
      if (each.state != Thread::waiting || each.pc != leader.pc)
        return false;
      lanes.push_back(&each);
    }
    if (!(mask >> (leader.tid % kWarpThreads) & 1))
      fail("is not in the mask it waits with");
    std::vector<uint64_t> results, flags;
    for (Thread *each : lanes) {
      thread = each;
      auto [result, valid] = getWarpResult(instruction, first, size, lanes);
      results.push_back(result);
      flags.push_back(valid);
    }
    for (size_t i = 0; i < lanes.size(); ++i) {
      thread = lanes[i];
      if (instruction.decoded != kWarpBarrier)
        set(instruction.operands[0], results[i]);
      // `d|p, a, b, c, mask`
      if (instruction.decoded == kShuffle && instruction.operands.size() == 6)
        set(instruction.operands[1], flags[i]);
      release(*lanes[i]);
    }
    return true;
  }

  std::pair<uint64_t, uint64_t>
  getWarpResult(const Instruction &instruction, uint32_t first, uint32_t size,
                const std::vector<Thread *> &lanes) {
    const auto &operands = instruction.operands;
    switch (instruction.decoded) {
    case kShuffle: {
      size_t base = operands.size() - 4;
      auto by = static_cast<uint32_t>(get(operands[base + 1]));
      auto control = static_cast<uint32_t>(get(operands[base + 2]));
      uint32_t lane = thread->tid % kWarpThreads;
      uint32_t segment = control >> 8 & 31, clamp = control & 31;
      uint32_t limit = (lane & segment) | (clamp & ~segment);
      uint32_t source = lane;
      bool valid = false;
      if (instruction.has(Word::bfly)) {
        source = lane ^ by;
        valid = source <= limit;
      } else if (instruction.has(Word::down)) {
        source = lane + by;
        valid = source <= limit;
      } else if (instruction.has(Word::up)) {
        source = lane - by;
        valid = static_cast<int32_t>(source) >= static_cast<int32_t>(limit);
      } else if (instruction.has(Word::idx)) {
        source = (lane & segment) | (by & ~segment & 31);
        valid = source <= limit;
      }
      if (!valid)
        source = lane;
      if (source >= size)
        fail("takes a value of a thread that is not there");
      Thread *self = thread;
      thread = &threads[first + source];
      uint64_t value = get(operands[base]);
      thread = self;
      return {value, valid};
    }
    case kMatch: {
      if (!instruction.has(Word::any))
        fail("only match.any is known to the interpreter");
      uint64_t mine = get(operands[1]), peers = 0;
      Thread *self = thread;
      for (Thread *each : lanes) {
        thread = each;
        if (get(operands[1]) == mine)
          peers |= uint64_t(1) << (each->tid % kWarpThreads);
      }
      thread = self;
      return {peers, 0};
    }
    case kVote: {
      uint64_t ballot = 0;
      Thread *self = thread;
      for (Thread *each : lanes) {
        thread = each;
        if (get(operands[1]))
          ballot |= uint64_t(1) << (each->tid % kWarpThreads);
      }
      thread = self;
      if (instruction.has(Word::ballot))
        return {ballot, 0};
      fail("only vote.ballot is known to the interpreter");
    }
    default:
      return {0, 0};
    }
  }

  const Launch &launch;
  const Kernel &kernel;
  Memory &memory;
  uint32_t blockX;
  const std::vector<uint32_t> &order;
  std::vector<char> shared;
  std::vector<bool> isSharedWritten;
  std::minstd_rand speeds;
  std::vector<Thread> threads;
  /// The one that runs.
  Thread *thread = nullptr;
};

} // namespace

static std::vector<uint32_t> getOrder(Order order, uint32_t size) {
  std::vector<uint32_t> numbers(size);
  std::iota(numbers.begin(), numbers.end(), 0);
  if (order == Order::reverse)
    std::reverse(numbers.begin(), numbers.end());
  if (order == Order::permuted || order == Order::interleaved)
    std::shuffle(numbers.begin(), numbers.end(), std::mt19937(size));
  return numbers;
}

void embedding::ptx::run(const Launch &launch, Memory &memory) {
  const std::vector<uint32_t> threads = getOrder(launch.order, launch.blockX);
  const std::vector<uint32_t> blocks = getOrder(launch.order, launch.gridX);
  // A GPU has as many at once as it has room for.
  constexpr size_t kInterleavedBlocks = 4;
  size_t atOnce = launch.order == Order::interleaved ? kInterleavedBlocks : 1;
  std::list<Block> resident;
  auto next = blocks.begin();
  while (next != blocks.end() || !resident.empty()) {
    while (next != blocks.end() && resident.size() < atOnce)
      resident.emplace_back(launch, memory, *next++, threads);
    resident.remove_if([](Block &block) { return !block.runThreads(); });
  }
}
