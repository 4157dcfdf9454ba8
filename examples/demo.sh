#!/usr/bin/env bash
# Quantizes the embedded model to float8 with dynamic and with calibrated activations and to integers of 4
# and of 2 bits, these rounded to nearest and with their rounding tuned (SignRound), and measures what that
# costs: the perplexity on a held-out text, and what the model writes. Then a vision-language model at 2 bits, judged by its answers.
set -euo pipefail
cd "$(dirname "$0")/.."
oneshot=build/release/bin/oneshot
model=examples/models/tiny-llama
output=build/demo
made=(fp8_dynamic fp8_static w4a16 w2a16_nearest w2a16_tuned)

run() { # RECIPE NAME OPTION…
  echo
  echo "── oneshot run examples/recipes/$1.yaml --model $model --output $output/$2 ${*:3}"
  "$oneshot" run "examples/recipes/$1.yaml" --model "$model" --output "$output/$2" --overwrite "${@:3}"
}

echo "── What 4-bit weights would make of $model (oneshot plan)"
"$oneshot" plan examples/recipes/w4a16.yaml --model "$model"
run fp8_dynamic fp8_dynamic
run fp8_static fp8_static
run w4a16 w4a16
run sign_round w2a16_nearest --set modifiers.0.iterations=0
run sign_round w2a16_tuned
echo
echo "── What was written (oneshot inspect $output/w4a16)"
"$oneshot" inspect "$output/w4a16"

perplexity() {
  "$oneshot" eval "$1" --text examples/data/heldout.txt --sequence-length 256 --samples 64 | grep perplexity
}
echo
echo "── Perplexity (oneshot eval DIR --text examples/data/heldout.txt --sequence-length 256 --samples 64)"
for checkpoint in "$model" "${made[@]/#/$output/}"; do
  printf '%-28s %s\n' "$checkpoint" "$(perplexity "$checkpoint")"
done
echo
echo "── What they write (oneshot generate DIR --prompt 'She was so very much surprised by the letter, that')"
for checkpoint in "$model" "${made[@]/#/$output/}"; do
  printf '%-28s …%s\n' "$checkpoint" \
    "$("$oneshot" generate "$checkpoint" --prompt 'She was so very much surprised by the letter, that' --max-tokens 32 | tr '\n' ' ')"
done

echo
echo "── A model that looks at images, at 2 bits: nearest, and tuned on conversations about other images (examples/recipes/vision.yaml)"
model=examples/models/tiny-llava
run vision vision_nearest --set modifiers.0.iterations=0
run vision vision_tuned
answers() {
  "$oneshot" eval "$1" --choices examples/data/vqa/eval.jsonl | grep accuracy
}
echo
echo "── Answers to 400 questions about 200 images (oneshot eval DIR --choices examples/data/vqa/eval.jsonl)"
for checkpoint in "$model" "$output/vision_nearest" "$output/vision_tuned"; do
  printf '%-28s %s\n' "$checkpoint" "$(answers "$checkpoint")"
done
echo
echo "── What it says of examples/data/vqa/images/0000.png (oneshot generate DIR --image FILE --chat --prompt 'Describe the image.')"
for checkpoint in "$model" "$output/vision_nearest" "$output/vision_tuned"; do
  printf '%-28s %s\n' "$checkpoint" \
    "$("$oneshot" generate "$checkpoint" --image examples/data/vqa/images/0000.png --chat --prompt 'Describe the image.' --max-tokens 32 | tr '\n' ' ')"
done
