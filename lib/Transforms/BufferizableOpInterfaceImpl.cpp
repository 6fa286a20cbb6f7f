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

/// Operations in destination-passing style become themselves on buffers.
/// `kReadsFirstInit` says that the first destination is updated, not
/// overwritten; any other is never read.
template <typename OpTy, bool kReadsFirstInit = false>
struct DestinationStyleOpModel
    : DstBufferizableOpInterfaceExternalModel<
          DestinationStyleOpModel<OpTy, kReadsFirstInit>, OpTy> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &) const {
    auto destination = cast<DestinationStyleOpInterface>(op);
    return !destination.isDpsInit(&operand) ||
           (kReadsFirstInit && &operand == destination.getDpsInitOperand(0));
  }

  LogicalResult resolveConflicts(Operation *op, RewriterBase &rewriter,
                                 const AnalysisState &analysisState,
                                 const BufferizationState &state) const {
    // Tables are large: a copy should not go unnoticed.
    OpOperand &first =
        *cast<DestinationStyleOpInterface>(op).getDpsInitOperand(0);
    if (kReadsFirstInit && isa<TensorType>(first.get().getType()) &&
        !analysisState.isInPlace(first))
      op->emitRemark(
          "copies the table, because its value before is read again");
    return cast<BufferizableOpInterface>(op).resolveTensorOpOperandConflicts(
        rewriter, analysisState, state);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      if (!isa<TensorType>(operand.getType())) {
        operands.push_back(operand);
        continue;
      }
      FailureOr<Value> buffer = getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      operands.push_back(*buffer);
    }
    // The properties too, which mlir::clone forgets.
    auto bufferized =
        cast<DestinationStyleOpInterface>(rewriter.insert(Operation::create(
            op->getLoc(), op->getName(), TypeRange(), operands,
            op->getDiscardableAttrDictionary(), op->getPropertiesStorage(),
            BlockRange(), /*numRegions=*/0)));
    SmallVector<Value> inits(bufferized.getDpsInits());
    replaceOpWithBufferizedValues(rewriter, op, inits);
    return success();
  }
};

/// Reads a list, the first operand, and makes scalars.
template <typename OpTy>
struct FindOpModel
    : BufferizableOpInterface::ExternalModel<FindOpModel<OpTy>, OpTy> {
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
    FailureOr<Value> list =
        getBuffer(rewriter, op->getOperand(0), options, state);
    if (failed(list))
      return failure();
    rewriter.replaceOpWithNewOp<OpTy>(op, *list, op->getOperand(1));
    return success();
  }
};

} // namespace

void embedding::registerBufferizableOpInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, EmbeddingDialect *) {
    LookupOp::attachInterface<DestinationStyleOpModel<LookupOp>>(*context);
    RenormOp::attachInterface<DestinationStyleOpModel<RenormOp, true>>(
        *context);
    RenormLookupOp::attachInterface<
        DestinationStyleOpModel<RenormLookupOp, true>>(*context);
    DenseGradOp::attachInterface<DestinationStyleOpModel<DenseGradOp>>(
        *context);
    SparseGradOp::attachInterface<DestinationStyleOpModel<SparseGradOp>>(
        *context);
    CoalesceOp::attachInterface<DestinationStyleOpModel<CoalesceOp>>(*context);
    DoubleBackwardOp::attachInterface<
        DestinationStyleOpModel<DoubleBackwardOp>>(*context);
    GroupOp::attachInterface<DestinationStyleOpModel<GroupOp>>(*context);
    ReduceOp::attachInterface<DestinationStyleOpModel<ReduceOp>>(*context);
    InverseFrequenciesOp::attachInterface<
        DestinationStyleOpModel<InverseFrequenciesOp>>(*context);
    FindOutOfRangeOp::attachInterface<FindOpModel<FindOutOfRangeOp>>(*context);
    FindInvalidOffsetOp::attachInterface<FindOpModel<FindInvalidOffsetOp>>(
        *context);
    BagOp::attachInterface<DestinationStyleOpModel<BagOp>>(*context);
    context->loadDialect<memref::MemRefDialect>();
  });
}
