#!/usr/bin/env bash
# Builds the Python package on the C++ build in BUILD_DIR (build by default), installs
# it into a folder there, and runs its tests with the environment of install-python.sh.
# Arguments go to pytest: files, or none for all. Without that environment it exits with
# 77, which CTest takes for skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(cd "${BUILD_DIR:-build}" && pwd)
venv=$(tools/install-python.sh --where)
if [ ! -f "$venv/installed-requirements.txt" ]; then
  echo "test-python.sh: there is no $venv; tools/install-python.sh makes it" >&2
  exit 77
fi
python=$venv/bin/python
work=$build/python
cmake --install "$build" --prefix "$work/prefix" >/dev/null
rm -rf "$work/site"
"$python" -m pip install --quiet --disable-pip-version-check --no-build-isolation \
  --no-deps --target "$work/site" . --config-settings=build-dir="$work/build" \
  --config-settings=cmake.define.EmbeddingRuntime_DIR="$work/prefix/lib/cmake/EmbeddingRuntime"
export PYTHONPATH=$work/site
"$python" -m pytest -q -W ignore "$@"
[ $# -gt 0 ] || (cd "$work" && "$python" -m mypy.stubtest embedding_mlir \
  --allowlist "$OLDPWD/test/Python/stubtest-allowlist.txt")
