//===- Server.cpp - The compiler as a process -----------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Server.h"

#include "Code/CompilerProtocol.h"
#include "Support/ChildEnd.h"
#include "Support/Descriptor.h"
#include "Support/ReadFile.h"
#include "Support/WriteFile.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <vector>

using namespace embedding::runtime;

/// For how long a server waits for a request.
static constexpr int kIdleMilliseconds = 3000;

/// The server's file that requests come from, and that of a worker.
static constexpr int kServerSocket = 0, kWorkerSocket = 3;

/// What a worker says when it has answered: whether it will do so again.
static constexpr char kReady = 'r', kEnding = 'e';

//===----------------------------------------------------------------------===//
// Workers
//===----------------------------------------------------------------------===//

/// Writes first what it is and last what makes it whole.
static bool answer(int file, CompilerAnswer::Kind kind, std::string_view body) {
  CompilerAnswer header = {kind, body.size()};
  return writeAll(file,
                  {reinterpret_cast<const char *>(&header), sizeof(header)}) &&
         writeAll(file, body);
}

/// Answers. Whether this process is fit for another request. IR of others does
/// to LLVM what nobody foresees, and an error may leave something behind.
static bool compileToAnswer(const Compiler &compiler) {
  std::string bytes = readAll(kRequestFile);
  std::optional<CompileRequest> request = CompileRequest::read(bytes);
  Result<std::string> made =
      request ? compiler.compile(*request)
              : Result<std::string>(
                    Failure{EMBEDDING_COMPILER_ERROR, "compiler: no request"});
  bool isWhole = made ? answer(kAnswerFile, CompilerAnswer::kCode, *made)
                      : answer(kAnswerFile, CompilerAnswer::kError,
                               made.failure().message);
  return isWhole && made && std::holds_alternative<KernelSpec>(request->source);
}

[[noreturn]] static void work(const Compiler &compiler, int socket,
                              pid_t server) {
  // When the caller ends, the server does, and its children with it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != server)
    _exit(1);
  // No file of the server's, nor of its other children.
  dup2(socket, kWorkerSocket);
  close_range(kWorkerSocket + 1, ~0U, 0);
  while (std::optional<RequestFiles> files = receiveFiles(kWorkerSocket)) {
    for (int file : {kRequestFile, kAnswerFile, kPrintedFile})
      dup2((*files)[file].get(), file);
    files.reset();
    char word = compileToAnswer(compiler) ? kReady : kEnding;
    // Before it ends, which takes a while.
    if (!writeAll(kWorkerSocket, {&word, 1}) || word == kEnding)
      break;
  }
  // LLVM's destructors have nothing to save.
  _exit(0);
}

//===----------------------------------------------------------------------===//
// The server
//===----------------------------------------------------------------------===//

namespace {

class Server {
public:
  explicit Server(const Compiler &compiler) : compiler(compiler) {}

  /// Returns when the caller has ended, or has had no requests for a while.
  void run() {
    compiler.prepare();
    writeAll(kServerSocket, compiler.fingerprint);
    while (true) {
      std::vector<pollfd> files = {{kServerSocket, POLLIN, 0}};
      bool isIdle = true;
      for (const Worker &worker : workers) {
        files.push_back({worker.socket.get(), POLLIN, 0});
        isIdle &= worker.isReady;
      }
      if (poll(files.data(), files.size(), isIdle ? kIdleMilliseconds : -1) ==
          0)
        return;
      // From the last, so that those before keep their places.
      for (size_t i = workers.size(); i > 0; --i)
        if (files[i].revents)
          hear(workers.begin() + static_cast<ptrdiff_t>(i - 1));
      if (files[0].revents) {
        std::optional<RequestFiles> request = receiveFiles(kServerSocket);
        if (!request)
          return;
        handOn(*request);
      }
    }
  }

private:
  /// A child that compiles one request at a time.
  struct Worker {
    pid_t pid;
    Descriptor socket;
    /// Of a request that it has not answered.
    Descriptor status;
    bool isReady;
  };

  /// `worker` says that it has answered, or has ended.
  void hear(std::vector<Worker>::iterator worker) {
    char word;
    if (read(worker->socket.get(), &word, 1) == 1) {
      worker->isReady = word == kReady;
      worker->status.reset();
      return;
    }
    int end = 0;
    waitForEnd(worker->pid, end);
    if (worker->status.isOpen())
      writeAll(worker->status.get(),
               {reinterpret_cast<const char *>(&end), sizeof(end)});
    workers.erase(worker);
  }

  /// False, with errno, if there is no room for one.
  bool addWorker() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
      return false;
    Descriptor ours(ends[0]), its(ends[1]);
    pid_t server = getpid(), child = fork();
    if (child == 0)
      work(compiler, its.get(), server);
    if (child < 0)
      return false;
    workers.push_back({child, std::move(ours), Descriptor(), true});
    return true;
  }

  void handOn(RequestFiles &request) {
    // Files that there was no room for: the caller sees that of the status go.
    if (!request[kStatusFile].isOpen())
      return;
    auto findReady = [&] {
      return std::find_if(workers.begin(), workers.end(),
                          [](const Worker &worker) { return worker.isReady; });
    };
    if (findReady() == workers.end() && !addWorker()) {
      answer(request[kAnswerFile].get(), CompilerAnswer::kError,
             std::string("compiler: cannot fork: ") + std::strerror(errno));
      return;
    }
    // One that has just ended is heard of soon.
    Worker &worker = *findReady();
    sendFiles(worker.socket.get(), request);
    worker.status = std::move(request[kStatusFile]);
    worker.isReady = false;
  }

  const Compiler &compiler;
  std::vector<Worker> workers;
};

} // namespace

/// Makes this process one of its own, apart from the caller's.
static void leaveCaller() {
  // The caller's terminal, and directory, which may be wanted elsewhere.
  setsid();
  if (chdir("/") != 0)
    std::perror("/");
  // What ends a compilation is an error of the caller's request, and no more.
  rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  // Answers are files in memory, and no files of the caller's.
  for (auto resource : {RLIMIT_FSIZE, RLIMIT_NOFILE}) {
    rlimit limit;
    getrlimit(resource, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(resource, &limit);
  }
  // If there is no memory left, this goes before the caller does.
  Descriptor score(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (score.isOpen())
    writeAll(score.get(), "1000");
}

int embedding::runtime::serve(const Compiler &compiler) {
  // The caller's child ends here. The server is nobody's: whoever waits for
  // children does not wait for it, and need not.
  pid_t child = fork();
  if (child < 0)
    std::perror("fork");
  if (child != 0)
    return child < 0 ? 1 : 0;
  leaveCaller();
  Server(compiler).run();
  _exit(0);
}
