//===- MergeTemporaries.h - One allocation for several buffers --*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_CONVERSION_EMBEDDINGTOLOOPS_MERGETEMPORARIES_H
#define EMBEDDING_LIB_CONVERSION_EMBEDDINGTOLOOPS_MERGETEMPORARIES_H

#include "mlir/IR/Block.h"

namespace mlir::embedding {

/// Makes buffers in `block` for which `isTemporary` holds views of one, at
/// multiples of 64 bytes, where all of them are there when the last one is
/// allocated. They must be freed in `block`, and nothing else may be allocated
/// or freed between the first and the last. The size of the one is -1 if a size
/// is negative, and the largest number if the sum is larger than 2^62: who
/// allocates then refuses it, as the single ones would have been refused.
void mergeTemporaries(Block &block,
                      llvm::function_ref<bool(Operation *)> isTemporary);

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_CONVERSION_EMBEDDINGTOLOOPS_MERGETEMPORARIES_H
