//===- CPU.cpp - Machine code for a CPU -----------------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "embedding/Target/CPU.h"

#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"

using namespace mlir;
using namespace mlir::embedding;

CPUTarget::CPUTarget(std::unique_ptr<llvm::TargetMachine> machine)
    : machine(std::move(machine)) {}
CPUTarget::CPUTarget(CPUTarget &&) noexcept = default;
CPUTarget &CPUTarget::operator=(CPUTarget &&) noexcept = default;
CPUTarget::~CPUTarget() = default;

FailureOr<CPUTarget> CPUTarget::get(Location loc, StringRef cpu) {
  static const bool isInitialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    // For inline assembly, which ends the process without it.
    llvm::InitializeNativeTargetAsmParser();
    return true;
  }();
  (void)isInitialized;

  llvm::Triple triple(llvm::sys::getProcessTriple());
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return emitError(loc, message), failure();

  llvm::SubtargetFeatures features;
  std::string name = cpu.str();
  if (name.empty() || name == "native") {
    name = llvm::sys::getHostCPUName().str();
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      features.AddFeature(feature.getKey(), feature.getValue());
  }
  std::unique_ptr<llvm::MCSubtargetInfo> known(
      target->createMCSubtargetInfo(triple, /*CPU=*/"", /*Features=*/""));
  if (!known->isCPUStringValid(name))
    return emitError(loc) << "no CPU named '" << name << "' for "
                          << triple.str(),
           failure();

  // LLVM's own answer to this one would end the process.
  std::unique_ptr<llvm::MCSubtargetInfo> named(
      target->createMCSubtargetInfo(triple, name, features.getString()));
  if (triple.getArch() == llvm::Triple::x86_64 &&
      !named->checkFeatures("+64bit"))
    return emitError(loc) << "CPU '" << name << "' runs no 64-bit code",
           failure();

  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, name, features.getString(), llvm::TargetOptions(),
      llvm::Reloc::PIC_, llvm::CodeModel::Small,
      llvm::CodeGenOptLevel::Default));
  if (!machine)
    return emitError(loc) << "no code generator for " << triple.str(),
           failure();
  return CPUTarget(std::move(machine));
}

int64_t CPUTarget::getVectorBytes() const {
  const llvm::MCSubtargetInfo *info = machine->getMCSubtargetInfo();
  if (!machine->getTargetTriple().isX86())
    return 16;
  if (info->checkFeatures("+avx512f"))
    return 64;
  return info->checkFeatures("+avx2") ? 32 : 16;
}

std::optional<std::string> CPUTarget::findFeatureMissingHere() const {
  const llvm::MCSubtargetInfo *info = machine->getMCSubtargetInfo();
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    if (!feature.getValue() &&
        info->checkFeatures(("+" + feature.getKey()).str()))
      return feature.getKey().str();
  return std::nullopt;
}

unsigned CPUTarget::getX86Level() const {
  const llvm::MCSubtargetInfo *info = machine->getMCSubtargetInfo();
  if (!machine->getTargetTriple().isX86())
    return 0;
  if (info->checkFeatures("+avx512f"))
    return 4;
  if (info->checkFeatures("+avx2"))
    return 3;
  return info->checkFeatures("+sse4.2") ? 2 : 1;
}

bool CPUTarget::isIntel() const {
  StringRef cpu = machine->getTargetCPU();
  constexpr StringLiteral kOthers[] = {
      "x86-64", "generic", "znver", "bdver",   "btver", "barcelona", "amd",
      "athlon", "k6",      "k8",    "opteron", "geode", "c3",        "winchip"};
  return machine->getTargetTriple().isX86() && !cpu.empty() &&
         llvm::none_of(kOthers,
                       [&](StringRef other) { return cpu.starts_with(other); });
}

namespace {

/// Keeps the first error. LLVM's own handler ends the process over one.
struct FirstError : llvm::DiagnosticHandler {
  explicit FirstError(std::string &error) : error(error) {}

  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    if (info.getSeverity() != llvm::DS_Error || !error.empty())
      return true;
    llvm::raw_string_ostream stream(error);
    llvm::DiagnosticPrinterRawOStream printer(stream);
    info.print(printer);
    if (error.empty())
      error = "unknown error";
    return true;
  }

  std::string &error;
};

} // namespace

LogicalResult CPUTarget::emit(ModuleOp module, unsigned optLevel, Output kind,
                              SmallVectorImpl<char> &output) const {
  llvm::LLVMContext context;
  std::string error;
  context.setDiagnosticHandler(std::make_unique<FirstError>(error));
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, context);
  if (!llvmModule)
    return module.emitError("expected a module of the LLVM dialect");
  llvmModule->setDataLayout(machine->createDataLayout());
  llvmModule->setTargetTriple(machine->getTargetTriple());
  // What the functions are compiled for is theirs to say, for the loop
  // vectorizer as for the code generator. So is whether one can be unwound at
  // any instruction, by profilers too.
  llvmModule->setUwtable(llvm::UWTableKind::Async);
  for (llvm::Function &function : *llvmModule)
    if (!function.isDeclaration()) {
      function.addFnAttr("target-cpu", machine->getTargetCPU());
      function.addFnAttr("target-features", machine->getTargetFeatureString());
      function.setUWTableKind(llvm::UWTableKind::Async);
    }

  machine->setOptLevel(optLevel == 0 ? llvm::CodeGenOptLevel::None
                                     : llvm::CodeGenOptLevel::Default);
  auto optimize =
      makeOptimizingTransformer(optLevel, /*sizeLevel=*/0, machine.get());
  if (llvm::Error failed = optimize(llvmModule.get()))
    return module.emitError("LLVM's optimizer failed: ")
           << llvm::toString(std::move(failed));

  llvm::raw_svector_ostream stream(output);
  if (kind == Output::llvmIR) {
    llvmModule->print(stream, nullptr);
    return success();
  }
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, stream, nullptr,
                                   kind == Output::object
                                       ? llvm::CodeGenFileType::ObjectFile
                                       : llvm::CodeGenFileType::AssemblyFile))
    return module.emitError("the target emits no files of this kind");
  codegen.run(*llvmModule);
  if (!error.empty())
    return module.emitError("LLVM's code generator failed: ") << error;
  return success();
}
