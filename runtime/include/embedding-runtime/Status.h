/*===- Status.h - What happened in a call -------------------------*- C -*-===*\
|*
|* Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
|* See LICENSE for license information.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#ifndef EMBEDDING_RUNTIME_STATUS_H
#define EMBEDDING_RUNTIME_STATUS_H

#include <stdint.h>

typedef enum EmbeddingStatusCode {
  EMBEDDING_OK = 0,
  /** An argument breaks a rule that its documentation states. */
  EMBEDDING_INVALID_ARGUMENT = 1,
  /** An index lies outside [0, V); see position, index and count. */
  EMBEDDING_OUT_OF_RANGE = 2,
  /** An allocation failed. */
  EMBEDDING_OUT_OF_MEMORY = 3,
  /** The request is valid, but this build or machine cannot serve it. */
  EMBEDDING_UNSUPPORTED = 4,
  /** A directory or file that another user could have written. */
  EMBEDDING_UNTRUSTED = 5,
  /** The compiler library is missing, does not fit this runtime, or failed. */
  EMBEDDING_COMPILER_ERROR = 6,
  /** A defect of this library, or an exception of a caller's callback. */
  EMBEDDING_INTERNAL = 7,
  /** A function of CUDA's driver failed. */
  EMBEDDING_DEVICE_ERROR = 8
} EmbeddingStatusCode;

/** What happened in a call. Written in full by every call it is passed to. */
typedef struct EmbeddingStatus {
  EmbeddingStatusCode code;
  /** With EMBEDDING_OUT_OF_RANGE: the smallest flat (row-major) position of a
   * bad index, the index found there, and how many there are in all. They do
   * not depend on the number of threads. Otherwise -1, 0 and 0. */
  int64_t position;
  int64_t index;
  int64_t count;
  /** One line in English, null-terminated; empty with EMBEDDING_OK. */
  char message[488];
} EmbeddingStatus;

#endif /* EMBEDDING_RUNTIME_STATUS_H */
