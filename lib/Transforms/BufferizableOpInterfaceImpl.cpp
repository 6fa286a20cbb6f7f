//===- BufferizableOpInterfaceImpl.cpp - Bufferization --------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Transforms/BufferizableOpInterfaceImpl.h"

#include "embedding/IR/Embedding.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace mlir::embedding;

namespace {

/// The lookup overwrites its destination and never reads it.
struct LookupOpInterface
    : DstBufferizableOpInterfaceExternalModel<LookupOpInterface, LookupOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &) const {
    return !cast<LookupOp>(op).isDpsInit(&operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto lookup = cast<LookupOp>(op);
    SmallVector<Value> buffers;
    for (Value operand : op->getOperands()) {
      FailureOr<Value> buffer = getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      buffers.push_back(*buffer);
    }
    auto bufferized = LookupOp::create(
        rewriter, op->getLoc(), buffers[0], buffers[1], buffers[2],
        lookup.getOutOfRange(), lookup.getPaddingIdx());
    bufferized->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    replaceOpWithBufferizedValues(rewriter, op, buffers[2]);
    return success();
  }
};

/// Reads the indices and makes scalars.
struct FindOutOfRangeOpInterface
    : BufferizableOpInterface::ExternalModel<FindOutOfRangeOpInterface,
                                             FindOutOfRangeOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const AnalysisState &) const {
    return true;
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &,
                               const AnalysisState &) const {
    return false;
  }
  AliasingValueList getAliasingValues(Operation *, OpOperand &,
                                      const AnalysisState &) const {
    return {};
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto find = cast<FindOutOfRangeOp>(op);
    FailureOr<Value> indices =
        getBuffer(rewriter, find.getIndices(), options, state);
    if (failed(indices))
      return failure();
    rewriter.replaceOpWithNewOp<FindOutOfRangeOp>(op, *indices,
                                                  find.getNumRows());
    return success();
  }
};

} // namespace

void embedding::registerBufferizableOpInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, EmbeddingDialect *) {
    LookupOp::attachInterface<LookupOpInterface>(*context);
    FindOutOfRangeOp::attachInterface<FindOutOfRangeOpInterface>(*context);
    context->loadDialect<memref::MemRefDialect>();
  });
}
