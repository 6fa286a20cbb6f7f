//===- Programs.cpp - Functions on the CPU and on an interpreted GPU ------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Programs.h"

#include "Call/HostFunctions.h"

#include "Linker.h"

#include "embedding/InitAll.h"
#include "embedding/Pipelines/Passes.h"
#include "embedding/Target/CPU.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>

using namespace embedding;

//===----------------------------------------------------------------------===//
// What host code calls
//===----------------------------------------------------------------------===//

static Device *currentDevice = nullptr;
static Report *currentReport = nullptr;

static void launchKernel(const char *image, int64_t, const char *name,
                         int64_t blocks, int64_t threads, int64_t *arguments,
                         int64_t count) {
  Device &device = *currentDevice;
  if (!device.error.empty())
    return;
  try {
    // A program has one image.
    static std::map<std::string, ptx::Module> modules;
    auto found = modules.find(image);
    if (found == modules.end()) {
      found = modules.emplace(image, ptx::parse(image)).first;
      for (auto &[unused, kernel] : found->second.kernels)
        ptx::decode(kernel);
    }
    const ptx::Kernel &kernel = found->second.kernels.at(name);
    if (static_cast<int64_t>(kernel.parameters.size()) != count)
      throw std::runtime_error(kernel.name + " has other parameters");
    std::vector<void *> addresses;
    for (int64_t i = 0; i < count; ++i)
      addresses.push_back(&arguments[i]);
    ptx::run({&kernel, static_cast<uint32_t>(blocks),
              static_cast<uint32_t>(threads), addresses.data(), device.order,
              ++device.launchCount},
             device.memory);
  } catch (const std::exception &error) {
    device.error = error.what();
  }
}

static void *getReport() {
  return reinterpret_cast<void *>(currentDevice->report);
}

static void *allocate(int64_t elementBytes, int64_t, int64_t rank,
                      const int64_t *sizes) {
  auto bytes = static_cast<uint64_t>(elementBytes);
  for (int64_t dim = 0; dim < rank; ++dim)
    bytes *= static_cast<uint64_t>(sizes[dim]);
  // What has no elements has an address of its own all the same.
  return reinterpret_cast<void *>(
      currentDevice->memory.allocate(std::max<uint64_t>(bytes, 1)));
}

static void deallocate(void *address) {
  if (!currentDevice->memory.deallocate(reinterpret_cast<uint64_t>(address)))
    currentDevice->error = "frees what is not allocated";
}

static void reportOnCPU(const char *, int64_t position, int64_t index,
                        int64_t count, int64_t) {
  if (position < currentReport->position) {
    currentReport->position = position;
    currentReport->index = index;
  }
  currentReport->count += count;
}

static void unexpected() {
  std::fputs("a program calls what only the runtime has\n", stderr);
  std::abort();
}

static const runtime::HostFunctions &getHostFunctions() {
  static const runtime::HostFunctions functions = [] {
    runtime::HostFunctions functions = runtime::getHostFunctions();
#define UNEXPECTED(name)                                                       \
  functions[embedding_position_of_##name] =                                    \
      reinterpret_cast<void *>(&unexpected);
    EMBEDDING_RUNTIME_FUNCTIONS(UNEXPECTED)
#undef UNEXPECTED
    auto set = [&](int position, auto *function) {
      functions[position] = reinterpret_cast<void *>(function);
    };
    set(embedding_position_of_embedding_launch_kernel, &launchKernel);
    set(embedding_position_of_embedding_get_out_of_range_report, &getReport);
    set(embedding_position_of_embedding_allocate, &allocate);
    set(embedding_position_of_embedding_deallocate, &deallocate);
    set(embedding_position_of_embedding_report_out_of_range, &reportOnCPU);
    return functions;
  }();
  return functions;
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

std::vector<uint64_t> Array::describe(const void *address) const {
  std::vector<uint64_t> words(3);
  words[0] = words[1] = reinterpret_cast<uint64_t>(address);
  words[2] = static_cast<uint64_t>(offset);
  for (int64_t size : sizes)
    words.push_back(static_cast<uint64_t>(size));
  if (!strides.empty()) {
    for (int64_t stride : strides)
      words.push_back(static_cast<uint64_t>(stride));
    return words;
  }
  for (size_t dim = 0; dim < sizes.size(); ++dim)
    words.push_back(static_cast<uint64_t>(
        std::accumulate(sizes.begin() + static_cast<ptrdiff_t>(dim) + 1,
                        sizes.end(), int64_t(1), std::multiplies<>())));
  return words;
}

/// Calls the C interface of a function of memrefs.
static void call(void *function, std::vector<std::vector<uint64_t>> &memrefs) {
  void *a[6] = {};
  for (size_t i = 0; i < memrefs.size(); ++i)
    a[i] = memrefs[i].data();
  // Arguments that a function does not have are in registers it does not read.
  reinterpret_cast<void (*)(void *, void *, void *, void *, void *, void *)>(
      function)(a[0], a[1], a[2], a[3], a[4], a[5]);
}

Programs::Programs() { mlir::embedding::registerAllDialects(registry); }

void *Programs::find(const std::string &source, const GPUOptions *options,
                     std::string &error) {
  std::string key = source;
  if (options)
    key += options->chip + std::to_string(options->rowAlignment);
  auto found = objects.find(key);
  if (found != objects.end())
    return found->second.find("_mlir_ciface_f");

  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(source, &context);
  mlir::PassManager pm(&context);
  auto target =
      mlir::embedding::CPUTarget::get(mlir::UnknownLoc::get(&context), "");
  if (options) {
    mlir::embedding::NVVMPipelineOptions gpu;
    gpu.chip = options->chip;
    gpu.rowAlignment = options->rowAlignment;
    gpu.launch = mlir::embedding::KernelLaunch::callback;
    mlir::embedding::buildEmbeddingToNVVMPipeline(pm, gpu);
  } else {
    mlir::embedding::buildEmbeddingToCPUPipeline(
        pm, mlir::embedding::CPUPipelineOptions());
  }
  mlir::embedding::ObjectFile object, linked;
  if (!module || failed(pm.run(*module)) ||
      failed(target->emit(
          *module, 2, mlir::embedding::CPUTarget::Output::object, object)) ||
      failed(mlir::embedding::linkToHost(module->getLoc(), object, linked))) {
    error = "does not compile: " + source;
    return nullptr;
  }
  auto loaded = runtime::SharedObject::load(
      std::string_view(linked.data(), linked.size()), getHostFunctions());
  if (!loaded) {
    error = loaded.failure().message;
    return nullptr;
  }
  found = objects.emplace(key, std::move(*loaded)).first;
  return found->second.find("_mlir_ciface_f");
}

std::string Programs::callOnGPU(const std::string &source,
                                const GPUOptions &options, ptx::Order order,
                                std::vector<Array> &arguments, Report &report) {
  std::string error;
  void *function = find(source, &options, error);
  if (!function)
    return error;
  Device device;
  device.order = order;
  currentDevice = &device;
  const int64_t none[4] = {Report::kNone, 0, 0, 0};
  device.report = device.upload(none, sizeof(none));
  std::vector<std::vector<uint64_t>> memrefs;
  for (const Array &argument : arguments)
    memrefs.push_back(argument.describe(reinterpret_cast<void *>(
        device.upload(argument.bytes.data(), argument.bytes.size()))));
  size_t allocations = device.memory.getAllocationCount();
  call(function, memrefs);
  if (device.error.empty() && device.memory.getAllocationCount() != allocations)
    device.error = "leaves memory behind";
  for (size_t i = 0; i < arguments.size(); ++i)
    std::copy_n(reinterpret_cast<const char *>(memrefs[i][1]),
                arguments[i].bytes.size(), arguments[i].bytes.begin());
  int64_t fields[4];
  std::memcpy(fields, reinterpret_cast<void *>(device.report), sizeof(fields));
  report = {fields[0], fields[1], fields[2]};
  if (device.error.empty() && fields[3] != 0)
    device.error = "the lock of the report is still taken";
  return device.error;
}

std::string Programs::callOnCPU(const std::string &source,
                                std::vector<Array> &arguments, Report &report) {
  std::string error;
  void *function = find(source, nullptr, error);
  if (!function)
    return error;
  report = Report();
  currentReport = &report;
  std::vector<std::vector<uint64_t>> memrefs;
  for (Array &argument : arguments)
    memrefs.push_back(argument.describe(argument.bytes.data()));
  call(function, memrefs);
  return "";
}
