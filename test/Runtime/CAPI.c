/*===- CAPI.c - The C API from C ----------------------------------*- C -*-===*\
|*
|* Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
|* See LICENSE for license information.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#include "embedding-runtime/Runtime.h"

#include <stdio.h>
#include <string.h>

static DLTensor makeTensor(void *data, uint8_t code, uint8_t bits,
                           int64_t *shape, int ndim) {
  DLTensor tensor;
  memset(&tensor, 0, sizeof(tensor));
  tensor.data = data;
  tensor.device.device_type = kDLCPU;
  tensor.ndim = ndim;
  tensor.dtype.code = code;
  tensor.dtype.bits = bits;
  tensor.dtype.lanes = 1;
  tensor.shape = shape;
  return tensor;
}

int main(void) {
  EmbeddingEngineOptions options;
  EmbeddingEngine *engine;
  EmbeddingStatus status;
  embedding_engine_options_init(&options, sizeof(options));
  options.cache_dir = "";
  if (embedding_engine_create(&options, &engine, &status) != EMBEDDING_OK) {
    fprintf(stderr, "%s\n", status.message);
    return 1;
  }

  float table_data[4][3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {10, 11, 12}};
  int64_t indices_data[3] = {2, 0, 3};
  float out_data[3][3];
  const float expected[3][3] = {{7, 8, 9}, {1, 2, 3}, {10, 11, 12}};
  int64_t table_shape[2] = {4, 3}, indices_shape[1] = {3},
          out_shape[2] = {3, 3};
  DLTensor table = makeTensor(table_data, kDLFloat, 32, table_shape, 2);
  DLTensor indices = makeTensor(indices_data, kDLInt, 64, indices_shape, 1);
  DLTensor out = makeTensor(out_data, kDLFloat, 32, out_shape, 2);

  int failures = 0;
  failures += embedding_lookup(engine, &table, &indices, NULL, &out, &status) !=
                  EMBEDDING_OK ||
              memcmp(out_data, expected, sizeof(expected)) != 0;

  /* A status is optional. */
  indices_data[1] = -1;
  failures += embedding_lookup(engine, &table, &indices, NULL, &out, NULL) !=
              EMBEDDING_OUT_OF_RANGE;
  failures += embedding_lookup(engine, &table, &indices, NULL, &out, &status) !=
                  EMBEDDING_OUT_OF_RANGE ||
              status.position != 1 || status.index != -1 || status.count != 1;

  /* The gradient of the rows above: ones where they were looked up. */
  indices_data[1] = 0;
  float ones[3][3] = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}, grad_data[4][3];
  const float expected_grad[4][3] = {
      {1, 1, 1}, {0, 0, 0}, {1, 1, 1}, {0, 0, 0}};
  DLTensor grad_output = makeTensor(ones, kDLFloat, 32, out_shape, 2);
  DLTensor grad = makeTensor(grad_data, kDLFloat, 32, table_shape, 2);
  EmbeddingGradOptions grad_options;
  embedding_grad_options_init(&grad_options, sizeof(grad_options));
  grad_options.has_padding_idx = 1;
  grad_options.padding_idx = -1;
  failures +=
      embedding_dense_grad(engine, &grad_output, &indices, &grad_options, &grad,
                           &status) != EMBEDDING_OK ||
      memcmp(grad_data, expected_grad, sizeof(expected_grad)) != 0;

  /* A buffer for an output, on huge pages if it were large. */
  void *buffer = NULL;
  failures += embedding_buffer_allocate(engine, sizeof(out_data), &buffer,
                                        &status) != EMBEDDING_OK;
  DLTensor buffered = makeTensor(buffer, kDLFloat, 32, out_shape, 2);
  failures += embedding_lookup(engine, &table, &indices, NULL, &buffered,
                               &status) != EMBEDDING_OK ||
              memcmp(buffer, expected, sizeof(expected)) != 0;
  embedding_buffer_deallocate(engine, buffer, sizeof(out_data));

  embedding_engine_destroy(engine);
  if (failures)
    fprintf(stderr, "%d failures\n", failures);
  return failures != 0;
}
