//===- Module.cpp - Functions of IR for Python ----------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Module.h"

#include "Arguments.h"
#include "Engine.h"
#include "Tensor.h"

#include "embedding-runtime/Module.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <deque>
#include <optional>

using namespace embedding::python;

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

/// The type and shape of an operand as messages and `repr` have them.
static std::string describe(const EmbeddingOperand &operand) {
  std::string text = getTypeName(operand.dtype);
  if (operand.ndim < 0)
    return text;
  text += "[";
  for (int i = 0; i < operand.ndim; ++i)
    text += (i == 0 ? "" : ", ") +
            (operand.shape[i] < 0 ? "?" : std::to_string(operand.shape[i]));
  return text + "]";
}

/// A number, in the memory that a function reads it from.
static uint64_t readScalar(nb::handle value, const EmbeddingOperand &operand) {
  auto expected = [&](const char *what) {
    throw nb::type_error((std::string(operand.name) + ": expected " + what +
                          " for " + describe(operand))
                             .c_str());
  };
  uint64_t bits = 0;
  if (operand.dtype.code == kDLFloat) {
    double number = PyFloat_AsDouble(value.ptr());
    if (PyErr_Occurred()) {
      PyErr_Clear();
      expected("a number");
    }
    if (operand.dtype.bits == 64) {
      std::memcpy(&bits, &number, sizeof(number));
    } else {
      auto single = static_cast<float>(number);
      std::memcpy(&bits, &single, sizeof(single));
    }
    return bits;
  }
  nb::object whole = nb::steal(PyNumber_Index(value.ptr()));
  if (!whole.is_valid()) {
    PyErr_Clear();
    expected("an integer");
  }
  // Two's complement serves integers with and without a sign.
  long long number = PyLong_AsLongLong(whole.ptr());
  if (PyErr_Occurred()) {
    PyErr_Clear();
    bits = PyLong_AsUnsignedLongLong(whole.ptr());
    if (PyErr_Occurred()) {
      PyErr_Clear();
      expected("an integer of its width");
    }
    if (operand.dtype.bits != 64)
      expected("an integer of its width");
    return bits;
  }
  int width = operand.dtype.bits;
  if (width < 64 && (number < -(1LL << (width - 1)) || number >= 1LL << width))
    expected("an integer of its width");
  bits = static_cast<uint64_t>(number);
  return bits;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

namespace {

/// Tensors or arrays that a function has returned.
struct MadeResults {
  bool areTorch;
  std::vector<nb::object> objects;
  /// What making one has raised.
  std::optional<nb::python_error> error;

  static int32_t make(void *context, int64_t number, const DLTensor *like,
                      DLTensor *out) {
    auto *results = static_cast<MadeResults *>(context);
    nb::gil_scoped_acquire acquired;
    try {
      nb::object &object = results->objects[number];
      object = results->areTorch || like->device.device_type == kDLCUDA
                   ? makeTorchTensor(like->shape, like->ndim, like->dtype,
                                     like->device)
                   : makeArray(like->shape, like->ndim, like->dtype);
      out->data = (&Tensor(object, "out", Access::write))->data;
      return 0;
    } catch (nb::python_error &raised) {
      results->error.emplace(raised);
    } catch (std::exception &raised) {
      PyErr_SetString(PyExc_TypeError, raised.what());
      results->error.emplace();
    }
    return 1;
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Module
//===----------------------------------------------------------------------===//

namespace {

/// A module, and how its functions are called.
class Module {
public:
  Module(nb::handle text, int32_t deviceType, int32_t deviceId,
         nb::handle assumeSizes) {
    std::string ir = readString(text, "ir");
    EmbeddingModuleOptions options;
    embedding_module_options_init(&options, sizeof(options));
    options.device = {static_cast<DLDeviceType>(deviceType), deviceId};
    options.assume_sizes = readFlag(assumeSizes, "assume_sizes");
    device = options.device;
    run([&](EmbeddingEngine *engine, EmbeddingStatus *status) {
      return embedding_module_compile(engine, ir.data(), ir.size(), &options,
                                      &module, status);
    });
    count = embedding_module_get_functions(module, &functions);
  }
  ~Module() { embedding_module_destroy(module); }
  Module(const Module &) = delete;
  Module &operator=(const Module &) = delete;

  std::vector<std::string> getNames() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i)
      names.push_back(functions[i].name);
    return names;
  }

  std::string getSignature(const std::string &name) const {
    const EmbeddingFunction &function = find(name);
    std::string text = name + "(";
    for (int i = 0; i < function.num_arguments; ++i)
      text += (i == 0 ? "" : ", ") + std::string(function.arguments[i].name) +
              ": " + describe(function.arguments[i]);
    text += ")";
    for (int i = 0; i < function.num_results; ++i)
      text += (i == 0 ? " -> " : ", ") + describe(function.results[i]);
    return text;
  }

  nb::any call(const std::string &name, const nb::args &given);

private:
  const EmbeddingFunction &find(const std::string &name) const {
    for (size_t i = 0; i < count; ++i)
      if (name == functions[i].name)
        return functions[i];
    throw nb::attribute_error(("module: no function '" + name + "'").c_str());
  }

  DLDevice device;
  EmbeddingModule *module = nullptr;
  const EmbeddingFunction *functions = nullptr;
  size_t count = 0;
};

} // namespace

nb::any Module::call(const std::string &name, const nb::args &given) {
  const EmbeddingFunction &function = find(name);
  if (given.size() != static_cast<size_t>(function.num_arguments))
    throw nb::type_error((getSignature(name) + ": expected " +
                          std::to_string(function.num_arguments) +
                          " arguments, but got " + std::to_string(given.size()))
                             .c_str());
  std::deque<Tensor> tensors;
  std::deque<uint64_t> scalars;
  std::vector<const void *> arguments;
  EmbeddingCallOptions options;
  embedding_call_options_init(&options, sizeof(options));
  MadeResults results{false,
                      std::vector<nb::object>(function.num_results, nb::none()),
                      std::nullopt};
  for (int i = 0; i < function.num_arguments; ++i) {
    const EmbeddingOperand &operand = function.arguments[i];
    if (operand.ndim < 0) {
      scalars.push_back(readScalar(given[i], operand));
      arguments.push_back(&scalars.back());
      continue;
    }
    // Memrefs may be written.
    Access access = operand.is_memref ? Access::write : Access::read;
    const Tensor &tensor = tensors.emplace_back(given[i], operand.name, access);
    arguments.push_back(&tensor);
    results.areTorch |= !tensor.isArray();
  }
  if (device.device_type == kDLCUDA) {
    nb::module_::import_("embedding_mlir._torch");
    options.stream = getCurrentStream(device.device_id);
  }
  options.make_result = &MadeResults::make;
  options.make_result_context = &results;
  EmbeddingStatus status;
  EmbeddingStatusCode code;
  {
    nb::gil_scoped_release released;
    code = embedding_module_call(module, function.name, arguments.data(),
                                 &options, &status);
  }
  if (results.error) {
    results.error->restore();
    nb::raise_python_error();
  }
  if (code != EMBEDDING_OK)
    fail(code, status);
  nb::any outcome;
  if (function.num_results == 1) {
    outcome = results.objects[0];
  } else if (function.num_results == 0) {
    outcome = nb::none();
  } else {
    nb::list list;
    for (const nb::object &object : results.objects)
      list.append(object);
    outcome = nb::tuple(list);
  }
  return outcome;
}

void embedding::python::defineModule(nb::module_ &core) {
  using namespace nb::literals;
  nb::class_<Module>(core, "Module",
                     "The public functions of an MLIR module, compiled.")
      .def(nb::init<nb::handle, int32_t, int32_t, nb::handle>(), "ir"_a.none(),
           "device_type"_a, "device_id"_a, "assume_sizes"_a.none())
      .def_prop_ro("names", &Module::getNames)
      .def("signature", &Module::getSignature, "name"_a)
      .def("call", &Module::call, "name"_a, "args"_a);
}
