//===- HostFunctions.cpp - What generated code calls ----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Call/HostFunctions.h"

#include "Call/GeneratedCall.h"

using namespace embedding::runtime;

#define DECLARE(name) extern "C" void name();
EMBEDDING_BUILTIN_FUNCTIONS(DECLARE)
#undef DECLARE

static constexpr auto embedding_allocate = &GeneratedCall::allocate;
static constexpr auto embedding_allocate_result =
    &GeneratedCall::allocateResult;
static constexpr auto embedding_deallocate = &GeneratedCall::deallocate;
static constexpr auto embedding_get_out_of_range_report =
    &GeneratedCall::getOutOfRangeReport;
static constexpr auto embedding_launch_kernel = &GeneratedCall::launchKernel;
static constexpr auto embedding_parallel_for = &GeneratedCall::parallelFor;
static constexpr auto embedding_report_assertion =
    &GeneratedCall::reportAssertion;
static constexpr auto embedding_report_mismatch =
    &GeneratedCall::reportMismatch;
static constexpr auto embedding_report_out_of_range =
    &GeneratedCall::reportOutOfRange;
static constexpr auto embedding_take_result = &GeneratedCall::takeResult;
static constexpr auto memrefCopy = &GeneratedCall::copyMemRef;

const HostFunctions &embedding::runtime::getHostFunctions() {
  static const HostFunctions functions = {
#define ADDRESS(name) reinterpret_cast<void *>(name),
      EMBEDDING_HOST_FUNCTIONS(ADDRESS)
#undef ADDRESS
  };
  return functions;
}
