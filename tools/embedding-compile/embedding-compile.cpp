//===- embedding-compile.cpp - Compiles ahead of time ---------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Makes a shared library of the public functions of an IR file, or of single
// operations, and a header for it. The module is compiled once for the CPU, or
// once for each GPU; one more module has the functions that C calls. Linked to
// them is libembedding-launcher, which checks the arguments.
//
//===----------------------------------------------------------------------===//

#include "CInterface.h"
#include "ChildProcess.h"
#include "OutputFiles.h"
#include "Tool.h"

#include "Linker.h"

#include "embedding/InitAll.h"
#include "embedding/Target/CPU.h"
#include "embedding/Target/OperationText.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using ::embedding::tools::CFunction;
using ::embedding::tools::OutputFiles;
using mlir::embedding::CPUTarget;
using mlir::embedding::OperandDesc;
using mlir::embedding::OperationDesc;
namespace cl = llvm::cl;

//===----------------------------------------------------------------------===//
// Command line
//===----------------------------------------------------------------------===//

static cl::OptionCategory category("embedding-compile options");

static cl::opt<std::string> inputFile(cl::Positional, cl::desc("[FILE.mlir]"),
                                      cl::cat(category));
static cl::list<std::string>
    operations("op",
               cl::desc("An operation to compile, in place of a file, with its "
                        "attributes: lookup, 'dense_grad padding_idx(0)'"),
               cl::value_desc("operation"), cl::cat(category));
static cl::opt<std::string>
    elementType("element-type",
                cl::desc("With --op: the type of the table, f32 by default"),
                cl::init("f32"), cl::cat(category));
static cl::opt<std::string>
    indexType("index-type",
              cl::desc("With --op: the type of indices, i64 by default"),
              cl::init("i64"), cl::cat(category));
static cl::opt<unsigned>
    indexRank("index-rank",
              cl::desc("With --op: the dimensions of indices, 1 by default"),
              cl::init(1), cl::cat(category));
static cl::opt<int64_t>
    rowLength("row-length",
              cl::desc("With --op: the elements of a row; 0, the default, for "
                       "any number"),
              cl::init(0), cl::cat(category));

static cl::opt<std::string>
    outputFile("o",
               cl::desc("What to write: a shared library, or a relocatable "
                        "object if the name ends in .o"),
               cl::value_desc("file"), cl::Required, cl::cat(category));
static cl::opt<std::string>
    headerFile("header",
               cl::desc("Where the header goes; beside the library and of its "
                        "name, without 'lib', by default"),
               cl::value_desc("file"), cl::cat(category));
static cl::opt<std::string>
    cpu("cpu",
        cl::desc("The CPU to compile for, as LLVM names it, or native; "
                 "x86-64-v3 by default"),
        cl::init("x86-64-v3"), cl::cat(category));
static cl::list<std::string>
    chips("chips",
          cl::desc("GPUs to compile for, such as sm_80,sm_90, in place of the "
                   "CPU; each serves later ones up to the next"),
          cl::value_desc("chips"), cl::CommaSeparated, cl::cat(category));
static cl::opt<bool> atomicGradients(
    "atomic-gradients",
    cl::desc("On GPUs, sum dense gradients in no order, by atomic additions"),
    cl::cat(category));
static cl::opt<bool> assumeSizes(
    "assume-sizes",
    cl::desc("Take for granted that the sizes of a call fit each other"),
    cl::cat(category));

static LogicalResult fail(const llvm::Twine &message) {
  llvm::errs() << "embedding-compile: error: " << message << "\n";
  return failure();
}

/// The name of the library, of which others are made.
static std::string getLibraryName() {
  StringRef stem = llvm::sys::path::stem(outputFile);
  stem.consume_front("lib");
  return ::embedding::tools::makeIdentifier(stem);
}

static std::string getSynchronizeName() {
  return getLibraryName() + "_synchronize";
}

static FailureOr<SmallVector<int>> parseChips() {
  SmallVector<int> numbers;
  for (StringRef chip : chips) {
    std::optional<int> number = mlir::embedding::getChipNumber(chip);
    if (!number)
      return fail("--chips: expected sm_80 or later, but got '" + chip + "'");
    numbers.push_back(*number);
  }
  llvm::sort(numbers);
  numbers.erase(llvm::unique(numbers), numbers.end());
  return numbers;
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// More characters of attributes than this are not looked at on their own.
static constexpr size_t kMaxParsedAttributes = 1000;

/// {0} is the name, {1} the arguments, {2} the operation.
static constexpr char kOperationFunction[] = R"mlir(
func.func @{0}({1}) {{
  {2}
  return
}
)mlir";

/// Whether `ir` is text of a module, which need not verify.
static bool isParsable(MLIRContext &context, StringRef ir) {
  ScopedDiagnosticHandler ignored(&context,
                                  [](Diagnostic &) { return success(); });
  return bool(parseSourceString<ModuleOp>(
      ir, ParserConfig(&context, /*verifyAfterParse=*/false)));
}

/// A function of the one operation that `text` names, on memrefs.
static FailureOr<std::string> getOperationIR(MLIRContext &context,
                                             StringRef text) {
  // As many as NumPy has.
  constexpr unsigned kMaxIndexRank = 63;
  if (indexRank > kMaxIndexRank)
    return fail("--index-rank: expected at most " + llvm::Twine(kMaxIndexRank) +
                ", but got " + llvm::Twine(indexRank));
  if (rowLength < 0)
    return fail("--row-length: expected at least 0, but got " +
                llvm::Twine(rowLength));
  StringRef name, attributes;
  std::tie(name, attributes) = text.split(' ');
  const auto *found = llvm::find_if(
      mlir::embedding::kOperations,
      [&](const OperationDesc *operation) { return name == operation->name; });
  if (found == std::end(mlir::embedding::kOperations))
    return fail("--op: no operation named '" + name + "'");
  const OperationDesc &operation = **found;
  auto getType = [&](const OperandDesc &operand) -> std::string {
    using mlir::embedding::Elements;
    StringRef element =
        operand.elements == Elements::indices  ? StringRef(indexType)
        : operand.elements == Elements::int64s ? "i64"
                                               : StringRef(elementType);
    return llvm::formatv("memref<{0}{1}>",
                         mlir::embedding::getSizesText(
                             operand, indexRank, rowLength ? rowLength : -1),
                         element);
  };
  // A padding_idx is an attribute.
  auto isValue = [](const OperandDesc &operand) {
    return !operand.isOptional ||
           operand.kind == mlir::embedding::OperandKind::number;
  };
  auto getIR = [&](StringRef attributes) {
    return llvm::formatv(
               kOperationFunction, name,
               mlir::embedding::getArgumentsText(operation, getType, isValue),
               mlir::embedding::getOperationText(operation, getType, isValue,
                                                 attributes))
        .str();
  };
  std::string ir = getIR(attributes);
  // What is nested too deep to be parsed, parseModule says.
  if (attributes.size() > kMaxParsedAttributes || isParsable(context, ir))
    return ir;
  std::string taken;
  for (StringRef attribute :
       {"padding_idx(0)", "scale_grad_by_freq", "out_of_range(clamp)"})
    if (isParsable(context, getIR(attribute)))
      taken += (taken.empty() ? "" : " ") + attribute.str();
  return fail("--op: '" + text + "': the attributes of '" + name +
              "' are, in this order, as in '" + name + " " + taken + "'");
}

/// Whether option `name` has a type that memory may be made of.
static LogicalResult checkElementType(MLIRContext &context, StringRef name,
                                      StringRef text) {
  ScopedDiagnosticHandler ignored(&context,
                                  [](Diagnostic &) { return success(); });
  Type type = parseType(text, &context);
  if (!type || !BaseMemRefType::isValidElementType(type))
    return fail("--" + name + ": expected a type of elements, but got '" +
                text + "'");
  return success();
}

static FailureOr<std::unique_ptr<llvm::MemoryBuffer>>
readInput(MLIRContext &context) {
  if (inputFile.empty() == operations.empty())
    return fail("expected a file or --op, and not both");
  if (operations.empty()) {
    std::string message;
    std::unique_ptr<llvm::MemoryBuffer> file =
        openInputFile(inputFile, &message);
    if (!file)
      return fail(message);
    return file;
  }
  if (failed(checkElementType(context, elementType.ArgStr, elementType)) ||
      failed(checkElementType(context, indexType.ArgStr, indexType)))
    return failure();
  std::string text;
  for (StringRef operation : operations) {
    FailureOr<std::string> function = getOperationIR(context, operation);
    if (failed(function))
      return failure();
    text += *function;
  }
  return llvm::MemoryBuffer::getMemBufferCopy(text, "--op");
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

using mlir::embedding::ObjectFile;

static FailureOr<CPUTarget> getTarget(MLIRContext &context) {
  ScopedDiagnosticHandler named(&context, [](Diagnostic &diagnostic) {
    (void)fail("--cpu: " + diagnostic.str());
    return success();
  });
  return CPUTarget::get(UnknownLoc::get(&context), cpu);
}

/// Makes `object` in a child process.
static LogicalResult
makeObject(ObjectFile &object,
           llvm::function_ref<LogicalResult(SmallVectorImpl<char> &)> make) {
  llvm::Expected<bool> isMade =
      ::embedding::tools::makeInChild(object, [&](SmallVectorImpl<char> &made) {
        return succeeded(make(made));
      });
  if (!isMade)
    return fail(llvm::toString(isMade.takeError()));
  return success(*isMade);
}

/// Compiles the functions for `chip`, or for the CPU if that is 0.
static LogicalResult compile(ModuleOp module, ArrayRef<CFunction> functions,
                             int chip, const CPUTarget &target,
                             ObjectFile &object) {
  SmallVector<mlir::embedding::FunctionInterface> interfaces;
  for (const CFunction &function : functions)
    interfaces.push_back(function.getInterface());
  mlir::embedding::CompileOptions options;
  options.chip = chip;
  options.atomicGradients = atomicGradients;
  options.checksSizes = !assumeSizes;
  return makeObject(object, [&](SmallVectorImpl<char> &made) {
    return mlir::embedding::compileFunctions(
        module, interfaces, target, options, /*areExported=*/false, made);
  });
}

/// Compiles what C calls.
static LogicalResult compileInterface(MLIRContext &context,
                                      ArrayRef<CFunction> functions,
                                      ArrayRef<int> chipNumbers,
                                      const CPUTarget &target,
                                      ObjectFile &object) {
  context.loadDialect<LLVM::LLVMDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  for (const CFunction &function : functions)
    function.define(*module, target.getX86Level(), chipNumbers);
  if (!chipNumbers.empty())
    ::embedding::tools::defineSynchronize(*module, getSynchronizeName());
  return makeObject(object, [&](SmallVectorImpl<char> &made) {
    return target.emit(*module, /*optLevel=*/2, CPUTarget::Output::object,
                       made);
  });
}

static constexpr char kStatusHeader[] =
#include "StatusHeader.inc"
    ;

static void printHeader(llvm::raw_ostream &os, ArrayRef<CFunction> functions,
                        ArrayRef<int> chipNumbers) {
  bool isForGPU = !chipNumbers.empty();
  std::string library = getLibraryName();
  std::string guard = StringRef(library).upper() + "_H";
  os << "/* Written by embedding-compile.\n *\n"
     << " * Tensors are borrowed for the call and on ";
  if (isForGPU) {
    os << "one NVIDIA GPU. There is code for sm_";
    llvm::interleave(chipNumbers, os, ", sm_");
    os << ".\n * Work is enqueued in `stream`, a CUstream; null is the legacy "
          "default stream.\n * Their data is aligned to 16 bytes. ";
  } else {
    os << "the CPU, one that runs code for " << cpu << ".\n * ";
  }
  os << "They are compact and row-major, unless their type says\n * otherwise. "
        "What a function writes, it writes into what it is given.\n"
     << " * Results share no memory with each other or with arguments.\n"
     << " * Any number of threads may call at once. If out_status is not null, "
        "it tells of\n * a failure.\n */\n"
     << "#ifndef " << guard << "\n#define " << guard
     << "\n\n#include <dlpack/dlpack.h>\n\n"
     << kStatusHeader << "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
  for (const CFunction &function : functions)
    function.printDeclaration(os, isForGPU);
  if (isForGPU)
    os << "/** Waits for the work in `stream`. EMBEDDING_OUT_OF_RANGE if calls "
          "in it have met\n * indices out of range since the last time. */\n"
       << "EmbeddingStatusCode " << getSynchronizeName()
       << "(int32_t device_id, void *stream,\n"
          "    EmbeddingStatus *out_status);\n\n";
  os << "#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* "
     << guard << " */\n";
}

/// The launcher, which is installed with this tool.
static std::string getLauncher(const char *argv0) {
  static int anchor;
  SmallString<256> path(llvm::sys::path::parent_path(
      llvm::sys::fs::getMainExecutable(argv0, &anchor)));
  llvm::sys::path::append(path, EMBEDDING_BIN_TO_LIB,
                          "libembedding-launcher-static.a");
  return path.str().str();
}

static LogicalResult link(const char *argv0, Location loc,
                          ArrayRef<ObjectFile> objects,
                          ArrayRef<CFunction> functions, bool isForGPU,
                          ObjectFile &linked) {
  if (StringRef(outputFile).ends_with(".o"))
    return mlir::embedding::linkRelocatable(loc, objects, linked);
  std::vector<std::string> exported;
  for (const CFunction &function : functions)
    exported.push_back(function.getName());
  if (isForGPU)
    exported.push_back(getSynchronizeName());
  return mlir::embedding::linkLibrary(loc, objects, getLauncher(argv0),
                                      exported, linked);
}

/// Where the header goes.
static std::string getHeaderFile() {
  if (!headerFile.empty())
    return headerFile;
  SmallString<256> path = llvm::sys::path::parent_path(outputFile);
  llvm::sys::path::append(path, getLibraryName() + ".h");
  return path.str().str();
}

/// Adds the library and the header.
static LogicalResult addOutputs(OutputFiles &files) {
  StringRef input = operations.empty() ? StringRef(inputFile) : StringRef();
  if (outputFile == "-" && headerFile.empty())
    return fail("--header: expected a file for the header of a library that "
                "goes to standard output");
  if (llvm::Error error = files.add(outputFile, input))
    return fail("-o: " + llvm::toString(std::move(error)));
  if (llvm::Error error = files.add(getHeaderFile(), input))
    return fail("--header: " + llvm::toString(std::move(error)));
  return success();
}

static LogicalResult writeOutputs(OutputFiles &files, StringRef library,
                                  StringRef header) {
  auto write = [&](size_t number, llvm::raw_ostream &os) {
    os << (number == 0 ? library : header);
    return llvm::Error::success();
  };
  if (llvm::Error error = files.commit(write))
    return fail(llvm::toString(std::move(error)));
  return success();
}

static LogicalResult run(const char *argv0, MLIRContext &context) {
  FailureOr<SmallVector<int>> chipNumbers = parseChips();
  FailureOr<std::unique_ptr<llvm::MemoryBuffer>> input = readInput(context);
  OutputFiles files;
  if (failed(chipNumbers) || failed(input) || failed(addOutputs(files)))
    return failure();
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(*input), llvm::SMLoc());
  SourceMgrDiagnosticHandler diagnostics(sources, &context);
  AsmParserState names;
  OwningOpRef<ModuleOp> module =
      mlir::embedding::parseModule(sources, context, names);
  if (!module)
    return failure();

  SmallVector<CFunction> functions;
  for (func::FuncOp function : mlir::embedding::getPublicFunctions(*module)) {
    FailureOr<CFunction> interface = CFunction::get(function, &names);
    if (failed(interface))
      return failure();
    functions.push_back(*interface);
  }
  if (functions.empty())
    return fail("the file has no public function");

  FailureOr<CPUTarget> target = getTarget(context);
  if (failed(target))
    return failure();
  SmallVector<int> targets = *chipNumbers;
  if (targets.empty())
    targets.push_back(0);
  SmallVector<ObjectFile> objects;
  for (int chip : targets)
    if (failed(
            compile(*module, functions, chip, *target, objects.emplace_back())))
      return failure();
  ObjectFile linked;
  if (failed(compileInterface(context, functions, *chipNumbers, *target,
                              objects.emplace_back())) ||
      failed(link(argv0, module->getLoc(), objects, functions,
                  /*isForGPU=*/!chipNumbers->empty(), linked)))
    return failure();
  std::string header;
  llvm::raw_string_ostream os(header);
  printHeader(os, functions, *chipNumbers);
  return writeOutputs(files, {linked.data(), linked.size()}, header);
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  ::embedding::tools::setVersionPrinter();
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(
      argc, argv,
      "Compiles functions of an IR file, or operations, to a library for C\n");
  DialectRegistry registry;
  mlir::embedding::registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  return failed(run(argv[0], context));
}
