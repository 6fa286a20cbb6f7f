/*===- Runtime.h - C API of the embedding runtime -----------------*- C -*-===*\
|*
|* Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
|* See LICENSE for license information.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*|
|*
|* Conventions:
|*
|* - Tensors are DLPack's `DLTensor`, borrowed for the call. The memory is the
|*   caller's, outputs included; nothing is retained after a call returns, or
|*   on a GPU after the work that the call has enqueued.
|*   `strides` may be null for a compact row-major tensor. Strides may be
|*   negative, and zero where a dimension is only read. Base pointers need no
|*   alignment beyond what each function says.
|* - Every function that can fail returns an `EmbeddingStatusCode` and, if
|*   `out_status` is not null, describes the failure there. It never aborts, and
|*   no exception leaves it.
|* - A struct of options starts with its size. The `..._init` functions, which
|*   take that size, set it and the defaults; fields that later versions add
|*   have theirs in a program that does not know them. A size of 0, as in a
|*   struct that was only cleared, is EMBEDDING_INVALID_ARGUMENT.
|* - An engine may be used by any number of threads at once. Creating and
|*   destroying one is not synchronized with its other uses.
|* - The child of a fork() may use the engines of its parent, on the calling
|*   thread, whatever other threads did with them. fork() waits while
|*   another thread has a kernel compiled.
|*
\*===----------------------------------------------------------------------===*/

#ifndef EMBEDDING_RUNTIME_RUNTIME_H
#define EMBEDDING_RUNTIME_RUNTIME_H

#include "embedding-runtime/Status.h"

#include <dlpack/dlpack.h>

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EMBEDDING_RUNTIME_VERSION_MAJOR 0
#define EMBEDDING_RUNTIME_VERSION_MINOR 1
#define EMBEDDING_RUNTIME_VERSION_PATCH 0

#if defined(_WIN32)
#define EMBEDDING_RUNTIME_EXPORT __declspec(dllexport)
#else
#define EMBEDDING_RUNTIME_EXPORT __attribute__((visibility("default")))
#endif

/** The version of the library in use, as major * 10000 + minor * 100 + patch.
 * Within one major version (within one minor version, while that is 0) later
 * libraries run programs built with earlier headers. */
EMBEDDING_RUNTIME_EXPORT int32_t embedding_runtime_version(void);

/*===----------------------------------------------------------------------===*\
|* Engine
\*===----------------------------------------------------------------------===*/

/** Compiles kernels, keeps them, and runs them. */
typedef struct EmbeddingEngine EmbeddingEngine;

/** A piece of work on [begin, end). Does not throw. */
typedef void (*EmbeddingRangeFunction)(void *range_context, int64_t begin,
                                       int64_t end);

/** Calls `function` on disjoint ranges that cover [0, size), on any threads,
 * and returns when all calls have returned. Ranges should have at least `grain`
 * elements, apart from the last. Called by several threads at once if the
 * engine is. Neither it nor any other callback ends its thread. */
typedef void (*EmbeddingParallelFor)(void *context, int64_t size, int64_t grain,
                                     EmbeddingRangeFunction function,
                                     void *range_context);

/** Returns `size` bytes at a multiple of `alignment` (a power of two), or null.
 * Called by several threads at once if the engine is. */
typedef void *(*EmbeddingAllocate)(void *context, size_t size,
                                   size_t alignment);
/** Takes back what EmbeddingAllocate returned. */
typedef void (*EmbeddingDeallocate)(void *context, void *memory, size_t size,
                                    size_t alignment);

/** Returns `size` bytes of the memory of GPU `device_id`, at a multiple of 256,
 * for work in `stream`, a CUstream; or null. The device's primary context is
 * current. Called by several threads at once if the engine is. */
typedef void *(*EmbeddingDeviceAllocate)(void *context, int32_t device_id,
                                         void *stream, size_t size);
/** Takes back what EmbeddingDeviceAllocate returned, when the work that
 * `stream` has now is done. */
typedef void (*EmbeddingDeviceDeallocate)(void *context, int32_t device_id,
                                          void *stream, void *memory,
                                          size_t size);

typedef enum EmbeddingLowering {
  EMBEDDING_LOWERING_OPTIMIZED = 0,
  /** Element by element, for comparison: the same results, slowly. */
  EMBEDDING_LOWERING_NAIVE = 1
} EmbeddingLowering;

typedef struct EmbeddingEngineOptions {
  size_t struct_size;
  /** The CPU to compile for, as LLVM names it (`x86-64-v3`, `znver4`). Null,
   * the default, is the one the process runs on. Code for a CPU with
   * instructions that this machine does not have is refused when it would be
   * compiled. */
  const char *cpu;
  /** An EmbeddingLowering. */
  int32_t lowering;
  /** Where compiled kernels are kept between processes. Null, the default, is
   * the environment's EMBEDDING_CACHE_DIR or, without it, embedding-mlir in
   * XDG_CACHE_HOME or ~/.cache. An empty string keeps nothing on disk. A
   * directory that others could write, or inside one, is refused: with
   * EMBEDDING_UNTRUSTED if it was asked for, and by keeping nothing on disk if
   * it is the default. */
  const char *cache_dir;
  /** Bytes that the directory may hold; the kernels used longest ago go first.
   * 0, the default, is 256 MiB. */
  uint64_t cache_max_bytes;
  /** Threads of the engine's own pool, the calling one included. 0, the
   * default, is the number of CPUs the process may use. With parallel_for, how
   * many threads that has: algorithms are chosen by it, results are not. */
  int32_t num_threads;
  /** Runs ranges in place of the engine's own pool, if not null. */
  EmbeddingParallelFor parallel_for;
  void *parallel_for_context;
  /** Memory for workspace and buffers, in place of the engine's pool; both or
   * none. */
  EmbeddingAllocate allocate;
  EmbeddingDeallocate deallocate;
  void *allocator_context;
  /** The compiler library. Null, the default, is libembedding-compiler beside
   * this library. It runs in a process of its own, from the first compilation
   * on until there has been none for a while. */
  const char *compiler_library;
  /** Bytes of workspace and buffers given back that the engine keeps to use
   * again. 0, the default, is 1 GiB; 1 keeps nothing. It keeps no more than
   * brings the whole to what was in use at once, and 32 MiB. */
  uint64_t max_idle_buffer_bytes;
  /** CUDA's driver. Null, the default, is the environment's
   * EMBEDDING_CUDA_LIBRARY or, without it, libcuda.so.1. It is loaded when a
   * tensor on a GPU comes, not before. */
  const char *cuda_library;
  /** Memory for workspace on GPUs, in place of cuMemAllocAsync; both or none.
   */
  EmbeddingDeviceAllocate device_allocate;
  EmbeddingDeviceDeallocate device_deallocate;
  void *device_allocator_context;
} EmbeddingEngineOptions;

EMBEDDING_RUNTIME_EXPORT void
embedding_engine_options_init(EmbeddingEngineOptions *options,
                              size_t struct_size);

/** Creates an engine. `options` may be null for the defaults; its strings are
 * copied. The caller destroys `*out_engine`, which is null after a failure. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode embedding_engine_create(
    const EmbeddingEngineOptions *options, EmbeddingEngine **out_engine,
    EmbeddingStatus *out_status);

/** Destroys an engine that no call uses; null is fine. */
EMBEDDING_RUNTIME_EXPORT void embedding_engine_destroy(EmbeddingEngine *engine);

/** What an engine has done so far. */
typedef struct EmbeddingEngineStatistics {
  size_t struct_size;
  /** Kernels and modules compiled, and those loaded from the directory
   * instead. */
  int64_t kernels_compiled;
  int64_t kernels_loaded;
  /** Objects in the directory that were damaged or not to be trusted, and were
   * compiled again. */
  int64_t objects_rejected;
  /** Bytes of buffers that are kept and not in use. */
  int64_t idle_buffer_bytes;
} EmbeddingEngineStatistics;

/** Fills `out_statistics`, whose struct_size the caller has set. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode embedding_engine_get_statistics(
    const EmbeddingEngine *engine, EmbeddingEngineStatistics *out_statistics,
    EmbeddingStatus *out_status);

/** The directory in use, or an empty string if kernels are not kept on disk.
 * Lives as long as the engine. */
EMBEDDING_RUNTIME_EXPORT const char *
embedding_engine_cache_dir(const EmbeddingEngine *engine);

/*===----------------------------------------------------------------------===*\
|* GPUs
|*
|* Tensors may be on an NVIDIA GPU of compute capability 8.0 or later, all of
|* one call on the same. Then:
|*
|* - A call enqueues its work in the `stream` of its options and returns. It
|*   does not wait for the device, and may be captured into a CUDA graph, once
|*   a call of the same kernel has gone before it. It runs
|*   in the device's primary context, as the work of other libraries does.
|* - Indices are checked on the device: nothing is read or written out of
|*   bounds, and embedding_synchronize tells of bad ones. Until then outputs of
|*   a call with a bad index are unspecified, but a table with `max_norm` is
|*   not changed.
|* - Sums have the bits that they have on the CPU.
|* - Results are in the memory of the device, `out_nnz` too.
|* - Workspace comes from the engine's allocator for GPUs.
|* - Indices, and what has their shape, may have any strides that come down to
|*   one dimension without copying, or to four; rows of tables any.
|*
|* Without a driver, calls with such tensors fail with EMBEDDING_UNSUPPORTED.
\*===----------------------------------------------------------------------===*/

/** Waits for the work in `stream`, a CUstream of GPU `device_id`; null is the
 * legacy default stream. EMBEDDING_OUT_OF_RANGE if calls of this engine in that
 * stream have met indices out of range since the last time it was asked: of the
 * call with the smallest flat position, that and the index there, and the
 * number of all. The context is as usable as before. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode
embedding_synchronize(EmbeddingEngine *engine, int32_t device_id, void *stream,
                      EmbeddingStatus *out_status);

/*===----------------------------------------------------------------------===*\
|* Memory
|*
|* Outputs may lie anywhere. But a new large output costs more than the lookup
|* that fills it: each of its pages faults and is cleared first. Buffers of an
|* engine are used again and lie on pages of 2 MiB, if they are that large and
|* the system has such pages.
\*===----------------------------------------------------------------------===*/

/** `*out_memory` becomes `size` bytes at a multiple of 64, from the engine's
 * allocator; null after a failure. Their contents are unspecified. The caller
 * gives them back with embedding_buffer_deallocate, before it destroys the
 * engine. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode
embedding_buffer_allocate(EmbeddingEngine *engine, size_t size,
                          void **out_memory, EmbeddingStatus *out_status);

/** Takes back what embedding_buffer_allocate returned for `size` bytes; null is
 * fine. */
EMBEDDING_RUNTIME_EXPORT void
embedding_buffer_deallocate(EmbeddingEngine *engine, void *memory, size_t size);

/** Changes the option max_idle_buffer_bytes, and gives what is more than that
 * back to the system at once. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode
embedding_engine_set_max_idle_buffer_bytes(EmbeddingEngine *engine,
                                           uint64_t bytes,
                                           EmbeddingStatus *out_status);

/** Asks the system to put [memory, memory + size), a table above all, on pages
 * of 2 MiB: a lookup in a large table otherwise costs a miss of the translation
 * buffers for each row. What is at the edges of the range and no whole page
 * stays as it is. Contents do not change. Takes the time of copying what has
 * been touched; best called before that. Any memory of this process that
 * malloc or mmap have made private is fine; that of a mapped file is not, in
 * general. EMBEDDING_UNSUPPORTED if the system has no such pages. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode embedding_advise_huge_pages(
    void *memory, size_t size, EmbeddingStatus *out_status);

/*===----------------------------------------------------------------------===*\
|* Lookup
\*===----------------------------------------------------------------------===*/

/** What happens to an index outside [0, V). There is no wrap-around. */
typedef enum EmbeddingOutOfRange {
  /** The call fails with EMBEDDING_OUT_OF_RANGE; the contents of the output are
   * then unspecified. */
  EMBEDDING_OUT_OF_RANGE_CHECK = 0,
  /** The caller promises that there is none. Undefined behaviour otherwise. */
  EMBEDDING_OUT_OF_RANGE_ASSUME = 1,
  /** The nearest row; zeros if the table has no rows. */
  EMBEDDING_OUT_OF_RANGE_CLAMP = 2,
  /** A row of zeros. */
  EMBEDDING_OUT_OF_RANGE_ZERO = 3
} EmbeddingOutOfRange;

typedef struct EmbeddingLookupOptions {
  size_t struct_size;
  /** An EmbeddingOutOfRange. */
  int32_t out_of_range;
  /** The row that takes no gradient, if has_padding_idx: in [-V, V), a negative
   * one counting from the end. It is validated and changes nothing here. */
  int32_t has_padding_idx;
  int64_t padding_idx;
  /** With has_max_norm, the rows that are looked up are first shortened as
   * embedding_renorm does it: `table` is written. */
  int32_t has_max_norm;
  double max_norm;
  double norm_type;
  /** With tensors on a GPU: the CUstream (cudaStream_t) that work goes to.
   * Null, the default, is the legacy default stream. */
  void *stream;
} EmbeddingLookupOptions;

EMBEDDING_RUNTIME_EXPORT void
embedding_lookup_options_init(EmbeddingLookupOptions *options,
                              size_t struct_size);

/** out[i..., :] = table[indices[i...], :], bit for bit.
 *
 * Shapes: `table` [V, D], of any element type of whole bytes; `indices` of any
 * rank, int32 or int64; `out` indices.shape + [D], of the type of `table`. Any
 * dimension may be 0.
 *
 * `table` and `out` may be strided in any way, without a copy, except that two
 * elements of `out` may not share memory, nor `out` share any with the others.
 * (`out` is refused unless each of its strides steps over all that the
 * dimensions of smaller strides reach. It may lie in the gaps of another
 * tensor, unless both have so many strides that do not nest that it takes too
 * long to find out.) A table or an output whose rows are not contiguous must be
 * aligned to its element, and the element have 1, 2, 4, 8 or 16 bytes. Indices
 * that are not contiguous or not aligned are first copied to workspace memory
 * of N * sizeof(index) bytes.
 *
 * The first call for a combination of row size, index type and mode compiles a
 * kernel. `options` may be null for the defaults.
 *
 * With `has_max_norm` every index is checked before the table is written, and
 * what embedding_renorm asks of the table holds too; each row is read once,
 * scaled, written back if it changed, and copied to where it is named.
 *
 * The forward-mode derivative of a lookup is the lookup of the tangent of the
 * table with the same indices, without max_norm, whose scaling derivatives
 * ignore. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode
embedding_lookup(EmbeddingEngine *engine, const DLTensor *table,
                 const DLTensor *indices, const EmbeddingLookupOptions *options,
                 const DLTensor *out, EmbeddingStatus *out_status);

/*===----------------------------------------------------------------------===*\
|* Training
|*
|* Common to what follows:
|*
|* - Tables, gradients and values are float16, bfloat16, float32 or float64, all
|*   of one call of one type, and aligned to their element. Sums are taken in
|*   float64 for float64 and in float32 for the others, in an order that the
|*   indices alone fix: the same bits for any number of threads. Gradients
|*   at padded positions are not read: no NaN leaks from there.
|* - On the CPU every index is checked before anything is written. A call that
|*   fails leaves its outputs, a table above all, bit for bit as they were.
|* - What is read may be strided in any way; so may what is written, unless
|*   said, if its elements share no memory with each other or with others'.
|* - Workspace memory comes from the engine's allocator, in at most one piece.
|*   Each function has a companion, `..._workspace_size`, of the same arguments
|*   but for `out_nnz`, whose `out_bytes` becomes the size of that piece, 0 if
|*   there is none. It compiles the kernel if need be, reads shapes and strides,
|*   and touches no data.
|* - `indices` have any rank, N elements in all, and are int32 or int64.
|*   The bits of N - 1 and those of V must be 64 or fewer in all.
\*===----------------------------------------------------------------------===*/

typedef struct EmbeddingRenormOptions {
  size_t struct_size;
  /** An EmbeddingOutOfRange. With EMBEDDING_OUT_OF_RANGE_ZERO an index out of
   * range names no row. */
  int32_t out_of_range;
  /** The p of the norm: 2 by default; 0, infinities, negative and fractional
   * values are fine, NaN is not. */
  double norm_type;
  /** With tensors on a GPU: the CUstream (cudaStream_t) that work goes to.
   * Null, the default, is the legacy default stream. */
  void *stream;
} EmbeddingRenormOptions;

EMBEDDING_RUNTIME_EXPORT void
embedding_renorm_options_init(EmbeddingRenormOptions *options,
                              size_t struct_size);

/** Multiplies each distinct row of `table` [V, D] that `indices` name and whose
 * p-norm exceeds `max_norm` by max_norm / (norm + 1e-7), in place.
 *
 * The norm is taken in float64 and rounded to the type of the table; it is
 * compared, and the factor computed, in float64; the factor is rounded to the
 * type of the table. A row whose norm is NaN, or any row if max_norm is, stays
 * as it is. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode embedding_renorm(
    EmbeddingEngine *engine, const DLTensor *table, const DLTensor *indices,
    double max_norm, const EmbeddingRenormOptions *options,
    EmbeddingStatus *out_status);

typedef struct EmbeddingGradOptions {
  size_t struct_size;
  /** An EmbeddingOutOfRange. With EMBEDDING_OUT_OF_RANGE_ZERO an index out of
   * range takes no gradient, as the padding does. */
  int32_t out_of_range;
  /** The row that takes no gradient, if has_padding_idx: in [-V, V), a negative
   * one counting from the end. */
  int32_t has_padding_idx;
  int64_t padding_idx;
  /** Whether gradients are multiplied by 1 / how often their row is among all
   * indices, computed in float64 and rounded to the type of sums. */
  int32_t scale_grad_by_freq;
  /** Whether a dense gradient of float32 or float64 on a GPU may be summed in
   * any order, by atomic additions: it then has other bits in each run. It has
   * no effect on other types, on the CPU, or with scale_grad_by_freq. */
  int32_t allow_nondeterministic;
  /** With tensors on a GPU: the CUstream (cudaStream_t) that work goes to.
   * Null, the default, is the legacy default stream. */
  void *stream;
} EmbeddingGradOptions;

EMBEDDING_RUNTIME_EXPORT void
embedding_grad_options_init(EmbeddingGradOptions *options, size_t struct_size);

/** grad_table[k, :] = the sum of grad_output[i..., :] over the positions whose
 * index is k; zero where there is none.
 *
 * Shapes: `grad_output` indices.shape + [D], `grad_table` [V, D], which is
 * written in full, each byte once. Positions of one row are cut into chunks of
 * 128; each is summed in order from zero, and the sums of chunks pairwise at
 * distances 1, 2, 4 and so on; the result is rounded once. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode embedding_dense_grad(
    EmbeddingEngine *engine, const DLTensor *grad_output,
    const DLTensor *indices, const EmbeddingGradOptions *options,
    const DLTensor *grad_table, EmbeddingStatus *out_status);

/** One entry for each position in row-major order, without those of the padding
 * row: its index in `rows`, its gradient in `values`.
 *
 * Shapes: `grad_output` indices.shape + [D], `rows` [N] int64 and contiguous,
 * `values` [N, D]. `*out_nnz` becomes the number of entries; what follows them
 * is unspecified. `num_rows` is V. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode embedding_sparse_grad(
    EmbeddingEngine *engine, const DLTensor *grad_output,
    const DLTensor *indices, int64_t num_rows,
    const EmbeddingGradOptions *options, const DLTensor *rows,
    const DLTensor *values, int64_t *out_nnz, EmbeddingStatus *out_status);

typedef struct EmbeddingCoalesceOptions {
  size_t struct_size;
  /** An EmbeddingOutOfRange. With EMBEDDING_OUT_OF_RANGE_ZERO an index out of
   * range is left out. */
  int32_t out_of_range;
  /** With tensors on a GPU: the CUstream (cudaStream_t) that work goes to.
   * Null, the default, is the legacy default stream. */
  void *stream;
} EmbeddingCoalesceOptions;

EMBEDDING_RUNTIME_EXPORT void
embedding_coalesce_options_init(EmbeddingCoalesceOptions *options,
                                size_t struct_size);

/** The distinct `indices` in ascending order in `rows`, and in `sums` the sums
 * of the `values` of each, in the order of embedding_dense_grad.
 *
 * Shapes: `indices` [N], `values` [N, D], `rows` [N] int64 and contiguous,
 * `sums` [N, D]. `*out_nnz` becomes the number of distinct rows; what follows
 * them is unspecified. `num_rows` is V. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode embedding_coalesce(
    EmbeddingEngine *engine, const DLTensor *indices, const DLTensor *values,
    int64_t num_rows, const EmbeddingCoalesceOptions *options,
    const DLTensor *rows, const DLTensor *sums, int64_t *out_nnz,
    EmbeddingStatus *out_status);

/** The derivative of embedding_dense_grad, applied to `grad_grad_table` [V, D]:
 * its rows at the indices, scaled by frequency if asked, and zeros for the
 * padding row. `out` has shape indices.shape + [D]. */
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode embedding_double_backward(
    EmbeddingEngine *engine, const DLTensor *grad_grad_table,
    const DLTensor *indices, const EmbeddingGradOptions *options,
    const DLTensor *out, EmbeddingStatus *out_status);

EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode embedding_lookup_workspace_size(
    EmbeddingEngine *engine, const DLTensor *table, const DLTensor *indices,
    const EmbeddingLookupOptions *options, const DLTensor *out,
    size_t *out_bytes, EmbeddingStatus *out_status);
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode embedding_renorm_workspace_size(
    EmbeddingEngine *engine, const DLTensor *table, const DLTensor *indices,
    double max_norm, const EmbeddingRenormOptions *options, size_t *out_bytes,
    EmbeddingStatus *out_status);
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode
embedding_dense_grad_workspace_size(
    EmbeddingEngine *engine, const DLTensor *grad_output,
    const DLTensor *indices, const EmbeddingGradOptions *options,
    const DLTensor *grad_table, size_t *out_bytes, EmbeddingStatus *out_status);
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode
embedding_sparse_grad_workspace_size(EmbeddingEngine *engine,
                                     const DLTensor *grad_output,
                                     const DLTensor *indices, int64_t num_rows,
                                     const EmbeddingGradOptions *options,
                                     const DLTensor *rows,
                                     const DLTensor *values, size_t *out_bytes,
                                     EmbeddingStatus *out_status);
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode embedding_coalesce_workspace_size(
    EmbeddingEngine *engine, const DLTensor *indices, const DLTensor *values,
    int64_t num_rows, const EmbeddingCoalesceOptions *options,
    const DLTensor *rows, const DLTensor *sums, size_t *out_bytes,
    EmbeddingStatus *out_status);
EMBEDDING_RUNTIME_EXPORT EmbeddingStatusCode
embedding_double_backward_workspace_size(EmbeddingEngine *engine,
                                         const DLTensor *grad_grad_table,
                                         const DLTensor *indices,
                                         const EmbeddingGradOptions *options,
                                         const DLTensor *out, size_t *out_bytes,
                                         EmbeddingStatus *out_status);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* EMBEDDING_RUNTIME_RUNTIME_H */
