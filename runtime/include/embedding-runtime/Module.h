/*===- Module.h - C API for functions of IR ----------------------*- C -*-===*\
|*
|* Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
|* See LICENSE for license information.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*|
|*
|* Compiles the functions of an MLIR module and calls them. The conventions are
|* those of Runtime.h.
|*
\*===----------------------------------------------------------------------===*/

#ifndef EMBEDDING_RUNTIME_MODULE_H
#define EMBEDDING_RUNTIME_MODULE_H

#include "embedding-runtime/Runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The public functions of an MLIR module, compiled for one device. Any number
 * of threads may call them at once. */
typedef struct EmbeddingModule EmbeddingModule;

typedef struct EmbeddingModuleOptions {
  size_t struct_size;
  /** What to compile for: the CPU, the default, or a GPU (kDLCUDA). */
  DLDevice device;
  /** Whether dense gradients on a GPU may be summed in any order; see
   * EmbeddingGradOptions. */
  int32_t allow_nondeterministic;
  /** Whether the caller promises that the sizes of a call fit each other. By
   * default the constraints between sizes that are dynamic are checked. */
  int32_t assume_sizes;
} EmbeddingModuleOptions;

EMBEDDING_RUNTIME_EXPORT void
embedding_module_options_init(EmbeddingModuleOptions *options,
                              size_t struct_size);

/** Compiles `ir`, `size` bytes of MLIR's text or bytecode with the dialects of
 * embedding-opt, for what `engine` compiles for. Functions may have tensors,
 * memrefs and scalars as arguments, tensors and scalars as results (and memrefs
 * that are contiguous, which are copied); of f16
 * (not scalars), bf16 (likewise), f32, f64, index, i1 (not scalars; DLPack's
 * kDLBool, bytes of 0 and 1), and integers of 8, 16, 32 or 64 bits. Integers of
 * 8 bits may be kDLBool too.
 *
 * EMBEDDING_COMPILER_ERROR if it does not parse, does not verify, cannot be
 * lowered, has no public function, or calls one that neither it nor the process
 * defines; the message says where. Its code is kept on disk, as that of kernels
 * is. `options` may be
 * null for the defaults. The caller destroys `*out_module`, which is null after
 * a failure, before the engine. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode embedding_module_compile(
    EmbeddingEngine *engine, const char *ir, size_t size,
    const EmbeddingModuleOptions *options, EmbeddingModule **out_module,
    EmbeddingStatus *out_status);

/** Destroys a module that no call uses; null is fine. Work that its calls have
 * enqueued on a GPU may go on: its code there lives as long as the engine. */
EMBEDDING_RUNTIME_EXPORT void embedding_module_destroy(EmbeddingModule *module);

/** An argument or a result. */
typedef struct EmbeddingOperand {
  /** As the text has it, without its `%`; `argN` if it only has a number. A
   * result is `out`, or `outN` if there are several. */
  const char *name;
  /** The dimensions of a tensor or memref; -1 for a scalar. Results that are
   * scalars have 0. */
  int32_t ndim;
  /** Whether it is a memref, which is read and written in place; tensors are
   * not written. */
  int32_t is_memref;
  /** kDLInt where the sign is not in the type: unsigned tensors are taken too.
   */
  DLDataType dtype;
  /** `ndim` sizes, -1 for any. */
  const int64_t *shape;
} EmbeddingOperand;

typedef struct EmbeddingFunction {
  const char *name;
  int32_t num_arguments;
  int32_t num_results;
  const EmbeddingOperand *arguments;
  const EmbeddingOperand *results;
} EmbeddingFunction;

/** The functions, in the order of the module: `*out_functions` becomes the
 * first of as many as are returned, of null none. They live as long as the
 * module. */
EMBEDDING_RUNTIME_EXPORT size_t embedding_module_get_functions(
    const EmbeddingModule *module, const EmbeddingFunction **out_functions);

/** Makes memory for result `number`: fills `out`, which comes as a copy of
 * `like`, with data of the type, shape and device of `like`, whose own data is
 * null. Strides must be null, or those of a compact row-major tensor. Returns
 * 0, or another number if there is no memory. What it throws fails the call. */
typedef int32_t (*EmbeddingMakeResult)(void *context, int64_t number,
                                       const DLTensor *like, DLTensor *out);

typedef struct EmbeddingCallOptions {
  size_t struct_size;
  /** On a GPU: the CUstream (cudaStream_t) that work goes to. Null, the
   * default, is the legacy default stream. */
  void *stream;
  /** Makes the results, if not null: their shapes may not be known before. */
  EmbeddingMakeResult make_result;
  void *make_result_context;
} EmbeddingCallOptions;

EMBEDDING_RUNTIME_EXPORT void
embedding_call_options_init(EmbeddingCallOptions *options, size_t struct_size);

/** Calls `function`. `arguments` has, for each argument, a `const DLTensor *`
 * or the address of a scalar's value, of 8 bytes for `index`; and then, without
 * `make_result`, a `const DLTensor *` for each result, which is written there;
 * what it holds after a failure is unspecified.
 * On the CPU, arguments that are rows of an operation of the dialect, of a
 * length that their type leaves open, have the function compiled for their
 * lengths when it is first called with them (see docs/Runtime.md). Types,
 * shapes and strides that the function's type fixes are checked before
 * it runs; tensors are compact and row-major unless their memref says
 * otherwise. A memref is read and written in place. A tensor is not written: on
 * the CPU a function that updates one updates a copy, for a GPU it does not
 * compile.
 *
 * Sizes that do not fit each other are EMBEDDING_INVALID_ARGUMENT: of operands
 * of the dialect's and of linalg's operations, slices, padding,
 * concatenations, reshapes, views, copies and casts. The message names the
 * operation, its operand and the dimension. The positions of single elements
 * and vectors (tensor.extract, memref.store, vector.transfer_read, ...) and
 * what memref.reinterpret_cast says are not checked. Those that arguments
 * determine, of operations outside loops and branches, are checked before
 * anything is written, the others before their operation; memory that there is
 * not is EMBEDDING_OUT_OF_MEMORY, and what memrefs then hold is unspecified.
 *
 * A `cf.assert` that fails is EMBEDDING_INVALID_ARGUMENT too, "assertion
 * failed: " and its message; what memrefs then hold is unspecified.
 *
 * Memrefs may overlap each other and tensors, by design or not: the function's
 * own operations say what comes of that, and those of the dialect expect that
 * what they write lies apart. Results share no memory with arguments or with
 * each other: EMBEDDING_INVALID_ARGUMENT, before the function runs unless they
 * come of `make_result`.
 *
 * EMBEDDING_OUT_OF_RANGE if an operation with `out_of_range(check)` has met a
 * bad index: what the function has written is then unspecified. On a GPU,
 * embedding_synchronize tells of that. There, data is aligned to 16 bytes. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode embedding_module_call(
    EmbeddingModule *module, const char *function, const void *const *arguments,
    const EmbeddingCallOptions *options, EmbeddingStatus *out_status);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* EMBEDDING_RUNTIME_MODULE_H */
