//===- CompilerProcess.cpp - Compile in another process -------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/CompilerProcess.h"

#include "Code/CompilerProtocol.h"
#include "CompilerFingerprint.h"
#include "Support/ChildEnd.h"
#include "Support/Descriptor.h"
#include "Support/ReadFile.h"
#include "Support/WriteFile.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <map>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace embedding::runtime;

static Failure compilerError(const std::string &message) {
  return {EMBEDDING_COMPILER_ERROR, "compiler: " + message};
}
static Failure systemError(const std::string &what, int error = errno) {
  return compilerError(what + ": " + std::strerror(error));
}

static Descriptor makeMemoryFile() {
  return Descriptor(memfd_create("embedding", MFD_CLOEXEC));
}

/// ": " and the last line of what was printed, if anything was.
static std::string quoteLastLine(const Descriptor &printed) {
  std::string text = readAll(printed.get(), /*limit=*/4096);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
    text.pop_back();
  text.erase(0, text.rfind('\n') + 1);
  return text.empty() ? "" : ": " + text;
}

//===----------------------------------------------------------------------===//
// Starting a server
//===----------------------------------------------------------------------===//

namespace {

/// What a process is started with.
struct SpawnSettings {
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  SpawnSettings(const SpawnSettings &) = delete;
  SpawnSettings &operator=(const SpawnSettings &) = delete;
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }

  /// The process has `files` as its files 0, 1, ..., none of the caller's, and
  /// none of its treatment of signals.
  int set(std::initializer_list<int> files) {
    int number = 0, error = 0;
    for (int file : files)
      error |= posix_spawn_file_actions_adddup2(&actions, file, number++);
    error |= posix_spawn_file_actions_addclosefrom_np(&actions, number);
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    error |= posix_spawnattr_setsigdefault(&attributes, &all);
    error |= posix_spawnattr_setsigmask(&attributes, &none);
    error |= posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF |
                                                       POSIX_SPAWN_SETSIGMASK);
    return error;
  }

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

/// `file` by a number that nobody writes to who means the caller's output,
/// which the caller may have closed.
static Descriptor avoidStandardFiles(Descriptor file) {
  if (file.get() > STDERR_FILENO)
    return file;
  Descriptor other(fcntl(file.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  return other.isOpen() ? std::move(other) : std::move(file);
}

/// A file that stays open between calls. The caller may close what it has not
/// opened, as daemons do, and the number become that of another file of its
/// own.
class LastingDescriptor {
public:
  explicit LastingDescriptor(Descriptor opened)
      : file(avoidStandardFiles(std::move(opened))) {
    fstat(file.get(), &identity);
  }
  LastingDescriptor(const LastingDescriptor &) = delete;
  LastingDescriptor &operator=(const LastingDescriptor &) = delete;
  ~LastingDescriptor() {
    if (!isStillOpen())
      file.release();
  }

  bool isStillOpen() const {
    struct stat now;
    return fstat(file.get(), &now) == 0 && now.st_dev == identity.st_dev &&
           now.st_ino == identity.st_ino;
  }
  const Descriptor &get() const { return file; }

private:
  Descriptor file;
  struct stat identity = {};
};

/// A server, until nobody has it any more.
struct Server {
  Server(Descriptor socket, Descriptor printed)
      : socket(std::move(socket)), printed(std::move(printed)) {}

  LastingDescriptor socket;
  /// What it prints itself.
  LastingDescriptor printed;
};
using ServerPointer = std::shared_ptr<const Server>;

} // namespace

/// The dynamic loader of this process, which runs a library as a program.
static std::string getLoader() {
  Dl_info info;
  void *base = reinterpret_cast<void *>(getauxval(AT_BASE));
  if (base && dladdr(base, &info) && info.dli_fname && info.dli_fname[0] == '/')
    return info.dli_fname;
  return "/lib64/ld-linux-x86-64.so.2";
}

static Result<ServerPointer> startServer(std::string library) {
  // To open a FIFO would wait for its writer.
  struct stat status;
  if (stat(library.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    return compilerError("cannot run " + library + ": it is no regular file");
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return systemError("cannot make a socket");
  Descriptor ours(ends[0]), its(ends[1]), printed = makeMemoryFile();
  if (!printed.isOpen())
    return systemError("cannot make a file in memory");
  SpawnSettings settings;
  if (int error = settings.set({its.get(), printed.get(), printed.get()}))
    return systemError("cannot start", error);
  std::string loader = getLoader();
  char *arguments[] = {loader.data(), library.data(), nullptr};
  pid_t child = 0;
  if (int error = posix_spawn(&child, loader.c_str(), &settings.actions,
                              &settings.attributes, arguments, environ))
    return systemError("cannot start " + loader, error);
  its.reset();
  char fingerprint[256];
  ssize_t size;
  // Whoever else wants the server waits for it too.
  do
    size = recv(ours.get(), fingerprint, sizeof(fingerprint), 0); // NOLINT
  while (size < 0 && errno == EINTR);
  // The server is a child of that child, which ends when it has forked.
  int end = 0;
  bool isKnown = waitForEnd(child, end);
  if (size <= 0)
    return compilerError("cannot run " + library + ": it " +
                         describeEnd(isKnown, end) + quoteLastLine(printed));
  if (std::string_view(fingerprint, size) != kCompilerFingerprint)
    return compilerError(library +
                         " was built from other sources than this runtime");
  return ServerPointer(
      std::make_shared<Server>(std::move(ours), std::move(printed)));
}

//===----------------------------------------------------------------------===//
// The servers of this process
//===----------------------------------------------------------------------===//

namespace {

class Servers {
public:
  /// That of `library`, which is started if there is none.
  Result<ServerPointer> get(const std::string &library) {
    std::lock_guard<std::mutex> lock(mutex);
    ServerPointer &server = servers[library];
    if (server)
      return server;
    Result<ServerPointer> started = startServer(library);
    if (started)
      server = *started;
    return started;
  }

  /// `server` has ended.
  void remove(const std::string &library, const ServerPointer &server) {
    std::lock_guard<std::mutex> lock(mutex);
    if (servers[library] == server)
      servers[library] = nullptr;
  }

  /// In the child of a fork, where they are those of the parent: no thread is
  /// in a function of this class then.
  void clear() { servers.clear(); }

private:
  std::map<std::string, ServerPointer> servers;
  std::mutex mutex;
};

} // namespace

/// Never destroyed: threads may still compile when the process ends.
static Servers &servers = *new Servers;

__attribute__((constructor)) static void leaveServersToTheParent() {
  pthread_atfork(nullptr, nullptr, [] { servers.clear(); });
}

//===----------------------------------------------------------------------===//
// Requests
//===----------------------------------------------------------------------===//

/// What `answer` holds, if it is whole.
static std::optional<Result<std::string>> readAnswer(const Descriptor &answer) {
  std::string bytes = readAll(answer.get());
  CompilerAnswer header = {};
  if (bytes.size() < sizeof(header))
    return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof(header));
  bytes.erase(0, sizeof(header));
  if (bytes.size() != header.size)
    return std::nullopt;
  if (header.kind == CompilerAnswer::kCode)
    return bytes;
  if (header.kind == CompilerAnswer::kError)
    return Failure{EMBEDDING_COMPILER_ERROR, std::move(bytes)};
  return std::nullopt;
}

/// The outcome of a request, or nothing if the server has ended before.
static std::optional<Result<std::string>> ask(const Server &server,
                                              std::string_view request) {
  RequestFiles files;
  for (RequestFile file : {kRequestFile, kAnswerFile, kPrintedFile}) {
    files[file] = makeMemoryFile();
    if (!files[file].isOpen())
      return systemError("cannot make a file in memory");
  }
  if (!writeAll(files[kRequestFile].get(), request))
    return systemError("cannot write a file in memory");
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return systemError("cannot make a pipe");
  Descriptor status(ends[0]);
  files[kStatusFile] = Descriptor(ends[1]);
  if (!server.socket.isStillOpen())
    return std::nullopt;
  if (!sendFiles(server.socket.get().get(), files)) {
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
      return std::nullopt;
    return systemError("cannot send a request");
  }
  files[kStatusFile].reset();
  int end = 0;
  ssize_t size;
  do
    size = read(status.get(), &end, sizeof(end));
  while (size < 0 && errno == EINTR);
  std::optional<Result<std::string>> outcome = readAnswer(files[kAnswerFile]);
  if (outcome || size != sizeof(end))
    return outcome;
  return compilerError("it " + describeEnd(/*isKnown=*/true, end) +
                       " without an answer" +
                       quoteLastLine(files[kPrintedFile]));
}

Result<std::string>
embedding::runtime::compileInProcess(const std::string &library,
                                     const CompileRequest &request) {
  std::string bytes = request.write();
  if (!isWithinFileLimit(bytes.size()))
    return compilerError("expected the limit of the size of files to be at "
                         "least that of what is compiled, " +
                         std::to_string(bytes.size()) + " bytes");
  // One may have ended for want of requests, or been killed.
  for (int attempt = 0;; ++attempt) {
    Result<ServerPointer> server = servers.get(library);
    if (!server)
      return server.failure();
    if (std::optional<Result<std::string>> outcome = ask(**server, bytes))
      return std::move(*outcome);
    servers.remove(library, *server);
    if (attempt == 1)
      return compilerError("its process ended without an answer" +
                           quoteLastLine((*server)->printed.get()));
  }
}
