#!/usr/bin/env bash
# Builds everything and runs every test: from a bare Debian 12 to the summary.
#
#   ./check.sh              all tests
#   ./check.sh --sanitize   all tests, and the runtime's under the sanitizers
#   ./check.sh --lint       clang-format and clang-tidy first
#   ./check.sh --wheel      pip install . into a fresh environment, and the example
#
# EMBEDDING_TEST_SEED seeds the tests that draw their cases; by default the commit does.
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

jobs=$(nproc)
step() { echo "== $((SECONDS / 60)) min $((SECONDS % 60)) s: $*"; }

# All builds below compile the same files with the same flags, but for what is
# sanitized: the first fills the cache of the others.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$PWD} CCACHE_NOHASHDIR=1

# clang-tidy on the files of standard input, the largest first: a long one that comes
# last would run alone.
tidy() { xargs -r ls -S | xargs -r -P "$jobs" -n 1 clang-tidy-22 --quiet --warnings-as-errors='*' "$@"; }

step "what is missing of Debian's packages"
tools/install-dependencies.sh

# Downloads, while the compiler has the CPUs.
tools/install-python.sh >/dev/null &
environment=$!
trap 'kill $environment 2>/dev/null || true' EXIT

step "build"
[ -f build/build.ninja ] || cmake --preset release >/dev/null
cmake --build build
wait $environment
trap - EXIT

if [ $lint = 1 ]; then
  step "lint"
  # A file that is generated is a dependency of what includes it.
  ninja -C build -t missingdeps
  git ls-files '*.cpp' '*.hpp' '*.h' '*.c' | xargs clang-format-22 --dry-run --Werror
  # What is not built here, for want of an optional library, has no flags.
  git ls-files 'dialect/*.cpp' 'lib/*.cpp' 'runtime/*.cpp' 'tools/*.cpp' |
    while read -r file; do
      if grep -qF "\"$PWD/$file\"" build/compile_commands.json; then
        echo "$file"
      fi
    done | tidy -p build
  tools/test-python.sh --collect-only >/dev/null
  git ls-files 'python/*.cpp' |
    tidy -p build/python/build --header-filter="$PWD/python/.*"
fi

if [ $sanitize = 1 ]; then
  for preset in asan tsan; do
    step "$preset"
    [ -f build-$preset/build.ninja ] || cmake --preset $preset >/dev/null
    cmake --build --preset $preset
    ctest --preset $preset -j "$jobs"
  done
fi

if [ $wheel = 1 ]; then
  step "wheel"
  # PyTorch is taken from the other environment, which has it already.
  rm -rf build/fresh
  /usr/bin/python3 -m venv build/fresh
  build/fresh/bin/pip install --quiet --disable-pip-version-check .
  venv=$(tools/install-python.sh --where)
  (cd build/fresh && PYTHONPATH=$(echo "$venv"/lib/python3*/site-packages) \
    bin/python ../../docs/examples/embedding.py plot.svg && test -s plot.svg)
fi

# The same cases for one commit, others for the next.
: "${EMBEDDING_TEST_SEED:=$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
export EMBEDDING_TEST_SEED
# Without these, lit fails here instead of leaving tests out.
export EMBEDDING_REQUIRED_FEATURES="numpy torch"
step "tests, EMBEDDING_TEST_SEED=$EMBEDDING_TEST_SEED"
ctest --test-dir build --output-on-failure -j "$jobs"
