# For this build, and for projects that find the dialect.

# Sets `result` to the reason why this compiler's code cannot use libMLIR, or to
# nothing.
function(embedding_check_compiler result)
  set(reason)
  # MLIR tells traits apart by the compiler's spelling of their names: compiled by
  # GCC, no constant of Debian's libMLIR, which Clang compiled, looks like one.
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    set(reason "expected the compiler that built libMLIR, Clang, but got \
'${CMAKE_CXX_COMPILER_ID}': configure with -DCMAKE_C_COMPILER=clang-22 \
-DCMAKE_CXX_COMPILER=clang++-22")
  endif()
  set(${result} "${reason}" PARENT_SCOPE)
endfunction()
