//===- DriverTest.cpp - What a GPU's driver is asked for ------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With a driver whose GPU is the CPU's memory, and which counts.
//
//===----------------------------------------------------------------------===//

#include "Device/Device.h"

#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <set>

using namespace embedding::runtime;

namespace {

struct Launch {
  unsigned blocks, threads;
  CUstream stream;
  std::vector<int64_t> arguments;
};

struct Counts {
  int contexts = 0, current = 0, allocations = 0, modules = 0;
  int numLoads = 0, numLookups = 0, numCopiesBack = 0, numWaits = 0;
  bool hasKernels = true;
  std::vector<Launch> launches;
};
Counts counts;

/// How many arguments each kernel has.
constexpr size_t kNumArguments = 3;

Driver makeDriver() {
  Driver driver;
  driver.cuGetErrorString = [](CUresult, const char **text) {
    *text = "no such thing";
    return 0;
  };
  driver.cuDeviceGet = [](CUdevice *device, int id) { return *device = id, 0; };
  driver.cuDeviceGetAttribute = [](int *value, int attribute, CUdevice) {
    *value = attribute == kComputeCapabilityMajor ? 9 : 0;
    return 0;
  };
  driver.cuDevicePrimaryCtxRetain = [](CUcontext *context, CUdevice) {
    *context = reinterpret_cast<CUcontext>(&counts);
    return ++counts.contexts, 0;
  };
  driver.cuDevicePrimaryCtxRelease_v2 = [](CUdevice) {
    return --counts.contexts, 0;
  };
  driver.cuCtxPushCurrent_v2 = [](CUcontext) { return ++counts.current, 0; };
  driver.cuCtxPopCurrent_v2 = [](CUcontext *) { return --counts.current, 0; };
  driver.cuMemAlloc_v2 = [](CUdeviceptr *to, size_t size) {
    *to = reinterpret_cast<CUdeviceptr>(std::malloc(size));
    return ++counts.allocations, 0;
  };
  driver.cuMemFree_v2 = [](CUdeviceptr memory) {
    std::free(reinterpret_cast<void *>(memory));
    return --counts.allocations, 0;
  };
  driver.cuMemcpyHtoDAsync_v2 = [](CUdeviceptr to, const void *from,
                                   size_t size, CUstream) {
    std::memcpy(reinterpret_cast<void *>(to), from, size);
    return 0;
  };
  driver.cuMemcpyDtoHAsync_v2 = [](void *to, CUdeviceptr from, size_t size,
                                   CUstream) {
    ++counts.numCopiesBack;
    if (!from)
      return 1;
    std::memcpy(to, reinterpret_cast<void *>(from), size);
    return 0;
  };
  driver.cuStreamSynchronize = [](CUstream) { return ++counts.numWaits, 0; };
  driver.cuModuleLoadData = [](CUmodule *module, const void *image) {
    *module = static_cast<CUmodule>(const_cast<void *>(image));
    ++counts.modules;
    return ++counts.numLoads, 0;
  };
  driver.cuModuleUnload = [](CUmodule) { return --counts.modules, 0; };
  driver.cuModuleGetFunction = [](CUfunction *kernel, CUmodule,
                                  const char *name) {
    ++counts.numLookups;
    if (!counts.hasKernels)
      return 500;
    *kernel = reinterpret_cast<CUfunction>(const_cast<char *>(name));
    return 0;
  };
  driver.cuLaunchKernel = [](CUfunction, unsigned blocks, unsigned y,
                             unsigned z, unsigned threads, unsigned, unsigned,
                             unsigned, CUstream stream, void **parameters,
                             void **) {
    EXPECT_EQ(y * z, 1u);
    Launch &launch = counts.launches.emplace_back();
    launch = {blocks, threads, stream, {}};
    for (size_t i = 0; i < kNumArguments; ++i)
      launch.arguments.push_back(*static_cast<int64_t *>(parameters[i]));
    return 0;
  };
  return driver;
}

/// A device, and in the end what it has left.
class OfADriver : public testing::Test {
protected:
  OfADriver() {
    counts = Counts();
    Result<std::unique_ptr<Device>> made = Device::create(driver, 5);
    if (made)
      device = std::move(*made);
  }
  ~OfADriver() override {
    device.reset();
    for (int left :
         {counts.contexts, counts.current, counts.allocations, counts.modules})
      EXPECT_EQ(left, 0);
  }
  void SetUp() override { ASSERT_TRUE(device); }

  Driver driver = makeDriver();
  std::unique_ptr<Device> device;
};

CUstream getStream(uintptr_t number) {
  return reinterpret_cast<CUstream>(number);
}

constexpr char kImage[] = "an image", kOther[] = "another", kName[] = "kernel",
               kSecond[] = "second", kThird[] = "third";

} // namespace

TEST_F(OfADriver, Launches) {
  int64_t arguments[kNumArguments] = {11, -12, 13};
  DeviceScope scope(*device, getStream(7));
  EXPECT_EQ(counts.current, 1);
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  EXPECT_TRUE(scope.launch(kImage, kName, kMost, 96, arguments, kNumArguments));
  for (int64_t tooMany :
       {kMost + 1, int64_t(1) << 32, (int64_t(1) << 32) + 5}) {
    Status status =
        scope.launch(kImage, kName, tooMany, 96, arguments, kNumArguments);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.failure().code, EMBEDDING_UNSUPPORTED);
    EXPECT_EQ(status.failure().message,
              "cuda: more blocks of threads than a GPU takes: " +
                  std::to_string(tooMany));
  }
  ASSERT_EQ(counts.launches.size(), 1u);
  const Launch &launch = counts.launches[0];
  EXPECT_EQ(launch.blocks, static_cast<unsigned>(kMost));
  EXPECT_EQ(launch.threads, 96u);
  EXPECT_EQ(launch.stream, getStream(7));
  EXPECT_EQ(launch.arguments, (std::vector<int64_t>{11, -12, 13}));
}

// One module for each image, which is asked for each kernel once; but again for
// one that it has not had.
TEST_F(OfADriver, Kernels) {
  counts.hasKernels = false;
  for (int repeat = 0; repeat < 2; ++repeat) {
    Result<CUfunction> missing = device->getKernel(kImage, kName);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.failure().message,
              "cuda: cuModuleGetFunction: no such thing (500)");
  }
  counts.hasKernels = true;
  for (int repeat = 0; repeat < 2; ++repeat)
    for (auto [image, name] :
         {std::pair(kImage, kName), {kImage, kSecond}, {kOther, kThird}}) {
      Result<CUfunction> kernel = device->getKernel(image, name);
      ASSERT_TRUE(kernel);
      EXPECT_EQ(reinterpret_cast<const char *>(*kernel), name);
    }
  EXPECT_EQ(counts.numLoads, 2);
  EXPECT_EQ(counts.numLookups, 2 + 3);
}

// Each stream has one of its own, in blocks of 512, which is clear.
TEST_F(OfADriver, Reports) {
  EXPECT_EQ(counts.allocations, 1);
  std::set<CUdeviceptr> all;
  for (int repeat = 0; repeat < 2; ++repeat)
    for (uintptr_t number = 0; number < 1025; ++number) {
      Result<CUdeviceptr> report = device->getReport(getStream(number));
      ASSERT_TRUE(report);
      all.insert(*report);
      const auto *words = reinterpret_cast<const int64_t *>(*report);
      EXPECT_EQ(words[0], std::numeric_limits<int64_t>::max());
      for (int word : {1, 2, 3})
        EXPECT_EQ(words[word], 0);
      if (repeat == 0)
        EXPECT_EQ(counts.allocations, 1 + static_cast<int>(number) / 512);
    }
  EXPECT_EQ(all.size(), 1025u);
  for (auto each = all.begin(), next = std::next(each); next != all.end();
       each = next++)
    EXPECT_GE(*next - *each, 4 * sizeof(int64_t));
}

// A stream without calls has no report to read. What is told once is cleared.
TEST_F(OfADriver, Synchronize) {
  counts.numWaits = 0;
  EXPECT_TRUE(device->synchronize(getStream(1)));
  EXPECT_EQ(counts.numWaits, 1);
  EXPECT_EQ(counts.numCopiesBack, 0);
  for (uintptr_t number : {1, 2})
    ASSERT_TRUE(device->getReport(getStream(number)));
  auto *words = reinterpret_cast<int64_t *>(*device->getReport(getStream(1)));
  EXPECT_TRUE(device->synchronize(getStream(1)));
  EXPECT_EQ(counts.numCopiesBack, 1);
  for (int64_t count : {1, 3}) {
    words[0] = 17;
    words[1] = -2;
    words[2] = count;
    EXPECT_TRUE(device->synchronize(getStream(2)));
    Status status = device->synchronize(getStream(1));
    ASSERT_FALSE(status);
    EXPECT_EQ(status.failure().code, EMBEDDING_OUT_OF_RANGE);
    EXPECT_EQ(status.failure().position, 17);
    EXPECT_EQ(status.failure().index, -2);
    EXPECT_EQ(status.failure().count, count);
    EXPECT_TRUE(device->synchronize(getStream(1)));
    EXPECT_EQ(words[0], std::numeric_limits<int64_t>::max());
    EXPECT_EQ(words[2], 0);
  }
  EXPECT_EQ(counts.current, 0);
}
