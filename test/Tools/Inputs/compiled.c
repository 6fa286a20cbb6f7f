/* Calls a compiled function: the row of an index. */
#include "compiled.h"

#include <stdio.h>

int main(void) {
  float table[2][8] = {{0}, {1, 2, 3, 4, 5, 6, 7, 8}};
  float out[1][8] = {{0}};
  int64_t index = 1;
  int64_t table_shape[2] = {2, 8}, indices_shape[1] = {1},
          out_shape[2] = {1, 8};
  DLDataType float32 = {kDLFloat, 32, 1}, int64 = {kDLInt, 64, 1};
  DLDevice cpu = {kDLCPU, 0};
  DLTensor dl_table = {table, cpu, 2, float32, table_shape, NULL, 0};
  DLTensor dl_indices = {&index, cpu, 1, int64, indices_shape, NULL, 0};
  DLTensor dl_out = {out, cpu, 2, float32, out_shape, NULL, 0};
  EmbeddingStatus status;
  if (lookup(&dl_table, &dl_indices, &dl_out, &status) != EMBEDDING_OK) {
    fprintf(stderr, "%s\n", status.message);
    return 1;
  }
  printf("%g %g\n", out[0][0], out[0][7]);
  return 0;
}
