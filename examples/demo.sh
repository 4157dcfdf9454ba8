#!/usr/bin/env bash
# Quantizes the embedded model twice: float8 with dynamic activations, and 4-bit integers.
set -euo pipefail
cd "$(dirname "$0")/.."
oneshot=build/release/bin/oneshot
model=examples/models/tiny-llama
output=build/demo

echo "── What 4-bit weights would make of $model (oneshot plan)"
"$oneshot" plan examples/recipes/w4a16.yaml --model "$model"
for recipe in fp8_dynamic w4a16; do
  echo
  echo "── oneshot run examples/recipes/$recipe.yaml --model $model --output $output/$recipe"
  "$oneshot" run "examples/recipes/$recipe.yaml" --model "$model" --output "$output/$recipe" --overwrite
done
echo
echo "── What was written (oneshot inspect $output/w4a16)"
"$oneshot" inspect "$output/w4a16"
