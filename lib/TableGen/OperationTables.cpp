//===- OperationTables.cpp - Tables of operations out of ODS --------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// embedding-tblgen reads the operations of EmbeddingOps.td whose operands have
// roles (see EmbeddingOperands.td), and writes what embedding/ABI/Operations.h
// includes, and the definitions of the runtime's C functions.
//
//===----------------------------------------------------------------------===//

#include "mlir/TableGen/Operator.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/TableGen/Error.h"
#include "llvm/TableGen/Main.h"
#include "llvm/TableGen/Record.h"
#include "llvm/TableGen/TableGenBackend.h"

#include <optional>

using llvm::raw_ostream;
using llvm::Record;
using llvm::RecordKeeper;
using llvm::StringRef;
using mlir::tblgen::NamedAttribute;
using mlir::tblgen::NamedProperty;
using mlir::tblgen::NamedTypeConstraint;
using mlir::tblgen::Operator;

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

namespace {

/// An operand as the tables have it.
struct Operand {
  std::string name;
  /// Enumerators of OperandKind, Elements, OperandAccess and Size.
  std::string kind;
  bool isOptional = false;
  std::string elements = "fixedWidth", access = "read";
  std::vector<std::string> sizes;

  bool isTensor() const { return kind == "tensor"; }
  /// Whether it holds a number of entries, which C takes as a pointer.
  bool isCount() const { return isTensor() && sizes.empty(); }
  bool hasSize(StringRef size) const { return llvm::is_contained(sizes, size); }
};

/// An operation as the tables have it.
class Operation {
public:
  explicit Operation(const Record &record);

  std::string name;
  /// Its enumerator of OperationKind.
  std::string enumerator;
  /// Of its class; that of its description has a `k` before it.
  std::string cppClass;
  /// The C type of its C function's options, or empty without one.
  std::string cOptions;
  std::vector<Operand> operands;
  bool hasMaxNorm, hasScaleGradByFreq;

  /// The number of the first operand that `matches`, or -1.
  template <typename Predicate> int find(const Predicate &matches) const {
    for (auto [number, operand] : llvm::enumerate(operands))
      if (matches(operand))
        return static_cast<int>(number);
    return -1;
  }
};

} // namespace

static Operand getOperand(const NamedTypeConstraint &operand,
                          const Record &operation) {
  Operand result;
  StringRef name = operand.name;
  name.consume_front("dynamic_");
  result.name = name.str();
  result.isOptional = operand.isOptional();
  // An optional operand is a constraint around its type.
  const Record &constraint = operand.constraint.getDef();
  const Record &type =
      result.isOptional ? *constraint.getValueAsDef("baseType") : constraint;
  if (type.isSubClassOf("Embedding_Operand")) {
    result.kind = "tensor";
    result.elements =
        type.getValueAsDef("elements")->getValueAsString("cppName").str();
    result.access = type.getValueAsString("access").str();
    for (const Record *size : type.getValueAsListOfDefs("sizes"))
      result.sizes.push_back(size->getValueAsString("cppName").str());
  } else if (type.getName() == "F64") {
    result.kind = "number";
  } else if (type.getName() == "Index") {
    result.kind = "index";
  } else {
    llvm::PrintFatalError(&operation, "operand '" + name + "' has no role");
  }
  return result;
}

Operation::Operation(const Record &record) {
  Operator op(record);
  name = record.getValueAsString("opName").str();
  enumerator = llvm::convertToCamelFromSnakeCase(name);
  cppClass = op.getCppClassName().str();
  cOptions = record.getValueAsString("cOptions").str();
  for (int i = 0; i < op.getNumOperands(); ++i)
    operands.push_back(getOperand(op.getOperand(i), record));
  auto hasAttribute = [&](StringRef attribute) {
    return llvm::any_of(op.getAttributes(),
                        [&](const NamedAttribute &named) {
                          return named.name == attribute;
                        }) ||
           llvm::any_of(op.getProperties(), [&](const NamedProperty &named) {
             return named.name == attribute;
           });
  };
  hasMaxNorm = hasAttribute("max_norm");
  hasScaleGradByFreq = hasAttribute("scale_grad_by_freq");
}

static std::vector<Operation> getOperations(const RecordKeeper &records) {
  std::vector<Operation> operations;
  for (const Record *record :
       records.getAllDerivedDefinitions("Embedding_RowIndexingOp"))
    operations.emplace_back(*record);
  return operations;
}

//===----------------------------------------------------------------------===//
// -gen-operation-tables
//===----------------------------------------------------------------------===//

static const char *toBool(bool value) { return value ? "true" : "false"; }

static void writeOperand(const Operand &operand, raw_ostream &os) {
  os << "        {\"" << operand.name << "\", OperandKind::" << operand.kind
     << ", " << toBool(operand.isOptional) << ", Elements::" << operand.elements
     << ", OperandAccess::" << operand.access << ", " << operand.sizes.size()
     << ", {";
  llvm::interleaveComma(operand.sizes, os,
                        [&](StringRef size) { os << "Size::" << size; });
  os << "}},\n";
}

static void writeDescription(const Operation &operation, raw_ostream &os) {
  int indices = operation.find(
      [](const Operand &operand) { return operand.elements == "indices"; });
  int rows = operation.find([](const Operand &operand) {
    return operand.hasSize("rowLength") && !operand.hasSize("indexShape");
  });
  int numRows = operation.find([](const Operand &operand) {
    return operand.hasSize("numRows") || operand.name == "num_rows";
  });
  os << "inline constexpr OperationDesc k" << operation.cppClass << " = {\n"
     << "    OperationKind::" << operation.enumerator << ",\n    \""
     << operation.name << "\",\n    {\n";
  for (const Operand &operand : operation.operands)
    writeOperand(operand, os);
  os << "    },\n    /*numOperands=*/" << operation.operands.size()
     << ",\n    /*indices=*/" << indices << ",\n    /*rows=*/" << rows
     << ",\n    /*numRows=*/" << numRows << ",\n    /*hasMaxNorm=*/"
     << toBool(operation.hasMaxNorm) << ",\n    /*hasScaleGradByFreq=*/"
     << toBool(operation.hasScaleGradByFreq) << ",\n};\n\n";
}

static void writeTables(const RecordKeeper &records, raw_ostream &os) {
  llvm::emitSourceFileHeader("Tables of operations", os, records);
  std::vector<Operation> operations = getOperations(records);
  os << "enum class OperationKind : uint8_t {\n";
  for (const Operation &operation : operations)
    os << "  " << operation.enumerator << ",\n";
  os << "};\n\n";
  for (const Operation &operation : operations)
    writeDescription(operation, os);
  auto countRows = [](const Operation &operation) {
    return llvm::count_if(operation.operands, [](const Operand &operand) {
      return operand.hasSize("rowLength") && operand.elements != "int64s";
    });
  };
  long mostRows = 0;
  for (const Operation &operation : operations)
    mostRows = std::max<long>(mostRows, countRows(operation));
  os << "/// The most operands that are made of rows.\n"
     << "inline constexpr int kMaxRowOperands = " << mostRows << ";\n\n"
     << "inline constexpr const OperationDesc *kOperations[] = {\n";
  for (const Operation &operation : operations)
    os << "    &k" << operation.cppClass << ",\n";
  os << "};\n";
}

//===----------------------------------------------------------------------===//
// -gen-c-functions
//===----------------------------------------------------------------------===//

/// What an operand is called in C.
static std::string getParameterName(const Operand &operand) {
  return operand.isCount() ? "out_" + operand.name : operand.name;
}

static std::string getParameter(const Operand &operand) {
  const char *type = operand.kind == "number"  ? "double "
                     : operand.kind == "index" ? "int64_t "
                     : operand.isCount()       ? "int64_t *"
                                               : "const DLTensor *";
  return type + getParameterName(operand);
}

/// Whether it is a parameter: neither one of the options nor what only
/// decompositions give an operation.
static bool isParameter(const Operand &operand) {
  return operand.name != "padding_idx" &&
         !(operand.isTensor() && operand.isOptional);
}

/// The parameters of the C function: what is updated, what is read, numbers,
/// options, what is written, and `last`.
static void writeParameters(const Operation &operation, bool withCounts,
                            StringRef last, raw_ostream &os) {
  os << "    EmbeddingEngine *engine";
  auto writeThose = [&](auto &&matches) {
    for (const Operand &operand : operation.operands)
      if (isParameter(operand) && matches(operand))
        os << ", " << getParameter(operand);
  };
  writeThose([](const Operand &o) { return o.access == "readWrite"; });
  writeThose(
      [](const Operand &o) { return o.isTensor() && o.access == "read"; });
  writeThose([](const Operand &o) { return !o.isTensor(); });
  os << ",\n    const " << operation.cOptions << " *options";
  writeThose([&](const Operand &o) {
    return o.access == "write" && (withCounts || !o.isCount());
  });
  os << last << ", EmbeddingStatus *out_status)";
}

/// The arguments of a call, one for each operand.
static void writeArguments(const Operation &operation, bool withCounts,
                           raw_ostream &os) {
  llvm::interleaveComma(operation.operands, os, [&](const Operand &operand) {
    bool isLeftOut = operand.isCount() && !withCounts;
    os << (!isParameter(operand) ? "Argument()"
           : isLeftOut ? "Argument(static_cast<int64_t *>(nullptr))"
                       : "Argument(" + getParameterName(operand) + ")");
  });
}

static void writeFunctions(const RecordKeeper &records, raw_ostream &os) {
  llvm::emitSourceFileHeader("C functions of operations", os, records);
  for (const Operation &operation : getOperations(records)) {
    if (operation.cOptions.empty())
      continue;
    std::string description = "mlir::embedding::k" + operation.cppClass;
    std::string init =
        llvm::convertToSnakeFromCamelCase(operation.cOptions) + "_init";
    os << "EmbeddingStatusCode embedding_" << operation.name << "(\n";
    writeParameters(operation, /*withCounts=*/true, "", os);
    os << " {\n  return callFromC(engine, " << description << ", {";
    writeArguments(operation, /*withCounts=*/true, os);
    os << "}, options, " << init << ", out_status);\n}\n\n";

    os << "EmbeddingStatusCode embedding_" << operation.name
       << "_workspace_size(\n";
    writeParameters(operation, /*withCounts=*/false, ", size_t *out_bytes", os);
    os << " {\n  return getWorkspaceSizeFromC(engine, " << description << ", {";
    writeArguments(operation, /*withCounts=*/false, os);
    os << "}, options, " << init << ", out_bytes, out_status);\n}\n\n";
  }
}

//===----------------------------------------------------------------------===//
// Command line
//===----------------------------------------------------------------------===//

static llvm::TableGen::Emitter::Opt
    tables("gen-operation-tables", writeTables,
           "Generate descriptions of operations");
static llvm::TableGen::Emitter::Opt
    functions("gen-c-functions", writeFunctions,
              "Generate the runtime's C functions");

int main(int argc, char **argv) {
  llvm::cl::ParseCommandLineOptions(argc, argv);
  return llvm::TableGenMain(argv[0], llvm::TableGenMainFn(nullptr));
}
