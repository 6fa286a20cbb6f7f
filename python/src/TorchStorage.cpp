//===- TorchStorage.cpp - Storages of PyTorch's in our memory -------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// torch.UntypedStorage takes an allocator, a c10::Allocator as a number. Only
// such a storage is in all respects what users know: one that DLPack made, or
// NumPy, cannot be resized. This package has no headers of PyTorch's, since it
// is for every version; so the class is written down here, and used where that
// of the process is found to be the same.
//
//===----------------------------------------------------------------------===//

#include "TorchStorage.h"

#include "Engine.h"
#include "Tensor.h"

#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <new>
#include <optional>
#include <utility>

using namespace embedding::python;

/// Where it pays: PyTorch's allocator keeps the pages of what is smaller, and a
/// storage costs a few microseconds.
static constexpr size_t kMinBytes = size_t(1) << 20;

//===----------------------------------------------------------------------===//
// PyTorch's classes
//===----------------------------------------------------------------------===//

namespace {

using Deleter = void (*)(void *);

/// c10::DataPtr: memory, and how to delete what it belongs to.
struct DataPtr {
  DataPtr(void *data, Deleter deleter, void *context, uint16_t device)
      : data(data), deleter(deleter), context(context), device(device) {}
  // It is returned as a class with a destructor is: where the caller says.
  ~DataPtr() {} // NOLINT(modernize-use-equals-default)

  void *data;
  Deleter deleter;
  void *context;
  /// Its type and its number.
  uint16_t device;
};

/// c10::Allocator.
class Allocator {
public:
  virtual ~Allocator() = default;
  virtual DataPtr allocate(size_t size) = 0;
  virtual bool is_simple_data_ptr(const DataPtr &pointer) const {
    return pointer.data == pointer.context;
  }
  /// Null if not all of its memory has the same.
  virtual Deleter raw_deleter() const { return nullptr; }
  virtual void copy_data(void *to, const void *from, size_t size) const = 0;
};

/// What PyTorch's library says of its own.
struct Known {
  /// That of tensors on the CPU.
  Allocator *allocator;
  /// DataPtr::device there.
  uint16_t device;

  static std::optional<Known> find();
};

} // namespace

/// Whether the functions of the class in `library` are those of Allocator. Its
/// table has two words before them, and is as long as it has functions.
static bool hasKnownFunctions(void *library) {
  auto *table = static_cast<void **>(dlsym(library, "_ZTVN3c109AllocatorE"));
  void *isSimple =
      dlsym(library, "_ZNK3c109Allocator18is_simple_data_ptrERKNS_7DataPtrE");
  Dl_info info;
  void *found = nullptr;
  if (!table || !isSimple || !dladdr1(table, &info, &found, RTLD_DL_SYMENT) ||
      !found)
    return false;
  auto *pure = reinterpret_cast<void *>(&abi::__cxa_pure_virtual);
  // Two destructors come first.
  return static_cast<ElfW(Sym) *>(found)->st_size == 8 * sizeof(void *) &&
         table[4] == pure && table[5] == isSimple && table[7] == pure;
}

std::optional<Known> Known::find() {
#if defined(__x86_64__)
  void *library = dlopen("libc10.so", RTLD_LAZY | RTLD_NOLOAD);
  if (!library || !hasKnownFunctions(library))
    return std::nullopt;
  auto *get = reinterpret_cast<Allocator *(*)()>(
      dlsym(library, "_ZN3c1015GetCPUAllocatorEv"));
  Allocator *allocator = get ? get() : nullptr;
  if (!allocator)
    return std::nullopt;
  // A pointer of its own says how they are laid out. Behind a device, of two
  // bytes, nothing is written.
  constexpr size_t kNumWords = 8;
  uintptr_t words[kNumWords];
  std::memset(words, 0x5a, sizeof(words));
  uintptr_t unwritten = words[0];
  void **functions = *reinterpret_cast<void ***>(allocator);
  reinterpret_cast<void *(*)(void *, Allocator *, size_t)>(functions[2])(
      words, allocator, 64);
  auto deleter = reinterpret_cast<Deleter>(words[1]);
  bool isKnown = words[0] == words[2] && words[0] != unwritten && deleter &&
                 deleter == allocator->raw_deleter();
  for (size_t i = 4; i < kNumWords; ++i)
    isKnown &= words[i] == unwritten;
  if (!isKnown)
    return std::nullopt;
  deleter(reinterpret_cast<void *>(words[2]));
  return Known{allocator, static_cast<uint16_t>(words[3])};
#else
  return std::nullopt;
#endif
}

//===----------------------------------------------------------------------===//
// The allocator of the engine's buffers
//===----------------------------------------------------------------------===//

namespace {

/// What lies before the memory of a storage. PyTorch takes what points to more
/// than its memory for something out of the ordinary.
struct alignas(64) Header {
  /// Engines are never destroyed.
  EmbeddingEngine *engine;
  size_t size;

  void *getData() { return this + 1; }
};

/// Gives a buffer that was made for it to the storage that is made next on its
/// thread. What it is asked for otherwise, as when a storage is resized, is
/// PyTorch's own memory.
class PooledAllocator final : public Allocator {
public:
  explicit PooledAllocator(const Known &known) : known(known) {}

  DataPtr allocate(size_t size) override {
    if (!next || next->size != sizeof(Header) + size)
      return known.allocator->allocate(size);
    void *data = std::exchange(next, nullptr)->getData();
    return DataPtr(data, &deallocate, data, known.device);
  }
  void copy_data(void *to, const void *from, size_t size) const override {
    std::memcpy(to, from, size);
  }

  /// On any thread, with or without the interpreter's lock, even after it has
  /// ended.
  static void deallocate(void *data) {
    Header *header = static_cast<Header *>(data) - 1;
    embedding_buffer_deallocate(header->engine, header, header->size);
  }

  static thread_local Header *next;

private:
  Known known;
};

thread_local Header *PooledAllocator::next = nullptr;

/// A storage of `size` bytes by torch.UntypedStorage, or null.
class StorageFactory {
public:
  /// Null if this PyTorch is not one whose classes are known.
  static StorageFactory *make() {
    std::optional<Known> known = Known::find();
    if (!known)
      return nullptr;
    auto *made = new StorageFactory;
    made->type = nb::module_::import_("torch").attr("UntypedStorage");
    made->keywords = nb::make_tuple("allocator");
    made->allocator =
        nb::int_(reinterpret_cast<uintptr_t>(new PooledAllocator(*known)));
    return made;
  }

  nb::object create(size_t size) const {
    EmbeddingEngine *engine = getEngine();
    size_t allocated = sizeof(Header) + size;
    void *memory = nullptr;
    {
      nb::gil_scoped_release released;
      embedding_buffer_allocate(engine, allocated, &memory, nullptr);
    }
    if (!memory)
      return {};
    auto *header = new (memory) Header{engine, allocated};
    nb::int_ count(size);
    PyObject *arguments[] = {count.ptr(), allocator.ptr()};
    // The collector may run, and finalizers may make tensors.
    Header *outer = std::exchange(PooledAllocator::next, header);
    nb::object storage = nb::steal(
        PyObject_Vectorcall(type.ptr(), arguments, 1, keywords.ptr()));
    bool isTaken = std::exchange(PooledAllocator::next, outer) != header;
    if (!isTaken)
      embedding_buffer_deallocate(engine, memory, allocated);
    if (!storage)
      PyErr_Clear();
    return storage;
  }

private:
  nb::object type, keywords, allocator;
};

} // namespace

//===----------------------------------------------------------------------===//
// The memory of tensors
//===----------------------------------------------------------------------===//

namespace {

/// In which words c10::TensorImpl and c10::StorageImpl have what is asked.
struct Words {
  size_t storage;
  size_t data, size;

  /// Nothing if some tensors do not agree.
  static std::optional<Words> find();
};

struct KnownTensors {
  Words words;
  /// The name of the attribute.
  nb::object address;
};

} // namespace

static const KnownTensors *known = nullptr;

static uintptr_t toAddress(const nb::object &address) {
  auto value = reinterpret_cast<uintptr_t>(PyLong_AsVoidPtr(address.ptr()));
  if (PyErr_Occurred())
    nb::raise_python_error();
  return value;
}

static const uintptr_t *getWords(uintptr_t address) {
  return reinterpret_cast<const uintptr_t *>(address);
}

std::optional<Words> Words::find() {
  // Both classes are longer than this.
  constexpr unsigned kNumWords = 8, kAll = (1u << kNumWords) - 1;
  unsigned storages = kAll, addresses = kAll, sizes = kAll;
  auto keep = [](unsigned &found, uintptr_t object, uintptr_t value) {
    for (size_t i = 0; i < kNumWords; ++i)
      if (getWords(object)[i] != value)
        found &= ~(1u << i);
  };
  try {
    nb::module_ torch = nb::module_::import_("torch");
    for (size_t size : {4099, 64, 70001}) {
      // Memory of others', which does not belong to itself.
      nb::object bytes = nb::steal(PyByteArray_FromStringAndSize(
          nullptr, static_cast<Py_ssize_t>(size)));
      if (!bytes)
        nb::raise_python_error();
      using namespace nb::literals;
      nb::object tensor =
          torch.attr("frombuffer")(bytes, "dtype"_a = torch.attr("uint8"));
      nb::object storage = tensor.attr("untyped_storage")();
      uintptr_t address = toAddress(storage.attr("_cdata"));
      keep(storages, toAddress(tensor.attr("_cdata")), address);
      keep(addresses, address, toAddress(storage.attr("data_ptr")()));
      keep(sizes, address, nb::cast<size_t>(storage.attr("nbytes")()));
    }
  } catch (const std::exception &) {
    return std::nullopt;
  }
  auto isOne = [](unsigned found) { return __builtin_popcount(found) == 1; };
  if (!isOne(storages) || !isOne(addresses) || !isOne(sizes))
    return std::nullopt;
  auto number = [](unsigned found) {
    return static_cast<size_t>(__builtin_ctz(found));
  };
  return Words{number(storages), number(addresses), number(sizes)};
}

void embedding::python::initializeTorchMemory() {
  if (std::optional<Words> words = Words::find())
    known = new KnownTensors{*words,
                             nb::steal(PyUnicode_InternFromString("_cdata"))};
}

TorchMemory embedding::python::getTorchMemory(nb::handle tensor) {
  if (known)
    if (uintptr_t storage = getWords(toAddress(
            nb::getattr(tensor, known->address)))[known->words.storage])
      return {reinterpret_cast<char *>(getWords(storage)[known->words.data]),
              getWords(storage)[known->words.size]};
  nb::object storage = tensor.attr("untyped_storage")();
  const nb::object &find = Torch::get()->getStorageAddress;
  nb::object data = find.is_none() ? storage.attr("data_ptr")() : find(tensor);
  return {reinterpret_cast<char *>(toAddress(data)),
          nb::cast<size_t>(storage.attr("nbytes")())};
}

//===----------------------------------------------------------------------===//
// The pool
//===----------------------------------------------------------------------===//

static bool isPooled = true;

nb::object embedding::python::makeTorchStorage(size_t size) {
  if (size < kMinBytes || !isPooled)
    return {};
  // Under the interpreter's lock, and kept for the life of the process.
  static StorageFactory *factory = nullptr;
  static bool isMade = false;
  if (!isMade) {
    factory = StorageFactory::make();
    isMade = true;
  }
  return factory ? factory->create(size) : nb::object();
}

void embedding::python::setMemoryPool(std::optional<uint64_t> maxIdleBytes) {
  isPooled = maxIdleBytes != 0;
  if (!isPooled)
    setMaxIdleBytes(1); // What is there goes; workspace is kept as ever.
  setMaxIdleBytes(maxIdleBytes.value_or(0));
}
