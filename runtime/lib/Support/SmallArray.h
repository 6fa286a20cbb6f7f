//===- SmallArray.h - Arrays that are short as a rule -----------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_RUNTIME_LIB_SUPPORT_SMALLARRAY_H
#define EMBEDDING_RUNTIME_LIB_SUPPORT_SMALLARRAY_H

#include <array>
#include <vector>

namespace embedding::runtime {

/// `size` elements, on the heap if they are more than `NumInline`.
template <typename T, size_t NumInline> class SmallArray {
public:
  explicit SmallArray(size_t size) : count(size) {
    if (count > NumInline)
      onHeap.resize(count);
  }
  SmallArray(const SmallArray &) = delete;
  SmallArray &operator=(const SmallArray &) = delete;

  size_t size() const { return count; }
  T *data() { return count > NumInline ? onHeap.data() : inPlace.data(); }
  const T *data() const {
    return count > NumInline ? onHeap.data() : inPlace.data();
  }
  T &operator[](size_t i) { return data()[i]; }
  const T &operator[](size_t i) const { return data()[i]; }

private:
  size_t count;
  std::array<T, NumInline> inPlace;
  std::vector<T> onHeap;
};

} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_SUPPORT_SMALLARRAY_H
