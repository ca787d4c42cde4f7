# A stage is one folder under src/. Its files are sorted by their endings:
#
#   *_test.cc    one GoogleTest executable NAME_test, each test known to ctest as NAME.Suite.Test; with
#                CLERK_WHOLE_TESTS all of them as NAME_test
#   *_bench.cc   one Google Benchmark executable NAME_bench, which ctest runs for an instant
#   *_fuzz.cc    one libFuzzer executable a file with the fuzz preset; with the others an
#                executable that replays fuzz/corpus/<file without _fuzz>/ as a test
#   main.cc      the executable NAME
#   other *.cc   the static library clerk_NAME (an INTERFACE library when there are none)
#
#   clerk_stage(NAME [STANDALONE] [DEPENDS earlier stages] [LIBRARIES imported targets])
#
# Without base, a stage stands alone: what is precompiled for the others is not for it.

include(GoogleTest)
include(cmake/precompile.cmake)
set_property(GLOBAL PROPERTY CLERK_STAGES "")

function(clerk_stage name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "STANDALONE" "" "DEPENDS;LIBRARIES")
  foreach(earlier IN LISTS arg_DEPENDS)
    if(NOT TARGET clerk_${earlier})
      message(FATAL_ERROR "Stage ${name} depends on ${earlier}, which is no earlier stage.")
    endif()
    list(APPEND arg_LIBRARIES clerk_${earlier})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY CLERK_STAGES ${name})
  clerk_folder(${name} src/${name} LIBRARIES ${arg_LIBRARIES} Threads::Threads
               TEST_LIBRARIES clerk_testing clerk_${name})
  if(NOT arg_STANDALONE)
    clerk_precompile(clerk_${name} clerk_base)
    clerk_precompile(${name} clerk_base)
  endif()
endfunction()

# The helpers of the tests: clerk_testing stands on base alone, so that every stage can use it;
# its own tests may use every stage.
function(clerk_testing directory)
  set(libraries clerk_base)
  if(BUILD_TESTING AND NOT CLERK_FUZZ)
    list(APPEND libraries GTest::gtest GTest::gmock PkgConfig::maxminddb)
  endif()
  clerk_folder(testing ${directory} LIBRARIES ${libraries} TEST_LIBRARIES clerk_testing clerk_sink)
  clerk_precompile(clerk_testing clerk_testing)
endfunction()

function(clerk_folder name directory)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "LIBRARIES;TEST_LIBRARIES")
  file(GLOB library_sources CONFIGURE_DEPENDS ${directory}/*.cc)
  foreach(kind test bench fuzz)
    set(${kind}_sources ${library_sources})
    list(FILTER ${kind}_sources INCLUDE REGEX "_${kind}\\.cc$")
    list(FILTER library_sources EXCLUDE REGEX "_${kind}\\.cc$")
  endforeach()
  set(main_source ${library_sources})
  list(FILTER main_source INCLUDE REGEX "/main\\.cc$")
  list(FILTER library_sources EXCLUDE REGEX "/main\\.cc$")

  clerk_library(clerk_${name} "${library_sources}" "${arg_LIBRARIES}")
  if(main_source)
    add_executable(${name} ${main_source})
    target_link_libraries(${name} PRIVATE clerk_${name})
  endif()
  if(NOT BUILD_TESTING)
    return()
  endif()
  if(test_sources AND NOT CLERK_FUZZ)
    clerk_unit_tests(${name} "${test_sources}" "${arg_TEST_LIBRARIES}")
  endif()
  if(bench_sources AND NOT CLERK_FUZZ)
    clerk_benchmarks(${name} "${bench_sources}" "${arg_TEST_LIBRARIES}")
  endif()
  foreach(source IN LISTS fuzz_sources)
    clerk_fuzzer(${source} "${arg_TEST_LIBRARIES}")
  endforeach()
endfunction()

function(clerk_library target sources libraries)
  if(sources)
    add_library(${target} STATIC ${sources})
    target_link_libraries(${target} PUBLIC ${libraries})
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE ${libraries})
  endif()
  if(target STREQUAL "clerk_testing" AND sources)
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
  elseif(target STREQUAL "clerk_testing")
    target_include_directories(${target} INTERFACE ${PROJECT_SOURCE_DIR})
  endif()
endfunction()

function(clerk_unit_tests name sources libraries)
  add_executable(${name}_test ${sources})
  target_link_libraries(${name}_test PRIVATE ${libraries} GTest::gmock GTest::gtest GTest::gtest_main)
  clerk_precompile(${name}_test clerk_testing)
  if(CLERK_WHOLE_TESTS)
    add_test(NAME ${name}_test COMMAND ${name}_test --gtest_brief=1)
    set_tests_properties(${name}_test PROPERTIES LABELS unit TIMEOUT 900)
    return()
  endif()
  gtest_discover_tests(${name}_test
    DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 TEST_PREFIX ${name}.
    PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

function(clerk_benchmarks name sources libraries)
  add_executable(${name}_bench ${sources})
  target_link_libraries(${name}_bench PRIVATE ${libraries} benchmark::benchmark benchmark::benchmark_main)
  clerk_precompile(${name}_bench clerk_testing)
  add_test(NAME ${name}_bench COMMAND ${name}_bench --benchmark_min_time=0.001)
  set_tests_properties(${name}_bench PROPERTIES LABELS bench TIMEOUT 120)
endfunction()

function(clerk_fuzzer source libraries)
  cmake_path(GET source STEM LAST_ONLY target)
  string(REGEX REPLACE "_fuzz$" "" subject ${target})
  set(corpus ${PROJECT_SOURCE_DIR}/fuzz/corpus/${subject})
  if(CLERK_FUZZ)
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE ${libraries})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    add_test(NAME ${target} COMMAND ${target} -runs=2000 -seed=1)
  else()
    if(NOT TARGET clerk_replay_corpus)
      add_library(clerk_replay_corpus OBJECT ${PROJECT_SOURCE_DIR}/cmake/replay_corpus.cc)
    endif()
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE ${libraries} clerk_replay_corpus)
    clerk_precompile(${target} clerk_testing)
    add_test(NAME ${target} COMMAND ${target} ${corpus})
  endif()
  set_tests_properties(${target} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()

# Linking cannot see a header of a later stage being included; this test can.
function(clerk_check_stage_order)
  if(BUILD_TESTING AND NOT CLERK_FUZZ)
    get_property(stages GLOBAL PROPERTY CLERK_STAGES)
    add_test(NAME stage_order COMMAND ${PROJECT_SOURCE_DIR}/scripts/check_stage_order
             ${PROJECT_SOURCE_DIR}/src ${stages})
  endif()
endfunction()
