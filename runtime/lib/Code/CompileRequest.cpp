//===- CompileRequest.cpp - What is compiled ----------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/CompileRequest.h"

#include "Support/Bytes.h"

#include <algorithm>
#include <iterator>

using namespace embedding::runtime;
using mlir::embedding::kOperations;
using mlir::embedding::OperationDesc;

namespace {

/// An operation crosses as its place in the table.
class Writer : public ByteWriter {
public:
  template <typename... Fields> void pass(const Fields &...fields) {
    (add(fields), ...);
  }

private:
  template <typename Field> void add(const Field &field) {
    ByteWriter::pass(field);
  }
  void add(const OperationDesc *const &operation) {
    add(std::find(std::begin(kOperations), std::end(kOperations), operation) -
        std::begin(kOperations));
  }
};

class Reader : public ByteReader {
public:
  using ByteReader::ByteReader;

  template <typename... Fields> void pass(Fields &...fields) {
    (take(fields), ...);
  }
  bool isDone() const { return hasOperations && ByteReader::isDone(); }

private:
  template <typename Field> void take(Field &field) { ByteReader::pass(field); }
  void take(const OperationDesc *&operation) {
    ptrdiff_t place = 0;
    take(place);
    constexpr ptrdiff_t kEnd = std::size(kOperations);
    bool isKnown = isWhole() && place >= 0 && place < kEnd;
    hasOperations &= isKnown;
    operation = isKnown ? kOperations[place] : nullptr;
  }

  bool hasOperations = true;
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
