//===- CompileRequest.cpp - What is compiled ----------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/CompileRequest.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <type_traits>

using namespace embedding::runtime;
using mlir::embedding::kOperations;
using mlir::embedding::OperationDesc;

namespace {

/// Appends fields.
class Writer {
public:
  template <typename... Fields> void pass(const Fields &...fields) {
    (add(fields), ...);
  }

  std::string take() { return std::move(bytes); }

private:
  template <typename Number> void add(const Number &number) {
    static_assert(std::is_arithmetic_v<Number> || std::is_enum_v<Number>);
    bytes.append(reinterpret_cast<const char *>(&number), sizeof(number));
  }
  void add(const std::string_view &text) {
    add(text.size());
    bytes += text;
  }
  void add(const std::string &text) { add(std::string_view(text)); }
  /// By its place in the table.
  void add(const OperationDesc *const &operation) {
    add(std::find(std::begin(kOperations), std::end(kOperations), operation) -
        std::begin(kOperations));
  }

  std::string bytes;
};

/// Takes fields, in the same order.
class Reader {
public:
  explicit Reader(std::string_view bytes) : bytes(bytes) {}

  template <typename... Fields> void pass(Fields &...fields) {
    (take(fields), ...);
  }

  /// Whether all was there, and no more.
  bool isDone() const { return isWhole && bytes.empty(); }

private:
  std::string_view takeBytes(size_t size) {
    isWhole &= size <= bytes.size();
    std::string_view taken = bytes.substr(0, isWhole ? size : 0);
    bytes.remove_prefix(taken.size());
    return taken;
  }
  template <typename Number> void take(Number &number) {
    std::string_view taken = takeBytes(sizeof(number));
    std::memcpy(&number, taken.data(), taken.size());
  }
  void take(std::string_view &text) {
    size_t size = 0;
    take(size);
    text = takeBytes(size);
  }
  void take(std::string &text) {
    std::string_view taken;
    take(taken);
    text = taken;
  }
  void take(const OperationDesc *&operation) {
    ptrdiff_t place = 0;
    take(place);
    constexpr ptrdiff_t kEnd = std::size(kOperations);
    isWhole &= place >= 0 && place < kEnd;
    operation = isWhole ? kOperations[place] : nullptr;
  }

  std::string_view bytes;
  bool isWhole = true;
};

} // namespace

// A field that is not passed does not compile. `Spec` and `Source` are constant
// for a Writer.

template <typename Stream, typename Spec>
static void passSpec(Stream &stream, Spec &spec) {
  auto &[operation, outOfRange, lowering, indexBits, elementCode, elementBytes,
         isContiguous, isDense, scalesGradByFreq, hasPadding, grouping,
         normType, rowLength, chip, indexRank, rowAlignment, usesAtomics] =
      spec;
  stream.pass(operation, outOfRange, lowering, indexBits, elementCode,
              elementBytes, isContiguous, isDense, scalesGradByFreq, hasPadding,
              grouping, normType, rowLength, chip, indexRank, rowAlignment,
              usesAtomics);
}

template <typename Stream, typename Source>
static void passModule(Stream &stream, Source &source) {
  auto &[target, ir] = source;
  auto &[chip, isNaive, atomicGradients, assumesSizes, numThreads, rowLengths] =
      target;
  stream.pass(chip, isNaive, atomicGradients, assumesSizes, numThreads,
              rowLengths, ir);
}

std::string CompileRequest::write() const {
  Writer writer;
  const auto *spec = std::get_if<KernelSpec>(&source);
  writer.pass(cpu, spec != nullptr);
  if (spec)
    passSpec(writer, *spec);
  else
    passModule(writer, *std::get_if<ModuleSource>(&source));
  return writer.take();
}

std::optional<CompileRequest> CompileRequest::read(std::string_view bytes) {
  Reader reader(bytes);
  CompileRequest request;
  bool isKernel = false;
  reader.pass(request.cpu, isKernel);
  if (isKernel)
    passSpec(reader, request.source.emplace<KernelSpec>());
  else
    passModule(reader, request.source.emplace<ModuleSource>());
  if (!reader.isDone())
    return std::nullopt;
  return request;
}
