# How every file of the project is compiled. The presets choose among the options.
option(CLERK_DEBUG_CHECKS "Check invariants at run time (CLERK_DEBUG_CHECKS, libstdc++ assertions)" OFF)
option(CLERK_COVERAGE "Count executed lines for gcovr" OFF)
option(CLERK_FUZZ "Build the libFuzzer executables instead of the tests" OFF)
option(CLERK_LTO "Optimise across files when linking" OFF)
option(CLERK_CCACHE "Compile through ccache when it is installed" ON)
option(CLERK_PRECOMPILE "Read the headers of the libraries once for all files" OFF)
option(CLERK_WHOLE_TESTS "One process for all unit tests of a stage, where processes are dear to start" OFF)
set(CLERK_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=LIST")

add_compile_options(
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor
  -Woverloaded-virtual -Wimplicit-fallthrough -Wdouble-promotion -Wformat=2 -Wextra-semi
  -Wsuggest-override -Wundef -Wvla -Wredundant-decls
  # Designated initializers leave the other members at their defaults on purpose.
  -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wduplicated-cond -Wlogical-op)
endif()

add_compile_options(-fstack-protector-strong)
add_link_options(-Wl,-z,relro,-z,now)
# Position independent as an executable is, not as a shared library: -fPIC would forbid inlining.
add_compile_options(-fPIE)
add_link_options(-pie)

if(CLERK_DEBUG_CHECKS)
  add_compile_definitions(CLERK_DEBUG_CHECKS=1 _GLIBCXX_ASSERTIONS)
endif()
if(CLERK_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
if(CLERK_SANITIZE)
  # The check of vptrs opens a pipe for each new type: tests that run out of descriptors have none.
  add_compile_options(-fsanitize=${CLERK_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CLERK_SANITIZE})
endif()
if(CLERK_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ${CLERK_LTO})

find_program(CLERK_CCACHE_PROGRAM ccache)
if(CLERK_CCACHE AND CLERK_CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # ccache takes precompiled headers only from who promises that none depends on the time or on macros of its users.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros ${CLERK_CCACHE_PROGRAM})
endif()
find_program(CLERK_MOLD_PROGRAM mold)
if(CLERK_MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()
