//===- OperandTest.cpp - Where the operands of operations lie -------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every operation with operands that lie over each other, and with operands
// that end where memory ends.
//
//===----------------------------------------------------------------------===//

#include "Reference.h"
#include "TestUtils.h"
#include "TrainingReference.h"

#include <algorithm>
#include <array>
#include <functional>
#include <gmock/gmock.h>
#include <map>
#include <numeric>
#include <set>
#include <sys/mman.h>

using namespace embedding;
using namespace embedding::test;

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

namespace {

constexpr DLDataType kInt32 = {kDLInt, 32, 1};
constexpr DLDataType kInt64 = {kDLInt, 64, 1};

/// What an operation is asked for.
struct Problem {
  int64_t numRows, rowLength;
  std::vector<int64_t> indexShape;
  DLDataType type = kFloat32;
  DLDataType indexType = kInt64;
  bool hasPadding = false;
  int64_t paddingIdx = -1;
  bool scaleGradByFreq = false;
  EmbeddingOutOfRange outOfRange = EMBEDDING_OUT_OF_RANGE_CHECK;

  int64_t numIndices() const {
    return std::accumulate(indexShape.begin(), indexShape.end(), int64_t(1),
                           std::multiplies<>());
  }
  bool canBeOutOfRange() const {
    return outOfRange == EMBEDDING_OUT_OF_RANGE_CLAMP ||
           outOfRange == EMBEDDING_OUT_OF_RANGE_ZERO;
  }
  int64_t paddingRow() const {
    if (!hasPadding)
      return -1;
    return paddingIdx < 0 ? paddingIdx + numRows : paddingIdx;
  }
  GradOptions gradOptions() const {
    GradOptions options;
    options.has_padding_idx = hasPadding;
    options.padding_idx = paddingIdx;
    options.scale_grad_by_freq = scaleGradByFreq;
    options.out_of_range = outOfRange;
    return options;
  }
  LookupOptions lookupOptions() const {
    LookupOptions options;
    options.has_padding_idx = hasPadding;
    options.padding_idx = paddingIdx;
    options.out_of_range = outOfRange;
    return options;
  }
};

constexpr double kMaxNorm = 0.75;

enum class Role { read, written, both };

struct Operand {
  const char *name;
  DLDataType dtype;
  std::vector<int64_t> shape;
  Role role;
  /// Whether it may have no other strides than those.
  bool isCompact = false;

  bool isWritten() const { return role != Role::read; }
  int64_t elementBytes() const { return dtype.bits / 8; }
  int64_t numElements() const {
    return std::accumulate(shape.begin(), shape.end(), int64_t(1),
                           std::multiplies<>());
  }
};

/// An operation of the C API. Its operands are in the order of its arguments.
struct Operation {
  const char *name;
  std::vector<Operand> (*getOperands)(const Problem &problem);
  EmbeddingStatusCode (*run)(EmbeddingEngine *engine, const Problem &problem,
                             const DLTensor *operands, EmbeddingStatus *status);
};

Operand tableOf(const Problem &problem, const char *name, Role role) {
  return {name, problem.type, {problem.numRows, problem.rowLength}, role};
}
Operand indicesOf(const Problem &problem) {
  return {"indices", problem.indexType, problem.indexShape, Role::read};
}
/// One row for each index, in the shape of the indices.
Operand indexedOf(const Problem &problem, const char *name, Role role) {
  std::vector<int64_t> shape = problem.indexShape;
  shape.push_back(problem.rowLength);
  return {name, problem.type, shape, role};
}
/// One row for each index, in a list.
Operand valuesOf(const Problem &problem, const char *name, Role role) {
  return {name, problem.type, {problem.numIndices(), problem.rowLength}, role};
}
Operand rowsOf(const Problem &problem) {
  return {"rows", kInt64, {problem.numIndices()}, Role::written, true};
}
const Operand kNnz = {"out_nnz", kInt64, {}, Role::written, true};

EmbeddingStatusCode runLookup(EmbeddingEngine *engine, const DLTensor *operands,
                              const LookupOptions &options,
                              EmbeddingStatus *status) {
  return embedding_lookup(engine, &operands[0], &operands[1], &options,
                          &operands[2], status);
}

const Operation kOperations[] = {
    {"lookup",
     [](const Problem &p) {
       return std::vector<Operand>{tableOf(p, "table", Role::read),
                                   indicesOf(p),
                                   indexedOf(p, "out", Role::written)};
     },
     [](EmbeddingEngine *engine, const Problem &p, const DLTensor *operands,
        EmbeddingStatus *status) {
       LookupOptions options = p.lookupOptions();
       return runLookup(engine, operands, options, status);
     }},
    {"lookup with max_norm",
     [](const Problem &p) {
       return std::vector<Operand>{tableOf(p, "table", Role::both),
                                   indicesOf(p),
                                   indexedOf(p, "out", Role::written)};
     },
     [](EmbeddingEngine *engine, const Problem &p, const DLTensor *operands,
        EmbeddingStatus *status) {
       LookupOptions options = p.lookupOptions();
       options.has_max_norm = 1;
       options.max_norm = kMaxNorm;
       return runLookup(engine, operands, options, status);
     }},
    {"renorm",
     [](const Problem &p) {
       return std::vector<Operand>{tableOf(p, "table", Role::both),
                                   indicesOf(p)};
     },
     [](EmbeddingEngine *engine, const Problem &p, const DLTensor *operands,
        EmbeddingStatus *status) {
       RenormOptions options;
       options.out_of_range = p.outOfRange;
       return embedding_renorm(engine, &operands[0], &operands[1], kMaxNorm,
                               &options, status);
     }},
    {"dense_grad",
     [](const Problem &p) {
       return std::vector<Operand>{indexedOf(p, "grad_output", Role::read),
                                   indicesOf(p),
                                   tableOf(p, "grad_table", Role::written)};
     },
     [](EmbeddingEngine *engine, const Problem &p, const DLTensor *operands,
        EmbeddingStatus *status) {
       GradOptions options = p.gradOptions();
       return embedding_dense_grad(engine, &operands[0], &operands[1], &options,
                                   &operands[2], status);
     }},
    {"sparse_grad",
     [](const Problem &p) {
       return std::vector<Operand>{indexedOf(p, "grad_output", Role::read),
                                   indicesOf(p), rowsOf(p),
                                   valuesOf(p, "values", Role::written), kNnz};
     },
     [](EmbeddingEngine *engine, const Problem &p, const DLTensor *operands,
        EmbeddingStatus *status) {
       GradOptions options = p.gradOptions();
       return embedding_sparse_grad(
           engine, &operands[0], &operands[1], p.numRows, &options,
           &operands[2], &operands[3], static_cast<int64_t *>(operands[4].data),
           status);
     }},
    {"coalesce",
     [](const Problem &p) {
       Operand indices = indicesOf(p);
       indices.shape = {p.numIndices()};
       return std::vector<Operand>{indices, valuesOf(p, "values", Role::read),
                                   rowsOf(p),
                                   valuesOf(p, "sums", Role::written), kNnz};
     },
     [](EmbeddingEngine *engine, const Problem &p, const DLTensor *operands,
        EmbeddingStatus *status) {
       CoalesceOptions options;
       options.out_of_range = p.outOfRange;
       return embedding_coalesce(engine, &operands[0], &operands[1], p.numRows,
                                 &options, &operands[2], &operands[3],
                                 static_cast<int64_t *>(operands[4].data),
                                 status);
     }},
    {"double_backward",
     [](const Problem &p) {
       return std::vector<Operand>{tableOf(p, "grad_grad_table", Role::read),
                                   indicesOf(p),
                                   indexedOf(p, "out", Role::written)};
     },
     [](EmbeddingEngine *engine, const Problem &p, const DLTensor *operands,
        EmbeddingStatus *status) {
       GradOptions options = p.gradOptions();
       return embedding_double_backward(engine, &operands[0], &operands[1],
                                        &options, &operands[2], status);
     }},
};

/// An operand in memory: its elements, one by one, in row-major order.
class Placed {
public:
  Placed(const Operand &operand, char *data, std::vector<int64_t> strides)
      : shape(operand.shape), strides(std::move(strides)),
        bytes(operand.elementBytes()), count(operand.numElements()) {
    tensor.data = data;
    tensor.device = {kDLCPU, 0};
    tensor.ndim = static_cast<int32_t>(shape.size());
    tensor.dtype = operand.dtype;
    tensor.shape = shape.data();
    tensor.strides = this->strides.data();
    isCompact = this->strides == getCompactStrides(operand);
  }
  Placed(Placed &&) = default;

  /// Without gaps.
  static Placed compact(const Operand &operand, char *data) {
    return {operand, data, getCompactStrides(operand)};
  }
  static std::vector<int64_t> getCompactStrides(const Operand &operand) {
    std::vector<int64_t> strides(operand.shape.size());
    int64_t stride = 1;
    for (size_t dim = strides.size(); dim-- > 0;) {
      strides[dim] = stride;
      stride *= operand.shape[dim];
    }
    return strides;
  }

  char *at(int64_t flat) const {
    if (isCompact)
      return static_cast<char *>(tensor.data) + flat * bytes;
    std::vector<int64_t> position(shape.size());
    for (size_t dim = shape.size(); dim-- > 0;) {
      position[dim] = flat % shape[dim];
      flat /= shape[dim];
    }
    return reference::at(tensor, position);
  }
  int64_t size() const { return count; }
  std::vector<char> getBytes() const {
    std::vector<char> all(count * bytes);
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(all.data() + i * bytes, at(i), bytes);
    return all;
  }
  void setBytes(const std::vector<char> &all) const {
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(at(i), all.data() + i * bytes, bytes);
  }
  const DLTensor &get() const { return tensor; }

private:
  std::vector<int64_t> shape, strides;
  int64_t bytes, count;
  bool isCompact;
  DLTensor tensor = {};
};

std::vector<DLTensor> getTensors(const std::vector<Placed> &placed) {
  std::vector<DLTensor> tensors;
  for (const Placed &each : placed)
    tensors.push_back(each.get());
  return tensors;
}

/// Small numbers in whatever type, and indices of rows.
std::vector<char> drawBytes(const Operand &operand, const Problem &problem,
                            std::mt19937_64 &random) {
  std::vector<char> bytes(operand.numElements() * operand.elementBytes());
  for (int64_t i = 0; i < operand.numElements(); ++i) {
    char *to = bytes.data() + i * operand.elementBytes();
    if (operand.dtype.code == kDLInt) {
      // The last row too, often, and what is next to a row.
      auto row = static_cast<int64_t>(random() % problem.numRows);
      row = random() % 4 == 0 ? problem.numRows - 1 : row;
      if (problem.canBeOutOfRange() && random() % 4 == 0)
        row = random() % 2 ? problem.numRows : -1;
      std::memcpy(to, &row, operand.elementBytes()); // Little endian.
      continue;
    }
    // An eighth of an integer has the same value in every type.
    double value = static_cast<double>(random() % 33) / 8 - 2;
    auto narrow = static_cast<float>(value);
    uint32_t bits;
    std::memcpy(&bits, &narrow, 4);
    if (operand.dtype.bits == 64) {
      std::memcpy(to, &value, 8);
    } else if (operand.dtype.bits == 32) {
      std::memcpy(to, &narrow, 4);
    } else {
      auto half = static_cast<uint16_t>(bits >> 16);
      if (reference::isHalf(operand.dtype) && value != 0)
        half = static_cast<uint16_t>((bits >> 16 & 0x8000) |
                                     ((bits >> 13 & 0x3ffff) - (112 << 10)));
      std::memcpy(to, &half, 2);
    }
  }
  return bytes;
}

} // namespace

//===----------------------------------------------------------------------===//
// Operands over each other
//===----------------------------------------------------------------------===//

namespace {

constexpr int64_t kArenaBytes = 16384;

/// Strides whose dimensions nest: in any order, with gaps, backwards.
std::vector<int64_t> drawStrides(const Operand &operand,
                                 std::mt19937_64 &random) {
  if (operand.isCompact || random() % 3 == 0)
    return Placed::getCompactStrides(operand);
  std::vector<size_t> order(operand.shape.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::shuffle(order.begin(), order.end(), random);
  std::vector<int64_t> strides(order.size());
  auto stride = static_cast<int64_t>(1 + random() % 2);
  for (size_t dim : order) {
    strides[dim] = random() % 4 == 0 ? -stride : stride;
    stride = stride * operand.shape[dim] + static_cast<int64_t>(random() % 3);
  }
  return strides;
}

/// A place in the arena, at a multiple of 8 bytes: anywhere, among few places,
/// or as field `number` of records.
Placed drawPlace(const Operand &operand, int number, int kind, char *arena,
                 std::mt19937_64 &random) {
  constexpr int64_t kRecordBytes = 192;
  if (kind == 0 && !operand.isCompact) {
    // Five fields of 32 bytes; now and then one reaches into the next.
    std::vector<int64_t> strides = Placed::getCompactStrides(operand);
    bool hasRows = operand.dtype.code != kDLInt;
    int64_t ofRecord = hasRows ? operand.shape.back() : 1;
    for (size_t dim = 0; dim < strides.size() - hasRows; ++dim)
      strides[dim] =
          strides[dim] / ofRecord * kRecordBytes / operand.elementBytes();
    int64_t shift = random() % 8 == 0 ? 24 : 0;
    return {operand, arena + 32 * number + shift, strides};
  }
  std::vector<int64_t> strides = drawStrides(operand, random);
  int64_t below = 0, above = operand.elementBytes();
  for (size_t dim = 0; dim < strides.size(); ++dim) {
    int64_t reach =
        (operand.shape[dim] - 1) * strides[dim] * operand.elementBytes();
    (reach < 0 ? below : above) += reach;
  }
  // Compact ones of records lie behind those.
  int64_t begin = kind == 0 ? kArenaBytes / 2 : 0;
  int64_t room = (kind == 1 ? kArenaBytes / 2 : kArenaBytes / 16) - 8;
  auto lowest = static_cast<int64_t>(random() % (room - above + below));
  return {operand, arena + (begin + lowest - below + 7) / 8 * 8, strides};
}

/// The bytes of the arena that `placed` has.
std::vector<bool> getCovered(const Placed &placed, const char *arena) {
  std::vector<bool> covered(kArenaBytes);
  for (int64_t i = 0; i < placed.size(); ++i)
    for (int64_t byte = 0; byte < placed.get().dtype.bits / 8; ++byte)
      covered.at(placed.at(i) - arena + byte) = true;
  return covered;
}

bool shareMemory(const std::vector<bool> &a, const std::vector<bool> &b) {
  for (int64_t byte = 0; byte < kArenaBytes; ++byte)
    if (a[byte] && b[byte])
      return true;
  return false;
}

} // namespace

// In all ways and both orders: what is written may lie in the gaps of another
// operand, and nowhere else; then the result is that of operands far apart. The
// oracle counts bytes.
TEST(Operands, OverEachOther) {
  Engine engine(uncached());
  std::mt19937_64 random(11);
  std::vector<char> arena(kArenaBytes);
  for (const Operation &operation : kOperations) {
    int numRefused = 0, numAccepted = 0;
    for (int trial = 0; trial < 300; ++trial) {
      SCOPED_TRACE(std::string(operation.name) + ", trial " +
                   std::to_string(trial));
      Problem problem = {4, 4, {2, 3}};
      if (trial % 2)
        problem.indexShape = {6};
      std::vector<Operand> operands = operation.getOperands(problem);
      std::vector<Placed> placed, apart;
      std::vector<std::vector<bool>> covered;
      std::vector<std::vector<char>> memory;
      for (char &byte : arena)
        byte = static_cast<char>(random());
      for (size_t i = 0; i < operands.size(); ++i) {
        placed.push_back(drawPlace(operands[i], static_cast<int>(i), trial % 3,
                                   arena.data(), random));
        covered.push_back(getCovered(placed[i], arena.data()));
        placed[i].setBytes(drawBytes(operands[i], problem, random));
      }
      bool isRefused = false;
      for (size_t i = 0; i < operands.size(); ++i)
        for (size_t j = 0; j < operands.size(); ++j)
          isRefused |= i != j && operands[i].isWritten() &&
                       shareMemory(covered[i], covered[j]);
      // Only operands that are read may share memory: whose are the indices?
      for (size_t i = 0; !isRefused && i < operands.size(); ++i)
        if (std::string(operands[i].name) == "indices")
          placed[i].setBytes(drawBytes(operands[i], problem, random));
      for (size_t i = 0; i < operands.size(); ++i) {
        memory.push_back(placed[i].getBytes());
        apart.push_back(Placed::compact(operands[i], memory[i].data()));
      }

      std::vector<char> before = arena;
      EmbeddingStatus status;
      EmbeddingStatusCode code = operation.run(
          engine.get(), problem, getTensors(placed).data(), &status);
      ASSERT_EQ(code, isRefused ? EMBEDDING_INVALID_ARGUMENT : EMBEDDING_OK)
          << status.message;
      if (isRefused) {
        ++numRefused;
        EXPECT_NE(std::string(status.message).find("memory apart"),
                  std::string::npos)
            << status.message;
      } else {
        ++numAccepted;
        ASSERT_EQ(operation.run(engine.get(), problem, getTensors(apart).data(),
                                &status),
                  EMBEDDING_OK)
            << status.message;
      }
      // And nothing else was written.
      std::vector<char> after = arena;
      std::copy(before.begin(), before.end(), arena.begin());
      for (size_t i = 0; !isRefused && i < operands.size(); ++i)
        if (operands[i].isWritten())
          placed[i].setBytes(memory[i]);
      ASSERT_TRUE(arena == after);
    }
    EXPECT_GT(numRefused, 20) << operation.name;
    EXPECT_GT(numAccepted, 20) << operation.name;
  }
}

// Of single bytes, which meet in nothing but whole elements.
TEST(Operands, BytesOverEachOther) {
  Engine engine(uncached());
  std::mt19937_64 random(13);
  auto draw = [&](int64_t from, int64_t to) {
    return from + static_cast<int64_t>(random() % (to - from + 1));
  };
  std::vector<int8_t> arena(400);
  std::vector<int64_t> indices(3);
  std::array<int, 2> counts{};
  for (int trial = 0; trial < 3000; ++trial) {
    // The table and the output.
    std::array<std::vector<int64_t>, 2> strides;
    std::array<std::set<int64_t>, 2> covered;
    std::array<int64_t, 2> starts{};
    for (int which : {0, 1}) {
      int64_t step = draw(1, 4), sign = draw(0, 1) ? 1 : -1;
      // Rows of the output lie behind each other.
      int64_t rowStep = draw(which == 0 ? 0 : 3 * step + 1, 20);
      strides[which] = {sign * rowStep, draw(0, 1) ? step : -step};
      starts[which] = 200 + draw(-25, 25);
      for (int64_t row = 0; row < 3; ++row)
        for (int64_t column = 0; column < 4; ++column)
          covered[which].insert(starts[which] + row * strides[which][0] +
                                column * strides[which][1]);
    }
    bool isRefused = false;
    for (int64_t address : covered[1])
      isRefused |= covered[0].count(address) > 0;
    auto view = [&](int which) {
      return TensorView(arena.data() + starts[which], {3, 4}, strides[which]);
    };
    SCOPED_TRACE("trial " + std::to_string(trial));
    if (isRefused)
      EXPECT_THROW(
          engine.lookup(view(0), TensorView(indices.data(), {3}), view(1)),
          Error);
    else
      EXPECT_NO_THROW(
          engine.lookup(view(0), TensorView(indices.data(), {3}), view(1)));
    ++counts[isRefused];
  }
  EXPECT_GT(counts[0], 300);
  EXPECT_GT(counts[1], 300);
}

TEST(Operands, OverThemselves) {
  Engine engine(uncached());
  std::vector<float> table(12), out(30);
  std::vector<int64_t> indices = {0, 1};
  auto lookUpInto = [&](std::vector<int64_t> strides) {
    engine.lookup(TensorView(table.data(), {4, 3}),
                  TensorView(indices.data(), {2}),
                  TensorView(out.data(), {2, 3}, std::move(strides)));
  };
  // The second row would start on the last element of the first.
  for (const std::vector<int64_t> &strides : std::vector<std::vector<int64_t>>{
           {2, 1}, {1, 1}, {0, 1}, {-2, 1}, {1, 0}})
    EXPECT_THROW(lookUpInto(strides), Error) << strides[0] << " " << strides[1];
  for (const std::vector<int64_t> &strides :
       std::vector<std::vector<int64_t>>{{3, 1}, {1, 2}, {7, 2}})
    EXPECT_NO_THROW(lookUpInto(strides)) << strides[0] << " " << strides[1];
}

// Of a dimension of one element a stride says nothing; nobody calculates with
// it.
TEST(Operands, StridesOfOneElement) {
  Engine engine(uncached());
  std::vector<float> table = {1, 2, 3}, out(3), grad(3);
  std::vector<int64_t> indices = {0};
  for (int64_t stride : {INT64_MAX, INT64_MIN, int64_t(-1), int64_t(0)}) {
    TensorView tableView(table.data(), {1, 3}, {stride, 1}),
        indexView(indices.data(), {1, 1}, {stride, stride}),
        outView(out.data(), {1, 1, 3}, {stride, stride, 1}),
        gradView(grad.data(), {1, 3}, {stride, 1});
    out.assign(3, 0);
    engine.lookup(tableView, indexView, outView);
    EXPECT_EQ(out, table);
    grad.assign(3, 0);
    engine.denseGrad(outView, indexView, gradView);
    EXPECT_EQ(grad, table);
    std::vector<float> narrow = {5}, to(1);
    engine.lookup(TensorView(narrow.data(), {1, 1}, {stride, stride}),
                  indexView,
                  TensorView(to.data(), {1, 1, 1}, {stride, stride, stride}));
    EXPECT_EQ(to, narrow);
    // Nor of one without any.
    EXPECT_NO_THROW(engine.lookup(
        tableView, TensorView(indices.data(), {0, 4}, {stride, stride}),
        TensorView(out.data(), {0, 4, 3}, {stride, stride, stride})));
    engine.denseGrad(
        TensorView(out.data(), {0, 4, 3}, {stride, stride, stride}),
        TensorView(indices.data(), {0, 4}, {stride, stride}), gradView);
    EXPECT_EQ(grad, std::vector<float>(3, 0));
  }
}

//===----------------------------------------------------------------------===//
// Operands that are refused
//===----------------------------------------------------------------------===//

namespace {

/// The operands of an operation, each in memory of its own.
class Apart {
public:
  Apart(const Operation &operation, const Problem &problem, int64_t rowGap = 0)
      : operands(operation.getOperands(problem)) {
    std::mt19937_64 random(5);
    for (const Operand &operand : operands) {
      std::vector<int64_t> strides = Placed::getCompactStrides(operand);
      bool hasRows = operand.dtype.code != kDLInt;
      for (size_t dim = 0; hasRows && dim + 1 < strides.size(); ++dim)
        strides[dim] = strides[dim] / operand.shape.back() *
                       (operand.shape.back() + rowGap);
      memory.emplace_back(256);
      placed.emplace_back(
          operand, reinterpret_cast<char *>(memory.back().data()), strides);
      placed.back().setBytes(drawBytes(operand, problem, random));
    }
    tensors = getTensors(placed);
  }

  std::vector<Operand> operands;
  std::vector<std::vector<double>> memory;
  std::vector<DLTensor> tensors;

private:
  std::vector<Placed> placed;
};

/// A change of an operand, and what the message says of it.
struct Defect {
  std::string says;
  std::function<void(DLTensor &)> change;
  EmbeddingStatusCode code = EMBEDDING_INVALID_ARGUMENT;
};

std::vector<Defect> getDefects(const Operation &operation,
                               const Operand &operand) {
  std::string name = operand.name, ofOperation = operation.name;
  bool isFloat = operand.dtype.code == kDLFloat;
  auto withType = [](DLDataType dtype) {
    return [dtype](DLTensor &tensor) { tensor.dtype = dtype; };
  };
  std::vector<Defect> defects = {
      {name + ": expected data, but got null",
       [](DLTensor &tensor) { tensor.data = nullptr; }},
      {name + ": expected a shape, but got null",
       [](DLTensor &tensor) { tensor.shape = nullptr; }},
      {name + ": expected at most 32 dimensions, but got -1",
       [](DLTensor &tensor) { tensor.ndim = -1; }},
      {name + ": expected at most 32 dimensions, but got 33",
       [](DLTensor &tensor) { tensor.ndim = 33; }},
      {name + ": expected memory of the CPU or of an NVIDIA GPU, but got "
              "device type 8",
       [](DLTensor &tensor) { tensor.device.device_type = kDLMetal; },
       EMBEDDING_UNSUPPORTED},
      {name + ": expected a device_id of at least 0, but got -1",
       [](DLTensor &tensor) { tensor.device = {kDLCUDA, -1}; }},
      {isFloat ? "float32x2" : "but got int64x2",
       [](DLTensor &tensor) { tensor.dtype.lanes = 2; }},
      {isFloat ? "int32" : "but got int16",
       withType({kDLInt, static_cast<uint8_t>(isFloat ? 32 : 16), 1})},
      {isFloat ? "bfloat32" : "but got float64",
       withType(isFloat ? DLDataType{kDLBfloat, 32, 1} : kFloat64)},
  };
  // Nor is it of a type of its own.
  if (isFloat && ofOperation != "renorm")
    defects.push_back({"float16", withType(kFloat16)});
  for (DLDeviceType type : {kDLCUDA, kDLCUDAManaged})
    defects.push_back(
        {": expected the device of indices, ",
         [type](DLTensor &tensor) { tensor.device = {type, 1}; }});
  if (operand.isWritten() && operand.shape.size() > 1)
    defects.push_back({name + ": expected elements that do not share memory "
                              "with each other",
                       [](DLTensor &tensor) { tensor.strides[0] = 0; }});
  if (name == "rows")
    defects.push_back({"rows: expected contiguous and aligned data",
                       [](DLTensor &tensor) { tensor.strides[0] = 2; }});
  if (name != "indices" && ofOperation != "lookup")
    defects.push_back(
        {name + (name == "rows" ? ": expected contiguous and aligned data"
                                : ": expected data aligned to its elements "
                                  "of 4 bytes"),
         [](DLTensor &tensor) { tensor.byte_offset = 2; }});
  return defects;
}

} // namespace

// Each operand with each defect, one at a time. Nothing is written then.
TEST(Operands, WithADefect) {
  Engine engine(uncached());
  Problem problem = {4, 3, {5}};
  for (const Operation &operation : kOperations) {
    size_t numOperands = operation.getOperands(problem).size();
    for (size_t i = 0; i < numOperands; ++i) {
      Operand operand = operation.getOperands(problem)[i];
      if (operand.name == std::string("out_nnz"))
        continue;
      for (const Defect &defect : getDefects(operation, operand)) {
        SCOPED_TRACE(std::string(operation.name) + ", " + operand.name + ", " +
                     defect.says);
        Apart apart(operation, problem);
        DLTensor &changed = apart.tensors[i];
        std::vector<int64_t> strides(changed.strides,
                                     changed.strides + changed.ndim);
        changed.strides = strides.data();
        defect.change(changed);
        std::vector<std::vector<double>> before = apart.memory;
        EmbeddingStatus status;
        EXPECT_EQ(
            operation.run(engine.get(), problem, apart.tensors.data(), &status),
            defect.code);
        EXPECT_THAT(status.message, testing::HasSubstr(defect.says));
        // Which of them is where.
        if (changed.device.device_type == kDLCUDA &&
            changed.device.device_id >= 0) {
          bool isNamed = std::string(status.message)
                             .rfind(operand.name + std::string(":"), 0) == 0;
          EXPECT_THAT(status.message,
                      testing::HasSubstr(isNamed ? "the CPU, but got cuda:1"
                                                 : "cuda:1, but got the CPU"));
        }
        EXPECT_EQ(apart.memory, before);
      }
    }
    // Without a defect; numbers of the CPU, or of who shares its memory, say
    // nothing.
    for (DLDataType indexType : {kInt32, kInt64})
      for (DLDevice device :
           {DLDevice{kDLCPU, 0}, {kDLCPU, 3}, {kDLCUDAHost, 1}})
        for (size_t i = 0; i < numOperands; ++i) {
          Problem valid = problem;
          valid.indexType = indexType;
          Apart apart(operation, valid);
          apart.tensors[i].device = device;
          EmbeddingStatus status;
          EXPECT_EQ(
              operation.run(engine.get(), valid, apart.tensors.data(), &status),
              EMBEDDING_OK)
              << operation.name << ": " << status.message;
        }
  }
}

// Both ends of its range, from the first row and from the last.
TEST(Operands, PaddingRow) {
  Engine engine(uncached());
  for (const Operation &operation : kOperations) {
    std::string name = operation.name;
    if (name == "renorm" || name == "coalesce")
      continue;
    SCOPED_TRACE(name);
    auto run = [&](int64_t paddingIdx, EmbeddingStatus &status) {
      Problem problem = {4, 3, {5}};
      problem.hasPadding = true;
      problem.paddingIdx = paddingIdx;
      Apart apart(operation, problem);
      operation.run(engine.get(), problem, apart.tensors.data(), &status);
      return apart.memory;
    };
    EmbeddingStatus status;
    for (auto [fromLast, fromFirst] : {std::pair(-4, 0), {-1, 3}}) {
      auto one = run(fromLast, status);
      EXPECT_EQ(status.code, EMBEDDING_OK) << status.message;
      auto other = run(fromFirst, status);
      EXPECT_EQ(status.code, EMBEDDING_OK) << status.message;
      EXPECT_EQ(one, other);
    }
    for (int64_t none : {-5, 4}) {
      run(none, status);
      EXPECT_EQ(std::string(status.message),
                "padding_idx: expected it to be in [-4, 4), but got " +
                    std::to_string(none));
    }
  }
}

// They join with any others: rows at one stride are not copied.
TEST(Operands, DimensionsOfOneElementTakeNoMemory) {
  Heap heap;
  Engine engine(heap.options());
  for (const Operation &operation : kOperations) {
    SCOPED_TRACE(operation.name);
    auto getBytes = [&](std::vector<int64_t> shape) {
      Problem problem = {4, 3, std::move(shape)};
      Apart apart(operation, problem, /*rowGap=*/2);
      EmbeddingStatus status;
      heap.bytes = 0;
      EXPECT_EQ(
          operation.run(engine.get(), problem, apart.tensors.data(), &status),
          EMBEDDING_OK)
          << status.message;
      return heap.bytes;
    };
    size_t expected = getBytes({6});
    EXPECT_EQ(getBytes({1, 6}), expected);
    EXPECT_EQ(getBytes({6, 1}), expected);
    EXPECT_EQ(getBytes({1, 3, 1, 2, 1}), expected);
  }
}

//===----------------------------------------------------------------------===//
// Operands at the end of memory
//===----------------------------------------------------------------------===//

namespace {

enum class Edge { end, begin };

/// Bytes that end where a page begins that nobody can read, or begin where one
/// ends. Sanitizers do not see what generated code reads.
class GuardedMemory {
public:
  GuardedMemory(size_t size, Edge edge, size_t alignment = 1)
      : numBytes(size),
        roundedBytes((size + alignment - 1) / alignment * alignment) {
    size_t inner = (roundedBytes + kPage - 1) / kPage * kPage;
    mappedBytes = inner + 2 * kPage;
    mapped = static_cast<char *>(mmap(nullptr, mappedBytes, PROT_NONE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_NE(mapped, MAP_FAILED);
    if (inner > 0)
      EXPECT_EQ(mprotect(mapped + kPage, inner, PROT_READ | PROT_WRITE), 0);
    start = edge == Edge::end ? mapped + kPage + inner - roundedBytes
                              : mapped + kPage;
    std::memset(mapped + kPage, kUntouched, inner);
    std::memset(start, 0x11, size);
  }
  GuardedMemory(GuardedMemory &&other) noexcept
      : numBytes(other.numBytes), roundedBytes(other.roundedBytes),
        mappedBytes(other.mappedBytes),
        mapped(std::exchange(other.mapped, nullptr)), start(other.start) {}
  GuardedMemory &operator=(GuardedMemory &&) = delete;
  ~GuardedMemory() {
    if (!mapped)
      return;
    // Nor was anything written beside it, up to the page's other end.
    for (char *byte = mapped + kPage; byte < mapped + mappedBytes - kPage;
         byte = byte + 1 == start ? start + numBytes : byte + 1)
      if (*byte != kUntouched && (byte < start || byte >= start + numBytes)) {
        ADD_FAILURE() << "written " << byte - start << " bytes from the start";
        break;
      }
    munmap(mapped, mappedBytes);
  }

  char *data() const { return start; }
  void makeReadOnly() const {
    EXPECT_EQ(mprotect(mapped + kPage, mappedBytes - 2 * kPage, PROT_READ), 0);
  }

private:
  static constexpr size_t kPage = 4096;
  static constexpr char kUntouched = 0x77;

  size_t numBytes, roundedBytes, mappedBytes;
  char *mapped, *start;
};

/// Workspace in such memory.
struct GuardedHeap {
  Edge edge = Edge::end;
  std::map<void *, GuardedMemory> live;

  EngineOptions options() {
    EngineOptions options = uncached();
    options.allocator_context = this;
    options.allocate = [](void *context, size_t size,
                          size_t alignment) -> void * {
      auto *heap = static_cast<GuardedHeap *>(context);
      GuardedMemory memory(size, heap->edge, alignment);
      void *data = memory.data();
      heap->live.emplace(data, std::move(memory));
      return data;
    };
    options.deallocate = [](void *context, void *memory, size_t, size_t) {
      static_cast<GuardedHeap *>(context)->live.erase(memory);
    };
    return options;
  }
};

/// The elements of an operand as numbers, in row-major order; of integers none.
std::vector<double> getNumbers(const Placed &placed) {
  std::vector<double> numbers;
  if (placed.get().dtype.code == kDLInt)
    return numbers;
  for (int64_t i = 0; i < placed.size(); ++i)
    numbers.push_back(reference::load(placed.get().dtype, placed.at(i)));
  return numbers;
}

std::vector<int64_t> getIntegers(const Placed &placed) {
  std::vector<int64_t> integers;
  for (int64_t i = 0; i < placed.size(); ++i) {
    int64_t integer = 0;
    int32_t narrow = 0;
    if (placed.get().dtype.bits == 64)
      std::memcpy(&integer, placed.at(i), 8);
    else
      std::memcpy(&narrow, placed.at(i), 4);
    integers.push_back(placed.get().dtype.bits == 64 ? integer : narrow);
  }
  return integers;
}

/// What comes out of an operation, from the semantics.
class Expectation {
public:
  Expectation(const Problem &problem, std::vector<int64_t> given)
      : problem(problem), indices(std::move(given)) {
    for (int64_t &index : indices) {
      bool isIn = index >= 0 && index < problem.numRows;
      if (!isIn)
        index = problem.outOfRange == EMBEDDING_OUT_OF_RANGE_CLAMP
                    ? std::clamp<int64_t>(index, 0, problem.numRows - 1)
                    : kNone;
      if (index != kNone)
        ++counts[index];
    }
  }

  /// Rows of `from` at the indices, scaled.
  void expectRows(const std::vector<double> &from,
                  const std::vector<double> &rows, bool isGrad) const {
    for (size_t i = 0; i < indices.size(); ++i)
      for (int64_t d = 0; d < problem.rowLength; ++d) {
        bool isZero = indices[i] == kNone ||
                      (isGrad && indices[i] == problem.paddingRow());
        double value = isZero ? 0 : from[indices[i] * problem.rowLength + d];
        expectNear(rows[i * problem.rowLength + d],
                   value * (isGrad ? getScale(indices[i]) : 1), "position", i);
      }
  }

  void expectRenormed(const std::vector<double> &before,
                      const std::vector<double> &after) const {
    for (int64_t row = 0; row < problem.numRows; ++row) {
      auto begin = before.begin() + row * problem.rowLength;
      std::vector<double> expected(begin, begin + problem.rowLength);
      if (counts.count(row))
        expected = reference::renormOf(expected, kMaxNorm, 2.0, problem.type);
      for (int64_t d = 0; d < problem.rowLength; ++d)
        expectNear(after[row * problem.rowLength + d], expected[d], "row", row);
    }
  }

  /// `sums` are those of each of `rows`.
  void expectSums(const std::vector<double> &gradOutput,
                  const std::vector<int64_t> &rows,
                  const std::vector<double> &sums, bool isGrad) const {
    std::map<int64_t, std::vector<int64_t>> positions;
    for (size_t i = 0; i < indices.size(); ++i)
      positions[indices[i]].push_back(static_cast<int64_t>(i));
    for (size_t i = 0; i < rows.size(); ++i)
      for (int64_t d = 0; d < problem.rowLength; ++d) {
        double scale = isGrad ? getScale(rows[i]) : 1;
        double sum = 0, magnitude = 0;
        if (!isGrad || rows[i] != problem.paddingRow())
          for (int64_t position : positions[rows[i]]) {
            double term = gradOutput[position * problem.rowLength + d] * scale;
            sum += term;
            magnitude += std::fabs(term);
          }
        expectNear(sums[i * problem.rowLength + d], sum, "row", rows[i],
                   scale == 1 ? 0 : magnitude);
      }
  }

  void expectEntries(const std::vector<double> &gradOutput,
                     const std::vector<int64_t> &rows,
                     const std::vector<double> &values, int64_t nnz) const {
    int64_t entry = 0;
    for (size_t i = 0; i < indices.size(); ++i) {
      if (indices[i] == kNone || indices[i] == problem.paddingRow())
        continue;
      ASSERT_LT(entry, nnz);
      ASSERT_EQ(rows[entry], indices[i]);
      for (int64_t d = 0; d < problem.rowLength; ++d)
        expectNear(values[entry * problem.rowLength + d],
                   gradOutput[i * problem.rowLength + d] * getScale(indices[i]),
                   "entry", entry);
      ++entry;
    }
    EXPECT_EQ(nnz, entry);
  }

  std::vector<int64_t> getDistinct() const {
    std::vector<int64_t> distinct;
    for (auto [row, count] : counts)
      distinct.push_back(row);
    return distinct;
  }

private:
  double getScale(int64_t row) const {
    auto found = counts.find(row);
    return problem.scaleGradByFreq && found != counts.end()
               ? 1.0 / static_cast<double>(found->second)
               : 1.0;
  }

  /// Operands are small multiples of an eighth, whose sums are exact in f32; a
  /// result is rounded, with a scale or a factor twice. `magnitude` is that of
  /// what is rounded before it is summed.
  void expectNear(double actual, double expected, const char *what,
                  int64_t number, double magnitude = 0) const {
    if (std::fabs(actual - expected) >
        3 * reference::storedEpsilon(problem.type) * std::fabs(expected) +
            3 * reference::sumEpsilon(problem.type) * magnitude)
      ADD_FAILURE() << what << " " << number << ": expected " << expected
                    << ", but got " << actual;
  }

  /// Of what is out of range and names no row. -1 is no padding row.
  static constexpr int64_t kNone = -2;

  const Problem &problem;
  std::vector<int64_t> indices;
  std::map<int64_t, int64_t> counts;
};

/// Runs `operation` on operands at `edge`, whose elements are `step` apart, and
/// the first dimension `gap` more. What is only read cannot be written.
void expectAtEdge(Engine &engine, const Operation &operation,
                  const Problem &problem, Edge edge, int64_t step = 1,
                  int64_t gap = 0) {
  std::mt19937_64 random(7);
  std::vector<Operand> operands = operation.getOperands(problem);
  std::vector<GuardedMemory> memory;
  std::vector<Placed> placed;
  std::map<std::string, size_t> at;
  for (const Operand &operand : operands) {
    at[operand.name] = placed.size();
    int64_t stride = operand.isCompact ? 1 : step;
    std::vector<int64_t> strides = Placed::getCompactStrides(operand);
    for (int64_t &each : strides)
      each *= stride;
    if (!operand.isCompact && !strides.empty())
      strides[0] += gap;
    int64_t reach = operand.numElements() == 0 ? 0 : 1;
    for (size_t dim = 0; reach > 0 && dim < strides.size(); ++dim)
      reach += (operand.shape[dim] - 1) * strides[dim];
    memory.emplace_back(reach * operand.elementBytes(), edge);
    placed.emplace_back(operand, memory.back().data(), strides);
    placed.back().setBytes(drawBytes(operand, problem, random));
    if (!operand.isWritten())
      memory.back().makeReadOnly();
  }
  std::vector<std::vector<double>> before;
  for (const Placed &each : placed)
    before.push_back(getNumbers(each));
  EmbeddingStatus status;
  ASSERT_EQ(
      operation.run(engine.get(), problem, getTensors(placed).data(), &status),
      EMBEDDING_OK)
      << status.message;

  std::string name = operation.name;
  Expectation expected(problem, getIntegers(placed[at["indices"]]));
  auto after = [&](const char *operand) {
    return getNumbers(placed[at[operand]]);
  };
  if (name == "dense_grad") {
    std::vector<int64_t> all(problem.numRows);
    std::iota(all.begin(), all.end(), int64_t(0));
    expected.expectSums(before[0], all, after("grad_table"), true);
  } else if (name == "double_backward") {
    expected.expectRows(before[0], after("out"), true);
  } else if (name == "sparse_grad") {
    expected.expectEntries(before[0], getIntegers(placed[at["rows"]]),
                           after("values"), getIntegers(placed[4])[0]);
  } else if (name == "coalesce") {
    std::vector<int64_t> rows = getIntegers(placed[at["rows"]]);
    rows.resize(getIntegers(placed[4])[0]);
    EXPECT_EQ(rows, expected.getDistinct());
    expected.expectSums(before[1], rows, after("sums"), false);
  } else {
    // A lookup, a renorm or both.
    if (name == "lookup")
      EXPECT_EQ(after("table"), before[0]);
    else
      expected.expectRenormed(before[0], after("table"));
    if (at.count("out"))
      expected.expectRows(after("table"), after("out"), false);
  }
}

} // namespace

namespace {

class AtTheEdge : public testing::TestWithParam<EmbeddingLowering> {
protected:
  static EngineOptions optionsFor(GuardedHeap &heap) {
    EngineOptions options = heap.options();
    options.lowering = GetParam();
    return options;
  }

  void expectAll(const Problem &problem, int64_t step = 1, int64_t gap = 0) {
    for (Edge edge : {Edge::end, Edge::begin}) {
      heap.edge = edge;
      for (const Operation &operation : kOperations) {
        SCOPED_TRACE(std::string(operation.name) + ", " +
                     std::to_string(problem.type.bits) + " bits of code " +
                     std::to_string(problem.type.code) +
                     ", V = " + std::to_string(problem.numRows) +
                     ", N = " + std::to_string(problem.numIndices()) +
                     ", D = " + std::to_string(problem.rowLength) +
                     (edge == Edge::end ? ", end" : ", begin"));
        expectAtEdge(engine, operation, problem, edge, step, gap);
      }
    }
    EXPECT_TRUE(heap.live.empty());
  }

  GuardedHeap heap;
  Engine engine{optionsFor(heap)};
};

} // namespace

// Of every way to group positions, as sizes choose them: by counting, by
// digits, by a scatter and by a bitmap, of rows whose number fills its words.
TEST_P(AtTheEdge, Sizes) {
  for (auto [numRows, count] : {std::pair<int64_t, int64_t>{1, 1},
                                {2, 7},
                                {64, 67},
                                {512, 129},
                                {512, 1025},
                                {8192, 3}}) {
    Problem problem = {numRows, 3, {count}};
    expectAll(problem);
    problem.indexType = kInt32;
    problem.hasPadding = problem.scaleGradByFreq = true;
    expectAll(problem);
  }
}

TEST_P(AtTheEdge, TypesAndRowLengths) {
  for (DLDataType type : {kFloat64, kFloat32, kFloat16, kBFloat16})
    for (int64_t rowLength : {1, 5, 17, 33})
      if (type.bits == 32 || rowLength == 17)
        expectAll({64, rowLength, {3, 23}, type});
}

// Indices just outside of a table whose rows fill the words of a bitmap.
TEST_P(AtTheEdge, OutOfRange) {
  for (auto mode : {EMBEDDING_OUT_OF_RANGE_ASSUME, EMBEDDING_OUT_OF_RANGE_CLAMP,
                    EMBEDDING_OUT_OF_RANGE_ZERO})
    for (auto [numRows, count] :
         {std::pair<int64_t, int64_t>{512, 67}, {64, 67}, {8192, 3}}) {
      Problem problem = {numRows, 3, {count}};
      problem.outOfRange = mode;
      expectAll(problem);
    }
}

// Elements that lie apart, and what is copied: indices, and rows that do not
// lie at one stride.
TEST_P(AtTheEdge, Strided) {
  expectAll({64, 5, {67}}, /*step=*/2);
  expectAll({128, 3, {5, 7}, kFloat64, kInt32}, /*step=*/3);
  expectAll({64, 5, {4, 3}}, /*step=*/1, /*gap=*/6);
}

INSTANTIATE_TEST_SUITE_P(Lowerings, AtTheEdge,
                         testing::Values(EMBEDDING_LOWERING_OPTIMIZED,
                                         EMBEDDING_LOWERING_NAIVE),
                         [](const auto &info) {
                           return info.param == EMBEDDING_LOWERING_NAIVE
                                      ? "Naive"
                                      : "Optimized";
                         });

// Tables that are prefetched, gradients that are scattered with prefetches, and
// outputs that are stored around the caches.
TEST(AtTheEdgeOfLargeMemory, PrefetchesAndStreams) {
  GuardedHeap heap;
  Engine engine(heap.options());
  struct Case {
    Problem problem;
    std::set<std::string> operations;
  };
  for (const Case &each : {
           Case{{32768, 17, {131}},
                {"lookup", "lookup with max_norm", "double_backward"}},
           Case{{32768, 9, {16385}}, {"dense_grad"}},
           Case{{64, 101, {20773}},
                {"lookup", "lookup with max_norm", "sparse_grad", "coalesce",
                 "double_backward"}},
           Case{{125000, 17, {7}}, {"dense_grad"}},
       })
    for (const Operation &operation : kOperations) {
      if (each.operations.count(operation.name) == 0)
        continue;
      SCOPED_TRACE(std::string(operation.name) +
                   ", V = " + std::to_string(each.problem.numRows) +
                   ", N = " + std::to_string(each.problem.numIndices()));
      expectAtEdge(engine, operation, each.problem, Edge::end);
    }
}

// A lookup moves rows of any number of bytes, and reads indices ahead.
TEST(AtTheEdgeOfLargeMemory, RowsOfBytes) {
  Engine engine(uncached());
  for (int64_t rowBytes : {1, 2, 3, 7, 9, 15, 33, 127, 129, 4099})
    for (int64_t numRows : {int64_t(4), (int64_t(1) << 20) / rowBytes + 1})
      for (int64_t count : {1, 2, 5, 63, 64, 65, 2049}) {
        SCOPED_TRACE(std::to_string(count) + " of " + std::to_string(numRows) +
                     " rows of " + std::to_string(rowBytes) + " bytes");
        GuardedMemory table(numRows * rowBytes, Edge::end),
            indices(count * 4, Edge::end), out(count * rowBytes, Edge::end);
        std::vector<char> bytes = randomBytes(numRows * rowBytes, 3);
        std::copy(bytes.begin(), bytes.end(), table.data());
        auto *rows = reinterpret_cast<int32_t *>(indices.data());
        for (int64_t i = 0; i < count; ++i)
          rows[i] = static_cast<int32_t>((numRows - 1) * (i + 1) % numRows);
        DLDataType byte = {kDLUInt, 8, 1};
        engine.lookup(TensorView(table.data(), byte, {numRows, rowBytes}),
                      TensorView(rows, {count}),
                      TensorView(out.data(), byte, {count, rowBytes}));
        for (int64_t i = 0; i < count; ++i)
          ASSERT_EQ(std::memcmp(out.data() + i * rowBytes,
                                bytes.data() + rows[i] * rowBytes, rowBytes),
                    0)
              << "position " << i;
      }
}
