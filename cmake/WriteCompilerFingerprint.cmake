# Writes OUTPUT, a header with the hash of every file in SOURCES (a list file)
# and the version of LLVM. What a compiled kernel depends on, apart from its spec
# and the CPU: objects in a cache that another compiler made are not used.

file(STRINGS ${SOURCES} files)
set(hashes "${LLVM_VERSION};${BUILD_TYPE}")
foreach(file IN LISTS files)
  file(SHA256 ${file} hash)
  list(APPEND hashes ${hash})
endforeach()
string(SHA256 fingerprint "${hashes}")
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[
#ifndef EMBEDDING_RUNTIME_LIB_COMPILERFINGERPRINT_H
#define EMBEDDING_RUNTIME_LIB_COMPILERFINGERPRINT_H

namespace embedding::runtime {
inline constexpr char kCompilerFingerprint[] =
    "LLVM @LLVM_VERSION@, embedding-mlir @fingerprint@";
inline constexpr char kCompilerLibraryName[] = "@COMPILER_LIBRARY@";
} // namespace embedding::runtime

#endif // EMBEDDING_RUNTIME_LIB_COMPILERFINGERPRINT_H
]] @ONLY)
