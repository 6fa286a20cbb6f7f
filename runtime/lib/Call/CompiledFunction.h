//===- CompiledFunction.h - Calls of compiled functions ---------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A function that embedding/Target/Function.h compiled, called with tensors and
// numbers: what libembedding-launcher, linked to libraries of
// embedding-compile, and the modules of an engine have in common.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_CALL_COMPILEDFUNCTION_H
#define EMBEDDING_RUNTIME_LIB_CALL_COMPILEDFUNCTION_H

#include "Call/GeneratedCall.h"
#include "Support/SmallArray.h"
#include "Support/Tensor.h"
#include "embedding/ABI/Signature.h"

#include <cstring>
#include <vector>

namespace embedding::runtime {

namespace signature = mlir::embedding::signature;
static_assert(signature::kMaxRank == Tensor::kMaxRank);

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

/// An argument or a result, as its function declares it.
struct Operand {
  const char *name = nullptr;
  int64_t rank = 0, code = 0, bits = 0;
  bool isMemRef = false;
  const int64_t *sizes = nullptr, *strides = nullptr;

  bool isScalar() const { return rank == signature::kScalar; }
  /// Of the memref as compiled code takes it: two pointers, the offset, sizes
  /// and strides.
  int64_t memrefWords() const { return isScalar() ? 0 : 3 + 2 * rank; }

  /// One of the types that it may have.
  DLDataType dtype() const {
    return {
        static_cast<uint8_t>(code == signature::kAnyInteger ? kDLInt : code),
        static_cast<uint8_t>(bits), 1};
  }

  std::string shape() const {
    std::string text = "[";
    for (int64_t dim = 0; dim < rank; ++dim)
      text +=
          (dim ? ", " : "") +
          (sizes[dim] == signature::kAny ? "?" : std::to_string(sizes[dim]));
    return text + "]";
  }

  bool hasType(DLDataType type) const {
    bool isSameKind = type.code == code;
    if (code == signature::kAnyInteger)
      isSameKind = type.code == kDLInt || type.code == kDLUInt;
    // Whose bytes are unsigned integers.
    if (type.code == signature::kBool)
      isSameKind |= code == signature::kAnyInteger || code == kDLUInt;
    return isSameKind && type.bits == bits && type.lanes == 1;
  }

  bool hasShape(const Tensor &tensor) const {
    bool isSame = tensor.rank() == rank;
    for (int dim = 0; dim < rank && isSame; ++dim)
      isSame = sizes[dim] == signature::kAny || sizes[dim] == tensor.size(dim);
    return isSame;
  }
};

/// A signature and the names that come with it, which must outlive it.
class Signature {
public:
  Signature(const int64_t *fields, const char *names)
      : at(fields), nextName(names) {
    x86Level = next();
    chips.resize(next());
    for (int64_t &chip : chips)
      chip = next();
    int64_t numArguments = next(), numResults = next();
    name = takeName();
    for (int64_t i = 0; i < numArguments; ++i)
      memrefWords += arguments.emplace_back(takeOperand()).memrefWords();
    for (int64_t i = 0; i < numResults; ++i)
      results.push_back(takeOperand());
  }

  const char *name;
  int64_t x86Level;
  /// In ascending order.
  std::vector<int64_t> chips;
  std::vector<Operand> arguments, results;
  /// Of all arguments.
  int64_t memrefWords = 0;

private:
  int64_t next() { return *at++; }
  const char *takeName() {
    const char *name = nextName;
    nextName += std::strlen(name) + 1;
    return name;
  }
  Operand takeOperand() {
    Operand operand;
    operand.name = takeName();
    operand.rank = next();
    operand.code = next();
    operand.bits = next();
    if (operand.isScalar())
      return operand;
    operand.isMemRef = next() != 0;
    operand.sizes = at;
    operand.strides = at += operand.rank;
    at += operand.rank;
    return operand;
  }

  const int64_t *at;
  const char *nextName;
};

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// The GPU that all tensors of a call are on.
struct CallDevice {
  /// -1 if no tensor has said.
  int32_t id = -1;
  /// The first operand there, if one has said.
  const char *operand = nullptr;

  /// Fails if `tensor`, which is `name`, is on another GPU.
  Status add(const Tensor &tensor, const char *name);
};

/// Where results go.
class Results {
public:
  virtual ~Results() = default;
  /// Of result `number`, if that is known before the function runs, or null.
  virtual const Tensor *getKnown(int64_t number) const { return nullptr; }
  /// The tensor that takes result `number`, which has the type and the shape of
  /// `like`.
  virtual Result<Tensor> getTensor(int64_t number, const DLTensor &like) = 0;
};

/// Tensors that the caller has brought.
class GivenResults : public Results {
public:
  explicit GivenResults(const Signature &signature)
      : signature(signature), tensors(signature.results.size()) {}

  /// Takes DLTensors.
  Status take(const void *const *given, CallDevice &device);

  const Tensor *getKnown(int64_t number) const override {
    return &tensors[number];
  }
  Result<Tensor> getTensor(int64_t number, const DLTensor &like) override;

private:
  const Signature &signature;
  SmallArray<Tensor, 4> tensors;
};

/// A call of a compiled function.
class CompiledCall final : public GeneratedCall {
public:
  /// `stream` is for functions on a GPU.
  CompiledCall(Machine &machine, const Signature &signature, Results &results,
               CUstream stream)
      : GeneratedCall(machine, /*onDevice=*/nullptr), signature(signature),
        results(results), stream(stream), arguments(signature.arguments.size()),
        memrefs(signature.memrefWords), pointers(signature.arguments.size()),
        placed(signature.results.size()) {}

  /// Takes arguments: DLTensors, and values of scalars. `device` is what
  /// results have said of it, which may be the only tensors.
  Status take(const void *const *given, CallDevice device);
  const Tensor &getArgument(int64_t number) const { return arguments[number]; }
  /// `functions` has one for each GPU of the signature, or one for the CPU.
  Status run(void *const *functions);

  /// Takes a tensor for an operand if it fits.
  static Status takeTensor(const DLTensor *dlTensor, const Operand &operand,
                           bool isForDevice, Tensor &tensor);

private:
  bool isForDevice() const { return !signature.chips.empty(); }
  Result<void *> chooseFunction(void *const *functions, Device *device) const;
  /// Fails if result `number` shares memory with an argument or with a result
  /// before it: all are in use until the last result is copied.
  Status checkApart(int64_t number, const Tensor &result);

  Status take(int64_t number, const int64_t *memref) override;
  Result<void *> placeResult(int64_t number, int64_t alignment,
                             const int64_t *sizes) override;

  /// Where result `number` goes, of the type that it has and of `sizes`.
  Result<char *> getDestination(int64_t number, const int64_t *sizes);

  const Signature &signature;
  Results &results;
  CUstream stream;
  /// A scalar has none.
  SmallArray<Tensor, 8> arguments;
  /// Of them, as compiled code takes them.
  SmallArray<int64_t, 64> memrefs;
  SmallArray<void *, 16> pointers;
  int32_t deviceId = -1;
  /// Of each result, when that is known: where it goes.
  struct Placed {
    char *destination = nullptr;
    std::pair<const char *, const char *> extent;
  };
  SmallArray<Placed, 4> placed;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_CALL_COMPILEDFUNCTION_H
