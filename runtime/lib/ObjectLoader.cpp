//===- ObjectLoader.cpp - Loads compiled kernels --------------------------===//
//
// Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ObjectLoader.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace embedding::runtime;

static Failure damaged(const std::string &what) {
  return {EMBEDDING_INTERNAL, "object: " + what};
}

#if defined(__x86_64__)
// Of the C compiler's own library, which need not be there to be found by name:
// conversions of f16 on CPUs without them.
extern "C" {
void __extendhfsf2();
void __extendhfdf2();
void __truncsfhf2();
void __truncdfhf2();
}
#endif

void *embedding::runtime::resolveInProcess(const char *name) {
  static const std::pair<const char *, void *> symbols[] = {
      // Of CPUs without the instruction.
      {"fma", reinterpret_cast<void *>(
                  static_cast<double (*)(double, double, double)>(&std::fma))},
#if defined(__x86_64__)
      {"__extendhfsf2", reinterpret_cast<void *>(&__extendhfsf2)},
      {"__extendhfdf2", reinterpret_cast<void *>(&__extendhfdf2)},
      {"__truncsfhf2", reinterpret_cast<void *>(&__truncsfhf2)},
      {"__truncdfhf2", reinterpret_cast<void *>(&__truncdfhf2)},
#endif
  };
  for (auto [known, address] : symbols)
    if (std::strcmp(known, name) == 0)
      return address;
  return dlsym(RTLD_DEFAULT, name);
}

namespace {

/// Bytes of a jump through a pointer that follows it: how code reaches a
/// function that is too far away for a 32-bit displacement.
constexpr size_t kStubBytes = 16;
/// jmp *2(%rip); two bytes of padding; the pointer.
constexpr unsigned char kStubCode[8] = {0xff, 0x25, 0x02, 0, 0, 0, 0x90, 0x90};
constexpr size_t kPointerInStub = 8;

size_t alignTo(size_t value, size_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

/// Small code model: everything within 2 GiB.
constexpr size_t kMaxBytes = INT32_MAX;

/// One load: parses, lays out, copies, relocates, protects.
class Loader {
public:
  Loader(std::string_view object, SymbolResolver resolve)
      : object(object), resolve(resolve) {}

  Status parse();
  Status layOut();
  Status map();
  Status defineSymbols(std::unordered_map<std::string, void *> &defined);
  Status relocate();
  Status protect();

  char *memory = nullptr;
  size_t size = 0;

private:
  /// The `count` objects of type T at `offset`, or null if the file is shorter.
  template <typename T> const T *at(uint64_t offset, uint64_t count = 1) const {
    if (offset % alignof(T) != 0 || offset > object.size() ||
        count > (object.size() - offset) / sizeof(T))
      return nullptr;
    return reinterpret_cast<const T *>(object.data() + offset);
  }

  /// The null-terminated string at `offset` of string table `table`.
  const char *string(const Elf64_Shdr &table, uint64_t offset) const {
    const char *begin = at<char>(table.sh_offset, table.sh_size);
    if (!begin || offset >= table.sh_size ||
        !std::memchr(begin + offset, 0, table.sh_size - offset))
      return nullptr;
    return begin + offset;
  }

  bool isLoaded(size_t section) const {
    return section < numSections && (sections[section].sh_flags & SHF_ALLOC) &&
           sections[section].sh_type != SHT_X86_64_UNWIND &&
           std::strcmp(names[section], ".eh_frame") != 0;
  }

  /// Where symbol `index` lies, its stub if it is outside of the object.
  Result<char *> addressOf(uint64_t index) const;
  Status applyRelocation(const Elf64_Shdr &target, char *base,
                         const Elf64_Rela &relocation);

  std::string_view object;
  SymbolResolver resolve;
  const Elf64_Shdr *sections = nullptr;
  size_t numSections = 0;
  std::vector<const char *> names;
  const Elf64_Shdr *symbolTable = nullptr;
  const Elf64_Sym *symbols = nullptr;
  uint64_t numSymbols = 0;
  std::vector<size_t> offsets;
  size_t stubs = 0;
  size_t writable = 0;
};

} // namespace

Status Loader::parse() {
  // at() checks alignment within the file; the file itself must have it too.
  if (reinterpret_cast<uintptr_t>(object.data()) % alignof(Elf64_Ehdr) != 0)
    return damaged("not aligned in memory");
  const auto *header = at<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
    return damaged("not an ELF file");
#if defined(__x86_64__)
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_type != ET_REL ||
      header->e_machine != EM_X86_64)
    return damaged("not a relocatable object for x86-64");
#else
  return Failure{EMBEDDING_UNSUPPORTED,
                 "object: kernels are loaded on x86-64 only"};
#endif
  numSections = header->e_shnum;
  sections = at<Elf64_Shdr>(header->e_shoff, numSections);
  if (!sections || header->e_shstrndx >= numSections)
    return damaged("section table out of bounds");
  for (size_t i = 0; i < numSections; ++i) {
    const char *name =
        string(sections[header->e_shstrndx], sections[i].sh_name);
    if (!name)
      return damaged("name of section " + std::to_string(i) + " out of bounds");
    names.push_back(name);
    if (sections[i].sh_type == SHT_SYMTAB)
      symbolTable = &sections[i];
  }
  if (!symbolTable || symbolTable->sh_link >= numSections)
    return damaged("no symbol table");
  numSymbols = symbolTable->sh_size / sizeof(Elf64_Sym);
  symbols = at<Elf64_Sym>(symbolTable->sh_offset, numSymbols);
  if (!symbols)
    return damaged("symbol table out of bounds");
  return success();
}

Status Loader::layOut() {
  // Code and constants first, one stub for each symbol, then, on pages of its
  // own, what the code may write.
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  offsets.assign(numSections, 0);
  auto place = [&](bool isWritable) -> Status {
    for (size_t i = 0; i < numSections; ++i) {
      const Elf64_Shdr &section = sections[i];
      if (!isLoaded(i) || ((section.sh_flags & SHF_WRITE) != 0) != isWritable)
        continue;
      if (section.sh_flags & SHF_TLS)
        return damaged("thread-local data is not supported");
      size_t alignment = section.sh_addralign ? section.sh_addralign : 1;
      if (alignment <= page && (alignment & (alignment - 1)) == 0)
        size = alignTo(size, alignment);
      else
        return damaged(std::string("section ") + names[i] +
                       " has an impossible alignment");
      if (size > kMaxBytes || section.sh_size > kMaxBytes - size)
        return damaged(std::string("section ") + names[i] +
                       " has an impossible size");
      offsets[i] = size;
      size += section.sh_size;
    }
    return success();
  };
  if (Status placed = place(/*isWritable=*/false); !placed)
    return placed;
  stubs = alignTo(size, kStubBytes);
  size = alignTo(stubs + numSymbols * kStubBytes, page);
  writable = size;
  if (Status placed = place(/*isWritable=*/true); !placed)
    return placed;
  size = alignTo(size, page);
  return success();
}

Status Loader::map() {
  void *mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    return Failure{EMBEDDING_OUT_OF_MEMORY, "out of memory"};
  memory = static_cast<char *>(mapped);
  for (size_t i = 0; i < numSections; ++i) {
    if (!isLoaded(i) || sections[i].sh_type == SHT_NOBITS)
      continue;
    const char *contents = at<char>(sections[i].sh_offset, sections[i].sh_size);
    if (!contents)
      return damaged(std::string("section ") + names[i] + " out of bounds");
    std::memcpy(memory + offsets[i], contents, sections[i].sh_size);
  }
  return success();
}

Status Loader::defineSymbols(std::unordered_map<std::string, void *> &defined) {
  for (uint64_t i = 1; i < numSymbols; ++i) {
    const Elf64_Sym &symbol = symbols[i];
    const char *name = string(sections[symbolTable->sh_link], symbol.st_name);
    if (!name)
      return damaged("name of symbol " + std::to_string(i) + " out of bounds");
    if (symbol.st_shndx == SHN_UNDEF) {
      void *address = resolve(name);
      if (!address && ELF64_ST_BIND(symbol.st_info) != STB_WEAK)
        return damaged(std::string("undefined symbol ") + name);
      char *stub = memory + stubs + i * kStubBytes;
      std::memcpy(stub, kStubCode, sizeof(kStubCode));
      std::memcpy(stub + kPointerInStub, &address, sizeof(address));
    } else if (isLoaded(symbol.st_shndx)) {
      if (symbol.st_value > sections[symbol.st_shndx].sh_size)
        return damaged(std::string("symbol ") + name + " out of bounds");
      char *address = memory + offsets[symbol.st_shndx] + symbol.st_value;
      // For an indirect load of a symbol of the object's own.
      std::memcpy(memory + stubs + i * kStubBytes + kPointerInStub, &address,
                  sizeof(address));
      if (ELF64_ST_BIND(symbol.st_info) != STB_LOCAL)
        defined[name] = address;
    }
  }
  return success();
}

Result<char *> Loader::addressOf(uint64_t index) const {
  if (index >= numSymbols)
    return damaged("relocation against symbol " + std::to_string(index) +
                   ", of " + std::to_string(numSymbols));
  const Elf64_Sym &symbol = symbols[index];
  if (symbol.st_shndx == SHN_UNDEF)
    return memory + stubs + index * kStubBytes;
  if (!isLoaded(symbol.st_shndx))
    return damaged("relocation against a section that is not loaded");
  return memory + offsets[symbol.st_shndx] + symbol.st_value;
}

Status Loader::applyRelocation(const Elf64_Shdr &target, char *base,
                               const Elf64_Rela &relocation) {
  uint64_t type = ELF64_R_TYPE(relocation.r_info);
  uint64_t symbol = ELF64_R_SYM(relocation.r_info);
  size_t width = type == R_X86_64_64 || type == R_X86_64_PC64 ? 8 : 4;
  if (target.sh_size < width || relocation.r_offset > target.sh_size - width)
    return damaged("relocation out of bounds");
  Result<char *> address = addressOf(symbol);
  if (!address)
    return address.failure();
  char *place = base + relocation.r_offset;
  bool isUndefined = symbols[symbol].st_shndx == SHN_UNDEF;
  char *pointer = memory + stubs + symbol * kStubBytes + kPointerInStub;

  // As numbers, modulo 2^64: a damaged addend points anywhere.
  auto number = [](const char *p) { return reinterpret_cast<uint64_t>(p); };
  uint64_t value = static_cast<uint64_t>(relocation.r_addend);
  switch (type) {
  case R_X86_64_64: {
    uint64_t absolute = number(*address);
    if (isUndefined)
      std::memcpy(&absolute, pointer, sizeof(absolute));
    value += absolute;
    break;
  }
  case R_X86_64_PC64:
  case R_X86_64_PC32:
    // Code reaches foreign data through a pointer, never directly.
    if (isUndefined)
      return damaged("direct reference to a foreign symbol");
    [[fallthrough]];
  case R_X86_64_PLT32:
    value += number(*address) - number(place);
    break;
  case R_X86_64_GOTPCREL:
  case R_X86_64_GOTPCRELX:
  case R_X86_64_REX_GOTPCRELX:
    value += number(pointer) - number(place);
    break;
  default:
    return damaged("relocation of type " + std::to_string(type) +
                   " is not supported");
  }
  auto displacement = static_cast<int64_t>(value);
  if (width == 4 && displacement != static_cast<int32_t>(displacement))
    return damaged("relocation does not reach its target");
  std::memcpy(place, &value, width);
  return success();
}

Status Loader::relocate() {
  for (size_t i = 0; i < numSections; ++i) {
    const Elf64_Shdr &section = sections[i];
    if (section.sh_type == SHT_REL)
      return damaged("relocations without addends are not supported");
    if (section.sh_type != SHT_RELA || !isLoaded(section.sh_info))
      continue;
    const Elf64_Shdr &target = sections[section.sh_info];
    uint64_t count = section.sh_size / sizeof(Elf64_Rela);
    const auto *relocations = at<Elf64_Rela>(section.sh_offset, count);
    if (!relocations || target.sh_type == SHT_NOBITS)
      return damaged(std::string("section ") + names[i] + " out of bounds");
    for (uint64_t k = 0; k < count; ++k)
      if (Status applied = applyRelocation(
              target, memory + offsets[section.sh_info], relocations[k]);
          !applied)
        return applied;
  }
  return success();
}

Status Loader::protect() {
  if (mprotect(memory, writable, PROT_READ | PROT_EXEC) != 0)
    return Failure{EMBEDDING_UNSUPPORTED,
                   std::string("this system runs no code made at run time: ") +
                       std::strerror(errno)};
  return success();
}

Result<LoadedObject> LoadedObject::load(std::string_view object,
                                        SymbolResolver resolve) {
  Loader loader(object, resolve);
  LoadedObject loaded;
  auto steps = [&]() -> Status {
    if (Status status = loader.parse(); !status)
      return status;
    if (Status status = loader.layOut(); !status)
      return status;
    Status mapped = loader.map();
    // Owned from here on, also to be unmapped after a failure.
    loaded.memory = loader.memory;
    loaded.size = loader.memory ? loader.size : 0;
    if (!mapped)
      return mapped;
    if (Status status = loader.defineSymbols(loaded.symbols); !status)
      return status;
    if (Status status = loader.relocate(); !status)
      return status;
    return loader.protect();
  };
  if (Status status = steps(); !status)
    return status.failure();
  return Result<LoadedObject>(std::move(loaded));
}

LoadedObject::LoadedObject(LoadedObject &&other) noexcept {
  *this = std::move(other);
}

LoadedObject &LoadedObject::operator=(LoadedObject &&other) noexcept {
  std::swap(memory, other.memory);
  std::swap(size, other.size);
  std::swap(symbols, other.symbols);
  return *this;
}

LoadedObject::~LoadedObject() {
  if (memory)
    munmap(memory, size);
}

void *LoadedObject::find(const std::string &name) const {
  auto found = symbols.find(name);
  return found == symbols.end() ? nullptr : found->second;
}
