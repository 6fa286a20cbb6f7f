//===- OutOfRangeIndices.cpp - What checks of indices find ----------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Call/OutOfRangeIndices.h"

using namespace embedding::runtime;

void OutOfRangeIndices::add(int64_t begin, const OutOfRangeReport &report) {
  const auto &[first, value, found] = report.fields;
  if (found == 0)
    return;
  std::lock_guard<std::mutex> lock(mutex);
  count += found;
  if (position < 0 || begin + first < position) {
    position = begin + first;
    index = value;
  }
}

Status OutOfRangeIndices::getStatus(int64_t numRows) const {
  if (count == 0)
    return success();
  return outOfRange("indices", numRows, position, index, count);
}
