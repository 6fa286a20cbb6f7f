//===- KernelSpec.cpp - What a kernel is compiled for ---------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelSpec.h"

using namespace embedding::runtime;

const char *embedding::runtime::getName(EmbeddingOutOfRange mode) {
  switch (mode) {
  case EMBEDDING_OUT_OF_RANGE_CHECK:
    return "check";
  case EMBEDDING_OUT_OF_RANGE_ASSUME:
    return "assume";
  case EMBEDDING_OUT_OF_RANGE_CLAMP:
    return "clamp";
  case EMBEDDING_OUT_OF_RANGE_ZERO:
    return "zero";
  }
  return "";
}

std::string LookupSpec::str() const {
  std::string text = "lookup out_of_range=";
  text += getName(outOfRange);
  text += lowering == EMBEDDING_LOWERING_NAIVE ? " lowering=naive"
                                               : " lowering=optimized";
  text += " index=i" + std::to_string(indexBits);
  text += " element=i" + std::to_string(8 * elementBytes);
  text += isContiguous ? " contiguous" : " strided";
  text += " row_length=";
  text += rowLength == kDynamic ? "?" : std::to_string(rowLength);
  return text;
}
