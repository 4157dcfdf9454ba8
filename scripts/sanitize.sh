#!/usr/bin/env bash
# All tests under ASan and UBSan, then the parsers under libFuzzer for a few seconds each.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --with-fuzz
jobs=$(nproc)

cmake --preset sanitize > /dev/null
cmake --build --preset sanitize -j "$jobs"
# LibTorch itself is not instrumented: containers that cross its border are no overflow, and what it
# keeps until exit is no leak of ours.
export ASAN_OPTIONS=detect_container_overflow=0:detect_leaks=0
export UBSAN_OPTIONS=print_stacktrace=1
ctest --preset sanitize -j "$jobs"

cmake --preset fuzz > /dev/null
cmake --build --preset fuzz -j "$jobs"
seconds=${FUZZ_SECONDS:-5}
fuzz() {  # PARSER SEEDS…
  local corpus=build/fuzz/corpus/$1
  mkdir -p "$corpus"
  "build/fuzz/bin/fuzz_$1" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 \
    -artifact_prefix="build/fuzz/" "$corpus" "${@:2}" > "build/fuzz/$1.log" 2>&1 ||
    { tail -n 40 "build/fuzz/$1.log"; exit 1; }
  echo "fuzz: $1 took $(grep -c NEW "build/fuzz/$1.log" || true) new inputs and no failure"
}
fuzz safetensors tests/data/fuzz/safetensors
fuzz recipe tests/data/recipes/valid tests/data/recipes/invalid tests/data/recipes/llm_compressor
fuzz tokenizer tests/data/fuzz/tokenizer
fuzz chat_template tests/data/text/chat/templates
fuzz dataset tests/data/fuzz/dataset
fuzz conversation tests/data/fuzz/conversation
fuzz image tests/data/vision/images
fuzz torch_file tests/data/fuzz/torch_file
