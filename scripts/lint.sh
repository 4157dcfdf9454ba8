#!/usr/bin/env bash
# Formatting of every source, and clang-tidy on those that include no ATen (its headers take too long)
# and on those that differ from main.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --with-lint

mapfile -d '' sources < <(git ls-files -z '*.h' '*.cpp')
clang-format-14 --dry-run --Werror "${sources[@]}"
echo "lint: ${#sources[@]} files are formatted"

cmake --preset parsers > /dev/null
mapfile -t tidied < <(python3 - <<'PY'
import json
for entry in json.load(open("build/parsers/compile_commands.json")):
    if "/tests/" not in entry["file"]:
        print(entry["file"])
PY
)
printf '%s\0' "${tidied[@]}" |
  xargs -0 -P "$(nproc)" -n 4 clang-tidy-14 --quiet -p build/parsers 2> >(grep -v 'warnings generated' >&2 || true)
echo "lint: clang-tidy finds nothing in ${#tidied[@]} files"

base=$(git merge-base HEAD main 2>/dev/null || true)
changed=()
if [ -n "$base" ] && [ -e build/release/compile_commands.json ]; then
  while IFS= read -r file; do
    if grep -q "/$file\"" build/release/compile_commands.json &&
       ! grep -q "/$file\"" build/parsers/compile_commands.json; then
      changed+=("$file")
    fi
  done < <(git diff --name-only --diff-filter=d "$base" -- '*.cpp')
fi
if [ ${#changed[@]} -gt 0 ]; then
  mkdir -p build/tidy  # clang cannot read GCC's precompiled header
  sed -E 's/-Winvalid-pch -include [^ ]+//' build/release/compile_commands.json > build/tidy/compile_commands.json
  clang-tidy-14 --quiet -p build/tidy "${changed[@]}"
  echo "lint: clang-tidy finds nothing in ${#changed[@]} changed files"
fi
