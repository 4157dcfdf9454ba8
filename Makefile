# The commands a person uses. `make demo` and `make test` work from a clean clone.
BUILD := build/release
JOBS ?= $(shell nproc)

.PHONY: help setup build demo test bench lint sanitize format schema clean

help:
	@echo "make demo      set up, build, and quantize the embedded model"
	@echo "make test      set up, build, and run all tests"
	@echo "make build     build/release/bin/oneshot"
	@echo "make bench     measure speed and memory"
	@echo "make lint      formatting and static checks"
	@echo "make sanitize  tests under ASan and UBSan, and a few seconds of fuzzing"
	@echo "make format    format all sources"
	@echo "make schema    write recipes/schema.json and recipes/schema.md anew"

setup:
	@scripts/setup.sh

$(BUILD)/build.ninja: CMakeLists.txt CMakePresets.json | setup
	@cmake --preset release

build: setup $(BUILD)/build.ninja
	@cmake --build --preset release -j $(JOBS)

demo: build
	@examples/demo.sh

test: build
	@ctest --preset release -j $(JOBS)

bench: build
	@scripts/bench.py

lint: setup
	@scripts/lint.sh

sanitize: setup
	@scripts/sanitize.sh

format: setup
	@git ls-files '*.h' '*.cpp' | xargs clang-format-14 -i

schema: build
	@$(BUILD)/bin/oneshot schema > recipes/schema.json
	@$(BUILD)/bin/oneshot schema --markdown > recipes/schema.md

clean:
	rm -rf build
