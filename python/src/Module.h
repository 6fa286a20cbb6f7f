//===- Module.h - Functions of IR for Python --------------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_PYTHON_SRC_MODULE_H
#define EMBEDDING_PYTHON_SRC_MODULE_H

#include <nanobind/nanobind.h>

namespace embedding::python {

/// Adds the class Module to `_core`.
void defineModule(nanobind::module_ &core);

} // namespace embedding::python

#endif // EMBEDDING_PYTHON_SRC_MODULE_H
