# A thin front door to the CMake presets and scripts/. `make help` lists the doors.
PREFIX ?= /usr/local
DESTDIR ?=
BENCH_FLAGS ?=

.PHONY: all test asan tsan bench instructions soak fuzz coverage format format-check tidy deps install clean help

all: ## build clerk and the benchmarks into build/release/bin (the default)
	@scripts/install_dependencies run
	@scripts/build release programs

test: ## install what the tests need, build with checks, run all tests
	@./test

asan: ## the tests under the address and undefined behaviour sanitizers
	@scripts/install_dependencies lint
	@scripts/build_and_test asan

tsan: ## the tests under the thread sanitizer
	@scripts/install_dependencies lint
	@scripts/build_and_test tsan

bench: ## measure the release build beside its peers: one table, kept in bench/RESULTS.md; BENCH_FLAGS as bench/run --help says
	@scripts/install_dependencies bench
	@scripts/build release programs
	@bench/run $(BENCH_FLAGS)

instructions: ## fail when the release build runs 5 % more instructions a packet than bench/instructions.json says
	@scripts/install_dependencies lint
	@scripts/instructions

soak: ## live capture of the release build under load, for SOAK_SECONDS (600) at SOAK_RATE packets a second
	@scripts/install_dependencies test
	@scripts/build release clerk sender udp_collector
	@cd tests && CLERK_BUILD=../build/release /usr/bin/python3 -B -m pytest -q -s soak.py

fuzz: ## run every fuzzer FUZZ_SECONDS each (default: 300 s in all)
	@scripts/install_dependencies lint
	@scripts/fuzz

coverage: ## lines of decode, capture and flow that unit tests reach; fails when src/decode is below 95 %
	@scripts/install_dependencies test
	@scripts/coverage

format: ## format every C++ file
	@scripts/install_dependencies lint
	@scripts/format

format-check: ## fail when a C++ file is not formatted
	@scripts/install_dependencies lint
	@scripts/format --check

tidy: ## clang-tidy; every finding is an error
	@scripts/install_dependencies lint
	@scripts/tidy

deps: ## install everything that any of these needs
	@scripts/install_dependencies bench

install: all ## install below PREFIX (default /usr/local), staged in DESTDIR
	@DESTDIR="$(DESTDIR)" cmake --install build/release --prefix "$(PREFIX)"

clean: ## remove build/
	@rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) | while read -r name what; do printf 'make %-13s %s\n' "$$name" "$$what"; done
