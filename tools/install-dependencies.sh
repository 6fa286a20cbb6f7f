#!/usr/bin/env bash
# Installs what building and testing need on Debian 12: what is missing of it.
set -euo pipefail

packages=(
  # Build. MLIR comes from Debian's security archive, which Debian 12 has enabled.
  ccache clang-22 cmake g++ git libdlpack-dev liblld-22-dev libmlir-22-dev
  llvm-22-dev mlir-22-tools ninja-build
  # Tests.
  clang-format-22 clang-tidy-22 libclang-rt-22-dev libgmock-dev libgtest-dev llvm-22-tools
  python3 python3-dev python3-numpy python3-torch python3-venv
)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null |
    grep -qx installed || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "Installing: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "install-dependencies.sh: neither root nor sudo" >&2
    exit 1
  }
  as_root=(sudo)
fi
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -q -y --no-install-recommends "${missing[@]}"
