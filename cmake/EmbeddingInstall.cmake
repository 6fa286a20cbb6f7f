# What `cmake --install` puts where, and how other projects find it.

install(TARGETS embedding-runtime EXPORT EmbeddingRuntimeTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
# Beside the runtime, which loads it from there.
install(TARGETS embedding-compiler LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS EmbeddingMLIR EXPORT EmbeddingMLIRTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
# What embedding-compile links, and what users link to an object of its.
install(FILES $<TARGET_FILE_DIR:embedding-launcher>/libembedding-launcher-static.a
        DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS embedding-launcher ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS embedding-opt embedding-lsp-server embedding-reduce
                embedding-compile embedding-run
                embedding-bench embedding-bench-first-result
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime/include/
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/dialect/embedding
                  ${PROJECT_BINARY_DIR}/dialect/embedding
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "*.td" PATTERN "*.inc"
        PATTERN "CMakeFiles" EXCLUDE)

foreach(package EmbeddingMLIR EmbeddingRuntime)
  set(destination ${CMAKE_INSTALL_LIBDIR}/cmake/${package})
  install(EXPORT ${package}Targets NAMESPACE EmbeddingMLIR::
          DESTINATION ${destination})
  configure_package_config_file(
    ${PROJECT_SOURCE_DIR}/cmake/${package}Config.cmake.in
    ${PROJECT_BINARY_DIR}/${package}Config.cmake
    INSTALL_DESTINATION ${destination})
  write_basic_package_version_file(
    ${PROJECT_BINARY_DIR}/${package}ConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/${package}Config.cmake
                ${PROJECT_BINARY_DIR}/${package}ConfigVersion.cmake
          DESTINATION ${destination})
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/cmake/EmbeddingCheckCompiler.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/EmbeddingMLIR)
