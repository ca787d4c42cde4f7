# The client of shared rings, for programs of others: libtestimony.a, its two headers and a file for
# pkg-config. docs/testimony_client.md tells how to use them. The component "testimony" is all of it:
#   cmake --install build/release --component testimony --prefix PREFIX

set_target_properties(clerk_testimony PROPERTIES
  OUTPUT_NAME testimony
  # Code, not one compiler's intermediate form, and such that it may go into shared libraries. The path
  # of the packets is a header.
  INTERPROCEDURAL_OPTIMIZATION OFF)
target_compile_options(clerk_testimony PRIVATE -fPIC)

# From the .pc file to the prefix, wherever cmake --install puts both.
file(RELATIVE_PATH testimony_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/testimony.pc.in testimony.pc @ONLY)

install(TARGETS clerk_testimony ARCHIVE COMPONENT testimony)
install(FILES src/testimony/client.h src/testimony/block_walker.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/testimony COMPONENT testimony)
install(FILES ${PROJECT_BINARY_DIR}/testimony.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT testimony)

# What is installed has to do without this project. Instrumented code does not do without its run-time libraries.
if(BUILD_TESTING AND NOT CLERK_FUZZ AND NOT CLERK_SANITIZE AND NOT CLERK_COVERAGE)
  add_test(NAME testimony_library
           COMMAND ${PROJECT_SOURCE_DIR}/tests/testimony_library ${PROJECT_BINARY_DIR} ${CMAKE_CXX_COMPILER})
  set_tests_properties(testimony_library PROPERTIES LABELS end_to_end TIMEOUT 120)
endif()
