# Headers that most files include and that never change here, read once and not by each file anew: a third of the time
# that g++ takes, and more of clang's. Headers of the project stay out, so that nothing but what a change reaches is
# compiled again.
#
# A file still includes what it uses: release and tidy precompile nothing, and there it would be missed.

set(CLERK_COMMON_HEADERS
  <algorithm> <array> <atomic> <bit> <chrono> <cstdint> <cstring> <expected> <functional> <map> <memory> <mutex>
  <optional> <span> <string> <string_view> <utility> <vector>
  <fmt/format.h>)
set(CLERK_TEST_HEADERS ${CLERK_COMMON_HEADERS} <gmock/gmock.h> <gtest/gtest.h>)

# GCC 12 takes code of system headers for ours once they are precompiled, and then warns of what it gets wrong in
# std::string (its bugs 105329 and 105651). The release preset precompiles nothing and has all warnings.
set(CLERK_PRECOMPILED_OPTIONS -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)

# clerk_precompile(TARGET OWNER): TARGET reads what is precompiled for OWNER, which is clerk_base, or clerk_testing for
# those who link it.
function(clerk_precompile target owner)
  if(NOT CLERK_PRECOMPILE OR NOT TARGET ${target})
    return()
  endif()
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "INTERFACE_LIBRARY")
    return()
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE ${CLERK_PRECOMPILED_OPTIONS})
  endif()
  if(NOT target STREQUAL owner)
    target_precompile_headers(${target} REUSE_FROM ${owner})
  elseif(owner STREQUAL "clerk_testing")
    target_precompile_headers(${target} PRIVATE ${CLERK_TEST_HEADERS})
  else()
    target_precompile_headers(${target} PRIVATE ${CLERK_COMMON_HEADERS})
  endif()
endfunction()
