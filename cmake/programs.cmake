# Targets that name several files at once.

# programs: everything but the tests, which is what a release build is for.
add_custom_target(programs)
get_property(stages GLOBAL PROPERTY CLERK_STAGES)
foreach(stage IN LISTS stages)
  foreach(program ${stage} ${stage}_bench)
    if(TARGET ${program})
      add_dependencies(programs ${program})
    endif()
  endforeach()
endforeach()
if(EXISTS ${PROJECT_SOURCE_DIR}/bench/CMakeLists.txt AND NOT CLERK_FUZZ)
  get_property(bench_targets DIRECTORY bench PROPERTY BUILDSYSTEM_TARGETS)
  add_dependencies(programs ${bench_targets})
endif()

# sample: the small capture that ./run shows clerk on: 20 seconds, 60 flows, whole frames, always the same.
if(TARGET trace)
  set(sample ${PROJECT_BINARY_DIR}/sample.pcap)
  add_custom_command(
    OUTPUT ${sample}
    COMMAND trace --kind mix --packets 2000 --flows 60 --seconds 20 --seed 1 --snaplen 65535 --output ${sample}
    DEPENDS trace
    COMMENT "Generating sample.pcap"
    VERBATIM)
  add_custom_target(sample DEPENDS ${sample})
endif()
