//===- StandInCompiler.cpp - A compiler that compiles nothing -------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What it does in place of compiling is what a test gives as the CPU. Its
// errors are what the test wants to know.
//
//===----------------------------------------------------------------------===//

#include "Compiler/Server.h"
#include "CompilerFingerprint.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <thread>
#include <unistd.h>

using namespace embedding::runtime;

static Failure tell(const std::string &text) {
  return {EMBEDDING_COMPILER_ERROR, text};
}

/// The process that serves, and this one of it.
static std::string getProcesses() {
  return std::to_string(getppid()) + " " + std::to_string(getpid());
}

static std::string getTime() {
  return std::to_string(
      std::chrono::steady_clock::now().time_since_epoch().count());
}

/// What it has of its caller: as many lines as are more than a pipe holds, and
/// then the one that counts.
static void printInherited() {
  for (int i = 0; i < 10000; ++i)
    std::fprintf(stderr, "line %d\n", i);
  int ignored = 0, blocked = 0;
  sigset_t mask;
  sigprocmask(SIG_BLOCK, nullptr, &mask);
  for (int number = 1; number < SIGRTMIN; ++number) {
    struct sigaction action;
    if (sigaction(number, nullptr, &action) != 0)
      continue;
    ignored += action.sa_handler == SIG_IGN;
    blocked += sigismember(&mask, number) == 1;
  }
  int open = 0;
  for (int file = 0; file < 1024; ++file)
    open += fcntl(file, F_GETFD) != -1;
  std::fprintf(stderr,
               "%d signals are ignored, %d are blocked, %d files are open\n",
               ignored, blocked, open);
}

static Result<std::string> compile(const CompileRequest &request) {
  const std::string &task = request.cpu;
  if (task == "tell processes")
    return tell(getProcesses());
  if (task == "take time") {
    std::string begin = getTime();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return tell(begin + " " + getTime());
  }
  if (task == "print and exit") {
    printInherited();
    _exit(3);
  }
  if (task == "kill the server") {
    kill(getppid(), SIGKILL);
    pause();
  }
  // The rest is a file, which a test waits for.
  std::ofstream(task) << getProcesses() << "\n";
  while (true)
    pause();
}

int main() {
  return serve({STAND_IN_FINGERPRINT, [] {}, compile});
}
