//===- CompilerTest.cpp - The process that compiles -----------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <optional>
#include <sstream>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace embedding;
using namespace embedding::test;
using testing::HasSubstr;
using testing::MatchesRegex;

namespace {

/// Tests that hang are killed.
class Compiler : public testing::Test {
protected:
  Compiler() { alarm(200); }
  ~Compiler() override { alarm(0); }
};

/// The message of a lookup that cannot be compiled; empty if it works.
std::string lookUp(Engine &engine, int64_t rowLength = 3) {
  std::vector<float> table(2 * rowLength, 3), out(rowLength);
  int64_t index = 1;
  try {
    engine.lookup(TensorView(table.data(), {2, rowLength}),
                  TensorView(&index, {1}),
                  TensorView(out.data(), {1, rowLength}));
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), EMBEDDING_COMPILER_ERROR);
    return error.what();
  }
  EXPECT_EQ(out, std::vector<float>(rowLength, 3));
  return "";
}

/// Whose compiler does `task`, which StandInCompiler.cpp knows.
Engine standIn(const char *task) {
  EngineOptions options = uncached();
  options.compiler_library = STAND_IN_COMPILER;
  options.cpu = task;
  return Engine(options);
}

/// The server of this process, and its process that has compiled.
struct Processes {
  pid_t server = 0, worker = 0;
};
Processes getProcesses(const std::string &text) {
  Processes processes;
  std::istringstream(text) >> processes.server >> processes.worker;
  return processes;
}
Processes getProcesses() {
  Engine engine = standIn("tell processes");
  return getProcesses(lookUp(engine));
}

/// One that has ended may be known for long, if nobody waits for it.
bool isRunning(pid_t pid) {
  std::ifstream line("/proc/" + std::to_string(pid) + "/cmdline");
  return line.get() != std::ifstream::traits_type::eof();
}

/// Whether `condition` comes to hold, within a time that even a busy machine
/// needs no more of.
bool waitUntil(const std::function<bool()> &condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition())
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

int countOpenFiles() {
  auto files = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<int>(std::distance(begin(files), end(files)));
}

/// A process that compiles in a thread, without end, and does `body` meanwhile.
class CompilingProcess {
public:
  explicit CompilingProcess(const std::function<void()> &body)
      : file(directory.str() + "/processes"), pid(fork()) {
    if (pid == 0) {
      alarm(100);
      std::thread([this] {
        Engine engine = standIn(file.c_str());
        lookUp(engine);
      }).detach();
      waitForProcesses();
      body();
      _exit(1);
    }
    waitForProcesses();
  }

  int waitForEnd() const {
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    return status;
  }

  pid_t getPid() const { return pid; }
  Processes getProcesses() const { return processes; }

private:
  void waitForProcesses() {
    EXPECT_TRUE(waitUntil([&] {
      std::ifstream stream(file);
      return bool(stream >> processes.server >> processes.worker);
    }));
  }

  TemporaryDirectory directory;
  std::string file;
  pid_t pid;
  Processes processes;
};

/// The processes of a compiler library by its path.
std::vector<pid_t> findProcesses(const std::string &library) {
  std::vector<pid_t> found;
  for (const auto &entry : std::filesystem::directory_iterator("/proc")) {
    // 0 for what is no process.
    auto pid = static_cast<pid_t>(
        std::strtol(entry.path().filename().c_str(), nullptr, 10));
    std::ifstream stream(entry.path() / "cmdline");
    std::string line(std::istreambuf_iterator<char>(stream), {});
    if (pid && line.find(library) != std::string::npos)
      found.push_back(pid);
  }
  return found;
}

/// The compiler library, by a path that no other process knows.
class OwnLibrary {
public:
  OwnLibrary() { link(); }
  void link() { std::filesystem::create_symlink(COMPILER_LIBRARY, path); }
  void unlink() { std::filesystem::remove(path); }

  EngineOptions options() const {
    EngineOptions options = uncached();
    options.compiler_library = path.c_str();
    return options;
  }

  const std::string &str() const { return path; }

private:
  TemporaryDirectory directory;
  std::string path = directory.str() + "/libembedding-compiler.so";
};

} // namespace

// It is there for the next request, and gone when there has been none for a
// while.
TEST_F(Compiler, IsKeptAndEnds) {
  Processes first = getProcesses();
  EXPECT_GT(first.server, 0);
  EXPECT_NE(first.server, getpid());
  EXPECT_EQ(getProcesses().server, first.server);
  EXPECT_TRUE(waitUntil([&] { return !isRunning(first.server); }));
  Processes second = getProcesses();
  EXPECT_GT(second.server, 0);
  EXPECT_NE(second.server, first.server);
}

// A process goes on to compile kernels, but not after an error.
TEST_F(Compiler, ProcessesAreUsedAgain) {
  OwnLibrary library;
  Engine engine(library.options());
  EXPECT_EQ(lookUp(engine, 3), "");
  std::vector<pid_t> processes = findProcesses(library.str());
  EXPECT_EQ(processes.size(), 2u);
  EXPECT_EQ(lookUp(engine, 4), "");
  EXPECT_EQ(findProcesses(library.str()), processes);
  Processes first = getProcesses(), second = getProcesses();
  EXPECT_EQ(first.server, second.server);
  EXPECT_NE(first.worker, second.worker);
}

TEST_F(Compiler, KilledBetweenRequests) {
  // Found out by what is sent, or by what does not come.
  for (bool hasEnded : {true, false}) {
    Processes first = getProcesses();
    kill(first.server, SIGKILL);
    EXPECT_TRUE(
        waitUntil([&] { return !hasEnded || !isRunning(first.server); }));
    Processes second = getProcesses();
    EXPECT_GT(second.server, 0);
    EXPECT_NE(second.server, first.server);
  }
}

// A request is not made for ever.
TEST_F(Compiler, KilledByRequests) {
  Engine killing = standIn("kill the server");
  EXPECT_EQ(lookUp(killing), "compiler: its process ended without an answer");
  EXPECT_GT(getProcesses().worker, 0);
}

// Of what is printed before the end, the last line is told. There is nothing of
// how the caller treats signals, nor of its files.
TEST_F(Compiler, EndsWithoutAnAnswer) {
  sigset_t one, before;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &one, &before);
  auto *handler = std::signal(SIGUSR1, SIG_IGN);
  // So that a server starts with them.
  pid_t server = getProcesses().server;
  kill(server, SIGKILL);
  EXPECT_TRUE(waitUntil([&] { return !isRunning(server); }));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  testing::internal::CaptureStderr();
  Engine engine = standIn("print and exit");
  std::string expected =
      "compiler: it ended with status 3 without an answer: 0 signals are "
      "ignored, 0 are blocked, 4 files are open";
  EXPECT_EQ(lookUp(engine), expected);
  try {
    Module module(engine, "func.func @f() {\n  return\n}");
    ADD_FAILURE() << "nothing was compiled";
  } catch (const Error &error) {
    EXPECT_EQ(error.what(), expected);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  // The server is there, and does not keep the pipe open.
  close(ends[1]);
  char byte;
  EXPECT_EQ(read(ends[0], &byte, 1), 0);
  close(ends[0]);
  std::signal(SIGUSR1, handler);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// Neither the caller's children nor its signals are the compiler's business.
TEST_F(Compiler, IsNoChild) {
  for (auto *treatment : {SIG_DFL, SIG_IGN}) {
    auto *before = std::signal(SIGCHLD, treatment);
    kill(getProcesses().server, SIGKILL);
    Engine engine(uncached());
    EXPECT_EQ(lookUp(engine), "");
    EXPECT_GT(getProcesses().server, 0);
    Engine ending = standIn("print and exit");
    EXPECT_THAT(lookUp(ending), HasSubstr("it ended with status 3"));
    // Nobody knows how a child ended whose end the system does not keep.
    EngineOptions missing = uncached();
    missing.compiler_library = "/nowhere/libembedding-compiler.so";
    Engine other(missing);
    EXPECT_THAT(lookUp(other), HasSubstr(treatment == SIG_IGN
                                             ? ": it ended: "
                                             : ": it ended with status 127: "));
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
    std::signal(SIGCHLD, before);
  }
}

// Memory that runs out is the error of a request, wherever that is.
TEST_F(Compiler, OutOfMemory) {
  OwnLibrary library;
  Engine engine(library.options());
  EXPECT_EQ(lookUp(engine, 1), "");
  std::vector<pid_t> processes = findProcesses(library.str());
  ASSERT_EQ(processes.size(), 2u);
  rlimit before;
  ASSERT_EQ(prlimit(processes.back(), RLIMIT_AS, nullptr, &before), 0);
  int numEnds = 0;
  for (int64_t more = 0; more <= 160; more += 16) {
    for (pid_t process : findProcesses(library.str())) {
      // Pages, of which the first number is all.
      int64_t pages = 0;
      std::ifstream("/proc/" + std::to_string(process) + "/statm") >> pages;
      rlimit limit = before;
      limit.rlim_cur = pages * sysconf(_SC_PAGESIZE) + (more << 20);
      prlimit(process, RLIMIT_AS, &limit, nullptr);
    }
    std::string error = lookUp(engine, 2 + more);
    if (!error.empty())
      EXPECT_EQ(error.rfind("compiler: ", 0), 0u) << error;
    numEnds += error.find(" without an answer") != std::string::npos;
  }
  EXPECT_GT(numEnds, 0);
  for (pid_t process : findProcesses(library.str()))
    prlimit(process, RLIMIT_AS, &before, nullptr);
  EXPECT_EQ(lookUp(engine, 1000), "");
}

TEST_F(Compiler, NoMoreFiles) {
  Engine engine(uncached());
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // All errors on the way to the first that works, and that.
  int numErrors = 0;
  for (rlim_t more = 0;; ++more) {
    rlimit limit = before;
    limit.rlim_cur = countOpenFiles() - 1 + more;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    std::string error = lookUp(engine);
    setrlimit(RLIMIT_NOFILE, &before);
    if (error.empty())
      break;
    ++numErrors;
    EXPECT_THAT(error, MatchesRegex("compiler: .*(Too many open files|cannot "
                                    "open shared object file).*"));
    ASSERT_LT(more, 100u);
  }
  EXPECT_GT(numErrors, 2);
}

// What runs has been loaded; what is missing, when it is wanted, has a name.
TEST_F(Compiler, LibraryIsRemoved) {
  OwnLibrary library;
  Engine engine(library.options());
  EXPECT_EQ(lookUp(engine, 3), "");
  std::vector<pid_t> processes = findProcesses(library.str());
  library.unlink();
  EXPECT_EQ(lookUp(engine, 4), "");
  for (pid_t process : processes)
    kill(process, SIGKILL);
  EXPECT_THAT(lookUp(engine, 5),
              HasSubstr("compiler: cannot run " + library.str() +
                        ": it ended with status 127: "));
  library.link();
  EXPECT_EQ(lookUp(engine, 5), "");
}

// A child has a server of its own, and no file of its parent's.
TEST_F(Compiler, IsNotInherited) {
  if (kIsThreadSanitized)
    GTEST_SKIP() << "ThreadSanitizer does not support it";
  kill(getProcesses().server, SIGKILL);
  pid_t server = getProcesses().server;
  int numFiles = countOpenFiles();
  EXPECT_TRUE(worksInChild(
      [&] {
        EXPECT_LT(countOpenFiles(), numFiles);
        Processes own = getProcesses();
        EXPECT_GT(own.server, 0);
        EXPECT_NE(own.server, server);
        EXPECT_EQ(getProcesses().server, own.server);
      },
      /*seconds=*/60));
  EXPECT_EQ(getProcesses().server, server);
}

TEST_F(Compiler, IsNoRegularFile) {
  TemporaryDirectory directory;
  std::string fifo = directory.str() + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const std::string &path : {fifo, directory.str()}) {
    EngineOptions options = uncached();
    options.compiler_library = path.c_str();
    Engine engine(options);
    EXPECT_EQ(lookUp(engine),
              "compiler: cannot run " + path + ": it is no regular file");
  }
}

// What is written to the standard files after that is no message to the server.
TEST_F(Compiler, StandardFilesAreClosed) {
  if (kIsThreadSanitized)
    GTEST_SKIP() << "ThreadSanitizer does not support it";
  EXPECT_TRUE(worksInChild(
      [&] {
        for (int file : {0, 1, 2})
          close(file);
        Engine engine(uncached());
        bool works = lookUp(engine, 3).empty();
        for (int file : {0, 1, 2})
          works &= fcntl(file, F_GETFD) == -1;
        EXPECT_TRUE(works && lookUp(engine, 5).empty());
      },
      /*seconds=*/60));
}

// A daemon closes all files, those of the server too, and may open others that
// get their numbers: these stay what they are.
TEST_F(Compiler, FilesAreClosedByTheCaller) {
  if (kIsThreadSanitized)
    GTEST_SKIP() << "ThreadSanitizer does not support it";
  EXPECT_TRUE(worksInChild(
      [&] {
        Engine engine(uncached());
        EXPECT_EQ(lookUp(engine, 3), "");
        int numFiles = countOpenFiles();
        for (int file = 3; file < 1024; ++file)
          close(file);
        int ends[2];
        std::vector<int> files;
        while (static_cast<int>(files.size()) < numFiles + 2) {
          socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends);
          files.insert(files.end(), ends, ends + 2);
        }
        EXPECT_EQ(lookUp(engine, 5), "");
        EXPECT_EQ(lookUp(engine, 6), "");
        for (int file : files) {
          char byte;
          EXPECT_EQ(recv(file, &byte, 1, MSG_DONTWAIT), -1);
          EXPECT_EQ(errno, EAGAIN);
        }
      },
      /*seconds=*/60));
}

// A process may end while it compiles: the end is its own, at once, and nobody
// goes on to compile.
TEST_F(Compiler, WhileTheCallerEnds) {
  if (kIsThreadSanitized)
    GTEST_SKIP() << "ThreadSanitizer does not support it";
  CompilingProcess exiting([] { std::exit(7); });
  int status = exiting.waitForEnd();
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
  CompilingProcess killed([] { pause(); });
  kill(killed.getPid(), SIGKILL);
  status = killed.waitForEnd();
  EXPECT_TRUE(WIFSIGNALED(status));
  for (Processes processes : {exiting.getProcesses(), killed.getProcesses()}) {
    EXPECT_NE(processes.server, processes.worker);
    EXPECT_TRUE(waitUntil([&] { return !isRunning(processes.server); }));
    EXPECT_TRUE(waitUntil([&] { return !isRunning(processes.worker); }));
  }
}
