#!/usr/bin/env bash
# Quantizes the embedded model three ways, float8 with dynamic and with calibrated activations and 4-bit
# integers, and measures what that costs: the perplexity on a held-out text, and what the model writes.
set -euo pipefail
cd "$(dirname "$0")/.."
oneshot=build/release/bin/oneshot
model=examples/models/tiny-llama
output=build/demo

echo "── What 4-bit weights would make of $model (oneshot plan)"
"$oneshot" plan examples/recipes/w4a16.yaml --model "$model"
for recipe in fp8_dynamic fp8_static w4a16; do
  echo
  echo "── oneshot run examples/recipes/$recipe.yaml --model $model --output $output/$recipe"
  "$oneshot" run "examples/recipes/$recipe.yaml" --model "$model" --output "$output/$recipe" --overwrite
done
echo
echo "── What was written (oneshot inspect $output/w4a16)"
"$oneshot" inspect "$output/w4a16"

perplexity() {
  "$oneshot" eval "$1" --text examples/data/heldout.txt --sequence-length 256 --samples 64 | grep perplexity
}
echo
echo "── Perplexity (oneshot eval DIR --text examples/data/heldout.txt --sequence-length 256 --samples 64)"
for checkpoint in "$model" "$output"/{fp8_dynamic,fp8_static,w4a16}; do
  printf '%-28s %s\n' "$checkpoint" "$(perplexity "$checkpoint")"
done
echo
echo "── What they write (oneshot generate DIR --prompt 'She was so very much surprised by the letter, that')"
for checkpoint in "$model" "$output"/{fp8_dynamic,fp8_static,w4a16}; do
  printf '%-28s …%s\n' "$checkpoint" \
    "$("$oneshot" generate "$checkpoint" --prompt 'She was so very much surprised by the letter, that' --max-tokens 32)"
done
