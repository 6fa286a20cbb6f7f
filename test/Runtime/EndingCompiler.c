/*===- EndingCompiler.c - A compiler that ends without an answer -*- C -*-===*\
|*
|* Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
|* See LICENSE for license information.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

int main(void) {
  for (int i = 0; i < 1000; ++i)
    fprintf(stderr, "line %d\n", i);
  int ignored = 0, blocked = 0;
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  for (int number = 1; number < SIGRTMIN; ++number) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0)
      continue;
    ignored += action.sa_handler == SIG_IGN;
    blocked += sigismember(&mask, number) == 1;
  }
  int open = 0;
  for (int file = 0; file < 1024; ++file)
    open += fcntl(file, F_GETFD) != -1;
  fprintf(stderr, "%d signals are ignored, %d are blocked, %d files are open\n",
          ignored, blocked, open);
  return 3;
}
