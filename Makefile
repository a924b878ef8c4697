# The thin front of the build: everything real is in CMake. `make` builds build/release/anneal.
# Each target sets up what is missing (tools/setup) before it starts.
JOBS ?= 2
BUILD = cmake --preset $(1) $(CMAKE_ARGS) >build/$(1).configure.log 2>&1 || \
	{ cat build/$(1).configure.log; exit 1; }; cmake --build --preset $(1) -j $(JOBS)

.PHONY: all demo check check-long check-arm64 bench clean

all:
	@tools/setup build
	@mkdir -p build && $(call BUILD,release) --target anneal

demo:
	@tools/setup build demo
	@mkdir -p build && $(call BUILD,release) --target anneal
	@tools/demo build/release/anneal

check:
	@tools/setup build check
	@tools/check

check-long:
	@tools/setup build check long
	@tools/check --long

check-arm64:
	@tools/setup build arm64
	@tools/check-arm64

bench:
	@tools/setup build
	@mkdir -p build && $(call BUILD,release)
	@bench/run $(BENCH)

clean:
	rm -rf build
