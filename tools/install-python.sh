#!/usr/bin/env bash
# Makes the virtual environment that tests of the Python package use, outside the
# source tree, or completes the one that is there; prints where it is. With --where
# it does no more than that.
#
# EMBEDDING_PYTHON_VENV says where; ~/.cache/embedding-mlir/python by default.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${EMBEDDING_PYTHON_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/embedding-mlir/python}
if [ "${1:-}" = --where ]; then
  echo "$venv"
  exit 0
fi
requirements=test/Python/requirements.txt
installed=$venv/installed-requirements.txt
if ! cmp -s "$requirements" "$installed"; then
  [ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv "$venv" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
  cp "$requirements" "$installed"
fi
echo "$venv"
