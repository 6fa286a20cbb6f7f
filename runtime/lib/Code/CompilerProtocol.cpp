//===- CompilerProtocol.cpp - Between the runtime and its compiler --------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Code/CompilerProtocol.h"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>

using namespace embedding::runtime;

namespace {

/// A message of one byte that brings files.
struct Message {
  Message() {
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
  }
  Message(const Message &) = delete;
  Message &operator=(const Message &) = delete;

  msghdr header = {};

private:
  char byte = 0;
  iovec bytes = {&byte, 1};
  alignas(
      cmsghdr) char control[CMSG_SPACE(kNumRequestFiles * sizeof(int))] = {};
};

} // namespace

bool embedding::runtime::sendFiles(int socket, const RequestFiles &files) {
  int numbers[kNumRequestFiles];
  for (int file = 0; file < kNumRequestFiles; ++file)
    numbers[file] = files[file].get();
  Message message;
  cmsghdr *rights = CMSG_FIRSTHDR(&message.header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(numbers));
  std::memcpy(CMSG_DATA(rights), numbers, sizeof(numbers));
  ssize_t sent;
  do
    sent = sendmsg(socket, &message.header, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == 1;
}

std::optional<RequestFiles> embedding::runtime::receiveFiles(int socket) {
  Message message;
  ssize_t received;
  do
    received = recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC);
  while (received < 0 && errno == EINTR);
  if (received != 1)
    return std::nullopt;
  RequestFiles files;
  if (cmsghdr *rights = CMSG_FIRSTHDR(&message.header)) {
    int numbers[kNumRequestFiles];
    size_t size = rights->cmsg_len - CMSG_LEN(0);
    std::memcpy(numbers, CMSG_DATA(rights), size);
    for (size_t file = 0; file < size / sizeof(int); ++file)
      files[file] = Descriptor(numbers[file]);
  }
  return files;
}
