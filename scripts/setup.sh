#!/usr/bin/env bash
# Brings what building and testing need: Debian or Ubuntu packages, and LibTorch from PyPI in .venv.
# Does nothing where all of it is there. Options: --with-lint, --with-fuzz add those tools.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  g++ cmake ninja-build ccache pkg-config git make python3 python3-venv
  libyaml-cpp-dev nlohmann-json3-dev libre2-dev libspdlog-dev libcli11-dev libssl-dev libhwy-dev
  libpcre2-dev libutf8proc-dev libjpeg-dev libpng-dev libwebp-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)
for option in "$@"; do
  case "$option" in
    --with-lint) packages+=(clang-format-14 clang-tidy-14) ;;
    --with-fuzz) packages+=(clang-14 libclang-rt-14-dev) ;;
    *) echo "setup.sh: unknown option $option" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${packages[@]}"; do
  if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
    missing+=("$package")
  fi
done
if [ ${#missing[@]} -gt 0 ]; then
  install=(apt-get install -y -qq --no-install-recommends "${missing[@]}")
  if ! command -v apt-get > /dev/null; then
    echo "setup: please install what these Debian packages hold: ${missing[*]}" >&2
    exit 1
  elif [ "$(id -u)" = 0 ]; then
    sudo=()
  elif command -v sudo > /dev/null; then
    sudo=(sudo)
  else
    echo "setup: please run as root: apt-get install -y ${missing[*]}" >&2
    exit 1
  fi
  echo "setup: installing ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" > /dev/null
fi

# A LibTorch of your own: CMAKE_PREFIX_PATH=/path/to/libtorch make build
if [ -n "${CMAKE_PREFIX_PATH:-}" ]; then
  exit 0
fi
stamp=.venv/torch-2.11.0.installed
if [ ! -e "$stamp" ]; then
  echo "setup: fetching LibTorch (the PyPI wheel torch 2.11.0, about 540 MB)"
  python3 -m venv .venv
  # Without its dependencies: a program that computes on the CPU needs two of NVIDIA's small
  # libraries, which the wheel's libtorch_cpu links to, and nothing else of the CUDA stack.
  .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps \
    torch==2.11.0 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85
  touch "$stamp"
fi
