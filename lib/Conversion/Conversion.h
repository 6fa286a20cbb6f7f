//===- Conversion.h - Conversions that leave nothing ------------*- C++ -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_LIB_CONVERSION_CONVERSION_H
#define EMBEDDING_LIB_CONVERSION_CONVERSION_H

#include "mlir/Transforms/DialectConversion.h"

namespace mlir::embedding {

/// Applies each of `sets` once to all operations in `root`, one set after the
/// other. What `target` calls illegal and is left then is an error, with the
/// reason that a pattern gave.
LogicalResult convert(Operation *root, MutableArrayRef<RewritePatternSet> sets,
                      const ConversionTarget &target);

} // namespace mlir::embedding

#endif // EMBEDDING_LIB_CONVERSION_CONVERSION_H
