//===- Arguments.h - Arguments of Python's functions ------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What functions of `_core` take as any object and read here: an argument of
// another type is a TypeError in PyTorch's words, where nanobind would show its
// own signatures.
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_PYTHON_SRC_ARGUMENTS_H
#define EMBEDDING_PYTHON_SRC_ARGUMENTS_H

#include <nanobind/nanobind.h>

#include <cstdint>
#include <optional>
#include <string>

namespace embedding::python {

/// What PyTorch takes for a float: numbers, and tensors without dimensions.
double readFloat(nanobind::handle value, const char *name);
/// None, or such a one.
std::optional<double> readOptionalFloat(nanobind::handle value,
                                        const char *name);
/// What can be an index; flags are none.
int64_t readInt(nanobind::handle value, const char *name);
std::optional<int64_t> readOptionalInt(nanobind::handle value,
                                       const char *name);
/// True or False.
bool readFlag(nanobind::handle value, const char *name);
std::string readString(nanobind::handle value, const char *name);

} // namespace embedding::python

#endif // EMBEDDING_PYTHON_SRC_ARGUMENTS_H
