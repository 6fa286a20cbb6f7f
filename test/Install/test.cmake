# Installs the build into a folder, moves that folder, and builds against it with
# the compiler of the build (the dialect) and with the system's (the runtime).

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGV}\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/first)
file(RENAME ${WORK_DIR}/first ${WORK_DIR}/prefix)

function(configure output_of_failure with_mlir build)
  set(command ${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE_DIR} -B ${build} ${ARGN}
      -DWITH_MLIR=${with_mlir} -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix
      -DMLIR_DIR=${MLIR_DIR} -DDLPACK_INCLUDE_DIR=${DLPACK_INCLUDE_DIR})
  if(NOT output_of_failure)
    run(${command})
    return()
  endif()
  execute_process(COMMAND ${command} RESULT_VARIABLE result OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  if(result EQUAL 0 OR NOT output MATCHES "${output_of_failure}")
    message(FATAL_ERROR "expected '${output_of_failure}', but got\n${output}")
  endif()
endfunction()

foreach(with_mlir ON OFF)
  set(compiler)
  set(program uses-runtime)
  if(with_mlir)
    set(compiler -DCMAKE_CXX_COMPILER=clang++-22)
    set(program uses-dialect)
  endif()
  set(build ${WORK_DIR}/${program})
  configure("" ${with_mlir} ${build} ${compiler})
  run(${CMAKE_COMMAND} --build ${build})
  run(${build}/${program})
endforeach()

# GCC's code would take none of libMLIR's constants for one. It is refused, and
# does not stop a project that can do without.
configure("expected the compiler that built libMLIR, Clang, but got 'GNU'"
          ON ${WORK_DIR}/gcc -DCMAKE_CXX_COMPILER=g++)
configure("" IF_FOUND ${WORK_DIR}/gcc-if-found -DCMAKE_CXX_COMPILER=g++)

# The installed tools run where they are.
file(WRITE ${WORK_DIR}/f.mlir
     "func.func @f(%a: tensor<2xf32>) -> tensor<2xf32> { return %a : tensor<2xf32> }\n")
run(${WORK_DIR}/prefix/bin/embedding-run ${WORK_DIR}/f.mlir --input=2xf32)
message(STATUS "1 passed, 0 failed")
