# The libraries clerk stands on; scripts/install_dependencies installs them.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(pcap REQUIRED IMPORTED_TARGET libpcap)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(cap_ng REQUIRED IMPORTED_TARGET libcap-ng)
pkg_check_modules(maxminddb REQUIRED IMPORTED_TARGET libmaxminddb)

# xxhash is used as a header (XXH_INLINE_ALL); there is nothing to link.
find_path(CLERK_XXHASH_INCLUDE xxhash.h REQUIRED)

if(BUILD_TESTING AND NOT CLERK_FUZZ)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
endif()
