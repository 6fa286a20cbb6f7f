//===- TorchPeer.cpp - PyTorch as a contender -----------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TorchPeer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/api/include/torch/version.h>

using namespace embedding::bench;

static at::Tensor borrow(float *data, at::IntArrayRef shape) {
  return at::from_blob(data, shape, at::kFloat);
}
static at::Tensor borrow(int64_t *data, int64_t size) {
  return at::from_blob(data, {size}, at::kLong);
}
static at::Tensor borrow(void *data, at::IntArrayRef shape,
                         int32_t elementBytes) {
  return at::from_blob(data, shape, elementBytes == 2 ? at::kHalf : at::kFloat);
}

static void indexSelect(void *table, int64_t numRows, int64_t rowLength,
                        int32_t elementBytes, int64_t *indices, int64_t count,
                        void *out) {
  at::Tensor to = borrow(out, {count, rowLength}, elementBytes);
  at::index_select_out(to, borrow(table, {numRows, rowLength}, elementBytes),
                       /*dim=*/0, borrow(indices, count));
}

static void embed(void *table, int64_t numRows, int64_t rowLength,
                  int32_t elementBytes, int64_t *indices, int64_t count) {
  at::embedding(borrow(table, {numRows, rowLength}, elementBytes),
                borrow(indices, count));
}

static void embedBags(float *table, int64_t numRows, int64_t rowLength,
                      int64_t *indices, int64_t count, int64_t *offsets,
                      int64_t numBags, int64_t mode, float *weights,
                      int64_t paddingIdx) {
  std::optional<at::Tensor> perSample;
  if (weights)
    perSample = borrow(weights, {count});
  at::_embedding_bag_forward_only(
      borrow(table, {numRows, rowLength}), borrow(indices, count),
      borrow(offsets, numBags), /*scale_grad_by_freq=*/false, mode,
      /*sparse=*/false, perSample, /*include_last_offset=*/false, paddingIdx);
}

static void denseGrad(float *gradOutput, int64_t *indices, int64_t count,
                      int64_t rowLength, int64_t numRows) {
  at::embedding_dense_backward(borrow(gradOutput, {count, rowLength}),
                               borrow(indices, count), numRows,
                               /*padding_idx=*/-1,
                               /*scale_grad_by_freq=*/false);
}

static void renorm(float *table, int64_t numRows, int64_t rowLength,
                   int64_t *indices, int64_t count, double maxNorm) {
  at::Tensor weight = borrow(table, {numRows, rowLength});
  at::embedding_renorm_(weight, borrow(indices, count), maxNorm, 2.0);
}

static void coalesce(int64_t *indices, float *values, int64_t count,
                     int64_t rowLength, int64_t numRows) {
  at::_sparse_coo_tensor_unsafe(borrow(indices, count).unsqueeze(0),
                                borrow(values, {count, rowLength}),
                                {numRows, rowLength})
      .coalesce();
}

extern "C" __attribute__((visibility("default"))) const TorchPeer *
embedding_bench_get_torch_peer() {
  static const TorchPeer peer = {
      TORCH_VERSION, [](int32_t count) { at::set_num_threads(count); },
      indexSelect,   embed,
      embedBags,     denseGrad,
      renorm,        coalesce};
  return &peer;
}
