#!/usr/bin/env bash
# Builds everything and runs every test: from a bare Debian 12 to the summary.
#
#   ./check.sh              all tests
#   ./check.sh --sanitize   all tests, and the runtime's under the sanitizers
#   ./check.sh --lint       clang-format and clang-tidy first
#   ./check.sh --wheel      pip install . into a fresh environment, and the example
set -euo pipefail
cd "$(dirname "$0")"

sanitize=0 lint=0 wheel=0
for argument in "$@"; do
  case "$argument" in
  --sanitize) sanitize=1 ;;
  --lint) lint=1 ;;
  --wheel) wheel=1 ;;
  *)
    echo "check.sh: unknown argument $argument" >&2
    exit 2
    ;;
  esac
done

tools/install-dependencies.sh
venv=$(tools/install-python.sh)
[ -f build/build.ninja ] || cmake --preset release >/dev/null
cmake --build build

if [ $lint = 1 ]; then
  sources() { git ls-files '*.cpp' '*.hpp' '*.h' '*.c'; }
  sources | xargs clang-format-22 --dry-run --Werror
  # What is not built here, for want of an optional library, has no flags.
  git ls-files 'dialect/*.cpp' 'lib/*.cpp' 'runtime/*.cpp' 'tools/*.cpp' |
    while read -r file; do
      if grep -qF "\"$PWD/$file\"" build/compile_commands.json; then
        echo "$file"
      fi
    done |
    xargs -P "$(nproc)" -n 4 clang-tidy-22 -p build --quiet --warnings-as-errors='*'
  tools/test-python.sh --collect-only >/dev/null
  git ls-files 'python/*.cpp' | xargs -P "$(nproc)" -n 1 clang-tidy-22 --quiet \
    -p build/python/build --header-filter="$PWD/python/.*" --warnings-as-errors='*'
fi

if [ $sanitize = 1 ]; then
  for preset in asan tsan; do
    [ -f build-$preset/build.ninja ] || cmake --preset $preset >/dev/null
    cmake --build build-$preset --target embedding-runtime-tests \
      embedding-device-tests cached-lookup embedding-compiler
    build-$preset/bin/embedding-runtime-tests --gtest_brief=1
    build-$preset/bin/embedding-device-tests --gtest_brief=1
  done
fi

if [ $wheel = 1 ]; then
  # PyTorch is taken from the other environment, which has it already.
  rm -rf build/fresh
  /usr/bin/python3 -m venv build/fresh
  build/fresh/bin/pip install --quiet --disable-pip-version-check .
  (cd build/fresh && PYTHONPATH=$(echo "$venv"/lib/python3*/site-packages) \
    bin/python ../../docs/examples/embedding.py plot.svg && test -s plot.svg)
fi

ctest --test-dir build --output-on-failure
