//===- KernelSpec.cpp - What a kernel is compiled for ---------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelSpec.h"

using namespace embedding::runtime;

std::string LookupSpec::str() const {
  static const char *const modes[] = {"check", "assume", "clamp", "zero"};
  std::string text = "lookup out_of_range=";
  text += modes[outOfRange];
  text += lowering == EMBEDDING_LOWERING_NAIVE ? " lowering=naive"
                                               : " lowering=optimized";
  text += " index=i" + std::to_string(indexBits);
  text += " element=i" + std::to_string(8 * elementBytes);
  text += isContiguous ? " contiguous" : " strided";
  text += " row_length=";
  text += rowLength == kDynamic ? "?" : std::to_string(rowLength);
  return text;
}
