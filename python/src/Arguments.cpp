//===- Arguments.cpp - Arguments of Python's functions --------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arguments.h"

#include "Engine.h"

#include <nanobind/stl/string.h>

namespace nb = nanobind;
using namespace embedding::python;

[[noreturn]] static void failType(nb::handle value, const char *name,
                                  const char *expected) {
  PyErr_Clear();
  throw nb::type_error((std::string("argument '") + name + "' must be " +
                        expected + ", not " +
                        nb::cast<std::string>(value.type().attr("__name__")))
                           .c_str());
}

double embedding::python::readFloat(nb::handle value, const char *name) {
  if (PyFloat_CheckExact(value.ptr()))
    return PyFloat_AS_DOUBLE(value.ptr());
  if (!nb::getattr(value, "ndim", nb::int_(0)).equal(nb::int_(0)))
    failType(value, name, "float");
  double number = PyFloat_AsDouble(value.ptr());
  if (number == -1 && PyErr_Occurred()) {
    // An integer beyond all floats, which says so.
    if (PyErr_ExceptionMatches(PyExc_OverflowError))
      nb::raise_python_error();
    failType(value, name, "float");
  }
  return number;
}

std::optional<double> embedding::python::readOptionalFloat(nb::handle value,
                                                           const char *name) {
  if (value.is_none())
    return std::nullopt;
  return readFloat(value, name);
}

int64_t embedding::python::readInt(nb::handle value, const char *name) {
  if (PyBool_Check(value.ptr()))
    failType(value, name, "int");
  nb::object index = nb::steal(PyNumber_Index(value.ptr()));
  if (!index.is_valid())
    failType(value, name, "int");
  int overflow = 0;
  int64_t number = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
  if (overflow != 0)
    failInvalid(std::string(name) +
                ": expected an integer of 64 bits, but got " +
                nb::cast<std::string>(nb::str(index)));
  return number;
}

std::optional<int64_t> embedding::python::readOptionalInt(nb::handle value,
                                                          const char *name) {
  if (value.is_none())
    return std::nullopt;
  return readInt(value, name);
}

bool embedding::python::readFlag(nb::handle value, const char *name) {
  if (!PyBool_Check(value.ptr()))
    failType(value, name, "bool");
  return value.is(Py_True);
}

std::string embedding::python::readString(nb::handle value, const char *name) {
  if (!PyUnicode_Check(value.ptr()))
    failType(value, name, "str");
  return nb::cast<std::string>(value);
}
