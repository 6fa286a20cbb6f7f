//===- Linker.cpp - From objects to shared objects ------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Linker.h"

#include "Support/Descriptor.h"
#include "Support/WriteFile.h"
#include "embedding/ABI/HostFunctions.h"

#include "mlir/IR/Diagnostics.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Object/ObjectFile.h"

#include <cerrno>
#include <csetjmp>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <mutex>
#include <sys/mman.h>
#include <system_error>
#include <thread>
#include <unistd.h>

using namespace mlir;
using namespace mlir::embedding;
using ::embedding::runtime::Descriptor;

LLD_HAS_DRIVER(elf)

//===----------------------------------------------------------------------===//
// Files without names
//===----------------------------------------------------------------------===//

static InFlightDiagnostic emitSystemError(Location loc, const char *what) {
  return emitError(loc) << "cannot link: " << what << ": "
                        << std::strerror(errno);
}

/// A file in memory of `bytes`.
static FailureOr<Descriptor> makeFile(Location loc, ArrayRef<char> bytes) {
  if (!::embedding::runtime::isWithinFileLimit(bytes.size()))
    return emitError(loc) << "cannot link: expected the limit of the size of "
                             "files to be at least that of the object, "
                          << bytes.size() << " bytes",
           failure();
  Descriptor file(memfd_create("embedding-object", MFD_CLOEXEC));
  if (file.get() < 0 ||
      !::embedding::runtime::writeAll(file.get(), {bytes.data(), bytes.size()}))
    return emitSystemError(loc, "no file in memory"), failure();
  return file;
}

/// Appends what comes from `pipe` to `bytes`, until its other ends are closed.
static void drain(int pipe, ObjectFile &bytes) {
  char buffer[1 << 14];
  while (true) {
    ssize_t count = read(pipe, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return;
    bytes.append(buffer, buffer + count);
  }
}

//===----------------------------------------------------------------------===//
// lld
//===----------------------------------------------------------------------===//

/// Set while lld runs, on its thread: where an exit of its goes.
static thread_local std::jmp_buf *exitPoint = nullptr;

// What lld does to the process, as if it were its own, is done here in its
// place (see CMakeLists.txt): it sets all options of LLVM to their defaults,
// and after errors of some kinds it ends LLVM and the process.
extern "C" {
void __wrap__ZN4llvm2cl25ResetAllOptionOccurrencesEv() {}
void __wrap__ZN4llvm13llvm_shutdownEv() {}
void __wrap__ZN4llvm3sys7Process4ExitEib(int code, bool) {
  // NOLINTNEXTLINE(bugprone-unsafe-functions)
  std::longjmp(*exitPoint, code ? code : 1);
}
}

namespace {

struct Outcome {
  /// 0 if lld has linked.
  int code;
  std::string printed;
};

} // namespace

static Outcome runLLD(ArrayRef<const char *> arguments) {
  // lld has one context for the whole process, which an exit leaves as it is.
  static std::mutex mutex;
  static bool hasExited = false;
  std::lock_guard<std::mutex> lock(mutex);
  if (hasExited)
    return {1, "error: lld has exited before\n"};
  Outcome outcome;
  llvm::raw_string_ostream stream(outcome.printed);
  std::jmp_buf here;
  exitPoint = &here;
  // NOLINTNEXTLINE(bugprone-unsafe-functions)
  if (_setjmp(here) == 0) {
    outcome.code =
        lld::lldMain(arguments, stream, stream, {{lld::Gnu, &lld::elf::link}})
            .retCode;
  } else {
    hasExited = true;
    outcome.code = 1;
  }
  exitPoint = nullptr;
  return outcome;
}

/// What lld says is wrong, in one line: all that is undefined, or else its
/// first error, without the name of a file that has none.
static std::string summarize(StringRef printed) {
  SmallVector<StringRef> lines, errors, undefined;
  printed.split(lines, '\n', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef line : lines) {
    StringRef error = line.split("error: ").second;
    if (error.starts_with("undefined symbol: "))
      undefined.push_back(error);
    else if (!error.empty())
      errors.push_back(error.starts_with("/proc/self/fd/")
                           ? error.split(':').second
                           : error);
  }
  if (!undefined.empty())
    return llvm::join(undefined, "; ");
  return errors.empty() ? "lld failed" : errors.front().str();
}

/// Runs lld on `objects`, with `options` before and `libraries` after them.
static LogicalResult link(Location loc, ArrayRef<std::string> options,
                          ArrayRef<ArrayRef<char>> objects,
                          ArrayRef<std::string> libraries, ObjectFile &linked) {
  SmallVector<Descriptor> files;
  // To a pipe lld writes; beside a file it would make another, and rename that.
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return emitSystemError(loc, "no pipe");
  Descriptor from(ends[0]), to(ends[1]);
  std::vector<std::string> arguments = {
      // It must not end the process, at the twentieth error say.
      "ld.lld", "--threads=1", "--error-limit=0", "--color-diagnostics=never",
      "-o",     to.getPath()};
  arguments.insert(arguments.end(), options.begin(), options.end());
  for (ArrayRef<char> object : objects) {
    FailureOr<Descriptor> file = makeFile(loc, object);
    if (failed(file))
      return failure();
    arguments.push_back(file->getPath());
    files.push_back(std::move(*file));
  }
  arguments.insert(arguments.end(), libraries.begin(), libraries.end());
  SmallVector<const char *> pointers;
  for (const std::string &argument : arguments)
    pointers.push_back(argument.c_str());

  std::thread reader;
  try {
    reader = std::thread([&] { drain(from.get(), linked); });
  } catch (const std::system_error &) {
    return emitSystemError(loc, "no thread");
  }
  Outcome outcome = runLLD(pointers);
  to.reset();
  reader.join();
  if (outcome.code != 0)
    return emitError(loc) << "cannot link: " << summarize(outcome.printed);
  return success();
}

/// The files of those libraries that this process has loaded.
static std::vector<std::string> findLoaded(ArrayRef<std::string> names) {
  std::vector<std::string> paths;
  for (const std::string &name : names) {
    void *library = dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
    if (!library)
      continue;
    link_map *map = nullptr;
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map->l_name[0] == '/')
      paths.push_back(map->l_name);
    dlclose(library);
  }
  return paths;
}

/// The libraries of the C compiler and its language.
static const std::vector<std::string> &getSystemLibraries() {
  static const std::vector<std::string> paths = findLoaded(
      {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"});
  return paths;
}

//===----------------------------------------------------------------------===//
// Kinds of links
//===----------------------------------------------------------------------===//

static constexpr unsigned char kHostStubs[] = {
#include "HostStubs.inc"
};

/// Whether `object` needs more than host functions: to read the libraries takes
/// as long as all else.
static bool needsLibraries(ArrayRef<char> object) {
  static const llvm::StringSet<> known = {
#define NAME(name) #name,
      EMBEDDING_HOST_FUNCTIONS(NAME)
#undef NAME
  };
  auto isUnknown = [](const llvm::object::SymbolRef &symbol) {
    llvm::Expected<uint32_t> flags = symbol.getFlags();
    llvm::Expected<StringRef> name = symbol.getName();
    if (flags && name)
      return (*flags & llvm::object::SymbolRef::SF_Undefined) &&
             !(*flags & llvm::object::SymbolRef::SF_FormatSpecific) &&
             !known.contains(*name);
    if (!flags)
      llvm::consumeError(flags.takeError());
    if (!name)
      llvm::consumeError(name.takeError());
    return true;
  };
  auto file = llvm::object::ObjectFile::createObjectFile(
      llvm::MemoryBufferRef(StringRef(object.data(), object.size()), "object"));
  if (file)
    return llvm::any_of((*file)->symbols(), isUnknown);
  llvm::consumeError(file.takeError());
  return true;
}

LogicalResult mlir::embedding::linkToHost(Location loc, ArrayRef<char> object,
                                          ObjectFile &linked,
                                          ArrayRef<std::string> libraries) {
  std::vector<std::string> files;
  if (needsLibraries(object)) {
    files = findLoaded(libraries);
    llvm::append_range(files, getSystemLibraries());
  }
  ArrayRef<char> stubs(reinterpret_cast<const char *>(kHostStubs),
                       sizeof(kHostStubs));
  return link(loc,
              {"-shared", "-Bsymbolic", "-z", "defs", "-z", "now", "-z",
               "norelro", "--eh-frame-hdr", "--hash-style=gnu",
               "--build-id=fast", "--as-needed"},
              {object, stubs}, files, linked);
}

LogicalResult mlir::embedding::linkLibrary(Location loc,
                                           ArrayRef<ObjectFile> objects,
                                           StringRef launcher,
                                           ArrayRef<std::string> exported,
                                           ObjectFile &linked) {
  std::string script = "{ global: ";
  for (const std::string &name : exported)
    script += name + "; ";
  script += "local: *; };\n";
  FailureOr<Descriptor> scriptFile = makeFile(loc, script);
  if (failed(scriptFile))
    return failure();
  SmallVector<ArrayRef<char>> bytes(objects.begin(), objects.end());
  std::vector<std::string> libraries = {launcher.str()};
  llvm::append_range(libraries, getSystemLibraries());
  return link(loc,
              {"-shared", "-Bsymbolic", "-z", "defs", "-z", "nodelete",
               "--gc-sections", "--eh-frame-hdr", "--build-id=fast",
               "--as-needed", "--version-script=" + scriptFile->getPath()},
              bytes, libraries, linked);
}

LogicalResult mlir::embedding::linkRelocatable(Location loc,
                                               ArrayRef<ObjectFile> objects,
                                               ObjectFile &linked) {
  SmallVector<ArrayRef<char>> bytes(objects.begin(), objects.end());
  return link(loc, {"-r"}, bytes, {}, linked);
}
