# What every target of the project has in common, and MLIR.

find_package(MLIR 22.1 REQUIRED CONFIG
             HINTS /usr/lib/llvm-22/lib/cmake/mlir)
message(STATUS "Using MLIR in ${MLIR_DIR}")

include(EmbeddingCheckCompiler)
embedding_check_compiler(reason)
if(reason)
  message(FATAL_ERROR "${reason}, or with cmake --preset release")
endif()

list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)

# TableGen takes its include path from the directory, and not from SYSTEM ones.
include_directories(${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
include_directories(${PROJECT_SOURCE_DIR}/dialect ${PROJECT_BINARY_DIR}/dialect)

function(embedding_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wno-unused-parameter)
  if(EMBEDDING_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

function(embedding_sanitize target)
  if(EMBEDDING_SANITIZE)
    # Lines for reports, here and not by a build type: what is not sanitized is
    # compiled as in a release, so that ccache has it.
    target_compile_options(${target} PRIVATE -fsanitize=${EMBEDDING_SANITIZE}
                           -fno-omit-frame-pointer -fno-sanitize-recover=all
                           -gline-tables-only)
    # It looks for a type in front of every function that is called through a
    # pointer. Generated code has none there.
    target_compile_options(${target} PRIVATE -fno-sanitize=function)
    target_link_options(${target} PRIVATE -fsanitize=${EMBEDDING_SANITIZE})
  endif()
endfunction()

# Targets without MLIR.
function(embedding_target_options target)
  embedding_warnings(${target})
  embedding_sanitize(${target})
endfunction()

# Targets that include MLIR's headers: those are not ours to warn about, and MLIR
# itself is not built with sanitizers.
function(embedding_mlir_target_options target)
  embedding_warnings(${target})
  target_include_directories(${target} SYSTEM PRIVATE ${LLVM_INCLUDE_DIRS}
                             ${MLIR_INCLUDE_DIRS})
  target_compile_options(${target} PRIVATE -Werror=deprecated-declarations)
endfunction()
