//===- EmbeddingRowIndexing.td - Operations with indices ---*- tablegen -*-===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EMBEDDING_IR_EMBEDDINGROWINDEXING
#define EMBEDDING_IR_EMBEDDINGROWINDEXING

include "embedding/IR/EmbeddingBase.td"
include "embedding/IR/EmbeddingEnums.td"
include "embedding/IR/EmbeddingInterfaces.td"
include "embedding/IR/EmbeddingOperands.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

/// An operation with indices that name rows, in destination-passing style. What
/// its operands are says nearly all of it.
class Embedding_RowIndexingOp<string mnemonic, list<Trait> traits = []>
    : Embedding_Op<mnemonic, traits # [
        DestinationStyleOpInterface,
        DeclareOpInterfaceMethods<Embedding_RowIndexingOpInterface>,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
                                  ["reifyResultShapes"]>,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
        DeclareOpInterfaceMethods<ConditionallySpeculatable>]> {
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;

  /// The type of the options of the operation's C function; empty if it has no
  /// such function.
  string cOptions = "";

  let extraClassDeclaration = [{
    MutableOperandRange getDpsInitsMutable() {
      return ::mlir::embedding::detail::getDestinations(*this);
    }
  }];
  // RowIndexing.h has the functions.
  let extraClassDefinition = [{
    const ::mlir::embedding::OperationDesc &$cppClass::getDescription() {
      return k$cppClass;
    }
    ::llvm::LogicalResult $cppClass::verify() {
      return ::mlir::embedding::verifyRowIndexing(*this);
    }
    ::llvm::LogicalResult $cppClass::fold(
        FoldAdaptor adaptor,
        ::llvm::SmallVectorImpl<::mlir::OpFoldResult> &results) {
      return ::mlir::embedding::foldRowIndexing(*this, adaptor, results);
    }
    ::llvm::LogicalResult $cppClass::reifyResultShapes(
        ::mlir::OpBuilder &builder,
        ::mlir::ReifiedRankedShapedTypeDims &reifiedShapes) {
      return ::mlir::embedding::reifyDestinations(*this, builder,
                                                  reifiedShapes);
    }
    void $cppClass::getEffects(
        ::llvm::SmallVectorImpl<::mlir::SideEffects::EffectInstance<
            ::mlir::MemoryEffects::Effect>> &effects) {
      ::mlir::embedding::getRowIndexingEffects(*this, effects);
    }
    ::mlir::Speculation::Speculatability $cppClass::getSpeculatability() {
      return ::mlir::embedding::getRowIndexingSpeculatability(*this);
    }
  }];
}

#endif // EMBEDDING_IR_EMBEDDINGROWINDEXING
