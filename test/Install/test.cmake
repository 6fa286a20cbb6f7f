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

foreach(with_mlir ON OFF)
  set(compiler)
  set(program uses-runtime)
  if(with_mlir)
    set(compiler -DCMAKE_CXX_COMPILER=clang++-22)
    set(program uses-dialect)
  endif()
  set(build ${WORK_DIR}/${program})
  run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE_DIR} -B ${build} ${compiler}
      -DWITH_MLIR=${with_mlir} -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix
      -DMLIR_DIR=${MLIR_DIR} -DDLPACK_INCLUDE_DIR=${DLPACK_INCLUDE_DIR})
  run(${CMAKE_COMMAND} --build ${build})
  run(${build}/${program})
endforeach()

# The installed tools run where they are.
file(WRITE ${WORK_DIR}/f.mlir
     "func.func @f(%a: tensor<2xf32>) -> tensor<2xf32> { return %a : tensor<2xf32> }\n")
run(${WORK_DIR}/prefix/bin/embedding-run ${WORK_DIR}/f.mlir --input=2xf32)
message(STATUS "1 passed, 0 failed")
