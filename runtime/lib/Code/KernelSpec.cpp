//===- KernelSpec.cpp - What a kernel is compiled for ---------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/KernelSpec.h"

#include <cstdio>

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

const char *embedding::runtime::getName(Grouping grouping) {
  switch (grouping) {
  case Grouping::radixSort:
    return "radix_sort";
  case Grouping::countingSort:
    return "counting_sort";
  case Grouping::scatter:
    return "scatter";
  case Grouping::bitmap:
    return "bitmap";
  }
  return "";
}

static std::string getElementName(const KernelSpec &spec) {
  const char *kind = spec.elementCode == kDLInt     ? "i"
                     : spec.elementCode == kDLFloat ? "f"
                                                    : "bf";
  return kind + std::to_string(8 * spec.elementBytes);
}

std::string KernelSpec::getFunctionName() const {
  return operation->name +
         ("_" +
          (rowLength == kDynamic ? "" : std::to_string(rowLength) + "x")) +
         getElementName(*this) + "_i" + std::to_string(indexBits);
}

std::string KernelSpec::str() const {
  std::string text = operation->name;
  text += " out_of_range=";
  text += getName(outOfRange);
  text += lowering == EMBEDDING_LOWERING_NAIVE ? " lowering=naive"
                                               : " lowering=optimized";
  text += " index=i" + std::to_string(indexBits);
  text += " element=" + getElementName(*this);
  text += isDense ? " dense" : isContiguous ? " contiguous" : " strided";
  if (scalesGradByFreq)
    text += " scale_grad_by_freq";
  if (hasPadding)
    text += " padding";
  if (grouping != Grouping::radixSort)
    text += std::string(" grouping=") + getName(grouping);
  if (normType != 2.0) {
    char buffer[40];
    std::snprintf(buffer, sizeof(buffer), " norm_type=%a", normType);
    text += buffer;
  }
  text += " row_length=";
  text += rowLength == kDynamic ? "?" : std::to_string(rowLength);
  if (chip)
    text += " chip=sm_" + std::to_string(chip);
  text += " index_rank=" + std::to_string(indexRank) +
          " row_alignment=" + std::to_string(rowAlignment);
  if (usesAtomics)
    text += " atomics";
  return text;
}
