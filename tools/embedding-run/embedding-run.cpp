//===- embedding-run.cpp - Runs a function of an IR file ------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The function is called by way of an entry (see embedding/Target/Entry.h),
// which hands each result to this tool.
//
//===----------------------------------------------------------------------===//

#include "ChildProcess.h"
#include "HostTensor.h"
#include "OutputFiles.h"
#include "Tool.h"

#include "Call/GeneratedCall.h"
#include "Call/HostFunctions.h"
#include "Code/SharedObject.h"
#include "Device/Device.h"
#include "Linker.h"
#include "embedding/Conversion/Passes.h"
#include "embedding/InitAll.h"
#include "embedding/Pipelines/Passes.h"
#include "embedding/Target/CPU.h"
#include "embedding/Target/Entry.h"
#include "embedding/Target/Function.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"

#include <chrono>
#include <cstdlib>
#include <deque>

using namespace mlir;
using ::embedding::runtime::Device;
using ::embedding::runtime::DeviceScope;
using ::embedding::runtime::Driver;
using ::embedding::runtime::GeneratedCall;
using ::embedding::runtime::SharedObject;
using ::embedding::tools::HostTensor;
using ::embedding::tools::OutputFiles;
namespace cl = llvm::cl;

//===----------------------------------------------------------------------===//
// Command line
//===----------------------------------------------------------------------===//

static cl::OptionCategory category("embedding-run options");

static cl::opt<std::string> inputFile(cl::Positional, cl::desc("FILE.mlir"),
                                      cl::init("-"), cl::cat(category));
static cl::opt<std::string>
    functionName("function",
                 cl::desc("The function to run; needed if the file "
                          "has several"),
                 cl::cat(category));
static cl::list<std::string> inputs(
    "input",
    cl::desc("An argument, in order: '2x3xf32=1 2 3 4 5 6', '2x3xf32=0.5' for "
             "all elements, '2x3xf32' for zeros, 'i64=7' for a scalar, "
             "@FILE.npy, or @FILE.safetensors:TENSOR"),
    cl::value_desc("value"), cl::cat(category));
static cl::list<std::string> outputs(
    "output",
    cl::desc(
        "Where an output goes, in order: @FILE.npy (or a device such as "
        "@/dev/null), or - to print it. The "
        "outputs are the results and then the memref arguments; results "
        "without an --output are printed, with what their operation leaves "
        "unspecified (the rows of sparse_grad after nnz)"),
    cl::value_desc("destination"), cl::cat(category));
static cl::opt<std::string>
    cpu("cpu", cl::desc("The CPU to compile for, as LLVM names it"),
        cl::init("native"), cl::cat(category));
enum class Target { cpu, cuda };
static cl::opt<Target> targetKind(
    "target", cl::desc("What to run on:"), cl::init(Target::cpu),
    cl::values(clEnumValN(Target::cpu, "cpu", "this CPU"),
               clEnumValN(Target::cuda, "cuda",
                          "GPU 0, through libcuda.so.1 or what the "
                          "environment's EMBEDDING_CUDA_LIBRARY names")),
    cl::cat(category));
static cl::opt<std::string>
    chip("chip",
         cl::desc("The GPU to compile for, such as sm_90; by default that of "
                  "the machine, or sm_80 with --emit"),
         cl::cat(category));
static cl::opt<bool> naive("naive",
                           cl::desc("Lower element by element, unoptimized"),
                           cl::cat(category));
static cl::opt<bool> assumeSizes(
    "assume-sizes",
    cl::desc("Take for granted that the sizes of a call fit each other"),
    cl::cat(category));
static cl::opt<unsigned> benchmark(
    "benchmark",
    cl::desc("Call the function this many times more, and report the median"),
    cl::value_desc("calls"), cl::init(0), cl::cat(category));

enum class Emit { none, mlir, llvmIR, assembly, ptx };
static cl::opt<Emit> emitKind(
    "emit", cl::desc("Print instead of running:"), cl::init(Emit::none),
    cl::values(clEnumValN(Emit::mlir, "mlir", "the LLVM dialect"),
               clEnumValN(Emit::llvmIR, "llvm", "optimized LLVM IR"),
               clEnumValN(Emit::assembly, "asm", "assembly"),
               clEnumValN(Emit::ptx, "ptx", "the kernels, with --target=cuda")),
    cl::cat(category));

static LogicalResult fail(const llvm::Twine &message) {
  llvm::errs() << "embedding-run: error: " << message << "\n";
  return failure();
}

//===----------------------------------------------------------------------===//
// The GPU
//===----------------------------------------------------------------------===//

/// With --target=cuda, while the program runs.
static std::unique_ptr<Driver> driver;
static std::unique_ptr<Device> device;

static LogicalResult check(::embedding::runtime::Status status) {
  return status ? success() : fail(status.failure().message);
}

static LogicalResult openDevice() {
  auto loaded = Driver::load(Driver::getDefaultLibrary());
  if (!loaded)
    return fail(loaded.failure().message);
  driver = std::make_unique<Driver>(*loaded);
  auto created = Device::create(*driver, /*id=*/0);
  if (!created)
    return fail(created.failure().message);
  device = std::move(*created);
  return success();
}

/// Memory of the GPU, at least a byte; null with an error.
static char *allocateOnDevice(size_t bytes) {
  unsigned long long address = 0;
  if (failed(check(driver->check(
          driver->cuMemAlloc_v2(&address, std::max<size_t>(bytes, 1)),
          "cuMemAlloc"))))
    return nullptr;
  return reinterpret_cast<char *>(address);
}
static void deallocateOnDevice(void *memory) {
  driver->cuMemFree_v2(reinterpret_cast<unsigned long long>(memory));
}
static LogicalResult upload(char *to, const char *from, size_t bytes) {
  return check(driver->check(
      driver->cuMemcpyHtoDAsync_v2(reinterpret_cast<unsigned long long>(to),
                                   from, bytes, /*stream=*/nullptr),
      "cuMemcpyHtoDAsync"));
}
static LogicalResult download(char *to, const char *from, size_t bytes) {
  if (failed(check(driver->check(
          driver->cuMemcpyDtoHAsync_v2(
              to, reinterpret_cast<unsigned long long>(from), bytes, nullptr),
          "cuMemcpyDtoHAsync"))))
    return failure();
  return check(driver->check(driver->cuStreamSynchronize(nullptr),
                             "cuStreamSynchronize"));
}

namespace {

/// Copies of shaped arguments on the GPU, with descriptors of their own.
class DeviceArguments {
public:
  ~DeviceArguments() {
    for (Copy &copy : copies)
      deallocateOnDevice(copy.memory);
  }

  /// Returns the descriptor of the copy, or null with an error.
  void *add(HostTensor &tensor) {
    char *memory = allocateOnDevice(tensor.getNumBytes());
    if (!memory)
      return nullptr;
    auto *words = static_cast<int64_t *>(tensor.getDescriptor());
    size_t rank = tensor.getShape().size();
    copies.push_back({&tensor, memory, {words, words + 3 + 2 * rank}});
    std::vector<int64_t> &descriptor = copies.back().descriptor;
    descriptor[0] = descriptor[1] = reinterpret_cast<int64_t>(memory);
    if (failed(upload(memory, tensor.data(), tensor.getNumBytes())))
      return nullptr;
    return descriptor.data();
  }

  LogicalResult downloadAll() {
    for (Copy &copy : copies)
      if (failed(download(copy.tensor->data(), copy.memory,
                          copy.tensor->getNumBytes())))
        return failure();
    return success();
  }

private:
  struct Copy {
    HostTensor *tensor;
    char *memory;
    std::vector<int64_t> descriptor;
  };
  std::deque<Copy> copies;
};

} // namespace

//===----------------------------------------------------------------------===//
// What the program calls
//===----------------------------------------------------------------------===//

static constexpr StringRef kEntry("embedding_run_entry");

namespace {

/// What the running program tells the tool.
struct Outcome {
  /// Types of the results, and the results once they are wanted.
  SmallVector<Type> types;
  bool wantsResults = true;
  SmallVector<std::optional<HostTensor>> results;
};

} // namespace

static Outcome outcome;

/// Takes the memref of result `number`, of a rank that its type says.
static void storeResult(int64_t number, const int64_t *descriptor) {
  Type type = outcome.types[number];
  auto shaped = dyn_cast<ShapedType>(type);
  int64_t rank = shaped ? shaped.getRank() : 0;
  Type element = getElementTypeOrSelf(type);
  int64_t offset = descriptor[2];
  const char *data = reinterpret_cast<const char *>(descriptor[1]) +
                     offset * ::embedding::tools::getElementBytes(element);
  llvm::ArrayRef<int64_t> shape(descriptor + 3, static_cast<size_t>(rank));
  std::vector<char> downloaded;
  if (device) {
    size_t bytes = ::embedding::tools::getElementBytes(element);
    for (int64_t size : shape)
      bytes *= static_cast<size_t>(size);
    downloaded.resize(bytes);
    if (failed(download(downloaded.data(), data, bytes)))
      return;
    data = downloaded.data();
  }
  llvm::Expected<HostTensor> copy = HostTensor::copy(element, shape, data);
  if (copy)
    outcome.results[number] = std::move(*copy);
  else
    (void)fail("result " + llvm::Twine(number) + ": " +
               llvm::toString(copy.takeError()));
}

namespace {

/// One thread, and the GPU if there is one.
class ProgramMachine final : public ::embedding::runtime::Machine {
public:
  void parallelFor(int64_t size, int64_t, EmbeddingRangeFunction function,
                   void *context) override {
    function(context, 0, size);
  }
  ::embedding::runtime::Result<void *>
  allocate(size_t size, const DeviceScope *onDevice) override {
    if (onDevice) {
      if (void *memory = allocateOnDevice(size))
        return memory;
    } else if (void *memory = std::aligned_alloc(64, llvm::alignTo(size, 64))) {
      return memory;
    }
    return ::embedding::runtime::Failure{EMBEDDING_OUT_OF_MEMORY,
                                         "no " + std::to_string(size) +
                                             " bytes of memory"};
  }
  void deallocate(void *memory, size_t,
                  const DeviceScope *onDevice) noexcept override {
    if (onDevice)
      deallocateOnDevice(memory);
    else
      std::free(memory);
  }
  ::embedding::runtime::Result<Device *> getDevice(int32_t) override {
    return device.get();
  }
};

/// A call of the program.
class ProgramCall final : public GeneratedCall {
public:
  using GeneratedCall::GeneratedCall;

private:
  ::embedding::runtime::Status take(int64_t number,
                                    const int64_t *descriptor) override {
    // The program has gone on after a report.
    ::embedding::runtime::Status before = getStatus();
    if (before && outcome.wantsResults)
      storeResult(number, descriptor);
    return before;
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

static FailureOr<func::FuncOp> findFunction(ModuleOp module) {
  SmallVector<func::FuncOp> candidates;
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isDeclaration() &&
        (functionName.empty() ? function.isPublic()
                              : function.getName() == functionName))
      candidates.push_back(function);
  if (candidates.size() == 1)
    return candidates.front();
  if (!functionName.empty())
    return fail("no function named '" + functionName + "'");
  std::string names;
  for (func::FuncOp function : candidates)
    names += (names.empty() ? "" : ", ") + function.getName().str();
  return fail(candidates.empty()
                  ? "the file has no public function"
                  : "name one of the functions with --function: " + names);
}

/// Whether the tool can pass and take values of `type`.
static bool isSupported(Type type) {
  if (auto memref = dyn_cast<MemRefType>(type);
      memref && !memref.getLayout().isIdentity())
    return false;
  if (isa<ShapedType>(type) && !isa<RankedTensorType, MemRefType>(type))
    return false;
  return ::embedding::tools::getElementBytes(getElementTypeOrSelf(type)) != 0;
}

static FailureOr<SmallVector<HostTensor>> parseInputs(func::FuncOp function) {
  for (auto types : {function.getArgumentTypes(), function.getResultTypes()})
    for (Type type : types)
      if (!isSupported(type)) {
        emitError(function.getLoc())
            << "cannot be run, because of values of type " << type;
        return failure();
      }
  if (inputs.size() != function.getNumArguments())
    return fail("expected " + llvm::Twine(function.getNumArguments()) +
                " --input, one for each argument of '" + function.getName() +
                "', but got " + llvm::Twine(inputs.size()));
  SmallVector<HostTensor> tensors;
  for (auto [number, text] : llvm::enumerate(inputs)) {
    auto tensor = HostTensor::parse(text, function.getArgumentTypes()[number]);
    if (!tensor)
      return fail("--input " + llvm::Twine(number) + ": " +
                  llvm::toString(tensor.takeError()));
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

static void runBenchmark(llvm::function_ref<void()> call, size_t resultBytes) {
  using Clock = std::chrono::steady_clock;
  SmallVector<double> seconds;
  for (unsigned i = 0; i < benchmark; ++i) {
    auto start = Clock::now();
    call();
    seconds.push_back(
        std::chrono::duration<double>(Clock::now() - start).count());
  }
  llvm::sort(seconds);
  double median = seconds[seconds.size() / 2];
  llvm::errs() << llvm::formatv("median of {0} calls: {1:F3} ms (fastest "
                                "{2:F3} ms); results of {3} bytes "
                                "at {4:F1} GB/s\n",
                                seconds.size(), median * 1e3,
                                seconds.front() * 1e3, resultBytes,
                                resultBytes / median * 1e-9);
}

/// Where output `number` goes: a file, or - to print it.
static StringRef getDestination(size_t number) {
  StringRef destination =
      number < outputs.size() ? StringRef(outputs[number]) : "-";
  destination.consume_front("@");
  return destination;
}

/// Whether `path` is there and not a file of its own, as /dev/null is.
static bool isDevice(StringRef path) {
  llvm::sys::fs::file_status status;
  return !llvm::sys::fs::status(path, status) &&
         llvm::sys::fs::is_other(status);
}

/// Adds the outputs of `function`, its results and then its memref arguments,
/// as far as they are wanted.
static LogicalResult addOutputs(func::FuncOp function, OutputFiles &files) {
  size_t numResults = function.getNumResults();
  size_t numOutputs = numResults + llvm::count_if(function.getArgumentTypes(),
                                                  llvm::IsaPred<MemRefType>);
  if (outputs.size() > numOutputs)
    return fail("expected at most " + llvm::Twine(numOutputs) +
                " --output, for the results and the memref arguments of '" +
                function.getName() + "', but got " +
                llvm::Twine(outputs.size()));
  for (auto [number, output] : llvm::enumerate(outputs))
    if (output != "-" && !(StringRef(output).starts_with("@") &&
                           (StringRef(output).ends_with(".npy") ||
                            isDevice(StringRef(output).drop_front()))))
      return fail("--output " + llvm::Twine(number) +
                  ": expected @FILE.npy or -, but got '" + output + "'");
  for (size_t number = 0; number < std::max(outputs.size(), numResults);
       ++number)
    if (llvm::Error error = files.add(getDestination(number), inputFile))
      return fail("--output " + llvm::Twine(number) + ": " +
                  llvm::toString(std::move(error)));
  return success();
}

static LogicalResult writeOutputs(ArrayRef<const HostTensor *> tensors,
                                  OutputFiles &files) {
  auto write = [&](size_t number, llvm::raw_ostream &os) {
    if (getDestination(number) == "-")
      tensors[number]->print(os);
    else
      tensors[number]->save(os);
    return llvm::Error::success();
  };
  if (llvm::Error error = files.commit(write))
    return fail(llvm::toString(std::move(error)));
  return success();
}

/// The GPU to compile for.
static std::string getChip() {
  if (!chip.empty())
    return chip;
  return device ? "sm_" + std::to_string(device->getChip()) : "sm_80";
}

/// Lowers the module and appends what was asked for: text, or an object with an
/// entry for `function`.
static LogicalResult compile(ModuleOp module, func::FuncOp function,
                             const mlir::embedding::CPUTarget &target,
                             SmallVectorImpl<char> &output) {
  PassManager pm(module.getContext());
  mlir::embedding::Entries entries;
  if (emitKind == Emit::none) {
    FailureOr<mlir::embedding::Entries> created =
        mlir::embedding::Entries::create(
            module, {{function, kEntry.str()}},
            mlir::embedding::TensorArguments::areConsumed);
    if (failed(created))
      return failure();
    entries = std::move(*created);
    mlir::embedding::Entries::addPasses(pm);
  }
  mlir::embedding::CompileOptions options;
  if (targetKind == Target::cuda) {
    std::optional<int> number = mlir::embedding::getChipNumber(getChip());
    if (!number)
      return fail("--chip: expected sm_80 or later, but got '" + chip + "'");
    options.chip = *number;
  }
  options.isNaive = naive;
  options.checksSizes = !assumeSizes;
  options.parallelism = mlir::embedding::CPUParallelism::none;
  mlir::embedding::buildPipeline(pm, target, options);
  if (failed(pm.run(module)))
    return failure();
  if (emitKind == Emit::mlir) {
    llvm::raw_svector_ostream os(output);
    module.print(os);
    return success();
  }
  if (emitKind == Emit::ptx) {
    auto image = module.lookupSymbol<LLVM::GlobalOp>(
        (mlir::embedding::kKernelModuleName + "_image").str());
    if (!image)
      return fail("there are no kernels; is --target=cuda missing?");
    StringRef text = cast<StringAttr>(image.getValueAttr()).getValue();
    llvm::raw_svector_ostream(output) << text.rtrim('\0');
    return success();
  }
  if (emitKind == Emit::none)
    entries.finish(module, /*areExported=*/true);

  using Output = mlir::embedding::CPUTarget::Output;
  return target.emit(module, naive ? 0 : 2,
                     emitKind == Emit::llvmIR     ? Output::llvmIR
                     : emitKind == Emit::assembly ? Output::assembly
                                                  : Output::object,
                     output);
}

/// What `compile` makes.
static FailureOr<SmallVector<char, 0>> compileInChild(ModuleOp module,
                                                      func::FuncOp function) {
  auto target = mlir::embedding::CPUTarget::get(module.getLoc(), cpu);
  if (failed(target))
    return failure();
  if (emitKind == Emit::none)
    if (std::optional<std::string> missing = target->findFeatureMissingHere())
      return fail("this machine cannot run code for CPU '" + cpu +
                  "': it has no " + *missing);
  SmallVector<char, 0> output;
  llvm::Expected<bool> isMade =
      ::embedding::tools::makeInChild(output, [&](SmallVectorImpl<char> &made) {
        return succeeded(compile(module, function, *target, made));
      });
  if (!isMade)
    return fail(llvm::toString(isMade.takeError()));
  if (!*isMade)
    return failure();
  return output;
}

static LogicalResult run(MLIRContext &context) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> file = openInputFile(inputFile, &message);
  if (!file)
    return fail(message);
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(file), llvm::SMLoc());
  SourceMgrDiagnosticHandler diagnostics(sources, &context);
  AsmParserState names;
  OwningOpRef<ModuleOp> module =
      mlir::embedding::parseModule(sources, context, names);
  if (!module)
    return failure();
  FailureOr<func::FuncOp> function = findFunction(*module);
  if (failed(function))
    return failure();

  SmallVector<HostTensor> arguments;
  OutputFiles files;
  if (emitKind != Emit::none && !outputs.empty())
    return fail("--output: nothing runs with --emit");
  if (emitKind == Emit::none) {
    if (failed(addOutputs(*function, files)))
      return failure();
    if (targetKind == Target::cuda && failed(openDevice()))
      return failure();
    FailureOr<SmallVector<HostTensor>> parsed = parseInputs(*function);
    if (failed(parsed))
      return failure();
    arguments = std::move(*parsed);
    outcome.types.assign(function->getResultTypes().begin(),
                         function->getResultTypes().end());
    outcome.results.resize(outcome.types.size());
  }
  FailureOr<SmallVector<char, 0>> code = compileInChild(*module, *function);
  if (failed(code))
    return failure();
  StringRef bytes(code->data(), code->size());
  if (emitKind != Emit::none) {
    llvm::outs() << bytes;
    return success();
  }
  // What the program may call of the libraries that this tool is linked to.
  std::string version = ".so." + std::to_string(LLVM_VERSION_MAJOR) + "." +
                        std::to_string(LLVM_VERSION_MINOR);
  mlir::embedding::ObjectFile linked;
  if (failed(mlir::embedding::linkToHost(module->getLoc(), *code, linked,
                                         {"libmlir_runner_utils" + version,
                                          "libmlir_c_runner_utils" + version})))
    return failure();
  auto object = SharedObject::load({linked.data(), linked.size()},
                                   ::embedding::runtime::getHostFunctions());
  if (!object)
    return fail(object.failure().message);

  auto entry = reinterpret_cast<void (*)(void **)>(object->find(kEntry.str()));
  std::optional<DeviceScope> scope;
  DeviceArguments onDevice;
  if (device) {
    scope.emplace(*device, /*stream=*/nullptr);
    if (failed(check(scope->getStatus())))
      return failure();
  }
  SmallVector<void *> pointers;
  for (auto [argument, type] :
       llvm::zip_equal(arguments, function->getArgumentTypes())) {
    if (!isa<ShapedType>(type))
      pointers.push_back(argument.data());
    else
      pointers.push_back(device ? onDevice.add(argument)
                                : argument.getDescriptor());
    if (!pointers.back())
      return failure();
  }
  ProgramMachine machine;
  auto call = [&] {
    return check(ProgramCall(machine, scope ? &*scope : nullptr).run([&] {
      entry(pointers.data());
    }));
  };
  if (failed(call()))
    return failure();
  if (device && (failed(check(device->synchronize(/*stream=*/nullptr))) ||
                 failed(onDevice.downloadAll())))
    return failure();
  // A result that could not be copied has said why.
  if (llvm::is_contained(outcome.results, std::nullopt))
    return failure();

  SmallVector<const HostTensor *> tensors;
  size_t resultBytes = 0;
  for (std::optional<HostTensor> &result : outcome.results) {
    tensors.push_back(&*result);
    resultBytes += result->getNumBytes();
  }
  for (auto [argument, type] :
       llvm::zip_equal(arguments, function->getArgumentTypes()))
    if (isa<MemRefType>(type))
      tensors.push_back(&argument);
  if (failed(writeOutputs(tensors, files)))
    return failure();
  if (benchmark > 0) {
    outcome.wantsResults = false;
    runBenchmark(
        [&] {
          (void)call();
          if (device)
            (void)device->synchronize(/*stream=*/nullptr);
        },
        resultBytes);
  }
  return success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  ::embedding::tools::setVersionPrinter();
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(
      argc, argv, "Compiles a function of an IR file and runs it\n");
  DialectRegistry registry;
  mlir::embedding::registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  LogicalResult result = run(context);
  if (llvm::Error error = ::embedding::tools::flushStandardOutput())
    result = fail(llvm::toString(std::move(error)));
  // Before the driver takes its leave.
  device.reset();
  return failed(result);
}
